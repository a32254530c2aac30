//! Gathering what a report is made of.

use super::{App, window_s};
use crate::clock;
use crate::engine;
use crate::ingest::allocate::{Totals, matured};
use crate::store::{StoreError, experiments, log, stats};
use podium_core::experiment::{Experiment, MetricChoice};
use podium_core::metric::{MetricKind, ValueUnit, VariantSums};
use podium_core::projection::{MetricSlot, Stratum, bucket_width_us};
use podium_core::report::{
    CurrentWeights, Exposures, MetricFigures, Report, ReportInput, Role, Rules, VariantFigures, Watermark,
};
use podium_core::time::Timestamp;
use std::collections::{BTreeMap, HashMap};
use std::ops::RangeInclusive;

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReportError {
    /// There is no such experiment.
    #[error("there is no experiment `{0}`")]
    NotFound(String),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl App {
    /// Makes the report of an experiment from what is committed.
    pub(crate) async fn report(
        &self,
        key: &str,
        version: Option<u32>,
    ) -> Result<(Experiment, Report), ReportError> {
        let found = experiments::find(self.store.reader(), key, version).await?;
        let experiment = found.ok_or_else(|| ReportError::NotFound(key.to_owned()))?;
        let report = self.report_of(&experiment).await?;
        Ok((experiment, report))
    }

    /// Makes the report of an experiment that was read already.
    pub(crate) async fn report_of(&self, experiment: &Experiment) -> Result<Report, StoreError> {
        let now = clock::now();
        let totals: Totals =
            stats::sums(self.store.reader(), Some(experiment.id)).await?.into_iter().collect();
        let watermark = log::watermark(self.store.reader()).await?;
        let weights = self.weights(experiment.id).await?.weights;
        let definition = &experiment.definition;
        let gather = Gather { app: self, experiment, totals: &totals, now };
        let counts = gather.exposures();
        let primary_window_s = gather.primary_window_s();
        let buckets = || totals.keys().filter(|key| key.slot == MetricSlot::Exposures).map(|key| key.bucket);
        let quarantined: i64 =
            totals.iter().filter(|(key, _)| key.slot == MetricSlot::Quarantine).map(|(_, sums)| sums.n).sum();
        let roles = std::iter::once(Role::Primary)
            .chain(definition.secondary_metrics.iter().map(|_| Role::Secondary))
            .chain(definition.guardrail_metrics.iter().map(|_| Role::Guardrail));
        let metrics = definition
            .metrics()
            .zip(roles)
            .enumerate()
            .map(|(metric_idx, (choice, role))| gather.metric(metric_idx as u16, choice, role))
            .collect();
        Ok(Report::of(&ReportInput {
            experiment,
            now,
            watermark: Watermark {
                position: watermark.0,
                // The log is everyone's; nothing counts here once the last unit's window has passed.
                at: watermark.1.map(|at| {
                    let last = buckets().max().map(|bucket| bucket.plus_seconds(primary_window_s));
                    last.map_or(at, |last| last.min(at))
                }),
            },
            exposures: counts,
            equal_units: gather.equal_units(),
            first_exposed_at: buckets().min().map(|first| gather.not_before_start(first)),
            last_exposed_at: buckets().max(),
            quarantined_units: quarantined.unsigned_abs(),
            weights: Some(CurrentWeights {
                version: weights.version,
                shares: weights.weights.iter().map(|(_, weight)| *weight).collect(),
            }),
            metrics,
            source_note: definition.source_note.clone(),
            rules: Rules { run_s_min: definition.min_run_s, ..Rules::default() },
        }))
    }
}

struct Gather<'a> {
    app: &'a App,
    experiment: &'a Experiment,
    totals: &'a Totals,
    now: Timestamp,
}

