//! The host's side, as seen from a plugin: answers and the log.

use crate::error::{Error, Result};
use podium_plugin_abi::{self as abi, Host, Str, codes};
use std::panic::{self, PanicHookInfo};
use std::ptr;
use std::sync::Once;
use std::sync::atomic::{AtomicPtr, Ordering};

static HOST: AtomicPtr<Host> = AtomicPtr::new(ptr::null_mut());
static PANIC_HOOK: Once = Once::new();

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
pub(crate) fn introduce(host: *const Host) {
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

fn host() -> Option<Host> {
    // SAFETY: null, or the table that the host gave us and keeps for as long as the process lives.
    unsafe { abi::read(HOST.load(Ordering::Acquire).cast_const()) }.ok()
}

fn log_panic(info: &PanicHookInfo<'_>) {
    log(Level::Error, &info.to_string());
}
