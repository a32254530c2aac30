//! Starting and ending by the clock; what fell due while the server was down is done when it is back.

use super::conclude::Wish;
use super::history::Actor;
use super::{App, Change, EditError};
use podium_core::experiment::{Action, Experiment, Status};
use podium_core::time::Timestamp;

impl App {
    /// Starts and concludes what is due.
    pub(super) async fn run_schedule(&self, now: Timestamp) {
        let catalog = self.published.catalog.load_full();
        for experiment in catalog.experiments() {
            let Some(action) = due(experiment, now) else { continue };
            match self.act_on_schedule(experiment, action).await {
                Ok(()) => tracing::info!(experiment.key = %experiment.key, %action, "schedule"),
                Err(error) => tracing::warn!(experiment.key = %experiment.key, %action, %error, "schedule"),
            }
        }
    }

    async fn act_on_schedule(&self, experiment: &Experiment, action: Action) -> Result<(), EditError> {
        let revision = Some(experiment.revision);
        let change = if action == Action::Conclude {
            Change::Conclude(self.conclusion(experiment, revision, Wish::default()).await?)
        } else {
            Change::Start
        };
        let place = (experiment.key.as_str(), Some(experiment.version));
        self.edit(place, revision, &Actor::Schedule, change).await?;
        Ok(())
    }
}

/// What the schedule wants by now: a start, or a conclusion.
pub(super) fn due(experiment: &Experiment, now: Timestamp) -> Option<Action> {
    let schedule = experiment.definition.schedule;
    let is_due = |at: Option<Timestamp>| at.is_some_and(|at| at <= now);
    let never_started = experiment.status == Status::Draft && experiment.started_at.is_none();
    match experiment.status {
        Status::Draft if never_started && is_due(schedule.start_at) => Some(Action::Start),
        Status::Running | Status::Paused if is_due(schedule.end_at) => Some(Action::Conclude),
        _ => None,
    }
}
