//! The one writer: takes jobs off the queue, groups events into flushes, answers after the commit.

use super::allocate::Allocations;
use super::flush::{Flush, Fold};
use super::people::Making;
use super::queue::{Job, Jobs, Receipt, Ticket};
use crate::app::{Published, track};
use crate::clock;
use crate::store::metrics::{self as stored_metrics, StoredMetric};
use crate::store::outbox::Effects;
use crate::store::{Store, StoreError, bookmark, identity, profiles, stats};
use podium_core::projection::StoredEvent;
use podium_core::time::Timestamp;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;
use tokio::time::timeout;

/// Events in one flush, not counting the last request's. The more, the fewer pages of the database are written twice.
const FLUSH_EVENTS: usize = 8_192;
/// Bytes in one flush, not counting the last request's.
const FLUSH_BYTES: usize = 16 * 1024 * 1024;
/// How long decisions wait for company; requests that wait for an answer are written at once.
const LINGER: Duration = Duration::from_millis(5);
/// Persons that are asked again in one transaction.
const PERSONS_AT_ONCE: u32 = 500;
/// Such transactions before others have their turn.
const PAGES_AT_ONCE: usize = 20;
/// Decisions kept while the database is away.
const BACKLOG_MAX: usize = 20_000;

/// The receiving end of the queue, with everything it changes.
pub(crate) struct Writer {
    store: Store,
    jobs: Jobs,
    published: Published,
    fold: Fold,
    allocations: Allocations,
    backlog: Vec<Arc<StoredEvent>>,
}

/// Who waits for a request's events.
enum Waiting {
    Client(oneshot::Sender<Result<Receipt, StoreError>>),
    Nobody,
}

impl Writer {
    /// Loads the sums that are in the database.
    pub(crate) async fn new(store: Store, jobs: Jobs, published: Published) -> Result<Self, StoreError> {
        let mut fold = Fold {
            touched: Arc::clone(&published.touched),
            shoppers: Arc::clone(&published.shoppers),
            ..Fold::default()
        };
        fold.totals.extend(stats::sums(store.reader(), None).await?);
        fold.newest = bookmark::newest(store.reader()).await?;
        fold.engine.skip(stored_metrics::unreadable(store.reader()).await?);
        let is_stale = |metric: &StoredMetric| metric.revision == stored_metrics::STALE;
        fold.stale = stored_metrics::all(store.reader()).await?.iter().any(is_stale)
            || !bookmark::is_current(store.reader()).await?;
        Ok(Self { store, jobs, published, fold, allocations: Allocations::default(), backlog: Vec::new() })
    }

    /// Works until every sender is gone.
    pub(crate) async fn run(mut self) {
        while let Some(job) = self.jobs.receiver.recv().await {
            let mut flush = Flush::default();
            let mut waiting = Vec::new();
            let mut tickets = Vec::new();
            let mut other = take(job, &mut flush, (&mut waiting, &mut tickets));
            let mut has_lingered = false;
            while other.is_none() && flush.len() < FLUSH_EVENTS && bytes(&tickets) < FLUSH_BYTES {
                if let Ok(job) = self.jobs.receiver.try_recv() {
                    other = take(job, &mut flush, (&mut waiting, &mut tickets));
                } else if has_lingered || waiting.iter().any(|waiting| matches!(waiting, Waiting::Client(_)))
                {
                    break;
                } else {
                    let _ = timeout(LINGER, self.jobs.bell.notified()).await;
                    has_lingered = true;
                }
            }
            self.flush(flush, waiting).await;
            drop(tickets);
            if let Some(job) = other {
                self.serve(job).await;
            }
        }
    }

