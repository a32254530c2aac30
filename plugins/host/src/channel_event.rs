//! What a provider tells of messages later, by the word of a channel.

use serde::Deserialize;

/// What happened to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChannelEventKind {
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

/// One thing that a provider tells of a message. The texts are the provider's: distrust them.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ChannelEvent {
    /// What happened.
    pub kind: ChannelEventKind,
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

impl ChannelEvent {
    /// Reads one. It must say which message or whom it is about.
    pub(crate) fn from_json(json: &str) -> Result<Self, String> {
        let event: Self = serde_json::from_str(json).map_err(|error| error.to_string())?;
        if event.provider_id.is_empty() && event.idempotency_key.is_empty() && event.address.is_empty() {
            return Err("it names neither a message nor an address".into());
        }
        Ok(event)
    }
}
