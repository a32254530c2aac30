//! Requests against the types that read them: what the schema allows is taken, what it forbids is refused.

use super::super::examples;
use super::check::faults;
use super::{document, operations, schema};
use crate::api::channels::NewChannel;
use crate::api::experiments::Conclusion;
use crate::api::history::UndoBody;
use crate::api::sources::NewSource;
use crate::api::suppressions::NewSuppression;
use crate::api::webhooks::NewWebhook;
use crate::app::{DecideRequest, PlanRequest, Promotion, check_reason};
use crate::catalog::Catalog;
use crate::delivery::SendRequest;
use crate::external;
use crate::ingest::event::Reading;
use crate::ingest::{body, exposure};
use podium_core::audience::Condition;
use podium_core::experience;
use podium_core::experiment::{Definition, Variant};
use podium_core::id::{ExperienceKey, ExperimentKey};
use podium_core::projection::Trust;
use podium_core::time::Timestamp;
use serde_json::{Value, json};
use std::path::Path;

/// Reads a new experiment as the server does, but for what only plugins and the database know.
fn reads_experiment(body: &Value) -> Result<(), String> {
    let mut members = body.as_object().ok_or("no object")?.clone();
    let key = members.remove("key").ok_or("no key")?;
    ExperimentKey::new(key.as_str().ok_or("no text")?).map_err(|error| error.to_string())?;
    let definition: Definition =
        serde_json::from_value(Value::Object(members)).map_err(|error| error.to_string())?;
    // What a holdout may be is a rule between fields, which a schema cannot say.
    let mut faults = definition.checked().err().unwrap_or_default();
    faults.retain(|fault| fault.pointer != "/holdout");
    if faults.is_empty() { Ok(()) } else { Err(format!("{faults:?}")) }
}

fn reads_decide(body: &Value) -> Result<(), String> {
    let text = body.to_string();
    let asked: DecideRequest<'_> = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    asked.checked_units().map(drop).map_err(|bad| bad.detail)
}

/// Puts each of many values in the place of each member, and compares what the schema and the server say.
///
/// - `at`: where the object is in the body.
#[track_caller]
pub(super) fn check_members(name: &str, body: &Value, at: &str, reads: fn(&Value) -> Result<(), String>) {
    let document = document();
    let schema = schema(&document, name);
    let probes = [
        json!(null),
        json!(true),
        json!(-1),
        json!(0),
        json!(1),
        json!(2),
        json!(11),
        json!(0.5),
        json!(1.5),
        json!(700_000_000),
        json!(5_000_000_000_i64),
        json!(""),
        json!("x"),
        json!("é"),
        json!("2026-11-27T09:30:00Z"),
        json!([]),
        json!({}),
        json!({"?": 1}),
        json!("x".repeat(101)),
        json!("x".repeat(2_001)),
    ];
    assert_eq!(reads(body), Ok(()));
    let names: Vec<_> = body.pointer(at).unwrap().as_object().unwrap().keys().cloned().collect();
    for member in names {
        for probe in probes.iter().map(Some).chain([None]) {
            // serde reads a list as the members of a struct in their order; the document tells nobody.
            if probe == Some(&json!([]))
                && body.pointer(&format!("{at}/{member}")).is_some_and(Value::is_object)
            {
                continue;
            }
            let mut changed = body.clone();
            let object = changed.pointer_mut(at).unwrap().as_object_mut().unwrap();
            match probe {
                Some(probe) => object.insert(member.clone(), probe.clone()),
                None => object.remove(&member),
            };
            let found = faults(&document, schema, &changed);
            let read = reads(&changed);
            assert_eq!(
                found.is_empty(),
                read.is_ok(),
                "{at}/{member} = {}: the schema says {found:?}, the server {read:?}",
                probe.map_or_else(
                    || "nothing".to_owned(),
                    |probe| probe.to_string().chars().take(80).collect()
                ),
            );
        }
    }
}

