//! Experiments as projection sees them, and the keys of what it keeps.

use super::history;
use super::projector::Changes;
use super::tail::{TailKey, TailRow};
use super::unit::{Exposure, Placement, Seen, Stratum};
use crate::bucketing::UniformSlice;
use crate::experiment::Absence;
use crate::id::{ExperimentId, MetricId};
use crate::metric::{UnitValue, VariantSums};
use crate::snapshot::Assignment;
use crate::time::Timestamp;
use std::collections::HashMap;
use std::sync::Arc;

/// An experiment whose figures are kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Tracked {
    /// Which.
    pub experiment: ExperimentId,
    /// Its metrics: the primary, the secondaries, the guardrails.
    pub metrics: Vec<TrackedMetric>,
    /// Whether weights move, so that units are grouped by weights version and not by day.
    pub adaptive: bool,
    /// The units that are assigned evenly all the same, so that they are grouped by day.
    pub uniform_slice: Option<UniformSlice>,
    /// For each variant, when it was taken out.
    pub absences: Vec<Vec<Absence>>,
}

/// One metric of an experiment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrackedMetric {
    /// The metric with its configuration and currency.
    pub metric: MetricId,
    /// How long after first exposure events count, in seconds.
    pub window_s: i64,
    /// How long before first exposure they count as history, in seconds; 0 if none is kept.
    pub history_s: i64,
    /// Whether the largest values are kept one by one.
    pub has_tail: bool,
}

/// What a row of variant statistics counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MetricSlot {
    /// Units that were exposed.
    Exposures,
    /// Units in quarantine, because they were seen in two variants.
    Quarantine,
    /// The values of the experiment's metric at this position.
    Metric(u16),
    /// What came before exposure of units that have a history, by the same metric: see [`history_sums`](super::history_sums).
    History(u16),
}

/// Names one row of variant statistics.
///
/// The bucket is the span of time in which its units were first exposed: a bucket whose end lies a window back
/// is mature, so what has matured is a sum over rows and needs no timer per unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StatKey {
    /// The experiment.
    pub experiment: ExperimentId,
    /// What is counted.
    pub slot: MetricSlot,
    /// The units' stratum.
    pub stratum: Stratum,
    /// When the bucket begins.
    pub bucket: Timestamp,
    /// Position of the variant; 0 in quarantine.
    pub variant_idx: u16,
}

/// Sums of variants by what they count.
pub(super) type Sums = HashMap<StatKey, VariantSums>;

/// How long a bucket of first exposures is for a metric with this window, in microseconds: about a 64th of the
/// window, between 100 ms and a day, so that figures mature smoothly and rows stay few.
pub fn bucket_width_us(window_s: i64) -> i64 {
    const WIDTHS_MS: [i64; 10] =
        [100, 500, 1_000, 5_000, 15_000, 60_000, 300_000, 3_600_000, 21_600_000, 86_400_000];
    let target_ms = window_s.saturating_mul(1_000) / 64;
    let width_ms = WIDTHS_MS.into_iter().rev().find(|width_ms| *width_ms <= target_ms);
    width_ms.unwrap_or(WIDTHS_MS[0]) * 1_000
}

/// Whether the window of every unit in a bucket has passed.
///
/// - `bucket`: when it begins.
/// - `window_s`: the attribution window, in seconds.
pub fn has_matured(bucket: Timestamp, window_s: i64, now: Timestamp) -> bool {
    let ends = Timestamp::from_micros(bucket.as_micros().saturating_add(bucket_width_us(window_s)));
    ends.plus_seconds(window_s) <= now
}

