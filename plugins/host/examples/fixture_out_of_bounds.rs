//! A plugin that writes one double more than it was asked for.
#![expect(unsafe_code, reason = "a plugin written against the bare contract")]

mod raw;

/// Returns the descriptor of this plugin.
#[unsafe(no_mangle)]
pub extern "C" fn podium_plugin_entry_v1() -> *const podium_plugin_abi::Plugin {
    raw::descriptor("fixture_out_of_bounds", |parts| parts.metric.observe = Some(observe))
}

unsafe extern "C" fn observe(
    _this: *mut std::ffi::c_void,
    batch: *const podium_plugin_abi::Batch,
    out: *mut f64,
    _error: *mut podium_plugin_abi::ErrorText,
) -> i32 {
    // SAFETY: none: the last double is not ours. The host keeps a few behind the buffer to notice.
    unsafe { (0..=(*batch).n).for_each(|row| *out.add(row) = 1.0) };
    podium_plugin_abi::codes::OK
}
