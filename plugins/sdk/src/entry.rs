//! The functions behind the descriptor: each checks its pointers, then calls the author's code under guard.

use crate::error::{Error, Result};
use crate::event::{Columns, Event};
use crate::guard::{self, Guarded, no_pointer};
use crate::host;
use crate::metric::{Metric, Sums};
use podium_plugin_abi::{self as abi, Batch, ErrorText, Host, Str, codes};
use serde::de::DeserializeOwned;
use std::ffi::c_void;
use std::slice;

/// A configured metric, with what never changes.
struct Instance<M> {
    metric: M,
    fields_json: String,
    n_events: usize,
}

pub(crate) unsafe extern "C" fn init(host: *const Host, error: *mut ErrorText) -> i32 {
    // SAFETY: the host gives a valid buffer.
    unsafe {
        guard::run(error, || {
            host::introduce(host);
            Ok(())
        })
    }
}

pub(crate) unsafe extern "C" fn create<M: Metric>(
    config_json: Str,
    this: *mut *mut c_void,
    error: *mut ErrorText,
) -> i32 {
    let body = || {
        // SAFETY: the host lends the text for this call.
        let config_json = unsafe { config_json.text() }.ok_or_else(|| Error::config("not UTF-8"))?;
        let metric = M::create(config_from(config_json)?)?;
        let fields = metric.fields();
        let fields_json =
            serde_json::to_string(&fields).map_err(|wrong| Error::internal(wrong.to_string()))?;
        let n_events = fields.n_events();
        // SAFETY: null, or the place that the host wants the instance in.
        unsafe { Guarded::hand_over(Instance { metric, fields_json, n_events }, this) }
    };
    // SAFETY: the host gives a valid buffer.
    unsafe { guard::run(error, body) }
}

pub(crate) unsafe extern "C" fn destroy<M: Metric>(this: *mut c_void) {
    // SAFETY: it came from `create` of the same component, and the host destroys it once.
    unsafe { Guarded::<Instance<M>>::end(this) };
}

pub(crate) unsafe extern "C" fn fields<M: Metric>(
    this: *mut c_void,
    call: u64,
    error: *mut ErrorText,
) -> i32 {
    // SAFETY: the host passes an instance of this component and a valid buffer.
    unsafe { Guarded::with(this, error, |instance: &Instance<M>| host::write(call, &instance.fields_json)) }
}

pub(crate) unsafe extern "C" fn observe<M: Metric>(
    this: *mut c_void,
    batch: *const Batch,
    out: *mut f64,
    error: *mut ErrorText,
) -> i32 {
    // SAFETY: the host passes an instance of this component, a valid buffer, a batch, and room for n·k doubles.
    unsafe { Guarded::with(this, error, |instance: &Instance<M>| observe_batch(instance, batch, out)) }
}

pub(crate) unsafe extern "C" fn value<M: Metric>(
    this: *mut c_void,
    sums: *const f64,
    n: usize,
    numerators: *mut f64,
    denominators: *mut f64,
    error: *mut ErrorText,
) -> i32 {
    let body = |instance: &Instance<M>| {
        if n == 0 {
            return Ok(());
        }
        if sums.is_null() || numerators.is_null() || denominators.is_null() {
            return Err(no_pointer());
        }
        // SAFETY: the host passes n·k sums and room for n numerators and n denominators.
        let (sums, numerators, denominators) = unsafe {
            (
                slice::from_raw_parts(sums, n * M::Sums::K),
                slice::from_raw_parts_mut(numerators, n),
                slice::from_raw_parts_mut(denominators, n),
            )
        };
        let answers = numerators.iter_mut().zip(denominators);
        for (sums, (numerator, denominator)) in sums.chunks_exact(M::Sums::K).zip(answers) {
            (*numerator, *denominator) = value_of(&instance.metric, sums);
        }
        Ok(())
    };
    // SAFETY: the host passes an instance of this component and a valid buffer.
    unsafe { Guarded::with(this, error, body) }
}

/// Reads the configuration: an object. Serde alone would take a list for a struct, too.
pub(crate) fn config_from<C: DeserializeOwned>(config_json: &str) -> Result<C> {
    let config_json = match config_json.trim() {
        "" => "{}",
        trimmed if trimmed.starts_with('{') => trimmed,
        _ => return Err(Error::config("the configuration must be a JSON object")),
    };
    serde_json::from_str(config_json).map_err(|wrong| Error::config(wrong.to_string()))
}

/// Asks for one unit's value; a ratio whose denominator is not positive is not in the population.
fn value_of<M: Metric>(metric: &M, sums: &[f64]) -> (f64, f64) {
    let (numerator, denominator) = metric.value(M::Sums::from_numbers(sums));
    if M::INFO.kind == codes::METRIC_RATIO && denominator <= 0.0 {
        (0.0, 0.0)
    } else {
        (numerator, denominator)
    }
}

/// # Safety
///
/// `batch` is null or a batch of the host's, and `out` has room for n·k doubles.
unsafe fn observe_batch<M: Metric>(instance: &Instance<M>, batch: *const Batch, out: *mut f64) -> Result<()> {
    // SAFETY: null or a batch, by the caller's word.
    let batch = unsafe { abi::read(batch) }.map_err(|_| no_pointer())?;
    if batch.n == 0 {
        return Ok(());
    }
    if batch.event.is_null() || out.is_null() {
        return Err(no_pointer());
    }
    // SAFETY: the batch's arrays hold still during the call.
    let columns = unsafe { Columns::read(&batch) };
    // SAFETY: the batch has an event index for each of its n rows.
    let events = unsafe { slice::from_raw_parts(batch.event, batch.n) };
    // SAFETY: the host has room for n·k doubles. They may be uninitialized, and any bits are a double.
    let out = unsafe { slice::from_raw_parts_mut(out, batch.n * M::Sums::K) };
    for (row, (&event, out)) in events.iter().zip(out.chunks_exact_mut(M::Sums::K)).enumerate() {
        let read_idx = usize::from(event);
        let sums = if read_idx < instance.n_events {
            // SAFETY: the batch has a time for each row, unless it has none at all.
            let time_ms = if batch.time_ms.is_null() { 0 } else { unsafe { *batch.time_ms.add(row) } };
            instance.metric.observe(&Event::new(row, read_idx, time_ms, &columns))
        } else {
            M::Sums::ZERO
        };
        out.copy_from_slice(sums.numbers());
    }
    Ok(())
}
