//! Flags as OpenFeature clients ask for them: the protocol to the letter.

use crate::harness::events::{history, now, order, viewed};
use crate::harness::{Answer, Book, Client, Engine, Shop, StoreLock, experiment, named, soon};
use crate::tracking::basic;
use serde_json::{Value, json};

pub(crate) const ALL: &str = "/ofrep/v1/evaluate/flags";

pub(crate) fn promises(book: &mut Book) {
    book.both(named!(every_state_has_its_reason_in_the_words_of_the_protocol));
    book.both(named!(equal_answers_have_equal_etags_also_after_a_restart));
    book.both(named!(traces_have_a_name_for_a_unit_that_leads_to_nobody));
    book.both(named!(new_weights_are_no_news_for_a_unit_that_keeps_its_variant));
    book.both(named!(one_evaluation_is_an_exposure_and_all_of_them_are_none));
    book.both(named!(a_page_that_asks_again_and_again_does_not_fill_the_log));
    book.both_alone(named!(a_token_keeps_a_variant_that_the_store_lost));
    book.both(named!(an_email_tool_asks_by_an_address));
    book.both(named!(an_evaluation_can_be_explained));
    book.both_alone(named!(an_answer_says_that_the_log_was_not_told));
}

pub(crate) fn one(flag: &str) -> String {
    format!("{ALL}/{flag}")
}

pub(crate) fn of(unit: &str) -> Value {
    json!({"context": {"targetingKey": unit}})
}

/// Evaluates one flag and checks what every answer has.
#[track_caller]
pub(crate) fn evaluate(client: &Client, unit: &str, flag: &str) -> Value {
    let answer = client.post(&one(flag), &of(unit));
    let body = answer.expect(200);
    assert_eq!(body["key"], flag, "{body}");
    assert!(body["variant"].is_string() && body.get("value").is_some(), "{body}");
    assert!(body["metadata"]["decisionId"].is_string(), "{body}");
    assert_eq!(body["metadata"]["degraded"], false, "{body}");
    check_metadata(&body["metadata"]);
    body
}

#[track_caller]
fn check_metadata(metadata: &Value) {
    for (name, value) in metadata.as_object().unwrap_or_else(|| panic!("no object: {metadata}")) {
        assert!(value.is_string() || value.is_number() || value.is_boolean(), "{name} is {value}");
    }
}

/// The error that an answer is, after a look at what every error has.
#[track_caller]
pub(crate) fn word(answer: &Answer, status: u16) -> (Value, String) {
    let body = answer.expect(status);
    assert!(body["errorDetails"].as_str().is_some_and(|details| !details.is_empty()), "{answer}");
    (body["key"].clone(), body["errorCode"].as_str().unwrap_or_default().to_owned())
}

pub(crate) fn every_state_has_its_reason_in_the_words_of_the_protocol(engine: Engine) {
    let shop = Shop::open(engine);
    let mut definition = experiment("banner", &["control", "b"]);
    definition["flag_key"] = json!("home.banner");
    shop.register(&definition);
    let check = |variants: &[&str], reason: &str| {
        let answer = evaluate(&shop.admin, "ann", "home.banner");
        assert_eq!(answer["reason"], reason, "{answer}");
        assert!(variants.contains(&answer["variant"].as_str().unwrap()), "{answer}");
        assert_eq!(answer["value"]["title"], answer["variant"], "{answer}");
        let metadata = &answer["metadata"];
        let is_in = reason == "SPLIT";
        let named: Vec<bool> = ["experimentId", "version", "propensity", "sticky"]
            .map(|name| metadata.get(name).is_some())
            .to_vec();
        assert_eq!(named, [is_in; 4], "only of a unit that is in: {metadata}");
        if is_in {
            assert_eq!((&metadata["experimentId"], &metadata["version"]), (&json!("banner"), &json!(1)));
            assert_eq!(metadata["propensity"], 0.5);
        }
        let all = shop.admin.post(ALL, &of("ann")).expect(200);
        assert_eq!(all["flags"][0]["reason"], reason, "{all}");
    };
    check(&["control"], "DISABLED");
    shop.act("banner", "start").expect(200);
    check(&["control", "b"], "SPLIT");
    shop.act("banner", "pause").expect(200);
    check(&["control"], "DISABLED");
    shop.patch("banner", &json!({"traffic": 0.0})).expect(200);
    shop.act("banner", "start").expect(200);
    check(&["control"], "DISABLED");
    let path = "/api/v1/experiments/banner/conclude";
    shop.admin.edit("POST", path, "*", Some(&json!({"serve": "b", "reason": "it is time"}))).expect(200);
    check(&["b"], "STATIC");
    shop.act("banner", "archive").expect(200);
    let gone = word(&shop.admin.post(&one("home.banner"), &of("ann")), 404);
    assert_eq!(gone, (json!("home.banner"), "FLAG_NOT_FOUND".to_owned()));
    assert_eq!(shop.admin.post(ALL, &of("ann")).expect(200)["flags"], json!([]));
}

