//! What became of a message.

use podium_plugin_abi::{self as abi, Str, codes};
use std::mem::size_of;

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The provider took it.
    Accepted {
        /// The provider's id of the message, by which its webhooks name it; may be empty.
        provider_id: String,
    },
    /// Not now: this message again later.
    Deferred {
        /// In how many seconds; 0 if the provider did not say.
        after_s: u32,
    },
    /// Too many: the whole channel slows down.
    RateLimited {
        /// For how many seconds; 0 if the provider did not say.
        after_s: u32,
    },
    /// The provider refused it for good; the text is for the operator.
    Rejected(String),
    /// The address does not exist any more: it is not asked again.
    TargetGone,
    /// It is larger than the provider takes.
    TooLarge,
    /// The provider refused our credentials: the channel pauses.
    AuthFailed,
    /// It did not leave, and goes back into the queue.
    Cancelled,
    /// Nobody knows whether it left; the text is for the operator. The class of the provider decides.
    Unknown(String),
}

impl Outcome {
    /// Lends the outcome in the form of the contract.
    pub(crate) fn with_abi<T>(&self, lend: impl FnOnce(&abi::Outcome) -> T) -> T {
        let (mut after_s, mut provider_id, mut detail) = (0, "", "");
        let status = match self {
            Self::Accepted { provider_id: id } => {
                provider_id = id;
                codes::OUTCOME_ACCEPTED
            }
            Self::Deferred { after_s: after } => {
                after_s = *after;
                codes::OUTCOME_DEFERRED
            }
            Self::RateLimited { after_s: after } => {
                after_s = *after;
                codes::OUTCOME_RATE_LIMITED
            }
            Self::Rejected(text) => {
                detail = text;
                codes::OUTCOME_REJECTED
            }
            Self::TargetGone => codes::OUTCOME_TARGET_GONE,
            Self::TooLarge => codes::OUTCOME_TOO_LARGE,
            Self::AuthFailed => codes::OUTCOME_AUTH_FAILED,
            Self::Cancelled => codes::OUTCOME_CANCELLED,
            Self::Unknown(text) => {
                detail = text;
                codes::OUTCOME_UNKNOWN
            }
        };
        lend(&abi::Outcome {
            struct_size: size_of::<abi::Outcome>() as u32,
            status,
            retry_after_ms: after_s.saturating_mul(1_000),
            provider_code: 0,
            provider_id: Str::borrow(provider_id),
            detail: Str::borrow(detail),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Outcome;
    use podium_plugin_abi::codes;

    #[track_caller]
    fn check(outcome: &Outcome, status: u32, retry_after_ms: u32, provider_id: &str, detail: &str) {
        outcome.with_abi(|abi| {
            assert_eq!((abi.status, abi.retry_after_ms), (status, retry_after_ms));
            // SAFETY: lent by `with_abi` for this closure.
            let texts = unsafe { [abi.provider_id.text(), abi.detail.text()] };
            assert_eq!(texts, [Some(provider_id), Some(detail)]);
        });
    }

    #[test]
    fn every_outcome_has_its_number() {
        check(&Outcome::Accepted { provider_id: "m-1".into() }, codes::OUTCOME_ACCEPTED, 0, "m-1", "");
        check(&Outcome::Deferred { after_s: 30 }, codes::OUTCOME_DEFERRED, 30_000, "", "");
        check(&Outcome::RateLimited { after_s: u32::MAX }, codes::OUTCOME_RATE_LIMITED, u32::MAX, "", "");
        check(&Outcome::Rejected("HTTP 422".into()), codes::OUTCOME_REJECTED, 0, "", "HTTP 422");
        check(&Outcome::TargetGone, codes::OUTCOME_TARGET_GONE, 0, "", "");
        check(&Outcome::TooLarge, codes::OUTCOME_TOO_LARGE, 0, "", "");
        check(&Outcome::AuthFailed, codes::OUTCOME_AUTH_FAILED, 0, "", "");
        check(&Outcome::Cancelled, codes::OUTCOME_CANCELLED, 0, "", "");
        check(&Outcome::Unknown("reset".into()), codes::OUTCOME_UNKNOWN, 0, "", "reset");
    }
}
