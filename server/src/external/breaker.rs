//! Leaves a source alone that fails again and again.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// After so many failures in a row a source is left alone …
const FAILURES_MAX: u32 = 5;
/// … for so long; then a single call tries it.
const REST: Duration = Duration::from_secs(10);

/// Whether a source may be asked.
#[derive(Debug)]
pub(super) struct Breaker {
    began: Instant,
    n_failures: AtomicU32,
    /// When it may be tried again, in milliseconds since it began.
    again_ms: AtomicU64,
}

impl Breaker {
    pub(super) fn new(began: Instant) -> Self {
        Self { began, n_failures: AtomicU32::new(0), again_ms: AtomicU64::new(0) }
    }

    /// Whether a call may be made now; of those that come when the rest is over, the first may.
    pub(super) fn lets_through(&self, now: Instant) -> bool {
        if self.n_failures.load(Ordering::Relaxed) < FAILURES_MAX {
            return true;
        }
        let (again_ms, now_ms) = (self.again_ms.load(Ordering::Relaxed), self.ms(now));
        let next_ms = now_ms + REST.as_millis() as u64;
        let tries =
            || self.again_ms.compare_exchange(again_ms, next_ms, Ordering::Relaxed, Ordering::Relaxed);
        again_ms <= now_ms && tries().is_ok()
    }

    pub(super) fn succeeded(&self) {
        self.n_failures.store(0, Ordering::Relaxed);
    }

    /// Notes a failure; says whether the source is left alone from now on.
    pub(super) fn failed(&self, now: Instant) -> bool {
        let n_failures = self.n_failures.fetch_add(1, Ordering::Relaxed) + 1;
        if FAILURES_MAX <= n_failures {
            self.again_ms.fetch_max(self.ms(now) + REST.as_millis() as u64, Ordering::Relaxed);
        }
        n_failures == FAILURES_MAX
    }

    fn ms(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.began).as_millis() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_fails_again_and_again_is_left_alone_then_tried_once() {
        let began = Instant::now();
        let breaker = Breaker::new(began);
        let at = |seconds: u64| began + Duration::from_secs(seconds);
        for nth in 1..=FAILURES_MAX {
            assert!(breaker.lets_through(at(1)));
            assert_eq!(breaker.failed(at(1)), nth == FAILURES_MAX);
        }
        assert!(!breaker.lets_through(at(1)) && !breaker.lets_through(at(10)));
        assert!(breaker.lets_through(at(11)), "the rest is over");
        assert!(!breaker.lets_through(at(11)) && !breaker.lets_through(at(20)), "one tries it");
        breaker.failed(at(12));
        assert!(!breaker.lets_through(at(21)) && breaker.lets_through(at(22)));
        breaker.succeeded();
        assert!((0..10).all(|_| breaker.lets_through(at(22))));
    }
}
