//! What follows from an outcome: the promise of each class of provider.

use super::message::{Message, MessageState};
use crate::store::outbox::Next;
use podium_core::time::Timestamp;
use podium_plugin_host::{Outcome, OutcomeStatus, ProviderClass, Purpose};

/// The first wait before a message is tried again, in seconds; it doubles with every claim.
const RETRY_S: f64 = 30.0;
const RETRY_S_MAX: f64 = 3_600.0;
/// The same for one that did not leave at all: it was called back, or the provider refused our credentials, and then
/// it is the channel that waits.
const REQUEUE_S: f64 = 0.5;
const REQUEUE_S_MAX: f64 = 30.0;
/// The longest wait that a provider may ask for, in seconds.
const ASKED_S_MAX: f64 = 86_400.0;

/// Spells an outcome, as attempts have it. Never changes.
pub(super) fn slug(status: OutcomeStatus) -> &'static str {
    match status {
        OutcomeStatus::Unknown => "unknown",
        OutcomeStatus::Accepted => "accepted",
        OutcomeStatus::Deferred => "deferred",
        OutcomeStatus::RateLimited => "rate_limited",
        OutcomeStatus::Rejected => "rejected",
        OutcomeStatus::TargetGone => "target_gone",
        OutcomeStatus::TooLarge => "too_large",
        OutcomeStatus::AuthFailed => "auth_failed",
        OutcomeStatus::Cancelled => "cancelled",
    }
}

/// What follows for a message.
///
/// - `jitter`: 0 to 1, so that messages that failed together are not tried together.
pub(super) fn next(
    message: &Message,
    class: ProviderClass,
    outcome: &Outcome,
    (now, jitter): (Timestamp, f64),
) -> Next {
    let status = outcome.status;
    let failed = |reason: String| Next::End { state: MessageState::Failed, reason, provider_id: None };
    match status {
        OutcomeStatus::Accepted => {
            let provider_id = Some(outcome.provider_id.clone()).filter(|id| !id.is_empty());
            Next::End { state: MessageState::Sent, reason: String::new(), provider_id }
        }
        OutcomeStatus::Rejected | OutcomeStatus::TargetGone | OutcomeStatus::TooLarge => {
            failed(slug(status).to_owned())
        }
        OutcomeStatus::Unknown if !may_send_again(message, class, now) => {
            let reason = slug(status).to_owned();
            Next::End { state: MessageState::Unknown, reason, provider_id: None }
        }
        _ => {
            let wait_s = wait_s(message, outcome, jitter);
            let due_at = Timestamp::from_micros(now.as_micros() + (wait_s * 1e6) as i64);
            if message.expires_at <= due_at { failed("expired".to_owned()) } else { Next::Again { due_at } }
        }
    }
}

/// Whether a message that may have left is sent again.
fn may_send_again(message: &Message, class: ProviderClass, now: Timestamp) -> bool {
    let as_blind = message.purpose == Purpose::Transactional;
    match class {
        ProviderClass::Keyed { key_ttl_s } => {
            let first = message.begun_at.unwrap_or(message.created_at);
            now < first.plus_seconds(i64::from(key_ttl_s)) || as_blind
        }
        ProviderClass::Coalescing => true,
        ProviderClass::Blind | ProviderClass::Pull => as_blind,
    }
}