pub(crate) fn traces_have_a_name_for_a_unit_that_leads_to_nobody(engine: Engine) {
    let mut shop = Shop::open(engine);
    for key in ["banner", "anchor"] {
        shop.run(&experiment(key, &["control", "b"]));
    }
    shop.register(&experiment("draft", &["control", "b"]));
    let names = |shop: &Shop, unit: &str| -> Vec<String> {
        let all = shop.admin.post(ALL, &of(unit)).expect(200);
        let mut answers = all["flags"].as_array().unwrap().clone();
        assert_eq!(answers.len(), 3, "{all}");
        answers.extend(["banner", "draft"].map(|flag| evaluate(&shop.admin, unit, flag)));
        answers.iter().map(|answer| answer["metadata"]["contextId"].as_str().unwrap().to_owned()).collect()
    };
    let (of_ann, of_bob) = (names(&shop, "ann"), names(&shop, "bob"));
    let [first, rest @ ..] = &of_ann[..] else { panic!("no answer") };
    assert!(first.len() == 32 && first.bytes().all(|byte| byte.is_ascii_hexdigit()), "{first}");
    assert!(rest.iter().all(|name| name == first), "of every flag the same: {of_ann:?}");
    assert!(of_bob.iter().all(|name| name != first), "{of_bob:?}");
    shop.restart();
    assert_eq!(names(&shop, "ann"), of_ann);
    let elsewhere = Shop::open(engine);
    elsewhere.run(&experiment("banner", &["control", "b"]));
    let there = evaluate(&elsewhere.admin, "ann", "banner");
    assert_ne!(there["metadata"]["contextId"], *first, "nobody can compute it from the unit alone");
}

/// Asks for everything with a condition.
#[track_caller]
fn all_unless(shop: &Shop, unit: &str, tag: &str) -> Answer {
    shop.admin.call("POST", ALL, &[("If-None-Match", tag)], Some(of(unit).to_string().as_bytes()))
}

pub(crate) fn equal_answers_have_equal_etags_also_after_a_restart(engine: Engine) {
    let mut shop = Shop::open(engine);
    for key in ["zebra", "banner", "anchor"] {
        shop.run(&experiment(key, &["control", "b"]));
    }
    let mut anew = experiment("anew", &["control", "b"]);
    anew["stickiness"] = json!("per_decision");
    shop.run(&anew);
    let first = shop.admin.post(ALL, &of("ann"));
    let (body, etag) = (first.expect(200), first.etag());
    assert!(etag.starts_with('"') && etag.ends_with('"'), "a strong one: {etag}");
    let keys: Vec<&str> =
        body["flags"].as_array().unwrap().iter().map(|flag| flag["key"].as_str().unwrap()).collect();
    assert_eq!(keys, ["anchor", "anew", "banner", "zebra"], "in the order of their keys");
    assert_eq!(body["flags"][1]["reason"], "DISABLED", "what is drawn anew cannot be fetched beforehand");
    for flag in body["flags"].as_array().unwrap() {
        check_metadata(&flag["metadata"]);
        assert!(flag["metadata"].get("decisionId").is_none(), "nothing that varies: {flag}");
    }
    let again = shop.admin.post(ALL, &of("ann"));
    assert_eq!((again.text(), again.etag()), (first.text(), etag.clone()), "to the last byte");
    let weak = format!("W/{etag}");
    let list = format!("\"x\" , {weak},\"y\"");
    for tag in [etag.as_str(), &weak, &list, "*"] {
        let same = all_unless(&shop, "ann", tag);
        assert_eq!((same.status, same.body.len(), same.etag()), (304, 0, etag.clone()), "{tag}: {same}");
    }
    for tag in ["\"x\"", "", etag.trim_matches('"')] {
        assert_eq!(all_unless(&shop, "ann", tag).status, 200, "{tag}");
    }
    assert_ne!(shop.admin.post(ALL, &of("bob")).etag(), etag, "bob has other tokens");
    assert!(shop.podium.stop().success());
    shop.restart();
    let after = shop.admin.post(ALL, &of("ann"));
    assert_eq!((after.text(), after.etag()), (first.text(), etag.clone()));
    shop.act("zebra", "pause").expect(200);
    assert_eq!(all_unless(&shop, "ann", &etag).status, 200);
}

