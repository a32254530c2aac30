//! The host's functions that a plugin may call, and what is behind them.

use crate::channel_calls::{OpenCall, OpenCalls, Reported, now_ms};
use crate::log::{HostLog, Level, LogLine};
use crate::outcome;
use podium_plugin_abi::{self as abi, Str, codes};
use std::collections::HashMap;
use std::ffi::c_void;
use std::mem::size_of;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

/// The longest answer to one call of a metric, in bytes.
const ANSWER_SIZE_MAX: usize = 1024 * 1024;
/// The longest text of a log line, in bytes.
const LOG_TEXT_MAX: usize = 8 * 1024;
/// The most lines that one plugin may log in `LOG_PERIOD`.
const LOG_LINES_MAX: u32 = 200;
const LOG_PERIOD: Duration = Duration::from_secs(1);

/// One plugin's view of the host. Leaked: the plugin may call as long as the process lives.
pub(crate) struct Callbacks {
    plugin: String,
    log: RwLock<HostLog>,
    flow: Mutex<LogFlow>,
    last_call: AtomicU64,
    answers: Mutex<HashMap<u64, Vec<u8>>>,
    calls: OpenCalls,
}

/// How much was logged in the period that runs.
struct LogFlow {
    started: Instant,
    n_lines: u32,
}

impl Callbacks {
    /// Makes the view of one plugin and the table to give it.
    pub(crate) fn leak(plugin: String, log: HostLog) -> (&'static Self, &'static abi::Host) {
        let flow = Mutex::new(LogFlow { started: Instant::now(), n_lines: 0 });
        let callbacks: &'static Self = Box::leak(Box::new(Self {
            plugin,
            log: RwLock::new(log),
            flow,
            last_call: AtomicU64::new(0),
            answers: Mutex::default(),
            calls: OpenCalls::default(),
        }));
        let table = Box::leak(Box::new(abi::Host {
            struct_size: size_of::<abi::Host>() as u32,
            abi_minor: u32::from(abi::ABI_MINOR),
            ctx: ptr::from_ref(callbacks).cast_mut().cast(),
            log_enabled: Some(log_enabled),
            log: Some(log_line),
            write: Some(write),
            begin: Some(begin),
            outcome: Some(outcome),
            event: Some(event),
            now_ms: Some(tell_time),
            extension: None,
        }));
        (callbacks, table)
    }

    /// Sends the lines of a plugin that is already loaded elsewhere.
    pub(crate) fn redirect(&self, log: HostLog) {
        *self.log.write().unwrap_or_else(PoisonError::into_inner) = log;
    }

    /// Opens an answer of a metric; the plugin writes to it by the number.
    pub(crate) fn open_answer(&self) -> u64 {
        let call = self.next_call();
        lock(&self.answers).insert(call, Vec::new());
        call
    }

    /// Takes what was written.
    pub(crate) fn close_answer(&self, call: u64) -> Vec<u8> {
        lock(&self.answers).remove(&call).unwrap_or_default()
    }

    /// Opens a call of a channel; the plugin reports by the number.
    pub(crate) fn open_call(&self, call: OpenCall) -> u64 {
        let id = self.next_call();
        self.calls.open(id, call);
        id
    }

    /// Ends a call of a channel and takes what was reported.
    pub(crate) fn close_call(&self, id: u64) -> Reported {
        self.calls.close(id)
    }

    fn next_call(&self) -> u64 {
        self.last_call.fetch_add(1, Ordering::Relaxed) + 1
    }

    fn write(&self, call: u64, bytes: &[u8]) -> i32 {
        if let Some(answer) = lock(&self.answers).get_mut(&call) {
            if answer.len().saturating_add(bytes.len()) > ANSWER_SIZE_MAX {
                return codes::E_LIMIT;
            }
            answer.extend_from_slice(bytes);
            return codes::OK;
        }
        self.calls.find(call).map_or(codes::E_INVALID, |call| call.write(bytes))
    }

    fn log_line(&self, line: &LogLine<'_>) {
        let log = self.log.read().unwrap_or_else(PoisonError::into_inner).clone();
        if !log.is_enabled(line.level) {
            return;
        }
        let (is_due, n_dropped) = lock(&self.flow).admit();
        if n_dropped > 0 {
            let message = format!("{n_dropped} lines of this plugin were dropped");
            log.line(&LogLine {
                level: Level::Warn,
                target: "",
                message: &message,
                fields_json: "",
                ..*line
            });
        }
        if is_due {
            log.line(line);
        }
    }
}

