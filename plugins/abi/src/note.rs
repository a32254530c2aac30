//! The ELF note that tells a plugin's version without running its code.

use crate::{ABI_MAJOR, ABI_MINOR};

/// The section that holds the note.
pub const SECTION: &str = ".note.podium";

/// The owner of the note, with its terminating zero.
pub const OWNER: &[u8; 7] = b"Podium\0";

/// The type of the note: the version of the contract.
pub const TYPE_VERSION: u32 = 1;

/// A note as it lies in the file: header, owner, and the version as two `uint16_t`.
#[repr(C, align(4))]
#[derive(Clone, Copy, Debug)]
pub struct Note {
    owner_size: u32,
    description_size: u32,
    type_: u32,
    owner: [u8; 8],
    abi_major: u16,
    abi_minor: u16,
}

impl Note {
    /// Says that the library follows this version of the contract.
    pub const CURRENT: Self = Self::new(ABI_MAJOR, ABI_MINOR);

    /// Says that the library follows the given version of the contract.
    pub const fn new(abi_major: u16, abi_minor: u16) -> Self {
        Self {
            owner_size: OWNER.len() as u32,
            description_size: 4,
            type_: TYPE_VERSION,
            owner: *b"Podium\0\0",
            abi_major,
            abi_minor,
        }
    }
}
