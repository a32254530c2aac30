//! What shoppers did, as another system tells it by webhook.

use serde::Serialize;
use serde_json::{Map, Value};

/// One thing that a shopper did, in Segment's words, by [`Call::track`](crate::Call::track): the server takes it
/// as it takes an event of the shop's own server.
///
/// A message id counts once. So it is made of what the webhook request says (its id, for example), and a request
/// that comes again counts no order twice.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TrackEvent {
    #[serde(rename = "type")]
    call: &'static str,
    event: String,
    message_id: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    user_id: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    anonymous_id: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    timestamp: String,
    properties: Map<String, Value>,
}

impl TrackEvent {
    /// Begins an event, such as `Order Completed`, under an id that no other has. It needs whoever did it, too.
    pub fn new(event: impl Into<String>, message_id: impl Into<String>) -> Self {
        Self {
            call: "track",
            event: event.into(),
            message_id: message_id.into(),
            user_id: String::new(),
            anonymous_id: String::new(),
            timestamp: String::new(),
            properties: Map::new(),
        }
    }

    /// Names the shopper by the id that the shop knows.
    #[must_use]
    pub fn user_id(self, user_id: impl Into<String>) -> Self {
        Self { user_id: user_id.into(), ..self }
    }

    /// Names the shopper by the id of a browser or a cart.
    #[must_use]
    pub fn anonymous_id(self, anonymous_id: impl Into<String>) -> Self {
        Self { anonymous_id: anonymous_id.into(), ..self }
    }

    /// Says when it happened, as RFC 3339; when it arrived, if it is not said.
    #[must_use]
    pub fn timestamp(self, timestamp: impl Into<String>) -> Self {
        Self { timestamp: timestamp.into(), ..self }
    }

    /// Adds a property; null is none. Amounts are texts of major units, such as `"89.90"`: they stay exact.
    #[must_use]
    pub fn property(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        let value = value.into();
        if !value.is_null() {
            self.properties.insert(name.into(), value);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::TrackEvent;
    use serde_json::{Value, json};

    #[test]
    fn an_event_is_written_in_segments_words() {
        let event = TrackEvent::new("Order Completed", "w-1")
            .user_id("7")
            .timestamp("2026-01-05T10:00:00+01:00")
            .property("revenue", "89.90")
            .property("coupon", Value::Null);
        let expected = json!({
            "type": "track", "event": "Order Completed", "messageId": "w-1", "userId": "7",
            "timestamp": "2026-01-05T10:00:00+01:00", "properties": {"revenue": "89.90"},
        });
        assert_eq!(serde_json::to_value(event).unwrap(), expected);
    }
}
