//! Who is in which audience, from the very next call on, and out again by time alone.

use crate::harness::events::{now, order, rfc3339, track};
use crate::harness::{Book, Engine, Shop, named, soon};
use serde_json::{Value, json};

pub(crate) fn promises(book: &mut Book) {
    book.both(named!(the_third_view_counts_at_once_and_an_order_ends_it));
    book.both(named!(time_alone_ends_a_membership));
    book.both(named!(an_audience_is_filled_from_the_past));
    book.both(named!(a_rule_sees_what_happened_before_it_was_made));
    book.both(named!(a_size_is_known_before_anything_is_saved));
    book.both(named!(a_decision_sees_the_event_before_it));
    book.both(named!(an_experiment_may_be_for_some));
    book.both(named!(what_somebody_closed_stays_closed_on_every_device));
    book.both(named!(an_audience_that_is_asked_for_stays));
}

/// "Viewed shoes at least 3 times in 7 days and no order in 30."
fn shoes() -> Value {
    json!({"all": [
        {"event": {"name": "Product Viewed", "where": [{"property": "category", "op": "eq", "value": "shoes"}],
            "count": {"op": "gte", "value": 3}, "within": "7d"}},
        {"not": {"event": {"name": "Order Completed", "count": {"op": "gte", "value": 1}, "within": "30d"}}},
    ]})
}

fn view(unit: &str, nth: u32, category: &str, at_ms: i64) -> Value {
    let properties = json!({"product_id": format!("p-{nth}"), "category": category});
    track(unit, "Product Viewed", &format!("{unit}/view-{nth}-{at_ms}"), at_ms, &properties)
}

fn add(shop: &Shop, key: &str, condition: &Value) -> Value {
    shop.admin.post("/api/v1/audiences", &json!({"key": key, "condition": condition})).expect(201)
}

fn size(shop: &Shop, key: &str) -> i64 {
    shop.admin.get(&format!("/api/v1/audiences/{key}")).expect(200)["size"].as_i64().unwrap()
}

fn explain(shop: &Shop, key: &str, unit: &str) -> Value {
    shop.admin.post(&format!("/api/v1/audiences/{key}/explain"), &json!({"unit": unit})).expect(200)
}

/// An experience that shows "for you" to an audience and "for all" to the others.
fn banner(shop: &Shop, key: &str, when: &Value, more: &Value) {
    let mut experience = json!({
        "key": key,
        "variants": [{"key": "for-you", "content": {"title": "for you"}}, {"key": "for-all", "content": {"title": "for all"}}],
        "rules": [{"key": "some", "when": when, "serve": "for-you"}],
        "fallback": "for-all",
    });
    for (name, value) in more.as_object().unwrap() {
        experience[name] = value.clone();
    }
    shop.admin.post("/api/v1/experiences", &experience).expect(201);
    let path = format!("/api/v1/experiences/{key}/publish");
    shop.admin.edit("POST", &path, "*", Some(&json!({}))).expect(200);
}

pub(crate) fn the_third_view_counts_at_once_and_an_order_ends_it(engine: Engine) {
    let mut shop = Shop::open(engine);
    add(&shop, "shoe-lovers", &shoes());
    let is_in = |shop: &Shop| explain(shop, "shoe-lovers", "ann")["holds"] == true;
    for nth in 1..=3 {
        assert!(!is_in(&shop), "before view {nth}");
        shop.log(&[view("ann", nth, "shoes", now()), view("ann", 100 + nth, "hats", now())]);
    }
    assert!(is_in(&shop));
    assert_eq!(size(&shop, "shoe-lovers"), 1);
    shop.log(&[order("ann", "o-1", 100, now())]);
    let why = explain(&shop, "shoe-lovers", "ann");
    let clauses = why["condition"]["clauses"].as_array().unwrap();
    assert_eq!(
        (clauses[0]["holds"].clone(), clauses[1]["holds"].clone()),
        (json!(true), json!(false)),
        "{why}"
    );
    assert_eq!(clauses[1]["pointer"], "/all/1");
    assert_eq!(size(&shop, "shoe-lovers"), 0);
    let moves = shop.admin.get("/api/v1/audiences/shoe-lovers/moves?unit=ann").expect(200);
    let moves: Vec<_> = moves["data"].as_array().unwrap().iter().map(|one| one["move"].clone()).collect();
    assert_eq!(moves, ["left", "entered"]);
    shop.check_rebuild();
}

