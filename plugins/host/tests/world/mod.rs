//! Plugins in children, and the lines they and their host log.
#![expect(clippy::unwrap_used, reason = "what a test builds its world with must not fail")]

use crate::child::child;
use crate::folder::Folder;
use podium_plugin_host::{HostLog, Level, Registry};
use std::sync::{Arc, Mutex};

/// Plugins in children, and the lines they and their host log.
pub(crate) struct World {
    pub(crate) registry: Registry,
    pub(crate) lines: Arc<Mutex<Vec<String>>>,
    _folder: Folder,
}

impl World {
    pub(crate) fn new(test: &str, examples: &[&str]) -> Self {
        let folder = Folder::new(test).with(examples);
        let lines = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&lines);
        let log = HostLog::new(Level::Info, move |line| sink.lock().unwrap().push(line.message.to_owned()));
        let registry = Registry::load_with(&[folder.path().to_owned()], &child(&folder), &log);
        assert_eq!(registry.refusals(), [], "{test}");
        Self { registry, lines, _folder: folder }
    }

    pub(crate) fn has_line(&self, part: &str) -> bool {
        self.lines.lock().unwrap().iter().any(|line| line.contains(part))
    }
}
