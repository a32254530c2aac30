//! What a provider tells by webhook, by the word of a channel.

use serde::Deserialize;
use serde_json::value::RawValue;

/// One thing that a provider tells. The texts are the provider's: distrust them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChannelEvent {
    /// What became of a message later.
    Feedback(Feedback),
    /// What a shopper did.
    Track(Track),
}

/// What happened to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FeedbackKind {
    /// It arrived.
    Delivered,
    /// It came back.
    Bounced,
    /// The recipient called it spam.
    Complained,
    /// The recipient wants no more.
    Unsubscribed,
    /// It was opened, perhaps by a machine.
    Opened,
    /// A link in it was followed.
    Clicked,
}

/// What became of a message later.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Feedback {
    /// What happened.
    pub kind: FeedbackKind,
    /// The provider's id of the message; may be empty.
    #[serde(default)]
    pub provider_id: String,
    /// Our key of the message, if the provider gives it back; else empty.
    #[serde(default)]
    pub idempotency_key: String,
    /// Whom it is about; may be empty.
    #[serde(default)]
    pub address: String,
    /// The provider's words; may be empty.
    #[serde(default)]
    pub detail: String,
    /// When it happened, in milliseconds since 1970; `None`: now.
    pub time_ms: Option<i64>,
    /// Whether the address will never work again.
    #[serde(default)]
    pub for_good: bool,
}

/// What a shopper did: a `track` call as Segment's clients send it, for the intake of events to read.
///
/// It names the event, the shopper, and a message id under which it counts once. Nothing else was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Track {
    json: String,
}

impl Track {
    /// Lends the event as the channel wrote it, amounts to the last digit.
    pub fn as_json(&self) -> &str {
        &self.json
    }
}

impl ChannelEvent {
    /// Reads one: `{"track": {…}}`, or what became of a message, which must say which one or whom it is about.
    pub(crate) fn from_json(json: &str) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Tracked<'a> {
            #[serde(borrow)]
            track: Option<&'a RawValue>,
        }
        let wrong = |error: serde_json::Error| error.to_string();
        if let Some(track) = serde_json::from_str::<Tracked<'_>>(json).map_err(wrong)?.track {
            return track_event(track.get()).map(Self::Track);
        }
        let feedback: Feedback = serde_json::from_str(json).map_err(wrong)?;
        let names = [&feedback.provider_id, &feedback.idempotency_key, &feedback.address];
        if names.iter().all(|name| name.is_empty()) {
            return Err("it names neither a message nor an address".into());
        }
        Ok(Self::Feedback(feedback))
    }
}

fn track_event(json: &str) -> Result<Track, String> {
    #[derive(Default, Deserialize)]
    #[serde(rename_all = "camelCase", default)]
    struct Head {
        #[serde(rename = "type")]
        call: Option<String>,
        event: String,
        message_id: String,
        user_id: Option<String>,
        anonymous_id: Option<String>,
    }
    let head: Head = serde_json::from_str(json).map_err(|error| error.to_string())?;
    if head.call.is_some_and(|call| call != "track") || head.event.is_empty() {
        return Err("it is no track call with an `event`".into());
    }
    if head.message_id.is_empty() {
        return Err("it has no `messageId`, so the same request would count again".into());
    }
    if [head.user_id, head.anonymous_id].into_iter().flatten().all(|id| id.is_empty()) {
        return Err("it has neither a `userId` nor an `anonymousId`".into());
    }
    Ok(Track { json: json.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::ChannelEvent;

    #[track_caller]
    fn refused(json: &str, expected: &str) {
        let text = ChannelEvent::from_json(json).unwrap_err();
        assert!(text.starts_with(expected), "{text}");
    }

    #[test]
    fn what_a_shopper_did_is_kept_to_the_letter() {
        let track = r#"{"event":"Order Completed","messageId":"w-1","anonymousId":"c-1","properties":{"revenue":"1e2", "n":1.10}}"#;
        let ChannelEvent::Track(found) = ChannelEvent::from_json(&format!(r#"{{"track":{track}}}"#)).unwrap()
        else {
            panic!("no track event");
        };
        assert_eq!(found.as_json(), track);
    }

    #[test]
    fn what_names_nobody_or_nothing_is_refused() {
        refused("7", "invalid type");
        refused(r#"{"kind":"opened"}"#, "it names neither a message nor an address");
        refused(r#"{"kind":"burnt","provider_id":"m-1"}"#, "unknown variant `burnt`");
        refused(r#"{"track":{"messageId":"w-1","userId":"ann"}}"#, "it is no track call");
        refused(
            r#"{"track":{"type":"page","event":"x","messageId":"w-1","userId":"ann"}}"#,
            "it is no track",
        );
        refused(r#"{"track":{"event":"x","userId":"ann"}}"#, "it has no `messageId`");
        refused(r#"{"track":{"event":"x","messageId":"w-1","userId":""}}"#, "it has neither a `userId`");
        refused(r#"{"track":[]}"#, "it is no track call");
    }
}
