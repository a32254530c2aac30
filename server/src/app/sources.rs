//! Sources of external data: registering them, and what asks for them.

use super::audiences::asked_by;
use super::{App, now};
use crate::external::{Definition, SOURCES_MAX, Source};
use crate::store::sources::{self, StoredSource};
use crate::store::{StoreError, audiences};
use podium_core::audience::{CompiledCondition, Condition, External};
use podium_core::experiment::{Experiment, Fault, Status};
use podium_core::id::SourceKey;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Why a source is not as it was asked for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SourceError {
    /// The server asks no sources.
    #[error("this server asks no other systems: it was started without `--external-data`")]
    Off,
    /// There is no such source.
    #[error("there is no source `{0}`")]
    NotFound(String),
    /// The key is taken.
    #[error("there is a source `{0}` already; choose another key")]
    KeyTaken(String),
    /// There are enough.
    #[error("there are {SOURCES_MAX} sources, which is all there can be; remove one")]
    TooMany,
    /// It is not at the revision that the client saw.
    #[error("the source was changed meanwhile")]
    Stale { revision: i64 },
    /// Something asks for it.
    #[error("`{by}` asks for this source; change that first")]
    InUse { by: String },
    /// It cannot be asked like that.
    #[error("the source has {} faults", .0.len())]
    Invalid(Vec<Fault>),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl App {
    /// The sources, by their keys.
    pub(crate) fn sources(&self) -> Arc<BTreeMap<SourceKey, Arc<Source>>> {
        Arc::clone(&self.published.catalog.load().book.sources)
    }

    /// A source.
    pub(crate) fn source(&self, key: &str) -> Result<Arc<Source>, SourceError> {
        let missing = || SourceError::NotFound(key.to_owned());
        let key = SourceKey::new(key).map_err(|_| missing())?;
        self.sources().get(&key).cloned().ok_or_else(missing)
    }

    /// Registers a source.
    pub(crate) async fn add_source(
        &self,
        key: SourceKey,
        definition: Definition,
    ) -> Result<Arc<Source>, SourceError> {
        let definition = self.checked_source(definition).await?;
        let _editing = self.edits.lock().await;
        let all = self.sources();
        if all.contains_key(&key) {
            return Err(SourceError::KeyTaken(key.to_string()));
        }
        if SOURCES_MAX <= all.len() {
            return Err(SourceError::TooMany);
        }
        let at = now();
        self.write(StoredSource { key, definition, revision: 1, created_at: at, updated_at: at }).await
    }

    /// Changes a source; what the former one said is forgotten.
    ///
    /// - `seen`: the revision that the client saw; `None` changes whatever is there.
    pub(crate) async fn change_source(
        &self,
        key: &str,
        seen: Option<i64>,
        definition: Definition,
    ) -> Result<Arc<Source>, SourceError> {
        let definition = self.checked_source(definition).await?;
        let _editing = self.edits.lock().await;
        let source = self.seen_source(key, seen)?;
        let StoredSource { key, revision, created_at, .. } = source.stored.clone();
        let revision = revision + 1;
        self.write(StoredSource { key, definition, revision, created_at, updated_at: now() }).await
    }

    /// Removes a source that nothing asks for.
    pub(crate) async fn remove_source(&self, key: &str, seen: Option<i64>) -> Result<(), SourceError> {
        let _editing = self.edits.lock().await;
        let source = self.seen_source(key, seen)?;
        let key = &source.stored.key;
        let all = audiences::all(self.store.writer()).await?;
        let names = |condition: &Condition| condition.sources().iter().any(|(_, source)| *source == key);
        let is_live = |experiment: &Experiment| experiment.status != Status::Archived;
        if let Some(by) = asked_by(&self.published.catalog.load(), &all, (names, is_live)) {
            return Err(SourceError::InUse { by });
        }
        sources::remove(self.store.writer(), key).await?;
        Ok(self.publish().await?)
    }

    async fn checked_source(&self, definition: Definition) -> Result<Definition, SourceError> {
        let reach = self.external.reach().ok_or(SourceError::Off)?;
        definition.checked(reach, self.external.secrets()).await.map_err(SourceError::Invalid)
    }

    fn seen_source(&self, key: &str, seen: Option<i64>) -> Result<Arc<Source>, SourceError> {
        let source = self.source(key)?;
        let revision = source.stored.revision;
        if seen.is_some_and(|seen| seen != revision) {
            return Err(SourceError::Stale { revision });
        }
        Ok(source)
    }

    async fn write(&self, stored: StoredSource) -> Result<Arc<Source>, SourceError> {
        sources::put(self.store.writer(), &stored).await?;
        self.publish().await?;
        self.source(stored.key.as_str())
    }

    /// The sources as the database has them. One that is as it was goes on with what it knows.
    pub(super) async fn stored_sources(&self) -> Result<BTreeMap<SourceKey, Arc<Source>>, StoreError> {
        let former = self.sources();
        let mut all = BTreeMap::new();
        for stored in sources::all(self.store.writer()).await? {
            let key = stored.key.clone();
            let same = former.get(&key).filter(|source| source.stored == stored).cloned();
            let corrupt = || StoreError::Corrupt(format!("source {key} has a bad address"));
            let source = match same {
                Some(source) => source,
                None => Arc::new(Source::new(stored).ok_or_else(corrupt)?),
            };
            all.insert(key, source);
        }
        Ok(all)
    }

    /// What other systems say of a unit, as far as a condition asks for it.
    pub(crate) async fn external(&self, condition: &CompiledCondition, unit: &str) -> External {
        let all = self.sources();
        let sources: Vec<_> =
            condition.sources().iter().filter_map(|key| all.get(key)).map(Arc::clone).collect();
        if sources.is_empty() {
            return External::new();
        }
        self.external.ask(&sources, &[unit]).await.pop().unwrap_or_default()
    }

    /// That a condition names sources that are not there.
    pub(super) fn source_faults(&self, condition: &Condition) -> Vec<Fault> {
        let all = self.sources();
        let unknown = condition.sources().into_iter().filter(|(_, key)| !all.contains_key(key));
        let fault = |(pointer, key): (String, &SourceKey)| Fault {
            pointer,
            detail: format!("a source that is registered; there is no `{key}`"),
        };
        unknown.map(fault).collect()
    }
}
