//! As much of JSON Schema as the document uses.

use crate::auth::Scope;
use crate::origin::Origins;
use jiff::civil::Time;
use podium_core::audience::Span;
use podium_core::id::FlagKey;
use podium_core::time::Timestamp;
use serde_json::Value;

/// What keeps `value` from being what `schema` says, each with its JSON pointer.
///
/// Members that a schema does not declare are faults even where it does not forbid them.
pub(super) fn faults(document: &Value, schema: &Value, value: &Value) -> Vec<String> {
    let mut check = Check { document, faults: Vec::new() };
    check.value(schema, value, "");
    check.faults
}

struct Check<'a> {
    document: &'a Value,
    faults: Vec<String>,
}

impl Check<'_> {
    fn fault(&mut self, at: &str, what: impl std::fmt::Display) {
        self.faults.push(format!("{at}: {what}"));
    }

    fn value(&mut self, schema: &Value, value: &Value, at: &str) {
        for keyword in schema.as_object().into_iter().flatten().map(|(keyword, _)| keyword.as_str()) {
            assert!(KEYWORDS.contains(&keyword), "{keyword} is not checked here");
        }
        if let Some(to) = schema["$ref"].as_str() {
            let document = self.document;
            self.value(document.pointer(&to[1..]).unwrap(), value, at);
        }
        self.alternatives(schema, value, at);
        if let Some(wanted) = schema.get("type") {
            let types: Vec<_> = wanted.as_array().map_or(vec![wanted], |types| types.iter().collect());
            if !types.iter().any(|wanted| has_type(value, wanted.as_str().unwrap())) {
                self.fault(at, format_args!("{value} is no {wanted}"));
                return;
            }
        }
        if schema["enum"].as_array().is_some_and(|wanted| !wanted.contains(value)) {
            self.fault(at, format_args!("{value} is none of {}", schema["enum"]));
        }
        match value {
            Value::Number(number) => self.number(schema, number.as_f64().unwrap(), at),
            Value::String(text) => self.text(schema, text, at),
            Value::Array(items) => self.items(schema, items, at),
            Value::Object(members) => self.members(schema, members, at),
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn alternatives(&mut self, schema: &Value, value: &Value, at: &str) {
        for (keyword, only_one) in [("oneOf", true), ("anyOf", false)] {
            let Some(items) = schema[keyword].as_array() else { continue };
            let found: Vec<_> = items.iter().map(|item| faults(self.document, item, value)).collect();
            match found.iter().filter(|faults| faults.is_empty()).count() {
                0 => self.fault(at, format_args!("{value} fits none of {keyword}: {found:?}")),
                1 => {}
                n_fits if only_one => self.fault(at, format_args!("{value} fits {n_fits} of {keyword}")),
                _ => {}
            }
        }
    }

    fn number(&mut self, schema: &Value, number: f64, at: &str) {
        let bound = |keyword: &str| schema[keyword].as_f64();
        let fits = bound("minimum").is_none_or(|least| least <= number)
            && bound("maximum").is_none_or(|most| number <= most)
            && bound("exclusiveMinimum").is_none_or(|least| least < number)
            && bound("exclusiveMaximum").is_none_or(|most| number < most);
        if !fits {
            self.fault(at, format_args!("{number} is out of range"));
        }
    }

    fn text(&mut self, schema: &Value, text: &str, at: &str) {
        let length = text.chars().count() as u64;
        if schema["minLength"].as_u64().is_some_and(|least| length < least)
            || schema["maxLength"].as_u64().is_some_and(|most| most < length)
        {
            self.fault(at, format_args!("{length} characters"));
        }
        let letters = |n: usize| text.len() == n && text.bytes().all(|byte| byte.is_ascii_alphabetic());
        let fits = match schema["pattern"].as_str() {
            None => true,
            Some("^[A-Za-z0-9][A-Za-z0-9._-]*$") => FlagKey::new(text).is_ok(),
            Some("^[A-Za-z]{3}$") => letters(3),
            Some("^podium_(adm|srv|pub)_[0-9a-f]+_[0-9a-f]+$") => text.starts_with("podium_"),
            Some("^[0-9]+[smhdw]$") => Span::parse(text).is_some(),
            Some("^([01][0-9]|2[0-3]):[0-5][0-9]$") => {
                Time::strptime("%H:%M", text).is_ok() && text.len() == 5
            }
            Some(r"^[A-Za-z][A-Za-z0-9+.-]*://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]+)?$") => {
                Origins::new(Scope::Publishable, &[text.to_owned()]).is_ok()
            }
            Some(r"^3\.1\.") => text.starts_with("3.1."),
            Some(other) => panic!("{other} is not checked here"),
        };
        if !fits || (schema["format"] == "date-time" && Timestamp::parse(text).is_err()) {
            self.fault(at, format_args!("{text:?} does not match"));
        }
    }

    fn items(&mut self, schema: &Value, items: &[Value], at: &str) {
        let n_items = items.len() as u64;
        if schema["minItems"].as_u64().is_some_and(|least| n_items < least)
            || schema["maxItems"].as_u64().is_some_and(|most| most < n_items)
        {
            self.fault(at, format_args!("{n_items} items"));
        }
        if let Some(wanted) = schema.get("items") {
            for (item_idx, item) in items.iter().enumerate() {
                self.value(wanted, item, &format!("{at}/{item_idx}"));
            }
        }
    }

    fn members(&mut self, schema: &Value, members: &serde_json::Map<String, Value>, at: &str) {
        for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !members.contains_key(name) {
                self.fault(at, format_args!("{name} is missing"));
            }
        }
        let n_members = members.len() as u64;
        if schema["minProperties"].as_u64().is_some_and(|least| n_members < least)
            || schema["maxProperties"].as_u64().is_some_and(|most| most < n_members)
        {
            self.fault(at, format_args!("{n_members} members"));
        }
        let declared = schema["properties"].as_object();
        for (name, value) in members {
            let at = format!("{at}/{name}");
            let wanted =
                declared.and_then(|declared| declared.get(name)).unwrap_or(&schema["additionalProperties"]);
            match wanted {
                Value::Object(_) => self.value(wanted, value, &at),
                Value::Null if declared.is_none() => {}
                Value::Bool(true) => {}
                _ => self.fault(&at, "is not declared"),
            }
        }
    }
}

