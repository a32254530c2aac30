//! A wrong request about experiences is a problem that says where.

use crate::experiences::{LIST, example, hero, register, with};
use crate::harness::{Book, Engine, Faults, Shop, any, at, experiment, named, of_kind};
use serde_json::{Value, json};

pub(crate) fn promises(book: &mut Book) {
    book.both(named!(a_wrong_experience_is_a_problem_that_names_the_field));
    book.both(named!(a_wrong_question_about_experiences_is_a_problem));
    book.both(named!(a_wrong_experiment_of_a_rule_is_a_problem_that_names_the_field));
}

/// Members that cannot be, with the status and the place that must be named.
fn wrong_members() -> Vec<(Value, u16, &'static str)> {
    let variants = |second: &Value| json!({"variants": [{"key": "a", "content": "A"}, second]});
    let rule = |rule: &Value| json!({"rules": [rule]});
    vec![
        (json!({"key": "a b"}), 400, "/key"),
        (json!({"key": 7}), 400, "/key"),
        (json!({"key": "conflicts"}), 400, "/key"),
        (json!({"prioritee": 1}), 400, "/prioritee"),
        (json!({"priority": "high"}), 400, "/priority"),
        (json!({"priority": 3_000_000_000_i64}), 400, "/priority"),
        (json!({"name": "x".repeat(2_001)}), 400, "/name"),
        (json!({"flag_key": "a/b"}), 400, "/flag_key"),
        (json!({"value_type": "money"}), 400, "/value_type"),
        (json!({"value_type": "integer"}), 400, "/variants/0/content"),
        (json!({"variants": []}), 400, "/variants"),
        (json!({"variants": {}}), 400, "/variants"),
        (variants(&json!({"key": "a", "content": "B"})), 400, "/variants/1/key"),
        (variants(&json!({"key": "b"})), 400, "/variants/1/content"),
        (variants(&json!({"key": "b", "content": null})), 400, "/variants/1/content"),
        (variants(&json!({"key": "b", "content": 8})), 400, "/variants/1/content"),
        (variants(&json!({"key": "b", "content": "B", "weight": 1})), 400, "/variants/1/weight"),
        (
            variants(&json!({"key": "b", "content": "B", "channels": {"pigeon": {}}})),
            422,
            "/variants/1/channels/pigeon",
        ),
        (json!({"fallback": "c"}), 400, "/fallback"),
        (json!({"rules": {}}), 400, "/rules"),
        (rule(&json!({"key": "r", "serve": "c"})), 400, "/rules/0/serve"),
        (rule(&json!({"key": "r"})), 400, "/rules/0/serve"),
        (rule(&json!({"key": "", "serve": "a"})), 400, "/rules/0/key"),
        (rule(&json!({"key": "r", "serve": "a", "when": [1]})), 400, "/rules/0/when"),
        (rule(&json!({"key": "r", "serve": "a", "if": {}})), 400, "/rules/0/if"),
        (json!({"hit_policy": "priority"}), 400, "/hit_policy"),
        (json!({"aggregator": "list"}), 400, "/aggregator"),
        (json!({"hit_policy": "collect", "aggregator": "sum"}), 400, "/aggregator"),
        (json!({"hit_policy": "collect", "aggregator": "mean"}), 400, "/aggregator"),
        (json!({"starts_at": "soon"}), 400, "/starts_at"),
        (json!({"starts_at": "2999-01-01T00:00:00Z", "ends_at": "2998-01-01T00:00:00Z"}), 400, "/ends_at"),
        (json!({"dismiss_days": 0}), 400, "/dismiss_days"),
        (json!({"dismiss_days": 366}), 400, "/dismiss_days"),
        (json!({"dismiss_days": -1}), 400, "/dismiss_days"),
        (json!({"goal": "happiness"}), 422, "/goal/metric"),
        (json!({"goal": {"metric": "conversion", "config": {"x": 1}}}), 422, "/goal/config"),
        (json!({"goal": {"metric": "conversion", "window_s": 0}}), 400, "/goal/window_s"),
        (json!({"currency": "EURO"}), 400, "/currency"),
        (json!({"server_only": "yes"}), 400, "/server_only"),
    ]
}

pub(crate) fn a_wrong_experience_is_a_problem_that_names_the_field(engine: Engine) {
    let mut shop = Shop::open(engine);
    let mut faults = Faults::default();
    register(&shop, &with(hero(), &json!({"key": "good"})));
    for (members, status, place) in wrong_members() {
        let wrong = with(hero(), &members);
        faults.check(&format!("POST {members}"), &shop.admin.post(LIST, &wrong), at(&[status], place));
        if members.get("key").is_none() {
            let wrong = with(wrong, &json!({"key": "good"}));
            let answer = shop.admin.edit("PUT", &format!("{LIST}/good"), "*", Some(&wrong));
            faults.check(&format!("PUT {members}"), &answer, at(&[status], place));
        }
    }
    for missing in ["key", "variants", "fallback"] {
        let mut wrong = hero();
        wrong.as_object_mut().unwrap().remove(missing);
        faults.check(missing, &shop.admin.post(LIST, &wrong), at(&[400], &format!("/{missing}")));
    }
    faults.report(&mut shop);
}