#[test]
fn an_experiment_is_read_as_its_schema_says() {
    let body = json!({
        "key": "k", "name": "n", "description": "d", "flag_key": "f", "value_type": null,
        "server_only": true, "shadow": false, "holdout": false, "when": {"audience": "vips"}, "unit": "user",
        "variants": [
            {"key": "a", "name": "n", "control": true, "weight": 1.0, "content": null}, {"key": "b"}, {"key": "c"}
        ],
        "primary_metric": {"metric": "m", "config": {}, "direction": "increase", "window_s": 9},
        "secondary_metrics": [], "guardrail_metrics": [],
        "allocator": {"type": "fixed"}, "units_per_version": 100, "stickiness": "sticky", "exposure": "event",
        "traffic": 1.0, "exclusion_group": {"key": "g", "share": 0.5, "start": 0.0}, "currency": "EUR",
        "salt": "s", "schedule": {"start_at": "2026-11-01T00:00:00Z", "end_at": "2126-12-01T00:00:00Z"},
        "min_run_s": 0, "source_note": "n"
    });
    for at in ["", "/variants/0", "/primary_metric", "/schedule"] {
        check_members("NewExperiment", &body, at, reads_experiment);
    }
    let mut in_half = body.clone();
    in_half["exclusion_group"] = json!({"key": "g", "share": 1.0});
    check_members("NewExperiment", &in_half, "/exclusion_group", reads_experiment);
    for allocator in [
        json!({"type": "thompson", "control_floor": 0.0, "min_units": 1, "min_nonzero": 1, "min_strata": 1}),
        json!({"type": "top_two", "beta": 0.5, "min_units": null}),
        json!({"type": "epsilon_greedy", "epsilon": 0.5, "floor": null}),
        json!({"type": "ucb1"}),
    ] {
        let mut adaptive = body.clone();
        adaptive["allocator"] = allocator;
        // Floors that leave room, so that only their own range is at stake.
        adaptive["variants"] = json!([{"key": "a"}, {"key": "b"}]);
        check_members("NewExperiment", &adaptive, "/allocator", reads_experiment_but_floors);
    }
}

/// Floors that sum to more than 1 are a rule between fields, which a schema cannot say.
fn reads_experiment_but_floors(body: &Value) -> Result<(), String> {
    reads_experiment(body)
        .or_else(|fault| if fault.contains("/allocator/floor") { Ok(()) } else { Err(fault) })
}

#[test]
fn a_variant_is_read_as_its_schema_says() {
    let reads: fn(&Value) -> Result<(), String> = |body| {
        let variant: Variant = serde_json::from_value(body.clone()).map_err(|error| error.to_string())?;
        let variants =
            r#"{"variants": [{"key": "other-1"}, {"key": "other-2"}], "primary_metric": "conversion"}"#;
        let mut definition: Definition = serde_json::from_str(variants).map_err(|error| error.to_string())?;
        definition.variants.push(variant);
        definition.checked().map(|_| ()).map_err(|faults| format!("{faults:?}"))
    };
    let body = json!({"key": "a", "name": "n", "control": false, "weight": 1.0, "content": [1]});
    check_members("NewVariant", &body, "", reads);
}

/// Reads a new experience as the server does, but for what only plugins and the database know. That a variant is one
/// of those that are there, and that contents are of one type, are rules between fields, which a schema cannot say.
fn reads_experience(body: &Value) -> Result<(), String> {
    const BETWEEN_FIELDS: [&str; 5] =
        ["/fallback", "/rules/0/serve", "/aggregator", "/variants/0/content", "/variants/1/content"];
    let mut members = body.as_object().ok_or("no object")?.clone();
    let key = members.remove("key").ok_or("no key")?;
    ExperienceKey::new(key.as_str().ok_or("no text")?).map_err(|error| error.to_string())?;
    let definition: experience::Definition =
        serde_json::from_value(Value::Object(members)).map_err(|error| error.to_string())?;
    if definition.variants.iter().any(|variant| variant.content.is_null()) {
        return Err("a content is null".to_owned());
    }
    let mut faults = definition.checked().err().unwrap_or_default();
    faults.retain(|fault| !BETWEEN_FIELDS.contains(&fault.pointer.as_str()));
    if faults.is_empty() { Ok(()) } else { Err(format!("{faults:?}")) }
}

