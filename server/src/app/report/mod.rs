//! Gathering what a report is made of.

mod plan;
mod strata;

use self::plan::Plan;
use self::strata::StatRow;
use super::{App, window_s};
use crate::clock;
use crate::engine;
use crate::store::{StoreError, experiments, log, stats, weights};
use podium_core::experiment::{Experiment, MetricChoice};
use podium_core::metric::{MetricKind, ValueUnit};
use podium_core::projection::{MetricSlot, bucket_width_us};
use podium_core::report::{
    CurrentWeights, Exposures, MetricFigures, Report, ReportInput, Role, Rules, VariantFigures, Watermark,
};
use podium_core::snapshot::WeightsVersion;
use podium_core::time::Timestamp;
use std::collections::BTreeMap;

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
        let snapshot = self.store.snapshot().await?;
        let rows = stats::sums(&snapshot, Some(experiment.id)).await?;
        let watermark = log::watermark(&snapshot).await?;
        let versions = weights::plan(&snapshot, experiment.id).await?;
        snapshot.commit().await?;
        let gather = Gather::new(self, experiment, (rows, &versions));
        let (_, weights) = versions.last().ok_or_else(|| no_weights(experiment))?;
        Ok(Report::of(&gather.input(watermark, weights)))
    }
}

fn no_weights(experiment: &Experiment) -> StoreError {
    StoreError::Corrupt(format!("no weights of `{}`", experiment.key))
}

/// What the database has of an experiment.
struct Gather<'a> {
    app: &'a App,
    experiment: &'a Experiment,
    now: Timestamp,
    plan: Plan,
    rows: BTreeMap<MetricSlot, Vec<StatRow>>,
    /// The attribution window of the primary metric, in seconds.
    primary_window_s: i64,
}

impl<'a> Gather<'a> {
    fn new(
        app: &'a App,
        experiment: &'a Experiment,
        (rows, versions): (Vec<StatRow>, &[(Timestamp, WeightsVersion)]),
    ) -> Self {
        let mut by_slot: BTreeMap<MetricSlot, Vec<StatRow>> = BTreeMap::new();
        // What was taken back whole leaves a row of zeros.
        for row in rows.into_iter().filter(|(_, sums)| !sums.is_empty()) {
            by_slot.entry(row.0.slot).or_default().push(row);
        }
        let primary = &experiment.definition.primary_metric;
        let primary_window_s = window_s(primary, app.published.registry.find(&primary.metric));
        let plan = Plan::new(experiment, versions);
        Self { app, experiment, now: clock::now(), plan, rows: by_slot, primary_window_s }
    }

