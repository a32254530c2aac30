//! Waiting for what happens behind an answer, with a limit.

use std::time::{Duration, Instant};

const STEP: Duration = Duration::from_millis(20);
/// How long something that takes milliseconds may take on a machine that is busy with other tests.
const SOON: Duration = Duration::from_secs(20);

/// Asks `probe` until it has an answer, at most `limit`; fails saying `what` was awaited.
#[track_caller]
pub(crate) fn eventually<T>(what: &str, limit: Duration, mut probe: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(begun.elapsed() < limit, "{what}: not within {limit:?}");
        std::thread::sleep(STEP);
    }
}

/// Waits for what should take no noticeable time.
#[track_caller]
pub(crate) fn soon<T>(what: &str, probe: impl FnMut() -> Option<T>) -> T {
    eventually(what, SOON, probe)
}
