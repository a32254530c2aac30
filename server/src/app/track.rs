//! Which figures are kept of an experiment, and with which revision of a metric they were made.

use super::audiences::standing_book;
use super::window_s;
use crate::clock;
use crate::engine;
use crate::ingest::queue::NewMetric;
use crate::ingest::rebuild;
use crate::store::experiences::RuleFigures;
use crate::store::metrics::{MetricUse, STALE};
use crate::store::{Store, StoreError, bookmark, experiences, experiments, log, metrics, stats};
use podium_core::experiment::{Experiment, MetricChoice, Variant};
use podium_core::id::{ExperimentId, MetricId};
use podium_core::metric::MetricKind;
use podium_core::money::Currency;
use podium_core::projection::{Tracked, TrackedMetric};
use podium_plugin_host::{MetricInfo, Registry};
use std::collections::HashSet;
use std::sync::Arc;

/// An experiment as projection sees it, with those of its metrics that are loaded.
pub(super) async fn tracked(
    store: &Store,
    registry: &Arc<Registry>,
    experiment: &Experiment,
) -> Result<(Tracked, Vec<NewMetric>), StoreError> {
    let definition = &experiment.definition;
    let mut tracked = Vec::new();
    let mut loaded = Vec::new();
    for choice in definition.metrics() {
        let info = registry.find(&choice.metric);
        let used = metric_use(definition.currency, choice);
        let revision = info.map_or(STALE, |info| i64::from(info.revision));
        let id = metrics::find_or_insert(store.writer(), &used, revision).await?;
        let kind = info.map_or(MetricKind::Mean, engine::kind);
        tracked.push(TrackedMetric {
            metric: id,
            window_s: window_s(choice, info),
            history_s: history_s(choice, kind),
            has_tail: cap_quantile(choice, info) < 1.0,
        });
        loaded.extend(instance(registry, id, &used, definition.currency).await);
    }
    let tracked = Tracked {
        experiment: experiment.id,
        metrics: tracked,
        adaptive: definition.is_adaptive(),
        uniform_slice: experiment.uniform_slice(),
        absences: definition.variants.iter().map(Variant::all_absences).collect(),
    };
    Ok((tracked, loaded))
}

/// The units of a rule as projection sees them: an experiment of one variant that is measured by the goal.
pub(super) async fn tracked_rule(
    store: &Store,
    registry: &Arc<Registry>,
    figures: &RuleFigures,
) -> Result<(Tracked, Vec<NewMetric>), StoreError> {
    let (mut tracked, mut loaded) = (Vec::new(), Vec::new());
    if let Some(goal) = &figures.goal {
        let info = registry.find(&goal.metric);
        let used = metric_use(figures.currency, goal);
        let revision = info.map_or(STALE, |info| i64::from(info.revision));
        let metric = metrics::find_or_insert(store.writer(), &used, revision).await?;
        let window_s = window_s(goal, info);
        tracked.push(TrackedMetric { metric, window_s, history_s: 0, has_tail: false });
        loaded.extend(instance(registry, metric, &used, figures.currency).await);
    }
    let tracked = Tracked {
        experiment: figures.id,
        metrics: tracked,
        adaptive: false,
        uniform_slice: None,
        absences: vec![Vec::new()],
    };
    Ok((tracked, loaded))
}

/// Every experiment, and every rule of experiences, as projection sees them.
pub(crate) async fn tracked_metrics(
    store: &Store,
    registry: &Arc<Registry>,
) -> Result<Vec<(Tracked, Vec<NewMetric>)>, StoreError> {
    let mut all = Vec::new();
    for experiment in experiments::all(store.reader()).await? {
        all.push(tracked(store, registry, &experiment).await?);
    }
    for figures in experiences::all_figures(store.reader()).await? {
        all.push(tracked_rule(store, registry, &figures).await?);
    }
    Ok(all)
}

