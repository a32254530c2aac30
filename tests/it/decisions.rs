//! Who gets what, and keeps it.

use crate::harness::events::{now, order};
use crate::harness::{Book, Decision, Engine, Profile, Shop, experiment, named, profile};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashSet};

pub(crate) fn promises(book: &mut Book) {
    book.both(named!(answers_are_the_same_after_a_restart));
    book.both(named!(answers_are_the_same_after_kill_9_although_weights_moved));
    book.both(named!(more_traffic_moves_nobody_who_is_in));
    book.both(named!(experiments_of_a_group_share_nobody));
    book.both(named!(a_group_has_no_more_than_everyone_to_give));
    book.both(named!(weights_are_the_shares));
    book.both(named!(an_unknown_flag_gets_its_default));
    book.both(named!(every_state_has_its_reason));
    book.both(named!(a_decision_is_an_exposure_unless_it_says_otherwise));
    book.both(named!(what_follows_within_the_millisecond_counts));
    book.both(named!(many_flags_and_units_are_answered_in_one_call));
    book.both(named!(a_decision_per_request_is_drawn_anew));
}

fn units(n_units: usize) -> Vec<String> {
    (0..n_units).map(|unit| format!("unit-{unit}")).collect()
}

fn n_units() -> usize {
    if profile() == Profile::Full { 100_000 } else { 4_000 }
}

fn variants(decisions: &[Decision]) -> Vec<Option<String>> {
    decisions.iter().map(|decision| decision.split().map(str::to_owned)).collect()
}

/// Checks that a share of `n` is `p` within 4.5 standard errors: one false alarm in 150,000.
#[track_caller]
fn check_share(what: &str, count: usize, n: usize, p: f64) {
    let expected = n as f64 * p;
    let error = (n as f64 * p * (1.0 - p)).sqrt();
    assert!((count as f64 - expected).abs() <= 4.5 * error, "{what}: {count} of {n}, expected {expected:.0}");
}

pub(crate) fn answers_are_the_same_after_a_restart(engine: Engine) {
    let mut shop = Shop::open(engine);
    shop.run(&experiment("banner", &["control", "b", "c"]));
    let units = units(n_units());
    let before = shop.decide_all(&units, "banner");
    assert!(shop.podium.stop().success());
    shop.restart();
    let after = shop.decide_all(&units, "banner");
    for (before, after) in before.iter().zip(&after) {
        let fresh = Decision { id: before.id.clone(), ..after.clone() };
        assert_eq!(*before, fresh);
    }
}

pub(crate) fn answers_are_the_same_after_kill_9_although_weights_moved(engine: Engine) {
    let mut shop = Shop::open(engine);
    shop.run(&experiment("banner", &["control", "b"]));
    let units = units(n_units());
    let before = variants(&shop.decide_all(&units, "banner"));
    let etag = shop.admin.get("/api/v1/experiments/banner").etag();
    let path = "/api/v1/experiments/banner/variants";
    let added = json!({"key": "c", "weight": 8.0});
    let answer = shop.admin.edit("POST", path, &etag, Some(&added));
    assert!(matches!(answer.status, 200 | 201), "{answer}");
    assert_eq!(variants(&shop.decide_all(&units, "banner")), before, "the first assignment is kept");
    shop.podium.kill9();
    shop.restart();
    assert_eq!(variants(&shop.decide_all(&units, "banner")), before, "also across a crash");
    let newcomers: Vec<String> = (0..2_000).map(|unit| format!("newcomer-{unit}")).collect();
    let drawn = variants(&shop.decide_all(&newcomers, "banner"));
    let n_added = drawn.iter().filter(|variant| variant.as_deref() == Some("c")).count();
    check_share("the new variant among newcomers", n_added, newcomers.len(), 0.8);
}

pub(crate) fn more_traffic_moves_nobody_who_is_in(engine: Engine) {
    let shop = Shop::open(engine);
    let mut definition = experiment("banner", &["control", "b", "c"]);
    definition["traffic"] = json!(0.2);
    shop.run(&definition);
    let units = units(n_units());
    let before = shop.decide_all(&units, "banner");
    let outside = before.iter().filter(|decision| decision.split().is_none());
    for decision in outside {
        assert_eq!((decision.reason.as_str(), decision.variant.as_deref()), ("DISABLED", Some("control")));
    }
    let before = variants(&before);
    shop.patch("banner", &json!({"traffic": 0.5})).expect(200);
    let after = variants(&shop.decide_all(&units, "banner"));
    for ((before, after), unit) in before.iter().zip(&after).zip(&units) {
        assert!(before.is_none() || before == after, "{unit}: {before:?}, then {after:?}");
    }
    let count = |variants: &[Option<String>]| variants.iter().flatten().count();
    check_share("units at 20 %", count(&before), units.len(), 0.2);
    check_share("units at 50 %", count(&after), units.len(), 0.5);
    // And back again: whoever stays has what they had.
    shop.patch("banner", &json!({"traffic": 0.2})).expect(200);
    assert_eq!(variants(&shop.decide_all(&units, "banner")), before);
}

