//! The sender: claims what is due on each channel, has it delivered, and writes what became of it.

use super::begin::Beginnings;
use super::call::{self, Prepared, Watch};
use super::channels::Channels;
use super::configured::Configured;
use super::feedback::{MessageEvent, message_event, suppression};
use super::message::{Message, MessageState};
use super::settle::{next, slug};
use super::tokens::Links;
use super::{LEASE_S, crash_point};
use crate::clock;
use crate::ingest::queue::{IngestError, Queue};
use crate::store::outbox::{self, Claimed, Effects, Next, Settled};
use crate::store::suppressions::SuppressionScope;
use crate::store::{Store, StoreError};
use podium_core::projection::StoredEvent;
use podium_core::time::Timestamp;
use podium_plugin_host::{Outcome, OutcomeStatus, ProviderClass};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{Notify, mpsc};

/// How often the outbox is looked at when nobody rings.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// After how many looks lapsed claims are taken over, and channels that stopped are tried.
const LOOKS_PER_CARE: u64 = 25;
/// The most messages that one look claims of a channel.
const CLAIM_MAX: usize = 500;
/// The most outcomes of a call that are written together.
const SETTLED_TOGETHER: usize = 256;
/// How long to wait before what became of a message is written again.
const WRITE_AGAIN: Duration = Duration::from_secs(1);

/// Sends what is due.
#[derive(Debug)]
pub(crate) struct Sender {
    store: Store,
    queue: Queue,
    channels: Arc<Channels>,
    links: Links,
    beginnings: Beginnings,
    bell: Notify,
    n_running: AtomicUsize,
    draining: AtomicBool,
}

impl Sender {
    /// Makes a sender; [`Sender::run`] is to be spawned.
    pub(crate) fn new(store: Store, queue: Queue, channels: Arc<Channels>, links: Links) -> Arc<Self> {
        let beginnings = Beginnings::start(store.clone());
        let (bell, n_running, draining) = (Notify::new(), AtomicUsize::new(0), AtomicBool::new(false));
        Arc::new(Self { store, queue, channels, links, beginnings, bell, n_running, draining })
    }

    /// Says that there may be something to send.
    pub(crate) fn ring(&self) {
        self.bell.notify_one();
    }

    /// Claims nothing more, and waits for what runs, at most `longest`.
    pub(crate) async fn drain(&self, longest: Duration) {
        const STEP: Duration = Duration::from_millis(20);
        self.draining.store(true, Ordering::Relaxed);
        let give_up = tokio::time::Instant::now() + longest;
        while self.n_running.load(Ordering::Acquire) != 0 && tokio::time::Instant::now() < give_up {
            tokio::time::sleep(STEP).await;
        }
    }

    /// Works until it is drained.
    pub(crate) async fn run(self: Arc<Self>) {
        // One server works on a database: who claimed something before is gone, and if it is not, its claims are void.
        let mut lapsed_before = Some(Timestamp::from_micros(i64::MAX));
        for n_looks in 0_u64.. {
            if self.draining.load(Ordering::Relaxed) {
                return;
            }
            if n_looks.is_multiple_of(LOOKS_PER_CARE) {
                let now = clock::now();
                match self.take_over(now, lapsed_before.unwrap_or(now)).await {
                    Ok(()) => lapsed_before = None,
                    Err(error) => tracing::error!(%error, "lapsed claims were not looked at"),
                }
                self.try_stopped();
            }
            for channel in self.channels.all().values() {
                if let Err(error) = self.claim(channel).await {
                    tracing::error!(channel = %channel.stored.key, %error, "nothing is claimed for now");
                }
            }
            let _ = tokio::time::timeout(LOOK_EVERY, self.bell.notified()).await;
        }
    }

