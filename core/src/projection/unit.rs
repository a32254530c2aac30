//! What is known of one unit: where it was seen, and what its events add up to.

use super::event::{Sighting, StoredEvent};
use super::rows::Group;
use crate::id::{ExperimentId, MetricId};
use crate::metric::UnitValue;
use crate::snapshot::Assignment;
use crate::time::Timestamp;
use std::collections::HashMap;
use std::sync::Arc;

/// A unit's part in one experiment.
#[derive(Clone, Debug, PartialEq)]
pub struct Placement {
    /// The experiment.
    pub experiment: ExperimentId,
    /// Its first assignment by us to a variant that is still in; what `sticky` keeps.
    pub assignment: Option<Assignment>,
    /// Its first exposure; it counts in the variant's sums from then on.
    pub exposure: Option<Exposure>,
    /// For each metric of the experiment, once it is exposed: the accumulators and what the metric makes of them.
    pub metrics: Vec<UnitMetric>,
}

/// That a unit really got a variant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Exposure {
    /// Position of the variant; `None` in quarantine, because it was seen in two.
    pub variant_idx: Option<u16>,
    /// When it first got it.
    pub at: Timestamp,
    /// The weights version it was assigned under, or the day of its first exposure.
    pub stratum: Stratum,
    /// The probability with which it was assigned, if known.
    pub propensity: Option<f64>,
}

/// What one metric says of one unit.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct UnitMetric {
    /// The sums of its contributions in the window, k of them.
    pub sums: Vec<i64>,
    /// The unit's value; `None` if the metric could not tell.
    pub value: Option<UnitValue>,
}

/// The units within which weights were constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stratum {
    /// The UTC day of first exposure, in days since 1970: for a fixed split and for assignments made elsewhere.
    Day(i32),
    /// A weights version.
    Version(u32),
}

impl Stratum {
    /// As one integer, days below zero.
    pub fn to_i64(self) -> i64 {
        const DAY_OFFSET: i64 = 1 << 32;
        match self {
            Self::Day(day) => i64::from(day) - DAY_OFFSET,
            Self::Version(version) => i64::from(version),
        }
    }

    /// The other way.
    pub fn from_i64(code: i64) -> Self {
        const DAY_OFFSET: i64 = 1 << 32;
        u32::try_from(code).map_or_else(|_| Self::Day((code + DAY_OFFSET) as i32), Self::Version)
    }
}

/// Where a unit was seen in one variant: the earliest of each kind, so that order does not matter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Seen {
    pub(super) variant_idx: u16,
    pub(super) exposed_at: Option<Timestamp>,
    /// Time, version and propensity of the first assignment that we made.
    pub(super) assigned: Option<(Timestamp, u32, f64)>,
    /// The propensity that an import gave, from its earliest exposure.
    pub(super) imported: Option<(Timestamp, f64)>,
}

/// The contributions of one metric, one row an event that counts.
#[derive(Clone, Debug, Default)]
pub(super) struct MetricRows {
    k: usize,
    groups: Vec<Group>,
    times: Vec<Timestamp>,
    values: Vec<i64>,
}

impl MetricRows {
    pub(super) fn push(&mut self, group: Group, time: Timestamp, contribution: &[i64]) {
        self.k = contribution.len();
        self.groups.push(group);
        self.times.push(time);
        self.values.extend_from_slice(contribution);
    }

    fn remove(&mut self, group: Group) {
        while let Some(row_idx) = self.groups.iter().position(|other| *other == group) {
            self.groups.swap_remove(row_idx);
            self.times.swap_remove(row_idx);
            let last = self.values.len() - self.k;
            for (offset, from) in (last..self.values.len()).enumerate() {
                self.values.swap(row_idx * self.k + offset, from);
            }
            self.values.truncate(last);
        }
    }

