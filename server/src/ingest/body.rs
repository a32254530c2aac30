//! The body of an ingest request: one event, a list of them, or a batch.

use super::event::{EVENTS_MAX, Reading, Rejection, TRACK, instant};
use super::whose::Whose;
use crate::store::rejected::RejectedEvent;
use podium_core::metric::json::{Object, plain_text};
use podium_core::projection::StoredEvent;
use serde_json::value::RawValue;

/// The most events of one request that are named one by one; with more, nothing of it is taken.
pub(super) const LISTED_MAX: usize = 4 * EVENTS_MAX;
/// Faults that depend on what is known here, and not on the form of the event alone. Who sends with a key that everybody
/// can read is not told of them, or could find out.
const NOT_OF_FORM: [&str; 1] = ["variant_not_assigned"];
/// The longest text that is kept of a rejected event.
const TEXT_MAX: usize = 255;

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
    /// What is kept of it for debugging.
    #[serde(skip)]
    pub(crate) record: RejectedEvent,
}

impl Rejected {
    /// Whether it is the event's form that is wrong.
    pub(crate) fn is_of_form(&self) -> bool {
        !NOT_OF_FORM.contains(&self.reason)
    }
}

/// Reads a body.
///
/// # Errors
///
/// [`BadBody`] if it holds no events at all; a bad event among good ones is in [`Intake::rejected`].
pub(crate) fn read(body: &[u8], mut reading: Reading<'_>) -> Result<Intake, BadBody> {
    let text = std::str::from_utf8(body).map_err(|error| BadBody::NotJson(error.to_string()))?;
    let not_json = |error: serde_json::Error| BadBody::NotJson(error.to_string());
    let (base, events): (&'static str, Vec<&str>) = match text.trim_start().as_bytes().first() {
        Some(b'[') => ("", raw_list(text).map_err(not_json)?),
        Some(b'{') => {
            let object: Object<'_> = serde_json::from_str(text).map_err(not_json)?;
            match object.get("batch") {
                None => ("", vec![text]),
                Some(batch) => {
                    reading.sent_at = instant(&object, "sentAt", "/sentAt").map_err(drop);
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
    if LISTED_MAX < events.len() {
        let detail = format!("a request has at most {EVENTS_MAX} events, this one {}", events.len());
        return Err(BadBody::Shape { pointer: base, detail });
    }
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
            Err(rejection) => intake.rejected.push(rejected(&reading, (index, json, &at), rejection)),
        }
    }
    Ok(intake)
}

/// What is said of an event that is not taken, and what is kept of it: as much as can be read of it.
///
/// - `found`: its position, its text, and where it stands as a JSON pointer.
fn rejected(reading: &Reading<'_>, found: (usize, &str, &str), rejection: Rejection) -> Rejected {
    let (index, json, at) = found;
    let Rejection { reason, pointer, detail } = rejection;
    let pointer = format!("{at}{pointer}");
    let event = Object::parse(json);
    let text = |name: &str| event.get(name).and_then(plain_text).map(|text| cut(&text));
    let message_id = text("messageId");
    let event_type = reading.event_type(&event).unwrap_or(TRACK);
    // Where an id is missing, the other one is shown.
    let known = || (text("userId").or_else(|| text("anonymousId")), None);
    let (unit, other_id) = Whose::read(&event, event_type)
        .map_or_else(|_| known(), |whose| (Some(whose.unit.into()), whose.other_id.map(Into::into)));
    let record = RejectedEvent {
        received_at: reading.received_at,
        message_id: message_id.clone(),
        event_type: text("type").unwrap_or_else(|| event_type.to_owned()),
        name: text("event"),
        unit: unit.filter(|unit| !unit.is_empty()),
        other_id,
        time: reading.time(&event).ok(),
        trust: reading.trust,
        reason: reason.to_owned(),
        pointer: pointer.clone(),
        detail: detail.replace('\0', "\u{fffd}"),
    };
    Rejected { index, message_id, reason, pointer, detail, record }
}

/// The beginning of a text, without what the database cannot hold.
fn cut(text: &str) -> String {
    text.chars().take(TEXT_MAX).map(|char| if char == '\0' { '\u{fffd}' } else { char }).collect()
}

fn raw_list(json: &str) -> Result<Vec<&str>, serde_json::Error> {
    let list: Vec<&RawValue> = serde_json::from_str(json)?;
    Ok(list.into_iter().map(RawValue::get).collect())
}
