//! Secrets in the configuration of a channel: named there, looked up here.

use crate::channel_instance::ChannelCreateError;
use serde_json::{Map, Value};

/// What a schema says where a secret goes.
const MARK: &str = "x-podium-secret";
const NAME: &str = "secret";
const VALUE: &str = "value";
/// How deep schemas are followed; a schema may refer to itself.
const DEPTH_MAX: usize = 64;

/// Puts the value beside the name of every secret in a configuration: `{"secret": "NAME"}` becomes
/// `{"secret": "NAME", "value": …}`, wherever the schema says that a secret goes. Everything else stays.
///
/// The result holds secrets: it is for the channel alone, not for a log or a table.
///
/// # Errors
///
/// [`ChannelCreateError::Config`] if there is no such secret, or its value stands in the configuration.
pub fn resolve_secrets(
    config_schema: &str,
    config_json: &str,
    find: &dyn Fn(&str) -> Option<String>,
) -> Result<String, ChannelCreateError> {
    let wrong = |text: String| ChannelCreateError::Config { text };
    let schema: Value = serde_json::from_str(config_schema).map_err(|error| wrong(error.to_string()))?;
    // What is no JSON is the channel's to refuse, with its own words.
    let Ok(mut config) = serde_json::from_str::<Value>(config_json) else {
        return Ok(config_json.to_owned());
    };
    let walk = Walk { root: &schema, find };
    let before = config.clone();
    walk.node(&schema, &mut config, "", 0).map_err(wrong)?;
    // The text as it was written, so that places in it stay what they are.
    Ok(if config == before { config_json.to_owned() } else { config.to_string() })
}

struct Walk<'a> {
    root: &'a Value,
    find: &'a dyn Fn(&str) -> Option<String>,
}

impl Walk<'_> {
    /// Looks at one value and the schema for it. `place` is a JSON pointer.
    fn node(&self, schema: &Value, config: &mut Value, place: &str, depth: usize) -> Result<(), String> {
        let (Some(schema), true) = (schema.as_object(), depth < DEPTH_MAX) else { return Ok(()) };
        if schema.get(MARK) == Some(&Value::Bool(true)) {
            return self.secret(config, place);
        }
        let reference = schema.get("$ref").and_then(Value::as_str).and_then(|at| at.strip_prefix('#'));
        if let Some(target) = reference.and_then(|pointer| self.root.pointer(pointer)) {
            self.node(target, config, place, depth + 1)?;
        }
        for choice in ["anyOf", "oneOf", "allOf"] {
            for schema in schema.get(choice).and_then(Value::as_array).into_iter().flatten() {
                self.node(schema, config, place, depth + 1)?;
            }
        }
        match config {
            Value::Object(members) => self.members(schema, members, place, depth),
            Value::Array(items) => {
                let Some(schema) = schema.get("items") else { return Ok(()) };
                let mut items = items.iter_mut().enumerate();
                items
                    .try_for_each(|(idx, item)| self.node(schema, item, &format!("{place}/{idx}"), depth + 1))
            }
            _ => Ok(()),
        }
    }

    fn members(
        &self,
        schema: &Map<String, Value>,
        members: &mut Map<String, Value>,
        place: &str,
        depth: usize,
    ) -> Result<(), String> {
        for (name, member) in members {
            let declared = schema.get("properties").and_then(|properties| properties.get(name));
            if let Some(schema) = declared.or_else(|| schema.get("additionalProperties")) {
                self.node(schema, member, &format!("{place}/{name}"), depth + 1)?;
            }
        }
        Ok(())
    }

    fn secret(&self, config: &mut Value, place: &str) -> Result<(), String> {
        // A form that the schema does not allow either is the channel's to refuse.
        let Some(members) = config.as_object_mut() else { return Ok(()) };
        let Some(name) = members.get(NAME).and_then(Value::as_str) else { return Ok(()) };
        let value = (self.find)(name);
        if members.contains_key(VALUE) {
            // Of two choices for one place, the first one has put it there.
            let is_ours = value.is_some_and(|value| members[VALUE] == value.as_str());
            return if is_ours {
                Ok(())
            } else {
                Err(format!("{place}: a secret is named, as {{\"secret\": \"NAME\"}}, and not written out"))
            };
        }
        let value = value.ok_or_else(|| format!("{place}: there is no secret {name:?} for this plugin"))?;
        members.insert(VALUE.into(), Value::from(value));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::resolve_secrets;

    const SCHEMA: &str = r##"{
        "type": "object",
        "properties": {
            "token": {"x-podium-secret": true, "type": "object"},
            "maybe": {"anyOf": [{"$ref": "#/$defs/Secret"}, {"type": "null"}]},
            "keys": {"type": "array", "items": {"$ref": "#/$defs/Secret"}},
            "named": {"type": "object", "additionalProperties": {"$ref": "#/$defs/Secret"}},
            "tree": {"$ref": "#/$defs/Tree"},
            "loop": {"$ref": "#/$defs/Loop"}
        },
        "$defs": {
            "Secret": {"x-podium-secret": true},
            "Tree": {"properties": {"of": {"$ref": "#/$defs/Tree"}, "key": {"$ref": "#/$defs/Secret"}}},
            "Loop": {"$ref": "#/$defs/Loop"}
        }
    }"##;

    fn resolve(config: &str) -> Result<String, String> {
        let find = |name: &str| (name == "A").then(|| "a\"1".to_owned());
        resolve_secrets(SCHEMA, config, &find).map_err(|error| error.to_string())
    }

    #[track_caller]
    fn check(config: &str, expected: &str) {
        assert_eq!(resolve(config).as_deref(), Ok(expected), "{config}");
    }

    #[test]
    fn secrets_are_looked_up_wherever_the_schema_has_them() {
        let there = r#"{"secret":"A","value":"a\"1"}"#;
        check(r#"{"token":{"secret":"A"}}"#, &format!(r#"{{"token":{there}}}"#));
        check(r#"{"maybe":{"secret":"A"}}"#, &format!(r#"{{"maybe":{there}}}"#));
        check(r#"{"maybe":null}"#, r#"{"maybe":null}"#);
        check(r#"{"keys":[{"secret":"A"}]}"#, &format!(r#"{{"keys":[{there}]}}"#));
        check(r#"{"named":{"x":{"secret":"A"}}}"#, &format!(r#"{{"named":{{"x":{there}}}}}"#));
        check(
            r#"{"tree":{"of":{"key":{"secret":"A"}}}}"#,
            &format!(r#"{{"tree":{{"of":{{"key":{there}}}}}}}"#),
        );
    }

    #[test]
    fn nothing_else_is_touched() {
        for config in
            [r#"{"other":{"secret":"A"}}"#, r#"{"token":"A"}"#, r#"{"loop":{"secret":"A"}}"#, "[", "7"]
        {
            check(config, config);
        }
    }

    #[test]
    fn unknown_and_written_out_secrets_are_refused_with_their_place() {
        let missing = resolve(r#"{"keys":[{"secret":"A"},{"secret":"B"}]}"#);
        assert_eq!(missing, Err("/keys/1: there is no secret \"B\" for this plugin".into()));
        let written = resolve(r#"{"token":{"secret":"A","value":"hunter2"}}"#).unwrap_err();
        assert!(
            written.starts_with("/token: a secret is named") && !written.contains("hunter2"),
            "{written}"
        );
    }
}
