//! A configured channel, whose calls are made by whoever can: how many at a time, in which batches, and what became
//! of each message.

use crate::channel_calls::{Reported, ReportedMessage};
use crate::channel_event::ChannelEvent;
use crate::channel_info::ChannelInfo;
use crate::channel_instance::{
    ChannelCall, ChannelFault, ChannelInstance, ChannelMessage, Delivered, WebhookRequest,
};
use crate::channel_messages::Outgoing;
use crate::channel_permits::Permits;
use crate::outcome::{Delivery, Outcome, OutcomeStatus};
use crate::payload::Payload;
use podium_plugin_abi::codes;

/// The largest payload of any message, in bytes.
const PAYLOAD_SIZE_MAX: usize = 1 << 20;
/// The most bytes of the messages of one call, unless it is one message. Escaped twice, they fit into a frame.
const BATCH_SIZE_MAX: usize = 1 << 20;
/// What a message takes besides its texts.
const MESSAGE_SIZE: usize = 64;

/// What a channel is asked to do.
pub(crate) enum Ask<'a> {
    Render { content_json: &'a str },
    Deliver { messages: &'a [Outgoing<'a>] },
    Ingest { request_json: &'a str, body: &'a [u8] },
    Health,
}

impl Ask<'_> {
    /// How many messages it is about.
    pub(crate) fn n_messages(&self) -> usize {
        if let Self::Deliver { messages } = self { messages.len() } else { 0 }
    }
}

/// Makes the calls of one configured channel, in this process or in another.
pub(crate) trait Calls: Send + Sync {
    /// Makes a call, and says what was reported and how it ended. The first message is the caller's `first_idx`.
    fn call(
        &self,
        ask: &Ask<'_>,
        call: &ChannelCall,
        first_idx: usize,
    ) -> (Reported, Result<(), ChannelFault>);
}

/// A configured channel.
pub(crate) struct Configured<C> {
    calls: C,
    permits: Permits,
    batch_max: usize,
    parallel_max: usize,
    payload_limit: usize,
}

impl<C: Calls> Configured<C> {
    pub(crate) fn new(calls: C, info: &ChannelInfo) -> Self {
        Self {
            calls,
            permits: Permits::new(info.parallel_max),
            batch_max: info.batch_max,
            parallel_max: info.parallel_max,
            payload_limit: info.payload_limit.unwrap_or(PAYLOAD_SIZE_MAX).min(PAYLOAD_SIZE_MAX),
        }
    }

    fn busy(&self) -> ChannelFault {
        ChannelFault::Busy { n_calls: self.parallel_max }
    }

    /// Delivers messages that are not too many for one call.
    fn deliver_batch(
        &self,
        messages: &[ChannelMessage<'_>],
        first_idx: usize,
        call: &ChannelCall,
    ) -> (Vec<Delivery>, Option<ChannelFault>) {
        let Some(_permit) = self.permits.take(call.deadline_ms) else {
            let fault = self.busy();
            return (not_sent(messages, &not_begun(&fault)).collect(), Some(fault));
        };
        let outgoing: Vec<Outgoing<'_>> = messages.iter().map(Outgoing::from).collect();
        let (reported, ended) = self.calls.call(&Ask::Deliver { messages: &outgoing }, call, first_idx);
        let fault = ended.map_err(unsupported("deliver")).err();
        let n_silent = reported.messages.iter().filter(|message| message.outcome.is_none()).count();
        let deliveries = reported.messages.into_iter().map(|message| settle(message, fault.as_ref()));
        let silent = (n_silent > 0).then_some(ChannelFault::NoOutcome { n_messages: n_silent });
        (deliveries.collect(), fault.or(silent))
    }
}

impl<C: Calls> ChannelInstance for Configured<C> {
    fn render(&self, content_json: &str, call: &ChannelCall) -> Result<Payload, ChannelFault> {
        let (reported, ended) = self.calls.call(&Ask::Render { content_json }, call, 0);
        over(&reported)?;
        ended.map_err(|fault| match fault {
            ChannelFault::Refused { code: codes::E_CONFIG, text } => ChannelFault::Content { text },
            fault => fault,
        })?;
        let not_utf8 = |_| ChannelFault::Refused { code: codes::E_INTERNAL, text: "not UTF-8".into() };
        Ok(Payload::from_json(&String::from_utf8(reported.answer).map_err(not_utf8)?)?)
    }

