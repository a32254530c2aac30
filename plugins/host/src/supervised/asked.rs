//! The calls of channels as they travel to a child: what surrounds the call, a text and bytes, each behind its length.

use super::wire::{Kind, nonsense};
use crate::channel_calls::Limit;
use crate::channel_configured::Ask;
use crate::channel_instance::{ChannelCall, ChannelFault};
use crate::channel_messages::Outgoing;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::io;

#[derive(Serialize, Deserialize)]
struct Surroundings<'a> {
    deadline_ms: i64,
    trace: Cow<'a, str>,
}

/// How a call ended.
#[derive(Serialize, Deserialize)]
pub(super) struct Ended {
    limit: Option<Limit>,
    fault: Option<Fault>,
}

/// What a call can find wrong in its own process.
#[derive(Serialize, Deserialize)]
enum Fault {
    Panicked { text: String },
    Refused { code: i32, text: String },
    Lost { text: String },
}

impl Ended {
    pub(super) fn new(limit: Option<Limit>, fault: Option<ChannelFault>) -> Self {
        let fault = fault.map(|fault| match fault {
            ChannelFault::Panicked { text } => Fault::Panicked { text },
            ChannelFault::Refused { code, text } => Fault::Refused { code, text },
            fault => Fault::Lost { text: fault.to_string() },
        });
        Self { limit, fault }
    }

    /// A call that could not be made.
    pub(super) fn lost(text: String) -> Self {
        Self { limit: None, fault: Some(Fault::Lost { text }) }
    }

    /// Which limit the call ran into.
    pub(super) fn limit(&self) -> Option<Limit> {
        self.limit
    }

    /// What went wrong, if something did.
    pub(super) fn result(self) -> Result<(), ChannelFault> {
        self.fault.map_or(Ok(()), |fault| {
            Err(match fault {
                Fault::Panicked { text } => ChannelFault::Panicked { text },
                Fault::Refused { code, text } => ChannelFault::Refused { code, text },
                Fault::Lost { text } => ChannelFault::Lost { text },
            })
        })
    }
}

/// Lays out a call.
pub(super) fn write(ask: &Ask<'_>, call: &ChannelCall) -> io::Result<(Kind, Vec<u8>)> {
    let surroundings = Surroundings { deadline_ms: call.deadline_ms, trace: call.trace.as_str().into() };
    let surroundings = serde_json::to_vec(&surroundings)?;
    let messages;
    let (kind, text, body): (_, &[u8], &[u8]) = match ask {
        Ask::Render { content_json } => (Kind::Render, content_json.as_bytes(), &[]),
        Ask::Deliver { messages: outgoing } => {
            messages = serde_json::to_vec(outgoing)?;
            (Kind::Deliver, &messages, &[])
        }
        Ask::Ingest { request_json, body } => (Kind::Ingest, request_json.as_bytes(), body),
        Ask::Health => (Kind::Health, &[], &[]),
    };
    let mut bytes = Vec::with_capacity(12 + surroundings.len() + text.len() + body.len());
    for part in [&surroundings, text, body] {
        let len = u32::try_from(part.len()).map_err(|_| io::ErrorKind::FileTooLarge)?;
        bytes.extend_from_slice(&len.to_ne_bytes());
        bytes.extend_from_slice(part);
    }
    Ok((kind, bytes))
}

/// Reads a call, and makes it.
pub(super) fn read<T>(
    kind: Kind,
    mut bytes: &[u8],
    make: impl FnOnce(&Ask<'_>, ChannelCall) -> T,
) -> io::Result<T> {
    let [surroundings, text, body] = [part(&mut bytes)?, part(&mut bytes)?, part(&mut bytes)?];
    let Surroundings { deadline_ms, trace } = serde_json::from_slice(surroundings)?;
    let call = ChannelCall { deadline_ms, trace: trace.into_owned(), watch: None };
    let utf8 = |bytes| std::str::from_utf8(bytes).map_err(|error| nonsense(error.to_string()));
    let messages: Vec<Outgoing<'_>>;
    let ask = match kind {
        Kind::Render => Ask::Render { content_json: utf8(text)? },
        Kind::Deliver => {
            messages = serde_json::from_slice(text)?;
            Ask::Deliver { messages: &messages }
        }
        Kind::Ingest => Ask::Ingest { request_json: utf8(text)?, body },
        Kind::Health => Ask::Health,
        kind => return Err(nonsense(format!("a call of kind {kind:?}"))),
    };
    Ok(make(&ask, call))
}

fn part<'a>(bytes: &mut &'a [u8]) -> io::Result<&'a [u8]> {
    let cut_off = || nonsense("a call that is cut off".to_owned());
    let (len, rest) = bytes.split_first_chunk().ok_or_else(cut_off)?;
    let (part, rest) = rest.split_at_checked(u32::from_ne_bytes(*len) as usize).ok_or_else(cut_off)?;
    *bytes = rest;
    Ok(part)
}
