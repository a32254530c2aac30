//! Messages on their way to a plugin: in the form that travels, and in the form of the contract.

use crate::channel_instance::{ChannelMessage, Purpose};
use podium_plugin_abi::{self as abi, Str, codes};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::mem::size_of;
use std::ptr;

/// A message whose payload is text already.
#[derive(Serialize, Deserialize)]
pub(crate) struct Outgoing<'a> {
    purpose: Purpose,
    attempt: u32,
    expires_ms: i64,
    idempotency_key: Cow<'a, str>,
    collapse_key: Cow<'a, str>,
    decision_id: Cow<'a, str>,
    address_json: Cow<'a, str>,
    payload_json: Cow<'a, str>,
    unsubscribe_url: Cow<'a, str>,
}

impl<'a> From<&ChannelMessage<'a>> for Outgoing<'a> {
    fn from(message: &ChannelMessage<'a>) -> Self {
        Self {
            purpose: message.purpose,
            attempt: message.attempt,
            expires_ms: message.expires_ms,
            idempotency_key: message.idempotency_key.into(),
            collapse_key: message.collapse_key.into(),
            decision_id: message.decision_id.into(),
            address_json: message.address_json.into(),
            payload_json: message.payload.to_json().into(),
            unsubscribe_url: message.unsubscribe_url.into(),
        }
    }
}

/// Messages lent to a plugin for one call.
pub(crate) struct MessagesAbi<'a> {
    /// What the pointers point to.
    _messages: Vec<abi::Message>,
    pointers: Vec<*const abi::Message>,
    /// The messages' texts are borrowed.
    _texts: std::marker::PhantomData<&'a str>,
}

impl<'a> MessagesAbi<'a> {
    pub(crate) fn new(messages: &'a [Outgoing<'_>]) -> Self {
        let messages: Vec<abi::Message> = messages.iter().map(lend).collect();
        let pointers = messages.iter().map(ptr::from_ref).collect();
        Self { _messages: messages, pointers, _texts: std::marker::PhantomData }
    }

    pub(crate) fn as_ptr(&self) -> *const *const abi::Message {
        self.pointers.as_ptr()
    }

    pub(crate) fn len(&self) -> usize {
        self.pointers.len()
    }
}

fn lend(message: &Outgoing<'_>) -> abi::Message {
    abi::Message {
        struct_size: size_of::<abi::Message>() as u32,
        purpose: match message.purpose {
            Purpose::Marketing => codes::PURPOSE_MARKETING,
            Purpose::Transactional => codes::PURPOSE_TRANSACTIONAL,
        },
        attempt: message.attempt,
        reserved: 0,
        expires_ms: message.expires_ms,
        idempotency_key: Str::borrow(&message.idempotency_key),
        collapse_key: Str::borrow(&message.collapse_key),
        decision_id: Str::borrow(&message.decision_id),
        address_json: Str::borrow(&message.address_json),
        payload_json: Str::borrow(&message.payload_json),
        unsubscribe_url: Str::borrow(&message.unsubscribe_url),
    }
}
