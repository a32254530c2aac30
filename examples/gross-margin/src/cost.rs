//! What the goods of an order cost.

use podium_plugin::prelude::*;
use serde_json::Value;
use std::collections::BTreeMap;

/// The property of an event that lists its products.
pub(crate) const PRODUCTS: &str = "products";

/// Where costs come from.
pub(crate) enum Cost {
    /// From the settings.
    Listed { costs: BTreeMap<String, u32>, otherwise: u32 },
    /// From this property of each product.
    Told { property: String },
}

/// One line of an order. What it says is input: it may be anything.
#[derive(Deserialize)]
struct Line {
    product_id: Option<Value>,
    sku: Option<Value>,
    quantity: Option<Value>,
}

impl Cost {
    pub(crate) fn new(
        costs: BTreeMap<String, u32>,
        otherwise: Option<u32>,
        line_cost: Option<String>,
    ) -> Result<Self> {
        match (otherwise, line_cost) {
            (Some(otherwise), None) => Ok(Self::Listed { costs, otherwise }),
            (None, Some(property)) if costs.is_empty() => {
                if property.is_empty() || property.contains(['.', '[']) {
                    return Err(Error::config("`line_cost` is the name of a property of each product"));
                }
                Ok(Self::Told { property })
            }
            (None, None) => Err(Error::config(
                "say what goods cost: `costs` and `otherwise`, in minor units, or `line_cost`, a property",
            )),
            (_, Some(_)) => Err(Error::config("`line_cost` takes the place of `costs` and `otherwise`")),
        }
    }

    /// Adds up what the goods of an event cost, in minor units. An event without products has none.
    pub(crate) fn of(&self, event: &Event<'_>, column: usize) -> i64 {
        match self {
            Self::Told { .. } => event.money(column).map_or(0, |cost| cost as i64),
            Self::Listed { costs, otherwise } => {
                let lines: Vec<Line> =
                    event.json(column).and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default();
                let cost = |line: &Line| {
                    let of_name = |name: &Option<Value>| costs.get(&text(name.as_ref()?)?);
                    let piece = of_name(&line.product_id).or_else(|| of_name(&line.sku)).unwrap_or(otherwise);
                    i64::from(*piece).saturating_mul(i64::from(quantity(line.quantity.as_ref())))
                };
                lines.iter().map(cost).fold(0, i64::saturating_add)
            }
        }
    }
}

/// An id, which may be a number.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// How many pieces: a whole number; 1 if it is none.
fn quantity(value: Option<&Value>) -> u32 {
    value.and_then(text).and_then(|text| text.parse().ok()).unwrap_or(1)
}
