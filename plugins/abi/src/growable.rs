//! Reading a struct that may be shorter or longer than ours.

use core::mem::{MaybeUninit, align_of, size_of};
use core::ptr;

/// A struct of the contract that can grow at its end.
///
/// # Safety
///
/// The type is `repr(C)`, all zero bytes are a valid value of it, and a `u32` with its size in bytes lies at
/// [`Growable::SIZE_OFFSET`].
pub unsafe trait Growable: Copy {
    /// Where `struct_size` lies, in bytes from the start.
    const SIZE_OFFSET: usize = 0;

    /// The size in bytes that the struct had in minor version 0; nothing shorter was ever released.
    const BASE_SIZE: usize;
}

/// Why a struct could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// The pointer is null.
    Null,
    /// The pointer is not aligned for the struct.
    Misaligned,
    /// The struct says that it is shorter than the first released one.
    TooSmall {
        /// The least size in bytes.
        expected: usize,
        /// What `struct_size` says.
        found: usize,
    },
}

/// Reads `min(own size, struct_size)` bytes; what is beyond is zero, that is null, absent or the default.
///
/// A size that ends inside a field is rounded down to the struct's alignment, so no half pointer is read.
///
/// # Errors
///
/// [`Unreadable`] if the pointer is null or misaligned, or the struct is shorter than any released one.
///
/// # Safety
///
/// `pointer` is null, or points to a struct of this kind with at least `struct_size` readable bytes.
pub unsafe fn read<T: Growable>(pointer: *const T) -> Result<T, Unreadable> {
    if pointer.is_null() {
        return Err(Unreadable::Null);
    }
    if !pointer.is_aligned() {
        return Err(Unreadable::Misaligned);
    }
    let bytes = pointer.cast::<u8>();
    // SAFETY: the size lies within the first bytes of any struct of this kind, aligned as a `u32`.
    let struct_size = unsafe { bytes.add(T::SIZE_OFFSET).cast::<u32>().read_unaligned() } as usize;
    if struct_size < T::BASE_SIZE {
        return Err(Unreadable::TooSmall { expected: T::BASE_SIZE, found: struct_size });
    }
    let n_bytes = struct_size.min(size_of::<T>()) & !(align_of::<T>() - 1);
    let mut copy = MaybeUninit::<T>::zeroed();
    // SAFETY: the source has `struct_size` bytes, the target `size_of::<T>()`, and the copy is ours alone.
    unsafe { ptr::copy_nonoverlapping(bytes, copy.as_mut_ptr().cast::<u8>(), n_bytes) };
    // SAFETY: the trait promises that zero bytes are valid, and the rest came from such a struct.
    Ok(unsafe { copy.assume_init() })
}
