//! Events as the log keeps them.

use crate::id::ExperimentId;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::Arc;

/// The name under which the log keeps our own decisions.
pub const DECISION: &str = "$decision";

/// Who said it. Of two reports of the same order the more trusted one counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Trust {
    /// A shop's server.
    Server,
    /// A page or app, with a key that stands in its source.
    Publishable,
}

/// One row of the log.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredEvent {
    /// Unique in the project; the same id twice is the same event.
    pub message_id: Box<str>,
    /// The event's name, or its type for what is no track call.
    pub name: Box<str>,
    /// Whose it is.
    pub unit: Box<str>,
    /// Whether `unit` is the id of a known user.
    pub is_known: bool,
    /// Another id of the same person that the event names: its anonymous id beside the user's, or the previous id of
    /// an alias.
    pub other_id: Option<Box<str>>,
    /// The order it is about.
    pub order_id: Option<Box<str>>,
    /// Who said it.
    pub trust: Trust,
    /// When it happened.
    pub time: Timestamp,
    /// That the unit was assigned or shown a variant.
    pub sighting: Option<Sighting>,
    /// `{"properties": …, "context": …}`, as JSON text.
    pub body: Box<str>,
}

impl StoredEvent {
    /// What decides which of several reports of one thing counts: the smallest.
    pub fn rank(&self) -> (Trust, Timestamp, &str) {
        (self.trust, self.time, &self.message_id)
    }
}

/// That a unit was assigned a variant, and perhaps really got it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sighting {
    /// The experiment.
    pub experiment: ExperimentId,
    /// Position of the variant.
    pub variant_idx: u16,
    /// Whether the unit got it.
    pub exposed: bool,
    /// The weights version it was drawn under; absent if it was assigned elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// The probability with which it was drawn, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub propensity: Option<f64>,
}

/// Everything in the log about some orders, by order id.
pub type OrderBook = HashMap<Box<str>, Vec<Arc<StoredEvent>>>;
