//! Gathering what a report is made of.

mod found;
mod plan;
mod strata;

#[cfg(test)]
mod tests;

use self::found::Found;
use self::plan::Plan;
use super::track::{cap_quantile, history_s};
use super::{App, window_s};
use crate::clock;
use crate::engine;
use crate::store::{StoreError, experiments};
use podium_core::experiment::{Experiment, MetricChoice};
use podium_core::inference::strata::{Past, TailUnit};
use podium_core::metric::{MetricKind, ValueUnit};
use podium_core::projection::{MetricSlot, bucket_width_us, has_matured};
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
        let found = Found::read(self, experiment).await?;
        let (_, weights) = found.versions.last().ok_or_else(|| no_weights(experiment))?;
        Ok(Report::of(&Gather::new(self, experiment, &found).input(weights)))
    }
}

fn no_weights(experiment: &Experiment) -> StoreError {
    StoreError::Corrupt(format!("no weights of `{}`", experiment.key))
}

/// Turns what the database has into what a report is made of.
struct Gather<'a> {
    app: &'a App,
    experiment: &'a Experiment,
    now: Timestamp,
    plan: Plan,
    found: &'a Found,
    /// The attribution window of the primary metric, in seconds.
    primary_window_s: i64,
}

impl<'a> Gather<'a> {
    fn new(app: &'a App, experiment: &'a Experiment, found: &'a Found) -> Self {
        let primary = &experiment.definition.primary_metric;
        let primary_window_s = window_s(primary, app.published.registry.find(&primary.metric));
        let plan = Plan::new(experiment, &found.versions);
        Self { app, experiment, now: clock::now(), plan, found, primary_window_s }
    }

    fn input(&self, weights: &WeightsVersion) -> ReportInput<'a> {
        let definition = &self.experiment.definition;
        let exposed = self.found.rows(MetricSlot::Exposures);
        let buckets = || exposed.iter().map(|(key, _)| key.bucket);
        let quarantined: i64 = self.found.rows(MetricSlot::Quarantine).iter().map(|(_, sums)| sums.n).sum();
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
                position: self.found.watermark.0,
                // What came last may have happened long ago, and the log is everyone's: units that were exposed later are
                // counted here, and nothing is once the last one's window has passed.
                at: self.found.watermark.1.map(|at| {
                    let last = buckets().max();
                    let ends = last.map(|bucket| bucket.plus_seconds(self.primary_window_s));
                    ends.map_or(at, |ends| ends.min(at)).max(last.unwrap_or(at))
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

    fn n_variants(&self) -> usize {
        self.experiment.definition.variants.len()
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
        for (key, sums) in self.found.rows(MetricSlot::Exposures) {
            if let Some(count) = counts.get_mut(usize::from(key.variant_idx)) {
                let n = sums.n.unsigned_abs();
                count.observed += n;
                count.matured += if has_matured(key.bucket, self.primary_window_s, self.now) { n } else { 0 };
            }
        }
        counts
    }

    fn daily_units(&self) -> Vec<(i64, u64)> {
        let mut days: BTreeMap<i64, u64> = BTreeMap::new();
        // Buckets divide the day.
        for (key, sums) in self.found.rows(MetricSlot::Exposures) {
            *days.entry(key.bucket.day()).or_default() += sums.n.unsigned_abs();
        }
        days.into_iter().collect()
    }

    fn metric(&self, metric_idx: u16, choice: &MetricChoice, role: Role) -> MetricFigures {
        let info = self.app.published.registry.find(&choice.metric);
        let window_s = window_s(choice, info);
        let kind = info.map_or(MetricKind::Mean, engine::kind);
        let rows = self.found.rows(MetricSlot::Metric(metric_idx));
        let mut variants = vec![VariantFigures::default(); self.n_variants()];
        for (key, sums) in rows {
            if let Some(figures) = variants.get_mut(usize::from(key.variant_idx)) {
                figures.observed.merge(sums);
            }
        }
        let matured = |slot| {
            let rows = self.found.rows(slot).iter();
            rows.filter(|(key, _)| has_matured(key.bucket, window_s, self.now))
        };
        let (mut strata, places) =
            strata::of_metric(matured(MetricSlot::Metric(metric_idx)), self.n_variants(), &self.plan);
        for stratum in &strata {
            for (figures, sums) in variants.iter_mut().zip(&stratum.sums) {
                figures.matured.merge(sums);
            }
        }
        if 0 < history_s(choice, kind) {
            let rows = matured(MetricSlot::History(metric_idx));
            strata::add_histories(&mut strata, &places, rows, self.n_variants());
        }
        let tail = self.found.tail(metric_idx).iter().map(|(numerator, row)| TailUnit {
            stratum_idx: places
                .get(&row.stratum)
                .copied()
                .filter(|_| has_matured(row.bucket, window_s, self.now)),
            variant_idx: usize::from(row.variant_idx),
            numerator: *numerator,
            denominator: row.denominator,
            past: row.history.map_or(Past::Empty, Past::Was),
        });
        let exposed: i64 = self.found.rows(MetricSlot::Exposures).iter().map(|(_, sums)| sums.n).sum();
        let counted: i64 = rows.iter().map(|(_, sums)| sums.n).sum();
        MetricFigures {
            choice: choice.clone(),
            role,
            title: info.map_or_else(|| choice.metric.clone(), |info| info.title.clone()),
            kind,
            unit: info.map_or(ValueUnit::Plain, engine::unit),
            direction: choice.direction.or(info.map(engine::direction)).unwrap_or_default(),
            window_s,
            available: self.app.published.registry.is_up(&choice.metric),
            unreadable_units: (exposed - counted).max(0).unsigned_abs(),
            cap_quantile: cap_quantile(choice, info),
            variants,
            strata,
            tail: tail.collect(),
            n_nonzero: self.found.n_nonzero(metric_idx),
            last_event_at: self.found.newest.get(usize::from(metric_idx)).copied().flatten(),
        }
    }
}
