//! One delivery to a double, and what must hold of every delivery.

use super::{ChannelSubject, Double, Failed, call};
use crate::channel_instance::{
    ChannelCall, ChannelInstance, ChannelMessage, Delivered, DeliveryWatch, Purpose,
};
use crate::conformance::channel::double::{Does, Seen};
use crate::outcome::{Outcome, OutcomeStatus};
use crate::payload::Filled;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

/// What a delivery may take where the double does not make it wait.
pub(super) const AMPLE: Duration = Duration::from_secs(8);
/// How long after the deadline a channel may come back before the host would have to kill it.
const GRACE: Duration = Duration::from_secs(2);
/// What was sent before `begin` has arrived by then.
const ARRIVAL_MAX: Duration = Duration::from_millis(30);
/// What was sent without being waited for has arrived by then.
pub(super) const LATE_ARRIVAL_MAX: Duration = Duration::from_millis(100);

/// A channel that is about to deliver to one double.
pub(super) struct Sender<'a> {
    subject: &'a ChannelSubject<'a>,
    channel: Arc<dyn ChannelInstance>,
    payload: Arc<Filled>,
    seen: Arc<Seen>,
}

/// What became of one call of `deliver`.
pub(super) struct Sent {
    pub(super) outcomes: Vec<Outcome>,
    pub(super) n_begun: usize,
    /// How many whole requests came during the call.
    pub(super) n_arrived: usize,
}

impl ChannelSubject<'_> {
    /// Makes an instance and what it has to deliver, with a double that does as told.
    pub(super) fn sender(&self, does: Does) -> Result<Sender<'_>, Failed> {
        self.names_the_double()?;
        let double = Double::start(self.trial.protocol, does)?;
        self.sender_to(double.address(), Arc::clone(double.seen()))
    }

    pub(super) fn sender_to(&self, address: SocketAddr, seen: Arc<Seen>) -> Result<Sender<'_>, Failed> {
        let channel: Arc<dyn ChannelInstance> = self.create(address)?.into();
        let payload = self.sample(&*channel, self.content())?;
        let filled = payload.fill(|_| Some("sample"), |_, target| target.to_owned()).map_err(|error| {
            Failed::NotTried(format!("the sample content cannot be filled: {error}; give other by --content"))
        })?;
        Ok(Sender { subject: self, channel, payload: Arc::new(filled), seen })
    }

    fn address(&self) -> &str {
        self.trial.address_json.as_deref().unwrap_or("\"somebody@example.com\"")
    }
}