#[test]
fn an_experience_is_read_as_its_schema_says() {
    let body = json!({
        "key": "k", "name": "n", "flag_key": "f", "value_type": "integer",
        "variants": [{"key": "a", "name": "n", "content": 1}, {"key": "b", "content": 2}],
        "rules": [{"key": "r", "name": "n", "when": {"profile": {"fact": "orders", "op": "gte", "value": 1}}, "serve": "b"}],
        "fallback": "a", "hit_policy": "collect", "aggregator": "sum", "priority": 1,
        "starts_at": "2026-11-01T00:00:00Z", "ends_at": "2126-12-01T00:00:00Z", "dismiss_days": 7,
        "goal": {"metric": "m", "config": {}, "direction": "increase", "window_s": 9},
        "currency": "EUR", "server_only": true
    });
    for at in ["", "/variants/0", "/rules/0", "/goal"] {
        check_members("NewExperience", &body, at, reads_experience);
    }
    let promotion = json!({"key": "k", "priority": 1, "when": {"audience": "vips"}});
    check_members("Promotion", &promotion, "", |body| {
        serde_json::from_value::<Promotion>(body.clone()).map_err(|error| error.to_string()).and_then(
            |read| {
                let when = read.when.map(|when| Condition::parse(&when));
                when.map_or(Ok(()), |read| read.map(drop).map_err(|faults| format!("{faults:?}")))
            },
        )
    });
    for (name, example) in examples::new_experience() {
        assert_eq!(reads_experience(&example), Ok(()), "{name}");
    }
}

#[test]
fn a_decision_is_asked_for_as_its_schema_says() {
    let body = json!({"unit": "u", "flags": ["a"], "exposure": true, "context": {}});
    let names_a_unit: fn(&Value) -> Result<(), String> = |body| {
        // That one of `unit` and `units` is there is a rule between fields, which a schema cannot say.
        let mut body = body.clone();
        if body.get("unit").is_none_or(Value::is_null) {
            body["unit"] = json!("u");
        }
        reads_decide(&body)
    };
    check_members("DecideRequest", &body, "", names_a_unit);
    let many = json!({"units": ["u", "v"], "flags": ["a", {"key": "b", "default": 1}]});
    check_members("DecideRequest", &many, "/flags/1", reads_decide);
    assert!(reads_decide(&json!({"unit": "u", "units": ["v"], "flags": ["a"]})).is_err());
}

/// Reads a request to plan as the server does.
fn reads_plan(body: &Value) -> Result<(), String> {
    let asked: PlanRequest = serde_json::from_value(body.clone()).map_err(|error| error.to_string())?;
    asked.plan().map(drop).map_err(|fault| format!("{fault:?}"))
}

/// Rules between fields are not in a schema: one question, a baseline that is a rate where there is no deviation,
/// days that need traffic.
#[test]
fn a_plan_is_asked_for_as_its_schema_says() {
    let asks_one: fn(&Value) -> Result<(), String> = |body| {
        let mut body = body.clone();
        if body.get("units_per_variant").is_none_or(Value::is_null) {
            body["units_per_variant"] = json!(10);
        }
        if body.get("sd").is_none_or(Value::is_null) {
            body["sd"] = json!(1);
        }
        reads_plan(&body)
    };
    let body = json!({
        "baseline": 0.5, "sd": 2.0, "units_per_variant": 1_000, "n_variants": 3, "alpha": 0.1, "power": 0.9,
        "looks": "once", "units_per_day": 500, "window_s": 9
    });
    check_members("PlanRequest", &body, "", asks_one);
    for body in [
        json!({"baseline": 0.5, "sd": 2.0}),
        json!({"baseline": 0.5, "sd": 2.0, "lift": 0.1, "days": 7}),
        json!({"baseline": 0.5, "sd": 2.0, "days": 7}),
        json!({"baseline": 2.0, "lift": 0.1}),
    ] {
        assert!(reads_plan(&body).is_err(), "{body}");
    }
}