    /// Adds up what counts in `from <= time < until`.
    pub(super) fn sums(&self, from: Timestamp, until: Timestamp, k: usize) -> Vec<i64> {
        let mut sums = vec![0_i64; k];
        if self.k == k {
            for (time, contribution) in self.times.iter().zip(self.values.chunks_exact(k)) {
                if from <= *time && *time < until {
                    for (sum, part) in sums.iter_mut().zip(contribution) {
                        *sum = sum.saturating_add(*part);
                    }
                }
            }
        }
        sums
    }
}

/// One unit in memory. Everything in it can be made again from the log.
#[derive(Clone, Debug, Default)]
pub(super) struct UnitState {
    pub(super) seen: Vec<(ExperimentId, Vec<Seen>)>,
    pub(super) rows: HashMap<MetricId, MetricRows>,
    /// Events that are grouped by a property of the unit's own.
    pub(super) grouped: HashMap<Group, Vec<Arc<StoredEvent>>>,
    /// As it counts now.
    pub(super) placements: Vec<Placement>,
    /// When it was last needed, in flushes.
    pub(super) used: u64,
}

impl UnitState {
    pub(super) fn see(&mut self, sighting: &Sighting, time: Timestamp) {
        let entry = match self.seen.iter_mut().find(|(experiment, _)| *experiment == sighting.experiment) {
            Some((_, variants)) => variants,
            None => &mut self.seen.push_mut((sighting.experiment, Vec::new())).1,
        };
        let seen = match entry.iter_mut().find(|seen| seen.variant_idx == sighting.variant_idx) {
            Some(seen) => seen,
            None => entry.push_mut(Seen {
                variant_idx: sighting.variant_idx,
                exposed_at: None,
                assigned: None,
                imported: None,
            }),
        };
        if sighting.exposed {
            seen.exposed_at = Some(seen.exposed_at.map_or(time, |earlier| earlier.min(time)));
        }
        match (sighting.version, sighting.propensity) {
            (Some(version), propensity) => {
                let this = (time, version, propensity.unwrap_or(f64::NAN));
                let earlier = seen.assigned.filter(|(at, other, _)| (*at, *other) <= (time, version));
                seen.assigned = Some(earlier.unwrap_or(this));
            }
            (None, Some(propensity)) => {
                let earlier = seen.imported.filter(|(at, other)| (*at, *other) <= (time, propensity));
                seen.imported = Some(earlier.unwrap_or((time, propensity)));
            }
            (None, None) => {}
        }
    }

    /// Adds `event` to a group of the unit's own and returns all of it.
    pub(super) fn join(&mut self, group: Group, event: &Arc<StoredEvent>) -> &[Arc<StoredEvent>] {
        let members = self.grouped.entry(group).or_default();
        if !members.iter().any(|other| other.message_id == event.message_id) {
            members.push(Arc::clone(event));
        }
        members
    }

    pub(super) fn remove_group(&mut self, metric: MetricId, group: Group) {
        if let Some(rows) = self.rows.get_mut(&metric) {
            rows.remove(group);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stratum_survives_being_a_number() {
        for stratum in [
            Stratum::Day(-1),
            Stratum::Day(0),
            Stratum::Day(20_000),
            Stratum::Version(0),
            Stratum::Version(u32::MAX),
        ] {
            assert_eq!(Stratum::from_i64(stratum.to_i64()), stratum);
        }
        assert!(Stratum::Day(30_000).to_i64() < 0);
    }

    #[test]
    fn what_a_group_gave_is_taken_back_wherever_it_stands() {
        let mut rows = MetricRows::default();
        let at = Timestamp::from_micros;
        for (name, contribution) in [("a", [1, 10]), ("b", [2, 20]), ("a", [3, 30]), ("c", [4, 40])] {
            rows.push(Group::of_event(name), at(5), &contribution);
        }
        rows.remove(Group::of_event("a"));
        assert_eq!(rows.sums(at(0), at(9), 2), [6, 60]);
        assert_eq!(rows.sums(at(6), at(9), 2), [0, 0]);
        rows.remove(Group::of_event("c"));
        rows.remove(Group::of_event("b"));
        assert_eq!(rows.sums(at(0), at(9), 2), [0, 0]);
    }
}
