//! Taking events in, whatever protocol they came by.

use super::App;
use crate::clock;
use crate::ingest::body::{self, BadBody, Intake, Rejected};
use crate::ingest::event::Reading;
use crate::ingest::exposure;
use crate::ingest::queue::IngestError;
use podium_core::projection::Trust;

/// What became of the events of a request, as far as its sender is told.
#[derive(Debug, serde::Serialize)]
pub(crate) struct Taken {
    /// How many are new.
    pub(crate) accepted: usize,
    /// How many were known already.
    pub(crate) duplicate: usize,
    /// Which ones are not taken.
    pub(crate) rejected: Vec<Rejected>,
}

/// Why nothing of a request was taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IntakeError {
    /// It holds no events.
    #[error(transparent)]
    Bad(#[from] BadBody),
    /// They are not on disk.
    #[error(transparent)]
    Ingest(#[from] IngestError),
}

impl App {
    /// Takes the events of a body in, and waits until they are on disk.
    ///
    /// - `default_type`: what an event is that has no `type`.
    pub(crate) async fn take_in(
        &self,
        body: &[u8],
        trust: Trust,
        default_type: &'static str,
    ) -> Result<Taken, IntakeError> {
        let read = |reading: Reading<'_>| body::read(body, Reading { default_type, ..reading });
        self.take(body.len(), trust, read).await
    }

    /// Takes a list of exposures in, and waits until they are on disk.
    pub(crate) async fn take_in_exposures(&self, body: &[u8], trust: Trust) -> Result<Taken, IntakeError> {
        self.take(body.len(), trust, |reading| exposure::read(body, reading)).await
    }

    async fn take(
        &self,
        n_bytes: usize,
        trust: Trust,
        read: impl FnOnce(Reading<'_>) -> Result<Intake, BadBody>,
    ) -> Result<Taken, IntakeError> {
        let received_at = clock::now();
        let oldest = received_at.plus_seconds(-self.limits.retention_s);
        let intake = {
            let catalog = self.published.catalog.load();
            read(Reading { oldest, ..Reading::new(&catalog, trust, received_at) })?
        };
        let records = intake.rejected.iter().map(|rejected| rejected.record.clone()).collect();
        let receipt = self.queue.events_on_disk(intake.events, records, n_bytes).await?;
        let n_rejected = intake.rejected.len();
        let is_told = |rejected: &Rejected| trust == Trust::Server || rejected.is_of_form();
        let rejected: Vec<Rejected> = intake.rejected.into_iter().filter(is_told).collect();
        // What is not told must not be seen in the sums either.
        let accepted = receipt.accepted + n_rejected - rejected.len();
        Ok(Taken { accepted, duplicate: receipt.duplicate, rejected })
    }
}