impl Tracked {
    /// Where a unit stands in this experiment; `None` if it was neither assigned nor exposed.
    ///
    /// - `ids`: the person's own id, then the others.
    pub(super) fn place<'a>(&self, ids: &dyn Fn(u16) -> Option<&'a str>, seen: &[Seen]) -> Option<Placement> {
        let of_id = |id_idx: u16| self.assignment(seen.iter().filter(move |seen| seen.id_idx == id_idx));
        let assignment = of_id(0).or_else(|| self.assignment(seen.iter()));
        let exposure = self.exposure(ids, seen);
        let mut others: Vec<u16> = seen.iter().map(|seen| seen.id_idx).filter(|idx| 0 < *idx).collect();
        others.sort_unstable();
        others.dedup();
        let other = |id_idx: u16| {
            let differs = |own: &Assignment| {
                assignment.is_none_or(|of_person| of_person.variant_idx != own.variant_idx)
            };
            Some((ids(id_idx)?.into(), of_id(id_idx).filter(differs)?))
        };
        let mut others: Vec<(Box<str>, Assignment)> = others.into_iter().filter_map(other).collect();
        others.sort_by(|(a, _), (b, _)| a.cmp(b));
        let is_placed = assignment.is_some() || exposure.is_some();
        is_placed.then(|| Placement {
            experiment: self.experiment,
            assignment,
            others,
            exposure,
            metrics: Vec::new(),
        })
    }

    /// The first assignment; a later one once its variant had been taken out by then. What a removal does to a unit
    /// depends on what is assigned after it and on nothing else, so that nobody has to be looked at when it happens.
    fn assignment<'a>(&self, seen: impl Iterator<Item = &'a Seen>) -> Option<Assignment> {
        let mut assigned: Vec<_> =
            seen.filter_map(|seen| seen.assigned.map(|first| (first, seen.variant_idx))).collect();
        assigned.sort_by_key(|((at, version, _), variant_idx)| (*at, *version, *variant_idx));
        let ((_, version, propensity), variant_idx) = assigned.into_iter().reduce(|kept, next| {
            let ((at, _, _), _) = next;
            if self.is_out(kept.1, at) { next } else { kept }
        })?;
        Some(Assignment { variant_idx, version, propensity })
    }

    fn exposure<'a>(&self, ids: &dyn Fn(u16) -> Option<&'a str>, seen: &[Seen]) -> Option<Exposure> {
        let shown = || seen.iter().filter_map(|seen| seen.exposed_at.map(|at| (at, seen)));
        let (at, first) = shown().min_by_key(|(at, seen)| (*at, seen.variant_idx, ids(seen.id_idx)))?;
        let in_two = shown()
            .any(|(at, seen)| seen.variant_idx != first.variant_idx && !self.is_out(first.variant_idx, at));
        // Of several ids that were shown the same, the one that was assigned first was drawn.
        let same = || seen.iter().filter(|seen| seen.variant_idx == first.variant_idx);
        let drawn = same().filter(|seen| seen.assigned.is_some());
        let by_time = |seen: &&Seen| (seen.assigned.map(|(at, version, _)| (at, version)), ids(seen.id_idx));
        let first = drawn.min_by_key(by_time).unwrap_or(first);
        let unit = ids(first.id_idx).unwrap_or_default();
        let by_weights = self.adaptive && !self.uniform_slice.is_some_and(|slice| slice.contains(unit));
        let version = first.assigned.filter(|_| by_weights).map(|(_, version, _)| Stratum::Version(version));
        let ours = first.assigned.map(|(_, _, propensity)| propensity);
        let imported =
            same().filter_map(|seen| seen.imported).min_by(|(a, p), (b, q)| a.cmp(b).then(p.total_cmp(q)));
        let imported = imported.map(|(_, propensity)| propensity);
        Some(Exposure {
            variant_idx: (!in_two).then_some(first.variant_idx),
            at,
            stratum: version.unwrap_or(Stratum::Day(at.day() as i32)),
            propensity: ours.or(imported).filter(|propensity| propensity.is_finite()),
        })
    }

    fn is_out(&self, variant_idx: u16, at: Timestamp) -> bool {
        let absences = self.absences.get(usize::from(variant_idx));
        absences.is_some_and(|absences| absences.iter().any(|absence| absence.contains(at)))
    }

    /// Counts a unit's placement instead of the one before.
    pub(super) fn recount(
        &self,
        unit: &Arc<str>,
        old: Option<&Placement>,
        new: Option<&Placement>,
        changes: &mut Changes,
    ) {
        let exposure = |placement: Option<&Placement>| placement.and_then(|placement| placement.exposure);
        if exposure(old) != exposure(new) {
            self.count_exposure(old, VariantSums::remove, &mut changes.sums);
            self.count_exposure(new, VariantSums::add, &mut changes.sums);
        }
        for metric_idx in 0..self.metrics.len() {
            let (old, new) = (self.counted(old, metric_idx), self.counted(new, metric_idx));
            if old == new {
                continue;
            }
            if let Some(old) = &old {
                old.count(&mut changes.sums, -1);
            }
            if let Some(new) = &new {
                new.count(&mut changes.sums, 1);
            }
            if self.metrics.get(metric_idx).is_some_and(|metric| metric.has_tail) {
                let row = |counted: Option<Counted>| counted.and_then(|counted| counted.tail_row(unit));
                let (old, new) = (row(old), row(new));
                let stays = |(key, _): &(TailKey, TailRow)| new.as_ref().is_some_and(|(new, _)| new == key);
                let gone = old.as_ref().filter(|old| !stays(old)).map(|(key, _)| (key.clone(), None));
                changes.tail.extend(gone);
                let is_new = old != new;
                changes.tail.extend(new.filter(|_| is_new).map(|(key, row)| (key, Some(row))));
            }
        }
    }

    /// What a placement says of a metric; `None` where the unit counts for none of its variants.
    fn counted(&self, placement: Option<&Placement>, metric_idx: usize) -> Option<Counted> {
        let metric = placement?.metrics.get(metric_idx)?;
        let key = self.metric_key(placement?.exposure?, metric_idx)?;
        Some(Counted { key, metric_idx: metric_idx as u16, value: metric.value?, history: metric.history })
    }

    fn count_exposure(
        &self,
        placement: Option<&Placement>,
        count: fn(&mut VariantSums, UnitValue),
        sums: &mut Sums,
    ) {
        let Some(exposure) = placement.and_then(|placement| placement.exposure) else { return };
        // Where nothing is measured nothing matures, and a day is fine enough.
        let primary_window_s = self.metrics.first().map_or(i64::MAX, |metric| metric.window_s);
        let key = match exposure.variant_idx {
            Some(variant_idx) => self.key(exposure, MetricSlot::Exposures, primary_window_s, variant_idx),
            None => self.key(exposure, MetricSlot::Quarantine, primary_window_s, 0),
        };
        count(sums.entry(key).or_default(), UnitValue::ONE);
    }

    fn metric_key(&self, exposure: Exposure, metric_idx: usize) -> Option<StatKey> {
        let window_s = self.metrics.get(metric_idx)?.window_s;
        Some(self.key(exposure, MetricSlot::Metric(metric_idx as u16), window_s, exposure.variant_idx?))
    }

    fn key(&self, exposure: Exposure, slot: MetricSlot, window_s: i64, variant_idx: u16) -> StatKey {
        let micros = exposure.at.as_micros();
        let bucket = Timestamp::from_micros(micros - micros.rem_euclid(bucket_width_us(window_s)));
        StatKey { experiment: self.experiment, slot, stratum: exposure.stratum, bucket, variant_idx }
    }
}