impl LogFlow {
    /// Says whether one more line may pass, and how many were dropped in a period that just ended.
    fn admit(&mut self) -> (bool, u32) {
        let mut n_dropped = 0;
        if self.started.elapsed() >= LOG_PERIOD {
            n_dropped = self.n_lines.saturating_sub(LOG_LINES_MAX);
            *self = Self { started: Instant::now(), n_lines: 0 };
        }
        self.n_lines = self.n_lines.saturating_add(1);
        (self.n_lines <= LOG_LINES_MAX, n_dropped)
    }
}

/// Reads a foreign text, cut to its limit.
///
/// # Safety
///
/// The plugin keeps the contract: the text is readable for `'a`.
unsafe fn log_text<'a>(text: Str) -> &'a str {
    let len = text.len.min(LOG_TEXT_MAX);
    // SAFETY: a part of what the caller vouches for.
    let bytes = unsafe { Str { ptr: text.ptr, len }.bytes() };
    // A cut inside a character, or a wrong byte, ends the text there.
    bytes.utf8_chunks().next().map_or("", |chunk| chunk.valid())
}

unsafe extern "C" fn log_enabled(ctx: *mut c_void, level: u32) -> i32 {
    // SAFETY: the plugin passes the context it was given, which is leaked.
    let Some(callbacks) = (unsafe { ctx.cast::<Callbacks>().as_ref() }) else { return 0 };
    let log = callbacks.log.read().unwrap_or_else(PoisonError::into_inner);
    i32::from(log.is_enabled(Level::from_code(level)))
}

unsafe extern "C" fn log_line(ctx: *mut c_void, level: u32, target: Str, message: Str, fields_json: Str) {
    // SAFETY: the plugin passes the context it was given, which is leaked.
    let Some(callbacks) = (unsafe { ctx.cast::<Callbacks>().as_ref() }) else { return };
    // SAFETY: the plugin lends the texts for this call.
    let [target, message, fields_json] =
        unsafe { [log_text(target), log_text(message), log_text(fields_json)] };
    let line =
        LogLine { plugin: &callbacks.plugin, level: Level::from_code(level), target, message, fields_json };
    // A panic in the server's log must not unwind into the plugin; there is nobody to tell.
    drop(catch_unwind(AssertUnwindSafe(|| callbacks.log_line(&line))));
}

unsafe extern "C" fn write(ctx: *mut c_void, call: u64, bytes: Str) -> i32 {
    // SAFETY: the plugin passes the context it was given, which is leaked.
    let Some(callbacks) = (unsafe { ctx.cast::<Callbacks>().as_ref() }) else { return codes::E_INVALID };
    // SAFETY: the plugin lends the bytes for this call.
    callbacks.write(call, unsafe { bytes.bytes() })
}

unsafe extern "C" fn begin(ctx: *mut c_void, call: u64, message: u32) -> i32 {
    // SAFETY: the plugin passes the context it was given, which is leaked.
    let callbacks = unsafe { ctx.cast::<Callbacks>().as_ref() };
    on_call(callbacks, call, |call| call.begin(message))
}

unsafe extern "C" fn outcome(ctx: *mut c_void, call: u64, message: u32, outcome: *const abi::Outcome) -> i32 {
    // SAFETY: the plugin passes the context it was given, which is leaked.
    let callbacks = unsafe { ctx.cast::<Callbacks>().as_ref() };
    // SAFETY: null, or an outcome that the plugin lends for this call, with its texts.
    let outcome = unsafe { abi::read(outcome).map(|outcome| outcome::from_abi(&outcome)) };
    let Ok(outcome) = outcome else { return codes::E_INVALID };
    on_call(callbacks, call, |call| call.outcome(message, &outcome))
}

unsafe extern "C" fn event(ctx: *mut c_void, call: u64, event_json: Str) -> i32 {
    // SAFETY: the plugin passes the context it was given, which is leaked.
    let callbacks = unsafe { ctx.cast::<Callbacks>().as_ref() };
    // SAFETY: the plugin lends the text for this call.
    on_call(callbacks, call, |call| call.event(unsafe { event_json.bytes() }))
}

unsafe extern "C" fn tell_time(_ctx: *mut c_void) -> i64 {
    now_ms()
}

