//! When a call happens, and when it must be over.

use podium_plugin::prelude::*;
use std::time::Duration;
use tokio::time::Instant;

/// The longest that a call waits, whatever its deadline says.
const WAIT_MAX: Duration = Duration::from_mins(5);

/// When a call happens, and when it must be over.
pub(crate) struct Moment {
    /// Seconds since 1970, by the server's clock.
    pub(crate) now_s: i64,
    pub(crate) deadline: Instant,
}

impl Moment {
    pub(crate) fn of(call: &Call<'_>) -> Self {
        let remaining = call.remaining().min(WAIT_MAX);
        Self { now_s: call.now_ms() / 1_000, deadline: Instant::now() + remaining }
    }
}
