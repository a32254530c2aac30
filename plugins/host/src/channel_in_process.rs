//! A channel that runs in our own process.

use crate::callbacks::Callbacks;
use crate::channel_calls::{OpenCall, Reported};
use crate::channel_configured::{Ask, Calls};
use crate::channel_descriptor::{ChannelFunctions, CheckedChannel};
use crate::channel_instance::{ChannelCall, ChannelCreateError, ChannelFault};
use crate::channel_messages::MessagesAbi;
use crate::handle::{self, Current, Failure, Maker};
use podium_plugin_abi::{self as abi, ErrorText, Str, codes};
use std::ffi::c_void;
use std::mem::size_of;
use std::ptr;

/// A channel of a loaded plugin, ready to be configured.
#[derive(Clone)]
pub(crate) struct LoadedChannel {
    functions: ChannelFunctions,
    callbacks: &'static Callbacks,
}

/// A configured channel in our process. Nobody can end a call here that does not end itself.
pub(crate) struct InProcessChannel {
    loaded: LoadedChannel,
    current: Current,
}

impl LoadedChannel {
    pub(crate) fn new(channel: &CheckedChannel, callbacks: &'static Callbacks) -> Self {
        Self { functions: channel.functions, callbacks }
    }

    /// Makes a configured instance. The configuration has its secrets.
    pub(crate) fn configure(&self, config_json: String) -> Result<InProcessChannel, ChannelCreateError> {
        let maker = Maker { create: self.functions.create, destroy: self.functions.destroy };
        let handle = maker.make(&config_json).map_err(|Failure { code, text }| match code {
            codes::E_CONFIG => ChannelCreateError::Config { text },
            codes::E_PANIC => ChannelCreateError::Panicked { text },
            code => ChannelCreateError::Failed { code, text },
        })?;
        Ok(InProcessChannel { loaded: self.clone(), current: Current::new(maker, config_json, handle) })
    }
}

/// A call to make, and how many messages it is about.
struct Asked<'a> {
    call: &'a ChannelCall,
    first_idx: usize,
    n_messages: usize,
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
}

impl Calls for InProcessChannel {
    fn call(
        &self,
        ask: &Ask<'_>,
        call: &ChannelCall,
        first_idx: usize,
    ) -> (Reported, Result<(), ChannelFault>) {
        let ChannelFunctions { render, deliver, ingest, health, .. } = self.loaded.functions;
        let n_messages = ask.n_messages();
        let asked = Asked { call, first_idx, n_messages };
        let none = || {
            let fault = ChannelFault::Refused { code: codes::E_UNSUPPORTED, text: String::new() };
            (Reported::of_messages(n_messages), Err(fault))
        };
        match *ask {
            // SAFETY: the instance is alive, and call and text live through the call.
            Ask::Render { content_json } => self.run(&asked, |this, call, error| unsafe {
                render(this, call, Str::borrow(content_json), error)
            }),
            Ask::Deliver { messages } => {
                let Some(deliver) = deliver else { return none() };
                let lent = MessagesAbi::new(messages);
                // SAFETY: the instance is alive, and call and messages live through the call.
                self.run(&asked, |this, call, error| unsafe {
                    deliver(this, call, lent.as_ptr(), lent.len(), error)
                })
            }
            Ask::Ingest { request_json, body } => {
                let Some(ingest) = ingest else { return none() };
                let body =
                    Str { ptr: if body.is_empty() { ptr::null() } else { body.as_ptr() }, len: body.len() };
                // SAFETY: the instance is alive, and call, text and bytes live through the call.
                self.run(&asked, |this, call, error| unsafe {
                    ingest(this, call, Str::borrow(request_json), body, error)
                })
            }
            Ask::Health => {
                // A channel that cannot be tried is as healthy as it says.
                let Some(health) = health else { return (Reported::default(), Ok(())) };
                // SAFETY: the instance is alive, and the call lives through the call.
                self.run(&asked, |this, call, error| unsafe { health(this, call, error) })
            }
        }
    }
}

fn fault(Failure { code, text }: Failure) -> ChannelFault {
    match code {
        codes::E_PANIC | codes::E_POISONED => ChannelFault::Panicked { text },
        code => ChannelFault::Refused { code, text },
    }
}
