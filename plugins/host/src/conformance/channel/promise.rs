//! What a channel promises.

use serde::{Deserialize, Serialize};

/// What a channel promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Promise {
    /// Wrong settings are refused with a text; making and ending instances leaks nothing and connects to nothing.
    HonestConfig,
    /// Equal content gives equal payloads, in any instance and thread.
    Pure,
    /// Any content is answered, or refused with a text.
    Total,
    /// Any webhook request is answered, or refused.
    Webhooks,
    /// What the provider takes has arrived, begun before, and is accepted.
    Accepted,
    /// What the provider refuses is not accepted, and has the outcome that the answer means.
    Answers,
    /// A provider that asks for less gets less.
    RateLimit,
    /// Where the connection breaks, the message has one outcome that is true.
    Breaks,
    /// A provider that hangs or drips holds nobody beyond the deadline.
    Deadline,
    /// After the deadline nothing leaves.
    TooLate,
    /// Attempts of one message carry one key.
    SameKey,
    /// No secret is logged or told.
    Secrets,
}

impl Promise {
    /// Every promise, in the order in which they are tried.
    pub const ALL: [Self; 12] = [
        Self::HonestConfig,
        Self::Pure,
        Self::Total,
        Self::Webhooks,
        Self::Accepted,
        Self::Answers,
        Self::RateLimit,
        Self::Breaks,
        Self::Deadline,
        Self::TooLate,
        Self::SameKey,
        Self::Secrets,
    ];

    /// Names it. Never changes.
    pub fn slug(self) -> &'static str {
        match self {
            Self::HonestConfig => "honest-config",
            Self::Pure => "pure",
            Self::Total => "total",
            Self::Webhooks => "webhooks",
            Self::Accepted => "accepted",
            Self::Answers => "answers",
            Self::RateLimit => "rate-limit",
            Self::Breaks => "breaks",
            Self::Deadline => "deadline",
            Self::TooLate => "too-late",
            Self::SameKey => "same-key",
            Self::Secrets => "secrets",
        }
    }

    /// Tells in a few words what it asks.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::HonestConfig => "wrong settings are refused with a text; instances leak and call nothing",
            Self::Pure => "equal content gives equal payloads, in any instance and thread",
            Self::Total => "any content is answered, or refused with a text",
            Self::Webhooks => "any webhook request is answered, or refused",
            Self::Accepted => "what the provider takes was begun, arrives, and is accepted",
            Self::Answers => "what the provider refuses has the outcome that the answer means",
            Self::RateLimit => "429 slows the channel down for as long as the provider asks",
            Self::Breaks => "where the connection breaks, each message has one true outcome",
            Self::Deadline => "a provider that hangs or drips holds nobody beyond the deadline",
            Self::TooLate => "nothing leaves after the deadline",
            Self::SameKey => "attempts of one message carry one key, other messages another",
            Self::Secrets => "no secret is logged or told",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Promise;

    #[test]
    fn slugs_are_what_serde_writes() {
        for promise in Promise::ALL {
            assert_eq!(serde_json::to_value(promise).unwrap(), promise.slug());
        }
    }
}
