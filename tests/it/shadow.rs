//! Experiments in the shadow: everyone gets the control, and how units would spread is known.

use crate::harness::events::{now, order, viewed};
use crate::harness::{Book, Engine, Shop, experiment, named, soon};
use crate::preview::{EVALUATE, of_flag};
use serde_json::{Value, json};
use std::collections::BTreeMap;

pub(crate) fn promises(book: &mut Book) {
    book.both(named!(in_the_shadow_everyone_gets_the_control_and_the_spread_is_known));
    book.both(named!(out_of_the_shadow_units_get_what_they_were_assigned));
}

/// Units by what they are assigned, as a preview knows.
fn assigned(shop: &Shop, units: &[String], flag: &str) -> BTreeMap<String, String> {
    let variant = |unit: &String| {
        let found = of_flag(shop, unit, flag);
        (unit.clone(), found["experiment"]["assigned"]["variant"].as_str().unwrap().to_owned())
    };
    units.iter().map(variant).collect()
}

fn spread(shop: &Shop, key: &str) -> Value {
    shop.admin.get(&format!("/api/v1/experiments/{key}/shadow")).expect(200)
}

pub(crate) fn in_the_shadow_everyone_gets_the_control_and_the_spread_is_known(engine: Engine) {
    let mut shop = Shop::open(engine);
    let mut definition = experiment("banner", &["control", "b", "c"]);
    definition["shadow"] = json!(true);
    definition["variants"][1]["weight"] = json!(2.0);
    shop.run(&definition);
    let empty = spread(&shop, "banner");
    assert_eq!((&empty["units"], &empty["p_value"]), (&json!(0), &json!(null)), "{empty}");
    let units: Vec<String> = (0..4_000).map(|unit| format!("unit-{unit}")).collect();
    for decision in shop.decide_all(&units, "banner") {
        let found = (decision.variant.as_deref(), decision.reason.as_str(), decision.propensity);
        assert_eq!(found, (Some("control"), "DISABLED", None));
    }
    // Asking again, by whatever protocol, and saying that one saw it adds nobody.
    shop.decide_all(&units[..100], "banner");
    let context = json!({"context": {"targetingKey": "unit-1"}});
    let answer = shop.admin.post(&format!("{EVALUATE}/banner"), &context).expect(200);
    assert_eq!((&answer["variant"], &answer["reason"]), (&json!("control"), &json!("DISABLED")), "{answer}");
    assert_eq!(answer["metadata"].get("experimentId"), None, "no sign of an exposure: {answer}");
    shop.log(&[viewed("unit-1", "banner", "b", now()), order("unit-1", "o-1", 100, now())]);
    for _ in 0..2 {
        let found = spread(&shop, "banner");
        assert_eq!(
            (&found["units"], &found["shadow"], &found["left_out"]),
            (&json!(4_000), &json!(true), &json!(0))
        );
        for (variant, wanted) in found["variants"].as_array().unwrap().iter().zip([0.25, 0.5, 0.25]) {
            assert_eq!(variant["wanted"], wanted, "{found}");
            let share = variant["found"].as_f64().unwrap();
            assert!((share - variant["units"].as_f64().unwrap() / 4_000.0).abs() < 1e-12, "{found}");
            assert!((share - wanted).abs() < 0.04, "{found}");
        }
        let p_value = found["p_value"].as_f64().unwrap();
        assert!(1e-6 < p_value && p_value <= 1.0, "{found}");
        let report = shop.report("banner");
        assert_eq!(["control", "b", "c"].map(|variant| report.units(variant)), [0; 3], "nobody saw anything");
        let warnings = report.0["health"]["warnings"].to_string();
        assert!(warnings.contains(r#""code":"shadow""#), "{warnings}");
        shop.restart();
    }
    shop.check_rebuild();
}

pub(crate) fn out_of_the_shadow_units_get_what_they_were_assigned(engine: Engine) {
    let mut shop = Shop::open(engine);
    let mut definition = experiment("banner", &["control", "b", "c"]);
    definition["shadow"] = json!(true);
    shop.run(&definition);
    let units: Vec<String> = (0..60).map(|unit| format!("unit-{unit}")).collect();
    shop.decide_all(&units, "banner");
    let wanted = assigned(&shop, &units, "banner");
    // Those who come after a change of weights are drawn anew; these keep what they have.
    let path = "/api/v1/experiments/banner/variants";
    shop.admin.edit("POST", path, "*", Some(&json!({"key": "d", "weight": 9.0}))).expect(201);
    shop.restart();
    assert_eq!(assigned(&shop, &units, "banner"), wanted);
    shop.patch("banner", &json!({"shadow": false})).expect(200);
    let decided = shop.decide_all(&units, "banner");
    let found: BTreeMap<_, _> =
        decided.iter().map(|one| (one.unit.clone(), one.variant.clone().unwrap())).collect();
    assert_eq!(found, wanted);
    assert!(decided.iter().all(|one| one.reason == "SPLIT" && one.weights_version == Some(1)));
    let report = soon("they count", || {
        let report = shop.report("banner");
        let units: u64 = ["control", "b", "c", "d"].map(|variant| report.units(variant)).iter().sum();
        (units == 60).then_some(report)
    });
    for variant in ["control", "b", "c", "d"] {
        let n = wanted.values().filter(|one| *one == variant).count() as u64;
        assert_eq!(report.units(variant), n, "{variant}");
    }
    let back = shop.patch("banner", &json!({"shadow": true})).problem(409);
    assert_eq!(back.slug, "needs-new-version");
    shop.check_rebuild();
}