    async fn claim(self: &Arc<Self>, channel: &Arc<Configured>) -> Result<(), StoreError> {
        let now = clock::now();
        let Some(info) = &channel.info else { return Ok(()) };
        let room = channel.room(now).min(CLAIM_MAX);
        if room == 0 {
            return Ok(());
        }
        let times = (now, now.plus_seconds(LEASE_S));
        let claimed = outbox::claim(&self.store, channel.stored.key.as_str(), room, times).await?;
        crash_point("after-claim");
        let mut claimed = claimed.into_iter().peekable();
        while claimed.peek().is_some() {
            let batch: Vec<Claimed> = claimed.by_ref().take(info.batch_max).collect();
            let (sender, channel, class) = (Arc::clone(self), Arc::clone(channel), info.class);
            self.n_running.fetch_add(1, Ordering::AcqRel);
            channel.n_running.fetch_add(1, Ordering::AcqRel);
            tokio::spawn(async move {
                sender.send(&channel, class, batch).await;
                channel.n_running.fetch_sub(1, Ordering::AcqRel);
                sender.n_running.fetch_sub(1, Ordering::AcqRel);
                sender.ring();
            });
        }
        Ok(())
    }

    /// Has a batch delivered, and writes what became of each message as soon as it is known.
    async fn send(&self, channel: &Arc<Configured>, class: ProviderClass, batch: Vec<Claimed>) {
        let mut ready = Vec::with_capacity(batch.len());
        let mut settling = Settling::default();
        for claimed in batch {
            match Prepared::new(claimed, &self.channels, &self.links).await {
                Ok(prepared) => ready.push(prepared),
                // Decided without asking the channel.
                Err((message, next)) => settling.add(&message, ("not_tried", String::new()), next),
            }
        }
        self.settle(settling).await;
        if ready.is_empty() {
            return;
        }
        let ready = Arc::new(ready);
        let (told, mut outcomes) = mpsc::unbounded_channel();
        let watch = Watch::new(&ready, self.beginnings.clone(), told.clone());
        let delivering = call::deliver(channel, Arc::clone(&ready), watch, self.links.clone());
        let collect = async {
            let delivered = delivering.await;
            // What the channel did not tell at once.
            for (idx, delivery) in delivered.deliveries.into_iter().enumerate() {
                let _ = told.send((idx, delivery.outcome));
            }
            drop(told);
            delivered.fault
        };
        let write = async {
            let mut is_settled = vec![false; ready.len()];
            let mut told_now = Vec::new();
            while outcomes.recv_many(&mut told_now, SETTLED_TOGETHER).await != 0 {
                let mut settling = Settling::default();
                for (idx, outcome) in told_now.drain(..) {
                    let (Some(is_settled), Some(prepared)) = (is_settled.get_mut(idx), ready.get(idx)) else {
                        continue;
                    };
                    if !std::mem::replace(is_settled, true) {
                        self.heed(channel, &outcome).await;
                        let message = &prepared.message;
                        let next = next(message, class, &outcome, (clock::now(), rand::random()));
                        settling.add(message, (slug(outcome.status), detail(&outcome)), next);
                    }
                }
                crash_point("before-settled");
                self.settle(settling).await;
                crash_point("after-settled");
            }
        };
        let (fault, ()) = tokio::join!(collect, write);
        if let Some(fault) = fault {
            tracing::warn!(channel = %channel.stored.key, fault = fault.slug(), "{fault}");
            channel.failed(clock::now());
        }
    }

    /// Slows a channel down, or stops it, where an outcome says so.
    async fn heed(&self, channel: &Configured, outcome: &Outcome) {
        let now = clock::now();
        match outcome.status {
            OutcomeStatus::Deferred | OutcomeStatus::Unknown => channel.failed(now),
            OutcomeStatus::RateLimited => {
                channel.rate_limited(now, outcome.retry_after.map(|wait| wait.as_secs().cast_signed()));
            }
            OutcomeStatus::AuthFailed => {
                let why = format!("the provider refused the credentials: {}", outcome.detail);
                if let Err(error) = self.channels.pause(channel, &why).await {
                    tracing::error!(channel = %channel.stored.key, %error, "channel was not paused");
                }
            }
            OutcomeStatus::Cancelled => {}
            _ => channel.succeeded(),
        }
    }

