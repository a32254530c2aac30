//! A plugin whose metric has more accumulators than there may be.
#![expect(unsafe_code, reason = "a plugin written against the bare contract")]

mod raw;

/// Returns the descriptor of this plugin.
#[unsafe(no_mangle)]
pub extern "C" fn podium_plugin_entry_v1() -> *const podium_plugin_abi::Plugin {
    raw::descriptor("fixture_bad_component", |parts| parts.metric.k = 9)
}
