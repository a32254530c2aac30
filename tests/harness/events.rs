//! What a shop sends, in the Segment vocabulary.

use serde_json::{Value, json};

/// An amount in cents.
pub(crate) type Minor = i64;

/// The first moment of made-up history: midnight UTC about 60 days ago, in milliseconds.
pub(crate) fn history() -> i64 {
    const DAY_MS: i64 = 86_400_000;
    let now = now();
    now - now.rem_euclid(DAY_MS) - 60 * DAY_MS
}

/// The present moment, in milliseconds.
pub(crate) fn now() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

pub(crate) fn rfc3339(at_ms: i64) -> String {
    let moment = jiff::Timestamp::from_millisecond(at_ms).unwrap();
    format!("{moment:.3}")
}

/// Writes cents as decimal text in major units.
pub(crate) fn major(cents: Minor) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}

/// Builds any event. Without `sentAt`: the time is history's, not a wrong clock's.
pub(crate) fn track(unit: &str, event: &str, message_id: &str, at_ms: i64, properties: &Value) -> Value {
    let timestamp = rfc3339(at_ms);
    json!({"type": "track", "event": event, "messageId": message_id, "userId": unit, "timestamp": timestamp, "properties": properties})
}

/// Says that `unit` was shown `variant`.
pub(crate) fn viewed(unit: &str, experiment: &str, variant: &str, at_ms: i64) -> Value {
    let message_id = format!("{experiment}/{unit}/{variant}/viewed-{at_ms}");
    let properties = json!({"experiment_id": experiment, "variation_id": variant});
    track(unit, "Experiment Viewed", &message_id, at_ms, &properties)
}

/// Says that `unit` bought for `cents`.
pub(crate) fn order(unit: &str, order_id: &str, cents: Minor, at_ms: i64) -> Value {
    let properties = json!({"order_id": order_id, "revenue": major(cents), "currency": "USD"});
    track(unit, "Order Completed", &format!("{order_id}/completed"), at_ms, &properties)
}

/// Says that `cents` of an order were given back; all of it if it names no amount.
pub(crate) fn refund(unit: &str, order_id: &str, cents: Option<Minor>, at_ms: i64) -> Value {
    let mut properties = json!({"order_id": order_id, "currency": "USD"});
    if let Some(cents) = cents {
        properties["total"] = json!(major(cents));
    }
    let message_id = format!("{order_id}/refunded-{at_ms}");
    track(unit, "Order Refunded", &message_id, at_ms, &properties)
}

/// Says that an order is void.
pub(crate) fn cancel(unit: &str, order_id: &str, at_ms: i64) -> Value {
    let properties = json!({"order_id": order_id});
    track(unit, "Order Cancelled", &format!("{order_id}/cancelled"), at_ms, &properties)
}

/// Says that `unit` opened a page.
pub(crate) fn page(unit: &str, at_ms: i64) -> Value {
    let timestamp = rfc3339(at_ms);
    json!({"type": "page", "messageId": format!("{unit}/page-{at_ms}"), "userId": unit, "timestamp": timestamp,
        "properties": {"path": "/", "url": "https://shop.example/"}})
}
