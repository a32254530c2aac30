//! The tree of conditions against what reads it.

use super::super::examples;
use super::check::faults;
use super::readers::check_members;
use super::{document, schema};
use crate::api::audiences::{NewAudience, checked_name};
use podium_core::audience::Condition;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// One leaf of each shape.
fn leaves() -> Vec<Value> {
    let profile =
        |fact: &str, op: &str, value: Value| json!({"profile": {"fact": fact, "op": op, "value": value}});
    vec![
        json!({"profile": {"trait": "plan", "op": "eq", "value": "gold"}}),
        profile("orders", "gte", json!(1)),
        profile("rfm", "in", json!([555, 554])),
        profile("rfm_recency", "eq", json!(5)),
        profile("rfm_frequency", "eq", json!(5)),
        profile("rfm_monetary", "eq", json!(5)),
        profile("rfm_group", "eq", json!("champions")),
        profile("known", "eq", json!(true)),
        profile("first_seen", "within", json!("30d")),
        profile("last_seen", "not_within", json!("12h")),
        profile("first_order", "before", json!("2026-11-27T09:30:00Z")),
        profile("last_order", "after", json!("2026-11-27T09:30:00Z")),
        json!({"profile": {"fact": "revenue", "currency": "EUR", "op": "gt", "value": "89.90"}}),
        json!({"profile": {"fact": "category_views", "category": "shoes", "op": "gt", "value": 2}}),
        json!({"profile": {"fact": "consent", "category": "ads", "op": "ne", "value": true}}),
        json!({"cart": {"field": "value", "currency": "EUR", "op": "gte", "value": 100}}),
        json!({"cart": {"field": "quantity", "op": "gte", "value": 2}}),
        json!({"cart": {"field": "lines", "op": "not_in", "value": [0, 1]}}),
        json!({"cart": {"field": "product", "op": "starts_with", "value": "sku-"}}),
        json!({"cart": {"field": "category", "op": "in", "value": ["shoes"]}}),
        json!({"cart": {"field": "idle", "op": "gt", "value": "2h"}}),
        json!({"context": {"attribute": "utm.source", "op": "matches", "value": "^news"}}),
        json!({"device": {"field": "type", "op": "eq", "value": "mobile"}}),
        json!({"geo": {"field": "country", "op": "in", "value": ["DE", "AT"]}}),
        json!({"external": {"source": "erp", "field": "credit.limit", "op": "gte", "value": 500}}),
        json!({"time": {"after": "2026-11-01T00:00:00Z", "before": "2126-12-01T00:00:00Z"}}),
        json!({"time": {"days": ["mon"], "from": "09:00", "until": "17:30", "zone": "Europe/Berlin"}}),
        json!({"event": {"name": "Order Completed", "where": [{"property": "a", "op": "exists", "value": null}],
            "count": {"op": "gte", "value": 2}, "within": "7d"}}),
        json!({"event": {"name": "Order Completed", "where": [],
            "sum": {"property": "revenue", "op": "lt", "value": 7, "currency": "USD"}, "within": "2w"}}),
        json!({"event": {"name": "Order Completed", "last": {"op": "within", "value": "90s"}}}),
    ]
}

fn reads_audience(body: &Value) -> Result<(), String> {
    let new: NewAudience = serde_json::from_value(body.clone()).map_err(|error| error.to_string())?;
    checked_name(new.name).map_err(|problem| problem.to_string())?;
    Condition::parse(&new.condition).map(drop).map_err(|faults| format!("{faults:?}"))
}

#[test]
fn an_audience_is_read_as_its_schema_says() {
    let body = json!({"key": "k", "name": "n", "condition": {"audience": "vips"}});
    check_members("NewAudience", &body, "", reads_audience);
    for leaf in leaves() {
        let body = json!({"key": "k", "condition": {"all": [{"not": leaf}, {"any": [leaf]}]}});
        check_members("NewAudience", &body, "/condition/all/0", reads_audience);
        check_members("NewAudience", &body, "/condition", reads_audience);
    }
    for (name, body) in examples::new_audience() {
        assert_eq!(reads_audience(&body), Ok(()), "{name}");
    }
}

