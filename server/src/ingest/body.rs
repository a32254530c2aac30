//! The body of an ingest request: one event, a list of them, or a batch.

use super::event::{EVENTS_MAX, Reading, Rejection, read_instant};
use crate::catalog::Catalog;
use crate::store::rejected::RejectedEvent;
use podium_core::metric::json::{Object, plain_text};
use podium_core::projection::{StoredEvent, Trust};
use podium_core::time::Timestamp;
use serde_json::value::RawValue;

/// A body that holds no events at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadBody {
    /// Not JSON.
    #[error("the body is not JSON: {0}")]
    NotJson(String),
    /// JSON of another shape.
    #[error("{detail}")]
    Shape { pointer: &'static str, detail: String },
}

/// What was read of a body.
#[derive(Debug)]
pub(crate) struct Intake {
    /// The events that are good.
    pub(crate) events: Vec<StoredEvent>,
    /// Those that are not, each with its position.
    pub(crate) rejected: Vec<Rejected>,
}

/// An event that is not taken.
#[derive(Debug, serde::Serialize)]
pub(crate) struct Rejected {
    /// Its position in the request.
    pub(crate) index: usize,
    /// Its id, if it has one.
    pub(crate) message_id: Option<String>,
    /// Why, as a slug that never changes.
    pub(crate) reason: &'static str,
    /// Where, as a JSON pointer into the request.
    pub(crate) pointer: String,
    /// What is wrong and what would be right.
    pub(crate) detail: String,
}

/// Reads a body.
///
/// # Errors
///
/// [`BadBody`] if it holds no events at all; a bad event among good ones is in [`Intake::rejected`].
pub(crate) fn read(
    body: &[u8],
    catalog: &Catalog,
    trust: Trust,
    received_at: Timestamp,
) -> Result<Intake, BadBody> {
    let text = std::str::from_utf8(body).map_err(|error| BadBody::NotJson(error.to_string()))?;
    let not_json = |error: serde_json::Error| BadBody::NotJson(error.to_string());
    let mut reading = Reading { catalog, trust, received_at, sent_at: None };
    let (base, events): (&str, Vec<&str>) = match text.trim_start().as_bytes().first() {
        Some(b'[') => ("", raw_list(text).map_err(not_json)?),
        Some(b'{') => {
            let object: Object<'_> = serde_json::from_str(text).map_err(not_json)?;
            match object.get("batch") {
                None => ("", vec![text]),
                Some(batch) => {
                    reading.sent_at = sent_at(&object)?;
                    let events = raw_list(batch).map_err(|_| BadBody::Shape {
                        pointer: "/batch",
                        detail: "`batch` is a list of events".to_owned(),
                    })?;
                    ("/batch", events)
                }
            }
        }
        _ => {
            serde_json::from_str::<&RawValue>(text).map_err(not_json)?;
            let detail = "send one event, a list of events, or {\"batch\": [events]}".to_owned();
            return Err(BadBody::Shape { pointer: "", detail });
        }
    };
    let is_single = base.is_empty() && text.trim_start().starts_with('{');
    let mut intake = Intake { events: Vec::with_capacity(events.len()), rejected: Vec::new() };
    for (index, json) in events.into_iter().enumerate() {
        let at = if is_single { String::new() } else { format!("{base}/{index}") };
        let read = if EVENTS_MAX <= index {
            let detail = format!("a request has at most {EVENTS_MAX} events; send the rest in another");
            Err(Rejection { reason: "too_many_events", pointer: "", detail })
        } else {
            reading.read(json)
        };
        match read {
            Ok(event) => intake.events.push(event),
            Err(Rejection { reason, pointer, detail }) => {
                let message_id = Object::parse(json).get("messageId").and_then(plain_text);
                intake.rejected.push(Rejected {
                    index,
                    message_id: message_id.map(|text| text.chars().take(255).collect()),
                    reason,
                    pointer: format!("{at}{pointer}"),
                    detail,
                });
            }
        }
    }
    Ok(intake)
}

fn sent_at(object: &Object<'_>) -> Result<Option<Timestamp>, BadBody> {
    let Some(json) = object.get("sentAt") else { return Ok(None) };
    let text = plain_text(json).unwrap_or_default();
    let bad = || BadBody::Shape {
        pointer: "/sentAt",
        detail: "a time such as \"2026-11-27T09:30:00Z\"".to_owned(),
    };
    read_instant(&text).map(Some).ok_or_else(bad)
}

fn raw_list(json: &str) -> Result<Vec<&str>, serde_json::Error> {
    let list: Vec<&RawValue> = serde_json::from_str(json)?;
    Ok(list.into_iter().map(RawValue::get).collect())
}

impl Rejected {
    /// As the store keeps it.
    pub(crate) fn to_record(&self, received_at: Timestamp) -> RejectedEvent {
        RejectedEvent {
            received_at,
            message_id: self.message_id.clone(),
            reason: self.reason.to_owned(),
            pointer: self.pointer.clone(),
            detail: self.detail.clone(),
        }
    }
}