/// How long to wait. What a provider asks for is not undercut, and does not stop ours from growing.
fn wait_s(message: &Message, outcome: &Outcome, jitter: f64) -> f64 {
    let doubled = |first: f64, n: i64, most: f64| (first * 2_f64.powi(n.clamp(0, 30) as i32)).min(most);
    let ours = if matches!(outcome.status, OutcomeStatus::Cancelled | OutcomeStatus::AuthFailed) {
        doubled(REQUEUE_S, message.epoch - 1, REQUEUE_S_MAX)
    } else {
        doubled(RETRY_S, message.epoch - 1, RETRY_S_MAX)
    };
    match outcome.retry_after {
        Some(asked) => asked.as_secs_f64().min(ASKED_S_MAX).max(ours / 60.0) * (1.0 + jitter / 4.0),
        None => ours * (0.5 + jitter),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::message::{Facts, RequestKey};
    use std::time::Duration;
    use uuid::Uuid;

    const KEYED: ProviderClass = ProviderClass::Keyed { key_ttl_s: 3_600 };

    fn message(purpose: Purpose) -> Message {
        let at = Timestamp::from_micros(0);
        Message {
            id: Uuid::nil(),
            purpose,
            unit: "ann".into(),
            address_json: "{}".into(),
            address_key: String::new(),
            payload_sha256: None,
            fields: std::collections::BTreeMap::new(),
            collapse_key: String::new(),
            facts: Facts {
                message_id: Uuid::nil(),
                channel: "email".into(),
                purpose: "marketing".into(),
                flag: None,
                experiment_id: None,
                variation_id: None,
                decision_id: None,
            },
            exposure: None,
            state: MessageState::Begun,
            reason: String::new(),
            epoch: 1,
            attempts: 1,
            due_at: at,
            begun_at: Some(at),
            expires_at: at.plus_seconds(86_400),
            created_at: at,
            updated_at: at,
            provider_id: None,
            request: RequestKey { request: String::new(), sha256: String::new(), position: 0 },
        }
    }

    fn after(status: OutcomeStatus, class: ProviderClass, message: &Message, now_s: i64) -> Next {
        next(message, class, &Outcome::new(status, ""), (Timestamp::default().plus_seconds(now_s), 0.5))
    }

    fn is_sent_again(class: ProviderClass, purpose: Purpose, now_s: i64) -> bool {
        let next = after(OutcomeStatus::Unknown, class, &message(purpose), now_s);
        matches!(next, Next::Again { .. })
    }

    #[test]
    fn what_may_have_left_goes_again_only_where_nobody_gets_it_twice_or_somebody_waits_for_it() {
        use Purpose::{Marketing, Transactional};
        for (class, purpose, now_s, again) in [
            (KEYED, Marketing, 0, true),
            (KEYED, Marketing, 3_600, false),
            (KEYED, Transactional, 3_600, true),
            (ProviderClass::Coalescing, Marketing, 80_000, true),
            (ProviderClass::Blind, Marketing, 0, false),
            (ProviderClass::Blind, Transactional, 0, true),
        ] {
            assert_eq!(is_sent_again(class, purpose, now_s), again, "{class:?} {purpose:?} after {now_s} s");
        }
    }

    #[test]
    fn what_cannot_have_left_goes_again_until_it_is_worth_nothing() {
        let message = message(Purpose::Marketing);
        let deferred = |now_s| after(OutcomeStatus::Deferred, ProviderClass::Blind, &message, now_s);
        assert_eq!(deferred(0), Next::Again { due_at: Timestamp::from_micros(30_000_000) });
        let expired = Next::End { state: MessageState::Failed, reason: "expired".into(), provider_id: None };
        assert_eq!(deferred(86_390), expired);
    }

    #[test]
    fn where_the_channel_waits_the_message_need_not() {
        let message = message(Purpose::Marketing);
        for status in [OutcomeStatus::Cancelled, OutcomeStatus::AuthFailed] {
            let next = after(status, ProviderClass::Blind, &message, 0);
            assert_eq!(next, Next::Again { due_at: Timestamp::from_micros(500_000) }, "{status:?}");
        }
    }

    #[test]
    fn waits_grow_and_keep_what_the_provider_asks_for() {
        let mut message = message(Purpose::Marketing);
        let mut outcome = Outcome::new(OutcomeStatus::Deferred, "");
        let waits: Vec<f64> = (1..=9)
            .map(|epoch| {
                message.epoch = epoch;
                wait_s(&message, &outcome, 0.5)
            })
            .collect();
        assert_eq!(waits, [30.0, 60.0, 120.0, 240.0, 480.0, 960.0, 1_920.0, 3_600.0, 3_600.0]);
        outcome.retry_after = Some(Duration::from_secs(2));
        message.epoch = 1;
        for jitter in [0.0, 0.5, 1.0] {
            assert!((2.0..=2.5).contains(&wait_s(&message, &outcome, jitter)), "{jitter}");
        }
    }
}
