//! What came of each rule of an experience.

use crate::experiences::{LIST, PATH, decide, hero, publish, with};
use crate::harness::events::{now, order};
use crate::harness::{Book, Engine, Shop, named, soon};
use serde_json::{Value, json};

pub(crate) fn promises(book: &mut Book) {
    book.both(named!(every_rule_has_figures_of_its_own));
    book.both(named!(another_goal_has_other_figures));
}

/// What a report of an experience says of each rule: its key, units and conversions.
#[track_caller]
fn figures(shop: &Shop, key: &str) -> Vec<(Option<String>, i64, i64)> {
    let report = shop.admin.get(&format!("{LIST}/{key}/report")).expect(200);
    let row = |row: &Value| {
        let rule = row["rule"].as_str().map(str::to_owned);
        (rule, row["units"].as_i64().unwrap(), row["conversions"].as_i64().unwrap())
    };
    report["rules"].as_array().unwrap().iter().map(row).collect()
}

#[track_caller]
pub(crate) fn await_figures(shop: &Shop, key: &str, expected: &[(Option<&str>, i64, i64)]) {
    let expected: Vec<_> =
        expected.iter().map(|(rule, units, won)| (rule.map(str::to_owned), *units, *won)).collect();
    soon(&format!("the figures of {key} are {expected:?}"), || {
        (figures(shop, key) == expected).then_some(())
    });
}

pub(crate) fn every_rule_has_figures_of_its_own(engine: Engine) {
    let mut shop = Shop::open(engine);
    let members = json!({
        "rules": [
            {"key": "never", "when": {"profile": {"trait": "plan", "op": "eq", "value": "gold"}}, "serve": "b"},
            {"key": "x", "serve": "b"},
            {"key": "y", "serve": "a"},
        ],
        "hit_policy": "rule_order",
        "goal": {"metric": "conversion", "window_s": 4},
    });
    publish(&shop, &with(hero(), &members));
    let units: Vec<String> = (0..40).map(|unit| format!("unit-{unit}")).collect();
    shop.decide_all(&units, "hero");
    // A preview is no hit.
    let preview = json!({"unit": "nobody", "flags": ["hero"], "exposure": false});
    shop.admin.post("/api/v1/decide", &preview).expect(200);
    let at = now() + 100;
    let orders: Vec<_> =
        units.iter().take(10).map(|unit| order(unit, &format!("of-{unit}"), 500, at)).collect();
    shop.log(&orders);
    await_figures(
        &shop,
        "hero",
        &[(Some("never"), 0, 0), (Some("x"), 40, 10), (Some("y"), 40, 10), (None, 0, 0)],
    );
    // Who met the rules meets the fallback now, and is counted there too: what was bought before is no conversion.
    soon("the orders lie behind", || (at < now()).then_some(()));
    let fallback = with(hero(), &json!({"rules": [], "goal": members["goal"]}));
    shop.admin.edit("PUT", PATH, "*", Some(&fallback)).expect(200);
    shop.decide_all(&units, "hero");
    await_figures(&shop, "hero", &[(None, 40, 0)]);
    shop.admin.edit("PUT", PATH, "*", Some(&with(hero(), &members))).expect(200);
    await_figures(
        &shop,
        "hero",
        &[(Some("never"), 0, 0), (Some("x"), 40, 10), (Some("y"), 40, 10), (None, 40, 0)],
    );
    let report = soon("all have matured", || {
        let report = shop.admin.get(&format!("{PATH}/report")).expect(200);
        (report["rules"][1]["matured_units"] == 40 && report["rules"][3]["matured_units"] == 40)
            .then_some(report)
    });
    let row = &report["rules"][1];
    assert_eq!((&row["value"], &row["matured_value"]), (&json!(0.25), &json!(0.25)), "{row}");
    // Of 40 units 10 bought: Beta(11, 31), whose tails of 2.5 % are by SciPy 1.17.1.
    let end = |name: &str| row["interval"][name].as_f64().unwrap();
    assert!((end("low") - 0.142_213).abs() < 1e-6 && (end("high") - 0.403_046).abs() < 1e-6, "{row}");
    let csv = String::from_utf8(shop.admin.get(&format!("{PATH}/report.csv")).body).unwrap();
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines.len(), 5, "{csv}");
    assert!(lines[2].contains(",x,,b,40,10,10,40,0.25,40,0.25,"), "{csv}");
    shop.check_rebuild();
    shop.restart();
    await_figures(
        &shop,
        "hero",
        &[(Some("never"), 0, 0), (Some("x"), 40, 10), (Some("y"), 40, 10), (None, 40, 0)],
    );
}

pub(crate) fn another_goal_has_other_figures(engine: Engine) {
    let shop = Shop::open(engine);
    publish(&shop, &hero());
    decide(&shop, "ann", "hero");
    await_figures(&shop, "hero", &[(Some("all"), 1, 0), (None, 0, 0)]);
    let counted = with(hero(), &json!({"goal": "conversion"}));
    shop.admin.edit("PUT", PATH, "*", Some(&counted)).expect(200);
    await_figures(&shop, "hero", &[(Some("all"), 0, 0), (None, 0, 0)]);
    decide(&shop, "ann", "hero");
    shop.log(&[order("ann", "o-1", 500, now() + 100)]);
    await_figures(&shop, "hero", &[(Some("all"), 1, 1), (None, 0, 0)]);
    shop.admin.edit("PUT", PATH, "*", Some(&hero())).expect(200);
    await_figures(&shop, "hero", &[(Some("all"), 1, 0), (None, 0, 0)]);
}