impl Sender<'_> {
    pub(super) fn seen(&self) -> &Seen {
        &self.seen
    }

    /// Delivers one message for each key, in one call, and looks at all that must hold of any delivery.
    pub(super) fn deliver(&self, keys: &[&str], attempt: u32, time: Duration) -> Result<Sent, Failed> {
        let before = (self.seen.n_begun(), self.seen.requests().len());
        let witness = Arc::new(Witness::new(Arc::clone(&self.seen), before.0));
        let call = ChannelCall { watch: Some(witness.clone()), ..call(time) };
        let (sender, receiver) = mpsc::channel();
        let (channel, payload) = (Arc::clone(&self.channel), Arc::clone(&self.payload));
        let address = self.subject.address().to_owned();
        let owned: Vec<String> = keys.iter().map(|&key| key.to_owned()).collect();
        // A call that does not come back stays behind; the process ends with the check.
        thread::spawn(move || {
            let message = |key: &String| Message { key: key.clone(), attempt };
            let messages: Vec<Message> = owned.iter().map(message).collect();
            let lent: Vec<ChannelMessage<'_>> =
                messages.iter().map(|message| message.lend(&address, &payload)).collect();
            drop(sender.send(channel.deliver(&lent, &call)));
        });
        let Ok(delivered) = receiver.recv_timeout(time + GRACE) else {
            let text = format!("it is not back {} s after the deadline", GRACE.as_secs());
            return Err(Failed::Broken(text));
        };
        thread::sleep(LATE_ARRIVAL_MAX);
        self.settled(delivered, &witness, before.1).map_err(Failed::Broken)
    }

    /// Delivers one message to a double of its own.
    pub(super) fn deliver_one(&self, time: Duration) -> Result<(Outcome, Sent), Failed> {
        let mut sent = self.deliver(&["check-1"], 1, time)?;
        let none = || Failed::Broken("no outcome".into());
        Ok((sent.outcomes.pop().ok_or_else(none)?, sent))
    }

    fn settled(&self, delivered: Delivered, witness: &Witness, n_before: usize) -> Result<Sent, String> {
        let Delivered { deliveries, fault } = delivered;
        if let Some(fault) = fault {
            return Err(fault.to_string());
        }
        if let Some(text) = witness.contradiction() {
            return Err(text);
        }
        let (n_arrived, n_began) = (self.seen.requests().len() - n_before, self.seen.n_begun());
        let n_begun = deliveries.iter().filter(|delivery| delivery.begun).count();
        if witness.is_early.load(Ordering::SeqCst) || (n_begun == 0 && witness.n_before < n_began) {
            return Err("something left before `begin` allowed it".into());
        }
        let outcomes: Vec<Outcome> = deliveries.into_iter().map(|delivery| delivery.outcome).collect();
        let is_accepted = |outcome: &Outcome| outcome.status == OutcomeStatus::Accepted;
        if outcomes.iter().any(is_accepted) && n_arrived == 0 {
            return Err("ACCEPTED, but nothing arrived at the provider".into());
        }
        Ok(Sent { outcomes, n_begun, n_arrived })
    }
}

struct Message {
    key: String,
    attempt: u32,
}

impl Message {
    fn lend<'a>(&'a self, address_json: &'a str, payload: &'a Filled) -> ChannelMessage<'a> {
        ChannelMessage {
            purpose: Purpose::Marketing,
            attempt: self.attempt,
            expires_ms: i64::MAX,
            idempotency_key: &self.key,
            collapse_key: "",
            decision_id: "018f0000-0000-7000-8000-000000000000",
            address_json,
            payload,
            unsubscribe_url: "",
        }
    }
}

/// Watches a delivery from beside.
struct Witness {
    seen: Arc<Seen>,
    /// How many requests had begun to arrive before the call.
    n_before: usize,
    n_begun: AtomicUsize,
    is_early: AtomicBool,
    told: Mutex<Vec<(usize, OutcomeStatus)>>,
    contradiction: Mutex<Option<String>>,
}

impl Witness {
    fn new(seen: Arc<Seen>, n_before: usize) -> Self {
        Self {
            seen,
            n_before,
            n_begun: AtomicUsize::new(0),
            is_early: AtomicBool::new(false),
            told: Mutex::default(),
            contradiction: Mutex::default(),
        }
    }

    fn contradiction(&self) -> Option<String> {
        self.contradiction.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl DeliveryWatch for Witness {
    /// The plugin waits here: whatever comes now was sent before the first `begin`.
    fn begun(&self, _message_idx: usize) -> bool {
        if self.n_begun.fetch_add(1, Ordering::SeqCst) == 0 {
            thread::sleep(ARRIVAL_MAX);
            if self.n_before < self.seen.n_begun() {
                self.is_early.store(true, Ordering::SeqCst);
            }
        }
        true
    }

    fn outcome(&self, message_idx: usize, outcome: &Outcome) {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).push((message_idx, outcome.status));
    }

    fn repeated(&self, message_idx: usize, outcome: &Outcome) {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let first = told.iter().find(|(idx, _)| *idx == message_idx).map(|(_, status)| *status);
        if let Some(first) = first.filter(|first| *first != outcome.status) {
            let text = format!("two outcomes of one message: {first:?}, then {:?}", outcome.status);
            *self.contradiction.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
        }
    }
}
