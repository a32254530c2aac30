//! The C contract between Podium and its plugins: types, numbers and the rules for reading them.
//!
//! A plugin is a shared library that exports [`ENTRY_SYMBOL`], a function that returns a constant [`Plugin`]
//! descriptor. Only what this crate defines crosses the border, so a plugin may be built by any compiler in
//! any language. The crate has no dependency and no code beyond [`read`] and the ELF note; authors in Rust use
//! `podium-plugin` instead.
//!
//! What holds everywhere:
//!
//! - **Append only.** A struct that can grow has a `struct_size` and is passed by pointer. A reader takes
//!   `min(own size, struct_size)` bytes; what is beyond is zero, and zero means "not provided".
//! - **Unknown numbers have a meaning.** Each group of [`codes`] says which.
//! - **Memory.** Arguments are borrowed for the call. Answers go into the caller's buffers or through
//!   [`Host::write`]. Nobody frees the other's memory.
//! - **Text** is UTF-8 by pointer and length, and distrusted.
//! - **Panics and exceptions** never cross: they become [`codes::E_PANIC`].
//! - Linux, 64 bit, little-endian.
#![no_std]
#![expect(
    unsafe_code,
    reason = "reading what another compiler laid out takes raw pointers; each block says why it is sound"
)]

mod channel;
pub mod codes;
mod growable;
mod host;
mod metric;
pub mod note;
mod plugin;
mod text;

pub use channel::{Call, Channel, DeliverFn, HealthFn, IngestFn, Message, RenderFn};
pub use growable::{Growable, Unreadable, read};
pub use host::{Host, Outcome};
pub use metric::{Batch, Column, FieldsFn, Metric, ObserveFn, ValueFn};
pub use plugin::{Component, CreateFn, DestroyFn, EntryFn, InitFn, Plugin, QuiesceFn};
pub use text::{ErrorText, Str};

/// The first four bytes of a descriptor: `POD1`.
pub const MAGIC: u32 = 0x3144_4f50;

/// The major version of this contract; another major is another contract, with its own entry symbol.
pub const ABI_MAJOR: u16 = 1;

/// The minor version of this contract: how far its structs have grown.
pub const ABI_MINOR: u16 = 1;

/// The name of the exported function, an [`EntryFn`].
pub const ENTRY_SYMBOL: &str = "podium_plugin_entry_v1";

/// The most accumulators that one event may add to.
pub const K_MAX: usize = 8;

/// The largest magnitude of a contribution, a numerator or a denominator: 2^53, up to which `f64` holds every
/// whole number.
pub const MAGNITUDE_MAX: i64 = 9_007_199_254_740_992;

/// The bytes that a caller should offer for an error text.
pub const ERROR_TEXT_CAP: usize = 1024;
