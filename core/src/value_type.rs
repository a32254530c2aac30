//! What sort of value a flag has, so that typed clients get what they were promised.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Integers beyond this are not exact in every client.
pub(crate) const INTEGER_MAX: i64 = 1 << 53;

/// What every content of a flag is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ValueType {
    /// `true` or `false`.
    Boolean,
    /// A text.
    String,
    /// A whole number within ±2^53.
    Integer,
    /// A number, always written with a decimal point.
    Float,
    /// An object or a list.
    Object,
}

impl ValueType {
    /// The name that people write.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Boolean => "boolean",
            Self::String => "string",
            Self::Integer => "integer",
            Self::Float => "float",
            Self::Object => "object",
        }
    }

    /// What a content is by its own form; `None` for `null`.
    pub fn of(content: &Value) -> Option<Self> {
        match content {
            Value::Null => None,
            Value::Bool(_) => Some(Self::Boolean),
            Value::String(_) => Some(Self::String),
            Value::Number(number) if number.is_f64() => Some(Self::Float),
            Value::Number(_) => Some(Self::Integer),
            Value::Array(_) | Value::Object(_) => Some(Self::Object),
        }
    }

    /// The content as a value of this type: a whole number becomes a float where floats are declared.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn checked(self, content: Value) -> Result<Value, String> {
        let found = match &content {
            Value::Number(number) if self == Self::Float => {
                return number.as_f64().map(Value::from).ok_or_else(|| "a finite number".to_owned());
            }
            Value::Number(number) if self == Self::Integer => {
                let within = number.as_i64().is_some_and(|whole| whole.abs() <= INTEGER_MAX);
                return if within { Ok(content) } else { Err("a whole number within ±2^53".to_owned()) };
            }
            content => Self::of(content),
        };
        if found == Some(self) {
            Ok(content)
        } else {
            let found = found.map_or("null", Self::as_str);
            Err(format!("the flag's values are of type {}, this is {found}", self.as_str()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_float_is_written_with_its_point() {
        let written = |content: Value| ValueType::Float.checked(content).unwrap().to_string();
        assert_eq!(written(json!(8)), "8.0");
        assert_eq!(written(json!(8.25)), "8.25");
        assert_eq!(written(json!(-0)), "0.0");
    }

    #[test]
    fn a_content_of_another_type_is_refused() {
        let types =
            [ValueType::Boolean, ValueType::String, ValueType::Integer, ValueType::Float, ValueType::Object];
        let contents = [json!(true), json!("a"), json!(8), json!(8.5), json!({ "a": 1 })];
        for declared in types {
            for (content, own) in contents.iter().zip(types) {
                let fits = declared == own || (declared, own) == (ValueType::Float, ValueType::Integer);
                assert_eq!(declared.checked(content.clone()).is_ok(), fits, "{content} as {declared:?}");
            }
            assert!(declared.checked(Value::Null).is_err());
        }
        assert!(ValueType::Object.checked(json!([1, 2])).is_ok());
        assert!(ValueType::Integer.checked(json!((1_i64 << 53) + 1)).is_err());
        assert!(ValueType::Integer.checked(json!(u64::MAX)).is_err());
    }
}
