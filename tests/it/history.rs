//! What happens to an experiment is written down, and can be taken back.

use crate::harness::events::{now, rfc3339};
use crate::harness::{Answer, Book, Engine, Shop, experiment, named, soon};
use serde_json::{Value, json};

const PATH: &str = "/api/v1/experiments/banner";

pub(crate) fn promises(book: &mut Book) {
    book.both(named!(every_change_says_who_did_it_and_what_differs));
    book.both(named!(what_was_concluded_goes_on_with_what_units_had));
    book.both(named!(a_variant_that_was_taken_out_comes_back));
    book.both(named!(what_stands_in_the_way_of_an_undo_is_said));
    book.both(named!(a_manual_winner_needs_a_reason));
    book.both(named!(a_trial_changes_nothing));
    book.both(named!(an_end_that_was_undone_does_not_come_again));
}

/// Does something with a running experiment.
fn act(shop: &Shop, action: &str, body: &Value) -> Answer {
    shop.admin.edit("POST", &format!("{PATH}/{action}"), "*", Some(body))
}

/// The history, the oldest entry first, read page by page.
fn history(shop: &Shop) -> Vec<Value> {
    let (mut all, mut path) = (Vec::new(), format!("{PATH}/history?limit=4"));
    loop {
        let page = shop.admin.get(&path).expect(200);
        all.extend(page["data"].as_array().unwrap().clone());
        let Some(cursor) = page["next_cursor"].as_i64() else { break };
        path = format!("{PATH}/history?limit=4&cursor={cursor}");
    }
    all.reverse();
    all
}

fn kinds(shop: &Shop) -> Vec<String> {
    history(shop).iter().map(|entry| entry["kind"].as_str().unwrap().to_owned()).collect()
}

pub(crate) fn every_change_says_who_did_it_and_what_differs(engine: Engine) {
    let mut shop = Shop::open(engine);
    shop.register(&experiment("banner", &["control", "b", "c"]));
    let made = shop.admin.post("/api/v1/keys", &json!({"scope": "admin", "name": "Ann"})).expect(201);
    let ann = shop.admin.with_key(made["key"].as_str());
    ann.edit("PATCH", PATH, "*", Some(&json!({"name": "Red", "traffic": 0.5}))).expect(200);
    ann.edit("PATCH", PATH, "*", Some(&json!({"name": "Red"}))).expect(200);
    shop.act("banner", "start").expect(200);
    act(&shop, "variants", &json!({"key": "d"})).expect(201);
    shop.admin.edit("DELETE", &format!("{PATH}/variants/c"), "*", None).expect(200);
    shop.act("banner", "pause").expect(200);
    assert_eq!(act(&shop, "archive", &json!({})).problem(409).slug, "illegal-transition");
    act(&shop, "conclude", &json!({"reason": "the sale is over"})).expect(200);
    shop.act("banner", "archive").expect(200);
    let entries = history(&shop);
    let told: Vec<_> =
        entries.iter().map(|entry| (&entry["kind"], &entry["actor"], &entry["detail"])).collect();
    let edited = json!({"changes": {
        "/name": {"from": null, "to": "Red"}, "/traffic": {"from": 1.0, "to": 0.5}
    }});
    let concluded = json!({"served": "control", "reason": "the sale is over", "before": "paused"});
    let expected = [
        ("registered", "first", json!({"version": 1})),
        ("edited", "Ann", edited),
        ("started", "first", json!({})),
        ("variant_added", "first", json!({"variant": "d"})),
        ("variant_removed", "first", json!({"variant": "c", "from_draft": false})),
        ("paused", "first", json!({"harming": null})),
        ("concluded", "first", concluded),
        ("archived", "first", json!({})),
    ];
    let expected = expected.map(|(kind, actor, detail)| (json!(kind), json!(actor), detail));
    assert_eq!(told, expected.each_ref().map(|(kind, actor, detail)| (kind, actor, detail)));
    assert!(entries.iter().all(|entry| entry["undone_by"].is_null() && entry["at"].is_string()));
    shop.restart();
    assert_eq!(history(&shop), entries);
}