pub(crate) fn experiments_of_a_group_share_nobody(engine: Engine) {
    let mut shop = Shop::open(engine);
    for (key, share) in [("first", 0.5), ("second", 0.3), ("third", 0.2)] {
        let mut definition = experiment(key, &["control", "b"]);
        definition["exclusion_group"] = json!({"key": "checkout", "share": share});
        shop.run(&definition);
    }
    let units = units(n_units());
    let mut before = Vec::new();
    for (key, share) in [("first", 0.5), ("second", 0.3), ("third", 0.2)] {
        let variants = variants(&shop.decide_all(&units, key));
        check_share(key, variants.iter().flatten().count(), units.len(), share);
        before.push(variants);
    }
    for (unit_idx, unit) in units.iter().enumerate() {
        let n_experiments = before.iter().filter(|variants| variants[unit_idx].is_some()).count();
        assert_eq!(n_experiments, 1, "{unit}: the shares add up to everyone");
    }
    shop.restart();
    for (key, before) in ["first", "second", "third"].into_iter().zip(before) {
        assert_eq!(variants(&shop.decide_all(&units, key)), before, "{key} after a restart");
    }
}

pub(crate) fn a_group_has_no_more_than_everyone_to_give(engine: Engine) {
    let shop = Shop::open(engine);
    let in_group = |key: &str, share: f64| {
        let mut definition = experiment(key, &["control", "b"]);
        definition["exclusion_group"] = json!({"key": "checkout", "share": share});
        definition
    };
    shop.run(&in_group("first", 0.7));
    let problem = shop.admin.post("/api/v1/experiments", &in_group("second", 0.31)).problem(422);
    assert_eq!(problem.slug, "exclusion-group-full");
    assert!(problem.pointers.iter().any(|pointer| pointer.starts_with("/exclusion_group")), "{problem:?}");
    shop.run(&in_group("third", 0.3));
}

pub(crate) fn weights_are_the_shares(engine: Engine) {
    let shop = Shop::open(engine);
    let mut definition = experiment("banner", &["control", "b", "c", "never"]);
    for (variant_idx, weight) in [1.0, 2.5, 6.5, 0.0].into_iter().enumerate() {
        definition["variants"][variant_idx]["weight"] = json!(weight);
    }
    shop.run(&definition);
    let decisions = shop.decide_all(&units(n_units()), "banner");
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for decision in &decisions {
        let variant = decision.split().unwrap_or_else(|| panic!("everyone is in: {decision:?}"));
        *counts.entry(variant).or_default() += 1;
        let share = match variant {
            "control" => 0.1,
            "b" => 0.25,
            "c" => 0.65,
            other => panic!("`{other}` has no weight: {decision:?}"),
        };
        let propensity = decision.propensity.unwrap_or_else(|| panic!("no propensity: {decision:?}"));
        assert!((propensity - share).abs() < 1e-12, "{decision:?}");
        assert_eq!(decision.value, json!({"title": variant}), "the variant's content");
    }
    for (variant, share) in [("control", 0.1), ("b", 0.25), ("c", 0.65)] {
        check_share(variant, counts[variant], decisions.len(), share);
    }
}

pub(crate) fn an_unknown_flag_gets_its_default(engine: Engine) {
    let shop = Shop::open(engine);
    shop.run(&experiment("banner", &["control", "b"]));
    let flags = json!(["nobody-knows", {"key": "nor-this", "default": {"x": [1, "two"]}}, "banner"]);
    let answer = shop.admin.post("/api/v1/decide", &json!({"unit": "ann", "flags": flags})).expect(200);
    let decisions = answer["decisions"].as_array().unwrap();
    assert_eq!(decisions.len(), 3, "{answer}");
    for (decision, (flag, value)) in
        decisions.iter().zip([("nobody-knows", Value::Null), ("nor-this", json!({"x": [1, "two"]}))])
    {
        assert_eq!(decision["flag"], flag);
        assert_eq!(decision["value"], value);
        assert_eq!(decision["variant"], Value::Null);
        assert_eq!(decision["reason"], "DEFAULT");
        assert_eq!(decision["error_code"], "FLAG_NOT_FOUND");
    }
    assert_eq!(decisions[2]["reason"], "SPLIT", "the others are served: {answer}");
}

