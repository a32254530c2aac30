//! What becomes of messages: a provider that takes, refuses, breaks off or says nothing.

use super::delivery::{AMPLE, Sent};
use super::double::{Does, Protocol, Seen};
use super::{ChannelSubject, Checked, Double, Failed, broken};
use crate::channel_info::ProviderClass;
use crate::outcome::{Outcome, OutcomeStatus as Is};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// What a delivery may take where the double says nothing.
const SHORT: Duration = Duration::from_secs(1);
const N_MESSAGES: usize = 3;
const RETRY_AFTER: Duration = Duration::from_secs(7);
const RATE_LIMITED: &str = "429 Too Many Requests\r\nretry-after: 7";
/// What a provider may answer, and what that may mean.
const ANSWERS: [(&str, &[Is]); 9] = [
    ("400 Bad Request", &[Is::Rejected]),
    ("401 Unauthorized", &[Is::AuthFailed]),
    ("403 Forbidden", &[Is::AuthFailed, Is::Rejected]),
    ("404 Not Found", &[Is::TargetGone, Is::Rejected]),
    ("410 Gone", &[Is::TargetGone, Is::Rejected]),
    ("413 Content Too Large", &[Is::TooLarge, Is::Rejected]),
    ("500 Internal Server Error", &[Is::Deferred, Is::RateLimited, Is::Unknown]),
    ("502 Bad Gateway", &[Is::Deferred, Is::RateLimited, Is::Unknown]),
    ("503 Service Unavailable", &[Is::Deferred, Is::RateLimited, Is::Unknown]),
];
/// Shorter words of a request are in others, too.
const KEY_LEN_MIN: usize = 6;

impl ChannelSubject<'_> {
    pub(super) fn accepted(&self) -> Checked {
        for status in ["200 OK", "202 Accepted", "204 No Content"] {
            let sender = self.sender(Does::Answers(status))?;
            let keys: Vec<String> = (1..=N_MESSAGES).map(|number| format!("check-{number}")).collect();
            let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
            let Sent { outcomes, n_begun, n_arrived } = sender.deliver(&keys, 1, AMPLE)?;
            if let Some(outcome) = outcomes.iter().find(|outcome| outcome.status != Is::Accepted) {
                let advice = if self.trial.address_json.is_none() {
                    "; is the address one? see --address"
                } else {
                    ""
                };
                return broken(format!("HTTP {status} is {}{advice}", told(outcome)));
            }
            if n_begun < N_MESSAGES {
                return broken(format!("{N_MESSAGES} messages are ACCEPTED, but {n_begun} were begun"));
            }
            let n_calls = N_MESSAGES.div_ceil(self.info.batch_max);
            if n_arrived < n_calls {
                let text =
                    format!("{N_MESSAGES} messages are ACCEPTED, but only {n_arrived} requests arrived");
                return broken(text);
            }
        }
        Ok(())
    }

    pub(super) fn answers(&self) -> Checked {
        for (status, allowed) in ANSWERS {
            let (outcome, _) = self.sender(Does::Answers(status))?.deliver_one(AMPLE)?;
            if !allowed.contains(&outcome.status) {
                return broken(format!("HTTP {status} is {}, and means {allowed:?}", told(&outcome)));
            }
        }
        Ok(())
    }

    pub(super) fn rate_limit(&self) -> Checked {
        let (outcome, _) = self.sender(Does::Answers(RATE_LIMITED))?.deliver_one(AMPLE)?;
        if outcome.status != Is::RateLimited {
            return broken(format!("HTTP 429 is {}", told(&outcome)));
        }
        match outcome.retry_after {
            Some(after) if RETRY_AFTER <= after => Ok(()),
            after => broken(format!(
                "the provider asks for {} s in `Retry-After`, the channel for {} s",
                RETRY_AFTER.as_secs(),
                after.unwrap_or_default().as_secs()
            )),
        }
    }

    pub(super) fn breaks(&self) -> Checked {
        self.names_the_double()?;
        let sender = self.sender_to(Double::nobody()?, Arc::new(Seen::default()))?;
        let (outcome, _) = sender.deliver_one(AMPLE)?;
        if matches!(outcome.status, Is::Rejected | Is::TargetGone | Is::TooLarge | Is::AuthFailed) {
            return broken(format!("where nobody listens it is {}, and the message lost", told(&outcome)));
        }
        for (what, does) in [("is reset", Does::Resets), ("is closed without an answer", Does::Closes)] {
            let (outcome, sent) = self.sender(does)?.deliver_one(AMPLE)?;
            self.is_true(&format!("a connection that {what}"), &outcome, &sent)?;
        }
        Ok(())
    }

    pub(super) fn deadline(&self) -> Checked {
        for (what, does) in [("hangs", Does::Hangs), ("drips", Does::Drips)] {
            let with_name = |failed| match failed {
                Failed::Broken(text) => Failed::Broken(format!("a provider that {what}: {text}")),
                failed @ Failed::NotTried(_) => failed,
            };
            let (outcome, sent) = self.sender(does)?.deliver_one(SHORT).map_err(with_name)?;
            self.is_true(&format!("a provider that {what}"), &outcome, &sent)?;
        }
        Ok(())
    }

    pub(super) fn too_late(&self) -> Checked {
        let does = if self.trial.protocol == Protocol::Http { Does::Answers("200 OK") } else { Does::Closes };
        let sender = self.sender(does)?;
        let (outcome, sent) = sender.deliver_one(Duration::ZERO)?;
        if sent.n_arrived > 0 || sender.seen().n_begun() > 0 {
            return broken("the deadline had passed and `begin` was refused, but the message left");
        }
        if outcome.status == Is::Accepted {
            return broken("the deadline had passed, and it is ACCEPTED");
        }
        Ok(())
    }

    pub(super) fn same_key(&self) -> Checked {
        let sender = self.sender(Does::Answers("500 Internal Server Error"))?;
        for (key, attempt) in [("check-key-one", 1), ("check-key-one", 2), ("check-key-two", 1)] {
            sender.deliver(&[key], attempt, AMPLE)?;
        }
        let requests = sender.seen().requests();
        let [first, second, other] = &requests[..] else {
            return broken(format!("three attempts made {} requests", requests.len()));
        };
        let [first, second, other] = [first, second, other].map(|request| words(request));
        let mut shared = first.intersection(&second);
        if shared.any(|word| !other.contains(word)) {
            Ok(())
        } else {
            broken("two attempts of one message share nothing that another message does not have")
        }
    }

    /// Nobody knows whether a message arrived that was not answered. One that did arrive has left: where the
    /// provider would send it twice, it must not be said to come again.
    fn is_true(&self, what: &str, outcome: &Outcome, sent: &Sent) -> Checked {
        let allowed: &[Is] = match (self.info.class, sent.n_arrived) {
            (ProviderClass::Blind, 1..) => &[Is::Unknown],
            _ => &[Is::Unknown, Is::Deferred, Is::Cancelled, Is::RateLimited],
        };
        if allowed.contains(&outcome.status) {
            return Ok(());
        }
        broken(format!("{what} makes it {}, and means {allowed:?}", told(outcome)))
    }
}

fn told(outcome: &Outcome) -> String {
    let detail = if outcome.detail.is_empty() { "" } else { &format!(" ({})", outcome.detail) };
    format!("{:?}{detail}", outcome.status)
}

/// The words of a request that may be a key.
fn words(request: &[u8]) -> BTreeSet<String> {
    let text = String::from_utf8_lossy(request);
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && !"-_.+/=".contains(c));
    words.filter(|word| KEY_LEN_MIN <= word.len()).map(str::to_owned).collect()
}
