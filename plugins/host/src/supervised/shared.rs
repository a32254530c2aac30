//! Memory that the server and one child both see. The numbers of a call travel in it: through the socket they would
//! be copied twice as often.

use crate::raw::Plain;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr::{self, NonNull};

/// How much there is, in bytes. Pages that are never used cost nothing.
pub(super) const SHARED_BYTES: usize = super::wire::FRAME_BYTES_MAX;

/// A mapping of the shared memory.
///
/// A plugin may change it at any time, so the server never borrows from it: bytes are copied in and out.
pub(super) struct Shared {
    start: NonNull<u8>,
}

// SAFETY: the mapping belongs to no thread.
unsafe impl Send for Shared {}

impl Shared {
    /// Makes new memory, with the descriptor to hand to a child.
    pub(super) fn make() -> io::Result<(Self, OwnedFd)> {
        // SAFETY: the name is a C string that lives through the call.
        let fd = unsafe { libc::memfd_create(c"podium-plugin".as_ptr(), libc::MFD_CLOEXEC) };
        if fd == -1 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: it was just opened, and is nobody else's.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        // SAFETY: a system call without pointers.
        if unsafe { libc::ftruncate(fd.as_raw_fd(), SHARED_BYTES.cast_signed() as libc::off_t) } == -1 {
            return Err(io::Error::last_os_error());
        }
        Ok((Self::map(&fd)?, fd))
    }

    /// Maps memory that the other side made.
    pub(super) fn map(fd: &OwnedFd) -> io::Result<Self> {
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new mapping where the system likes; it overlaps nothing.
        let start =
            unsafe { libc::mmap(ptr::null_mut(), SHARED_BYTES, access, libc::MAP_SHARED, fd.as_raw_fd(), 0) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        NonNull::new(start.cast()).map(|start| Self { start }).ok_or_else(io::Error::last_os_error)
    }

    /// Copies parts in, one behind the other, and returns their length together.
    ///
    /// # Errors
    ///
    /// `FileTooLarge` if there is no room for all of them; nothing was copied.
    pub(super) fn put(&mut self, parts: &[&[u8]]) -> io::Result<usize> {
        let len: usize = parts.iter().map(|part| part.len()).sum();
        if SHARED_BYTES < len {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("{len} bytes in one call")));
        }
        let mut at = 0;
        for part in parts {
            // SAFETY: all parts together end within the mapping, and the other side is not borrowed from.
            unsafe { ptr::copy_nonoverlapping(part.as_ptr(), self.start.as_ptr().add(at), part.len()) };
            at += part.len();
        }
        Ok(len)
    }

    /// Lends the first bytes.
    ///
    /// # Safety
    ///
    /// The other side does not write until it is answered: only the child may say so of the server.
    pub(super) unsafe fn lend(&self, n_bytes: usize) -> &[u8] {
        // SAFETY: the bytes lie within the mapping, and by the caller's word nobody changes them.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), n_bytes.min(SHARED_BYTES)) }
    }

    /// Copies numbers out that stand at the beginning; the other side said how many bytes they take.
    pub(super) fn take<T: Plain>(&self, n_bytes: usize) -> io::Result<Vec<T>> {
        if SHARED_BYTES < n_bytes || !n_bytes.is_multiple_of(size_of::<T>()) {
            return Err(super::wire::nonsense(format!("{n_bytes} bytes of numbers")));
        }
        let n = n_bytes / size_of::<T>();
        let mut numbers = Vec::<T>::with_capacity(n);
        // SAFETY: the source lies within the mapping, the target has room for it, and any bits are plain numbers.
        unsafe {
            ptr::copy_nonoverlapping(
                self.start.as_ptr().cast_const(),
                numbers.as_mut_ptr().cast::<u8>(),
                n_bytes,
            );
            numbers.set_len(n);
        }
        Ok(numbers)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and nothing borrows from it.
        unsafe { libc::munmap(self.start.as_ptr().cast(), SHARED_BYTES) };
    }
}
