//! A plugin whose numbers depend on where in the batch an event is.
#![expect(unsafe_code, reason = "a plugin written against the bare contract")]

mod raw;

/// Returns the descriptor of this plugin.
#[unsafe(no_mangle)]
pub extern "C" fn podium_plugin_entry_v1() -> *const podium_plugin_abi::Plugin {
    raw::descriptor("fixture_order_matters", |parts| parts.metric.observe = Some(observe))
}

unsafe extern "C" fn observe(
    _this: *mut std::ffi::c_void,
    batch: *const podium_plugin_abi::Batch,
    out: *mut f64,
    _error: *mut podium_plugin_abi::ErrorText,
) -> i32 {
    // SAFETY: the host passes room for a double a row.
    unsafe { (0..(*batch).n).for_each(|row| *out.add(row) = row as f64) };
    podium_plugin_abi::codes::OK
}
