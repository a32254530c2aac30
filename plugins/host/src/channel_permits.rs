//! How many calls of one channel may run at a time.

use crate::channel_calls::now_ms;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The longest single wait: the clock may be set meanwhile.
const WAIT_MAX: Duration = Duration::from_secs(1);

/// Lets a number of calls run at a time; others wait.
pub(crate) struct Permits {
    n_free: Mutex<usize>,
    freed: Condvar,
}

/// The right to make one call.
pub(crate) struct Permit<'a>(&'a Permits);

impl Permits {
    pub(crate) fn new(n_calls: usize) -> Self {
        Self { n_free: Mutex::new(n_calls), freed: Condvar::new() }
    }

    /// Waits for a permit, at most until the deadline, in milliseconds since 1970. A free one is given even later:
    /// what may not be done then is not for us to say.
    pub(crate) fn take(&self, deadline_ms: i64) -> Option<Permit<'_>> {
        let mut n_free = self.lock();
        while *n_free == 0 {
            let left_ms =
                u64::try_from(deadline_ms.saturating_sub(now_ms())).ok().filter(|&left| left > 0)?;
            let wait = Duration::from_millis(left_ms).min(WAIT_MAX);
            (n_free, _) = self.freed.wait_timeout(n_free, wait).unwrap_or_else(PoisonError::into_inner);
        }
        *n_free -= 1;
        Some(Permit(self))
    }

    fn lock(&self) -> MutexGuard<'_, usize> {
        self.n_free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        *self.0.lock() += 1;
        self.0.freed.notify_one();
    }
}