pub(crate) fn every_state_has_its_reason(engine: Engine) {
    let shop = Shop::open(engine);
    let mut definition = experiment("banner", &["control", "b"]);
    definition["flag_key"] = json!("home.banner");
    shop.register(&definition);
    let check = |variant: Option<&str>, reason: &str| {
        let decision = shop.decide("ann", "home.banner");
        assert_eq!(decision.reason, reason);
        if variant.is_some() || reason == "DEFAULT" {
            assert_eq!(decision.variant.as_deref(), variant);
        }
    };
    check(Some("control"), "DISABLED");
    shop.act("banner", "start").expect(200);
    check(None, "SPLIT");
    shop.act("banner", "pause").expect(200);
    check(Some("control"), "DISABLED");
    shop.act("banner", "start").expect(200);
    check(None, "SPLIT");
    let path = "/api/v1/experiments/banner/conclude";
    shop.admin.edit("POST", path, "*", Some(&json!({"serve": "b", "reason": "it is time"}))).expect(200);
    check(Some("b"), "STATIC");
    shop.act("banner", "archive").expect(200);
    check(None, "DEFAULT");
}

pub(crate) fn a_decision_is_an_exposure_unless_it_says_otherwise(engine: Engine) {
    let shop = Shop::open(engine);
    shop.run(&experiment("shown", &["control", "b"]));
    let mut by_event = experiment("by-event", &["control", "b"]);
    by_event["exposure"] = json!("event");
    shop.run(&by_event);
    let ask = |unit: &str, exposure: bool| {
        let body = json!({"unit": unit, "flags": ["shown", "by-event"], "exposure": exposure});
        shop.admin.post("/api/v1/decide", &body).expect(200)
    };
    ask("preview", false);
    ask("ann", true);
    ask("ann", true);
    ask("bob", true);
    let exposed = |key: &str| {
        let report = shop.report(key);
        report.units("control") + report.units("b")
    };
    crate::harness::soon("two exposures", || (exposed("shown") >= 2).then_some(()));
    assert_eq!((exposed("shown"), exposed("by-event")), (2, 0));
}

pub(crate) fn what_follows_within_the_millisecond_counts(engine: Engine) {
    const SHOPPERS: u64 = 200;
    let shop = Shop::open(engine);
    shop.run(&experiment("banner", &["control", "b"]));
    let bought = |idx: u64| {
        let unit = format!("shopper-{idx}");
        shop.decide(&unit, "banner");
        order(&unit, &format!("o-{idx}"), 100, now())
    };
    shop.log(&(0..SHOPPERS).map(bought).collect::<Vec<_>>());
    let report = shop.report("banner");
    let of = |variant| report.figure("revenue_per_visitor", variant).numerator;
    assert_eq!(of("control") + of("b"), SHOPPERS.cast_signed() * 100, "every order came after its decision");
}

pub(crate) fn many_flags_and_units_are_answered_in_one_call(engine: Engine) {
    let shop = Shop::open(engine);
    for key in ["one", "two", "three"] {
        shop.run(&experiment(key, &["control", "b"]));
    }
    let units = units(100);
    let body = json!({"units": units, "flags": ["one", {"key": "two", "default": 1}, "three"]});
    let answer = shop.admin.post("/api/v1/decide", &body).expect(200);
    let decisions = answer["decisions"].as_array().unwrap();
    assert!(answer["snapshot_version"].is_u64(), "{answer}");
    let pairs: HashSet<(&str, &str)> = decisions
        .iter()
        .map(|each| (each["unit"].as_str().unwrap(), each["flag"].as_str().unwrap()))
        .collect();
    assert_eq!((decisions.len(), pairs.len()), (300, 300), "each unit with each flag, once");
    let ids: HashSet<&str> = decisions.iter().map(|each| each["decision_id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), 300, "each with an id of its own");
    for key in ["one", "two", "three"] {
        let alone = variants(&shop.decide_all(&units, key));
        let together: Vec<Option<String>> = decisions
            .iter()
            .filter(|each| each["flag"] == key)
            .map(|each| each["variant"].as_str().map(str::to_owned))
            .collect();
        assert_eq!(alone, together, "{key} alone and among others");
    }
}

pub(crate) fn a_decision_per_request_is_drawn_anew(engine: Engine) {
    let shop = Shop::open(engine);
    let mut definition = experiment("subject", &["control", "b"]);
    definition["unit"] = json!("request");
    definition["stickiness"] = json!("per_decision");
    shop.run(&definition);
    let same = vec!["ann".to_owned(); 400];
    let drawn = shop.decide_all(&same, "subject");
    let n_b = drawn.iter().filter(|decision| decision.split() == Some("b")).count();
    check_share("draws for one unit", n_b, drawn.len(), 0.5);
}
