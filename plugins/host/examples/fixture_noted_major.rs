//! A plugin whose note names another major version. Its code ends the process: it must not be run.
#![expect(unsafe_code, reason = "a plugin written against the bare contract")]

use podium_plugin_abi::Plugin;
use podium_plugin_abi::note::Note;

#[used]
#[unsafe(link_section = ".note.podium")]
static NOTE: Note = Note::new(9, 3);

#[used]
#[unsafe(link_section = ".init_array")]
static CONSTRUCTOR: extern "C" fn() = end;

extern "C" fn end() {
    std::process::abort();
}

/// Never returns.
#[unsafe(no_mangle)]
pub extern "C" fn podium_plugin_entry_v1() -> *const Plugin {
    std::process::abort();
}
