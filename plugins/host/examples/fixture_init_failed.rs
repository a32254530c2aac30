//! A plugin that does not start.
#![expect(unsafe_code, reason = "a plugin written against the bare contract")]

mod raw;

/// Returns the descriptor of this plugin.
#[unsafe(no_mangle)]
pub extern "C" fn podium_plugin_entry_v1() -> *const podium_plugin_abi::Plugin {
    raw::descriptor("fixture_init_failed", |parts| parts.plugin.init = Some(refuse))
}

unsafe extern "C" fn refuse(
    _host: *const podium_plugin_abi::Host,
    error: *mut podium_plugin_abi::ErrorText,
) -> i32 {
    let text = b"the moon is in the wrong place";
    // SAFETY: the host passes a buffer of `cap` bytes, and the text is shorter.
    unsafe {
        (*error).text.copy_from_nonoverlapping(text.as_ptr(), text.len());
        (*error).len = text.len() as u32;
    }
    podium_plugin_abi::codes::E_INTERNAL
}