pub(crate) fn time_alone_ends_a_membership(engine: Engine) {
    let mut shop = Shop::open(engine);
    let lately =
        json!({"event": {"name": "Product Viewed", "count": {"op": "gte", "value": 1}, "within": "3s"}});
    let away = json!({"all": [{"profile": {"fact": "last_seen", "op": "not_within", "value": "2s"}}]});
    add(&shop, "lately", &lately);
    add(&shop, "away", &away);
    shop.log(&[view("ann", 1, "shoes", now())]);
    assert_eq!((size(&shop, "lately"), size(&shop, "away")), (1, 0));
    shop.restart();
    soon("she left the one and entered the other", || {
        ((size(&shop, "lately"), size(&shop, "away")) == (0, 1)).then_some(())
    });
    let moves = shop.admin.get("/api/v1/audiences/lately/moves").expect(200);
    assert_eq!(moves["data"].as_array().unwrap().len(), 2, "{moves}");
    shop.check_rebuild();
}

pub(crate) fn an_audience_is_filled_from_the_past(engine: Engine) {
    let mut shop = Shop::open(engine);
    let week_ago = now() - 6 * 86_400_000;
    let events: Vec<_> = (0..60)
        .flat_map(|idx| (0..=idx % 4).map(move |nth| view(&format!("v-{idx}"), nth, "shoes", week_ago)))
        .collect();
    shop.log(&events);
    shop.log(&[order("v-2", "o-1", 100, now()), order("v-3", "o-2", 100, now() - 31 * 86_400_000)]);
    let made = add(&shop, "shoe-lovers", &shoes());
    assert_eq!(made["size"], 29, "every second one but who bought lately");
    shop.log(&[view("v-0", 1, "shoes", now()), view("v-0", 2, "shoes", now())]);
    assert_eq!(size(&shop, "shoe-lovers"), 30, "the past counts with the present");
    shop.check_rebuild();
}

pub(crate) fn a_rule_sees_what_happened_before_it_was_made(engine: Engine) {
    let shop = Shop::open(engine);
    shop.log(&(1..=3).map(|nth| view("ann", nth, "shoes", now())).collect::<Vec<_>>());
    shop.log(&[view("bob", 1, "shoes", now())]);
    banner(&shop, "cta", &shoes(), &json!({}));
    let gets = |unit: &str| shop.decide(unit, "cta").variant.unwrap();
    soon("the past counts for the rule", || (gets("ann") == "for-you").then_some(()));
    assert_eq!(gets("bob"), "for-all");
}

pub(crate) fn a_size_is_known_before_anything_is_saved(engine: Engine) {
    let shop = Shop::open(engine);
    shop.log(&(0..10).map(|idx| view(&format!("v-{}", idx % 5), idx, "shoes", now())).collect::<Vec<_>>());
    let preview = |condition: &Value| {
        let body = json!({"condition": condition});
        shop.admin.post("/api/v1/audiences/preview", &body).expect(200)
    };
    let twice = json!({"event": {"name": "Product Viewed", "count": {"op": "gte", "value": 2}}});
    assert_eq!(preview(&twice), json!({"size": 5, "of": 5, "is_whole": true, "needs_context": false}));
    assert_eq!(preview(&json!({"not": twice}))["size"], 0);
    let bad = json!({"condition": {"all": [{"event": {"name": "x", "count": {"op": "gte", "value": -1}}}, {"no": 1}]}});
    let problem = shop.admin.post("/api/v1/audiences/preview", &bad).expect(400);
    let pointers: Vec<_> =
        problem["errors"].as_array().unwrap().iter().map(|error| error["pointer"].clone()).collect();
    assert_eq!(pointers, ["/condition/all/0/event/count/value", "/condition/all/1/no"], "{problem}");
}

pub(crate) fn a_decision_sees_the_event_before_it(engine: Engine) {
    let shop = Shop::open(engine);
    banner(&shop, "cta", &shoes(), &json!({}));
    let n_shoppers = if crate::harness::profile() == crate::harness::Profile::Full { 10_000 } else { 500 };
    for idx in 0..n_shoppers {
        let unit = format!("v-{idx}");
        shop.log(&[view(&unit, 1, "shoes", now()), view(&unit, 2, "shoes", now())]);
        assert_eq!(shop.decide(&unit, "cta").variant.as_deref(), Some("for-all"), "{unit}");
        shop.log(&[view(&unit, 3, "shoes", now())]);
        let decision = shop.decide(&unit, "cta");
        assert_eq!(decision.variant.as_deref(), Some("for-you"), "{unit}");
        assert_eq!(decision.reason, "TARGETING_MATCH");
    }
}

