//! A wrong request about audiences or persons is a problem that says where, and changes nothing.

use crate::harness::events::{now, track};
use crate::harness::{Book, Engine, Expected, Faults, Shop, any, at, named, of_kind};
use serde_json::{Value, json};

pub(crate) fn promises(book: &mut Book) {
    book.both(named!(each_endpoint_asks_for_a_key_that_may));
    book.both(named!(each_path_says_which_methods_it_takes));
    book.both(named!(a_body_that_is_wrong_is_a_problem_that_names_the_field));
    book.both(named!(a_field_has_a_range));
    book.both(named!(what_is_not_there_is_not_found));
    book.both(named!(a_change_says_which_state_it_saw));
    book.both(named!(a_person_is_asked_for_by_an_id));
}

/// Method, path, and the least scope that may.
const ENDPOINTS: [(&str, &str, &str); 12] = [
    ("GET", "/api/v1/audiences", "server"),
    ("POST", "/api/v1/audiences", "admin"),
    ("POST", "/api/v1/audiences/preview", "server"),
    ("GET", "/api/v1/audiences/vips", "server"),
    ("PUT", "/api/v1/audiences/vips", "admin"),
    ("DELETE", "/api/v1/audiences/vips", "admin"),
    ("GET", "/api/v1/audiences/vips/moves", "server"),
    ("POST", "/api/v1/audiences/vips/explain", "server"),
    ("GET", "/api/v1/profiles/ann", "server"),
    ("GET", "/api/v1/profiles/ann/moves", "server"),
    ("POST", "/api/v1/profiles/ann/aliases", "server"),
    ("DELETE", "/api/v1/profiles/ann/aliases/phone", "server"),
];
pub(crate) const AUDIENCES: &str = "/api/v1/audiences";
pub(crate) const VIPS: &str = "/api/v1/audiences/vips";

pub(crate) fn vips() -> Value {
    json!({"profile": {"fact": "orders", "op": "gte", "value": 5}})
}

pub(crate) fn open(engine: Engine) -> Shop {
    let shop = Shop::open(engine);
    make(&shop, "vips", &vips());
    shop
}

pub(crate) fn make(shop: &Shop, key: &str, condition: &Value) -> Value {
    shop.admin.post(AUDIENCES, &json!({"key": key, "condition": condition})).expect(201)
}

pub(crate) fn each_endpoint_asks_for_a_key_that_may(engine: Engine) {
    let mut shop = open(engine);
    let mut faults = Faults::default();
    let before = shop.admin.get(VIPS).text();
    for (method, path, least) in ENDPOINTS {
        let what = format!("{method} {path}");
        let ask = |key: Option<&str>| {
            shop.admin.with_key(key).call(method, path, &[("If-Match", "*")], Some(b"{}"))
        };
        let nobody = of_kind(&[401], "unauthorized");
        faults.check(&what, &ask(None), nobody);
        for key in ["nonsense", "podium_adm_00000000_00000000000000000000000000000000"] {
            faults.check(&what, &ask(Some(key)), nobody);
        }
        for scope in ["publishable", "server"] {
            let answer = shop.podium.client(scope).call(method, path, &[("If-Match", "*")], Some(b"{}"));
            let may = scope == "server" && least == "server";
            if !may {
                faults.check(&format!("{what} as {scope}"), &answer, of_kind(&[403], "forbidden"));
            } else if [401, 403].contains(&answer.status) {
                faults.add(format!("{what} as {scope}: {answer}"));
            }
        }
    }
    assert_eq!(shop.admin.get(VIPS).text(), before, "nothing was changed");
    faults.report(&mut shop);
}

