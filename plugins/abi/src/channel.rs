//! Channels: messages out, webhooks in.

use crate::growable::Growable;
use crate::text::{ErrorText, Str};
use core::ffi::c_void;

/// What surrounds one call of a channel.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// `sizeof(podium_call)` of the host.
    pub struct_size: u32,
    /// Zero.
    pub flags: u32,
    /// The number to answer with, by the functions of [`Host`](crate::Host).
    pub id: u64,
    /// When the host gives up, in milliseconds since 1970.
    pub deadline_ms: i64,
    /// The W3C `traceparent`, or empty.
    pub trace: Str,
}

// SAFETY: `repr(C)`; integers and pointers are valid as zeros; the size comes first.
unsafe impl Growable for Call {
    const BASE_SIZE: usize = 40;
}

/// One message to deliver.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Message {
    /// `sizeof(podium_message)` of the host.
    pub struct_size: u32,
    /// One of the `PURPOSE_` numbers.
    pub purpose: u32,
    /// 1 for the first attempt.
    pub attempt: u32,
    /// Zero.
    pub reserved: u32,
    /// When it is no longer worth sending, in milliseconds since 1970.
    pub expires_ms: i64,
    /// Equal for all attempts of one message.
    pub idempotency_key: Str,
    /// Equal for messages that replace each other, or empty.
    pub collapse_key: Str,
    /// The decision that it carries.
    pub decision_id: Str,
    /// Where to, in the channel's own form.
    pub address_json: Str,
    /// What `render` made, filled in.
    pub payload_json: Str,
    /// Where one click ends it, or empty.
    pub unsubscribe_url: Str,
}

// SAFETY: `repr(C)`; integers and pointers are valid as zeros; the size comes first.
unsafe impl Growable for Message {
    const BASE_SIZE: usize = 120;
}

/// Turns a variant's content into the channel's payload.
pub type RenderFn = unsafe extern "C" fn(
    this: *mut c_void,
    call: *const Call,
    content_json: Str,
    error: *mut ErrorText,
) -> i32;

/// Delivers a batch; blocks until each message has its outcome.
pub type DeliverFn = unsafe extern "C" fn(
    this: *mut c_void,
    call: *const Call,
    messages: *const *const Message,
    n: usize,
    error: *mut ErrorText,
) -> i32;

/// Takes a raw webhook request, checks it, emits events.
pub type IngestFn = unsafe extern "C" fn(
    this: *mut c_void,
    call: *const Call,
    request_json: Str,
    body: Str,
    error: *mut ErrorText,
) -> i32;

/// Logs in at the provider and sends nothing.
pub type HealthFn = unsafe extern "C" fn(this: *mut c_void, call: *const Call, error: *mut ErrorText) -> i32;

/// What a channel is and does.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Channel {
    /// `sizeof(podium_channel)` of the plugin.
    pub struct_size: u32,
    /// One of the `PROVIDER_` numbers: what the host may do when an outcome is unknown.
    pub provider_class: u32,
    /// How long the provider remembers an idempotency key, in seconds.
    pub key_ttl_s: u32,
    /// Messages per `deliver`, at least 1.
    pub max_batch: u32,
    /// Calls at a time, at least 1.
    pub max_parallel: u32,
    /// The largest payload in bytes; 0: no limit.
    pub payload_limit: u32,
    /// Makes payloads. THREAD: any, several at a time.
    pub render: Option<RenderFn>,
    /// Sends. THREAD: one of `max_parallel`.
    pub deliver: Option<DeliverFn>,
    /// Takes webhooks. THREAD: one of `max_parallel`.
    pub ingest: Option<IngestFn>,
    /// Tries the connection. THREAD: one of `max_parallel`.
    pub health: Option<HealthFn>,
}

// SAFETY: `repr(C)`; integers and optional functions are valid as zeros; the size comes first.
unsafe impl Growable for Channel {
    const BASE_SIZE: usize = 56;
}