    async fn flush(&mut self, mut flush: Flush, mut waiting: Vec<Waiting>) {
        if !self.backlog.is_empty() {
            flush.is_retry = true;
            flush.requests.push(std::mem::take(&mut self.backlog));
            flush.effects.push(Effects::default());
            waiting.push(Waiting::Nobody);
        }
        match self.write(&flush).await {
            Ok(receipts) => answer(waiting, receipts),
            Err(error) if error.may_pass() || waiting.len() <= 1 => self.give_back(flush, waiting, &error),
            // Something in it cannot be written, ever. It must not take the others along.
            Err(_) => {
                let mut rejected = std::mem::take(&mut flush.rejected);
                let requests = flush.requests.into_iter().zip(flush.effects);
                for ((events, effects), waiting) in requests.zip(waiting) {
                    let rejected = std::mem::take(&mut rejected);
                    let (requests, effects) = (vec![events], vec![effects]);
                    let alone = Flush { requests, rejected, effects, is_retry: true };
                    match self.write(&alone).await {
                        Ok(receipts) => answer(vec![waiting], receipts),
                        Err(error) => self.give_back(alone, vec![waiting], &error),
                    }
                }
            }
        }
    }

    async fn write(&mut self, flush: &Flush) -> Result<Vec<Receipt>, StoreError> {
        if flush.is_empty() {
            return Ok(vec![Receipt::default(); flush.requests.len()]);
        }
        let begun = Instant::now();
        let book = self.published.catalog.load().book.clone();
        let receipts = self.fold.write(&self.store, flush, (&book, clock::now())).await?;
        metrics::histogram!("podium_commit_duration_seconds").record(begun.elapsed());
        count(&receipts, flush);
        Ok(receipts)
    }

    /// Tells clients to repeat what was not written, and keeps decisions: nobody repeats them.
    fn give_back(&mut self, flush: Flush, waiting: Vec<Waiting>, error: &StoreError) {
        // A request that was there already is the client's, and is answered.
        if !matches!(error, StoreError::Conflict(_)) {
            tracing::error!(%error, events = flush.len(), "flush was not written");
            metrics::counter!("podium_flush_failures_total").increment(1);
        }
        for (events, waiting) in flush.requests.into_iter().zip(waiting) {
            match waiting {
                Waiting::Client(reply) => {
                    let _ = reply.send(Err(error.clone()));
                }
                Waiting::Nobody if error.may_pass() => self.backlog.extend(events),
                Waiting::Nobody => unlogged(events.len()),
            }
        }
        unlogged(self.backlog.len().saturating_sub(BACKLOG_MAX));
        self.backlog.truncate(BACKLOG_MAX);
    }

    async fn serve(&mut self, job: Job) {
        match job {
            Job::Events { .. } | Job::Decisions { .. } => {}
            Job::Track { tracked, metrics, reply } => {
                for metric in metrics {
                    metric.install(&mut self.fold.engine, &mut self.fold.projector);
                }
                self.allocations.forget(tracked.experiment);
                self.fold.projector.track(tracked);
                let _ = reply.send(());
            }
            Job::Allocate { now, reply } => {
                self.renew().await;
                self.allocations.run(&self.store, &self.published, &self.fold.totals, now).await;
                let _ = reply.send(());
            }
            Job::Due { now, reply } => {
                if let Err(error) = self.ask_due(now).await {
                    tracing::error!(%error, "audiences were not looked at");
                }
                let _ = reply.send(());
            }
            Job::Renew { after, anew, reply } => {
                let _ = reply.send(self.renew_persons(&after, anew).await);
            }
            Job::Barrier { reply } => {
                let _ = reply.send(());
            }
        }
    }

    /// Asks those again whose audiences may be others by now.
    async fn ask_due(&mut self, now: Timestamp) -> Result<(), StoreError> {
        for _ in 0..PAGES_AT_ONCE {
            let page = profiles::due(self.store.writer(), now, PERSONS_AT_ONCE).await?;
            let is_last = page.len() < PERSONS_AT_ONCE as usize;
            self.renew_page(page, false, now).await?;
            if is_last {
                break;
            }
        }
        Ok(())
    }

    async fn renew_persons(&mut self, after: &str, anew: bool) -> Result<Option<Box<str>>, StoreError> {
        let page = profiles::page(self.store.writer(), after, PERSONS_AT_ONCE).await?;
        let last = page.last().map(|(person, _)| person.clone());
        self.renew_page(page, anew, clock::now()).await?;
        Ok(last)
    }

