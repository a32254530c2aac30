//! Text and the caller's buffer for errors.

use core::slice;

/// A piece of UTF-8 text, or of bytes, that belongs to someone else. Can never grow.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Str {
    /// The first byte; may be null if `len` is 0.
    ///
    /// OWNERSHIP: whoever made it. LIFETIME: as an argument the call, in a descriptor the process.
    /// THREAD: any.
    pub ptr: *const u8,
    /// Bytes.
    pub len: usize,
}

impl Str {
    /// Holds no text.
    pub const EMPTY: Self = Self { ptr: core::ptr::null(), len: 0 };

    /// Points to text that outlives every reader.
    pub const fn from_static(text: &'static str) -> Self {
        Self { ptr: text.as_ptr(), len: text.len() }
    }

    /// Points to text for the time of a call.
    pub const fn borrow(text: &str) -> Self {
        Self { ptr: text.as_ptr(), len: text.len() }
    }

    /// Reads the bytes; null is empty.
    ///
    /// # Safety
    ///
    /// `ptr` is null or points to `len` readable bytes that hold still for `'a`.
    pub unsafe fn bytes<'a>(self) -> &'a [u8] {
        if self.ptr.is_null() || self.len == 0 || isize::try_from(self.len).is_err() {
            return &[];
        }
        // SAFETY: the pointer is not null and the caller vouches for the bytes behind it.
        unsafe { slice::from_raw_parts(self.ptr, self.len) }
    }

    /// Reads the text; `None` if it is not UTF-8.
    ///
    /// # Safety
    ///
    /// As for [`Str::bytes`].
    pub unsafe fn text<'a>(self) -> Option<&'a str> {
        // SAFETY: the caller vouches for the same bytes.
        core::str::from_utf8(unsafe { self.bytes() }).ok()
    }
}

/// The caller's buffer for what went wrong.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ErrorText {
    /// `sizeof(podium_error)` of the caller.
    pub struct_size: u32,
    /// Bytes that `text` has room for.
    pub cap: u32,
    /// Bytes written, at most `cap`; the callee sets it.
    pub len: u32,
    /// Zero.
    pub reserved: u32,
    /// Where UTF-8 text goes, without a terminating zero; may be null if `cap` is 0.
    ///
    /// OWNERSHIP: the caller. LIFETIME: the call. THREAD: the calling one.
    pub text: *mut u8,
}
