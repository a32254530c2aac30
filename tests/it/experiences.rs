//! What is always on: registering, publishing, schedules, figures of rules, and what becomes of a conclusion.

use crate::harness::events::{now, rfc3339};
use crate::harness::{Answer, Book, Engine, Shop, experiment, named, soon};
use serde_json::{Value, json};
use std::path::Path;

pub(crate) const LIST: &str = "/api/v1/experiences";
pub(crate) const PATH: &str = "/api/v1/experiences/hero";

pub(crate) fn promises(book: &mut Book) {
    book.both(named!(what_was_registered_as_an_experience_is_read_back));
    book.both(named!(an_experience_is_live_in_the_call_after_it_was_published));
    book.both(named!(an_experience_is_shown_from_its_start_to_its_end_also_over_a_restart));
    book.both(named!(an_experience_is_edited_by_who_saw_how_it_stands));
    book.both(named!(an_experience_goes_one_way_but_for_the_pause));
    book.both(named!(rules_are_served_as_the_hit_policy_says));
    book.both(named!(the_higher_priority_answers_and_equal_ones_are_told));
    book.both(named!(an_experiment_runs_over_what_everyone_gets));
    book.both(named!(what_a_conclusion_serves_goes_on_in_one_call));
    book.both(named!(an_experience_answers_by_every_protocol));
    book.both(named!(pages_are_not_told_of_what_is_for_servers_only));
    book.both(named!(what_happened_to_an_experience_is_written_down));
    book.both(named!(experiences_are_listed_page_by_page));
    book.both(named!(the_requests_to_copy_do_what_they_say));
}

/// An experience that shows `b` to everyone.
pub(crate) fn hero() -> Value {
    json!({
        "key": "hero",
        "variants": [{"key": "a", "content": "A"}, {"key": "b", "content": "B"}],
        "rules": [{"key": "all", "serve": "b"}],
        "fallback": "a",
    })
}

#[track_caller]
pub(crate) fn register(shop: &Shop, experience: &Value) -> Value {
    shop.admin.post(LIST, experience).expect(201)
}

#[track_caller]
pub(crate) fn act(shop: &Shop, key: &str, action: &str) -> Answer {
    shop.admin.edit("POST", &format!("{LIST}/{key}/{action}"), "*", None)
}

/// Registers and publishes an experience.
#[track_caller]
pub(crate) fn publish(shop: &Shop, experience: &Value) {
    register(shop, experience);
    act(shop, experience["key"].as_str().unwrap(), "publish").expect(200);
}

/// Asks for one decision as it is written.
#[track_caller]
pub(crate) fn decide(shop: &Shop, unit: &str, flag: &str) -> Value {
    let body = json!({"unit": unit, "flags": [flag]});
    shop.admin.post("/api/v1/decide", &body).expect(200)["decisions"][0].take()
}

/// Checks what a unit gets: variant and reason.
#[track_caller]
fn check(shop: &Shop, flag: &str, expected: (&str, &str)) {
    let decision = decide(shop, "ann", flag);
    assert_eq!(
        (&decision["variant"], &decision["reason"]),
        (&json!(expected.0), &json!(expected.1)),
        "{decision}"
    );
}

/// With other members.
pub(crate) fn with(mut experience: Value, members: &Value) -> Value {
    for (name, value) in members.as_object().unwrap() {
        experience[name] = value.clone();
    }
    experience
}