pub(crate) fn each_path_says_which_methods_it_takes(engine: Engine) {
    let mut shop = open(engine);
    let mut faults = Faults::default();
    for (_, path, _) in ENDPOINTS {
        let takes = |method: &&str| ENDPOINTS.iter().any(|(one, its, _)| one == method && *its == path);
        let right: Vec<_> = ["GET", "POST", "PUT", "DELETE"].into_iter().filter(takes).collect();
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "QUERY"] {
            if right.contains(&method) {
                continue;
            }
            let answer = shop.admin.call(method, path, &[("If-Match", "*")], None);
            let what = format!("{method} {path}");
            faults.check(&what, &answer, of_kind(&[405], "method-not-allowed"));
            let mut allowed: Vec<_> = answer.header("allow").unwrap_or_default().split(", ").collect();
            allowed.sort_by_key(|one| right.iter().position(|method| method == one));
            if allowed != right {
                faults.add(format!("{what}: allows {allowed:?}, not {right:?}"));
            }
        }
    }
    for path in
        ["/api/v1/audiences/", "/api/v1/audiences/vips/members", "/api/v1/profiles", "/api/v1/profiles/a/b"]
    {
        faults.check(path, &shop.admin.get(path), of_kind(&[404], "not-found"));
    }
    faults.report(&mut shop);
}

/// The endpoints that read a body, each with one that is right.
fn bodies() -> [(&'static str, &'static str, Value); 5] {
    [
        ("POST", AUDIENCES, json!({"key": "new", "name": "n", "condition": vips()})),
        ("PUT", VIPS, json!({"name": "n", "condition": vips()})),
        ("POST", "/api/v1/audiences/preview", json!({"condition": vips()})),
        ("POST", "/api/v1/audiences/vips/explain", json!({"unit": "ann"})),
        ("POST", "/api/v1/profiles/ann/aliases", json!({"id": "phone"})),
    ]
}

pub(crate) fn a_body_that_is_wrong_is_a_problem_that_names_the_field(engine: Engine) {
    let mut shop = open(engine);
    let mut faults = Faults::default();
    let before = shop.admin.get(AUDIENCES).text();
    let send = |method: &str, path: &str, body: &[u8]| {
        shop.admin.call(method, path, &[("If-Match", "*")], Some(body))
    };
    for (method, path, good) in bodies() {
        let what = |body: &str| format!("{method} {path} {}", body.chars().take(80).collect::<String>());
        for body in ["", "{", "{\"condition\": }", "nonsense", "{}{}"] {
            let answer = send(method, path, body.as_bytes());
            faults.check(&what(body), &answer, of_kind(&[400], "bad-json"));
        }
        faults.check(&what("bytes"), &send(method, path, b"{\"\xff\": 1}"), any(&[400]));
        let deep = format!("{{\"condition\": {}{}}}", "{\"not\":".repeat(500), "}".repeat(500));
        faults.check(&what("deep"), &send(method, path, deep.as_bytes()), any(&[400]));
        for body in ["[]", "7", "null", "\"text\""] {
            faults.check(&what(body), &send(method, path, body.as_bytes()), of_kind(&[400], "invalid-field"));
        }
        let large = json!({"name": "x".repeat(1024 * 1024 + 1)}).to_string();
        faults.check(
            &what("large"),
            &send(method, path, large.as_bytes()),
            of_kind(&[413], "body-too-large"),
        );
        let mut unknown = good.clone();
        unknown["nonsense"] = json!(1);
        let unknown = unknown.to_string();
        faults.check(&what(&unknown), &send(method, path, unknown.as_bytes()), at(&[400], "/nonsense"));
        for name in good.as_object().unwrap().keys() {
            for wrong in [json!(7), json!([]), json!(true)] {
                let mut body = good.clone();
                body[name] = wrong;
                let body = body.to_string();
                faults.check(
                    &what(&body),
                    &send(method, path, body.as_bytes()),
                    at(&[400], &format!("/{name}")),
                );
            }
            let mut missing = good.clone();
            missing.as_object_mut().unwrap().remove(name);
            let missing = missing.to_string();
            if name != "name" {
                let answer = send(method, path, missing.as_bytes());
                faults.check(&what(&missing), &answer, at(&[400], &format!("/{name}")));
            }
        }
    }
    assert_eq!(shop.admin.get(AUDIENCES).text(), before, "nothing was changed");
    faults.report(&mut shop);
}

