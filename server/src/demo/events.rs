//! The events that the demo's shops send, in the Segment vocabulary.
//!
//! A message id is a function of the log, so that sending it twice changes nothing. There is no `sentAt`: the
//! times are history's, not a wrong clock's.

use jiff::Timestamp;
use serde_json::{Value, json};

/// A moment in milliseconds since 1970, as RFC 3339 in UTC.
fn rfc3339(at_ms: i64) -> String {
    Timestamp::from_millisecond(at_ms).map(|moment| moment.to_string()).unwrap_or_default()
}

fn track(event: &str, unit: &str, (message_id, at_ms): (String, i64), properties: &Value) -> Value {
    json!({
        "type": "track",
        "event": event,
        "messageId": message_id,
        "userId": unit,
        "timestamp": rfc3339(at_ms),
        "properties": properties,
    })
}

/// That a unit was shown a variant.
pub(super) struct Viewed<'a> {
    pub(super) experiment: &'a str,
    pub(super) unit: &'a str,
    pub(super) variant: &'a str,
    pub(super) at_ms: i64,
    /// The probability that it got this variant, if whoever assigned it says so.
    pub(super) propensity: Option<f64>,
}

impl Viewed<'_> {
    pub(super) fn to_event(&self) -> Value {
        let mut properties = json!({ "experiment_id": self.experiment, "variation_id": self.variant });
        if let (Some(propensity), Some(fields)) = (self.propensity, properties.as_object_mut()) {
            fields.insert("propensity".to_owned(), propensity.into());
        }
        let message_id = format!("{}/{}/viewed", self.experiment, self.unit);
        track("Experiment Viewed", self.unit, (message_id, self.at_ms), &properties)
    }
}

/// That a unit bought something.
pub(super) struct Ordered<'a> {
    pub(super) unit: &'a str,
    pub(super) order_id: &'a str,
    pub(super) at_ms: i64,
    pub(super) cents: i64,
    /// What was bought: product and quantity.
    pub(super) product: (&'a str, u32),
}

impl Ordered<'_> {
    pub(super) fn to_event(&self) -> Value {
        let (product_id, quantity) = self.product;
        let properties = json!({
            "order_id": self.order_id,
            "revenue": format!("{}.{:02}", self.cents / 100, self.cents % 100),
            "currency": "USD",
            "products": [{ "product_id": product_id, "quantity": quantity }],
        });
        let message_id = format!("{}/completed", self.order_id);
        track("Order Completed", self.unit, (message_id, self.at_ms), &properties)
    }
}

/// That a unit clicked on what it was shown.
pub(super) struct Clicked<'a> {
    pub(super) unit: &'a str,
    pub(super) product_id: &'a str,
    pub(super) position: u32,
    pub(super) at_ms: i64,
}

impl Clicked<'_> {
    pub(super) fn to_event(&self) -> Value {
        let properties = json!({ "product_id": self.product_id, "position": self.position });
        track("Product Clicked", self.unit, (format!("{}/clicked", self.unit), self.at_ms), &properties)
    }
}
