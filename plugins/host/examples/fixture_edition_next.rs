//! The same plugin in its next version.
#![expect(
    unsafe_code,
    reason = "the version of a plugin is its crate's, unless its entry is written by hand"
)]

mod edition;

use edition::{Counts, Hands};
use podium_plugin::expansion::{self, Descriptor, Note};

/// Returns the descriptor of this plugin.
#[unsafe(no_mangle)]
pub extern "C" fn podium_plugin_entry_v1() -> *const expansion::Plugin {
    static DESCRIPTOR: Descriptor = Descriptor::new(
        "com.example.fixture-edition",
        "99.0.0",
        &[expansion::metric::<Counts<1>>, expansion::channel::<Hands>],
    );
    DESCRIPTOR.get()
}

#[used]
#[unsafe(link_section = ".note.podium")]
static NOTE: Note = Note::CURRENT;