/// Reports something in a call that is running.
fn on_call(callbacks: Option<&Callbacks>, call: u64, report: impl FnOnce(&OpenCall) -> i32) -> i32 {
    callbacks.and_then(|callbacks| callbacks.calls.find(call)).map_or(codes::E_INVALID, |call| report(&call))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::{ANSWER_SIZE_MAX, Callbacks, LOG_LINES_MAX, LogFlow};
    use crate::channel_calls::OpenCall;
    use crate::channel_instance::ChannelCall;
    use crate::log::{HostLog, Level};
    use crate::outcome::OutcomeStatus;
    use podium_plugin_abi::{self as abi, Str, codes};
    use std::mem::size_of;
    use std::ptr;
    use std::sync::{Arc, Mutex};
    use std::time::Instant;

    #[test]
    fn answers_are_kept_apart_and_limited() {
        let (callbacks, table) = Callbacks::leak("test".into(), HostLog::discard());
        let (first, second) = (callbacks.open_answer(), callbacks.open_answer());
        let write = |call, text: &str| {
            // SAFETY: the table's own context, and a text that lives through the call.
            unsafe { table.write.unwrap()(table.ctx, call, Str::borrow(text)) }
        };
        assert_eq!([write(first, "a"), write(second, "b"), write(first, "c")], [codes::OK; 3]);
        assert_eq!(write(second, &"x".repeat(ANSWER_SIZE_MAX)), codes::E_LIMIT);
        assert_eq!(write(99, "x"), codes::E_INVALID);
        assert_eq!(callbacks.close_answer(first), b"ac");
        assert_eq!(callbacks.close_answer(second), b"b");
        assert_eq!(write(first, "late"), codes::E_INVALID);
    }

    #[test]
    fn what_comes_late_twice_or_about_nothing_is_harmless() {
        let (callbacks, table) = Callbacks::leak("test".into(), HostLog::discard());
        let surroundings = |deadline_ms| ChannelCall { deadline_ms, ..ChannelCall::default() };
        let open = |deadline_ms| callbacks.open_call(OpenCall::new(&surroundings(deadline_ms), 0, 2));
        // SAFETY: the table's own context.
        let begin = |call, message| unsafe { table.begin.unwrap()(table.ctx, call, message) };
        let outcome = |call, message, status| {
            let outcome = abi::Outcome {
                struct_size: size_of::<abi::Outcome>() as u32,
                status,
                retry_after_ms: 0,
                provider_code: 0,
                provider_id: Str::EMPTY,
                detail: Str::EMPTY,
            };
            // SAFETY: the table's own context, and an outcome that lives through the call.
            unsafe { table.outcome.unwrap()(table.ctx, call, message, &raw const outcome) }
        };
        // SAFETY: the table's own context; a null outcome is the plugin's mistake to make.
        let no_outcome = |call| unsafe { table.outcome.unwrap()(table.ctx, call, 0, ptr::null()) };

        let (call, over) = (open(i64::MAX), open(0));
        assert_eq!(
            [begin(call, 0), begin(call, 0), begin(call, 2)],
            [codes::OK, codes::OK, codes::E_INVALID]
        );
        assert_eq!(begin(over, 0), codes::E_LIMIT);
        assert_eq!([no_outcome(call), outcome(call, 2, 1)], [codes::E_INVALID; 2]);
        let (accepted, rejected) = (codes::OUTCOME_ACCEPTED, codes::OUTCOME_REJECTED);
        assert_eq!(
            [outcome(call, 0, accepted), outcome(call, 0, rejected), outcome(call, 1, 99)],
            [codes::OK; 3]
        );
        let reported = callbacks.close_call(call).messages;
        let found = reported.iter().map(|message| (message.begun, message.outcome.as_ref().unwrap().status));
        let expected = [(true, OutcomeStatus::Accepted), (false, OutcomeStatus::Unknown)];
        assert!(found.eq(expected), "{expected:?}");
        assert_eq!([begin(call, 1), outcome(call, 1, accepted)], [codes::E_INVALID; 2]);
    }

    #[test]
    fn lines_pass_with_their_level_and_wrong_bytes_end_them() {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&lines);
        let sink = HostLog::new(Level::Warn, move |line| {
            let text = format!("{} {:?} {}", line.plugin, line.level, line.message);
            seen.lock().unwrap().push(text);
        });
        let (_, table) = Callbacks::leak("test".into(), sink);
        let log = |level, message: &[u8]| {
            let message = Str { ptr: message.as_ptr(), len: message.len() };
            // SAFETY: the table's own context, and texts that live through the call.
            unsafe { table.log.unwrap()(table.ctx, level, Str::EMPTY, message, Str::EMPTY) };
        };
        log(codes::LOG_ERROR, b"lost");
        log(codes::LOG_INFO, b"not wanted");
        log(codes::LOG_WARN, b"odd\xff rest");
        assert_eq!(*lines.lock().unwrap(), ["test Error lost", "test Warn odd"]);
    }

    #[test]
    fn a_flood_is_dropped_and_counted() {
        let mut flow = LogFlow { started: Instant::now(), n_lines: 0 };
        let n_passed = (0..LOG_LINES_MAX + 50).filter(|_| flow.admit().0).count();
        assert_eq!(n_passed as u32, LOG_LINES_MAX);
        flow.started -= super::LOG_PERIOD;
        assert_eq!(flow.admit(), (true, 50));
        assert_eq!(flow.admit(), (true, 0));
    }
}
