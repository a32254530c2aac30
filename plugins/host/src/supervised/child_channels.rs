//! The channels of a child: a thread for each call, so that none waits for another.

use super::asked::{self, Ended};
use super::child::{Create, Socket};
use super::wire::{Head, Kind};
use crate::channel_configured::Calls;
use crate::channel_in_process::InProcessChannel;
use crate::channel_instance::{ChannelCall, DeliveryWatch};
use crate::outcome::Outcome;
use crate::registry::Registry;
use std::collections::HashMap;
use std::io;
use std::sync::mpsc::{self, SyncSender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

/// The stack of one call, in bytes. Many calls have to fit into the memory of a child.
const STACK_BYTES: usize = 1 << 20;

/// The instances of channels, and the messages that wait for a word.
pub(super) struct ChildChannels {
    socket: Arc<Socket>,
    registry: Arc<Registry>,
    instances: Mutex<HashMap<u32, Arc<InProcessChannel>>>,
    /// By call and message.
    waiting: Mutex<HashMap<(u32, u32), SyncSender<bool>>>,
}

impl ChildChannels {
    pub(super) fn new(socket: Arc<Socket>, registry: Arc<Registry>) -> Arc<Self> {
        Arc::new(Self { socket, registry, instances: Mutex::default(), waiting: Mutex::default() })
    }

    /// Makes a call on a thread of its own.
    pub(super) fn start(self: &Arc<Self>, head: Head, bytes: Vec<u8>) -> io::Result<()> {
        let channels = Arc::clone(self);
        // If it cannot be written, the server is gone, and so are we in a moment.
        let work = move || drop(channels.answer(head, &bytes));
        let started = thread::Builder::new().name("call".to_owned()).stack_size(STACK_BYTES).spawn(work);
        started.map(drop).or_else(|error| {
            self.end(head, &Ended::lost(format!("there is no thread for the call: {error}")))
        })
    }

    /// Passes on whether a message may leave.
    pub(super) fn word(&self, head: Head) {
        if let Some(waiting) = lock(&self.waiting).remove(&(head.call, head.about)) {
            // Whoever does not wait any more needs no answer.
            let _ = waiting.try_send(head.kind == Kind::Go);
        }
    }

    /// Ends an instance, once its calls have ended.
    pub(super) fn destroy(&self, instance: u32) {
        if let Some(instance) = lock(&self.instances).remove(&instance) {
            // The plugin may take its time.
            drop(thread::Builder::new().spawn(move || drop(instance)));
        }
    }

    fn answer(self: &Arc<Self>, head: Head, bytes: &[u8]) -> io::Result<()> {
        if head.kind == Kind::CreateChannel {
            return self.create(head, bytes);
        }
        let Some(instance) = lock(&self.instances).get(&head.about).cloned() else {
            return self.end(head, &Ended::lost(format!("there is no instance {}", head.about)));
        };
        let watch: Arc<dyn DeliveryWatch> = Arc::new(Teller { channels: Arc::clone(self), call: head.call });
        let (reported, ended) = asked::read(head.kind, bytes, |ask, call| {
            instance.call(ask, &ChannelCall { watch: Some(watch), ..call }, 0)
        })?;
        for event in &reported.events {
            self.socket.write(Head::new(Kind::Event, 0, head.call), event)?;
        }
        if !reported.answer.is_empty() {
            self.socket.write(Head::new(Kind::Written, 0, head.call), &reported.answer)?;
        }
        self.end(head, &Ended::new(reported.limit, ended.err()))
    }

    fn create(&self, head: Head, bytes: &[u8]) -> io::Result<()> {
        let Create { component, config_json } = serde_json::from_slice(bytes)?;
        match self.registry.configure_channel(&component, config_json) {
            Ok(instance) => {
                lock(&self.instances).insert(head.about, Arc::new(instance));
                self.socket.write(Head::new(Kind::Created, head.about, head.call), &[])
            }
            Err(error) => self.socket.fault(Head::new(Kind::Fault, head.about, head.call), &error),
        }
    }

    fn end(&self, head: Head, ended: &Ended) -> io::Result<()> {
        let ended = serde_json::to_vec(ended)?;
        self.socket.write(Head::new(Kind::Ended, head.about, head.call), &ended)
    }
}

/// Tells the server what a call reports.
struct Teller {
    channels: Arc<ChildChannels>,
    call: u32,
}

impl DeliveryWatch for Teller {
    fn begun(&self, message_idx: usize) -> bool {
        let message = message_idx as u32;
        let (answer, word) = mpsc::sync_channel(1);
        lock(&self.channels.waiting).insert((self.call, message), answer);
        let said = self.channels.socket.write(Head::new(Kind::Begin, message, self.call), &[]);
        // Where the server has given the call up, no word comes, and nothing leaves.
        said.is_ok() && word.recv().unwrap_or(false)
    }

    fn outcome(&self, message_idx: usize, outcome: &Outcome) {
        if let Ok(outcome) = serde_json::to_vec(outcome) {
            // A server that is gone asks nothing any more.
            drop(
                self.channels.socket.write(Head::new(Kind::Outcome, message_idx as u32, self.call), &outcome),
            );
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