/// Reads a request to send as the server does, but for what only the channel and the flag know.
fn reads_messages(body: &Value) -> Result<(), String> {
    let asked: SendRequest = serde_json::from_value(body.clone()).map_err(|error| error.to_string())?;
    let now = Timestamp::parse("2026-11-26T00:00:00Z").unwrap();
    asked.check(now).map_err(|faults| format!("{faults:?}"))
}

fn reads_suppression(body: &Value) -> Result<(), String> {
    let new: NewSuppression = serde_json::from_value(body.clone()).map_err(|error| error.to_string())?;
    new.check().map_err(|problem| problem.to_string())
}

fn reads_channel(body: &Value) -> Result<(), String> {
    serde_json::from_value::<NewChannel>(body.clone()).map(drop).map_err(|error| error.to_string())
}

#[test]
fn messages_are_asked_for_as_their_schema_says() {
    let one = json!({
        "channel": "c", "flag": "f",
        "to": {"unit": "u", "address": "a", "fields": {"name": "n"}},
        "purpose": "marketing", "collapse_key": "k", "send_at": "2025-11-27T09:30:00Z", "expires_in_s": 9
    });
    let names_one: fn(&Value) -> Result<(), String> = |body| {
        // That one of `flag` and `content` is there is a rule between fields, which a schema cannot say.
        let mut body = body.clone();
        if body.get("flag").is_none_or(Value::is_null) {
            body["flag"] = json!("f");
        }
        reads_messages(&body)
    };
    for at in ["", "/to", "/to/fields"] {
        check_members("NewMessages", &one, at, names_one);
    }
    let mut by_object = one.clone();
    by_object["to"] =
        json!([{"unit": "u", "address": {"email": "a"}}, {"unit": "u", "address": {"email": "b"}}]);
    check_members("NewMessages", &by_object, "/to/0", names_one);
    let both = json!({"channel": "c", "flag": "f", "content": 1, "to": one["to"]});
    assert!(reads_messages(&both).is_err());
    let neither = json!({"channel": "c", "to": one["to"]});
    assert!(reads_messages(&neither).is_err());
}

#[test]
fn suppressions_and_channels_are_read_as_their_schemas_say() {
    let suppression = json!({"channel": "c", "address": "a", "scope": "all", "reason": "r"});
    check_members("NewSuppression", &suppression, "", reads_suppression);
    check_members("NewChannel", &json!({"channel": "c", "settings": {"a": 1}}), "", reads_channel);
}

fn reads_conclusion(body: &Value) -> Result<(), String> {
    let read: Conclusion = serde_json::from_value(body.clone()).map_err(|error| error.to_string())?;
    check_reason(read.reason.as_deref()).map_err(|error| error.to_string())
}

fn reads_undo(body: &Value) -> Result<(), String> {
    let read: UndoBody = serde_json::from_value(body.clone()).map_err(|error| error.to_string())?;
    check_reason(read.reason.as_deref()).map_err(|error| error.to_string())
}

#[test]
fn conclusions_and_what_is_undone_are_read_as_their_schemas_say() {
    check_members("Conclusion", &json!({"serve": "b", "reason": "r"}), "", reads_conclusion);
    check_members("Undoing", &json!({"history_id": 7, "reason": "r"}), "", reads_undo);
}

