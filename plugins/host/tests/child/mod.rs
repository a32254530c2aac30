//! Children for the plugins of a folder.

use crate::folder::{Folder, built};
use podium_plugin_host::{Isolation, Launcher};

/// Runs the folder's plugins in children, from copies in it.
pub(crate) fn child(folder: &Folder) -> Isolation {
    let program = built("plugin_host").with_file_name("plugin_host");
    let staging = folder.path().join("staged");
    Isolation::Child(Launcher { program, arguments: Vec::new(), staging })
}
