//! Watching experiments: what their verdicts turn to is written down, and what their automation wants is done.
//!
//! An automatic action is done once for each variant and reason: one that was undone is not done again, nor is one
//! whose effect a person ended otherwise. A person can still do the same by hand.

mod turn;

use super::history::{Actor, Automatic, Happening};
use super::{App, Change, EditError, edit::Conclusion, window_s};
use crate::clock;
use crate::store::{StoreError, experiments, history, verdicts};
use podium_core::experiment::{Experiment, Status};
use podium_core::id::ExperimentId;
use podium_core::projection::bucket_width_us;
use podium_core::report::{Verdict, Withheld};
use podium_core::time::Timestamp;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// How often experiments are looked at, at most.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How many times as long as a look took it is waited for the next one.
const REST: u32 = 9;

/// What an experiment was like when it was looked at last. While it is the same, so is its verdict.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    revision: i64,
    /// How often its sums had changed.
    touched: u64,
    /// Of each metric, which bucket had matured last, and whether its plugin could be called.
    metrics: Vec<(i64, bool)>,
}

impl App {
    /// Looks at what runs, again and again.
    pub(crate) async fn watch_experiments(&self) {
        let mut seen = Watched::default();
        while !self.is_draining() {
            let begun = Instant::now();
            self.look(&mut seen, clock::now()).await;
            tokio::time::sleep(LOOK_EVERY.max(begun.elapsed() * REST)).await;
        }
    }

    /// Looks at every experiment that is running or paused, and of which something has changed.
    async fn look(&self, seen: &mut Watched, now: Timestamp) {
        let catalog = self.published.catalog.load_full();
        let runs = |experiment: &Experiment| matches!(experiment.status, Status::Running | Status::Paused);
        let running: Vec<_> = catalog.experiments().filter(|experiment| runs(experiment)).collect();
        seen.0.retain(|id, _| running.iter().any(|experiment| experiment.id == *id));
        for experiment in running {
            let found = self.seen_now(experiment, now);
            if seen.0.get(&experiment.id) == Some(&found) {
                continue;
            }
            let heeded = match self.verdict(experiment).await {
                Ok(verdict) => self.heed(experiment, &verdict).await,
                Err(error) => Err(error.into()),
            };
            match heeded {
                Ok(()) => drop(seen.0.insert(experiment.id, found)),
                // Somebody was faster: it is looked at again.
                Err(EditError::Stale { .. }) => {}
                Err(error) => {
                    tracing::error!(experiment.key = %experiment.key, %error, "the verdict is looked at again");
                }
            }
        }
    }

    fn seen_now(&self, experiment: &Experiment, now: Timestamp) -> Seen {
        let registry = &self.published.registry;
        let metrics = experiment.definition.metrics().map(|choice| {
            let window_s = window_s(choice, registry.find(&choice.metric));
            let matured = now.plus_seconds(-window_s).as_micros().div_euclid(bucket_width_us(window_s));
            (matured, registry.is_up(&choice.metric))
        });
        Seen {
            revision: experiment.revision,
            touched: self.published.touched.count(experiment.id),
            metrics: metrics.collect(),
        }
    }

    /// Writes down what has turned in a verdict, and does what the automation wants.
    async fn heed(&self, experiment: &Experiment, verdict: &Verdict) -> Result<(), EditError> {
        // Figures that stand still say nothing new.
        if verdict.withheld.contains(&Withheld::Metric) {
            return Ok(());
        }
        let noted = verdicts::noted(self.store.reader(), experiment.id).await?;
        let turns = turn::turns(experiment, &noted, verdict);
        if !turns.is_empty() {
            self.write_down(experiment, Some(verdict), turns).await?;
        }
        let wanted = turn::wanted(experiment, verdict);
        if wanted.is_empty() {
            return Ok(());
        }
        let past = history::of_kinds(self.store.reader(), experiment.id, &turn::KINDS).await?;
        if experiment.definition.automation.dry_run {
            let would = turn::not_yet_told(wanted, &past);
            let entries: Vec<_> = would.into_iter().map(|would| Happening::DryRun { would }).collect();
            return if entries.is_empty() {
                Ok(())
            } else {
                self.write_down(experiment, None, entries).await
            };
        }
        match turn::not_yet_done(wanted, &past) {
            Some(action) => self.automate(experiment, action).await,
            None => Ok(()),
        }
    }

    /// Writes entries, if the experiment is as it was looked at.
    async fn write_down(
        &self,
        experiment: &Experiment,
        verdict: Option<&Verdict>,
        entries: Vec<Happening>,
    ) -> Result<(), EditError> {
        let _editing = self.edits.lock().await;
        let transaction = self.store.begin().await?;
        let found = experiments::by_id(&transaction, experiment.id).await?;
        let found = found.ok_or_else(|| EditError::NotFound(experiment.key.to_string()))?;
        super::edit::check_revision(&found, Some(experiment.revision))?;
        for entry in &entries {
            self.note(&transaction, experiment, &Actor::Podium, entry).await?;
            tracing::info!(experiment.key = %experiment.key, entry = entry.kind(), "verdict");
        }
        if let Some(verdict) = verdict {
            verdicts::put(&transaction, experiment.id, verdict).await?;
        }
        transaction.commit().await.map_err(StoreError::from)?;
        self.webhooks.ring();
        Ok(())
    }

    async fn automate(&self, experiment: &Experiment, action: Automatic) -> Result<(), EditError> {
        let change = match action {
            Automatic::Conclude { serve } => Change::Conclude(Conclusion { serve, reason: None }),
            Automatic::RemoveVariant { variant } => Change::RemoveVariant(variant),
            Automatic::Pause { variant } => Change::Pause { harming: Some(variant) },
        };
        let place = (experiment.key.as_str(), Some(experiment.version));
        self.edit(place, Some(experiment.revision), &Actor::Podium, change).await?;
        Ok(())
    }
}

/// The experiments that were looked at.
#[derive(Debug, Default)]
struct Watched(HashMap<ExperimentId, Seen>);

#[cfg(test)]
pub(crate) mod tests;
