//! Whose sums have changed, so that nobody reads sums that are as they were.

use podium_core::id::ExperimentId;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts the commits that changed the sums of each experiment.
#[derive(Debug, Default)]
pub(crate) struct Touched {
    of_all: AtomicU64,
    of_each: papaya::HashMap<ExperimentId, u64>,
}

impl Touched {
    /// Notes that sums of an experiment have changed.
    pub(super) fn touch(&self, experiment: ExperimentId) {
        self.of_each.pin().update_or_insert(experiment, |count| count + 1, 1);
    }

    /// Notes that any sums may have changed.
    pub(super) fn touch_all(&self) {
        self.of_all.fetch_add(1, Ordering::Relaxed);
    }

    /// How often the sums of an experiment may have changed since the server started.
    pub(crate) fn count(&self, experiment: ExperimentId) -> u64 {
        let of_it = self.of_each.pin().get(&experiment).copied().unwrap_or_default();
        self.of_all.load(Ordering::Relaxed) + of_it
    }
}
