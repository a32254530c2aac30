//! Outgoing webhooks: what happens to experiments is told to whoever asked, signed as [Standard Webhooks] says.
//!
//! What is to be told is a row, written in the transaction of what happened and deleted once the endpoint has taken
//! it: so it is told at least once, each time under the same `webhook-id`. An endpoint that does not take it is asked
//! again for a day, less and less often, and then not any more.
//!
//! [Standard Webhooks]: https://www.standardwebhooks.com

mod client;
mod sender;
mod signature;
mod tries;

pub(crate) use sender::Sender;
pub(crate) use signature::Signer;
pub(crate) use tries::Outcome;

use podium_core::time::Timestamp;
use serde::{Deserialize, Serialize};

/// The most webhooks there are: each is asked at the same time as all others.
pub(crate) const WEBHOOKS_MAX: usize = 20;

/// What a webhook can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Event {
    /// A variant won.
    #[serde(rename = "experiment.winner")]
    Winner,
    /// A variant is worse than the control.
    #[serde(rename = "experiment.harmful")]
    Harmful,
    /// A variant breaches a guardrail.
    #[serde(rename = "experiment.guardrail_breached")]
    GuardrailBreached,
    /// Variants do not get the units that their weights say.
    #[serde(rename = "experiment.imbalance")]
    Imbalance,
    /// One of these does not hold any more.
    #[serde(rename = "experiment.retracted")]
    Retracted,
    /// A variant was taken out, or the experiment paused.
    #[serde(rename = "experiment.stopped")]
    Stopped,
    /// The experiment ended.
    #[serde(rename = "experiment.concluded")]
    Concluded,
    /// Something was taken back.
    #[serde(rename = "experiment.undone")]
    Undone,
}

impl Event {
    /// The event as text.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Winner => "experiment.winner",
            Self::Harmful => "experiment.harmful",
            Self::GuardrailBreached => "experiment.guardrail_breached",
            Self::Imbalance => "experiment.imbalance",
            Self::Retracted => "experiment.retracted",
            Self::Stopped => "experiment.stopped",
            Self::Concluded => "experiment.concluded",
            Self::Undone => "experiment.undone",
        }
    }
}

/// Who is told.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Webhook {
    /// Its number.
    pub(crate) id: String,
    /// Where it is told.
    pub(crate) url: String,
    /// The name of the secret that it is signed with.
    pub(crate) secret: String,
    /// What it is told.
    pub(crate) events: Vec<Event>,
    /// Since when.
    pub(crate) created_at: Timestamp,
    /// When it was asked last.
    pub(crate) attempted_at: Option<Timestamp>,
    /// What it answered then.
    pub(crate) status: Option<u16>,
    /// Why that was no success.
    pub(crate) error: Option<String>,
    /// Since when it is not asked any more.
    pub(crate) disabled_at: Option<Timestamp>,
    /// Why not.
    pub(crate) disabled_why: Option<String>,
}

/// What one of them is to be told.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Delivery {
    /// Its id, the same at every try.
    pub(crate) id: String,
    /// What is posted.
    pub(crate) body: String,
    /// How often it was tried.
    pub(crate) attempts: u32,
}
