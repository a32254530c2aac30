//! What variants contain, and what sort of value it is.

use super::{Definition, Variant};
use crate::fault::Faults;
use crate::value_type::ValueType;

impl Definition {
    /// What sort of value the flag has: the declared one, else that of the control's content, a float if any content is
    /// one. `None`: the control has no content.
    pub fn value_type(&self) -> Option<ValueType> {
        if self.value_type.is_some() {
            return self.value_type;
        }
        let own = ValueType::of(&self.variants.get(self.control_idx())?.content)?;
        let is_float = |variant: &Variant| ValueType::of(&variant.content) == Some(ValueType::Float);
        let widens = own == ValueType::Integer && self.variants.iter().any(is_float);
        Some(if widens { ValueType::Float } else { own })
    }

    /// Every content is of one type. Where none was declared a variant may have no content at all.
    pub(super) fn check_contents(&mut self, faults: &mut Faults) {
        let is_declared = self.value_type.is_some();
        let Some(value_type) = self.value_type() else { return };
        for (variant_idx, variant) in self.variants.iter_mut().enumerate() {
            if variant.content.is_null() && !is_declared {
                continue;
            }
            match value_type.checked(variant.content.clone()) {
                Ok(content) => variant.content = content,
                Err(detail) => faults.add(format!("/variants/{variant_idx}/content"), detail),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn with(value_type: Option<ValueType>, contents: [Value; 2]) -> Definition {
        let variants =
            contents.map(|content| json!({"key": content.to_string().len().to_string(), "content": content}));
        let definition =
            json!({"variants": variants, "primary_metric": "conversion", "value_type": value_type});
        serde_json::from_value(definition).unwrap()
    }

    #[test]
    fn a_flag_has_the_type_that_is_declared_or_else_that_of_its_control() {
        use ValueType::{Float, Integer, Object};
        for (declared, contents, found) in [
            (Some(Float), [json!(1), json!(2)], Some(Float)),
            (None, [json!(1), json!(2)], Some(Integer)),
            (None, [json!(1), json!(2.5)], Some(Float)),
            (None, [json!([]), Value::Null], Some(Object)),
            (None, [Value::Null, json!(1)], None),
        ] {
            assert_eq!(with(declared, contents.clone()).value_type(), found, "{contents:?}");
        }
    }

    #[test]
    fn contents_are_kept_as_values_of_the_type() {
        let definition = with(Some(ValueType::Float), [json!(8), json!(25)]).checked().unwrap();
        let written: Vec<String> =
            definition.variants.iter().map(|variant| variant.content.to_string()).collect();
        assert_eq!(written, ["8.0", "25.0"]);
    }

    #[test]
    fn only_an_undeclared_type_lets_a_variant_be_without_content() {
        let faults = |value_type| with(value_type, [json!("text"), Value::Null]).checked().err();
        assert_eq!(faults(None), None);
        let faults = faults(Some(ValueType::String)).unwrap();
        let pointers: Vec<&str> = faults.iter().map(|fault| fault.pointer.as_str()).collect();
        assert_eq!(pointers, ["/variants/1/content"]);
    }
}
