//! The queue before the writer: bounded by events and by bytes, so that too much is refused and not piled up.

use crate::engine;
use crate::store::StoreError;
use crate::store::outbox::Effects;
use crate::store::rejected::RejectedEvent;
use podium_core::id::MetricId;
use podium_core::projection::{MetricSpec, StoredEvent, Tracked};
use podium_core::time::Timestamp;
use podium_plugin_host::MetricInstance;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::{Notify, mpsc, oneshot};

/// The most events that wait.
const EVENTS_MAX: usize = 20_000;
/// The most bytes that wait.
const BYTES_MAX: usize = 64 * 1024 * 1024;

/// What became of the events of one request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Receipt {
    /// New, and now on disk.
    pub(crate) accepted: usize,
    /// Known already.
    pub(crate) duplicate: usize,
    /// Those of them that say something else than the first with their message id, which counts.
    pub(crate) conflicting: usize,
}

/// A metric that an experiment brings into use.
pub(crate) struct NewMetric {
    /// As the store numbers it.
    pub(crate) id: MetricId,
    /// The id its plugin gave it.
    pub(crate) name: String,
    /// The instance, made with the experiment's settings.
    pub(crate) instance: Box<dyn MetricInstance>,
    /// What it reads.
    pub(crate) spec: MetricSpec,
}

/// One thing for the writer to do, in the order of the queue.
pub(crate) enum Job {
    /// Events of a client that waits for them to be on disk.
    Events {
        events: Vec<StoredEvent>,
        rejected: Vec<RejectedEvent>,
        effects: Effects,
        ticket: Ticket,
        reply: oneshot::Sender<Result<Receipt, StoreError>>,
    },
    /// Decisions that were answered already.
    Decisions { events: Vec<StoredEvent>, ticket: Ticket },
    /// An experiment to keep figures of, or a change to it.
    Track { tracked: Tracked, metrics: Vec<NewMetric>, reply: oneshot::Sender<()> },
    /// Time to see whether weights should move.
    Allocate { now: Timestamp, reply: oneshot::Sender<()> },
    /// Persons whose audiences may be others by now.
    Due { now: Timestamp, reply: oneshot::Sender<()> },
    /// A page of persons to be asked again, after one of them; answers who was the last.
    Renew { after: Box<str>, anew: bool, reply: oneshot::Sender<Result<Option<Box<str>>, StoreError>> },
    /// Everything before it has been done.
    Barrier { reply: oneshot::Sender<()> },
}

/// The room that events take in the queue; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Ticket {
    room: Arc<Room>,
    events: usize,
    bytes: usize,
}

impl Ticket {
    /// How many bytes it is for.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

#[derive(Debug, Default)]
struct Room {
    events: AtomicUsize,
    bytes: AtomicUsize,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.room.events.fetch_sub(self.events, Ordering::Relaxed);
        self.room.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// The queue is full; what was to be sent may be sent again in a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the ingest queue is full")]
pub(crate) struct QueueFull;

/// Why a request's events are not on disk.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IngestError {
    /// No room.
    #[error(transparent)]
    Full(#[from] QueueFull),
    /// The flush failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The writer is gone: the server is shutting down.
    #[error("the server is shutting down")]
    Closed,
}

/// The sending end.
#[derive(Clone, Debug)]
pub(crate) struct Queue {
    sender: mpsc::UnboundedSender<Job>,
    room: Arc<Room>,
    /// Rung for what somebody waits for; decisions do not wake the writer while it waits for company for them.
    bell: Arc<Notify>,
}

/// The receiving end.
#[derive(Debug)]
pub(crate) struct Jobs {
    /// What there is to do.
    pub(super) receiver: mpsc::UnboundedReceiver<Job>,
    /// Rung for what somebody waits for.
    pub(super) bell: Arc<Notify>,
}

impl Queue {
    /// Makes a queue; the receiving end is the writer's.
    pub(crate) fn new() -> (Self, Jobs) {
        let (sender, receiver) = mpsc::unbounded_channel();
        let bell = Arc::new(Notify::new());
        (Self { sender, room: Arc::default(), bell: Arc::clone(&bell) }, Jobs { receiver, bell })
    }

    /// Events that wait.
    pub(crate) fn events(&self) -> usize {
        self.room.events.load(Ordering::Relaxed)
    }