pub(crate) fn an_experiment_may_be_for_some(engine: Engine) {
    let mut shop = Shop::open(engine);
    let mut experiment = crate::harness::experiment("banner", &["control", "b"]);
    experiment["when"] = json!({"any": [
        {"device": {"field": "type", "op": "eq", "value": "mobile"}},
        {"profile": {"trait": "plan", "op": "eq", "value": "gold"}},
    ]});
    shop.run(&experiment);
    let reason = |shop: &Shop, unit: &str, context: &Value| {
        let body = json!({"unit": unit, "flags": ["banner"], "context": context});
        shop.admin.post("/api/v1/decide", &body).expect(200)["decisions"][0]["reason"].clone()
    };
    assert_eq!(reason(&shop, "ann", &json!({})), "DISABLED");
    assert_eq!(reason(&shop, "ann", &json!({"device": {"type": "mobile"}})), "SPLIT");
    let identify = json!({"type": "identify", "userId": "bob", "messageId": "i-1", "timestamp": rfc3339(now()),
        "traits": {"plan": "gold"}});
    shop.log(&[identify]);
    assert_eq!(reason(&shop, "bob", &json!({})), "SPLIT");
    shop.restart();
    assert_eq!(reason(&shop, "bob", &json!({})), "SPLIT", "what is known is loaded when it is needed");
    let mut bad = crate::harness::experiment("other", &["control", "b"]);
    bad["when"] = json!({"audience": "nobody-made-it"});
    let problem = shop.admin.post("/api/v1/experiments", &bad).expect(400);
    assert_eq!(problem["errors"][0]["pointer"], "/when/audience", "{problem}");
}

pub(crate) fn what_somebody_closed_stays_closed_on_every_device(engine: Engine) {
    let shop = Shop::open(engine);
    banner(
        &shop,
        "popup",
        &json!({"profile": {"fact": "orders", "op": "eq", "value": 0}}),
        &json!({"dismiss_days": 7}),
    );
    let shown = |unit: &str| shop.decide(unit, "popup").variant.unwrap();
    assert_eq!((shown("phone"), shown("ann")), ("for-you".into(), "for-you".into()));
    let mut closed = track("", "Experience Dismissed", "c-1", now(), &json!({"flag": "popup"}));
    closed["userId"] = Value::Null;
    closed["anonymousId"] = json!("phone");
    shop.log(&[closed]);
    assert_eq!((shown("phone"), shown("ann")), ("for-all".into(), "for-you".into()));
    let login = json!({"type": "identify", "userId": "ann", "anonymousId": "phone", "messageId": "l-1",
        "timestamp": rfc3339(now())});
    shop.log(&[login]);
    assert_eq!((shown("phone"), shown("ann")), ("for-all".into(), "for-all".into()), "after the login too");
    let week = track("bob", "Experience Dismissed", "c-2", now() - 8 * 86_400_000, &json!({"flag": "popup"}));
    shop.log(&[week]);
    assert_eq!(shown("bob"), "for-you", "after a week it is back");
    let more = json!({"flag_key": "checkout.top", "dismiss_days": 1});
    banner(&shop, "returns", &json!({"profile": {"fact": "orders", "op": "eq", "value": 0}}), &more);
    for (unit, named) in [("cat", "checkout.top"), ("dan", "returns")] {
        assert_eq!(shop.decide(unit, "checkout.top").variant.as_deref(), Some("for-you"));
        shop.log(&[track(unit, "Experience Dismissed", unit, now(), &json!({"flag": named}))]);
        assert_eq!(
            shop.decide(unit, "checkout.top").variant.as_deref(),
            Some("for-all"),
            "closed as {named}"
        );
    }
}

pub(crate) fn an_audience_that_is_asked_for_stays(engine: Engine) {
    let shop = Shop::open(engine);
    add(&shop, "vips", &json!({"profile": {"fact": "orders", "op": "gte", "value": 5}}));
    add(&shop, "others", &json!({"not": {"audience": "vips"}}));
    let path = "/api/v1/audiences/vips";
    let problem = shop.admin.edit("DELETE", path, "*", None).expect(409);
    assert_eq!(problem["type"], "/problems/audience-in-use");
    let circle = json!({"condition": {"audience": "others"}});
    let problem = shop.admin.edit("PUT", path, "*", Some(&circle)).expect(400);
    assert_eq!(problem["type"], "/problems/invalid-field", "{problem}");
    let stale = shop.admin.edit(
        "PUT",
        path,
        "\"7\"",
        Some(&json!({"condition": {"profile": {"fact": "known", "op": "eq", "value": true}}})),
    );
    stale.expect(412);
    shop.admin.edit("DELETE", "/api/v1/audiences/others", "*", None).expect(204);
    shop.admin.edit("DELETE", path, "*", None).expect(204);
    shop.admin.get(path).expect(404);
}
