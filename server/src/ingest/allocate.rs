//! When weights move: a version ends when it is due, and the next follows from what has matured.

use crate::app::Published;
use crate::catalog::Catalog;
use crate::store::weights::{self, StoredWeights};
use crate::store::{Store, StoreError, tail};
use podium_core::allocation::{AllocationInput, ArmState, ArmStratum, VersionAge, next_weights};
use podium_core::experiment::{Experiment, Status};
use podium_core::id::ExperimentId;
use podium_core::inference::cap::{cap_value, lower, n_tail};
use podium_core::metric::{Direction, MetricKind, VariantSums};
use podium_core::projection::{MetricSlot, StatKey, Stratum, TailRow, has_matured};
use podium_core::snapshot::WeightsVersion;
use podium_core::time::Timestamp;
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// The most units of a tail that are read.
const TAIL_MAX: usize = 20_000;
/// Microseconds in a day.
const DAY_US: f64 = 86_400e6;

/// Sums of variants, by key.
pub(crate) type Totals = BTreeMap<StatKey, VariantSums>;

/// The version that each experiment is at.
#[derive(Debug, Default)]
pub(super) struct Allocations {
    current: HashMap<ExperimentId, Current>,
}

#[derive(Debug)]
struct Current {
    weights: WeightsVersion,
    created_at: Timestamp,
    /// For each variant, the first version in which it could be assigned.
    since: Vec<u32>,
}

/// How the primary metric of an experiment is to be read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Primary {
    /// What its values are.
    pub(crate) kind: MetricKind,
    /// Which way is better.
    pub(crate) direction: Direction,
    /// The attribution window, in seconds.
    pub(crate) window_s: i64,
    /// The quantile above which values are capped; 1 where nothing is.
    pub(crate) cap_quantile: f64,
}

impl Allocations {
    /// Forgets an experiment, because it changed; it is read again when it is next looked at.
    pub(super) fn forget(&mut self, experiment: ExperimentId) {
        self.current.remove(&experiment);
    }

    /// Publishes new weights of every experiment whose version has ended.
    pub(super) async fn run(
        &mut self,
        store: &Store,
        published: &Published,
        totals: &Totals,
        now: Timestamp,
    ) {
        let catalog = published.catalog.load_full();
        for experiment in catalog.experiments() {
            let is_adaptive = experiment.status == Status::Running && experiment.definition.is_adaptive();
            let Some(primary) = published.primary(experiment).filter(|_| is_adaptive) else { continue };
            let next = self.next(store, (experiment, primary), totals, now).await;
            let done = match next {
                Ok(Some(next)) => self.publish(store, published, experiment, next).await,
                Ok(None) => Ok(()),
                Err(error) => Err(error),
            };
            if let Err(error) = done {
                tracing::error!(experiment.key = %experiment.key, %error, "weights stay as they are");
            }
        }
    }

    /// The weights that follow, if the version has ended.
    async fn next(
        &mut self,
        store: &Store,
        (experiment, primary): (&Experiment, Primary),
        totals: &Totals,
        now: Timestamp,
    ) -> Result<Option<StoredWeights>, StoreError> {
        if let Entry::Vacant(entry) = self.current.entry(experiment.id)
            && let Some(current) = Current::read(store, experiment).await?
        {
            entry.insert(current);
        }
        let Some(current) = self.current.get(&experiment.id) else { return Ok(None) };
        if !current.has_ended(experiment, totals, now) {
            return Ok(None);
        }
        let ripe = ripe(totals, experiment.id, primary.window_s, now);
        let active = active(experiment);
        let mut strata = Strata::of(ripe, &active, now);
        let n_nonzero = n_nonzero(totals, experiment.id);
        let needed = n_tail(n_nonzero, primary.cap_quantile);
        if (1..=TAIL_MAX).contains(&needed) {
            let largest = tail::largest(store.reader(), (experiment.id, 0), needed as u64).await?;
            let is_ripe = |bucket| has_matured(bucket, primary.window_s, now);
            strata.cap(&largest, (n_nonzero, primary.cap_quantile), is_ripe);
        }
        Ok(current.next(experiment, primary, &strata.sums, now))
    }

