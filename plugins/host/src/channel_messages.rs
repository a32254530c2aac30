//! Messages in the form of the contract.

use crate::channel_instance::{ChannelMessage, Purpose};
use podium_plugin_abi::{self as abi, Str, codes};
use std::mem::size_of;
use std::ptr;

/// Messages lent to a plugin for one call.
pub(crate) struct MessagesAbi<'a> {
    /// What the pointers point to.
    _messages: Vec<abi::Message>,
    pointers: Vec<*const abi::Message>,
    /// The messages' texts are borrowed.
    _texts: std::marker::PhantomData<&'a str>,
}

impl<'a> MessagesAbi<'a> {
    /// Lends `messages` with their payloads as JSON.
    pub(crate) fn new(messages: &'a [ChannelMessage<'_>], payloads: &'a [String]) -> Self {
        let with_payload = messages.iter().zip(payloads);
        let messages: Vec<abi::Message> =
            with_payload.map(|(message, payload_json)| one(message, payload_json)).collect();
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

fn one(message: &ChannelMessage<'_>, payload_json: &str) -> abi::Message {
    abi::Message {
        struct_size: size_of::<abi::Message>() as u32,
        purpose: match message.purpose {
            Purpose::Marketing => codes::PURPOSE_MARKETING,
            Purpose::Transactional => codes::PURPOSE_TRANSACTIONAL,
        },
        attempt: message.attempt,
        reserved: 0,
        expires_ms: message.expires_ms,
        idempotency_key: Str::borrow(message.idempotency_key),
        collapse_key: Str::borrow(message.collapse_key),
        decision_id: Str::borrow(message.decision_id),
        address_json: Str::borrow(message.address_json),
        payload_json: Str::borrow(payload_json),
        unsubscribe_url: Str::borrow(message.unsubscribe_url),
    }
}