/// One unit in the figures of a metric.
#[derive(PartialEq)]
struct Counted {
    key: StatKey,
    metric_idx: u16,
    value: UnitValue,
    history: Option<i64>,
}

impl Counted {
    /// Adds it (`sign` 1) or takes it back (`sign` −1).
    fn count(&self, sums: &mut Sums, sign: i64) {
        let (y, d) = (self.value.numerator(), self.value.denominator());
        sums.entry(self.key).or_default().count((y, d), sign);
        if let Some(x) = self.history {
            let key = StatKey { slot: MetricSlot::History(self.metric_idx), ..self.key };
            history::count(sums.entry(key).or_default(), (x, y), sign);
        }
    }

    fn tail_row(&self, unit: &Arc<str>) -> Option<(TailKey, TailRow)> {
        let (numerator, denominator) = (self.value.numerator(), self.value.denominator());
        let StatKey { experiment, stratum, bucket, variant_idx, .. } = self.key;
        let key = TailKey { experiment, metric_idx: self.metric_idx, numerator, unit: Arc::clone(unit) };
        let row = TailRow { stratum, bucket, variant_idx, denominator, history: self.history };
        (numerator != 0).then_some((key, row))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::allocation::SliceShare;

    #[test]
    fn units_in_the_slice_are_grouped_by_day_and_the_others_by_version() {
        let slice = UniformSlice::new("salt", SliceShare::new(0.5).unwrap());
        let tracked = Tracked {
            experiment: ExperimentId(1),
            metrics: Vec::new(),
            adaptive: true,
            uniform_slice: Some(slice),
            absences: vec![Vec::new(); 2],
        };
        let at = Timestamp::from_micros(3 * 86_400_000_000);
        let seen = Seen {
            variant_idx: 1,
            id_idx: 0,
            exposed_at: Some(at),
            assigned: Some((at, 7, 0.5)),
            imported: None,
        };
        let mut n_inside = 0;
        for unit in (0..100).map(|unit_idx| format!("visitor-{unit_idx}")) {
            let placement = tracked.place(&|_| Some(&*unit), &[seen]).unwrap();
            let is_inside = slice.contains(&unit);
            let expected = if is_inside { Stratum::Day(3) } else { Stratum::Version(7) };
            assert_eq!(placement.exposure.unwrap().stratum, expected, "{unit}");
            assert_eq!(placement.assignment.unwrap().version, 7, "{unit} keeps what it got");
            n_inside += usize::from(is_inside);
        }
        assert!((30..70).contains(&n_inside), "{n_inside}");
    }

    #[test]
    fn a_removal_touches_nobody_until_something_else_is_assigned() {
        let at = Timestamp::from_micros;
        let seen = |variant_idx: u16, at_us: i64| Seen {
            variant_idx,
            id_idx: 0,
            exposed_at: Some(at(at_us)),
            assigned: Some((at(at_us), 1, 0.5)),
            imported: None,
        };
        let placed = |absences: Vec<Absence>, all: &[Seen]| {
            let tracked = Tracked {
                experiment: ExperimentId(1),
                metrics: Vec::new(),
                adaptive: false,
                uniform_slice: None,
                absences: vec![absences, Vec::new()],
            };
            let placement = tracked.place(&|_| Some("unit"), all).unwrap();
            (placement.assignment.unwrap().variant_idx, placement.exposure.unwrap().variant_idx)
        };
        let out = |until: Option<i64>| vec![Absence { from: at(10), until: until.map(at) }];
        assert_eq!(
            placed(out(None), &[seen(0, 5)]),
            (0, Some(0)),
            "who comes no more is not looked at again"
        );
        assert_eq!(placed(out(None), &[seen(0, 5), seen(1, 12)]), (1, Some(0)));
        assert_eq!(
            placed(out(Some(20)), &[seen(0, 5), seen(1, 12)]),
            (1, Some(0)),
            "nor is it when it comes back"
        );
        assert_eq!(placed(out(Some(20)), &[seen(0, 5), seen(1, 25)]), (0, None), "seen in two that were in");
        assert_eq!(placed(Vec::new(), &[seen(0, 5), seen(1, 12)]), (0, None));
    }

    #[test]
    fn buckets_are_a_small_part_of_the_window() {
        for (window_s, width_ms) in
            [(1, 100), (64, 1_000), (3 * 86_400, 3_600_000), (365 * 86_400, 86_400_000)]
        {
            assert_eq!(bucket_width_us(window_s), width_ms * 1_000, "{window_s} s");
        }
    }
}
