//! Starting and ending by the clock; what fell due while the server was down is done when it is back.

use super::{App, Change};
use podium_core::experiment::{Action, Status};
use podium_core::time::Timestamp;

impl App {
    /// Starts and concludes what is due.
    pub(super) async fn run_schedule(&self, now: Timestamp) {
        let catalog = self.published.catalog.load_full();
        for experiment in catalog.experiments() {
            let schedule = experiment.definition.schedule;
            let is_due = |at: Option<Timestamp>| at.is_some_and(|at| at <= now);
            let never_started = experiment.status == Status::Draft && experiment.started_at.is_none();
            let action = match experiment.status {
                Status::Draft if never_started && is_due(schedule.start_at) => Action::Start,
                Status::Running | Status::Paused if is_due(schedule.end_at) => Action::Conclude,
                _ => continue,
            };
            let revision = Some(experiment.revision);
            let done = self
                .edit((experiment.key.as_str(), Some(experiment.version)), revision, |_| {
                    Ok(Change::Act(action, None))
                })
                .await;
            match done {
                Ok(_) => tracing::info!(experiment.key = %experiment.key, %action, "schedule"),
                Err(error) => tracing::warn!(experiment.key = %experiment.key, %action, %error, "schedule"),
            }
        }
    }
}
