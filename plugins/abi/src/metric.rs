//! Metrics: events in, numbers out.

use crate::growable::Growable;
use crate::text::{ErrorText, Str};
use core::ffi::c_void;

/// The values of one field, a row for each event.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// `sizeof(podium_column)` of the host.
    pub struct_size: u32,
    /// One of the `COLUMN_` numbers.
    pub type_: u32,
    /// The values: `int64_t`, `double` or `uint8_t` a row, or the bytes that `offsets` point into.
    /// Null: every row is null.
    ///
    /// OWNERSHIP: the host. LIFETIME: the call. THREAD: the calling one.
    pub data: *const c_void,
    /// For text and JSON: n + 1 byte positions; row i is `offsets[i]..offsets[i + 1]`. Null: every row is null.
    ///
    /// OWNERSHIP: the host. LIFETIME: the call. THREAD: the calling one.
    pub offsets: *const u32,
    /// A byte a row: 1 if it has a value, 0 if it is null. Null: every row has a value.
    ///
    /// OWNERSHIP: the host. LIFETIME: the call. THREAD: the calling one.
    pub present: *const u8,
}

// SAFETY: `repr(C)`; integers and pointers are valid as zeros; the size comes first.
unsafe impl Growable for Column {
    const BASE_SIZE: usize = 32;
}

/// Some events, by column.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Batch {
    /// `sizeof(podium_batch)` of the host.
    pub struct_size: u32,
    /// How many columns there are. A column beyond is null in every row.
    pub n_columns: u32,
    /// How many rows there are; with 0, the pointers may be null.
    pub n: usize,
    /// For each row, the index into the events that `fields` listed. A row with an unknown index contributes
    /// zeros.
    ///
    /// OWNERSHIP: the host. LIFETIME: the call. THREAD: the calling one.
    pub event: *const u16,
    /// For each row, the event's time in milliseconds since 1970.
    ///
    /// OWNERSHIP: the host. LIFETIME: the call. THREAD: the calling one.
    pub time_ms: *const i64,
    /// The columns in the order that `fields` listed. A null column is null in every row.
    ///
    /// OWNERSHIP: the host. LIFETIME: the call. THREAD: the calling one.
    pub columns: *const *const Column,
}

// SAFETY: `repr(C)`; integers and pointers are valid as zeros; the size comes first.
unsafe impl Growable for Batch {
    const BASE_SIZE: usize = 40;
}

/// Writes as JSON, by [`Host::write`](crate::Host::write) for `call`, what the metric reads.
pub type FieldsFn = unsafe extern "C" fn(this: *mut c_void, call: u64, error: *mut ErrorText) -> i32;

/// Turns each event by itself into k whole numbers: exactly n·k doubles go to `out`, row by row.
pub type ObserveFn =
    unsafe extern "C" fn(this: *mut c_void, batch: *const Batch, out: *mut f64, error: *mut ErrorText) -> i32;

/// Turns n units' sums (k each) into n numerators and n denominators.
pub type ValueFn = unsafe extern "C" fn(
    this: *mut c_void,
    sums: *const f64,
    n: usize,
    numerators: *mut f64,
    denominators: *mut f64,
    error: *mut ErrorText,
) -> i32;

/// What a metric is and does.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// `sizeof(podium_metric)` of the plugin.
    pub struct_size: u32,
    /// Goes up when the same event gives other numbers: the host then adds everything up again.
    pub revision: u32,
    /// Accumulators per event, 1 to [`K_MAX`](crate::K_MAX).
    pub k: u32,
    /// One of the `METRIC_` numbers.
    pub kind: u32,
    /// One of the `UNIT_` numbers.
    pub unit: u32,
    /// One of the `DIRECTION_` numbers; an experiment may say otherwise.
    pub direction: u32,
    /// One of the `POSTERIOR_` numbers: a hint.
    pub posterior: u32,
    /// Zero.
    pub reserved: u32,
    /// How long after a unit's exposure its events count, in seconds; an experiment may say otherwise.
    pub window_s: i64,
    /// The quantile that unit sums are capped at, above 0.5 and at most 1; 0: not capped.
    pub cap_quantile: f64,
    /// Says what the metric reads. THREAD: any.
    pub fields: Option<FieldsFn>,
    /// Turns events into contributions. THREAD: any, several at a time.
    pub observe: Option<ObserveFn>,
    /// Turns sums into values. THREAD: any, several at a time.
    pub value: Option<ValueFn>,
    /// Ids of metrics that are shown beside this one where it decides, because it does not say by itself who is better;
    /// with a comma between them, may be empty. One that nobody offers is left out. Since minor version 1.
    ///
    /// OWNERSHIP: the plugin. LIFETIME: the process. THREAD: any.
    pub beside: Str,
}

// SAFETY: `repr(C)`; numbers, optional functions and texts are valid as zeros; the size comes first.
unsafe impl Growable for Metric {
    const BASE_SIZE: usize = 72;
}
