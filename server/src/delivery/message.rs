//! Messages, from the request to their end.

use podium_core::projection::Sighting;
use podium_core::time::Timestamp;
use podium_plugin_host::Purpose;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Where a message is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum MessageState {
    /// It waits until it is due.
    Queued,
    /// A sender has it, and it cannot have left.
    Claimed,
    /// It may have left.
    Begun,
    /// The provider took it.
    Sent,
    /// It will never be sent.
    Failed,
    /// It was not sent, on purpose.
    Skipped,
    /// Nobody knows whether it left, and it is not sent again.
    Unknown,
}

impl MessageState {
    const ALL: [Self; 7] =
        [Self::Queued, Self::Claimed, Self::Begun, Self::Sent, Self::Failed, Self::Skipped, Self::Unknown];

    /// The state as text.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Claimed => "claimed",
            Self::Begun => "begun",
            Self::Sent => "sent",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Unknown => "unknown",
        }
    }

    /// The state that `text` names.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// What every event of a message says of it, in the `properties`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Facts {
    /// Its id.
    pub(crate) message_id: Uuid,
    /// The channel that it takes, as it was set up.
    pub(crate) channel: String,
    /// `marketing` or `transactional`.
    pub(crate) purpose: String,
    /// The flag that decided its content.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) flag: Option<String>,
    /// The experiment behind the flag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) experiment_id: Option<String>,
    /// The variant that was decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) variation_id: Option<String>,
    /// The decision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) decision_id: Option<Uuid>,
}

/// What is counted once the provider has taken a message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Exposure {
    /// Who saw it: the person, or the decision where every decision is drawn anew.
    pub(crate) unit: String,
    /// What they saw.
    pub(crate) sighting: Sighting,
}

/// One message to one person, with all that sending it needs.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    /// Its id, which is its idempotency key as well.
    pub(crate) id: Uuid,
    /// Why it is sent.
    pub(crate) purpose: Purpose,
    /// The person.
    pub(crate) unit: String,
    /// Where to, as JSON of the channel's own form.
    pub(crate) address_json: String,
    /// What is the same in all forms of one address.
    pub(crate) address_key: String,
    /// What a channel made of the content; `None` if there is nothing to send.
    pub(crate) payload_sha256: Option<String>,
    /// What placeholders are filled with.
    pub(crate) fields: BTreeMap<String, String>,
    /// Equal for messages that replace each other, or empty.
    pub(crate) collapse_key: String,
    /// What its events say of it.
    pub(crate) facts: Facts,
    /// What is counted once it is sent.
    pub(crate) exposure: Option<Exposure>,
    /// Where it is on its way.
    pub(crate) state: MessageState,
    /// Why it is there, as a slug and perhaps more; may be empty.
    pub(crate) reason: String,
    /// How often it was claimed.
    pub(crate) epoch: i64,
    /// How many attempts were begun.
    pub(crate) attempts: u32,
    /// When it is to be sent.
    pub(crate) due_at: Timestamp,
    /// When it first may have left.
    pub(crate) begun_at: Option<Timestamp>,
    /// When it is no longer worth sending.
    pub(crate) expires_at: Timestamp,
    /// When it was asked for.
    pub(crate) created_at: Timestamp,
    /// When its state changed last.
    pub(crate) updated_at: Timestamp,
    /// The provider's id of it.
    pub(crate) provider_id: Option<String>,
    /// The request that asked for it.
    pub(crate) request: RequestKey,
}

/// Which request asked for a message, and as which of its recipients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RequestKey {
    /// The hash of the request's idempotency key.
    pub(crate) request: String,
    /// The hash of its body.
    pub(crate) sha256: String,
    /// The recipient's position in it.
    pub(crate) position: u32,
}

/// Spells a purpose.
pub(crate) fn purpose_str(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Marketing => "marketing",
        Purpose::Transactional => "transactional",
    }
}
