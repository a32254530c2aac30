//! The calls of channels that are running, and what the plugin reported in them so far.

use crate::channel_instance::{ChannelCall, DeliveryWatch};
use crate::outcome::Outcome;
use podium_plugin_abi::codes;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

/// The longest answer to one call, in bytes.
const ANSWER_SIZE_MAX: usize = 8 * 1024 * 1024;
/// The most events of one call.
const EVENTS_MAX: usize = 10_000;
/// The most bytes of the events of one call.
const EVENTS_SIZE_MAX: usize = 8 * 1024 * 1024;

/// The calls of one plugin that are running.
#[derive(Default)]
pub(crate) struct OpenCalls(Mutex<HashMap<u64, Arc<OpenCall>>>);

/// A call that is running. A plugin may report from any of its threads.
pub(crate) struct OpenCall {
    deadline_ms: i64,
    watch: Option<Arc<dyn DeliveryWatch>>,
    /// The index of the call's first message among those that the watcher knows.
    first_idx: usize,
    reported: Mutex<Reported>,
}

/// What the plugin reported in one call.
#[derive(Default)]
pub(crate) struct Reported {
    /// What it wrote.
    pub(crate) answer: Vec<u8>,
    /// What it emitted.
    pub(crate) events: Vec<Vec<u8>>,
    events_size: usize,
    /// What it said of each message.
    pub(crate) messages: Vec<ReportedMessage>,
    /// The limit that it ran into, whatever it did then.
    pub(crate) limit: Option<Limit>,
}

/// How much a plugin may report in one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Limit {
    AnswerSize,
    Events,
    EventsSize,
}

/// What the plugin reported of one message.
#[derive(Clone, Default)]
pub(crate) struct ReportedMessage {
    pub(crate) begun: bool,
    pub(crate) outcome: Option<Outcome>,
}

impl Limit {
    /// Names the limit in words.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::AnswerSize => "an answer of 8 MiB",
            Self::Events => "10,000 events",
            Self::EventsSize => "8 MiB of events",
        }
    }
}

impl Reported {
    /// Nothing yet, of so many messages.
    pub(crate) fn of_messages(n_messages: usize) -> Self {
        Self { messages: vec![ReportedMessage::default(); n_messages], ..Self::default() }
    }
}

impl OpenCalls {
    /// Opens a call under a number that no other has.
    pub(crate) fn open(&self, id: u64, call: OpenCall) {
        lock(&self.0).insert(id, Arc::new(call));
    }

    /// Finds a call that is running.
    pub(crate) fn find(&self, id: u64) -> Option<Arc<OpenCall>> {
        lock(&self.0).get(&id).cloned()
    }

    /// Ends a call and takes what was reported; whatever comes later has no call.
    pub(crate) fn close(&self, id: u64) -> Reported {
        let call = lock(&self.0).remove(&id);
        call.map(|call| call.take()).unwrap_or_default()
    }
}

impl OpenCall {
    /// Prepares a call about `n_messages` messages, of which the first is the caller's `first_idx`.
    pub(crate) fn new(call: &ChannelCall, first_idx: usize, n_messages: usize) -> Self {
        Self {
            deadline_ms: call.deadline_ms,
            watch: call.watch.clone(),
            first_idx,
            reported: Mutex::new(Reported::of_messages(n_messages)),
        }
    }

    /// How many messages it is about.
    pub(crate) fn n_messages(&self) -> usize {
        lock(&self.reported).messages.len()
    }

    /// Notes a limit that the plugin ran into elsewhere.
    pub(crate) fn limited(&self, limit: Limit) {
        lock(&self.reported).limit.get_or_insert(limit);
    }

    /// Takes what was reported.
    pub(crate) fn take(&self) -> Reported {
        std::mem::take(&mut *lock(&self.reported))
    }

    pub(crate) fn write(&self, bytes: &[u8]) -> i32 {
        let mut reported = lock(&self.reported);
        if reported.answer.len().saturating_add(bytes.len()) > ANSWER_SIZE_MAX {
            reported.limit = Some(Limit::AnswerSize);
            return codes::E_LIMIT;
        }
        reported.answer.extend_from_slice(bytes);
        codes::OK
    }

    pub(crate) fn event(&self, bytes: &[u8]) -> i32 {
        let mut reported = lock(&self.reported);
        if reported.events.len() == EVENTS_MAX {
            reported.limit = Some(Limit::Events);
            return codes::E_LIMIT;
        }
        if reported.events_size.saturating_add(bytes.len()) > EVENTS_SIZE_MAX {
            reported.limit = Some(Limit::EventsSize);
            return codes::E_LIMIT;
        }
        reported.events_size += bytes.len();
        reported.events.push(bytes.to_vec());
        codes::OK
    }

    /// Notes that a message may leave, unless it is too late for that.
    pub(crate) fn begin(&self, message: u32) -> i32 {
        let message_idx = message as usize;
        {
            let mut reported = lock(&self.reported);
            let Some(message) = reported.messages.get_mut(message_idx) else { return codes::E_INVALID };
            if message.begun {
                return codes::OK;
            }
            if self.deadline_ms <= now_ms() {
                return codes::E_LIMIT;
            }
            message.begun = true;
        }
        let may_leave = self.tell(|watch| watch.begun(self.first_idx + message_idx)).unwrap_or(true);
        // Whoever watches takes his time, and by then the caller may have given up.
        if may_leave && now_ms() < self.deadline_ms {
            return codes::OK;
        }
        if let Some(message) = lock(&self.reported).messages.get_mut(message_idx) {
            message.begun = false;
        }
        codes::E_LIMIT
    }

    /// Notes what became of a message. The first word counts.
    pub(crate) fn outcome(&self, message: u32, outcome: &Outcome) -> i32 {
        let message_idx = message as usize;
        let is_first = {
            let mut reported = lock(&self.reported);
            let Some(message) = reported.messages.get_mut(message_idx) else { return codes::E_INVALID };
            let is_first = message.outcome.is_none();
            message.outcome.get_or_insert_with(|| outcome.clone());
            is_first
        };
        self.tell(|watch| {
            if is_first {
                watch.outcome(self.first_idx + message_idx, outcome);
            } else {
                watch.repeated(self.first_idx + message_idx, outcome);
            }
            true
        });
        codes::OK
    }

    /// Tells whoever watches, and returns the answer; `None` if nobody does. A panic there must not unwind into the
    /// plugin, and is a no.
    fn tell(&self, tell: impl FnOnce(&dyn DeliveryWatch) -> bool) -> Option<bool> {
        let watch = self.watch.as_deref()?;
        Some(catch_unwind(AssertUnwindSafe(|| tell(watch))).unwrap_or(false))
    }
}

/// Tells the time in milliseconds since 1970.
pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
