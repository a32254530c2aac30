//! What became of a message, by the word of a channel.

use podium_plugin_abi::{self as abi, Str, codes};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The longest text that a channel may add, in bytes; more is cut off.
const TEXT_LEN_MAX: usize = 1024;

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum OutcomeStatus {
    /// Nobody knows whether it left: the class of the provider decides.
    Unknown,
    /// The provider took it.
    Accepted,
    /// Not now; this message again later.
    Deferred,
    /// Too many; the whole channel slows down.
    RateLimited,
    /// The provider refused it for good.
    Rejected,
    /// The address does not exist any more: it is suppressed.
    TargetGone,
    /// It is larger than the provider takes.
    TooLarge,
    /// The provider refused our credentials: the channel pauses.
    AuthFailed,
    /// It did not leave, and goes back into the queue.
    Cancelled,
}

impl OutcomeStatus {
    fn from_code(code: u32) -> Self {
        match code {
            codes::OUTCOME_ACCEPTED => Self::Accepted,
            codes::OUTCOME_DEFERRED => Self::Deferred,
            codes::OUTCOME_RATE_LIMITED => Self::RateLimited,
            codes::OUTCOME_REJECTED => Self::Rejected,
            codes::OUTCOME_TARGET_GONE => Self::TargetGone,
            codes::OUTCOME_TOO_LARGE => Self::TooLarge,
            codes::OUTCOME_AUTH_FAILED => Self::AuthFailed,
            codes::OUTCOME_CANCELLED => Self::Cancelled,
            _ => Self::Unknown,
        }
    }
}

/// What became of a message, with what the provider said. The texts are the plugin's: distrust them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// What became of it.
    pub status: OutcomeStatus,
    /// When to try again; `None` if the provider did not say.
    pub retry_after: Option<Duration>,
    /// The provider's own number for it, or 0.
    pub provider_code: u32,
    /// The provider's id of the message; may be empty.
    pub provider_id: String,
    /// A text for the operator; may be empty.
    pub detail: String,
}

impl Outcome {
    /// Makes an outcome with a text for the operator.
    pub fn new(status: OutcomeStatus, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Self { status, retry_after: None, provider_code: 0, provider_id: String::new(), detail }
    }
}

/// Copies what a plugin reports.
///
/// # Safety
///
/// The outcome's texts are null or readable.
pub(crate) unsafe fn from_abi(outcome: &abi::Outcome) -> Outcome {
    let retry_after = Duration::from_millis(u64::from(outcome.retry_after_ms));
    // SAFETY: as the caller vouches.
    let [provider_id, detail] = unsafe { [text(outcome.provider_id), text(outcome.detail)] };
    Outcome {
        status: OutcomeStatus::from_code(outcome.status),
        retry_after: (!retry_after.is_zero()).then_some(retry_after),
        provider_code: outcome.provider_code,
        provider_id,
        detail,
    }
}

/// Whether a message began to leave, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Whether the channel said that it may have been sent.
    pub begun: bool,
    /// What became of it: as reported, or [`OutcomeStatus::Unknown`] if it was not and the message may have
    /// been sent, or [`OutcomeStatus::Cancelled`] if it cannot have been.
    pub outcome: Outcome,
}

/// # Safety
///
/// The text is null or readable.
unsafe fn text(text: Str) -> String {
    let len = text.len.min(TEXT_LEN_MAX);
    // SAFETY: a part of what the caller vouches for.
    let bytes = unsafe { Str { ptr: text.ptr, len }.bytes() };
    // A cut inside a character, or a wrong byte, ends the text there.
    bytes.utf8_chunks().next().map_or("", |chunk| chunk.valid()).to_owned()
}
