//! One event as clients send it, in the Segment vocabulary: read where it stands, checked, made ready for the log.

use super::whose::Whose;
use crate::catalog::Catalog;
use podium_core::experiment::Status;
use podium_core::metric::extract::ORDER_COMPLETED;
use podium_core::metric::json::{Object, plain_text};
use podium_core::money::Currency;
use podium_core::projection::{Sighting, StoredEvent, Trust};
use podium_core::time::Timestamp;
use std::borrow::Cow;
use std::fmt::Write as _;
use uuid::Uuid;

/// The largest event, in bytes.
pub(crate) const EVENT_BYTES_MAX: usize = 32 * 1024;
/// The most events in one request.
pub(crate) const EVENTS_MAX: usize = 2_500;
/// How deep objects and lists may be nested.
pub(crate) const DEPTH_MAX: usize = 32;
const ID_BYTES_MAX: usize = 255;
pub(super) const BAD_ID: &str = "an id is a text or number of 1 to 255 bytes, without NUL";
/// How far ahead of our clock an event may say it is.
const AHEAD_S_MAX: i64 = 300;

const UNCLEAR_SENT_AT: &str = "the `sentAt` of the request is no time such as \"2026-11-27T09:30:00Z\", and the event has none of its own";

const EXPERIMENT_VIEWED: &str = "Experiment Viewed";
const ORDER_EVENTS: [&str; 4] = [ORDER_COMPLETED, "Order Refunded", "Order Cancelled", "Order Updated"];
const AMOUNTS: [&str; 7] = ["revenue", "total", "subtotal", "shipping", "tax", "discount", "value"];
const TYPES: [&str; 6] = [TRACK, "identify", "page", "screen", "group", ALIAS];
/// What an event is that does not say what it is.
pub(crate) const TRACK: &str = "track";
pub(super) use podium_core::identity::ALIAS;
/// What some types say beside their properties.
const KEPT_BESIDE: [&str; 3] = ["name", "category", "groupId"];

/// Why an event is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rejection {
    /// A slug that never changes.
    pub(crate) reason: &'static str,
    /// Where, as a JSON pointer into the event.
    pub(crate) pointer: &'static str,
    /// What is wrong and what would be right.
    pub(crate) detail: String,
}

pub(super) fn reject<T>(
    reason: &'static str,
    pointer: &'static str,
    detail: impl Into<String>,
) -> Result<T, Rejection> {
    Err(Rejection { reason, pointer, detail: detail.into() })
}

/// What an event is read with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading<'a> {
    /// Which experiments there are.
    pub(crate) catalog: &'a Catalog,
    /// Who says it.
    pub(crate) trust: Trust,
    /// When the request came.
    pub(crate) received_at: Timestamp,
    /// When the client says it sent the request; an error if it says so in what is no time, a fault of those events alone
    /// that are timed by it.
    pub(crate) sent_at: Result<Option<Timestamp>, ()>,
    /// What an event is that has no `type`.
    pub(crate) default_type: &'static str,
    /// Before which events are too old: a repeated one could no longer be told from a new one.
    pub(crate) oldest: Timestamp,
}

impl<'a> Reading<'a> {
    /// Reads track events of any age, unless they say otherwise.
    pub(crate) fn new(catalog: &'a Catalog, trust: Trust, received_at: Timestamp) -> Self {
        let oldest = Timestamp::from_micros(i64::MIN);
        Self { catalog, trust, received_at, sent_at: Ok(None), default_type: TRACK, oldest }
    }

