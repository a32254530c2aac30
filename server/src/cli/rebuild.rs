//! `podium rebuild`.

use super::config::Place;
use super::{CliError, say, say_error};
use crate::app;
use crate::clock;
use crate::ingest::rebuild::{self, State};
use crate::store::{StoreError, bookmark, log, stats};
use crate::telemetry::{self, LogFormat};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use std::process::ExitCode;
use std::sync::Arc;

/// Fold the event log anew, or check that it gives what is there. Stop the server first.
#[derive(Clone, Debug, Args)]
pub(crate) struct Rebuild {
    #[command(flatten)]
    place: Place,
    /// Change nothing; exit with 1 if the log gives another state than the one that is there.
    #[arg(long)]
    check: bool,
}

/// How often the log is folded anew for a metric whose plugin did not answer in time.
const TRIES: usize = 3;

impl Rebuild {
    /// Runs it.
    pub(crate) async fn run(self) -> Result<ExitCode, CliError> {
        telemetry::start(LogFormat::Text, "warn");
        let failed = |error: StoreError| CliError(error.to_string());
        let store = self.place.open().await?;
        let registry = Arc::new(self.place.plugins()?);
        let n_events = log::count(store.reader()).await.map_err(failed)?;
        let bar = ProgressBar::new(n_events.unsigned_abs());
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {human_pos}/{human_len} events {eta}") {
            bar.set_style(style);
        }
        let tracked = app::tracked_metrics(&store, &registry).await.map_err(failed)?;
        let (book, now) = (app::standing_book(&store).await.map_err(failed)?, clock::now());
        let before = State::read(&store).await.map_err(failed)?;
        let progress = |done| bar.set_position(done);
        let after = if self.check {
            let mut after =
                rebuild::replay(&store, tracked, (&book, now), None, &progress).await.map_err(failed)?;
            for _ in 1..TRIES {
                if after.missed.is_empty() {
                    break;
                }
                let tracked = app::tracked_metrics(&store, &registry).await.map_err(failed)?;
                after =
                    rebuild::replay(&store, tracked, (&book, now), None, &progress).await.map_err(failed)?;
            }
            if !after.missed.is_empty() {
                let n_missed = after.missed.len();
                return Err(CliError(format!(
                    "{n_missed} metrics could not be called for all of the log; try again"
                )));
            }
            after
        } else {
            let transaction = store.begin().await.map_err(failed)?;
            stats::clear(&transaction, &[]).await.map_err(failed)?;
            let state = rebuild::replay(&store, tracked, (&book, now), Some(&transaction), progress)
                .await
                .map_err(failed)?;
            bookmark::note_current(&transaction).await.map_err(failed)?;
            transaction.commit().await.map_err(CliError::from_display)?;
            state
        };
        bar.finish_and_clear();
        let (digest, n_units, n_persons) = (after.digest(), after.units.len(), after.persons.len());
        say(&format!("{n_events} events, {n_units} placements, {n_persons} persons, digest {digest}"));
        if before == after {
            say("the state is what the log gives");
            return Ok(ExitCode::SUCCESS);
        }
        if self.check {
            say_error(&format!(
                "the state differs from what the log gives: its digest is {}",
                before.digest()
            ));
            return Ok(ExitCode::FAILURE);
        }
        say(&format!("the state was replaced; its digest was {}", before.digest()));
        Ok(ExitCode::SUCCESS)
    }
}
