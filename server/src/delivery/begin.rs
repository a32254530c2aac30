//! Notes that messages may leave, many at a time: each waits for it, and few waits make many writes.

use super::crash_point;
use crate::clock;
use crate::store::{Store, outbox};
use std::sync::mpsc as waiting;
use tokio::sync::mpsc;
use uuid::Uuid;

/// The most that are noted in one transaction.
const TOGETHER_MAX: usize = 256;

/// Where channels ask whether a message may leave.
#[derive(Clone, Debug)]
pub(super) struct Beginnings(mpsc::UnboundedSender<Beginning>);

#[derive(Debug)]
struct Beginning {
    message: (Uuid, i64),
    may_leave: waiting::SyncSender<bool>,
}

impl Beginnings {
    /// Starts the task that writes them.
    pub(super) fn start(store: Store) -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        tokio::spawn(run(store, receiver));
        Self(sender)
    }

    /// Waits until it is on disk that a message, under its claim, may have left; says whether it may leave. Blocks.
    pub(super) fn begin(&self, message: (Uuid, i64)) -> bool {
        let (may_leave, answer) = waiting::sync_channel(1);
        self.0.send(Beginning { message, may_leave }).is_ok() && answer.recv().unwrap_or(false)
    }
}

async fn run(store: Store, mut receiver: mpsc::UnboundedReceiver<Beginning>) {
    let mut together = Vec::new();
    while receiver.recv_many(&mut together, TOGETHER_MAX).await != 0 {
        let messages: Vec<_> = together.iter().map(|beginning| beginning.message).collect();
        crash_point("before-begin");
        let may_leave = outbox::begin(&store, &messages, clock::now()).await.unwrap_or_else(|error| {
            tracing::error!(%error, "messages do not leave: it could not be noted");
            vec![false; messages.len()]
        });
        crash_point("after-begin");
        for (beginning, may_leave) in together.drain(..).zip(may_leave) {
            // Whoever asked may have been given up.
            let _ = beginning.may_leave.send(may_leave);
        }
    }
}
