//! Contents have the type of their flag, and are written as typed clients read it.

use crate::harness::{Book, Engine, Shop, experiment, named};
use crate::ofrep::{ALL, of, one};
use serde_json::{Value, json};

pub(crate) fn promises(book: &mut Book) {
    book.both(named!(each_type_of_value_is_written_as_typed_clients_read_it));
    book.both(named!(a_content_of_another_type_is_refused_where_it_stands));
    book.both(named!(whoever_answers_on_a_flag_gives_one_type));
}

/// Registers an experiment with these contents.
fn with_contents(key: &str, value_type: Option<&str>, contents: &[Value]) -> Value {
    let mut definition = experiment(key, &["control", "b"]);
    definition["variants"] = contents
        .iter()
        .enumerate()
        .map(|(content_idx, content)| json!({"key": format!("v{content_idx}"), "content": content}))
        .collect();
    if let Some(value_type) = value_type {
        definition["value_type"] = json!(value_type);
    }
    definition
}

pub(crate) fn each_type_of_value_is_written_as_typed_clients_read_it(engine: Engine) {
    let mut shop = Shop::open(engine);
    let cases = [
        ("boolean", None, json!(true), "true"),
        ("text", None, json!("a \"b\""), r#""a \"b\"""#),
        ("whole", None, json!(9_007_199_254_740_992_i64), "9007199254740992"),
        ("derived", None, json!(8.0), "8.0"),
        ("declared", Some("float"), json!(8), "8.0"),
        ("large", Some("float"), json!(1e20), "1e+20"),
        ("list", None, json!([1, 2.5, null]), "[1,2.5,null]"),
        ("object", Some("object"), json!({"a": {"b": 8.0}}), r#"{"a":{"b":8.0}}"#),
    ];
    for (key, value_type, content, _) in &cases {
        shop.run(&with_contents(key, *value_type, &[content.clone(), content.clone()]));
    }
    // A whole number beside a float is a float, too.
    shop.register(&with_contents("mixed", None, &[json!(8), json!(8.5)]));
    let check = |shop: &Shop| {
        let all = shop.admin.post(ALL, &of("ann")).text();
        for (key, _, _, written) in cases.iter().chain(&[("mixed", None, Value::Null, "8.0")]) {
            let one = shop.admin.post(&one(key), &of("ann")).text();
            let wanted = format!(r#"{{"key":"{key}","value":{written},"reason":"#);
            assert!(one.starts_with(&wanted), "{one}");
            assert!(all.contains(&wanted), "{wanted} is not in {all}");
        }
    };
    check(&shop);
    shop.restart();
    check(&shop);
}

pub(crate) fn a_content_of_another_type_is_refused_where_it_stands(engine: Engine) {
    let shop = Shop::open(engine);
    let check = |value_type: Option<&str>, contents: [Value; 2], at: &[&str]| {
        let definition = with_contents("wrong", value_type, &contents);
        let problem = shop.admin.post("/api/v1/experiments", &definition).problem(400);
        assert_eq!(
            (problem.slug.as_str(), problem.pointers.as_slice()),
            ("invalid-field", at_of(at).as_slice())
        );
    };
    check(None, [json!("text"), json!(1)], &["/variants/1/content"]);
    check(None, [json!({}), json!(true)], &["/variants/1/content"]);
    check(Some("boolean"), [json!("yes"), json!(1)], &["/variants/0/content", "/variants/1/content"]);
    check(Some("string"), [json!("a"), Value::Null], &["/variants/1/content"]);
    check(Some("integer"), [json!(1), json!(1.5)], &["/variants/1/content"]);
    check(Some("integer"), [json!(9_007_199_254_740_993_i64), json!(1)], &["/variants/0/content"]);
    check(Some("object"), [json!({}), json!("{}")], &["/variants/1/content"]);
    let mut unknown = with_contents("wrong", Some("double"), &[json!(1.0), json!(2.0)]);
    let problem = shop.admin.post("/api/v1/experiments", &unknown).problem(400);
    assert_eq!(problem.pointers, ["/value_type"]);
    // Without a type a variant may have no content, and the type is a promise once it runs.
    unknown = with_contents("right", None, &[Value::Null, json!("text")]);
    shop.run(&unknown);
    let problem = shop.patch("right", &json!({"value_type": "string"})).problem(400);
    assert_eq!(problem.pointers, ["/variants/0/content"]);
    shop.run(&with_contents("typed", Some("string"), &[json!("a"), json!("b")]));
    let problem = shop.patch("typed", &json!({"value_type": null, "server_only": true})).problem(409);
    assert_eq!(problem.slug, "needs-new-version");
    shop.patch("typed", &json!({"server_only": true})).expect(200);
    let added = json!({"key": "c", "content": 7});
    let path = "/api/v1/experiments/typed/variants";
    let problem = shop.admin.edit("POST", path, "*", Some(&added)).problem(400);
    assert_eq!(problem.pointers, ["/content"]);
}

pub(crate) fn whoever_answers_on_a_flag_gives_one_type(engine: Engine) {
    let shop = Shop::open(engine);
    shop.run(&with_contents("banner", Some("string"), &[json!("a"), json!("b")]));
    let experience = |key: &str, flag: &str, content: Value| {
        let definition = json!({"key": key, "flag_key": flag, "variants": [{"key": "x", "content": content}],
            "fallback": "x"});
        shop.admin.post("/api/v1/experiences", &definition)
    };
    assert_eq!(experience("other", "banner", json!(7)).problem(400).pointers, ["/value_type"]);
    experience("same", "banner", json!("c")).expect(201);
    experience("price", "price", json!(7)).expect(201);
    let on = |flag: &str, value_type: Option<&str>, contents: [Value; 2]| {
        let mut definition = with_contents("late", value_type, &contents);
        definition["flag_key"] = json!(flag);
        definition
    };
    let texts = on("price", None, [json!("seven"), json!("eight")]);
    let problem = shop.admin.post("/api/v1/experiments", &texts).problem(400);
    assert_eq!(problem.pointers, ["/value_type"], "{}", problem.detail);
    shop.register(&on("late", None, [json!("seven"), json!("eight")]));
    let to = |flag: &str| {
        let patch = json!({"flag_key": flag});
        shop.admin.edit("PATCH", "/api/v1/experiments/late", "*", Some(&patch))
    };
    assert_eq!(to("price").problem(400).pointers, ["/value_type"]);
    let taken = to("banner").problem(409);
    assert_eq!((taken.slug.as_str(), taken.pointers), ("flag-key-taken", at_of(&["/flag_key"])));
    to("free").expect(200);
}

fn at_of(pointers: &[&str]) -> Vec<String> {
    pointers.iter().map(|pointer| (*pointer).to_owned()).collect()
}
