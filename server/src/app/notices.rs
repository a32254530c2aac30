//! What pages are told that have asked before: that it is time to ask again.

use super::App;
use crate::catalog::Catalog;
use crate::clock;
use podium_core::time::Timestamp;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::timeout;

/// The longest that an answer waits for this node to learn what another one told.
const CATCH_UP: Duration = Duration::from_millis(500);
/// The least time between two readings of everything because somebody said that we are behind.
const CATCH_UP_EVERY_US: i64 = 1_000_000;

/// What flags a page would get an answer from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Notice {
    /// The same on every node that decides on the same flags.
    pub(crate) fingerprint: u64,
    /// When it became so here.
    pub(crate) changed_at: Timestamp,
    /// Whether the server stops.
    pub(crate) is_last: bool,
}

impl Notice {
    /// The fingerprint as text.
    pub(crate) fn etag(&self) -> String {
        format!("{:016x}", self.fingerprint)
    }

    /// When it became so, in seconds since 1970.
    pub(crate) fn changed_s(&self) -> i64 {
        self.changed_at.as_micros() / 1_000_000
    }
}

/// Tells streams what flags there are.
#[derive(Debug, Default)]
pub(crate) struct Notices {
    newest: watch::Sender<Notice>,
    caught_up_at: AtomicI64,
}

impl Notices {
    /// Tells of what is published, if it can change the answer for a unit that has asked before.
    pub(super) fn announce(&self, catalog: &Catalog, now: Timestamp) {
        let fingerprint = catalog.fingerprint(now);
        self.newest.send_if_modified(|notice| {
            let is_new = notice.fingerprint != fingerprint;
            if is_new {
                (notice.fingerprint, notice.changed_at) = (fingerprint, now);
            }
            is_new
        });
    }

    /// The newest notice, and those that follow.
    pub(crate) fn subscribe(&self) -> watch::Receiver<Notice> {
        self.newest.subscribe()
    }

    /// Ends every stream.
    pub(crate) fn close(&self) {
        self.newest.send_modify(|notice| notice.is_last = true);
    }
}

impl App {
    /// Learns what another node told a client, if this one has not heard of it yet.
    ///
    /// - `etag`, `modified_s`: of the notice that the client got.
    pub(crate) async fn catch_up(&self, etag: &str, modified_s: i64) {
        let mut newest = self.notices.subscribe();
        let is_behind = |notice: &Notice| notice.etag() != etag && notice.changed_s() <= modified_s;
        if !is_behind(&newest.borrow_and_update()) {
            return;
        }
        let now = clock::now();
        let last = self.notices.caught_up_at.load(Ordering::Relaxed);
        let is_due = last <= now.as_micros().saturating_sub(CATCH_UP_EVERY_US)
            && self
                .notices
                .caught_up_at
                .compare_exchange(last, now.as_micros(), Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        // Late is better than never: the answer is given in any case.
        let _ = timeout(CATCH_UP, async {
            if !is_due || self.republish().await.is_err() {
                let _ = newest.wait_for(|notice| !is_behind(notice)).await;
            }
        })
        .await;
    }
}