pub(crate) fn what_was_registered_as_an_experience_is_read_back(engine: Engine) {
    let mut shop = Shop::open(engine);
    let definition = json!({
        "key": "hero", "name": "Hero", "flag_key": "home.hero", "value_type": "float",
        "variants": [{"key": "a", "name": "A", "content": 8}, {"key": "b", "content": 8.5}],
        "rules": [{"key": "gold", "name": "Gold", "when": {"profile": {"trait": "plan", "op": "eq", "value": "gold"}}, "serve": "b"}],
        "fallback": "a", "hit_policy": "collect", "aggregator": "sum", "priority": -3,
        "starts_at": "2026-01-01T00:00:00Z", "ends_at": "2999-01-01T00:00:00Z", "dismiss_days": 7,
        "goal": {"metric": "conversion", "config": {}, "window_s": 3_600}, "currency": "EUR", "server_only": true,
    });
    let answer = shop.admin.post(LIST, &definition);
    let registered = answer.expect(201);
    assert_eq!(answer.header("location"), Some(PATH), "where it is found");
    for (name, value) in definition.as_object().unwrap().iter().filter(|(name, _)| *name != "variants") {
        assert_eq!(registered[name], *value, "{name}");
    }
    assert_eq!((&registered["status"], &registered["published_at"]), (&json!("draft"), &json!(null)));
    let text = String::from_utf8(shop.admin.get(PATH).body).unwrap();
    assert!(text.contains(r#""content":8.0"#), "a float is written as one: {text}");
    shop.restart();
    let read = shop.admin.get(PATH);
    assert_eq!(read.expect(200), registered, "nothing changed by a restart");
    assert_eq!(read.etag(), answer.etag());
    assert_eq!(shop.admin.post(LIST, &definition).problem(409).slug, "experience-key-taken");
}

pub(crate) fn an_experience_is_live_in_the_call_after_it_was_published(engine: Engine) {
    let mut shop = Shop::open(engine);
    assert_eq!(decide(&shop, "ann", "hero")["reason"], "DEFAULT");
    register(&shop, &hero());
    check(&shop, "hero", ("a", "DISABLED"));
    act(&shop, "hero", "publish").expect(200);
    check(&shop, "hero", ("b", "STATIC"));
    let decision = decide(&shop, "ann", "hero");
    assert_eq!((&decision["experience"], &decision["rules"]), (&json!("hero"), &json!(["all"])));
    assert_eq!(decision["value"], "B");
    shop.restart();
    check(&shop, "hero", ("b", "STATIC"));
    let swapped = with(hero(), &json!({"rules": []}));
    shop.admin.edit("PUT", PATH, "*", Some(&swapped)).expect(200);
    check(&shop, "hero", ("a", "STATIC"));
    act(&shop, "hero", "pause").expect(200);
    check(&shop, "hero", ("a", "DISABLED"));
    act(&shop, "hero", "publish").expect(200);
    check(&shop, "hero", ("a", "STATIC"));
    act(&shop, "hero", "pause").expect(200);
    assert_eq!(shop.admin.edit("DELETE", PATH, "*", None).expect(200)["status"], "archived");
    assert_eq!(decide(&shop, "ann", "hero")["error_code"], "FLAG_NOT_FOUND");
}

pub(crate) fn an_experience_is_shown_from_its_start_to_its_end_also_over_a_restart(engine: Engine) {
    let mut shop = Shop::open(engine);
    let start = now() + 2_000;
    publish(&shop, &with(hero(), &json!({"starts_at": rfc3339(start)})));
    check(&shop, "hero", ("a", "DISABLED"));
    shop.podium.kill9();
    shop.restart();
    let is = |reason: &str| (decide(&shop, "ann", "hero")["reason"] == reason).then(now);
    assert!(start <= soon("it has begun", || is("STATIC")), "not before its start");
    let end = now() + 1_500;
    let ends = with(hero(), &json!({"starts_at": rfc3339(start), "ends_at": rfc3339(end)}));
    shop.admin.edit("PUT", PATH, "*", Some(&ends)).expect(200);
    assert!(end <= soon("it has ended", || is("DISABLED")), "not before its end");
}

pub(crate) fn an_experience_is_edited_by_who_saw_how_it_stands(engine: Engine) {
    let shop = Shop::open(engine);
    register(&shop, &hero());
    let first = shop.admin.get(PATH).etag();
    let edited = shop.admin.edit("PUT", PATH, &first, Some(&with(hero(), &json!({"name": "Hero"}))));
    assert_eq!(edited.expect(200)["name"], "Hero");
    let second = edited.etag();
    assert_ne!(first, second);
    assert_eq!(shop.admin.get(PATH).etag(), second);
    let body = hero().to_string();
    for (method, path, body) in [
        ("PUT", PATH.to_owned(), Some(body.as_bytes())),
        ("DELETE", PATH.to_owned(), None),
        ("POST", format!("{PATH}/publish"), None),
        ("POST", format!("{PATH}/pause"), None),
        ("POST", format!("{PATH}/archive"), None),
    ] {
        let missing = shop.admin.call(method, &path, &[], body);
        assert_eq!(missing.problem(428).slug, "if-match-missing", "{method} {path}");
        let stale = shop.admin.call(method, &path, &[("If-Match", &first)], body);
        assert_eq!(stale.problem(412).slug, "edit-conflict", "{method} {path}");
        assert_eq!(stale.etag(), second, "{method} {path}: the current tag, to read again and retry");
    }
    assert_eq!(shop.admin.get(PATH).expect(200)["name"], "Hero", "a refusal changes nothing");
    let without_key = json!({"variants": hero()["variants"], "fallback": "b"});
    shop.admin.edit("PUT", PATH, &second, Some(&without_key)).expect(200);
    let moved = with(hero(), &json!({"key": "other"}));
    assert_eq!(shop.admin.edit("PUT", PATH, "*", Some(&moved)).problem(400).pointers, ["/key"]);
}

pub(crate) fn an_experience_goes_one_way_but_for_the_pause(engine: Engine) {
    let shop = Shop::open(engine);
    register(&shop, &hero());
    for (action, leads_to) in [
        ("pause", None),
        ("publish", Some("live")),
        ("publish", None),
        ("archive", None),
        ("pause", Some("paused")),
        ("pause", None),
        ("publish", Some("live")),
        ("pause", Some("paused")),
        ("archive", Some("archived")),
        ("publish", None),
        ("pause", None),
        ("archive", None),
    ] {
        let before = shop.admin.get(PATH).expect(200);
        let answer = act(&shop, "hero", action);
        if let Some(status) = leads_to {
            assert_eq!(answer.expect(200)["status"], status, "{action}");
        } else {
            assert_eq!(answer.problem(409).slug, "illegal-transition", "{action}");
            assert_eq!(shop.admin.get(PATH).expect(200), before, "a refusal changes nothing");
        }
    }
    assert_eq!(shop.admin.edit("PUT", PATH, "*", Some(&hero())).problem(409).slug, "illegal-transition");
}

pub(crate) fn rules_are_served_as_the_hit_policy_says(engine: Engine) {
    let shop = Shop::open(engine);
    // A condition of which nothing is known of the unit does not hold.
    let table = json!({
        "variants": [{"key": "one", "content": 1}, {"key": "two", "content": 2}, {"key": "twice", "content": 2}],
        "rules": [
            {"key": "never", "when": {"profile": {"trait": "plan", "op": "eq", "value": "gold"}}, "serve": "one"},
            {"key": "x", "serve": "two"},
            {"key": "y", "serve": "twice"},
        ],
        "fallback": "one",
    });
    let collect = |aggregator: &str| json!({"hit_policy": "collect", "aggregator": aggregator});
    let cases = [
        (json!({"hit_policy": "first"}), json!("two"), json!(2), "STATIC"),
        (json!({"hit_policy": "any"}), json!("two"), json!(2), "STATIC"),
        (json!({"hit_policy": "unique"}), json!("one"), json!(1), "UNKNOWN"),
        (json!({"hit_policy": "rule_order"}), json!("two+twice"), json!([2, 2]), "STATIC"),
        (json!({"hit_policy": "collect"}), json!("two+twice"), json!([2, 2]), "STATIC"),
        (collect("sum"), json!("two+twice"), json!(4), "STATIC"),
        (collect("min"), json!("two+twice"), json!(2), "STATIC"),
        (collect("max"), json!("two+twice"), json!(2), "STATIC"),
        (collect("count"), json!("two+twice"), json!(2), "STATIC"),
    ];
    for (idx, (policy, variant, value, reason)) in cases.into_iter().enumerate() {
        let key = format!("table-{idx}");
        publish(&shop, &with(with(table.clone(), &json!({"key": key})), &policy));
        let decision = decide(&shop, "ann", &key);
        let found = (&decision["variant"], &decision["value"], &decision["reason"]);
        assert_eq!(found, (&variant, &value, &json!(reason)), "{policy}");
        assert_eq!(decision["violation"] == "several_hits", reason == "UNKNOWN", "{decision}");
    }
    let violations = String::from_utf8(shop.admin.get("/metrics").body).unwrap();
    assert!(violations.contains("podium_hit_policy_violations_total 1"), "one table was broken, once");
}

pub(crate) fn the_higher_priority_answers_and_equal_ones_are_told(engine: Engine) {
    let shop = Shop::open(engine);
    let on_flag = |key: &str, priority: i32| {
        let own = json!({
            "key": key, "flag_key": "home", "priority": priority,
            "variants": [{"key": key, "content": key}], "rules": [{"key": "all", "serve": key}], "fallback": key,
        });
        publish(&shop, &own);
    };
    on_flag("older", 0);
    on_flag("newer", 0);
    check(&shop, "home", ("older", "STATIC"));
    let told = shop.admin.get(&format!("{LIST}/conflicts")).expect(200);
    let expected = json!([{
        "flag_key": "home", "priority": 0, "experiences": ["older", "newer"], "rules": [["all", "all"]],
    }]);
    assert_eq!(told["data"], expected);
    on_flag("higher", 1);
    check(&shop, "home", ("higher", "STATIC"));
    act(&shop, "newer", "pause").expect(200);
    assert_eq!(shop.admin.get(&format!("{LIST}/conflicts")).expect(200)["data"], json!([]));
    act(&shop, "higher", "pause").expect(200);
    check(&shop, "home", ("older", "STATIC"));
    let other_type = json!({
        "key": "other", "flag_key": "home", "variants": [{"key": "a", "content": 1}], "fallback": "a",
    });
    assert_eq!(
        shop.admin.post(LIST, &other_type).problem(400).pointers,
        ["/value_type"],
        "one flag, one type"
    );
}

pub(crate) fn an_experiment_runs_over_what_everyone_gets(engine: Engine) {
    let shop = Shop::open(engine);
    let base = json!({
        "key": "base", "flag_key": "home", "variants": [{"key": "base", "content": {}}], "fallback": "base",
    });
    publish(&shop, &base);
    check(&shop, "home", ("base", "STATIC"));
    shop.run(&with(experiment("test", &["control", "b"]), &json!({"flag_key": "home"})));
    assert_eq!(decide(&shop, "ann", "home")["reason"], "SPLIT");
    shop.act("test", "pause").expect(200);
    check(&shop, "home", ("base", "STATIC"));
    shop.act("test", "start").expect(200);
    let rule = with(base, &json!({"rules": [{"key": "all", "serve": "base"}]}));
    shop.admin.edit("PUT", &format!("{LIST}/base"), "*", Some(&rule)).expect(200);
    check(&shop, "home", ("base", "STATIC"));
}

pub(crate) fn what_a_conclusion_serves_goes_on_in_one_call(engine: Engine) {
    let shop = Shop::open(engine);
    shop.run(&with(experiment("test", &["control", "b"]), &json!({"flag_key": "home"})));
    let promote = "/api/v1/experiments/test/experience";
    assert_eq!(shop.admin.post(promote, &json!({})).problem(409).slug, "illegal-transition");
    let body = json!({"serve": "b", "reason": "the shop wants it"});
    shop.admin.edit("POST", "/api/v1/experiments/test/conclude", "*", Some(&body)).expect(200);
    let wrong = shop.admin.post(promote, &json!({"when": "x"}));
    assert_eq!(wrong.problem(400).pointers, ["/when"]);
    assert_eq!(shop.admin.post(promote, &json!({"key": "a b"})).problem(400).pointers, ["/key"]);
    let made = shop.admin.call("POST", promote, &[], None);
    let experience = made.expect(201);
    assert_eq!(made.header("location"), Some("/api/v1/experiences/test"));
    assert_eq!((&experience["status"], &experience["flag_key"]), (&json!("live"), &json!("home")));
    assert_eq!(experience["goal"]["metric"], "conversion");
    let decision = decide(&shop, "ann", "home");
    assert_eq!((&decision["experience"], &decision["variant"]), (&json!("test"), &json!("b")));
    assert_eq!((&decision["reason"], &decision["value"]), (&json!("STATIC"), &json!({"title": "b"})));
    assert_eq!(shop.admin.call("POST", promote, &[], None).problem(409).slug, "experience-key-taken");
    act(&shop, "test", "pause").expect(200);
    let some = json!({
        "key": "some", "priority": 1, "when": {"profile": {"trait": "plan", "op": "eq", "value": "gold"}},
    });
    let some = shop.admin.post(promote, &some).expect(201);
    assert_eq!((&some["rules"][0]["serve"], &some["fallback"]), (&json!("b"), &json!("control")));
    check(&shop, "home", ("control", "STATIC"));
    let nobody = shop.admin.post("/api/v1/experiments/nobody-knows/experience", &json!({}));
    assert_eq!(nobody.problem(404).slug, "not-found");
}

pub(crate) fn an_experience_answers_by_every_protocol(engine: Engine) {
    let shop = Shop::open(engine);
    let html = json!({"html": "<p onclick=\"x()\">Hi {{ name | friend }}</p>"});
    let variants = json!([
        {"key": "a", "content": {"color": "red"}, "channels": {"web": {"html": "<b>red</b>"}}},
        {"key": "b", "content": html},
    ]);
    publish(&shop, &with(hero(), &json!({"variants": variants})));
    // By OpenFeature's protocol, one flag and all of them.
    let context = json!({"context": {"targetingKey": "ann"}});
    let one = shop.admin.post("/ofrep/v1/evaluate/flags/hero", &context).expect(200);
    let all = shop.admin.post("/ofrep/v1/evaluate/flags", &context).expect(200);
    for found in [&one, &all["flags"][0]] {
        let found = (&found["key"], &found["variant"], &found["reason"], &found["value"]);
        assert_eq!(found, (&json!("hero"), &json!("b"), &json!("STATIC"), &html));
    }
    // To a page, as the channel has rendered it; to others as it was written.
    let on_page = json!({"unit": "ann", "flags": ["hero"], "channel": "web", "context": {"name": "Ann"}});
    let page = || shop.admin.post("/api/v1/decide", &on_page).expect(200)["decisions"][0]["value"].take();
    assert_eq!(page(), json!({"html": "<p>Hi Ann</p>"}));
    let decision = decide(&shop, "ann", "hero");
    assert_eq!(decision["value"], html);
    let explain = format!("/api/v1/decisions/{}/explain", decision["decision_id"].as_str().unwrap());
    let explained = shop.admin.get(&explain).expect(200);
    assert_eq!((&explained["experience"], &explained["rules"]), (&json!("hero"), &json!(["all"])));
    assert_eq!((&explained["variant"], &explained["reason"]), (&json!("b"), &json!("STATIC")));
    shop.admin
        .edit("PUT", PATH, "*", Some(&with(hero(), &json!({"variants": variants, "rules": []}))))
        .expect(200);
    assert_eq!(page(), json!({"html": "<b>red</b>"}), "what is meant for pages");
}

pub(crate) fn pages_are_not_told_of_what_is_for_servers_only(engine: Engine) {
    let shop = Shop::open(engine);
    publish(&shop, &with(hero(), &json!({"server_only": true})));
    check(&shop, "hero", ("b", "STATIC"));
    let page = shop.podium.client("publishable");
    let body = json!({"unit": "ann", "flags": ["hero"]});
    let answer = page.post("/api/v1/decide", &body).expect(200);
    let unknown = page.post("/api/v1/decide", &json!({"unit": "ann", "flags": ["nothing"]})).expect(200);
    let without_name = |answer: &Value| with(answer["decisions"][0].clone(), &json!({"flag": ""}));
    assert_eq!(without_name(&answer), without_name(&unknown), "as if it were not there");
}

pub(crate) fn what_happened_to_an_experience_is_written_down(engine: Engine) {
    let shop = Shop::open(engine);
    publish(&shop, &hero());
    shop.admin.edit("PUT", PATH, "*", Some(&with(hero(), &json!({"priority": 3})))).expect(200);
    act(&shop, "hero", "pause").expect(200);
    act(&shop, "hero", "archive").expect(200);
    let first = shop.admin.get(&format!("{PATH}/history?limit=2")).expect(200);
    let cursor = first["next_cursor"].as_i64().unwrap();
    let rest = shop.admin.get(&format!("{PATH}/history?limit=9&cursor={cursor}")).expect(200);
    let entries = [&first["data"], &rest["data"]].map(|data| data.as_array().unwrap().clone()).concat();
    let kinds: Vec<_> = entries.iter().map(|entry| entry["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["archived", "paused", "edited", "started", "registered"]);
    assert_eq!(entries[2]["detail"]["changes"], json!({"/priority": {"from": 0, "to": 3}}));
    assert!(entries.iter().all(|entry| !entry["actor"].as_str().unwrap().is_empty()));
}

pub(crate) fn experiences_are_listed_page_by_page(engine: Engine) {
    let shop = Shop::open(engine);
    let keys: Vec<String> = (0..7).map(|number| format!("hero-{number}")).collect();
    for key in &keys {
        register(&shop, &with(hero(), &json!({"key": key})));
    }
    act(&shop, "hero-3", "publish").expect(200);
    let (mut found, mut path) = (Vec::new(), format!("{LIST}?limit=3"));
    for _ in 0..4 {
        let page = shop.admin.get(&path).expect(200);
        found.extend(
            page["data"].as_array().unwrap().iter().map(|each| each["key"].as_str().unwrap().to_owned()),
        );
        let Some(cursor) = page["next_cursor"].as_i64() else { break };
        path = format!("{LIST}?limit=3&cursor={cursor}");
    }
    assert_eq!(found, keys, "each once");
    let live = shop.admin.get(&format!("{LIST}?status=live")).expect(200);
    let live: Vec<&Value> = live["data"].as_array().unwrap().iter().map(|each| &each["key"]).collect();
    assert_eq!(live, ["hero-3"]);
}

/// A request to copy.
#[track_caller]
pub(crate) fn example(name: &str) -> Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/requests");
    let text = std::fs::read_to_string(folder.join(name)).unwrap();
    serde_json::from_str(&text).unwrap()
}

pub(crate) fn the_requests_to_copy_do_what_they_say(engine: Engine) {
    let shop = Shop::open(engine);
    for name in ["static-cta.json", "conditional-ctas.json", "loyalty-cta.json"] {
        publish(&shop, &example(name));
    }
    check(&shop, "checkout.cta", ("free-returns", "STATIC"));
    assert_eq!(decide(&shop, "ann", "checkout.cta")["value"]["link"], "/returns");
    // Nobody knows ann, and her cart is empty.
    check(&shop, "cart.cta", ("plain", "STATIC"));
    check(&shop, "account.cta", ("nothing", "STATIC"));
    let block = example("homepage-block.json");
    publish(&shop, &block);
    check(&shop, "home.block", ("nothing", "DISABLED"));
    let launched = with(block, &json!({"starts_at": rfc3339(now() - 1_000)}));
    shop.admin.edit("PUT", &format!("{LIST}/spring-launch"), "*", Some(&launched)).expect(200);
    check(&shop, "home.block", ("spring", "STATIC"));
}
