//! What the database has of an experiment.

use super::strata::StatRow;
use crate::app::App;
use crate::app::track::{cap_quantile, metric_use};
use crate::store::metrics::StoredMetric;
use crate::store::{StoreError, bookmark, log, metrics, stats, tail, weights};
use podium_core::experiment::Experiment;
use podium_core::inference::cap::n_tail;
use podium_core::projection::{MetricSlot, TailRow};
use podium_core::snapshot::WeightsVersion;
use podium_core::time::Timestamp;
use sea_orm::ConnectionTrait;
use std::collections::BTreeMap;

/// The most units read of a tail: with the usual quantile, a thousandth of 200 million that bought.
const TAIL_MAX: u64 = 200_000;

/// All of it is of one moment, so that a unit of the tail is in the sums.
#[derive(Debug)]
pub(super) struct Found {
    rows: BTreeMap<MetricSlot, Vec<StatRow>>,
    /// By metric, from the largest numerator down.
    tails: Vec<Vec<(i64, TailRow)>>,
    /// By metric, when the newest event happened that it reads.
    pub(super) newest: Vec<Option<Timestamp>>,
    /// Every weights version, oldest first, each with when it was published.
    pub(super) versions: Vec<(Timestamp, WeightsVersion)>,
    /// The last position in the log, and when the event there happened.
    pub(super) watermark: (i64, Option<Timestamp>),
}

impl Found {
    pub(super) async fn read(app: &App, experiment: &Experiment) -> Result<Self, StoreError> {
        let snapshot = app.store.snapshot().await?;
        let mut rows: BTreeMap<MetricSlot, Vec<StatRow>> = BTreeMap::new();
        // What was taken back whole leaves a row of zeros.
        let sums = stats::sums(&snapshot, Some(experiment.id)).await?;
        for row in sums.into_iter().filter(|(_, sums)| !sums.is_empty()) {
            rows.entry(row.0.slot).or_default().push(row);
        }
        let mut found = Self {
            rows,
            tails: Vec::new(),
            newest: Vec::new(),
            versions: weights::plan(&snapshot, experiment.id).await?,
            watermark: log::watermark(&snapshot).await?,
        };
        let stored = metrics::all(&snapshot).await?;
        let newest = bookmark::newest(&snapshot).await?;
        for (metric_idx, choice) in (0..).zip(experiment.definition.metrics()) {
            let used = metric_use(experiment.definition.currency, choice);
            let id = stored.iter().find(|stored| stored.used == used).map(|StoredMetric { id, .. }| id);
            found.newest.push(id.and_then(|id| newest.get(id)).copied());
            let info = app.published.registry.find(&choice.metric);
            let quantile = cap_quantile(choice, info);
            let tail = found.read_tail(&snapshot, experiment, (metric_idx, quantile)).await?;
            found.tails.push(tail);
        }
        snapshot.commit().await?;
        Ok(found)
    }

    async fn read_tail(
        &self,
        db: &impl ConnectionTrait,
        experiment: &Experiment,
        (metric_idx, quantile): (u16, f64),
    ) -> Result<Vec<(i64, TailRow)>, StoreError> {
        let needed = n_tail(self.n_nonzero(metric_idx), quantile) as u64;
        if !(1..=TAIL_MAX).contains(&needed) {
            return Ok(Vec::new());
        }
        tail::largest(db, (experiment.id, metric_idx), needed).await
    }

    /// The rows of variant statistics that count one thing.
    pub(super) fn rows(&self, slot: MetricSlot) -> &[StatRow] {
        self.rows.get(&slot).map_or(&[], Vec::as_slice)
    }

    /// Exposed units whose numerator is not zero.
    pub(super) fn n_nonzero(&self, metric_idx: u16) -> u64 {
        let rows = self.rows(MetricSlot::Metric(metric_idx)).iter();
        rows.map(|(_, sums)| sums.n_nonzero).sum::<i64>().unsigned_abs()
    }

    /// The largest numerators of a metric, each with where its unit counts.
    pub(super) fn tail(&self, metric_idx: u16) -> &[(i64, TailRow)] {
        self.tails.get(usize::from(metric_idx)).map_or(&[], Vec::as_slice)
    }
}
