//! A channel that is set up: its instance, and what keeps it from sending.

use super::deadline_ms;
use crate::clock;
use crate::store::channels::StoredChannel;
use arc_swap::ArcSwapOption;
use podium_core::time::Timestamp;
use podium_plugin_host::{ChannelCall, ChannelFault, ChannelInfo, ChannelInstance, ProviderClass};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicUsize, Ordering};
use tokio::sync::{Semaphore, SemaphorePermit};

/// The longest that a plugin may take to try whether messages could be delivered, in seconds.
const HEALTH_S: i64 = 2;
/// After how long a channel is made again whose plugin would not, and after how long the provider of a paused one is
/// tried, in seconds.
const MAKE_AGAIN_S: i64 = 5;
const RESUME_S: i64 = 60;
/// The most webhooks of a channel that are read at a time: anybody may send some, and threads are few.
const WEBHOOKS_MAX: usize = 32;
/// So many messages in a row that the provider did not take, and the channel slows down.
const FAILURES_MAX: u32 = 8;
/// How long it then waits, in seconds; it doubles every time that it does not help.
const BREAK_S: i64 = 1;
const BREAK_S_MAX: i64 = 60;
/// How long a channel waits if its provider says that there is too much, and not for how long, in seconds.
const RATE_LIMITED_S: i64 = 30;

/// A channel that is set up.
pub(crate) struct Configured {
    /// As it was set up.
    pub(crate) stored: StoredChannel,
    /// What its plugin says of it; `None` if no plugin offers it.
    pub(crate) info: Option<ChannelInfo>,
    /// The instance, or why there is none.
    instance: Result<Box<dyn ChannelInstance>, String>,
    /// Why nothing is sent for now.
    paused_why: ArcSwapOption<String>,
    /// When it last did not work, in microseconds.
    stopped_at: AtomicI64,
    /// Webhooks that its plugin reads.
    webhooks: Semaphore,
    /// Calls that run.
    pub(super) n_running: AtomicUsize,
    /// Nothing is claimed before this, in microseconds.
    not_before: AtomicI64,
    n_failures: AtomicU32,
}

impl fmt::Debug for Configured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Configured").field("stored", &self.stored).finish_non_exhaustive()
    }
}

impl Configured {
    /// A channel as it was set up, with its instance or why there is none.
    pub(super) fn new(
        stored: StoredChannel,
        info: Option<ChannelInfo>,
        instance: Result<Box<dyn ChannelInstance>, String>,
    ) -> Self {
        Self {
            info,
            paused_why: ArcSwapOption::new(stored.paused_why.clone().map(Arc::new)),
            stored,
            instance,
            stopped_at: AtomicI64::new(clock::now().as_micros()),
            webhooks: Semaphore::new(WEBHOOKS_MAX),
            n_running: AtomicUsize::new(0),
            not_before: AtomicI64::new(0),
            n_failures: AtomicU32::new(0),
        }
    }

    /// Stops it; `false` if it was stopped already.
    pub(super) fn stop(&self, why: &str) -> bool {
        self.tried(clock::now());
        self.paused_why.swap(Some(Arc::new(why.to_owned()))).is_none()
    }

    /// Lets it go on; `false` if it was not stopped.
    pub(super) fn go_on(&self) -> bool {
        self.paused_why.swap(None).is_some()
    }

    /// Notes that it did not work at this time.
    pub(super) fn tried(&self, now: Timestamp) {
        self.stopped_at.store(now.as_micros(), Ordering::Relaxed);
    }

    /// Whether messages can be sent on it at all.
    pub(crate) fn is_push(&self) -> bool {
        self.info.as_ref().is_some_and(|info| info.class != ProviderClass::Pull)
    }

    /// The instance, or why there is none.
    pub(super) fn instance(&self) -> Result<&dyn ChannelInstance, &str> {
        self.instance.as_deref().map_err(String::as_str)
    }

    /// Whether an operator or a provider stopped it.
    pub(crate) fn is_paused(&self) -> bool {
        self.paused_why.load().is_some()
    }

    /// Why nothing is sent for now.
    pub(crate) fn trouble(&self) -> Option<String> {
        let paused = self.paused_why.load().as_deref().cloned();
        paused.or_else(|| self.instance.as_ref().err().cloned())
    }

    /// Whether what stopped it may have passed.
    pub(super) fn is_to_be_tried(&self, now: Timestamp) -> bool {
        let wait_s = if self.instance.is_err() { MAKE_AGAIN_S } else { RESUME_S };
        let since = Timestamp::from_micros(self.stopped_at.load(Ordering::Relaxed));
        let is_stopped = self.info.is_some() && (self.instance.is_err() || self.is_paused());
        is_stopped && since.plus_seconds(wait_s) <= now
    }