    fn deliver(&self, messages: &[ChannelMessage<'_>], call: &ChannelCall) -> Delivered {
        let mut deliveries = Vec::with_capacity(messages.len());
        let mut fault: Option<ChannelFault> = None;
        let is_small = |message: &ChannelMessage<'_>| message.payload.size() <= self.payload_limit;
        for run in messages.chunk_by(|first, second| is_small(first) == is_small(second)) {
            if !run.iter().all(is_small) {
                let outcome = Outcome::new(OutcomeStatus::TooLarge, "larger than the channel takes");
                deliveries.extend(not_sent(run, &outcome));
                continue;
            }
            for batch in batches(run, self.batch_max) {
                if let Some(fault) = &fault {
                    // What went wrong is likely to do so again; the rest goes back into the queue.
                    deliveries.extend(not_sent(batch, &not_begun(fault)));
                } else {
                    let (batch, batch_fault) = self.deliver_batch(batch, deliveries.len(), call);
                    deliveries.extend(batch);
                    fault = batch_fault;
                }
            }
        }
        Delivered { deliveries, fault }
    }

    fn ingest(
        &self,
        request: &WebhookRequest<'_>,
        call: &ChannelCall,
    ) -> Result<Vec<ChannelEvent>, ChannelFault> {
        let _permit = self.permits.take(call.deadline_ms).ok_or_else(|| self.busy())?;
        let WebhookRequest { method, path, query, headers, body } = request;
        let request =
            serde_json::json!({ "method": method, "path": path, "query": query, "headers": headers });
        let ask = Ask::Ingest { request_json: &request.to_string(), body };
        let (reported, ended) = self.calls.call(&ask, call, 0);
        over(&reported)?;
        ended.map_err(unsupported("take webhooks"))?;
        let event = |(idx, bytes): (usize, &Vec<u8>)| {
            let json = std::str::from_utf8(bytes).map_err(|error| error.to_string());
            json.and_then(ChannelEvent::from_json).map_err(|text| ChannelFault::BadEvent { idx, text })
        };
        reported.events.iter().enumerate().map(event).collect()
    }

    fn health(&self, call: &ChannelCall) -> Result<(), ChannelFault> {
        let _permit = self.permits.take(call.deadline_ms).ok_or_else(|| self.busy())?;
        self.calls.call(&Ask::Health, call, 0).1
    }
}

/// Cuts messages into batches of at most so many, which are not too large together.
fn batches<'a, 'm>(
    mut messages: &'a [ChannelMessage<'m>],
    batch_max: usize,
) -> impl Iterator<Item = &'a [ChannelMessage<'m>]> {
    std::iter::from_fn(move || {
        let sizes = messages.iter().scan(0, |sum, message| {
            *sum += size(message);
            Some(*sum)
        });
        let n_fitting = sizes.take(batch_max).take_while(|&sum| sum <= BATCH_SIZE_MAX).count();
        let batch;
        (batch, messages) = messages.split_at(n_fitting.max(1).min(messages.len()));
        (!batch.is_empty()).then_some(batch)
    })
}

fn size(message: &ChannelMessage<'_>) -> usize {
    let ChannelMessage { idempotency_key, collapse_key, decision_id, address_json, unsubscribe_url, .. } =
        message;
    let texts = [idempotency_key, collapse_key, decision_id, address_json, unsubscribe_url];
    let others: usize = texts.iter().map(|text| text.len()).sum();
    MESSAGE_SIZE + message.payload.size() + others
}

/// Decides what became of a message that the plugin is done with.
fn settle(message: ReportedMessage, fault: Option<&ChannelFault>) -> Delivery {
    let ReportedMessage { begun, outcome } = message;
    let outcome = outcome.unwrap_or_else(|| match fault {
        // By the contract, no message leaves before `begin`.
        Some(fault) if !begun => not_begun(fault),
        Some(fault) => Outcome::new(OutcomeStatus::Unknown, format!("begun, then {fault}")),
        None => Outcome::new(OutcomeStatus::Unknown, "the channel did not say what became of it"),
    });
    Delivery { begun, outcome }
}

fn not_sent(messages: &[ChannelMessage<'_>], outcome: &Outcome) -> impl Iterator<Item = Delivery> {
    messages.iter().map(|_| Delivery { begun: false, outcome: outcome.clone() })
}

fn not_begun(fault: &ChannelFault) -> Outcome {
    Outcome::new(OutcomeStatus::Cancelled, format!("not begun: {fault}"))
}

/// Refuses what was cut off at a limit, whatever the plugin made of that.
fn over(reported: &Reported) -> Result<(), ChannelFault> {
    reported.limit.map_or(Ok(()), |limit| Err(ChannelFault::TooMuch { limit: limit.text() }))
}

fn unsupported(what: &'static str) -> impl Fn(ChannelFault) -> ChannelFault {
    move |fault| match fault {
        ChannelFault::Refused { code: codes::E_UNSUPPORTED, .. } => ChannelFault::Unsupported { what },
        fault => fault,
    }
}
