//! What decisions know of shoppers without asking the database: whose ids are whose, and what each was assigned.

use podium_core::id::ExperimentId;
use podium_core::snapshot::Assignment;
use std::sync::Arc;
use twox_hash::XxHash3_64;

/// Shared by everybody who decides, and by the writer that learns.
#[derive(Debug, Default)]
pub(crate) struct Shoppers {
    /// What each unit was assigned first, by experiment and unit.
    assigned: papaya::HashMap<u64, Assignment>,
    /// The ids that are not their person's own.
    persons: papaya::HashMap<u64, Arc<str>>,
}

fn hash(id: &str) -> u64 {
    XxHash3_64::oneshot(id.as_bytes())
}

fn assigned_key(experiment: ExperimentId, id: &str) -> u64 {
    XxHash3_64::oneshot_with_seed(experiment.0.cast_unsigned(), id.as_bytes())
}

impl Shoppers {
    /// The person that an id is of, if it is another's than its own.
    pub(crate) fn person_of(&self, id: &str) -> Option<Arc<str>> {
        if self.persons.is_empty() {
            return None;
        }
        self.persons.pin().get(&hash(id)).map(Arc::clone)
    }

    /// Notes whose an id is.
    pub(crate) fn join(&self, id: &str, person: Arc<str>) {
        self.persons.pin().insert(hash(id), person);
    }

    /// Notes that an id is a person of its own.
    pub(crate) fn part(&self, id: &str) {
        self.persons.pin().remove(&hash(id));
    }

    /// What a unit was assigned first.
    pub(crate) fn assigned(&self, experiment: ExperimentId, unit: &str) -> Option<Assignment> {
        self.assigned.pin().get(&assigned_key(experiment, unit)).copied()
    }

    /// Notes what a unit is assigned.
    pub(crate) fn assign(&self, experiment: ExperimentId, unit: &str, assignment: Assignment) {
        self.assigned.pin().insert(assigned_key(experiment, unit), assignment);
    }

    /// Forgets what a unit is assigned.
    pub(crate) fn forget(&self, experiment: ExperimentId, unit: &str) {
        self.assigned.pin().remove(&assigned_key(experiment, unit));
    }

    /// The same where nothing is noted yet.
    pub(crate) fn assign_if_new(&self, experiment: ExperimentId, unit: &str, assignment: Assignment) {
        self.assigned.pin().get_or_insert(assigned_key(experiment, unit), assignment);
    }
}