    /// Writes new weights and has decisions made on them.
    async fn publish(
        &mut self,
        store: &Store,
        published: &Published,
        experiment: &Experiment,
        next: StoredWeights,
    ) -> Result<(), StoreError> {
        if let Err(error) = weights::insert(store.writer(), experiment.id, &next).await {
            self.forget(experiment.id);
            return Err(error);
        }
        published
            .catalog
            .rcu(|catalog: &Arc<Catalog>| Arc::new(catalog.with_weights(experiment.id, &next.weights)));
        tracing::debug!(experiment.key = %experiment.key, version = next.weights.version, "weights published");
        metrics::counter!("podium_weights_versions_total").increment(1);
        if let Some(current) = self.current.get_mut(&experiment.id) {
            current.weights = next.weights;
            current.created_at = next.created_at;
        }
        Ok(())
    }
}

impl Current {
    async fn read(store: &Store, experiment: &Experiment) -> Result<Option<Self>, StoreError> {
        let versions = weights::plan(store.reader(), experiment.id).await?;
        let Some((created_at, newest)) = versions.last().cloned() else { return Ok(None) };
        let first = |key: &str| {
            let has = |weights: &WeightsVersion| weights.weights.iter().any(|(k, w)| k == key && *w > 0.0);
            versions.iter().find(|(_, weights)| has(weights)).map(|(_, weights)| weights.version)
        };
        let variants = &experiment.definition.variants;
        let since =
            variants.iter().map(|variant| first(variant.key.as_str()).unwrap_or(newest.version)).collect();
        Ok(Some(Self { weights: newest, created_at, since }))
    }

    fn has_ended(&self, experiment: &Experiment, totals: &Totals, now: Timestamp) -> bool {
        let lived_us = now.as_micros().saturating_sub(self.created_at.as_micros());
        let units = units_under(totals, experiment.id, self.weights.version);
        let ends = |units_so_far: u64| {
            let age = VersionAge { seconds: lived_us as f64 / 1e6, units, units_so_far };
            age.has_ended(experiment.definition.units_per_version)
        };
        // All units are counted only where it depends on them.
        ends(units) && ends(units_so_far(totals, experiment.id))
    }

    fn next(
        &self,
        experiment: &Experiment,
        primary: Primary,
        strata: &[ArmStratum],
        now: Timestamp,
    ) -> Option<StoredWeights> {
        let version = self.weights.version;
        let definition = &experiment.definition;
        let active = active(experiment);
        let arms: Vec<ArmState> = active
            .iter()
            .map(|variant_idx| ArmState {
                strata: version + 1 - self.since.get(*variant_idx).copied().unwrap_or(version).min(version),
                share: definition.variants.get(*variant_idx).map_or(0.0, |variant| variant.weight),
            })
            .collect();
        let control = definition.control_idx();
        let input = AllocationInput {
            kind: primary.kind,
            direction: primary.direction,
            control_idx: active.iter().position(|variant_idx| *variant_idx == control),
            arms: &arms,
            strata,
        };
        let draft = next_weights(&definition.allocator, &input)
            .inspect_err(|error| tracing::error!(experiment.key = %experiment.key, %error, "no weights"))
            .ok()?;
        let mut weights = self.weights.clone();
        weights.version += 1;
        weights.weights.iter_mut().for_each(|(_, weight)| *weight = 0.0);
        for (variant_idx, weight) in active.iter().zip(draft.weights.as_slice()) {
            if let Some((_, slot)) = weights.weights.get_mut(*variant_idx) {
                *slot = *weight;
            }
        }
        let beliefs = serde_json::json!({ "phase": draft.phase, "beliefs": draft.beliefs });
        let cause = "allocated".to_owned();
        Some(StoredWeights { weights, created_at: now, cause, beliefs: Some(beliefs.to_string()) })
    }
}

/// The positions of the variants that may still be assigned.
fn active(experiment: &Experiment) -> Vec<usize> {
    let variants = experiment.definition.variants.iter().enumerate();
    variants.filter(|(_, variant)| variant.is_active()).map(|(variant_idx, _)| variant_idx).collect()
}

/// Sums by stratum and day, of the variants that are active and in their order.
struct Strata<'a> {
    active: &'a [usize],
    places: HashMap<(Stratum, i64), usize>,
    sums: Vec<ArmStratum>,
}

