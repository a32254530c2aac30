//! Turns errors and panics into codes: nothing unwinds across the border.

use crate::error::{Error, Result};
use podium_plugin_abi::{ErrorText, codes};
use std::any::Any;
use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};

/// An instance that the host holds by a pointer. After a panic it is not used any more.
pub(crate) struct Guarded<T> {
    inner: T,
    is_poisoned: AtomicBool,
}

impl<T> Guarded<T> {
    /// Gives `inner` to the host.
    ///
    /// # Safety
    ///
    /// `slot` is null or the place that the host wants the instance in.
    pub(crate) unsafe fn hand_over(inner: T, slot: *mut *mut c_void) -> Result<()> {
        // SAFETY: as the caller vouches.
        let slot = unsafe { slot.as_mut() }.ok_or_else(no_pointer)?;
        *slot = Box::into_raw(Box::new(Self { inner, is_poisoned: AtomicBool::new(false) })).cast();
        Ok(())
    }

    /// Takes the instance back and ends it.
    ///
    /// # Safety
    ///
    /// `this` is null or came from `hand_over` of the same type, and nobody uses it any more.
    pub(crate) unsafe fn end(this: *mut c_void) {
        if !this.is_null() {
            // SAFETY: as the caller vouches.
            run_silently(|| drop(unsafe { Box::from_raw(this.cast::<Self>()) }));
        }
    }

    /// Runs `body` unless an earlier call panicked; a panic now is remembered.
    ///
    /// # Safety
    ///
    /// `this` is null or came from `hand_over` of the same type and was not ended; `error` is null or a valid
    /// buffer.
    pub(crate) unsafe fn with(
        this: *mut c_void,
        error: *mut ErrorText,
        body: impl FnOnce(&T) -> Result<()>,
    ) -> i32 {
        // SAFETY: as the caller vouches; shared, as nothing in it changes but an atomic.
        let instance = unsafe { this.cast::<Self>().as_ref() };
        let guarded = || {
            let instance = instance.ok_or_else(no_pointer)?;
            if instance.is_poisoned.load(Ordering::Acquire) {
                return Err(Error::new(codes::E_POISONED, "an earlier call panicked"));
            }
            body(&instance.inner)
        };
        // SAFETY: the caller vouches for the buffer.
        let code = unsafe { run(error, guarded) };
        if let (codes::E_PANIC, Some(instance)) = (code, instance) {
            instance.is_poisoned.store(true, Ordering::Release);
        }
        code
    }
}

/// The host broke the contract.
pub(crate) fn no_pointer() -> Error {
    Error::new(codes::E_INVALID, "a pointer is null or a struct is too short")
}

/// Runs `body` and says how it went; the text goes into the caller's buffer.
///
/// # Safety
///
/// `error` is null or points to an [`ErrorText`] whose buffer has room for `cap` bytes.
pub(crate) unsafe fn run(error: *mut ErrorText, body: impl FnOnce() -> Result<()>) -> i32 {
    let failure = match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => return codes::OK,
        Ok(Err(failure)) => failure,
        Err(payload) => Error::new(codes::E_PANIC, panic_text(payload)),
    };
    // SAFETY: the caller vouches for the buffer.
    unsafe { write_text(error, failure.text()) };
    failure.code()
}

/// Runs `body`, which has nobody to tell.
fn run_silently(body: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(body)) {
        panic_text(payload);
    }
}

fn panic_text(payload: Box<dyn Any + Send>) -> String {
    let text = match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
        (Some(text), _) => (*text).to_owned(),
        (None, Some(text)) => text.clone(),
        (None, None) => "a panic without a text".to_owned(),
    };
    // A payload may panic when it is dropped, and we are beyond the guard.
    std::mem::forget(payload);
    text
}

/// Writes as much of `text` as fits, cut at a character.
///
/// # Safety
///
/// As for [`run`].
unsafe fn write_text(error: *mut ErrorText, text: &str) {
    // SAFETY: null or a valid buffer, by the caller's word.
    let Some(error) = (unsafe { error.as_mut() }) else { return };
    if error.text.is_null() {
        return;
    }
    let len = text.floor_char_boundary(error.cap as usize);
    // SAFETY: the buffer has room for `cap` bytes, and `len` is at most that.
    unsafe { std::ptr::copy_nonoverlapping(text.as_ptr(), error.text, len) };
    error.len = len as u32;
}

#[cfg(test)]
mod tests {
    use super::run;
    use crate::error::Error;
    use podium_plugin_abi::{ErrorText, codes};

    #[track_caller]
    fn check(cap: u32, body: impl FnOnce() -> crate::Result<()>, expected: (i32, &str)) {
        let mut bytes = [0_u8; 64];
        let mut error = ErrorText { struct_size: 24, cap, len: 0, reserved: 0, text: bytes.as_mut_ptr() };
        // SAFETY: the buffer has 64 bytes, and `cap` is at most that.
        let code = unsafe { run(&raw mut error, body) };
        assert_eq!((code, std::str::from_utf8(&bytes[..error.len as usize]).unwrap()), expected);
    }

    #[test]
    fn success_writes_nothing() {
        check(64, || Ok(()), (codes::OK, ""));
    }

    #[test]
    fn errors_keep_their_code() {
        check(64, || Err(Error::config("no such list")), (codes::E_CONFIG, "no such list"));
    }

    #[test]
    fn a_panic_is_a_code() {
        check(64, || panic!("lost {} times", 3), (codes::E_PANIC, "lost 3 times"));
        check(64, || panic!("lost"), (codes::E_PANIC, "lost"));
        check(64, || std::panic::panic_any(7), (codes::E_PANIC, "a panic without a text"));
    }

    #[test]
    fn a_long_text_is_cut_at_a_character() {
        check(4, || Err(Error::internal("über")), (codes::E_INTERNAL, "übe"));
        check(1, || Err(Error::internal("über")), (codes::E_INTERNAL, ""));
    }
}
