//! A plugin whose channel is of a class that comes later.
#![expect(unsafe_code, reason = "a plugin written against the bare contract")]

mod raw_channel;

/// Returns the descriptor of this plugin.
#[unsafe(no_mangle)]
pub extern "C" fn podium_plugin_entry_v1() -> *const podium_plugin_abi::Plugin {
    raw_channel::descriptor("fixture_channel_unknown_class", |channel| channel.provider_class = 99)
}
