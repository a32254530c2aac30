//! Settings that nobody may read.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _};
use std::borrow::Cow;
use std::fmt;

/// A password, a token or a key: named in the settings as `{"secret": "NAME"}`, looked up by the server.
///
/// It is never printed and never serialized. [`Secret::reveal`] lends it; do not log it.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Lends the secret itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        /// What the server makes of a reference.
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Resolved {
            secret: String,
            value: Option<String>,
        }
        // Serde's own message would print what is there, and that may be a secret.
        let resolved = Resolved::deserialize(deserializer).map_err(|_| {
            D::Error::custom(r#"a secret is named, as {"secret": "NAME"}, and not written out"#)
        })?;
        let missing = || D::Error::custom(format_args!("the secret {:?} was not looked up", resolved.secret));
        resolved.value.map(Self).ok_or_else(missing)
    }
}

impl JsonSchema for Secret {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Secret".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "x-podium-secret": true,
            "description": "The name of a secret that the server knows.",
            "properties": { "secret": { "type": "string", "minLength": 1 } },
            "required": ["secret"],
            "additionalProperties": false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Secret;

    #[track_caller]
    fn refused(json: &str) -> String {
        serde_json::from_str::<Secret>(json).unwrap_err().to_string()
    }

    #[test]
    fn a_looked_up_secret_is_lent_and_never_printed() {
        let secret: Secret = serde_json::from_str(r#"{"secret": "TOKEN", "value": "s3cr3t"}"#).unwrap();
        assert_eq!(secret.reveal(), "s3cr3t");
        assert_eq!(format!("{secret:?} {:#?}", Some(&secret)), "Secret(…) Some(\n    Secret(…),\n)");
    }

    #[test]
    fn what_is_no_reference_is_refused_without_repeating_it() {
        for json in [r#""s3cr3t""#, r#"{"value": "s3cr3t"}"#, r#"{"secret": "A", "value": "b", "s3cr3t": 1}"#]
        {
            let text = refused(json);
            assert!(text.starts_with("a secret is named") && !text.contains("s3cr3t"), "{text}");
        }
        assert_eq!(refused(r#"{"secret": "TOKEN"}"#), "the secret \"TOKEN\" was not looked up");
    }

    #[test]
    fn its_schema_says_that_it_is_a_reference() {
        let schema = schemars::schema_for!(Option<Secret>).to_value().to_string();
        assert!(schema.contains(r#""x-podium-secret":true"#), "{schema}");
    }
}
