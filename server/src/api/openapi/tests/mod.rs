//! The document against what the server really does.

mod bodies;
mod check;
mod conditions;
mod delivery;
mod mirrors;
mod readers;
mod reports;
mod routes;
mod shop;
mod shoppers;

use super::document_of;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;

/// Where the document is committed.
const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");

fn document() -> Value {
    serde_json::to_value(document_of()).unwrap()
}

/// The operations, by method and path.
fn operations(document: &Value) -> BTreeMap<(String, String), Value> {
    let paths = document["paths"].as_object().unwrap();
    let of_path = |(path, item): (&String, &Value)| {
        let path = path.clone();
        let methods = item.as_object().unwrap().clone();
        methods.into_iter().map(move |(method, operation)| ((method.to_uppercase(), path.clone()), operation))
    };
    paths.iter().flat_map(of_path).collect()
}

/// A schema of the document by its name.
fn schema<'a>(document: &'a Value, name: &str) -> &'a Value {
    let found = &document["components"]["schemas"][name];
    assert!(found.is_object(), "there is no schema {name}");
    found
}

#[test]
fn the_committed_document_is_the_generated_one() {
    let mut generated = document_of().to_pretty_json().unwrap();
    generated.push('\n');
    if std::env::var_os("PODIUM_UPDATE_OPENAPI").is_some() {
        fs::write(FILE, &generated).unwrap();
    }
    let committed = fs::read_to_string(FILE).unwrap_or_default();
    let differs = committed.lines().zip(generated.lines()).position(|(before, after)| before != after);
    assert!(
        committed == generated,
        "server/openapi.json differs from line {:?} on; make it anew: PODIUM_UPDATE_OPENAPI=1 cargo test -p podium-server openapi",
        differs.map(|line_idx| line_idx + 1),
    );
}

#[test]
fn what_is_served_is_the_document() {
    assert_eq!(serde_json::from_str::<Value>(&super::DOCUMENT).unwrap(), document());
    assert_eq!(document()["openapi"], "3.1.0");
}

#[test]
fn every_reference_leads_somewhere() {
    fn follow(document: &Value, value: &Value, n_followed: &mut usize) {
        match value {
            Value::Object(members) => {
                if let Some(to) = members.get("$ref").and_then(Value::as_str) {
                    let pointer = to.strip_prefix('#').unwrap();
                    assert!(document.pointer(pointer).is_some(), "{to}");
                    *n_followed += 1;
                }
                members.values().for_each(|value| follow(document, value, n_followed));
            }
            Value::Array(items) => items.iter().for_each(|value| follow(document, value, n_followed)),
            _ => {}
        }
    }
    let document = document();
    let mut n_followed = 0;
    follow(&document, &document, &mut n_followed);
    assert!(300 < n_followed, "{n_followed}");
}

#[test]
fn everything_has_a_description_and_a_name_of_its_own() {
    let document = document();
    let mut ids = std::collections::BTreeSet::new();
    for ((method, path), operation) in operations(&document) {
        let id = operation["operationId"].as_str().unwrap();
        assert!(ids.insert(id.to_owned()), "{id} is there twice");
        assert!(operation["summary"].is_string(), "{method} {path}");
        assert!(operation["tags"][0].is_string(), "{method} {path}");
    }
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        assert!(schema["description"].is_string(), "{name} has no description");
    }
}