/// What is checked, and what says nothing about a value.
const KEYWORDS: [&str; 28] = [
    "$ref",
    "additionalProperties",
    "anyOf",
    "default",
    "description",
    "enum",
    "examples",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "format",
    "items",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minItems",
    "minLength",
    "minProperties",
    "minimum",
    "oneOf",
    "pattern",
    "properties",
    "propertyNames",
    "required",
    "title",
    "type",
    "writeOnly",
    "readOnly",
];

fn has_type(value: &Value, wanted: &str) -> bool {
    match wanted {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("{other} is no type"),
    }
}

#[test]
fn faults_are_found_and_named() {
    #[track_caller]
    fn check(schema: &Value, value: &Value, expected: &[&str]) {
        let found = faults(&Value::Null, schema, value);
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.contains(expected), "{found}");
        }
    }
    use serde_json::json;
    let object =
        json!({"type": "object", "required": ["a"], "properties": {"a": {"type": "integer", "minimum": 1}}});
    check(&object, &json!({"a": 1}), &[]);
    check(&object, &json!({}), &["a is missing"]);
    check(&object, &json!({"a": 0, "b": 1}), &["/a: 0 is out of range", "/b: is not declared"]);
    check(&object, &json!({"a": 1.5}), &["/a: 1.5 is no \"integer\""]);
    check(&object, &json!([]), &["[] is no \"object\""]);
    let either = json!({"oneOf": [{"type": "null"}, {"type": "string", "enum": ["x"]}]});
    check(&either, &json!("x"), &[]);
    check(&either, &json!("y"), &["fits none of oneOf"]);
    check(&json!({"oneOf": [{}, {"type": "null"}]}), &Value::Null, &["fits 2 of oneOf"]);
    check(
        &json!({"type": "array", "maxItems": 1, "items": either}),
        &json!([null, 1]),
        &["2 items", "/1: 1 fits none"],
    );
    check(&json!({"type": ["string", "null"], "maxLength": 2}), &json!("äöü"), &["3 characters"]);
    check(&json!({"format": "date-time"}), &json!("today"), &["does not match"]);
}