    /// The right to have one more webhook read, if there are not too many already.
    pub(super) fn webhook_permit(&self) -> Option<SemaphorePermit<'_>> {
        self.webhooks.try_acquire().ok()
    }

    /// Tries whether messages could be delivered.
    ///
    /// # Errors
    ///
    /// What is wrong.
    pub(crate) async fn health(self: &Arc<Self>) -> Result<(), String> {
        let tried = self.blocking(HEALTH_S, |instance, call| instance.health(call)).await;
        tried.map_err(|fault| fault.to_string())
    }

    /// Makes a call on a thread that may wait.
    pub(super) async fn blocking<T: Send + 'static>(
        self: &Arc<Self>,
        seconds: i64,
        work: impl FnOnce(&dyn ChannelInstance, &ChannelCall) -> Result<T, ChannelFault> + Send + 'static,
    ) -> Result<T, ChannelFault> {
        let channel = Arc::clone(self);
        let call = ChannelCall { deadline_ms: deadline_ms(clock::now(), seconds), ..ChannelCall::default() };
        let lost = |text: String| ChannelFault::Lost { text };
        let done = tokio::task::spawn_blocking(move || match channel.instance() {
            Ok(instance) => work(instance, &call),
            Err(text) => Err(ChannelFault::Lost { text: text.to_owned() }),
        });
        done.await.map_err(|error| lost(error.to_string()))?
    }

    /// Messages that may be claimed now.
    pub(super) fn room(&self, now: Timestamp) -> usize {
        match &self.info {
            Some(info)
                if self.is_push() && self.is_open(now) && !self.is_paused() && self.instance.is_ok() =>
            {
                info.parallel_max.saturating_sub(self.n_running.load(Ordering::Acquire)) * info.batch_max
            }
            _ => 0,
        }
    }

    /// The provider works.
    pub(super) fn succeeded(&self) {
        self.n_failures.store(0, Ordering::Relaxed);
    }

    /// The provider did not take a message; after several in a row the channel slows down. Those that were under way
    /// by then fail for the same reason, and count no more.
    pub(super) fn failed(&self, now: Timestamp) {
        if !self.is_open(now) {
            return;
        }
        let n_failures = self.n_failures.fetch_add(1, Ordering::Relaxed) + 1;
        if let Some(over) = n_failures.checked_sub(FAILURES_MAX) {
            self.wait_until(now.plus_seconds((BREAK_S << over.min(10)).min(BREAK_S_MAX)));
        }
    }

    /// The provider says that there is too much.
    pub(super) fn rate_limited(&self, now: Timestamp, after_s: Option<i64>) {
        self.wait_until(now.plus_seconds(after_s.unwrap_or(RATE_LIMITED_S)));
    }

    fn is_open(&self, now: Timestamp) -> bool {
        self.not_before.load(Ordering::Relaxed) <= now.as_micros()
    }

    fn wait_until(&self, instant: Timestamp) {
        self.not_before.fetch_max(instant.as_micros(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use podium_core::id::ChannelKey;

    fn channel() -> Configured {
        let at = Timestamp::from_micros(0);
        let stored = StoredChannel {
            key: ChannelKey::new("desk").unwrap(),
            channel: "webhook".to_owned(),
            settings: serde_json::Map::new(),
            revision: 1,
            created_at: at,
            updated_at: at,
            paused_why: None,
        };
        Configured::new(stored, None, Err("nobody asks".to_owned()))
    }

    /// Has so many messages fail together at `now_s`; says how many seconds the channel then waits.
    fn wait_after(channel: &Configured, n_failures: u32, now_s: i64) -> i64 {
        let now = Timestamp::from_micros(0).plus_seconds(now_s);
        for _ in 0..n_failures {
            channel.failed(now);
        }
        (channel.not_before.load(Ordering::Relaxed) - now.as_micros()).max(0) / 1_000_000
    }

    #[test]
    fn what_fails_together_slows_a_channel_down_once() {
        let channel = channel();
        assert_eq!(wait_after(&channel, FAILURES_MAX - 1, 100), 0);
        // As if a plugin had crashed in many calls.
        assert_eq!(wait_after(&channel, 100, 100), BREAK_S);
    }

    #[test]
    fn a_channel_that_goes_on_failing_waits_ever_longer_until_it_works() {
        let channel = channel();
        let mut now_s = 100;
        let mut waits = Vec::new();
        for _ in 0..8 {
            let wait_s = wait_after(&channel, FAILURES_MAX, now_s);
            waits.push(wait_s);
            now_s += wait_s;
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, BREAK_S_MAX, BREAK_S_MAX]);
        channel.succeeded();
        assert_eq!(wait_after(&channel, FAILURES_MAX - 1, now_s), 0);
        assert_eq!(wait_after(&channel, 1, now_s), BREAK_S);
    }
}
