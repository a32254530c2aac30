//! What is known of one unit: where it was seen, and what its events add up to.

use super::event::{Sighting, StoredEvent};
use super::metrics::MetricIdx;
use super::rows::Group;
use crate::id::ExperimentId;
use crate::metric::UnitValue;
use crate::snapshot::Assignment;
use crate::time::Timestamp;
use std::collections::HashMap;
use std::sync::Arc;

/// The most numbers a metric makes of an event.
const K_MAX: usize = 8;

/// A unit's part in one experiment.
#[derive(Clone, Debug, PartialEq)]
pub struct Placement {
    /// The experiment.
    pub experiment: ExperimentId,
    /// Its first assignment by us, or the next one once that variant had been taken out; what `sticky` keeps.
    pub assignment: Option<Assignment>,
    /// What other ids of the person were assigned before they were joined, where it is another variant: they keep it.
    pub others: Vec<(Box<str>, Assignment)>,
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
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct UnitMetric {
    /// The sums of its contributions in the window.
    pub sums: Accumulators,
    /// The unit's value; `None` if the metric could not tell.
    pub value: Option<UnitValue>,
    /// The numerator over the span before its first exposure; `None` if nothing counted there.
    pub history: Option<i64>,
}

/// The sums of a metric's contributions, k of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Accumulators {
    k: u8,
    sums: [i64; K_MAX],
}

impl Accumulators {
    /// Zeros; `k` beyond 8 counts as 8.
    pub fn zeros(k: usize) -> Self {
        Self { k: k.min(K_MAX) as u8, sums: [0; K_MAX] }
    }

    /// The sums.
    pub fn as_slice(&self) -> &[i64] {
        self.sums.get(..usize::from(self.k)).unwrap_or_default()
    }

    fn add(&mut self, contribution: &[i64]) {
        for (sum, part) in self.sums.iter_mut().zip(contribution) {
            *sum = sum.saturating_add(*part);
        }
    }
}

/// The units within which weights were constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stratum {
    /// The UTC day of first exposure, in days since 1970: for a fixed split, for the uniform slice of an allocator, and
    /// for assignments made elsewhere.
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
    /// Under which of the person's ids: 0 is the person's own, the others begin at 1.
    pub(super) id_idx: u16,
    pub(super) exposed_at: Option<Timestamp>,
    /// Time, version and propensity of the first assignment that we made.
    pub(super) assigned: Option<(Timestamp, u32, f64)>,
    /// The propensity that an import gave, from its earliest exposure.
    pub(super) imported: Option<(Timestamp, f64)>,
}

/// The contributions of one metric to one unit, one row an event that counts.
#[derive(Clone, Debug)]
pub(super) struct MetricRows {
    metric_idx: MetricIdx,
    k: usize,
    /// Row after row in one piece of memory: the group, the time in microseconds, then k contributions.
    rows: Vec<i64>,
}

/// What stands before the contributions of a row.
const ROW_HEAD: usize = 2;

impl MetricRows {
    fn push(&mut self, group: Group, time: Timestamp, contribution: &[i64]) {
        self.rows.extend([group.0.cast_signed(), time.as_micros()]);
        self.rows.extend_from_slice(contribution);
    }

    fn remove(&mut self, group: Group) {
        let stride = ROW_HEAD + self.k;
        let is_in = |row: &[i64]| row.first() == Some(&group.0.cast_signed());
        while let Some(row_idx) = self.rows.chunks_exact(stride).position(is_in) {
            let last = self.rows.len() - stride;
            self.rows.copy_within(last.., row_idx * stride);
            self.rows.truncate(last);
        }
    }

    /// Adds up what counts in `from <= time < until`, and says how many rows do.
    fn sums(&self, from: Timestamp, until: Timestamp) -> (Accumulators, usize) {
        let (mut sums, mut n_rows) = (Accumulators::zeros(self.k), 0);
        let within = from.as_micros()..until.as_micros();
        for row in self.rows.chunks_exact(ROW_HEAD + self.k) {
            if let [_, time, contribution @ ..] = row
                && within.contains(time)
            {
                sums.add(contribution);
                n_rows += 1;
            }
        }
        (sums, n_rows)
    }
}

/// One unit in memory. Everything in it can be made again from the log.
#[derive(Clone, Debug, Default)]
pub(super) struct UnitState {
    pub(super) id: Arc<str>,
    /// The other ids under which the person was seen in experiments.
    pub(super) ids: Vec<Box<str>>,
    pub(super) seen: Vec<(ExperimentId, Vec<Seen>)>,
    rows: Vec<MetricRows>,
    /// Events that are grouped by a property of the unit's own.
    grouped: HashMap<Group, Vec<Arc<StoredEvent>>>,
    /// As it counts now.
    pub(super) placements: Vec<Placement>,
    /// When it was last needed, in flushes.
    pub(super) used: u64,
}