/// Which value goes with which operator, and the names of all zones, are what the schema says in words alone.
#[test]
fn each_leaf_is_read_as_its_schema_says() {
    let (document, mut n_probes) = (document(), 0);
    let condition = schema(&document, "Condition");
    let probes = [
        json!(null),
        json!(true),
        json!(1),
        json!(-1),
        json!(""),
        json!("x"),
        json!("30d"),
        json!([]),
        json!({}),
        json!({"?": 1}),
        json!("x".repeat(201)),
        json!(["x"]),
        json!("2026-11-27T09:30:00Z"),
    ];
    for leaf in leaves() {
        let (kind, members) = leaf.as_object().unwrap().iter().next().unwrap();
        let names =
            members.as_object().unwrap().keys().filter(|name| !["value", "zone"].contains(&name.as_str()));
        for name in names.map(String::as_str).chain(["?"]) {
            for probe in probes.iter().map(Some).chain([None]) {
                // Null counts as absent, which makes another kind of condition of these.
                if ["sum", "last"].contains(&name) && probe == Some(&Value::Null) {
                    continue;
                }
                let mut changed = leaf.clone();
                let object = changed[kind].as_object_mut().unwrap();
                match probe {
                    Some(probe) => object.insert(name.to_owned(), probe.clone()),
                    None => object.remove(name),
                };
                let (found, read) = (faults(&document, condition, &changed), Condition::parse(&changed));
                assert_eq!(found.is_empty(), read.is_ok(), "{changed}: {found:?}, {read:?}");
                n_probes += 1;
            }
        }
    }
    assert!(1_000 < n_probes, "{n_probes}");
}

#[test]
fn operators_are_those_of_the_kind_of_value() {
    let document = document();
    for (schema_name, mut leaf, at) in [
        ("Op", json!({"profile": {"trait": "a"}}), "/profile"),
        ("Op", json!({"context": {"attribute": "a"}}), "/context"),
        ("Op", json!({"geo": {"field": "a"}}), "/geo"),
        ("Op", json!({"event": {"name": "a", "where": [{"property": "b"}]}}), "/event/where/0"),
        ("NumberOp", json!({"profile": {"fact": "orders"}}), "/profile"),
        ("NumberOp", json!({"profile": {"fact": "revenue"}}), "/profile"),
        ("NumberOp", json!({"cart": {"field": "value"}}), "/cart"),
        ("TotalOp", json!({"event": {"name": "a", "count": {"value": 1}}}), "/event/count"),
        ("TotalOp", json!({"event": {"name": "a", "sum": {"property": "b", "value": 1}}}), "/event/sum"),
        ("TimeOp", json!({"profile": {"fact": "last_order"}}), "/profile"),
        ("FlagOp", json!({"profile": {"fact": "known"}}), "/profile"),
        ("WordOp", json!({"profile": {"fact": "rfm_group"}}), "/profile"),
        ("TextsOp", json!({"cart": {"field": "product"}}), "/cart"),
        ("AgeOp", json!({"cart": {"field": "idle"}}), "/cart"),
    ] {
        leaf.pointer_mut(at).unwrap()["op"] = json!("?");
        let found = Condition::parse(&leaf).unwrap_err();
        let fault = found.iter().find(|fault| fault.pointer == format!("{at}/op")).unwrap();
        let read: BTreeSet<&str> = fault.detail.strip_prefix("one of ").unwrap().split(", ").collect();
        let declared = schema(&document, schema_name)["enum"].as_array().unwrap();
        let declared: BTreeSet<&str> = declared.iter().map(|op| op.as_str().unwrap()).collect();
        assert_eq!(read, declared, "{leaf}");
    }
}
