//! The descriptor: what a library contains.

use crate::channel::Channel;
use crate::growable::Growable;
use crate::host::Host;
use crate::metric::Metric;
use crate::text::{ErrorText, Str};
use core::ffi::c_void;

/// Makes an instance from its configuration (JSON; empty means `{}`) and stores it in `*this`.
///
/// OWNERSHIP: the plugin. LIFETIME: until `destroy`. THREAD: any.
pub type CreateFn =
    unsafe extern "C" fn(config_json: Str, this: *mut *mut c_void, error: *mut ErrorText) -> i32;

/// Ends an instance. No call for it is running or follows.
pub type DestroyFn = unsafe extern "C" fn(this: *mut c_void);

/// Something that can be configured: a metric or a channel.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Component {
    /// `sizeof(podium_component)` of the plugin.
    pub struct_size: u32,
    /// One of the `KIND_` numbers.
    pub kind: u32,
    /// The name it is asked for by: letters, digits, `.`, `_`, `-`, at most 64.
    pub id: Str,
    /// A few words for people.
    pub title: Str,
    /// A sentence or two for people.
    pub description: Str,
    /// A JSON Schema (2020-12) of the configuration.
    pub config_schema: Str,
    /// Present for [`KIND_METRIC`](crate::codes::KIND_METRIC).
    ///
    /// OWNERSHIP: the plugin. LIFETIME: the process. THREAD: any.
    pub metric: *const Metric,
    /// Present for [`KIND_CHANNEL`](crate::codes::KIND_CHANNEL).
    ///
    /// OWNERSHIP: the plugin. LIFETIME: the process. THREAD: any.
    pub channel: *const Channel,
    /// Makes an instance.
    pub create: Option<CreateFn>,
    /// Ends an instance.
    pub destroy: Option<DestroyFn>,
}

// SAFETY: `repr(C)`; integers, pointers and optional functions are valid as zeros; the size comes first.
unsafe impl Growable for Component {
    const BASE_SIZE: usize = 104;
}

/// Prepares the library; called once, before anything else. No I/O, no threads.
pub type InitFn = unsafe extern "C" fn(host: *const Host, error: *mut ErrorText) -> i32;

/// Ends everything; called once, last. No callback follows.
pub type QuiesceFn = unsafe extern "C" fn(deadline_ms: i64);

/// Returns the descriptor: always the same one, constant.
///
/// OWNERSHIP: the plugin. LIFETIME: the process. THREAD: any.
pub type EntryFn = unsafe extern "C" fn() -> *const Plugin;

/// The descriptor of a library.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Plugin {
    /// [`MAGIC`](crate::MAGIC).
    pub magic: u32,
    /// [`ABI_MAJOR`](crate::ABI_MAJOR).
    pub abi_major: u16,
    /// [`ABI_MINOR`](crate::ABI_MINOR).
    pub abi_minor: u16,
    /// `sizeof(podium_plugin)` of the plugin.
    pub struct_size: u32,
    /// How many components there are, at least 1.
    pub n_components: u32,
    /// The plugin's name, by habit a reversed domain: letters, digits, `.`, `_`, `-`, at most 64.
    pub id: Str,
    /// The plugin's version.
    pub version: Str,
    /// What it was built with, for people.
    pub build: Str,
    /// Pointers to the components.
    ///
    /// OWNERSHIP: the plugin. LIFETIME: the process. THREAD: any.
    pub components: *const *const Component,
    /// Prepares the library; may be null.
    pub init: Option<InitFn>,
    /// Ends everything; may be null.
    pub quiesce: Option<QuiesceFn>,
    /// Looks up an optional ability by name; may be null.
    pub extension: Option<unsafe extern "C" fn(name: Str) -> *const c_void>,
}

// SAFETY: `repr(C)`; integers, pointers and optional functions are valid as zeros; the size lies at 8.
unsafe impl Growable for Plugin {
    const SIZE_OFFSET: usize = 8;
    const BASE_SIZE: usize = 96;
}