/// An adaptive experiment whose history says that b is far better.
pub(crate) fn adaptive(shop: &Shop, key: &str, stickiness: &str) {
    let mut definition = experiment(key, &["control", "b"]);
    definition["primary_metric"] = json!({"metric": "conversion", "window_s": 1});
    definition["secondary_metrics"] = json!([]);
    definition["allocator"] = json!({"type": "thompson", "min_units": 10, "min_nonzero": 1, "min_strata": 1});
    definition["units_per_version"] = json!(10);
    definition["stickiness"] = json!(stickiness);
    shop.run(&definition);
}

/// Lets the weights of an experiment move to b.
#[track_caller]
pub(crate) fn learn(shop: &Shop, key: &str) {
    let mut events = Vec::new();
    for unit_idx in 0..1_200 {
        let (unit, at_ms) = (format!("{key}-{unit_idx}"), history() + 86_400_000 * (unit_idx % 6));
        let variant = if unit_idx % 2 == 0 { "control" } else { "b" };
        events.push(viewed(&unit, key, variant, at_ms));
        if variant == "b" || unit_idx % 20 == 0 {
            events.push(order(&unit, &format!("{key}-order-{unit_idx}"), 1_000, at_ms + 100));
        }
    }
    shop.log(&events);
    let mut n_rounds = 0;
    soon("the weights move", || {
        n_rounds += 1;
        // Whoever comes now does as those before did, or it would look as if the world had changed.
        let newcomers: Vec<String> = (0..20).map(|unit| format!("{key}-new-{n_rounds}-{unit}")).collect();
        let decided = shop.decide_all(&newcomers, key);
        let of_b = decided.iter().filter(|decision| decision.split() == Some("b"));
        let orders: Vec<Value> =
            of_b.map(|each| order(&each.unit, &format!("order-of-{}", each.unit), 1_000, now())).collect();
        shop.log(&orders);
        let newest = shop.weights(key).pop().unwrap();
        (newest["weights"]["b"].as_f64() > Some(0.8)).then_some(())
    });
}

pub(crate) fn new_weights_are_no_news_for_a_unit_that_keeps_its_variant(engine: Engine) {
    let shop = Shop::open(engine);
    adaptive(&shop, "follows", "rebalance");
    adaptive(&shop, "keeps", "sticky");
    let units: Vec<String> = (0..30).map(|unit| format!("unit-{unit}")).collect();
    let ask = |unit: &String| {
        let answer = shop.admin.post(ALL, &of(unit));
        let body = answer.expect(200);
        let variant = |at: usize| body["flags"][at]["variant"].as_str().unwrap().to_owned();
        assert!(
            body["flags"][0]["metadata"].get("version").is_none(),
            "it would move with the weights: {body}"
        );
        (variant(0), variant(1), answer.etag())
    };
    let before: Vec<_> = units.iter().map(ask).collect();
    learn(&shop, "follows");
    learn(&shop, "keeps");
    let after: Vec<_> = units.iter().map(ask).collect();
    let mut n_moved = 0;
    for (unit, (before, after)) in units.iter().zip(before.iter().zip(&after)) {
        assert_eq!(before.1, after.1, "{unit} keeps what is sticky");
        assert_eq!(before.0 == after.0, before.2 == after.2, "{unit}: {before:?}, then {after:?}");
        n_moved += usize::from(before.0 != after.0);
    }
    assert!((1..units.len()).contains(&n_moved), "some move, some do not: {n_moved}");
}

fn exposed(shop: &Shop, key: &str) -> u64 {
    let report = shop.report(key);
    report.units("control") + report.units("b")
}

