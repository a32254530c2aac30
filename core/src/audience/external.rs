//! What other systems say of a shopper.

use crate::id::SourceKey;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What other systems say of a shopper, by the source that it is of: objects. What a source that is not in it says could
/// not be had, so that conditions on it have no answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct External(BTreeMap<SourceKey, Arc<Value>>);

impl External {
    /// Nothing could be had.
    pub const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// Takes what a source says.
    pub fn insert(&mut self, source: SourceKey, said: Arc<Value>) {
        self.0.insert(source, said);
    }

    /// What a source says; `None` if that could not be had.
    pub(super) fn get(&self, source: &SourceKey) -> Option<&Value> {
        self.0.get(source).map(|said| &**said)
    }
}