    async fn renew_page(
        &mut self,
        page: Vec<profiles::Row>,
        anew: bool,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        if page.is_empty() {
            return Ok(());
        }
        let db = self.store.writer();
        let members = if anew {
            let persons: Vec<&str> = page.iter().map(|(person, _)| &**person).collect();
            let own = page.iter().map(|(person, _)| (person.clone(), Arc::from(&**person)));
            Some(own.chain(identity::ids(db, &persons).await?).collect())
        } else {
            None
        };
        let book = self.published.catalog.load().book.clone();
        let making = Making { db, shoppers: &self.published.shoppers, book: &book, now };
        let people = making.renew(page, members).await?;
        let transaction = self.store.begin().await?;
        people.write(&transaction).await?;
        transaction.commit().await?;
        people.tell(&self.published.shoppers);
        Ok(())
    }

    /// Folds the log anew once a plugin is back whose metrics events passed by.
    async fn renew(&mut self) {
        if !self.fold.stale {
            return;
        }
        match self.renewed().await {
            Ok(is_current) => self.fold.stale = !is_current,
            Err(error) => tracing::error!(%error, "the log is not folded anew; it will be tried again"),
        }
    }

    /// Whether every metric that is loaded has seen every event, after what can be done about it.
    async fn renewed(&mut self) -> Result<bool, StoreError> {
        let registry = &self.published.registry;
        if track::renew_stale(&self.store, registry).await? {
            self.fold.totals = stats::sums(self.store.reader(), None).await?.into_iter().collect();
            self.fold.newest = bookmark::newest(self.store.reader()).await?;
            self.fold.engine.skip(stored_metrics::unreadable(self.store.reader()).await?);
            self.fold.projector.forget_all();
            self.fold.touched.touch_all();
        }
        let waits = |metric: &StoredMetric| {
            metric.revision == stored_metrics::STALE && registry.find(&metric.used.metric).is_some()
        };
        let waits = stored_metrics::all(self.store.reader()).await?.iter().any(waits);
        Ok(!waits && bookmark::is_current(self.store.reader()).await?)
    }
}

/// Puts events into the flush; hands back what is no events.
fn take(
    job: Job,
    flush: &mut Flush,
    (waiting, tickets): (&mut Vec<Waiting>, &mut Vec<Ticket>),
) -> Option<Job> {
    match job {
        Job::Events { events, rejected, effects, ticket, reply } => {
            flush.requests.push(events.into_iter().map(Arc::new).collect());
            flush.rejected.extend(rejected);
            flush.effects.push(effects);
            waiting.push(Waiting::Client(reply));
            tickets.push(ticket);
            None
        }
        Job::Decisions { events, ticket } => {
            flush.requests.push(events.into_iter().map(Arc::new).collect());
            flush.effects.push(Effects::default());
            waiting.push(Waiting::Nobody);
            tickets.push(ticket);
            None
        }
        other => Some(other),
    }
}

fn bytes(tickets: &[Ticket]) -> usize {
    tickets.iter().map(Ticket::bytes).sum()
}

fn answer(waiting: Vec<Waiting>, receipts: Vec<Receipt>) {
    for (waiting, receipt) in waiting.into_iter().zip(receipts) {
        if let Waiting::Client(reply) = waiting {
            let _ = reply.send(Ok(receipt));
        }
    }
}

fn unlogged(n_decisions: usize) {
    metrics::counter!("podium_decisions_unlogged_total").increment(n_decisions as u64);
}

fn count(receipts: &[Receipt], flush: &Flush) {
    let sum = |part: fn(&Receipt) -> usize| receipts.iter().map(part).sum::<usize>() as u64;
    metrics::counter!("podium_events_total", "outcome" => "accepted")
        .increment(sum(|receipt| receipt.accepted));
    metrics::counter!("podium_events_total", "outcome" => "duplicate")
        .increment(sum(|receipt| receipt.duplicate - receipt.conflicting));
    metrics::counter!("podium_events_total", "outcome" => "dedup_conflict")
        .increment(sum(|receipt| receipt.conflicting));
    let rejected = flush.rejected.len() as u64;
    metrics::counter!("podium_events_total", "outcome" => "rejected").increment(rejected);
}