pub(crate) fn what_was_concluded_goes_on_with_what_units_had(engine: Engine) {
    let mut shop = Shop::open(engine);
    shop.run(&experiment("banner", &["control", "b"]));
    let units: Vec<String> = (0..300).map(|unit| format!("unit-{unit}")).collect();
    let variants = |shop: &Shop| -> Vec<_> {
        shop.decide_all(&units, "banner").into_iter().map(|decision| decision.variant).collect()
    };
    let before = variants(&shop);
    // Who comes now may get `c`; who was here before keeps what they have.
    act(&shop, "variants", &json!({"key": "c"})).expect(201);
    act(&shop, "conclude", &json!({"serve": "b", "reason": "it is cheaper"})).expect(200);
    assert_eq!(shop.decide("unit-0", "banner").variant.as_deref(), Some("b"));
    shop.restart();
    let undone = act(&shop, "undo", &json!({"reason": "too early"})).expect(200);
    assert_eq!((&undone["status"], &undone["served"]), (&json!("running"), &Value::Null));
    assert_eq!(undone["concluded_at"], Value::Null);
    assert_eq!(variants(&shop), before);
    let entries = history(&shop);
    let [.., concluded, undone] = entries.as_slice() else { panic!("{entries:?}") };
    assert_eq!((&concluded["kind"], &concluded["undone_by"]), (&json!("concluded"), &undone["id"]));
    let detail = json!({
        "history_id": concluded["id"], "kind": "concluded", "reason": "too early", "dropped_end_at": null
    });
    assert_eq!((&undone["kind"], &undone["detail"]), (&json!("undone"), &detail));
    shop.act("banner", "pause").expect(200);
    shop.act("banner", "conclude").expect(200);
    assert_eq!(act(&shop, "undo", &json!({})).expect(200)["status"], "paused", "as it was before");
}

pub(crate) fn a_variant_that_was_taken_out_comes_back(engine: Engine) {
    let shop = Shop::open(engine);
    let mut fixed = experiment("banner", &["control", "b", "c"]);
    fixed["variants"][1]["weight"] = json!(2.0);
    shop.run(&fixed);
    let mut bandit = experiment("hero", &["control", "b", "c"]);
    bandit["allocator"] = json!({"type": "thompson"});
    shop.run(&bandit);
    for (key, shares) in [("banner", [0.25, 0.5, 0.25]), ("hero", [1.0 / 3.0; 3])] {
        let path = format!("/api/v1/experiments/{key}");
        let share = |body: &Value, variant: &str| body["weights"]["weights"][variant].as_f64().unwrap();
        let gone = shop.admin.edit("DELETE", &format!("{path}/variants/b"), "*", None).expect(200);
        assert_eq!((share(&gone, "b"), share(&gone, "c")), (0.0, 0.5), "{key}");
        let back = shop.admin.edit("POST", &format!("{path}/undo"), "*", Some(&json!({}))).expect(200);
        assert!(back["variants"][1].get("removed_at").is_none(), "{back}");
        for (variant, wanted) in ["control", "b", "c"].into_iter().zip(shares) {
            let found = share(&back, variant);
            assert!((found - wanted).abs() < 1e-12, "{key} {variant}: {found}");
        }
    }
}

pub(crate) fn what_stands_in_the_way_of_an_undo_is_said(engine: Engine) {
    let shop = Shop::open(engine);
    shop.register(&experiment("banner", &["control", "b", "c"]));
    let refused = |body: Value, says: &str| {
        let problem = act(&shop, "undo", &body).problem(409);
        assert_eq!(problem.slug, "cannot-undo", "{body}");
        assert!(problem.detail.contains(says), "{body}: {}", problem.detail);
    };
    refused(json!({}), "nothing to undo");
    shop.admin.edit("DELETE", &format!("{PATH}/variants/c"), "*", None).expect(200);
    refused(json!({}), "nothing to undo");
    shop.act("banner", "start").expect(200);
    shop.act("banner", "pause").expect(200);
    let entries = history(&shop);
    for entry in &entries {
        refused(json!({"history_id": entry["id"]}), entry["kind"].as_str().unwrap());
    }
    let unknown = act(&shop, "undo", &json!({"history_id": 9_999})).problem(400);
    assert_eq!(unknown.pointers, ["/history_id"]);
    assert_eq!(act(&shop, "undo", &json!({"reason": ""})).problem(400).pointers, ["/reason"]);
    assert_eq!(act(&shop, "undo", &json!({"resaon": "x"})).problem(400).pointers, ["/resaon"]);
    shop.act("banner", "conclude").expect(200);
    let concluded = history(&shop).last().unwrap()["id"].clone();
    act(&shop, "undo", &json!({})).expect(200);
    refused(json!({"history_id": concluded}), "already");
    shop.act("banner", "conclude").expect(200);
    shop.act("banner", "archive").expect(200);
    refused(json!({}), "archived");
    // A newer version has the flag.
    shop.run(&experiment("hero", &["control", "b"]));
    shop.admin.post("/api/v1/experiments/hero/versions", &json!({})).expect(201);
    shop.act("hero", "start").expect(200);
    let of_first = "/api/v1/experiments/hero/undo?version=1";
    let problem = shop.admin.edit("POST", of_first, "*", Some(&json!({}))).problem(409);
    assert!(problem.detail.contains("version 2"), "{}", problem.detail);
}

