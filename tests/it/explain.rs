//! A logged decision can be computed again, for ever.

use crate::harness::{Book, Decision, Engine, Shop, experiment, named, soon};
use serde_json::{Value, json};

pub(crate) fn promises(book: &mut Book) {
    book.both(named!(every_logged_decision_is_explained_and_agrees));
    book.both(named!(an_unknown_decision_is_not_found));
}

fn explanation(shop: &Shop, decision_id: &str) -> Value {
    soon("the decision is logged", || {
        let answer = shop.admin.get(&format!("/api/v1/decisions/{decision_id}/explain"));
        if answer.status == 404 { None } else { Some(answer.expect(200)) }
    })
}

#[track_caller]
fn check(shop: &Shop, flag: &str, decision: &Decision) {
    let explained = explanation(shop, decision.id.as_deref().unwrap());
    assert_eq!(explained["agrees"], true, "{explained}");
    assert_eq!(explained["flag"], flag, "{explained}");
    // Where every decision is drawn anew, the decision itself is the unit.
    let unit = if flag == "per_decision" { decision.id.as_deref().unwrap() } else { &decision.unit };
    assert_eq!(explained["unit"], unit, "{explained}");
    assert_eq!(explained["reason"], decision.reason.as_str(), "{explained}");
    assert_eq!(explained["weights_version"].as_u64(), decision.weights_version, "{explained}");
    for figures in [&explained, &explained["recomputed"]] {
        assert_eq!(figures["variant"].as_str(), decision.variant.as_deref(), "{explained}");
        assert_eq!(figures["propensity"].as_f64(), decision.propensity, "{explained}");
    }
    assert!(explained["steps"].as_array().is_some_and(|steps| !steps.is_empty()), "{explained}");
}

pub(crate) fn every_logged_decision_is_explained_and_agrees(engine: Engine) {
    let mut shop = Shop::open(engine);
    let flags = ["sticky", "rebalance", "per_decision", "sliced"];
    for flag in flags {
        let mut definition = experiment(flag, &["control", "b", "c"]);
        if flag == "sliced" {
            definition["allocator"] = json!({"type": "thompson", "uniform_slice": 0.5});
        } else {
            definition["stickiness"] = json!(flag);
        }
        definition["variants"][1]["weight"] = json!(2.5);
        definition["traffic"] = json!(0.8);
        shop.run(&definition);
    }
    let units: Vec<String> = (0..40).map(|unit| format!("unit-{unit}")).collect();
    let decide = |shop: &Shop| -> Vec<(&str, Decision)> {
        let of_flag =
            |flag: &'static str| shop.decide_all(&units, flag).into_iter().map(move |each| (flag, each));
        let all: Vec<_> = flags.into_iter().flat_map(of_flag).collect();
        all.into_iter().filter(|(_, decision)| decision.reason == "SPLIT").collect()
    };
    let mut decisions = decide(&shop);
    // Weights move: a variant comes, another one goes.
    for flag in flags {
        let path = format!("/api/v1/experiments/{flag}/variants");
        let answer = shop.admin.edit("POST", &path, "*", Some(&json!({"key": "d", "weight": 3.0})));
        assert!(matches!(answer.status, 200 | 201), "{answer}");
    }
    decisions.extend(decide(&shop));
    for flag in flags {
        let path = format!("/api/v1/experiments/{flag}/variants/b");
        let answer = shop.admin.edit("DELETE", &path, "*", None);
        assert!(matches!(answer.status, 200 | 204), "{answer}");
    }
    decisions.extend(decide(&shop));
    for (flag, decision) in &decisions {
        check(&shop, flag, decision);
    }
    shop.restart();
    for (flag, decision) in decisions.iter().step_by(7) {
        check(&shop, flag, decision);
    }
}

pub(crate) fn an_unknown_decision_is_not_found(engine: Engine) {
    let shop = Shop::open(engine);
    for id in ["019abcde-0000-7000-8000-000000000000", "not-an-id", "%00"] {
        let answer = shop.admin.get(&format!("/api/v1/decisions/{id}/explain"));
        assert!(matches!(answer.status, 400 | 404), "{answer}");
        answer.problem(answer.status);
    }
}