impl Gather<'_> {
    /// The attribution window of the primary metric, in seconds.
    fn primary_window_s(&self) -> i64 {
        let primary = &self.experiment.definition.primary_metric;
        window_s(primary, self.app.published.registry.find(&primary.metric))
    }

    /// The start of the run where it lies in the first bucket, whose own start is earlier than any exposure.
    fn not_before_start(&self, bucket: Timestamp) -> Timestamp {
        let width_us = bucket_width_us(self.primary_window_s());
        let ends = Timestamp::from_micros(bucket.as_micros().saturating_add(width_us));
        self.experiment
            .started_at
            .filter(|started_at| bucket <= *started_at && *started_at < ends)
            .unwrap_or(bucket)
    }

    /// Units exposed to each variant, those among them that have matured for the primary metric.
    fn exposures(&self) -> Vec<Exposures> {
        let window_s = self.primary_window_s();
        let width_us = bucket_width_us(window_s);
        let mut counts = vec![Exposures::default(); self.experiment.definition.variants.len()];
        for (key, sums) in self.totals.iter().filter(|(key, _)| key.slot == MetricSlot::Exposures) {
            if let Some(count) = counts.get_mut(usize::from(key.variant_idx)) {
                let ends = Timestamp::from_micros(key.bucket.as_micros().saturating_add(width_us));
                count.observed += sums.n.unsigned_abs();
                count.matured +=
                    if ends.plus_seconds(window_s) <= self.now { sums.n.unsigned_abs() } else { 0 };
            }
        }
        counts
    }

    /// Units that each variant would have got from equal splits, stratum by stratum. A variant is in the test from
    /// the first stratum in which it got a unit to the last.
    fn equal_units(&self) -> Vec<f64> {
        let n_variants = self.experiment.definition.variants.len();
        let mut strata: BTreeMap<Stratum, Vec<i64>> = BTreeMap::new();
        for (key, sums) in self.totals.iter().filter(|(key, _)| key.slot == MetricSlot::Exposures) {
            let units = strata.entry(key.stratum).or_insert_with(|| vec![0; n_variants]);
            if let Some(units) = units.get_mut(usize::from(key.variant_idx)) {
                *units += sums.n;
            }
        }
        let got = |variant_idx: usize| {
            let units = |stratum: &Vec<i64>| stratum.get(variant_idx).is_some_and(|n| 0 < *n);
            let mut served = strata.values().enumerate().filter(move |(_, stratum)| units(stratum));
            let first = served.next()?.0;
            Some(first..=served.next_back().map_or(first, |(last, _)| last))
        };
        let spans: Vec<_> = (0..n_variants).map(got).collect();
        let mut equal = vec![0.0; n_variants];
        for (stratum_idx, units) in strata.values().enumerate() {
            let is_in = |span: &Option<RangeInclusive<usize>>| {
                span.as_ref().is_some_and(|span| span.contains(&stratum_idx))
            };
            let n_in = spans.iter().filter(|span| is_in(span)).count();
            let each = units.iter().sum::<i64>() as f64 / n_in.max(1) as f64;
            for (equal, _) in equal.iter_mut().zip(&spans).filter(|(_, span)| is_in(span)) {
                *equal += each;
            }
        }
        equal
    }

    fn metric(&self, metric_idx: u16, choice: &MetricChoice, role: Role) -> MetricFigures {
        let info = self.app.published.registry.find(&choice.metric);
        let window_s = window_s(choice, info);
        let id = self.experiment.id;
        let observed: HashMap<u16, VariantSums> = self
            .totals
            .iter()
            .filter(|(key, _)| key.slot == MetricSlot::Metric(metric_idx))
            .fold(HashMap::new(), |mut by_variant, (key, sums)| {
                by_variant.entry(key.variant_idx).or_insert_with(VariantSums::default).merge(sums);
                by_variant
            });
        let matured = matured(self.totals, id, metric_idx, window_s, self.now);
        let n_variants = self.experiment.definition.variants.len();
        let exposed: i64 = self
            .totals
            .iter()
            .filter(|(key, _)| key.slot == MetricSlot::Exposures)
            .map(|(_, sums)| sums.n)
            .sum();
        let counted: i64 = observed.values().map(|sums| sums.n).sum();
        let of = |by_variant: &HashMap<u16, VariantSums>, idx: usize| {
            by_variant.get(&(idx as u16)).copied().unwrap_or_default()
        };
        MetricFigures {
            choice: choice.clone(),
            role,
            title: info.map_or_else(|| choice.metric.clone(), |info| info.title.clone()),
            kind: info.map_or(MetricKind::Mean, engine::kind),
            unit: info.map_or(ValueUnit::Plain, engine::unit),
            direction: choice.direction.or(info.map(engine::direction)).unwrap_or_default(),
            window_s,
            available: self.app.published.registry.is_up(&choice.metric),
            unreadable_units: (exposed - counted).max(0).unsigned_abs(),
            variants: (0..n_variants)
                .map(|idx| VariantFigures { observed: of(&observed, idx), matured: of(&matured, idx) })
                .collect(),
        }
    }
}