    /// Reads one event.
    ///
    /// # Errors
    ///
    /// The first [`Rejection`] that applies.
    pub(crate) fn read(&self, json: &str) -> Result<StoredEvent, Rejection> {
        if json.len() > EVENT_BYTES_MAX {
            let detail = format!("an event has at most {EVENT_BYTES_MAX} bytes, this one {}", json.len());
            return reject("event_too_large", "", detail);
        }
        if DEPTH_MAX < depth(json) {
            return reject("too_deep", "", format!("an event is nested at most {DEPTH_MAX} deep"));
        }
        let Ok(event) = serde_json::from_str::<Object<'_>>(json) else {
            return reject("not_an_object", "", "an event is a JSON object");
        };
        let event_type = self.event_type(&event)?;
        let whose = Whose::read(&event, event_type)?;
        let name = name(&event, event_type)?;
        let message_id = message_id(&event)?;
        let time = self.time(&event)?;
        if time < self.oldest {
            let detail = format!("it happened at {time}; what is older than {} is not kept", self.oldest);
            return reject("older_than_retention", "/timestamp", detail);
        }
        let context = part(&event, "context")?;
        let properties = match event_type {
            "identify" | "group" => traits(&event, context)?,
            _ => part(&event, "properties")?,
        };
        let fields = Object::parse(properties);
        check_money(&name, &fields)?;
        let order_id = order_id(&name, &fields)?;
        let sighting = if name == EXPERIMENT_VIEWED { Some(self.sighting(&fields, time)?) } else { None };
        Ok(StoredEvent {
            message_id: message_id.into(),
            name: name.into(),
            other_id: whose.other_id.filter(|other| *other != whose.unit),
            unit: whose.unit,
            is_known: whose.is_known,
            order_id,
            trust: self.trust,
            time,
            sighting,
            body: body(&event, properties, context).into(),
        })
    }

    /// What sort of event it is.
    pub(super) fn event_type(&self, event: &Object<'_>) -> Result<&'static str, Rejection> {
        let Some(json) = event.get("type") else { return Ok(self.default_type) };
        let said = plain_text(json).unwrap_or_default();
        TYPES.into_iter().find(|event_type| *event_type == said).map_or_else(
            || {
                let detail = format!("`{said}` is no event type; use one of {}", TYPES.join(", "));
                reject("unknown_type", "/type", detail)
            },
            Ok,
        )
    }

    /// When it happened: what the client says, corrected by how wrong its clock was when it sent it.
    pub(super) fn time(&self, event: &Object<'_>) -> Result<Timestamp, Rejection> {
        let said = match instant(event, "timestamp", "/timestamp")? {
            Some(said) => Some(said),
            None => instant(event, "originalTimestamp", "/originalTimestamp")?,
        };
        let sent = instant(event, "sentAt", "/sentAt")?;
        let Some(said) = said else { return Ok(self.received_at) };
        let sent = match sent {
            Some(sent) => Some(sent),
            None => self.sent_at.or_else(|()| reject("bad_timestamp", "/sentAt", UNCLEAR_SENT_AT))?,
        };
        let time = sent.map_or(said, |sent| {
            let lag = sent.as_micros().saturating_sub(said.as_micros());
            Timestamp::from_micros(self.received_at.as_micros().saturating_sub(lag))
        });
        let latest = self.received_at.plus_seconds(AHEAD_S_MAX);
        Ok(if latest < time { self.received_at } else { time })
    }

    fn sighting(&self, fields: &Object<'_>, time: Timestamp) -> Result<Sighting, Rejection> {
        let text = |name: &str| fields.get(name).and_then(plain_text).filter(|text| !text.is_empty());
        let Some(experiment_name) = text("experiment_id").or_else(|| text("experiment_name")) else {
            return reject(
                "unknown_experiment",
                "/properties/experiment_id",
                "name the experiment by its key",
            );
        };
        let Some(experiment) = self.catalog.named(&experiment_name) else {
            let detail = format!("there is no experiment `{experiment_name}`; register it first");
            return reject("unknown_experiment", "/properties/experiment_id", detail);
        };
        match experiment.status {
            Status::Running | Status::Paused => {}
            Status::Concluded if experiment.concluded_at.is_none_or(|ended| time <= ended) => {}
            Status::Concluded => {
                let detail = format!("experiment `{experiment_name}` was concluded before this");
                return reject("experiment_ended", "/timestamp", detail);
            }
            Status::Draft | Status::Archived => {
                let detail =
                    format!("experiment `{experiment_name}` is {}; start it first", experiment.status);
                return reject("experiment_not_started", "/properties/experiment_id", detail);
            }
        }
        let variation = text("variation_id").or_else(|| text("variation_name"));
        let variants = &experiment.definition.variants;
        let position = variation.as_ref().and_then(|variation| {
            let by_key = experiment.variant_idx(variation);
            by_key
                .or_else(|| variants.iter().position(|variant| variant.name.as_deref() == Some(&**variation)))
        });
        let Some(variant_idx) = position else {
            let keys: Vec<_> = variants.iter().map(|variant| variant.key.as_str()).collect();
            let found = variation.unwrap_or(Cow::Borrowed(""));
            let detail =
                format!("`{found}` is no variant of `{experiment_name}`; it has {}", keys.join(", "));
            return reject("variant_not_assigned", "/properties/variation_id", detail);
        };
        let propensity = match fields.get("propensity") {
            None => None,
            Some(json) => match plain_text(json).and_then(|text| text.parse::<f64>().ok()) {
                Some(propensity) if 0.0 < propensity && propensity <= 1.0 => Some(propensity),
                _ => {
                    let detail = "the probability of the assignment, above 0 and at most 1";
                    return reject("bad_propensity", "/properties/propensity", detail);
                }
            },
        };
        let variant_idx = variant_idx as u16;
        // In the shadow nobody has seen a variant, whatever a client believes.
        let exposed = !experiment.definition.shadow;
        Ok(Sighting { experiment: experiment.id, variant_idx, exposed, version: None, propensity })
    }
}

