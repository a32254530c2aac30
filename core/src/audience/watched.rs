//! The conditions on past events that profiles keep up with, by the events they look at.

use super::leaf::EventLeaf;
use crate::id::LeafId;
use std::collections::HashMap;

/// What is watched.
#[derive(Clone, Debug, Default)]
pub struct Watched {
    by_name: HashMap<Box<str>, Vec<(LeafId, EventLeaf)>>,
}

impl Watched {
    /// Watches leaves, each under its id.
    pub fn new(leaves: impl IntoIterator<Item = (LeafId, EventLeaf)>) -> Self {
        let mut by_name: HashMap<Box<str>, Vec<_>> = HashMap::new();
        for (id, leaf) in leaves {
            by_name.entry(leaf.name.clone()).or_default().push((id, leaf));
        }
        Self { by_name }
    }

    /// Whether some leaf looks at events with this name.
    pub fn reads(&self, name: &str) -> bool {
        self.by_name.contains_key(name)
    }

    /// The leaves that look at events with this name.
    pub(crate) fn leaves(&self, name: &str) -> &[(LeafId, EventLeaf)] {
        self.by_name.get(name).map_or(&[], Vec::as_slice)
    }
}
