//! Exposures as our own API takes them: each is read as the event `Experiment Viewed` that says the same.

use super::body::{self, BadBody, Intake, LISTED_MAX};
use super::event::{EVENTS_MAX, Reading};
use podium_core::metric::json::Object;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

/// Where an exposure has what stands there in the event.
const PLACES: [(&str, &str); 5] = [
    ("/unit", "/anonymousId"),
    ("/unit", "/userId"),
    ("/experiment", "/properties/experiment_id"),
    ("/variant", "/properties/variation_id"),
    ("/message_id", "/messageId"),
];

/// Reads a list of exposures.
///
/// # Errors
///
/// [`BadBody`] if it is none, or too long; a bad exposure among good ones is in [`Intake::rejected`].
pub(crate) fn read(exposures: &[u8], reading: Reading<'_>) -> Result<Intake, BadBody> {
    let text = std::str::from_utf8(exposures).map_err(|error| BadBody::NotJson(error.to_string()))?;
    let shape = |detail: String| BadBody::Shape { pointer: "", detail };
    let list: Vec<&RawValue> =
        serde_json::from_str(text).map_err(|error| match serde_json::from_str(text) {
            Ok(IgnoredAny) => shape("send a list of exposures".to_owned()),
            Err(_) => BadBody::NotJson(error.to_string()),
        })?;
    if LISTED_MAX < list.len() {
        return Err(shape(format!("a request has at most {EVENTS_MAX} exposures, this one {}", list.len())));
    }
    let events: Vec<String> = list.into_iter().map(|exposure| event(exposure.get())).collect();
    let mut intake = body::read(format!("[{}]", events.join(",")).as_bytes(), reading)?;
    for rejected in &mut intake.rejected {
        let at = format!("/{}", rejected.index);
        let of_event = rejected.pointer.strip_prefix(&at).unwrap_or_default();
        if let Some((place, _)) = PLACES.iter().find(|(_, in_event)| *in_event == of_event) {
            rejected.pointer = at + place;
            rejected.record.pointer.clone_from(&rejected.pointer);
        }
        if rejected.reason == "no_user_or_anonymous_id" {
            "say in `unit` who saw it".clone_into(&mut rejected.detail);
            rejected.record.detail.clone_from(&rejected.detail);
        }
    }
    Ok(intake)
}

/// The event that says what an exposure says; what is no exposure stays what it is. Like a decision, it does not say
/// whether the unit is a visitor or a user.
fn event(json: &str) -> String {
    let Ok(exposure) = serde_json::from_str::<Object<'_>>(json) else { return json.to_owned() };
    let said = |name| exposure.get(name).unwrap_or("null");
    format!(
        r#"{{"event":"Experiment Viewed","anonymousId":{},"messageId":{},"timestamp":{},"properties":{{"experiment_id":{},"variation_id":{},"decision_id":{}}}}}"#,
        said("unit"),
        said("message_id"),
        said("timestamp"),
        said("experiment"),
        said("variant"),
        said("decision_id"),
    )
}
