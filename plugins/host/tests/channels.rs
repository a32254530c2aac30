//! Channels in our own process.
#![expect(clippy::unwrap_used, reason = "what a test builds its world with must not fail")]

mod channel_suite;
mod folder;
mod here;

use folder::Folder;
use podium_plugin_host::Isolation;

fn isolation(_folder: &Folder) -> Isolation {
    Isolation::InProcess
}
