//! Which figures are kept of an experiment, and with which revision of a metric they were made.

use super::window_s;
use crate::engine;
use crate::ingest::queue::NewMetric;
use crate::ingest::rebuild;
use crate::store::metrics::{MetricUse, STALE};
use crate::store::{Store, StoreError, experiments, metrics, stats};
use podium_core::experiment::{Experiment, MetricChoice};
use podium_core::id::MetricId;
use podium_core::projection::{Tracked, TrackedMetric};
use podium_plugin_host::Registry;
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
        let used = metric_use(experiment, choice);
        let revision = info.map_or(STALE, |info| i64::from(info.revision));
        let id = metrics::find_or_insert(store.writer(), &used, revision).await?;
        tracked.push(TrackedMetric { metric: id, window_s: window_s(choice, info) });
        loaded.extend(instance(registry, id, &used, experiment).await);
    }
    let tracked = Tracked {
        experiment: experiment.id,
        metrics: tracked,
        adaptive: definition.is_adaptive(),
        uniform_slice: experiment.uniform_slice(),
        removed_at: definition.variants.iter().map(|variant| variant.removed_at).collect(),
    };
    Ok((tracked, loaded))
}

/// Every experiment as projection sees it.
pub(crate) async fn tracked_metrics(
    store: &Store,
    registry: &Arc<Registry>,
) -> Result<Vec<(Tracked, Vec<NewMetric>)>, StoreError> {
    let mut all = Vec::new();
    for experiment in experiments::all(store.reader()).await? {
        all.push(tracked(store, registry, &experiment).await?);
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
    let renews = stale.iter().any(|(_, revision)| *revision != STALE);
    if renews {
        let metrics: Vec<_> = stale.iter().map(|(stored, _)| stored.used.metric.as_str()).collect();
        tracing::info!(metrics = metrics.join(", "), "metrics have other revisions; folding the log anew");
        let tracked = tracked_metrics(store, registry).await?;
        let transaction = store.begin().await?;
        stats::clear(&transaction).await?;
        for (stored, revision) in &stale {
            // Only a plugin that was away may still die of the same rows.
            if stored.revision != STALE && *revision != STALE {
                metrics::forget_unreadable(&transaction, stored.id).await?;
            }
        }
        let state = rebuild::replay(store, tracked, Some(&transaction), |_| {}).await?;
        if !state.missed.is_empty() {
            tracing::error!("a metric went away in the middle; the figures stay as they were");
            return Ok(false);
        }
        transaction.commit().await?;
    }
    for (stored, revision) in stale {
        metrics::set_revision(store.writer(), stored.id, revision).await?;
    }
    Ok(renews)
}

/// What makes two uses of a metric the same.
fn metric_use(experiment: &Experiment, choice: &MetricChoice) -> MetricUse {
    let config = serde_json::Value::Object(choice.config.clone()).to_string();
    let currency = experiment.definition.currency.code().to_owned();
    MetricUse { metric: choice.metric.clone(), config, currency }
}

async fn instance(
    registry: &Arc<Registry>,
    id: MetricId,
    used: &MetricUse,
    experiment: &Experiment,
) -> Option<NewMetric> {
    let currency = experiment.definition.currency;
    match engine::instantiate(registry, &used.metric, &used.config, currency).await {
        Ok((instance, spec)) => Some(NewMetric { id, name: used.metric.clone(), instance, spec }),
        Err(error) => {
            let metric = &used.metric;
            tracing::error!(experiment.key = %experiment.key, metric, %error, "metric is not available");
            None
        }
    }
}
