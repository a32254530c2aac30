//! A share of visitors gets no treatment of anything, and the lift of all treatments is told against them.

use crate::harness::events::{now, order};
use crate::harness::{Book, Engine, Shop, experiment, named};
use serde_json::{Value, json};

pub(crate) fn promises(book: &mut Book) {
    book.both(named!(who_is_held_out_gets_no_treatment_of_anything));
    book.both(named!(a_holdout_is_for_everyone_and_of_two));
}

fn holdout() -> Value {
    let mut holdout = experiment("holdout", &["held-out", "everyone-else"]);
    holdout["holdout"] = json!(true);
    holdout["variants"][0]["weight"] = json!(0.2);
    holdout["variants"][1]["weight"] = json!(0.8);
    holdout
}

pub(crate) fn who_is_held_out_gets_no_treatment_of_anything(engine: Engine) {
    let mut shop = Shop::open(engine);
    shop.run(&holdout());
    shop.run(&experiment("banner", &["control", "b"]));
    let popup = json!({
        "key": "popup",
        "variants": [{"key": "on", "content": true}, {"key": "off", "content": false}],
        "rules": [{"key": "all", "serve": "on"}],
        "fallback": "off",
    });
    shop.admin.post("/api/v1/experiences", &popup).expect(201);
    shop.admin.edit("POST", "/api/v1/experiences/popup/publish", "*", Some(&json!({}))).expect(200);
    let units: Vec<String> = (0..1_000).map(|idx| format!("v-{idx}")).collect();
    let banner = shop.decide_all(&units, "banner");
    let popup = shop.decide_all(&units, "popup");
    let held: Vec<bool> = popup.iter().map(|decision| decision.variant.as_deref() == Some("off")).collect();
    let n_held = held.iter().filter(|is_held| **is_held).count();
    assert!((140..260).contains(&n_held), "about a fifth is held out: {n_held}");
    for (decision, is_held) in banner.iter().zip(&held) {
        assert_eq!(decision.reason == "DISABLED", *is_held, "{decision:?}");
        assert!(!is_held || decision.variant.as_deref() == Some("control"));
    }
    let buyers = units.iter().enumerate().filter(|(idx, _)| held[*idx] || idx % 2 == 0);
    let orders: Vec<_> = buyers.map(|(idx, unit)| order(unit, &format!("o-{idx}"), 1_000, now())).collect();
    shop.log(&orders);
    let report = shop.report("holdout");
    let (out, others) =
        (report.figure("conversion", "held-out"), report.figure("conversion", "everyone-else"));
    assert_eq!((out.units, others.units), (n_held as u64, 1_000 - n_held as u64), "each counts once");
    assert_eq!(out.numerator, n_held as i64, "what the held-out buy is told against the others");
    let of_banner = shop.report("banner");
    let n_in: u64 =
        ["control", "b"].map(|variant| of_banner.figure("conversion", variant).units).iter().sum();
    assert_eq!(n_in, 1_000 - n_held as u64, "and they are in no other figure");
    shop.restart();
    let again: Vec<_> =
        shop.decide_all(&units, "popup").iter().map(|it| it.variant.as_deref() == Some("off")).collect();
    assert_eq!(again, held, "for good");
    shop.check_rebuild();
}

pub(crate) fn a_holdout_is_for_everyone_and_of_two(engine: Engine) {
    let shop = Shop::open(engine);
    for (member, value, pointer) in [
        ("traffic", json!(0.5), "/traffic"),
        ("stickiness", json!("rebalance"), "/holdout"),
        ("when", json!({"profile": {"fact": "known", "op": "eq", "value": true}}), "/holdout"),
        ("allocator", json!({"type": "thompson"}), "/holdout"),
    ] {
        let mut bad = holdout();
        bad[member] = value;
        let problem = shop.admin.post("/api/v1/experiments", &bad).expect(400);
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{member}: {problem}");
    }
}
