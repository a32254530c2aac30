//! The functions behind the descriptor of a channel: each checks its pointers, then calls the author's code
//! under guard.

use crate::call::Call;
use crate::channel::Channel;
use crate::entry::config_from;
use crate::error::{Error, Result};
use crate::guard::{self, Guarded, no_pointer};
use crate::host::Host;
use crate::message::Message;
use crate::payload::Content;
use crate::webhook::Request;
use podium_plugin_abi::{self as abi, ErrorText, Str, codes};
use std::ffi::c_void;
use std::slice;

pub(crate) unsafe extern "C" fn create<C: Channel>(
    config_json: Str,
    this: *mut *mut c_void,
    error: *mut ErrorText,
) -> i32 {
    let body = || {
        // SAFETY: the host lends the text for this call.
        let config_json = unsafe { config_json.text() }.ok_or_else(|| Error::config("not UTF-8"))?;
        let channel = C::create(config_from(config_json)?, &Host::new())?;
        // SAFETY: null, or the place that the host wants the instance in.
        unsafe { Guarded::hand_over(channel, this) }
    };
    // SAFETY: the host gives a valid buffer.
    unsafe { guard::run(error, body) }
}

pub(crate) unsafe extern "C" fn destroy<C: Channel>(this: *mut c_void) {
    // SAFETY: it came from `create` of the same component, and the host destroys it once.
    unsafe { Guarded::<C>::end(this) };
}

pub(crate) unsafe extern "C" fn render<C: Channel>(
    this: *mut c_void,
    call: *const abi::Call,
    content_json: Str,
    error: *mut ErrorText,
) -> i32 {
    let body = |channel: &C| {
        // SAFETY: the host lends call and text for this call.
        let (call, content_json) = unsafe { (read_call(call)?, text(content_json)?) };
        let payload = channel.render(&Content::new(content_json))?;
        let json = serde_json::to_string(&payload).map_err(|wrong| Error::internal(wrong.to_string()))?;
        call.write(&json)
    };
    // SAFETY: the host passes an instance of this component and a valid buffer.
    unsafe { Guarded::with(this, error, body) }
}

pub(crate) unsafe extern "C" fn deliver<C: Channel>(
    this: *mut c_void,
    call: *const abi::Call,
    messages: *const *const abi::Message,
    n: usize,
    error: *mut ErrorText,
) -> i32 {
    let body = |channel: &C| {
        // SAFETY: the host lends the call and n messages for this call.
        let (call, messages) = unsafe { (read_call(call)?, read_messages(messages, n)?) };
        channel.deliver_batch(&messages, &call);
        Ok(())
    };
    // SAFETY: the host passes an instance of this component and a valid buffer.
    unsafe { Guarded::with(this, error, body) }
}

pub(crate) unsafe extern "C" fn ingest<C: Channel>(
    this: *mut c_void,
    call: *const abi::Call,
    request_json: Str,
    request_body: Str,
    error: *mut ErrorText,
) -> i32 {
    let body = |channel: &C| {
        // SAFETY: the host lends call and texts for this call.
        let (call, request_json, bytes) =
            unsafe { (read_call(call)?, text(request_json)?, request_body.bytes()) };
        channel.ingest(&Request::new(request_json, bytes)?, &call)
    };
    // SAFETY: the host passes an instance of this component and a valid buffer.
    unsafe { Guarded::with(this, error, body) }
}

pub(crate) unsafe extern "C" fn health<C: Channel>(
    this: *mut c_void,
    call: *const abi::Call,
    error: *mut ErrorText,
) -> i32 {
    // SAFETY: the host lends the call for this call.
    let body = |channel: &C| channel.health(&unsafe { read_call(call) }?);
    // SAFETY: the host passes an instance of this component and a valid buffer.
    unsafe { Guarded::with(this, error, body) }
}

/// # Safety
///
/// `call` is null or a call of the host's that holds still for `'a`.
unsafe fn read_call<'a>(call: *const abi::Call) -> Result<Call<'a>> {
    // SAFETY: as the caller vouches.
    unsafe { abi::read(call).map(|call| Call::new(&call)) }.map_err(|_| no_pointer())
}

/// # Safety
///
/// The text is null or holds still for `'a`.
unsafe fn text<'a>(text: Str) -> Result<&'a str> {
    // SAFETY: as the caller vouches.
    unsafe { text.text() }.ok_or_else(|| Error::new(codes::E_INVALID, "a text is not UTF-8"))
}

/// # Safety
///
/// `messages` is null or points to n messages of the host's that hold still for `'a`.
unsafe fn read_messages<'a>(messages: *const *const abi::Message, n: usize) -> Result<Vec<Message<'a>>> {
    if n == 0 {
        return Ok(Vec::new());
    }
    if messages.is_null() {
        return Err(no_pointer());
    }
    // SAFETY: as the caller vouches.
    let pointers = unsafe { slice::from_raw_parts(messages, n) };
    let message = |(idx, &pointer): (usize, &*const abi::Message)| {
        // SAFETY: null, or a message of the host's.
        let message = unsafe { abi::read(pointer) }.map_err(|_| no_pointer())?;
        // SAFETY: the message's texts hold still as long as the message.
        unsafe { Message::new(idx as u32, &message) }
    };
    pointers.iter().enumerate().map(message).collect()
}