impl UnitState {
    /// A unit of which nothing is known.
    pub(super) fn new(id: Arc<str>) -> Self {
        Self { id, ..Self::default() }
    }

    pub(super) fn see(&mut self, id: &str, sighting: &Sighting, time: Timestamp) {
        let id_idx = self.id_idx(id);
        let entry = match self.seen.iter_mut().find(|(experiment, _)| *experiment == sighting.experiment) {
            Some((_, variants)) => variants,
            None => &mut self.seen.push_mut((sighting.experiment, Vec::new())).1,
        };
        let seen = match entry
            .iter_mut()
            .find(|seen| (seen.variant_idx, seen.id_idx) == (sighting.variant_idx, id_idx))
        {
            Some(seen) => seen,
            None => entry.push_mut(Seen {
                variant_idx: sighting.variant_idx,
                id_idx,
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

    /// The id at a position: 0 is the person's own.
    pub(super) fn id_of(&self, id_idx: u16) -> Option<&str> {
        match usize::from(id_idx).checked_sub(1) {
            None => Some(&*self.id),
            Some(other_idx) => self.ids.get(other_idx).map(|id| &**id),
        }
    }

    fn id_idx(&mut self, id: &str) -> u16 {
        if *id == *self.id {
            return 0;
        }
        let known = self.ids.iter().position(|other| **other == *id);
        let idx = known.unwrap_or_else(|| {
            self.ids.push(id.into());
            self.ids.len() - 1
        });
        (idx + 1).min(usize::from(u16::MAX)) as u16
    }

    /// Adds an event to a group of the unit's own.
    pub(super) fn join(&mut self, group: Group, event: &Arc<StoredEvent>) {
        self.grouped.entry(group).or_default().push(Arc::clone(event));
    }

    /// The events in a group of the unit's own.
    pub(super) fn group(&self, group: Group) -> &[Arc<StoredEvent>] {
        self.grouped.get(&group).map_or(&[], Vec::as_slice)
    }

    /// Adds what an event contributes to a metric.
    pub(super) fn add_row(
        &mut self,
        metric_idx: MetricIdx,
        group: Group,
        time: Timestamp,
        contribution: &[i64],
    ) {
        let rows = match self.rows.iter_mut().find(|rows| rows.metric_idx == metric_idx) {
            Some(rows) => rows,
            None => self.rows.push_mut(MetricRows { metric_idx, k: contribution.len(), rows: Vec::new() }),
        };
        rows.push(group, time, contribution);
    }

    /// Takes back what a group contributed to all metrics.
    pub(super) fn remove_group(&mut self, group: Group) {
        self.rows.iter_mut().for_each(|rows| rows.remove(group));
    }

    /// Adds up what counts for a metric in `from <= time < until`; `None` if nothing ever did.
    pub(super) fn sums(
        &self,
        metric_idx: MetricIdx,
        from: Timestamp,
        until: Timestamp,
    ) -> Option<Accumulators> {
        self.sums_and_rows(metric_idx, from, until).map(|(sums, _)| sums)
    }

    /// The same where something counts in that very span.
    pub(super) fn sums_of_some(
        &self,
        metric_idx: MetricIdx,
        from: Timestamp,
        until: Timestamp,
    ) -> Option<Accumulators> {
        let found = self.sums_and_rows(metric_idx, from, until);
        found.filter(|(_, n_rows)| 0 < *n_rows).map(|(sums, _)| sums)
    }

    fn sums_and_rows(
        &self,
        metric_idx: MetricIdx,
        from: Timestamp,
        until: Timestamp,
    ) -> Option<(Accumulators, usize)> {
        self.rows.iter().find(|rows| rows.metric_idx == metric_idx).map(|rows| rows.sums(from, until))
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
        let mut unit = UnitState::default();
        let at = Timestamp::from_micros;
        for (name, contribution) in [("a", [1, 10]), ("b", [2, 20]), ("a", [3, 30]), ("c", [4, 40])] {
            unit.add_row(7, Group::of_event(name), at(5), &contribution);
        }
        let sums = |unit: &UnitState, from| unit.sums(7, at(from), at(9)).unwrap().as_slice().to_vec();
        unit.remove_group(Group::of_event("a"));
        assert_eq!(sums(&unit, 0), [6, 60]);
        assert_eq!(sums(&unit, 6), [0, 0]);
        unit.remove_group(Group::of_event("c"));
        unit.remove_group(Group::of_event("b"));
        assert_eq!(sums(&unit, 0), [0, 0]);
        assert_eq!(unit.sums(8, at(0), at(9)), None);
    }
}