    /// Bytes that wait.
    pub(crate) fn bytes(&self) -> usize {
        self.room.bytes.load(Ordering::Relaxed)
    }

    fn ticket(&self, events: usize, bytes: usize) -> Result<Ticket, QueueFull> {
        let before = self.room.events.fetch_add(events, Ordering::Relaxed);
        let bytes_before = self.room.bytes.fetch_add(bytes, Ordering::Relaxed);
        let ticket = Ticket { room: Arc::clone(&self.room), events, bytes };
        if before + events <= EVENTS_MAX && bytes_before + bytes <= BYTES_MAX {
            Ok(ticket)
        } else {
            Err(QueueFull)
        }
    }

    /// Hands over a request's events and waits until they are on disk.
    ///
    /// # Errors
    ///
    /// [`IngestError`]; then none of them is known to be on disk, and sending them again is safe.
    pub(crate) async fn events_on_disk(
        &self,
        events: Vec<StoredEvent>,
        rejected: Vec<RejectedEvent>,
        bytes: usize,
    ) -> Result<Receipt, IngestError> {
        self.write(events, rejected, Effects::default(), bytes).await
    }

    /// Hands over what is known of messages, with the events that tell of it, and waits until all of it is on disk.
    ///
    /// # Errors
    ///
    /// [`IngestError`]; then none of it is known to be on disk.
    pub(crate) async fn write(
        &self,
        events: Vec<StoredEvent>,
        rejected: Vec<RejectedEvent>,
        effects: Effects,
        bytes: usize,
    ) -> Result<Receipt, IngestError> {
        let ticket = self.ticket(events.len(), bytes)?;
        let (reply, answer) = oneshot::channel();
        self.send(Job::Events { events, rejected, effects, ticket, reply })?;
        self.bell.notify_one();
        Ok(answer.await.map_err(|_| IngestError::Closed)??)
    }

    /// Hands over decisions without waiting.
    ///
    /// # Errors
    ///
    /// [`QueueFull`]: they are not logged.
    pub(crate) fn decisions(&self, events: Vec<StoredEvent>) -> Result<(), QueueFull> {
        const BYTES_EACH: usize = 256;
        let ticket = self.ticket(events.len(), events.len() * BYTES_EACH)?;
        self.send(Job::Decisions { events, ticket }).map_err(|_| QueueFull)
    }

    /// Has figures kept of an experiment from the next event on.
    pub(crate) async fn track(&self, tracked: Tracked, metrics: Vec<NewMetric>) -> Result<(), IngestError> {
        self.ask(|reply| Job::Track { tracked, metrics, reply }).await
    }

    /// Has weights moved where it is time.
    pub(crate) async fn allocate(&self, now: Timestamp) -> Result<(), IngestError> {
        self.ask(|reply| Job::Allocate { now, reply }).await
    }

    /// Has those asked again whose audiences may be others by now, though nothing happened.
    pub(crate) async fn due(&self, now: Timestamp) -> Result<(), IngestError> {
        self.ask(|reply| Job::Due { now, reply }).await
    }

    /// Has a page of persons asked again whether they are in each audience; answers who was the last, if somebody was.
    ///
    /// - `after`: in the order of their ids.
    /// - `anew`: whether what is known of them is made anew from the log.
    pub(crate) async fn renew(&self, after: Box<str>, anew: bool) -> Result<Option<Box<str>>, IngestError> {
        Ok(self.ask(|reply| Job::Renew { after, anew, reply }).await??)
    }

    /// Waits until everything handed over so far has been done.
    pub(crate) async fn barrier(&self) -> Result<(), IngestError> {
        self.ask(|reply| Job::Barrier { reply }).await
    }

    async fn ask<T>(&self, job: impl FnOnce(oneshot::Sender<T>) -> Job) -> Result<T, IngestError> {
        let (reply, answer) = oneshot::channel();
        self.send(job(reply))?;
        self.bell.notify_one();
        answer.await.map_err(|_| IngestError::Closed)
    }

    fn send(&self, job: Job) -> Result<(), IngestError> {
        self.sender.send(job).map_err(|_| IngestError::Closed)
    }
}

impl NewMetric {
    /// Takes the metric into use.
    pub(super) fn install(
        self,
        engine: &mut engine::Engine,
        projector: &mut podium_core::projection::Projector,
    ) {
        engine.add(self.id, &self.name, self.instance, &self.spec);
        projector.know(self.id, self.spec);
    }
}