    /// Writes what follows, until it is written: what became of a message must not be forgotten.
    async fn settle(&self, settling: Settling) {
        let Settling { effects, events } = settling;
        if effects.is_empty() {
            return;
        }
        let bytes = events.iter().map(|event| event.body.len()).sum();
        loop {
            match self.queue.write(events.clone(), Vec::new(), effects.clone(), bytes).await {
                Ok(_) | Err(IngestError::Closed) => return,
                Err(error) => {
                    tracing::error!(%error, "what became of messages is not on disk yet");
                    tokio::time::sleep(WRITE_AGAIN).await;
                }
            }
        }
    }

    /// Ends or repeats what others had claimed and nobody has heard of since.
    async fn take_over(self: &Arc<Self>, now: Timestamp, lapsed_before: Timestamp) -> Result<(), StoreError> {
        let times = (now, now.plus_seconds(LEASE_S));
        let outcome = Outcome::new(OutcomeStatus::Unknown, "the server stopped while it was sent");
        let mut settling = Settling::default();
        for message in outbox::take_over(&self.store, times, lapsed_before).await? {
            // Of a channel that is gone, nothing is promised but not to send twice.
            let channel = self.channels.find(&message.facts.channel);
            let info = channel.as_ref().and_then(|channel| channel.info.as_ref());
            let class = info.map_or(ProviderClass::Blind, |info| info.class);
            let next = match next(&message, class, &outcome, (now, rand::random())) {
                // Nothing is known to be wrong with the provider.
                Next::Again { .. } => Next::Again { due_at: now },
                end @ Next::End { .. } => end,
            };
            settling.add(&message, (slug(outcome.status), outcome.detail.clone()), next);
        }
        self.settle(settling).await;
        outbox::abandon(self.store.writer(), now).await
    }

    /// Lets channels go on that stopped, where what stopped them may have passed.
    fn try_stopped(self: &Arc<Self>) {
        let now = clock::now();
        for channel in self.channels.all().values().filter(|channel| channel.is_to_be_tried(now)) {
            let (sender, channel) = (Arc::clone(self), Arc::clone(channel));
            tokio::spawn(async move { sender.channels.try_again(&channel).await });
        }
    }
}

/// What became of messages, to be written together.
#[derive(Default)]
struct Settling {
    effects: Effects,
    events: Vec<StoredEvent>,
}

impl Settling {
    /// Adds what became of a message: the outcome as a slug, what the channel said, and what follows.
    fn add(&mut self, message: &Message, (outcome, detail): (&'static str, String), next: Next) {
        let now = clock::now();
        if let Next::End { state, reason, .. } = &next {
            let mut ended = message.clone();
            ended.reason.clone_from(reason);
            let event = match state {
                MessageState::Sent => MessageEvent::Sent,
                MessageState::Skipped => MessageEvent::Skipped,
                _ if outcome == slug(OutcomeStatus::TargetGone) => {
                    self.effects.suppressed.push(suppression(&ended, SuppressionScope::All, "bounced"));
                    MessageEvent::Bounced
                }
                _ => MessageEvent::Failed,
            };
            self.events.push(message_event(&ended, event, now));
            metrics::counter!("podium_messages_total", "state" => state.as_str()).increment(1);
        }
        let (id, epoch) = (message.id, message.epoch);
        self.effects.settled.push(Settled { id, epoch, at: now, outcome, detail, next });
    }
}

fn detail(outcome: &Outcome) -> String {
    let text = outcome.detail.replace('\0', "");
    if outcome.provider_code == 0 { text } else { format!("{} {text}", outcome.provider_code) }
}