/// Whether a text can be an id; NUL is one character that PostgreSQL cannot hold.
pub(super) fn is_id(text: &str) -> bool {
    !text.is_empty() && text.len() <= ID_BYTES_MAX && !text.contains('\0')
}

/// The type that the log has as the name of what is no track event.
pub(crate) fn other_type(name: &str) -> Option<&'static str> {
    TYPES.into_iter().find(|event_type| *event_type != TRACK && *event_type == name)
}

fn name(event: &Object<'_>, event_type: &str) -> Result<String, Rejection> {
    if event_type != TRACK {
        return Ok(event_type.to_owned());
    }
    match event.get("event").and_then(plain_text) {
        Some(name) if name.is_empty() || name.starts_with('$') => {
            reject("missing_event_name", "/event", "a name that is not empty and does not begin with `$`")
        }
        Some(name) if name == "Completed Order" => Ok(ORDER_COMPLETED.to_owned()),
        Some(name) if is_id(&name) => Ok(name.into_owned()),
        Some(_) => reject("missing_event_name", "/event", "a name of 1 to 255 bytes, without NUL"),
        None => reject("missing_event_name", "/event", "a track event has a name in `event`"),
    }
}

/// What the log keeps of an event beside its columns.
fn body(event: &Object<'_>, properties: &str, context: &str) -> String {
    let mut body = format!(r#"{{"properties":{properties},"context":{context}"#);
    for name in KEPT_BESIDE {
        let json = event.get(name).filter(|json| plain_text(json).is_some());
        if let Some(json) = json {
            let _ = write!(body, r#","{name}":{json}"#);
        }
    }
    body.push('}');
    body
}

fn message_id(event: &Object<'_>) -> Result<String, Rejection> {
    match event.get("messageId").map(plain_text) {
        None => Ok(Uuid::now_v7().to_string()),
        Some(Some(text)) if text.is_empty() => Ok(Uuid::now_v7().to_string()),
        Some(Some(text)) if is_id(&text) => Ok(text.into_owned()),
        Some(_) => reject("bad_id", "/messageId", BAD_ID),
    }
}

/// The moment that a member says, if it is there.
pub(super) fn instant(
    event: &Object<'_>,
    name: &str,
    pointer: &'static str,
) -> Result<Option<Timestamp>, Rejection> {
    let Some(json) = event.get(name) else { return Ok(None) };
    let text = plain_text(json).filter(|_| json.starts_with('"')).unwrap_or_default();
    read_instant(&text).map_or_else(
        || reject("bad_timestamp", pointer, "a time such as \"2026-11-27T09:30:00Z\""),
        |instant| Ok(Some(instant)),
    )
}

/// RFC 3339, or the same without an offset, which then is UTC.
fn read_instant(text: &str) -> Option<Timestamp> {
    Timestamp::parse(text).ok().or_else(|| {
        let civil: jiff::civil::DateTime = text.parse().ok()?;
        let instant = jiff::tz::TimeZone::UTC.to_timestamp(civil).ok()?;
        Some(Timestamp::from_micros(instant.as_microsecond()))
    })
}

/// A member that is an object, or `{}`.
fn part<'a>(event: &Object<'a>, name: &'static str) -> Result<&'a str, Rejection> {
    match event.get(name) {
        None => Ok("{}"),
        Some(json) if json.starts_with('{') => Ok(json),
        Some(_) => {
            let pointer = match name {
                "context" => "/context",
                "traits" => "/traits",
                _ => "/properties",
            };
            reject("not_an_object", pointer, format!("`{name}` is an object"))
        }
    }
}

/// What is said of somebody: by some clients in the context alone.
fn traits<'a>(event: &Object<'a>, context: &'a str) -> Result<&'a str, Rejection> {
    if event.get("traits").is_some() {
        return part(event, "traits");
    }
    let in_context = Object::parse(context).get("traits").filter(|json| json.starts_with('{'));
    Ok(in_context.unwrap_or("{}"))
}

fn check_money(name: &str, fields: &Object<'_>) -> Result<(), Rejection> {
    let currency = match fields.get("currency") {
        None => Currency::USD,
        Some(json) => match plain_text(json).map(|code| Currency::from_code(&code)) {
            Some(Ok(currency)) => currency,
            Some(Err(unknown)) => {
                return reject("unknown_currency", "/properties/currency", unknown.to_string());
            }
            None => {
                return reject("unknown_currency", "/properties/currency", "an ISO 4217 code such as USD");
            }
        },
    };
    if !ORDER_EVENTS.contains(&name) {
        return Ok(());
    }
    for amount in AMOUNTS {
        let Some(json) = fields.get(amount) else { continue };
        let read = plain_text(json).ok_or(()).and_then(|text| currency.minor_units(&text).map_err(|_| ()));
        if read.is_err() {
            let pointer = match amount {
                "revenue" => "/properties/revenue",
                "total" => "/properties/total",
                "subtotal" => "/properties/subtotal",
                "shipping" => "/properties/shipping",
                "tax" => "/properties/tax",
                "discount" => "/properties/discount",
                _ => "/properties/value",
            };
            let detail = format!("`{amount}` is a decimal number of major units such as 89.90");
            return reject("bad_amount", pointer, detail);
        }
    }
    Ok(())
}

fn order_id(name: &str, fields: &Object<'_>) -> Result<Option<Box<str>>, Rejection> {
    let Some(json) = fields.get("order_id") else { return Ok(None) };
    match plain_text(json) {
        Some(text) if text.is_empty() => Ok(None),
        Some(text) if is_id(&text) => Ok(Some(text.into())),
        _ if !ORDER_EVENTS.contains(&name) => Ok(None),
        _ => reject("bad_id", "/properties/order_id", BAD_ID),
    }
}

/// How deep objects and lists are nested, without building anything.
pub(crate) fn depth(json: &str) -> usize {
    let (mut deepest, mut here, mut in_text, mut escaped) = (0_usize, 0_usize, false, false);
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'{' | b'[' if !in_text => {
                here += 1;
                deepest = deepest.max(here);
            }
            b'}' | b']' if !in_text => here = here.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<StoredEvent, &'static str> {
        let catalog = Catalog::default();
        let reading = Reading::new(&catalog, Trust::Server, Timestamp::from_micros(0));
        reading.read(json).map_err(|rejection| rejection.pointer)
    }

    #[test]
    fn what_is_said_of_somebody_is_found_where_clients_say_it() {
        let said = |more: &str| {
            let event = read(&format!(r#"{{"type": "identify", "userId": "u", {more}}}"#))?;
            let body = Object::parse(&event.body).get("properties").map(str::to_owned);
            Ok(body.unwrap())
        };
        let gold = r#"{"plan": "gold"}"#;
        assert_eq!(said(&format!(r#""traits": {gold}"#)).as_deref(), Ok(gold));
        assert_eq!(said(&format!(r#""context": {{"traits": {gold}}}"#)).as_deref(), Ok(gold));
        let both = format!(r#""traits": {gold}, "context": {{"traits": {{"plan": "old"}}}}"#);
        assert_eq!(said(&both).as_deref(), Ok(gold));
        assert_eq!(said(r#""context": {"traits": 7}"#).as_deref(), Ok("{}"));
        assert_eq!(said(r#""traits": 7"#).as_deref(), Err(&"/traits"));
    }

    #[test]
    fn pages_and_groups_keep_what_they_are_called() {
        let page = read(r#"{"type": "page", "userId": "u", "name": "Home", "category": null}"#).unwrap();
        assert_eq!(&*page.body, r#"{"properties":{},"context":{},"name":"Home"}"#);
        let group =
            read(r#"{"type": "group", "userId": "u", "groupId": 7, "traits": {"seats": 3}}"#).unwrap();
        assert_eq!(&*group.body, r#"{"properties":{"seats": 3},"context":{},"groupId":7}"#);
    }
}