    fn input(&self, watermark: (i64, Option<Timestamp>), weights: &WeightsVersion) -> ReportInput<'a> {
        let definition = &self.experiment.definition;
        let exposed = self.rows(MetricSlot::Exposures);
        let buckets = || exposed.iter().map(|(key, _)| key.bucket);
        let quarantined: i64 = self.rows(MetricSlot::Quarantine).iter().map(|(_, sums)| sums.n).sum();
        let roles = std::iter::once(Role::Primary)
            .chain(definition.secondary_metrics.iter().map(|_| Role::Secondary))
            .chain(definition.guardrail_metrics.iter().map(|_| Role::Guardrail));
        let metrics = definition
            .metrics()
            .zip(roles)
            .enumerate()
            .map(|(metric_idx, (choice, role))| self.metric(metric_idx as u16, choice, role))
            .collect();
        let exposure_strata = strata::of_exposures(exposed.iter(), self.n_variants(), &self.plan);
        ReportInput {
            experiment: self.experiment,
            now: self.now,
            watermark: Watermark {
                position: watermark.0,
                // The log is everyone's; nothing counts here once the last unit's window has passed.
                at: watermark.1.map(|at| {
                    let last = buckets().max().map(|bucket| bucket.plus_seconds(self.primary_window_s));
                    last.map_or(at, |last| last.min(at))
                }),
            },
            exposures: self.exposures(),
            equal_units: strata::equal_units(&exposure_strata, self.n_variants()),
            exposure_strata,
            daily_units: self.daily_units(),
            first_exposed_at: buckets().min().map(|first| self.not_before_start(first)),
            last_exposed_at: buckets().max(),
            quarantined_units: quarantined.unsigned_abs(),
            weights: Some(CurrentWeights {
                version: weights.version,
                shares: weights.weights.iter().map(|(_, weight)| *weight).collect(),
            }),
            metrics,
            source_note: definition.source_note.clone(),
            rules: Rules { run_s_min: definition.min_run_s, ..Rules::default() },
        }
    }

    fn rows(&self, slot: MetricSlot) -> &[StatRow] {
        self.rows.get(&slot).map_or(&[], Vec::as_slice)
    }

    fn n_variants(&self) -> usize {
        self.experiment.definition.variants.len()
    }

    /// Whether the window of every unit in a bucket has passed.
    fn has_matured(&self, bucket: Timestamp, window_s: i64) -> bool {
        let ends = Timestamp::from_micros(bucket.as_micros().saturating_add(bucket_width_us(window_s)));
        ends.plus_seconds(window_s) <= self.now
    }

    /// The start of the run where it lies in the first bucket, whose own start is earlier than any exposure.
    fn not_before_start(&self, bucket: Timestamp) -> Timestamp {
        let width_us = bucket_width_us(self.primary_window_s);
        let ends = Timestamp::from_micros(bucket.as_micros().saturating_add(width_us));
        self.experiment
            .started_at
            .filter(|started_at| bucket <= *started_at && *started_at < ends)
            .unwrap_or(bucket)
    }

    /// Units exposed to each variant, those among them that have matured for the primary metric.
    fn exposures(&self) -> Vec<Exposures> {
        let mut counts = vec![Exposures::default(); self.n_variants()];
        for (key, sums) in self.rows(MetricSlot::Exposures) {
            if let Some(count) = counts.get_mut(usize::from(key.variant_idx)) {
                let n = sums.n.unsigned_abs();
                count.observed += n;
                count.matured += if self.has_matured(key.bucket, self.primary_window_s) { n } else { 0 };
            }
        }
        counts
    }

    fn daily_units(&self) -> Vec<(i64, u64)> {
        let mut days: BTreeMap<i64, u64> = BTreeMap::new();
        // Buckets divide the day.
        for (key, sums) in self.rows(MetricSlot::Exposures) {
            *days.entry(key.bucket.day()).or_default() += sums.n.unsigned_abs();
        }
        days.into_iter().collect()
    }

    fn metric(&self, metric_idx: u16, choice: &MetricChoice, role: Role) -> MetricFigures {
        let info = self.app.published.registry.find(&choice.metric);
        let window_s = window_s(choice, info);
        let rows = self.rows(MetricSlot::Metric(metric_idx));
        let mut variants = vec![VariantFigures::default(); self.n_variants()];
        for (key, sums) in rows {
            if let Some(figures) = variants.get_mut(usize::from(key.variant_idx)) {
                figures.observed.merge(sums);
            }
        }
        let matured = rows.iter().filter(|(key, _)| self.has_matured(key.bucket, window_s));
        let (strata, _) = strata::of_metric(matured, self.n_variants(), &self.plan);
        for stratum in &strata {
            for (figures, sums) in variants.iter_mut().zip(&stratum.sums) {
                figures.matured.merge(sums);
            }
        }
        let exposed: i64 = self.rows(MetricSlot::Exposures).iter().map(|(_, sums)| sums.n).sum();
        let counted: i64 = rows.iter().map(|(_, sums)| sums.n).sum();
        let n_nonzero: i64 = rows.iter().map(|(_, sums)| sums.n_nonzero).sum();
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
            variants,
            strata,
            tail: Vec::new(),
            n_nonzero: n_nonzero.unsigned_abs(),
            last_event_at: None,
        }
    }
}
