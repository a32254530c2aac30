//! A channel that runs in our own process.

use crate::callbacks::Callbacks;
use crate::channel_calls::{OpenCall, Reported, ReportedMessage};
use crate::channel_descriptor::{ChannelFunctions, CheckedChannel};
use crate::channel_event::ChannelEvent;
use crate::channel_instance::{
    ChannelCall, ChannelCreateError, ChannelFault, ChannelInstance, ChannelMessage, Delivered, WebhookRequest,
};
use crate::channel_messages::MessagesAbi;
use crate::channel_permits::Permits;
use crate::handle::{self, Current, Failure, Maker};
use crate::outcome::{Delivery, Outcome, OutcomeStatus};
use crate::payload::Payload;
use podium_plugin_abi::{self as abi, ErrorText, Str, codes};
use std::ffi::c_void;
use std::mem::size_of;
use std::ptr;

/// A channel of a loaded plugin, ready to be configured.
#[derive(Clone)]
pub(crate) struct LoadedChannel {
    functions: ChannelFunctions,
    callbacks: &'static Callbacks,
    batch_max: usize,
    parallel_max: usize,
    payload_limit: usize,
}

/// A configured channel in our process. Nobody can end a call here that does not end itself.
pub(crate) struct InProcessChannel {
    loaded: LoadedChannel,
    current: Current,
    permits: Permits,
}

impl LoadedChannel {
    pub(crate) fn new(channel: &CheckedChannel, callbacks: &'static Callbacks) -> Self {
        let CheckedChannel { info, functions } = channel;
        Self {
            functions: *functions,
            callbacks,
            batch_max: info.batch_max,
            parallel_max: info.parallel_max,
            payload_limit: info.payload_limit.unwrap_or(usize::MAX),
        }
    }

    /// Makes a configured instance. The configuration has its secrets.
    pub(crate) fn configure(&self, config_json: String) -> Result<InProcessChannel, ChannelCreateError> {
        let maker = Maker { create: self.functions.create, destroy: self.functions.destroy };
        let handle = maker.make(&config_json).map_err(|Failure { code, text }| match code {
            codes::E_CONFIG => ChannelCreateError::Config { text },
            codes::E_PANIC => ChannelCreateError::Panicked { text },
            code => ChannelCreateError::Failed { code, text },
        })?;
        Ok(InProcessChannel {
            loaded: self.clone(),
            current: Current::new(maker, config_json, handle),
            permits: Permits::new(self.parallel_max),
        })
    }
}

/// A call to make, and how many messages it is about.
struct Asked<'a> {
    call: &'a ChannelCall,
    first_idx: usize,
    n_messages: usize,
}

impl<'a> Asked<'a> {
    fn without_messages(call: &'a ChannelCall) -> Self {
        Self { call, first_idx: 0, n_messages: 0 }
    }
}

impl InProcessChannel {
    /// Calls the current instance, and says what was reported and how the call ended. An instance that panicked
    /// is replaced; a call that found one poisoned has done nothing yet, and is made again on the new one.
    fn run(
        &self,
        asked: &Asked<'_>,
        function: impl Fn(*mut c_void, *const abi::Call, *mut ErrorText) -> i32,
    ) -> (Reported, Result<(), ChannelFault>) {
        let handle = self.current.get();
        let (reported, ended) = self.attempt(handle.this, asked, &function);
        match ended {
            Ok(()) => (reported, Ok(())),
            Err(Failure { code: codes::E_PANIC, text }) => {
                let lost = self.current.replace(&handle).map_err(|failure| failure.text);
                let fault = lost
                    .map_or_else(|text| ChannelFault::Lost { text }, |()| ChannelFault::Panicked { text });
                (reported, Err(fault))
            }
            Err(Failure { code: codes::E_POISONED, .. }) => {
                if let Err(failure) = self.current.replace(&handle) {
                    return (reported, Err(ChannelFault::Lost { text: failure.text }));
                }
                let (reported, ended) = self.attempt(self.current.get().this, asked, &function);
                (reported, ended.map_err(fault))
            }
            Err(failure) => (reported, Err(fault(failure))),
        }
    }

    fn attempt(
        &self,
        this: *mut c_void,
        asked: &Asked<'_>,
        function: impl Fn(*mut c_void, *const abi::Call, *mut ErrorText) -> i32,
    ) -> (Reported, Result<(), Failure>) {
        let Asked { call, first_idx, n_messages } = *asked;
        let id = self.loaded.callbacks.open_call(OpenCall::new(call, first_idx, n_messages));
        let abi_call = abi::Call {
            struct_size: size_of::<abi::Call>() as u32,
            flags: 0,
            id,
            deadline_ms: call.deadline_ms,
            trace: Str::borrow(&call.trace),
        };
        let ended = handle::call(|error| function(this, &raw const abi_call, error));
        (self.loaded.callbacks.close_call(id), ended)
    }