pub(crate) fn a_field_has_a_range(engine: Engine) {
    let mut shop = open(engine);
    let mut faults = Faults::default();
    let before = shop.admin.get(AUDIENCES).text();
    let long = "x".repeat(256);
    let values = [
        ("POST", AUDIENCES, "key", json!("")),
        ("POST", AUDIENCES, "key", json!("two words")),
        ("POST", AUDIENCES, "key", json!("-a")),
        ("POST", AUDIENCES, "key", json!("x".repeat(101))),
        ("POST", AUDIENCES, "key", json!("preview")),
        ("POST", AUDIENCES, "name", json!("x".repeat(201))),
        ("POST", AUDIENCES, "name", json!("a\0b")),
        ("PUT", VIPS, "name", json!("x".repeat(201))),
        ("POST", "/api/v1/audiences/vips/explain", "unit", json!("")),
        ("POST", "/api/v1/audiences/vips/explain", "unit", json!("a\0b")),
        ("POST", "/api/v1/audiences/vips/explain", "unit", json!(long)),
        ("POST", "/api/v1/audiences/vips/explain", "context", json!([])),
        ("POST", "/api/v1/audiences/vips/explain", "context", json!("text")),
        ("POST", "/api/v1/audiences/vips/explain", "at", json!("today")),
        ("POST", "/api/v1/profiles/ann/aliases", "id", json!("")),
        ("POST", "/api/v1/profiles/ann/aliases", "id", json!("a\0b")),
        ("POST", "/api/v1/profiles/ann/aliases", "id", json!(long)),
        ("POST", "/api/v1/profiles/ann/aliases", "id", json!("ann")),
    ];
    for (method, path, name, value) in values {
        let (_, _, mut body) =
            bodies().into_iter().find(|(one, its, _)| *one == method && *its == path).unwrap();
        body[name] = value;
        let body = body.to_string();
        let what = format!("{method} {path} {}", body.chars().take(80).collect::<String>());
        let place = format!("/{name}");
        let expected = Expected { statuses: &[400], slug: Some("invalid-field"), place: Some(&place) };
        faults.check(
            &what,
            &shop.admin.call(method, path, &[("If-Match", "*")], Some(body.as_bytes())),
            expected,
        );
    }
    assert_eq!(shop.admin.get(AUDIENCES).text(), before, "nothing was changed");
    faults.report(&mut shop);
}

pub(crate) fn what_is_not_there_is_not_found(engine: Engine) {
    let mut shop = open(engine);
    let mut faults = Faults::default();
    let before = shop.admin.get(AUDIENCES).text();
    let taken = shop.admin.post(AUDIENCES, &json!({"key": "vips", "condition": vips()}));
    faults.check("a key that is taken", &taken, of_kind(&[409], "audience-key-taken"));
    let nope = "/api/v1/audiences/nope";
    let change = json!({"condition": vips()});
    for (what, answer) in [
        ("read", shop.admin.get(nope)),
        ("change", shop.admin.edit("PUT", nope, "*", Some(&change))),
        ("remove", shop.admin.edit("DELETE", nope, "*", None)),
        ("moves", shop.admin.get("/api/v1/audiences/nope/moves")),
        ("explain", shop.admin.post("/api/v1/audiences/nope/explain", &json!({"unit": "ann"}))),
        ("no key", shop.admin.get("/api/v1/audiences/%00")),
    ] {
        faults.check(what, &answer, of_kind(&[404], "not-found"));
    }
    for path in ["/api/v1/audiences/vips/moves", "/api/v1/profiles/ann/moves"] {
        for query in ["limit=0", "limit=501", "limit=x", "cursor=0", "cursor=x", "nonsense=1"] {
            let path = format!("{path}?{query}");
            faults.check(&path, &shop.admin.get(&path), of_kind(&[400], "invalid-query"));
        }
    }
    for unit in ["", "%00", &"x".repeat(256)] {
        let path = format!("/api/v1/audiences/vips/moves?unit={unit}");
        faults.check(&path, &shop.admin.get(&path), of_kind(&[400], "invalid-query"));
    }
    assert_eq!(shop.admin.get(AUDIENCES).text(), before, "nothing was changed");
    faults.report(&mut shop);
}

