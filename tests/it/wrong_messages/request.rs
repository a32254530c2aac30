//! A good request to send, and what can be wrong with one.

use serde_json::{Value, json};

/// A request that is taken.
pub(super) fn good() -> Value {
    json!({
        "channel": "mail",
        "content": {"subject": "Hello {{ name }}", "text": "Your bag waits."},
        "to": [
            {"unit": "u-1", "address": {"email": "ann@example.com"}, "fields": {"name": "Ann"}},
            {"unit": "u-2", "address": "bob@example.com"}
        ],
        "purpose": "transactional",
        "collapse_key": "bag",
        "expires_in_s": 60
    })
}

/// Places a value in a copy of the good request.
pub(super) fn with(pointer: &str, value: Value) -> Value {
    let mut request = good();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = request.pointer_mut(parent).unwrap();
    match parent.as_array_mut() {
        Some(list) => list[name.parse::<usize>().unwrap()] = value,
        None => parent[name] = value,
    }
    request
}

/// The good request without a member.
pub(super) fn without(pointer: &str) -> Value {
    let mut request = good();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    request.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(name).unwrap();
    request
}

/// Requests that are wrong, each with the place that must be named.
pub(super) fn wrong_fields() -> Vec<(Value, &'static str)> {
    let many: Vec<Value> = (0..1_001)
        .map(|n| json!({"unit": format!("u-{n}"), "address": format!("{n}@example.com")}))
        .collect();
    vec![
        (with("/chanel", json!("mail")), "/chanel"),
        (with("/to/0/adress", json!("x")), "/to/0/adress"),
        (with("/to", json!({"unit": "u", "address": "a@example.com", "name": "Ann"})), "/to/name"),
        (without("/channel"), "/channel"),
        (without("/to"), "/to"),
        (without("/to/1/unit"), "/to/1/unit"),
        (without("/to/1/address"), "/to/1/address"),
        (with("/to", json!({"address": "a@example.com"})), "/to/unit"),
        (with("/to", json!({"unit": "", "address": "a@example.com"})), "/to/unit"),
        (without("/content"), "/flag"),
        (with("/flag", json!("banner")), "/flag"),
        (with("/content", Value::Null), "/flag"),
        (with("/flag", json!(7)), "/flag"),
        (with("/flag", json!("a/b")), "/flag"),
        (with("/channel", json!("a b")), "/channel"),
        (with("/channel", json!("")), "/channel"),
        (with("/channel", json!("a\0b")), "/channel"),
        (with("/channel", json!("x".repeat(101))), "/channel"),
        (with("/channel", json!(["mail"])), "/channel"),
        (with("/channel", Value::Null), "/channel"),
        (with("/channel", json!("slots")), "/channel"),
        (with("/to", json!([])), "/to"),
        (with("/to", json!("ann@example.com")), "/to"),
        (with("/to", json!(7)), "/to"),
        (with("/to", Value::Null), "/to"),
        (with("/to", json!(many)), "/to"),
        (with("/to/1", json!("ann@example.com")), "/to/1"),
        (with("/to/1", Value::Null), "/to/1"),
        (with("/to/1", json!([])), "/to/1"),
        (with("/purpose", json!("spam")), "/purpose"),
        (with("/purpose", Value::Null), "/purpose"),
        (with("/collapse_key", json!(7)), "/collapse_key"),
        (with("/collapse_key", json!("x".repeat(256))), "/collapse_key"),
        (with("/collapse_key", json!("a\0")), "/collapse_key"),
        (with("/send_at", json!("soon")), "/send_at"),
        (with("/send_at", json!(1_764_000_000)), "/send_at"),
        (with("/send_at", json!("2999-01-01T00:00:00Z")), "/send_at"),
        (with("/expires_in_s", json!(0)), "/expires_in_s"),
        (with("/expires_in_s", json!(-1)), "/expires_in_s"),
        (with("/expires_in_s", json!(0.5)), "/expires_in_s"),
        (with("/expires_in_s", json!("60")), "/expires_in_s"),
        (with("/expires_in_s", json!(u64::MAX)), "/expires_in_s"),
        (with("/expires_in_s", json!(30 * 86_400 + 1)), "/expires_in_s"),
    ]
}

/// Recipients that are wrong, the second of two.
pub(super) fn wrong_recipients() -> Vec<(Value, &'static str)> {
    let unit = |value: Value| (with("/to/1/unit", value), "/to/1/unit");
    let address = |value: Value| (with("/to/1/address", value), "/to/1/address");
    let fields = |value: Value, place| (with("/to/1/fields", value), place);
    let many: serde_json::Map<String, Value> = (0..65).map(|n| (format!("f{n}"), json!(n))).collect();
    vec![
        unit(Value::Null),
        unit(json!(7)),
        unit(json!("")),
        unit(json!("a\0b")),
        unit(json!("x".repeat(256))),
        unit(json!({"id": "u"})),
        address(Value::Null),
        address(json!(7)),
        address(json!(true)),
        address(json!([])),
        address(json!(["bob@example.com"])),
        address(json!("")),
        address(json!(" \t")),
        address(json!({})),
        address(json!({"email": ""})),
        address(json!("bob\0@example.com")),
        address(json!({"email": "bob\0@example.com"})),
        address(json!({"to": [{"deep": "\0"}]})),
        address(json!({"e\0mail": "bob@example.com"})),
        address(json!("x".repeat(4_097))),
        address(json!({"email": "bob@example.com", "name": "x".repeat(4_097)})),
        // One address in three spellings.
        address(json!({"email": "ann@example.com"})),
        address(json!("ANN@example.com")),
        address(json!({"mail": {"email": " Ann@Example.com"}})),
        fields(json!(7), "/to/1/fields"),
        fields(json!([1]), "/to/1/fields"),
        fields(Value::Null, "/to/1/fields"),
        fields(json!(many), "/to/1/fields"),
        fields(json!({"name": {}}), "/to/1/fields/name"),
        fields(json!({"name": ["Ann"]}), "/to/1/fields/name"),
        fields(json!({"name": "a\0"}), "/to/1/fields/name"),
        fields(json!({"name": "x".repeat(4_097)}), "/to/1/fields/name"),
        fields(json!({"": "x"}), "/to/1/fields/"),
        fields(json!({"a/b~c": {}}), "/to/1/fields/a~1b~0c"),
        fields(json!({"n\0": "x"}), "/to/1/fields/n\0"),
        fields(
            json!({"podium.unsubscribe_url": "https://evil.example"}),
            "/to/1/fields/podium.unsubscribe_url",
        ),
    ]
}
