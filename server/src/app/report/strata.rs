//! Sums of variants, stratum by stratum.

use super::plan::Plan;
use podium_core::inference::strata::MetricStratum;
use podium_core::metric::VariantSums;
use podium_core::projection::{StatKey, Stratum, history_sums};
use podium_core::report::ExposureStratum;
use podium_core::time::Timestamp;
use std::collections::BTreeMap;

/// A row of variant statistics.
pub(super) type StatRow = (StatKey, VariantSums);

/// The sums of each variant in one stratum, and when its first unit was exposed.
#[derive(Debug)]
struct Group {
    stratum: Stratum,
    began_at: Timestamp,
    sums: Vec<VariantSums>,
}

/// Adds up rows of one slot, in the order of time.
fn groups<'a>(rows: impl Iterator<Item = &'a StatRow>, n_variants: usize, plan: &Plan) -> Vec<Group> {
    let mut groups: BTreeMap<Stratum, Group> = BTreeMap::new();
    for (key, sums) in rows {
        let new = || Group {
            stratum: key.stratum,
            began_at: key.bucket,
            sums: vec![VariantSums::default(); n_variants],
        };
        let group = groups.entry(key.stratum).or_insert_with(new);
        group.began_at = group.began_at.min(key.bucket);
        if let Some(own) = group.sums.get_mut(usize::from(key.variant_idx)) {
            own.merge(sums);
        }
    }
    let mut groups: Vec<_> = groups.into_values().collect();
    groups.sort_by_key(|group| plan.place(group.stratum, group.began_at));
    groups
}

/// The strata of a metric and where each stands.
pub(super) fn of_metric<'a>(
    rows: impl Iterator<Item = &'a StatRow>,
    n_variants: usize,
    plan: &Plan,
) -> (Vec<MetricStratum>, BTreeMap<Stratum, usize>) {
    let groups = groups(rows, n_variants, plan);
    let positions = groups.iter().enumerate().map(|(idx, group)| (group.stratum, idx)).collect();
    let stratum = |group: Group| MetricStratum {
        began_at: group.began_at,
        shares: plan.shares(group.stratum),
        sums: group.sums,
        history: Vec::new(),
    };
    (groups.into_iter().map(stratum).collect(), positions)
}

/// Adds what came before exposure to the strata of a metric.
pub(super) fn add_histories<'a>(
    strata: &mut [MetricStratum],
    places: &BTreeMap<Stratum, usize>,
    rows: impl Iterator<Item = &'a StatRow>,
    n_variants: usize,
) {
    let mut sums = vec![vec![VariantSums::default(); n_variants]; strata.len()];
    for (key, row) in rows {
        let stratum = places.get(&key.stratum).and_then(|idx| sums.get_mut(*idx));
        if let Some(own) = stratum.and_then(|variants| variants.get_mut(usize::from(key.variant_idx))) {
            own.merge(row);
        }
    }
    for (stratum, sums) in strata.iter_mut().zip(sums) {
        stratum.history = sums.iter().map(history_sums).collect();
    }
}

/// The strata of exposures.
pub(super) fn of_exposures<'a>(
    rows: impl Iterator<Item = &'a StatRow>,
    n_variants: usize,
    plan: &Plan,
) -> Vec<ExposureStratum> {
    let stratum = |group: Group| ExposureStratum {
        began_at: group.began_at,
        shares: plan.shares(group.stratum),
        units: group.sums.iter().map(|sums| sums.n.unsigned_abs()).collect(),
    };
    groups(rows, n_variants, plan).into_iter().map(stratum).collect()
}

/// Units that each variant would have got from equal splits, stratum by stratum. A variant is in the test from the
/// first stratum in which it got a unit to the last.
pub(super) fn equal_units(strata: &[ExposureStratum], n_variants: usize) -> Vec<f64> {
    let span = |variant_idx: usize| {
        let got = |stratum: &ExposureStratum| stratum.units.get(variant_idx).is_some_and(|n| 0 < *n);
        Some(strata.iter().position(got)?..=strata.iter().rposition(got)?)
    };
    let spans: Vec<_> = (0..n_variants).map(span).collect();
    let mut equal = vec![0.0; n_variants];
    for (stratum_idx, stratum) in strata.iter().enumerate() {
        let is_in = |variant_idx: &usize| {
            spans
                .get(*variant_idx)
                .is_some_and(|span| span.as_ref().is_some_and(|span| span.contains(&stratum_idx)))
        };
        let n_in = (0..n_variants).filter(is_in).count();
        let each = stratum.units.iter().sum::<u64>() as f64 / n_in.max(1) as f64;
        for variant_idx in (0..n_variants).filter(is_in) {
            if let Some(equal) = equal.get_mut(variant_idx) {
                *equal += each;
            }
        }
    }
    equal
}