/// Folds the log anew if a metric has another revision than its figures were made with; says whether it did.
pub(crate) async fn renew_stale(store: &Store, registry: &Arc<Registry>) -> Result<bool, StoreError> {
    let mut stale = Vec::new();
    for stored in metrics::all(store.reader()).await? {
        let revision = registry.find(&stored.used.metric).filter(|info| registry.is_running(&info.id));
        let revision = revision.map_or(STALE, |info| i64::from(info.revision));
        if revision != stored.revision {
            stale.push((stored, revision));
        }
    }
    let is_current = bookmark::is_current(store.reader()).await?;
    let renews = !is_current || stale.iter().any(|(_, revision)| *revision != STALE);
    if renews {
        let metrics: Vec<_> = stale.iter().map(|(stored, _)| stored.used.metric.as_str()).collect();
        let (n_events, metrics) = (log::watermark(store.reader()).await?.0, metrics.join(", "));
        if 0 < n_events {
            tracing::info!(metrics, is_current, "figures are of another revision; folding the log anew");
        }
        let tracked = tracked_metrics(store, registry).await?;
        let book = standing_book(store).await?;
        let transaction = store.begin().await?;
        stats::clear(&transaction, &missing(&tracked)).await?;
        for (stored, revision) in &stale {
            // Only a plugin that was away may still die of the same rows.
            if stored.revision != STALE && *revision != STALE {
                metrics::forget_unreadable(&transaction, stored.id).await?;
            }
        }
        let state =
            rebuild::replay(store, tracked, (&book, clock::now()), Some(&transaction), |_| {}).await?;
        if !state.missed.is_empty() {
            tracing::error!("a metric went away in the middle; the figures stay as they were");
            return Ok(false);
        }
        bookmark::note_current(&transaction).await?;
        transaction.commit().await?;
    }
    for (stored, revision) in stale {
        metrics::set_revision(store.writer(), stored.id, revision).await?;
    }
    Ok(renews)
}

/// Metrics that are not loaded, each with its position in an experiment.
fn missing(tracked: &[(Tracked, Vec<NewMetric>)]) -> Vec<(ExperimentId, u16)> {
    let loaded: HashSet<MetricId> =
        tracked.iter().flat_map(|(_, metrics)| metrics).map(|metric| metric.id).collect();
    let of_experiment = |(tracked, _): &(Tracked, Vec<NewMetric>)| {
        let metrics = tracked.metrics.iter().enumerate();
        let missing = metrics.filter(|(_, metric)| !loaded.contains(&metric.metric));
        missing.map(|(metric_idx, _)| (tracked.experiment, metric_idx as u16)).collect::<Vec<_>>()
    };
    tracked.iter().flat_map(of_experiment).collect()
}

/// How far back the past of a unit is kept, in seconds; 0 for not at all.
pub(super) fn history_s(choice: &MetricChoice, kind: MetricKind) -> i64 {
    if kind == MetricKind::Ratio { 0 } else { choice.history_span_s() }
}

/// The quantile above which values of a metric are capped; 1 where nothing is.
pub(super) fn cap_quantile(choice: &MetricChoice, info: Option<&MetricInfo>) -> f64 {
    let kind = info.map_or(MetricKind::Mean, engine::kind);
    let own = info.and_then(|info| info.cap_quantile);
    if kind == MetricKind::Proportion { 1.0 } else { choice.cap_quantile(own) }
}

/// What makes two uses of a metric the same.
pub(super) fn metric_use(currency: Currency, choice: &MetricChoice) -> MetricUse {
    let config = serde_json::Value::Object(choice.config.clone()).to_string();
    MetricUse { metric: choice.metric.clone(), config, currency: currency.code().to_owned() }
}

async fn instance(
    registry: &Arc<Registry>,
    id: MetricId,
    used: &MetricUse,
    currency: Currency,
) -> Option<NewMetric> {
    match engine::instantiate(registry, &used.metric, &used.config, currency).await {
        Ok((instance, spec)) => Some(NewMetric { id, name: used.metric.clone(), instance, spec }),
        Err(error) => {
            let metric = &used.metric;
            tracing::error!(metric, %error, "metric is not available");
            None
        }
    }
}
