//! The host's side, as seen from a plugin: answers and the log.

use crate::error::{Error, Result};
use podium_plugin_abi::{self as abi, Str, codes};
use std::panic::{self, PanicHookInfo};
use std::ptr;
use std::sync::Once;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

static HOST: AtomicPtr<abi::Host> = AtomicPtr::new(ptr::null_mut());
static PANIC_HOOK: Once = Once::new();

/// The server, as a channel sees it when it is created.
#[derive(Debug)]
pub struct Host(());

impl Host {
    pub(crate) fn new() -> Self {
        Self(())
    }

    /// Tells the time in milliseconds since 1970, by the server's clock.
    pub fn now_ms(&self) -> i64 {
        now_ms()
    }

    /// Writes one line to the server's log.
    pub fn log(&self, level: Level, message: &str) {
        log(level, message);
    }
}

/// How much a log line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Level {
    /// Someone should act.
    Error = codes::LOG_ERROR,
    /// Something is off.
    Warn = codes::LOG_WARN,
    /// What an operator wants to know.
    Info = codes::LOG_INFO,
    /// What a developer wants to know.
    Debug = codes::LOG_DEBUG,
    /// Everything.
    Trace = codes::LOG_TRACE,
}

/// Writes one line to the server's log; before the server has introduced itself, nowhere.
pub fn log(level: Level, message: &str) {
    let Some(host) = host() else { return };
    let Some(write_line) = host.log else { return };
    // SAFETY: the host's functions take the host's context; the texts live through the call.
    if host.log_enabled.is_none_or(|enabled| unsafe { enabled(host.ctx, level as u32) } != 0) {
        // SAFETY: as above.
        unsafe { write_line(host.ctx, level as u32, Str::EMPTY, Str::borrow(message), Str::EMPTY) };
    }
}

/// Remembers the host and sends it our panics instead of printing them.
pub(crate) fn introduce(host: *const abi::Host) {
    HOST.store(host.cast_mut(), Ordering::Release);
    // A library has its own copy of the standard library, so this is not the server's hook.
    PANIC_HOOK.call_once(|| panic::set_hook(Box::new(log_panic)));
}

/// Appends to the answer of `call`.
pub(crate) fn write(call: u64, text: &str) -> Result<()> {
    let host = host().ok_or_else(|| Error::internal("the host has not introduced itself"))?;
    let write = host.write.ok_or_else(|| Error::internal("the host takes no answers"))?;
    // SAFETY: the host's function takes the host's context; the text lives through the call.
    match unsafe { write(host.ctx, call, Str::borrow(text)) } {
        codes::OK => Ok(()),
        code => Err(Error::new(code, "the host refused the answer")),
    }
}

/// Emits an event from `call`.
pub(crate) fn event(call: u64, event_json: &str) -> Result<()> {
    let host = host().ok_or_else(|| Error::internal("the host has not introduced itself"))?;
    let event = host.event.ok_or_else(|| Error::internal("the host takes no events"))?;
    // SAFETY: the host's function takes the host's context; the text lives through the call.
    match unsafe { event(host.ctx, call, Str::borrow(event_json)) } {
        codes::OK => Ok(()),
        code => Err(Error::new(code, "the host refused the event")),
    }
}

/// Says that a message may have been sent. Anything but `OK`: it must not leave.
pub(crate) fn begin(call: u64, message: u32) -> i32 {
    let Some((host, begin)) = host().and_then(|host| Some((host, host.begin?))) else {
        return codes::E_UNSUPPORTED;
    };
    // SAFETY: the host's function takes the host's context.
    unsafe { begin(host.ctx, call, message) }
}

/// Says what became of a message.
pub(crate) fn outcome(call: u64, message: u32, outcome: &abi::Outcome) -> i32 {
    let Some((host, report)) = host().and_then(|host| Some((host, host.outcome?))) else {
        return codes::E_UNSUPPORTED;
    };
    // SAFETY: the host's function takes the host's context; the outcome lives through the call.
    unsafe { report(host.ctx, call, message, ptr::from_ref(outcome)) }
}

/// Tells the time in milliseconds since 1970, by the host's clock if it has one.
pub(crate) fn now_ms() -> i64 {
    if let Some((host, now_ms)) = host().and_then(|host| Some((host, host.now_ms?))) {
        // SAFETY: the host's function takes the host's context.
        return unsafe { now_ms(host.ctx) };
    }
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

fn host() -> Option<abi::Host> {
    // SAFETY: null, or the table that the host gave us and keeps for as long as the process lives.
    unsafe { abi::read(HOST.load(Ordering::Acquire).cast_const()) }.ok()
}

fn log_panic(info: &PanicHookInfo<'_>) {
    log(Level::Error, &info.to_string());
}