pub(crate) fn one_evaluation_is_an_exposure_and_all_of_them_are_none(engine: Engine) {
    let shop = Shop::open(engine);
    shop.run(&experiment("shown", &["control", "b"]));
    let mut by_event = experiment("by-event", &["control", "b"]);
    by_event["exposure"] = json!("event");
    shop.run(&by_event);
    for unit in ["ann", "bob"] {
        shop.admin.post(ALL, &of(unit)).expect(200);
    }
    for flag in ["shown", "by-event"] {
        shop.admin.post(&format!("{}?exposure=false", one(flag)), &of("preview")).expect(200);
        shop.admin.get(&format!("/api/v1/decide/{flag}?targetingKey=preview&exposure=false")).expect(200);
    }
    // The log is in order: what comes last tells that the others were seen.
    evaluate(&shop.admin, "ann", "by-event");
    evaluate(&shop.admin, "ann", "shown");
    evaluate(&shop.admin, "ann", "shown");
    shop.admin.get("/api/v1/decide/shown?targetingKey=cid").expect(200);
    soon("two exposures", || (2 <= exposed(&shop, "shown")).then_some(()));
    assert_eq!((exposed(&shop, "shown"), exposed(&shop, "by-event")), (2, 0));
}

fn n_logged(shop: &Shop) -> u64 {
    let text = shop.admin.get("/metrics").text();
    let line = text.lines().find(|line| line.starts_with(r#"podium_events_total{outcome="accepted"}"#));
    line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or_default()
}

pub(crate) fn a_page_that_asks_again_and_again_does_not_fill_the_log(engine: Engine) {
    let mut shop = Shop::open(engine);
    for (key, stickiness) in [("keeps", "sticky"), ("follows", "rebalance"), ("anew", "per_decision")] {
        let mut definition = experiment(key, &["control", "b"]);
        definition["stickiness"] = json!(stickiness);
        shop.run(&definition);
    }
    shop.register(&experiment("draft", &["control", "b"]));
    let n_before = n_logged(&shop);
    for _ in 0..20 {
        shop.admin.post(ALL, &of("ann")).expect(200);
    }
    shop.admin.post(ALL, &of("bob")).expect(200);
    soon("four assignments", || (n_before + 4 <= n_logged(&shop)).then_some(()));
    // An event that is waited for comes after all that was handed over before.
    shop.log(&[viewed("ann", "keeps", shop.decide("ann", "keeps").variant.as_deref().unwrap(), history())]);
    assert_eq!(n_logged(&shop), n_before + 6, "two of ann, two of bob, a decision and an event");
    shop.restart();
    let before = shop.admin.post(ALL, &of("ann")).text();
    assert_eq!(shop.admin.post(ALL, &of("ann")).text(), before);
}

pub(crate) fn a_token_keeps_a_variant_that_the_store_lost(engine: Engine) {
    let mut shop = Shop::open(engine);
    shop.run(&experiment("banner", &["control", "b"]));
    let units: Vec<String> = (0..40).map(|unit| format!("unit-{unit}")).collect();
    let lock = StoreLock::hold(shop.database.url());
    let flag = |shop: &Shop, unit: &String, token: &Value| {
        let body = json!({"context": {"targetingKey": unit, "podium_sticky": token}});
        shop.admin.post(ALL, &body).expect(200)["flags"][0].clone()
    };
    let before: Vec<Value> = units.iter().map(|unit| flag(&shop, unit, &Value::Null)).collect();
    // Nothing of it is on disk.
    shop.podium.kill9();
    lock.release();
    shop.restart();
    let added = json!({"key": "c", "content": {"title": "c"}, "weight": 20.0});
    let path = "/api/v1/experiments/banner/variants";
    assert_eq!(shop.admin.edit("POST", path, "*", Some(&added)).status, 201);
    let fresh: Vec<String> = units.iter().map(|unit| format!("{unit}-other")).collect();
    let drawn = fresh.iter().filter(|unit| flag(&shop, unit, &Value::Null)["variant"] == "c").count();
    assert!(20 < drawn, "most of those who come now get c: {drawn}");
    for (unit, before) in units.iter().zip(&before) {
        let token = &before["metadata"]["sticky"];
        assert!(token.is_string(), "{before}");
        assert_eq!(flag(&shop, unit, token), *before, "{unit} keeps variant, version, propensity and token");
        assert_eq!(flag(&shop, unit, &Value::Null), *before, "it is known again");
    }
    // Another unit cannot use it.
    let strangers: Vec<String> = units.iter().map(|unit| format!("{unit}-stranger")).collect();
    let token = &before[0]["metadata"]["sticky"];
    let drawn = strangers.iter().filter(|unit| flag(&shop, unit, token)["variant"] == "c").count();
    assert!(20 < drawn, "a token is good for its unit alone: {drawn}");
}

pub(crate) fn an_email_tool_asks_by_an_address(engine: Engine) {
    let shop = Shop::open(engine);
    shop.run(&experiment("winter.mail", &["control", "b"]));
    let stranger = shop.admin.with_key(None);
    let path = "/api/v1/decide/winter.mail?targetingKey=ann%40shop.example&customer.city=K%C3%B6ln&n=1&n=2";
    let key = shop.podium.key("server");
    let basic = basic(&key);
    for headers in [("Authorization", basic.as_str()), ("X-API-Key", key.as_str())] {
        let answer = stranger.call("GET", path, &[headers], None);
        let body = answer.expect(200);
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!((&body["key"], &body["reason"]), (&json!("winter.mail"), &json!("SPLIT")), "{body}");
        let same = evaluate(&shop.admin, "ann@shop.example", "winter.mail");
        assert_eq!((&body["variant"], &body["value"]), (&same["variant"], &same["value"]));
        let names = |body: &Value| body["metadata"].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&body), names(&same), "as the protocol's single answer");
    }
    assert_eq!(stranger.get(path).problem(401).slug, "unauthorized");
    let refused = |path: &str| {
        let answer = shop.admin.get(path);
        word(&answer, answer.status)
    };
    let of = |key: &str, code: &str| (json!(key), code.to_owned());
    assert_eq!(refused("/api/v1/decide/summer?targetingKey=ann"), of("summer", "FLAG_NOT_FOUND"));
    assert_eq!(refused("/api/v1/decide/winter.mail"), of("winter.mail", "TARGETING_KEY_MISSING"));
    assert_eq!(
        refused("/api/v1/decide/winter.mail?targetingKey="),
        of("winter.mail", "TARGETING_KEY_MISSING")
    );
    let long = format!("/api/v1/decide/winter.mail?targetingKey={}", "a".repeat(256));
    assert_eq!(refused(&long), of("winter.mail", "INVALID_CONTEXT"));
}

