//! A logged decision can be computed again, for ever.

use crate::experiences::publish;
use crate::harness::events::{now, rfc3339};
use crate::harness::{Book, Decision, Engine, Shop, experiment, named, soon};
use crate::preview::{for_gold, gold, of_flag};
use serde_json::{Value, json};
use std::process::Command;

pub(crate) fn promises(book: &mut Book) {
    book.both(named!(every_logged_decision_is_explained_and_agrees));
    book.both(named!(an_unknown_decision_is_not_found));
    book.both(named!(a_decision_is_explained_with_what_is_no_longer_known));
    book.both(named!(who_is_held_out_is_told_so));
    book.both(named!(the_command_line_explains_decisions_and_units));
}

/// How a logged decision is explained.
#[track_caller]
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

#[track_caller]
fn check_steps(explained: &Value, said: &str) {
    let steps = explained["steps"].as_array().unwrap();
    assert!(steps.iter().any(|step| step.as_str().unwrap().contains(said)), "`{said}` in {explained}");
}

pub(crate) fn a_decision_is_explained_with_what_is_no_longer_known(engine: Engine) {
    let shop = Shop::open(engine);
    let mut definition = experiment("banner", &["control", "b"]);
    definition["when"] = gold();
    shop.run(&definition);
    let mut shadow = experiment("shadow", &["control", "b"]);
    shadow["shadow"] = json!(true);
    shop.run(&shadow);
    publish(&shop, &for_gold("perks", "perks"));
    let decide = |unit: &str, flag: &str, plan: &str| -> Value {
        let body = json!({"unit": unit, "flags": [flag], "context": {"plan": plan}});
        let decision = shop.admin.post("/api/v1/decide", &body).expect(200)["decisions"][0].take();
        explanation(&shop, decision["decision_id"].as_str().unwrap())
    };
    let outside = decide("ann", "banner", "silver");
    assert_eq!((&outside["agrees"], &outside["reason"]), (&json!(true), &json!("DISABLED")), "{outside}");
    check_steps(&outside, "did not meet the condition");
    check_steps(&outside, "is not kept");
    let inside = decide("ann", "banner", "gold");
    assert_eq!((&inside["agrees"], &inside["reason"]), (&json!(true), &json!("SPLIT")), "{inside}");
    check_steps(&inside, "met the condition");
    let of_experience = decide("ann", "perks", "gold");
    assert_eq!(of_experience["rules"], json!(["golden"]), "{of_experience}");
    check_steps(&of_experience, "is not kept");
    let in_shadow = decide("ann", "shadow", "gold");
    assert_eq!(
        (&in_shadow["agrees"], &in_shadow["variant"]),
        (&json!(true), &json!("control")),
        "{in_shadow}"
    );
    check_steps(&in_shadow, "in the shadow");
    // Another id of a person is drawn for the person.
    shop.admin.post("/api/v1/profiles/bob/aliases", &json!({"id": "phone"})).expect(200);
    let own = decide("bob", "banner", "gold");
    let other = decide("phone", "banner", "gold");
    assert_eq!(other["agrees"], true, "{other}");
    assert_eq!((&other["unit"], &other["asked_as"]), (&json!("bob"), &json!("phone")), "{other}");
    assert_eq!((&other["variant"], own.get("asked_as")), (&own["variant"], None), "{own}");
    check_steps(&other, "another id");
}

pub(crate) fn who_is_held_out_is_told_so(engine: Engine) {
    let shop = Shop::open(engine);
    let mut holdout = experiment("holdout", &["held-out", "others"]);
    holdout["holdout"] = json!(true);
    shop.run(&holdout);
    shop.run(&experiment("banner", &["control", "b"]));
    let mut is_told = [false; 2];
    for unit in (0..20).map(|unit| format!("unit-{unit}")) {
        let previewed = of_flag(&shop, &unit, "banner");
        let held_out = previewed["holdout"]["held_out"].as_bool().unwrap();
        let decision = shop.decide(&unit, "banner");
        assert_eq!(held_out, decision.reason == "DISABLED", "{previewed}");
        assert_eq!(previewed["answer"]["variant"].as_str(), decision.variant.as_deref(), "{previewed}");
        let explained = explanation(&shop, &decision.id.unwrap());
        assert_eq!(explained["agrees"], true, "{explained}");
        if held_out {
            check_steps(&explained, "the global holdout");
        }
        is_told[usize::from(held_out)] = true;
    }
    assert_eq!(is_told, [true; 2], "some are, some are not");
}

/// Runs `podium explain` and gives what it printed.
#[track_caller]
fn explain(shop: &Shop, arguments: &[&str]) -> String {
    let done = Command::new(env!("CARGO_BIN_EXE_podium"))
        .args(["explain", "--url", shop.podium.url(), "--data-dir"])
        .arg(shop.data_dir())
        .args(arguments)
        .output()
        .unwrap();
    let text = String::from_utf8(done.stdout).unwrap();
    assert!(done.status.success(), "{text}{}", String::from_utf8_lossy(&done.stderr));
    text
}

pub(crate) fn the_command_line_explains_decisions_and_units(engine: Engine) {
    let shop = Shop::open(engine);
    shop.run(&experiment("banner", &["control", "b"]));
    publish(&shop, &for_gold("perks", "banner"));
    let decision = shop.decide("ann", "banner");
    let id = decision.id.unwrap();
    explanation(&shop, &id);
    let text = explain(&shop, &[&id]);
    assert!(text.contains("`ann` got") && text.contains("comes to the same"), "{text}");
    let json: Value = serde_json::from_str(&explain(&shop, &[&id, "--json"])).unwrap();
    assert_eq!((&json["decision_id"], &json["agrees"]), (&json!(id), &json!(true)));
    let asked = ["--unit", "ann", "--flag", "banner", "--context", r#"{"plan": "gold"}"#];
    let text = explain(&shop, &asked);
    for said in ["would get `gold`", "experience perks: live, priority 3", "rule golden", "was assigned"] {
        assert!(text.contains(said), "`{said}` in {text}");
    }
    let at = rfc3339(now() + 86_400_000);
    let asked: Vec<&str> = asked.into_iter().chain(["--at", &at, "--json"]).collect();
    let json: Value = serde_json::from_str(&explain(&shop, &asked)).unwrap();
    assert_eq!(json["flags"][0]["answer"]["variant"], "gold", "{json}");
    for wrong in [&[][..], &[&*id, "--unit", "ann"], &["--flag", "banner"]] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_podium"));
        let done = command.arg("explain").args(wrong).output().unwrap();
        assert_eq!(done.status.code(), Some(2), "{wrong:?}");
    }
}
