//! What surrounds one call of a channel: its deadline, and the way back to the server.

use crate::error::{Error, Result};
use crate::host;
use crate::message::Message;
use crate::outcome::Outcome;
use crate::track::TrackEvent;
use crate::webhook::Feedback;
use podium_plugin_abi::{self as abi, codes};
use serde::Serialize;
use std::time::Duration;

/// One call of a channel: how long it may take, and whom to tell.
#[derive(Debug)]
pub struct Call<'a> {
    id: u64,
    deadline_ms: i64,
    trace: &'a str,
}

impl<'a> Call<'a> {
    /// # Safety
    ///
    /// The texts of `call` hold still for `'a`.
    pub(crate) unsafe fn new(call: &abi::Call) -> Self {
        // SAFETY: as the caller vouches.
        let trace = unsafe { call.trace.text() }.unwrap_or_default();
        Self { id: call.id, deadline_ms: call.deadline_ms, trace }
    }

    /// Tells when the server gives up, in milliseconds since 1970.
    pub fn deadline_ms(&self) -> i64 {
        self.deadline_ms
    }

    /// Tells how long is left; zero if the time is over. Every wait of yours should end by then.
    pub fn remaining(&self) -> Duration {
        let left_ms = self.deadline_ms.saturating_sub(host::now_ms());
        Duration::from_millis(u64::try_from(left_ms).unwrap_or(0))
    }

    /// Tells the time in milliseconds since 1970, by the server's clock.
    pub fn now_ms(&self) -> i64 {
        host::now_ms()
    }

    /// Tells the W3C `traceparent` to pass on, or an empty text.
    pub fn trace(&self) -> &'a str {
        self.trace
    }

    /// Says that from now on `message` may have been sent. `false`: do not send it, the server has given up.
    ///
    /// Called for you just before [`deliver`](crate::Channel::deliver); again is harmless.
    #[must_use = "a message that was not begun must not be sent"]
    pub fn begin(&self, message: &Message<'_>) -> bool {
        host::begin(self.id, message.idx()) == codes::OK
    }

    /// Says what became of `message`. The first outcome counts; a later one is harmless.
    pub fn outcome(&self, message: &Message<'_>, outcome: &Outcome) {
        // One that the server no longer waits for has nobody to tell.
        outcome.with_abi(|outcome| host::outcome(self.id, message.idx(), outcome));
    }

    /// Emits what the provider told of a message, during [`ingest`](crate::Channel::ingest).
    ///
    /// # Errors
    ///
    /// [`Error`] if there are too many, or there is no such call: return it.
    pub fn emit(&self, feedback: &Feedback) -> Result<()> {
        self.event(feedback)
    }

    /// Emits what a shopper did, during [`ingest`](crate::Channel::ingest). The server takes it as an event of
    /// the shop's own server, so the request must be proven to be the shop's.
    ///
    /// # Errors
    ///
    /// [`Error`] if there are too many, or there is no such call: return it.
    pub fn track(&self, event: &TrackEvent) -> Result<()> {
        #[derive(Serialize)]
        struct Tracked<'a> {
            track: &'a TrackEvent,
        }
        self.event(&Tracked { track: event })
    }

    fn event(&self, event: &impl Serialize) -> Result<()> {
        let json = serde_json::to_string(event).map_err(|wrong| Error::internal(wrong.to_string()))?;
        host::event(self.id, &json)
    }

    pub(crate) fn write(&self, answer: &str) -> Result<()> {
        host::write(self.id, answer)
    }
}