pub(crate) fn an_evaluation_can_be_explained(engine: Engine) {
    let shop = Shop::open(engine);
    shop.run(&experiment("banner", &["control", "b"]));
    for unit in ["ann", "bob", "cid"] {
        let answer = evaluate(&shop.admin, unit, "banner");
        let id = answer["metadata"]["decisionId"].as_str().unwrap();
        let path = format!("/api/v1/decisions/{id}/explain");
        let explained = soon("it is logged", || {
            let explained = shop.admin.get(&path);
            (explained.status == 200).then(|| explained.json())
        });
        assert_eq!((&explained["unit"], &explained["variant"]), (&json!(unit), &answer["variant"]));
        assert_eq!(explained["agrees"], true, "{explained}");
    }
}

pub(crate) fn an_answer_says_that_the_log_was_not_told(engine: Engine) {
    let shop = Shop::open(engine);
    shop.run(&experiment("banner", &["control", "b"]));
    let before = evaluate(&shop.admin, "ann", "banner");
    let lock = StoreLock::hold(shop.database.url());
    // Decisions pile up while nothing can be written, until there is no room for one more.
    for call in 0..20 {
        let units: Vec<String> = (0..1_000).map(|unit| format!("unit-{call}-{unit}")).collect();
        shop.decide_all(&units, "banner");
    }
    let mut answers = (0..2_000).map(|_| shop.admin.post(&one("banner"), &of("ann")).expect(200));
    let answer = answers.find(|answer| answer["metadata"]["degraded"] == true).expect("the queue is full");
    assert_eq!((&answer["variant"], &answer["reason"]), (&before["variant"], &json!("SPLIT")), "{answer}");
    let all = shop.admin.post(ALL, &of("bob")).expect(200);
    assert_eq!(all["flags"][0]["reason"], "SPLIT", "{all}");
    lock.release();
    soon("the log is told again", || {
        let answer = shop.admin.post(&one("banner"), &of("ann")).expect(200);
        (answer["metadata"]["degraded"] == false).then_some(())
    });
}