pub(crate) fn a_manual_winner_needs_a_reason(engine: Engine) {
    let shop = Shop::open(engine);
    shop.run(&experiment("banner", &["control", "b"]));
    let problem = act(&shop, "conclude", &json!({"serve": "b"})).problem(400);
    assert_eq!((problem.slug.as_str(), problem.pointers), ("invalid-field", vec!["/reason".to_owned()]));
    assert_eq!(shop.experiment("banner")["status"], "running");
    for reason in [String::new(), "x".repeat(2_001)] {
        let body = json!({"serve": "b", "reason": reason});
        assert_eq!(act(&shop, "conclude", &body).problem(400).pointers, ["/reason"]);
    }
    let served = act(&shop, "conclude", &json!({"serve": "b", "reason": "the shop wants it"})).expect(200);
    assert_eq!(served["served"], "b");
    act(&shop, "undo", &json!({})).expect(200);
    let served = act(&shop, "conclude", &json!({"serve": "control"})).expect(200);
    assert_eq!(served["served"], "control", "which needs no reason");
    act(&shop, "undo", &json!({})).expect(200);
    assert_eq!(act(&shop, "conclude", &json!({})).expect(200)["served"], "control", "as nothing has won");
}

pub(crate) fn a_trial_changes_nothing(engine: Engine) {
    let shop = Shop::open(engine);
    shop.run(&experiment("banner", &["control", "b"]));
    let before = (shop.experiment("banner"), kinds(&shop));
    let tried = act(&shop, "conclude?dry_run=true", &json!({"serve": "b", "reason": "x"})).expect(200);
    assert_eq!((&tried["status"], &tried["served"]), (&json!("concluded"), &json!("b")));
    assert_eq!(act(&shop, "conclude?dry_run=true", &json!({})).expect(200)["served"], "control");
    let wrong = act(&shop, "conclude?dry_run=true", &json!({"serve": "b"})).problem(400);
    assert_eq!(wrong.pointers, ["/reason"], "what would fail is said");
    let stale = shop.admin.edit("POST", &format!("{PATH}/conclude?dry_run=true"), "\"0\"", None);
    assert_eq!(stale.problem(412).slug, "edit-conflict");
    assert_eq!(act(&shop, "pause?dry_run=true", &json!({})).problem(400).slug, "invalid-query");
    assert_eq!((shop.experiment("banner"), kinds(&shop)), before);
    assert_eq!(shop.decide("ann", "banner").reason, "SPLIT");
    act(&shop, "conclude?dry_run=false", &json!({})).expect(200);
    assert_eq!(act(&shop, "conclude?dry_run=true", &json!({})).problem(409).slug, "illegal-transition");
}

pub(crate) fn an_end_that_was_undone_does_not_come_again(engine: Engine) {
    let shop = Shop::open(engine);
    let end = now() + 1_000;
    let mut definition = experiment("banner", &["control", "b"]);
    definition["schedule"] = json!({"end_at": rfc3339(end)});
    shop.run(&definition);
    let concluded = || (shop.experiment("banner")["status"] == "concluded").then_some(());
    soon("it is concluded", concluded);
    let entry = history(&shop).pop().unwrap();
    assert_eq!((&entry["kind"], &entry["actor"]), (&json!("concluded"), &json!("schedule")));
    assert_eq!(entry["detail"]["served"], "control");
    let undone = act(&shop, "undo", &json!({})).expect(200);
    assert_eq!((&undone["status"], &undone["schedule"]), (&json!("running"), &json!({})));
    let dropped = history(&shop).pop().unwrap()["detail"]["dropped_end_at"].clone();
    assert!(dropped.is_string(), "{dropped}");
    // Another end comes as it says.
    let again = now() + 500;
    shop.patch("banner", &json!({"schedule": {"end_at": rfc3339(again)}})).expect(200);
    soon("it is concluded again", concluded);
    assert!(again <= now());
    let expected = ["registered", "started", "concluded", "undone", "edited", "concluded"].map(str::to_owned);
    assert_eq!(kinds(&shop), expected);
}
