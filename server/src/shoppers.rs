//! What decisions know of shoppers without asking the database: whose ids are whose, what each was assigned, and what is
//! known of those who come.

use podium_core::id::{AudienceId, ExperimentId};
use podium_core::profile::Profile;
use podium_core::snapshot::Assignment;
use podium_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use twox_hash::XxHash3_64;

/// Shared by everybody who decides, and by the writer that learns.
#[derive(Debug, Default)]
pub(crate) struct Shoppers {
    /// What each unit was assigned first, by experiment and unit.
    assigned: papaya::HashMap<u64, Assignment>,
    /// Whose exposure to the global holdout is in the log already, by experiment and unit.
    held: papaya::HashMap<u64, ()>,
    /// The ids that are not their person's own.
    persons: papaya::HashMap<u64, Arc<str>>,
    /// What is known of those who came lately.
    known: papaya::HashMap<u64, Arc<Remembered>>,
    /// Counts look-ups: the age of what is remembered.
    turn: AtomicU64,
}

/// What is known of a person.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Known {
    /// What their events say.
    pub(crate) profile: Profile,
    /// The audiences they are in, each with since when.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) audiences: BTreeMap<AudienceId, Timestamp>,
    /// When those may be others though nothing happens; it has a column of its own.
    #[serde(skip)]
    pub(crate) due_at: Option<Timestamp>,
}

/// What is known of a person, and when it was last asked for: together, since memory that is far away is what a look-up
/// waits for.
#[derive(Debug)]
pub(crate) struct Remembered {
    known: Known,
    used: AtomicU64,
}

impl Deref for Remembered {
    type Target = Known;

    fn deref(&self) -> &Known {
        &self.known
    }
}

/// Persons remembered; the half that was not asked for the longest goes when there are more.
const KNOWN_MAX: usize = 200_000;

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

    /// What is known of a person, if that is in memory.
    pub(crate) fn known(&self, person: &str) -> Option<Arc<Remembered>> {
        let remembered = self.known.pin();
        let found = remembered.get(&hash(person))?;
        found.used.store(self.turn.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
        Some(Arc::clone(found))
    }

    /// Remembers what the writer has made of a person.
    pub(crate) fn learn(&self, person: &str, known: Known) {
        self.known.pin().insert(hash(person), self.remembered(known));
        self.forget_some();
    }

    /// Remembers what the database has of a person, unless the writer has made something newer of them meanwhile.
    pub(crate) fn recall(&self, person: &str, known: Known) -> Arc<Remembered> {
        let remembered = self.remembered(known);
        let known = Arc::clone(self.known.pin().get_or_insert(hash(person), remembered));
        self.forget_some();
        known
    }

    /// Forgets what is known of everybody, because it was made anew.
    pub(crate) fn forget_known(&self) {
        self.known.pin().clear();
    }

    /// Forgets a person whose ids are another's now.
    pub(crate) fn forget_person(&self, person: &str) {
        self.known.pin().remove(&hash(person));
    }

    fn remembered(&self, known: Known) -> Arc<Remembered> {
        Arc::new(Remembered { known, used: AtomicU64::new(self.turn.fetch_add(1, Ordering::Relaxed)) })
    }

    fn forget_some(&self) {
        let all = self.known.pin();
        if all.len() <= KNOWN_MAX {
            return;
        }
        let mut ages: Vec<u64> = all.values().map(|one| one.used.load(Ordering::Relaxed)).collect();
        let middle = ages.len() / 2;
        let median = *ages.select_nth_unstable(middle).1;
        all.retain(|_, one| median < one.used.load(Ordering::Relaxed));
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

    /// Notes that a unit's exposure is in the log; says whether that is new.
    pub(crate) fn note_exposed(&self, experiment: ExperimentId, unit: &str) -> bool {
        self.held.pin().insert(assigned_key(experiment, unit), ()).is_none()
    }

    /// The same where nothing is noted yet.
    pub(crate) fn assign_if_new(&self, experiment: ExperimentId, unit: &str, assignment: Assignment) {
        self.assigned.pin().get_or_insert(assigned_key(experiment, unit), assignment);
    }
}