#[test]
fn examples_are_taken_and_fit_their_schemas() {
    let document = document();
    let mut n_examples = 0;
    let mut fits = |content: &Value, at: &str| {
        for (name, example) in content["examples"].as_object().into_iter().flatten() {
            let found = faults(&document, &content["schema"], &example["value"]);
            assert!(found.is_empty(), "{at} {name}: {found:?}");
            n_examples += 1;
        }
    };
    for ((method, path), operation) in operations(&document) {
        let bodies = operation["responses"].as_object().unwrap().values().chain([&operation["requestBody"]]);
        for content in bodies.filter_map(|body| body["content"].as_object()).flat_map(|all| all.values()) {
            fits(content, &format!("{method} {path}"));
        }
    }
    for (name, response) in document["components"]["responses"].as_object().unwrap() {
        response["content"].as_object().unwrap().values().for_each(|content| fits(content, name));
    }
    assert!(30 < n_examples, "{n_examples}");
    for (name, body) in examples::new_experiment() {
        assert_eq!(reads_experiment(&body), Ok(()), "{name}");
    }
    for (name, body) in examples::new_experiment() {
        let definition: Definition = serde_json::from_value(without_key(body)).unwrap();
        for choice in definition.metrics() {
            let file = format!(
                "{}/../plugins/commerce-metrics/src/{}.rs",
                env!("CARGO_MANIFEST_DIR"),
                choice.metric
            );
            assert!(Path::new(&file).exists(), "{name}: no bundled metric is called {}", choice.metric);
        }
    }
    for (name, body) in examples::decide() {
        assert_eq!(reads_decide(&body), Ok(()), "{name}");
    }
    for (name, body) in examples::new_messages() {
        assert_eq!(reads_messages(&body), Ok(()), "{name}");
    }
    for (name, body) in examples::new_suppression() {
        assert_eq!(reads_suppression(&body), Ok(()), "{name}");
    }
    for (name, body) in examples::new_channel() {
        assert_eq!(reads_channel(&body), Ok(()), "{name}");
    }
    for (name, body) in examples::conclusion() {
        assert_eq!(reads_conclusion(&body), Ok(()), "{name}");
    }
    for (name, body) in examples::undoing() {
        assert_eq!(reads_undo(&body), Ok(()), "{name}");
    }
    for (name, body) in examples::new_webhook() {
        assert!(serde_json::from_value::<NewWebhook>(body).is_ok(), "{name}");
    }
    for (name, body) in examples::new_source() {
        assert!(serde_json::from_value::<NewSource>(body).is_ok(), "{name}");
    }
    for (name, body) in examples::source_change() {
        assert!(serde_json::from_value::<external::Definition>(body).is_ok(), "{name}");
    }
    for (name, body) in examples::new_variant() {
        assert!(serde_json::from_value::<Variant>(body).is_ok(), "{name}");
    }
}

fn without_key(mut body: Value) -> Value {
    body.as_object_mut().unwrap().remove("key");
    body
}

#[test]
fn example_events_are_taken_but_for_the_experiment_that_is_not_there() {
    for (name, body) in examples::events() {
        let text = body.to_string();
        let catalog = Catalog::default();
        let reading = Reading::new(&catalog, Trust::Server, Timestamp::from_micros(0));
        let intake = body::read(text.as_bytes(), reading).unwrap();
        assert_eq!(intake.events.len(), 1, "{name}: {:?}", intake.rejected);
        assert!(intake.rejected.iter().all(|rejected| rejected.reason == "unknown_experiment"), "{name}");
    }
    for (name, body) in examples::exposures() {
        let text = body.to_string();
        let catalog = Catalog::default();
        let reading = Reading::new(&catalog, Trust::Server, Timestamp::from_micros(0));
        let intake = exposure::read(text.as_bytes(), reading).unwrap();
        let reasons: Vec<_> = intake.rejected.iter().map(|rejected| rejected.reason).collect();
        assert_eq!((intake.events.len(), reasons), (0, vec!["unknown_experiment"]), "{name}");
    }
}

#[test]
fn event_types_are_those_that_are_taken() {
    let document = document();
    let types = schema(&document, "EventType")["enum"].as_array().unwrap();
    let read = |event_type: &Value| {
        let event = json!({"type": event_type, "event": "x", "userId": "u", "previousId": "a"}).to_string();
        let catalog = Catalog::default();
        body::read(event.as_bytes(), Reading::new(&catalog, Trust::Server, Timestamp::from_micros(0)))
            .unwrap()
    };
    assert!(types.iter().all(|event_type| read(event_type).rejected.is_empty()));
    let refused = read(&json!("?")).rejected.remove(0);
    let listed = refused.detail.rsplit("one of ").next().unwrap().split(", ").count();
    assert_eq!(listed, types.len(), "{}", refused.detail);
}