pub(crate) fn a_change_says_which_state_it_saw(engine: Engine) {
    let mut shop = open(engine);
    let mut faults = Faults::default();
    let body = json!({"name": "Changed", "condition": vips()});
    let first = shop.admin.get(VIPS).etag();
    let text = body.to_string();
    for (method, body) in [("PUT", Some(text.as_bytes())), ("DELETE", None)] {
        let blind = shop.admin.call(method, VIPS, &[], body);
        faults.check(method, &blind, of_kind(&[428], "if-match-missing"));
    }
    let changed = shop.admin.edit("PUT", VIPS, &first, Some(&body));
    let second = changed.etag();
    assert_ne!(second, first);
    assert_eq!(changed.expect(200)["name"], "Changed");
    for stale in [first.as_str(), "\"nonsense\"", "\"99\"", "W/\"1\""] {
        for method in ["PUT", "DELETE"] {
            let answer = shop.admin.edit(method, VIPS, stale, (method == "PUT").then_some(&body));
            faults.check(&format!("{method} {stale}"), &answer, of_kind(&[412], "edit-conflict"));
            if answer.header("etag") != Some(&second) {
                faults.add(format!("{method} {stale}: the state is {:?}", answer.header("etag")));
            }
        }
    }
    assert_eq!(shop.admin.get(VIPS).etag(), second);
    shop.admin.edit("DELETE", VIPS, &second, None).expect(204);
    faults.check("gone", &shop.admin.edit("DELETE", VIPS, &second, None), of_kind(&[404], "not-found"));
    faults.report(&mut shop);
}

pub(crate) fn a_person_is_asked_for_by_an_id(engine: Engine) {
    let mut shop = open(engine);
    let mut faults = Faults::default();
    shop.log(&[track("ann", "Product Viewed", "v-1", now(), &json!({}))]);
    let long = "x".repeat(256);
    let nowhere = of_kind(&[404], "not-found");
    for id in ["%00", "a%00b", long.as_str()] {
        let path = format!("/api/v1/profiles/{id}");
        faults.check(&path, &shop.admin.get(&path), nowhere);
        faults.check(&path, &shop.admin.get(&format!("{path}/moves")), nowhere);
        let join = shop.admin.post(&format!("{path}/aliases"), &json!({"id": "phone"}));
        faults.check(&path, &join, nowhere);
        for part in [format!("{path}/aliases/phone"), format!("/api/v1/profiles/ann/aliases/{id}")] {
            faults.check(&part, &shop.admin.call("DELETE", &part, &[], None), nowhere);
        }
    }
    for other in ["ann", "phone", "bob"] {
        let path = format!("/api/v1/profiles/ann/aliases/{other}");
        faults.check(&path, &shop.admin.call("DELETE", &path, &[], None), nowhere);
    }
    for id in ["a%20b%2Fc", "%C3%A4nn", "..%2F..", "%F0%9F%91%9F"] {
        let path = format!("/api/v1/profiles/{id}");
        let profile = shop.admin.get(&path).expect(200);
        assert_eq!((&profile["known"], &profile["first_seen"]), (&json!(false), &Value::Null), "{id}");
    }
    assert_eq!(shop.admin.get("/api/v1/profiles/ann").expect(200)["ids"], json!(["ann"]));
    faults.report(&mut shop);
}