pub(crate) fn a_wrong_question_about_experiences_is_a_problem(engine: Engine) {
    let mut shop = Shop::open(engine);
    let mut faults = Faults::default();
    for query in ["limit=0", "limit=501", "cursor=-1", "cursor=x", "status=nonsense", "statsu=live"] {
        faults.check(query, &shop.admin.get(&format!("{LIST}?{query}")), of_kind(&[400], "invalid-query"));
    }
    for body in ["", "[]", "{", "key=hero"] {
        let answer = shop.admin.call("POST", LIST, &[], Some(body.as_bytes()));
        faults.check(body, &answer, any(&[400]));
    }
    for (method, path) in [
        ("GET", ""),
        ("PUT", ""),
        ("DELETE", ""),
        ("POST", "/publish"),
        ("POST", "/pause"),
        ("POST", "/archive"),
        ("GET", "/report"),
        ("GET", "/report.csv"),
        ("GET", "/history"),
        ("POST", "/start"),
    ] {
        let path = format!("{LIST}/nobody-knows{path}");
        let body =
            (method == "PUT").then(|| json!({"variants": hero()["variants"], "fallback": "a"}).to_string());
        let answer =
            shop.admin.call(method, &path, &[("If-Match", "*")], body.as_ref().map(String::as_bytes));
        faults.check(&format!("{method} {path}"), &answer, of_kind(&[404], "not-found"));
    }
    for scope in ["server", "publishable"] {
        let answer = shop.podium.client(scope).post(LIST, &hero());
        faults.check(scope, &answer, of_kind(&[403], "forbidden"));
    }
    faults.report(&mut shop);
}

pub(crate) fn a_wrong_experiment_of_a_rule_is_a_problem_that_names_the_field(engine: Engine) {
    let shop = Shop::open(engine);
    shop.register(&experiment("taken", &["control", "b"]));
    let place = "/rules/0/experiment";
    let check = |change: &dyn Fn(&mut Value), status: u16, pointer: &str| {
        let mut wrong = example("behavior-ctas.json");
        change(&mut wrong);
        let problem = shop.admin.post("/api/v1/experiences", &wrong).problem(status);
        assert_eq!(problem.pointers.first().map(String::as_str), Some(pointer));
        for key in ["cta-sneakers", "cta-rest"] {
            let path = format!("/api/v1/experiments/{key}");
            shop.admin.get(&path).expect(404);
        }
    };
    let inner =
        |change: &'static dyn Fn(&mut Value)| move |it: &mut Value| change(&mut it["rules"][0]["experiment"]);
    check(&inner(&|it| it["key"] = json!("taken")), 400, &format!("{place}/key"));
    check(&inner(&|it| it["key"] = json!("cta-rest")), 400, "/rules/1/experiment/key");
    check(&inner(&|it| it["key"] = json!("product.cta")), 400, "/rules/0/serve_experiment");
    check(&inner(&|it| it["key"] = json!(7)), 400, &format!("{place}/key"));
    check(&inner(&|it| it["flag_key"] = json!("other")), 400, &format!("{place}/flag_key"));
    check(&inner(&|it| it["traffic"] = json!(2)), 400, &format!("{place}/traffic"));
    check(&inner(&|it| it["trafic"] = json!(1)), 400, &format!("{place}/trafic"));
    check(
        &inner(&|it| it["primary_metric"] = json!("happiness")),
        422,
        &format!("{place}/primary_metric/metric"),
    );
    check(
        &inner(&|it| it["exclusion_group"] = json!({"key": "group", "share": 0.5})),
        400,
        &format!("{place}/exclusion_group"),
    );
    check(&|it| it["rules"][0]["experiment"] = json!("cta-sneakers"), 400, place);
    check(&|it| it["rules"][0]["serve"] = json!("plain"), 400, "/rules/0/serve_experiment");
    check(&|it| it["rules"][0]["serve_experiment"] = json!("taken"), 400, place);
    check(&|it| it["hit_policy"] = json!("rule_order"), 400, "/rules/0/serve_experiment");
    check(
        &|it| it["rules"][1] = json!({"key": "r", "serve_experiment": "none"}),
        400,
        "/rules/1/serve_experiment",
    );
    check(
        &inner(&|it| {
            it["variants"] = json!([{"key": "a", "content": "A"}, {"key": "b", "content": "B"}]);
        }),
        400,
        "/rules/0/serve_experiment",
    );
}
