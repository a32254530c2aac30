//! Plugins of a folder in our own process.

use crate::folder::Folder;
use podium_plugin_host::{HostLog, Registry};

impl Folder {
    /// Loads what is in it.
    pub(crate) fn load(&self) -> Registry {
        Registry::load(&[self.path().to_owned()], &HostLog::discard())
    }
}
