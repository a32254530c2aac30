//! One arm of an experiment.

use crate::id::{ChannelKey, VariantKey};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// One arm: what a unit may get.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variant {
    /// Its name, unique in the experiment.
    pub key: VariantKey,
    /// What people read; the key if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Whether it is what the others are compared with. One variant is; the first if none is marked.
    #[serde(default)]
    pub control: bool,
    /// Its share under a fixed split, relative to the others; finite and `>= 0`.
    #[serde(default = "one")]
    pub weight: f64,
    /// What the client gets.
    #[serde(default)]
    pub content: Value,
    /// What is sent or shown on channels that need another form of it, by the channel's key.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub channels: BTreeMap<ChannelKey, Value>,
    /// Of an experiment with factors: its level of each factor, by the factor's name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub levels: BTreeMap<String, String>,
    /// When it was taken out. From then on no unit gets it; its figures stay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed_at: Option<Timestamp>,
    /// When it had been taken out before, and was taken in again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub absences: Vec<Absence>,
}

/// A time in which a variant was taken out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Absence {
    /// When it was taken out.
    pub from: Timestamp,
    /// When it was taken in again; none while it is out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

impl Absence {
    /// Whether an instant lies in it.
    pub fn contains(&self, at: Timestamp) -> bool {
        self.from <= at && self.until.is_none_or(|until| at < until)
    }
}

impl Variant {
    /// What people read.
    pub fn title(&self) -> &str {
        self.name.as_deref().unwrap_or(self.key.as_str())
    }

    /// What it is on a channel.
    pub fn content_on(&self, channel: &str) -> &Value {
        let own = self.channels.iter().find(|(key, _)| key.as_str() == channel);
        own.map_or(&self.content, |(_, content)| content)
    }

    /// Takes it in again.
    pub fn restore(&mut self, now: Timestamp) {
        if let Some(from) = self.removed_at.take() {
            self.absences.push(Absence { from, until: Some(now) });
        }
    }

    /// Whether it was never taken out.
    pub fn was_always_in(&self) -> bool {
        self.is_active() && self.absences.is_empty()
    }

    /// Every time in which it was, or is, taken out.
    pub fn all_absences(&self) -> Vec<Absence> {
        let present = self.removed_at.map(|from| Absence { from, until: None });
        self.absences.iter().copied().chain(present).collect()
    }

    /// Whether units may still get it.
    pub fn is_active(&self) -> bool {
        self.removed_at.is_none()
    }
}

fn one() -> f64 {
    1.0
}
