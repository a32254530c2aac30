//! A question with two or more variants: what a person registers, and the states it goes through.

mod automation;
mod contents;
mod definition;
mod lifecycle;
mod metric_choice;
mod targeting;
mod variant;

pub use automation::{Automation, OnHarm, OnWinner};
pub use definition::{
    Definition, ExclusionGroup, ExposureSource, METRICS_MAX, Schedule, Stickiness, UnitKind,
};
pub use lifecycle::{Action, IllegalTransition, Status};
pub use metric_choice::MetricChoice;
pub use variant::{Absence, Variant};

pub use crate::fault::Fault;

pub(crate) use definition::CHANNELS_MAX;

use crate::bucketing::UniformSlice;
use crate::id::{ExperimentId, ExperimentKey, FlagKey, VariantKey};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// A registered experiment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Experiment {
    /// As the store numbers it.
    pub id: ExperimentId,
    /// Its name, unique in the project among the newest versions.
    pub key: ExperimentKey,
    /// 1 for the first; an edit that would break statistics makes a new one, with figures of its own.
    pub version: u32,
    /// What was asked.
    pub definition: Definition,
    /// Where it stands.
    pub status: Status,
    /// The variant everyone gets once it is concluded; the control if none was named.
    pub served: Option<VariantKey>,
    /// Counts every change; the `ETag` is made of it.
    pub revision: i64,
    /// When it was registered.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// When it first started.
    pub started_at: Option<Timestamp>,
    /// When it was concluded.
    pub concluded_at: Option<Timestamp>,
}

impl Experiment {
    /// The name a client asks for.
    pub fn flag_key(&self) -> &str {
        self.definition.flag_key.as_ref().map_or(self.key.as_str(), FlagKey::as_str)
    }

    /// What its hashes begin with. A different salt re-randomizes everyone.
    pub fn salt(&self) -> String {
        match (&self.definition.salt, self.version) {
            (Some(salt), _) => salt.clone(),
            (None, 1) => self.key.to_string(),
            (None, version) => format!("{}-v{version}", self.key),
        }
    }

    /// The units that are assigned evenly whatever the weights, if there are such.
    pub fn uniform_slice(&self) -> Option<UniformSlice> {
        let share = self.definition.allocator.uniform_slice?;
        Some(UniformSlice::new(&self.salt(), share))
    }

    /// The position of the variant that `key` names.
    pub fn variant_idx(&self, key: &str) -> Option<usize> {
        self.definition.variants.iter().position(|variant| variant.key.as_str() == key)
    }

    /// Goes to the state that `action` leads to.
    ///
    /// # Errors
    ///
    /// [`IllegalTransition`] if the state does not allow it.
    pub fn apply(&mut self, action: Action, now: Timestamp) -> Result<(), IllegalTransition> {
        self.status = self.status.after(action)?;
        match self.status {
            Status::Running => {
                self.started_at.get_or_insert(now);
            }
            Status::Concluded => self.concluded_at = Some(now),
            Status::Draft | Status::Paused | Status::Archived => {}
        }
        self.updated_at = now;
        Ok(())
    }

    /// Takes back its conclusion, and goes on in the state that it was concluded in. An end that its schedule had and
    /// that has passed is dropped, or it would end again at once; that end is returned.
    ///
    /// # Errors
    ///
    /// The state it is in, if that is no conclusion, or not one of `before`.
    pub fn reopen(&mut self, before: Status, now: Timestamp) -> Result<Option<Timestamp>, Status> {
        self.status = self.status.reopened(before).ok_or(self.status)?;
        (self.served, self.concluded_at, self.updated_at) = (None, None, now);
        let schedule = &mut self.definition.schedule;
        let passed = schedule.end_at.filter(|end_at| *end_at <= now);
        if passed.is_some() {
            schedule.end_at = None;
        }
        Ok(passed)
    }
}
