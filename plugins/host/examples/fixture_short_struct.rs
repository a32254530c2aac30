//! A plugin whose metric is shorter than any that was released.
#![expect(unsafe_code, reason = "a plugin written against the bare contract")]

mod raw;

/// Returns the descriptor of this plugin.
#[unsafe(no_mangle)]
pub extern "C" fn podium_plugin_entry_v1() -> *const podium_plugin_abi::Plugin {
    raw::descriptor("fixture_short_struct", |parts| parts.metric.struct_size = 64)
}
