//! So much a second for each client, and more at once after a pause, without a lock.

use std::hash::Hash;
use std::sync::atomic::{AtomicI64, Ordering};

/// The most clients that are remembered; then those are forgotten that have not come for a while.
const CLIENTS_MAX: usize = 100_000;
const SECOND_US: i64 = 1_000_000;

/// A client's number is the time at which all that it was given would have been due at an even pace; it may lie ahead of
/// now by as much as may come at once.
#[derive(Debug)]
pub(super) struct Buckets<K: Eq + Hash> {
    /// In microseconds, as everything here.
    due: papaya::HashMap<K, AtomicI64>,
    cleared_at: AtomicI64,
    /// From one to the next.
    pace: i64,
    ahead_max: i64,
}

impl<K: Eq + Hash + Clone> Buckets<K> {
    /// - `rate`: how many come back in a second, at least 1.
    /// - `burst`: how many may come at once, at least 1.
    pub(super) fn new(rate: u32, burst: u32) -> Self {
        let pace = SECOND_US / i64::from(rate).max(1);
        let (due, cleared_at) = (papaya::HashMap::new(), AtomicI64::new(0));
        Self { due, cleared_at, pace, ahead_max: pace * i64::from(burst).max(1) }
    }

    /// Takes one; else says after how many microseconds the next one comes.
    pub(super) fn take(&self, client: K, now_us: i64) -> Result<(), i64> {
        let clients = self.due.pin();
        let cleared_at = self.cleared_at.load(Ordering::Relaxed);
        if CLIENTS_MAX <= clients.len() && cleared_at + SECOND_US <= now_us {
            self.cleared_at.store(now_us, Ordering::Relaxed);
            clients.retain(|_, due| now_us < due.load(Ordering::Relaxed));
        }
        let due = clients.get_or_insert_with(client, || AtomicI64::new(now_us));
        let next = |due: i64| {
            let next = due.max(now_us) + self.pace;
            (next - now_us <= self.ahead_max).then_some(next)
        };
        let taken = due.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
        taken.map(drop).map_err(|due| due + self.pace - now_us - self.ahead_max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_gets_its_burst_at_once_and_then_an_even_pace() {
        let buckets = Buckets::new(10, 40);
        let taken = |client: &'static str, now_us: i64| {
            (0..1_000).take_while(|_| buckets.take(client, now_us).is_ok()).count()
        };
        assert_eq!(taken("ann", 0), 40);
        assert_eq!(buckets.take("ann", 0), Err(100_000));
        assert_eq!(taken("bob", 0), 40, "each client has its own");
        assert_eq!(taken("ann", 99_999), 0);
        assert_eq!(taken("ann", 100_000), 1);
        assert_eq!(taken("ann", 2_100_000), 20);
        assert_eq!(taken("ann", 600_000_000), 40, "more does not pile up");
    }

    #[test]
    fn clients_that_have_been_quiet_are_forgotten_when_there_are_too_many() {
        let buckets = Buckets::new(1, 1);
        for client in 0..=CLIENTS_MAX {
            assert_eq!(buckets.take(client, 0), Ok(()));
        }
        assert!(buckets.take(0, 0).is_err(), "those that came just now are held to it");
        assert_eq!(buckets.take(0, 2_000_000), Ok(()));
        assert_eq!(buckets.due.len(), 1);
    }
}
