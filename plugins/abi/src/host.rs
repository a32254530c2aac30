//! What the host offers to a plugin.

use crate::growable::Growable;
use crate::text::Str;
use core::ffi::c_void;

/// The host's functions. Absent ones are null.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Host {
    /// `sizeof(podium_host)` of the host.
    pub struct_size: u32,
    /// The minor version that the host was built with.
    pub abi_minor: u32,
    /// The first argument of every function here.
    ///
    /// OWNERSHIP: the host. LIFETIME: the process. THREAD: any.
    pub ctx: *mut c_void,
    /// Says (1 or 0) whether a line of this level would be kept.
    pub log_enabled: Option<unsafe extern "C" fn(ctx: *mut c_void, level: u32) -> i32>,
    /// Writes one line to the server's log.
    pub log: Option<
        unsafe extern "C" fn(ctx: *mut c_void, level: u32, target: Str, message: Str, fields_json: Str),
    >,
    /// Appends bytes to the answer of `call`; [`E_LIMIT`](crate::codes::E_LIMIT) if it gets too long.
    pub write: Option<unsafe extern "C" fn(ctx: *mut c_void, call: u64, bytes: Str) -> i32>,
    /// Says that from now on this message may have been sent. Channels only.
    pub begin: Option<unsafe extern "C" fn(ctx: *mut c_void, call: u64, message: u32) -> i32>,
    /// Says what became of this message; the first one counts. Channels only.
    pub outcome: Option<
        unsafe extern "C" fn(ctx: *mut c_void, call: u64, message: u32, outcome: *const Outcome) -> i32,
    >,
    /// Emits an event, during `ingest`. Channels only. It is a JSON object, and one of two kinds:
    ///
    /// - `{"kind", "provider_id", "idempotency_key", "address", "detail", "time_ms", "for_good"}`: what became of
    ///   a message. The kind is `delivered`, `bounced`, `complained`, `unsubscribed`, `opened` or `clicked`; one
    ///   of the three names is needed, the rest may be absent.
    /// - `{"track": {"event", "messageId", "userId" or "anonymousId", "timestamp", "properties"}}`: what a shopper
    ///   did, in the words of Segment's `track` call. The message id counts once.
    pub event: Option<unsafe extern "C" fn(ctx: *mut c_void, call: u64, event_json: Str) -> i32>,
    /// Tells the time in milliseconds since 1970. Channels only.
    pub now_ms: Option<unsafe extern "C" fn(ctx: *mut c_void) -> i64>,
    /// Looks up an optional ability by name; null if there is none.
    ///
    /// OWNERSHIP: the host. LIFETIME: the process. THREAD: any.
    pub extension: Option<unsafe extern "C" fn(ctx: *mut c_void, name: Str) -> *const c_void>,
}

// SAFETY: `repr(C)`; integers, pointers and optional functions are valid as zeros; the size comes first.
unsafe impl Growable for Host {
    const BASE_SIZE: usize = 80;
}

/// What became of one message.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    /// `sizeof(podium_outcome)` of the plugin.
    pub struct_size: u32,
    /// One of the `OUTCOME_` numbers.
    pub status: u32,
    /// When to try again, in milliseconds; 0 if the provider did not say.
    pub retry_after_ms: u32,
    /// The provider's own number for it.
    pub provider_code: u32,
    /// The provider's id of the message.
    pub provider_id: Str,
    /// A text for the operator.
    pub detail: Str,
}

// SAFETY: `repr(C)`; integers and pointers are valid as zeros; the size comes first.
unsafe impl Growable for Outcome {
    const BASE_SIZE: usize = 48;
}