    /// Delivers messages that are not too many for one call.
    fn deliver_chunk(
        &self,
        messages: &[ChannelMessage<'_>],
        first_idx: usize,
        call: &ChannelCall,
    ) -> (Vec<Delivery>, Option<ChannelFault>) {
        let cancelled = |fault: ChannelFault| {
            let delivery = || Delivery { begun: false, outcome: not_begun(&fault) };
            let deliveries = messages.iter().map(|_| delivery()).collect();
            (deliveries, Some(fault))
        };
        let Some(deliver) = self.loaded.functions.deliver else {
            return cancelled(ChannelFault::Unsupported { what: "deliver" });
        };
        let Some(_permit) = self.permits.take(call.deadline_ms) else {
            return cancelled(ChannelFault::Busy { n_calls: self.loaded.parallel_max });
        };
        let payloads: Vec<String> = messages.iter().map(|message| message.payload.to_json()).collect();
        let lent = MessagesAbi::new(messages, &payloads);
        let asked = Asked { call, first_idx, n_messages: messages.len() };
        // SAFETY: the instance is alive, and call and messages live through the call.
        let (reported, ended) = self.run(&asked, |this, call, error| unsafe {
            deliver(this, call, lent.as_ptr(), lent.len(), error)
        });
        let fault = ended.err();
        let n_silent = reported.messages.iter().filter(|message| message.outcome.is_none()).count();
        let deliveries = reported.messages.into_iter().map(|message| settle(message, fault.as_ref()));
        let silent = (n_silent > 0).then_some(ChannelFault::NoOutcome { n_messages: n_silent });
        (deliveries.collect(), fault.or(silent))
    }
}

impl ChannelInstance for InProcessChannel {
    fn render(&self, content_json: &str, call: &ChannelCall) -> Result<Payload, ChannelFault> {
        let render = self.loaded.functions.render;
        // SAFETY: the instance is alive, and call and text live through the call.
        let (reported, ended) = self.run(&Asked::without_messages(call), |this, call, error| unsafe {
            render(this, call, Str::borrow(content_json), error)
        });
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
        let is_small = |message: &ChannelMessage<'_>| message.payload.size() <= self.loaded.payload_limit;
        for run in messages.chunk_by(|first, second| is_small(first) == is_small(second)) {
            for chunk in run.chunks(self.loaded.batch_max) {
                if !chunk.iter().all(is_small) {
                    let outcome = Outcome::new(OutcomeStatus::TooLarge, "larger than the channel takes");
                    deliveries
                        .extend(chunk.iter().map(|_| Delivery { begun: false, outcome: outcome.clone() }));
                } else if let Some(fault) = &fault {
                    // What went wrong is likely to do so again; the rest goes back into the queue.
                    let outcome = not_begun(fault);
                    deliveries
                        .extend(chunk.iter().map(|_| Delivery { begun: false, outcome: outcome.clone() }));
                } else {
                    let (chunk, chunk_fault) = self.deliver_chunk(chunk, deliveries.len(), call);
                    deliveries.extend(chunk);
                    fault = chunk_fault;
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
        let ingest =
            self.loaded.functions.ingest.ok_or(ChannelFault::Unsupported { what: "take webhooks" })?;
        let busy = ChannelFault::Busy { n_calls: self.loaded.parallel_max };
        let _permit = self.permits.take(call.deadline_ms).ok_or(busy)?;
        let WebhookRequest { method, path, query, headers, body } = request;
        let head = serde_json::json!({ "method": method, "path": path, "query": query, "headers": headers });
        let head = head.to_string();
        let body = Str { ptr: if body.is_empty() { ptr::null() } else { body.as_ptr() }, len: body.len() };
        // SAFETY: the instance is alive, and call, text and bytes live through the call.
        let (reported, ended) = self.run(&Asked::without_messages(call), |this, call, error| unsafe {
            ingest(this, call, Str::borrow(&head), body, error)
        });
        over(&reported)?;
        ended.map_err(unsupported("take webhooks"))?;
        let event = |(idx, bytes): (usize, &Vec<u8>)| {
            let json = std::str::from_utf8(bytes).map_err(|error| error.to_string());
            json.and_then(ChannelEvent::from_json).map_err(|text| ChannelFault::BadEvent { idx, text })
        };
        reported.events.iter().enumerate().map(event).collect()
    }

    fn health(&self, call: &ChannelCall) -> Result<(), ChannelFault> {
        // A channel that cannot be tried is as healthy as it says.
        let Some(health) = self.loaded.functions.health else { return Ok(()) };
        let busy = ChannelFault::Busy { n_calls: self.loaded.parallel_max };
        let _permit = self.permits.take(call.deadline_ms).ok_or(busy)?;
        // SAFETY: the instance is alive, and the call lives through the call.
        let (_, ended) = self
            .run(&Asked::without_messages(call), |this, call, error| unsafe { health(this, call, error) });
        ended
    }
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

fn not_begun(fault: &ChannelFault) -> Outcome {
    Outcome::new(OutcomeStatus::Cancelled, format!("not begun: {fault}"))
}

/// Refuses what was cut off at a limit, whatever the plugin made of that.
fn over(reported: &Reported) -> Result<(), ChannelFault> {
    reported.limit.map_or(Ok(()), |limit| Err(ChannelFault::TooMuch { limit }))
}

fn unsupported(what: &'static str) -> impl Fn(ChannelFault) -> ChannelFault {
    move |fault| match fault {
        ChannelFault::Refused { code: codes::E_UNSUPPORTED, .. } => ChannelFault::Unsupported { what },
        fault => fault,
    }
}

fn fault(Failure { code, text }: Failure) -> ChannelFault {
    match code {
        codes::E_PANIC | codes::E_POISONED => ChannelFault::Panicked { text },
        code => ChannelFault::Refused { code, text },
    }
}