impl<'a> Strata<'a> {
    fn of<'b>(
        rows: impl Iterator<Item = (&'b StatKey, &'b VariantSums)>,
        active: &'a [usize],
        now: Timestamp,
    ) -> Self {
        let mut strata = Self { active, places: HashMap::new(), sums: Vec::new() };
        for (key, sums) in rows {
            let place = *strata.places.entry((key.stratum, key.bucket.day())).or_insert_with(|| {
                let age_us = now.as_micros().saturating_sub(key.bucket.as_micros());
                let none = vec![VariantSums::default(); active.len()];
                strata.sums.push(ArmStratum { age_days: age_us as f64 / DAY_US, sums: none });
                strata.sums.len() - 1
            });
            if let Some(of_variant) = strata.arm(place, key.variant_idx) {
                of_variant.merge(sums);
            }
        }
        strata
    }

    /// Lets the largest values count as the one at the quantile.
    ///
    /// - `is_ripe`: whether the window of every unit in a bucket has passed.
    fn cap(
        &mut self,
        largest: &[(i64, TailRow)],
        (n_nonzero, quantile): (u64, f64),
        is_ripe: impl Fn(Timestamp) -> bool,
    ) {
        let numerators = largest.iter().map(|(numerator, _)| *numerator).collect();
        let Ok(Some(value)) = cap_value(numerators, n_nonzero, quantile) else { return };
        for (numerator, row) in largest.iter().filter(|(numerator, _)| value < *numerator) {
            let place = self.places.get(&(row.stratum, row.bucket.day())).copied();
            if let Some(place) = place.filter(|_| is_ripe(row.bucket))
                && let Some(of_variant) = self.arm(place, row.variant_idx)
            {
                lower(of_variant, (*numerator, row.denominator), value);
            }
        }
    }

    fn arm(&mut self, place: usize, variant_idx: u16) -> Option<&mut VariantSums> {
        let position = self.active.binary_search(&usize::from(variant_idx)).ok()?;
        self.sums.get_mut(place)?.sums.get_mut(position)
    }
}

/// How many units have a value of the primary metric that is not zero.
fn n_nonzero(totals: &Totals, experiment: ExperimentId) -> u64 {
    let rows = rows(totals, experiment, MetricSlot::Metric(0), Stratum::Day(i32::MIN));
    rows.map(|(_, sums)| sums.n_nonzero.unsigned_abs()).sum()
}

/// How many units were exposed under a weights version.
fn units_under(totals: &Totals, experiment: ExperimentId, version: u32) -> u64 {
    let stratum = Stratum::Version(version);
    let rows = rows(totals, experiment, MetricSlot::Exposures, stratum);
    rows.take_while(|(key, _)| key.stratum == stratum).map(|(_, sums)| sums.n.unsigned_abs()).sum()
}

/// How many units were exposed so far.
fn units_so_far(totals: &Totals, experiment: ExperimentId) -> u64 {
    let rows = rows(totals, experiment, MetricSlot::Exposures, Stratum::Day(i32::MIN));
    rows.map(|(_, sums)| sums.n.unsigned_abs()).sum()
}

/// What an experiment has in a slot from a stratum on, in the order of stratum and time.
fn rows(
    totals: &Totals,
    experiment: ExperimentId,
    slot: MetricSlot,
    stratum: Stratum,
) -> impl Iterator<Item = (&StatKey, &VariantSums)> {
    let from =
        StatKey { experiment, slot, stratum, bucket: Timestamp::from_micros(i64::MIN), variant_idx: 0 };
    totals.range(from..).take_while(move |(key, _)| key.experiment == experiment && key.slot == slot)
}

/// The rows of the primary metric over units whose window has passed, in the order of stratum and time.
fn ripe(
    totals: &Totals,
    experiment: ExperimentId,
    window_s: i64,
    now: Timestamp,
) -> impl Iterator<Item = (&StatKey, &VariantSums)> {
    let rows = rows(totals, experiment, MetricSlot::Metric(0), Stratum::Day(i32::MIN));
    rows.filter(move |(key, _)| has_matured(key.bucket, window_s, now))
}
