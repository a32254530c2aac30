//! The sources of external data.

use super::entity::source::{ActiveModel, Column, Entity, Model};
use super::{PROJECT, StoreError};
use crate::external::Definition;
use podium_core::id::SourceKey;
use podium_core::time::Timestamp;
use sea_orm::{
    ActiveModelTrait, ActiveValue, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder,
};

/// A source as it was registered.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StoredSource {
    /// Its name in conditions.
    pub(crate) key: SourceKey,
    /// How it is asked.
    pub(crate) definition: Definition,
    /// Counts its changes.
    pub(crate) revision: i64,
    /// When it was registered.
    pub(crate) created_at: Timestamp,
    /// When it was changed last.
    pub(crate) updated_at: Timestamp,
}

impl TryFrom<Model> for StoredSource {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Self, StoreError> {
        let corrupt = |what: &str| StoreError::Corrupt(format!("source {} has a bad {what}", row.key));
        let definition = Definition {
            headers: serde_json::from_str(&row.headers).map_err(|_| corrupt("set of headers"))?,
            url: row.url,
            timeout_ms: row.timeout_ms,
            ttl_s: row.ttl_s,
        };
        Ok(Self {
            key: SourceKey::new(&row.key).map_err(|_| corrupt("key"))?,
            definition,
            revision: row.revision,
            created_at: Timestamp::from_micros(row.created_at),
            updated_at: Timestamp::from_micros(row.updated_at),
        })
    }
}

/// Every source, in the order of their keys.
pub(crate) async fn all(db: &impl ConnectionTrait) -> Result<Vec<StoredSource>, StoreError> {
    let query = Entity::find().filter(Column::ProjectId.eq(PROJECT)).order_by_asc(Column::Key);
    query.all(db).await?.into_iter().map(StoredSource::try_from).collect()
}

/// Writes a source: a new one if its revision is 1, else over the revision before.
///
/// # Errors
///
/// [`StoreError::Conflict`] if somebody else was faster.
pub(crate) async fn put(db: &impl ConnectionTrait, source: &StoredSource) -> Result<(), StoreError> {
    let headers = serde_json::to_string(&source.definition.headers);
    let row = ActiveModel {
        project_id: ActiveValue::Set(PROJECT),
        key: ActiveValue::Set(source.key.to_string()),
        url: ActiveValue::Set(source.definition.url.clone()),
        timeout_ms: ActiveValue::Set(source.definition.timeout_ms),
        ttl_s: ActiveValue::Set(source.definition.ttl_s),
        headers: ActiveValue::Set(headers.map_err(|error| StoreError::Corrupt(error.to_string()))?),
        revision: ActiveValue::Set(source.revision),
        created_at: ActiveValue::Set(source.created_at.as_micros()),
        updated_at: ActiveValue::Set(source.updated_at.as_micros()),
    };
    if source.revision == 1 {
        row.insert(db).await?;
        return Ok(());
    }
    let of_key = Entity::update_many().filter(Column::ProjectId.eq(PROJECT));
    let of_key = of_key.filter(Column::Key.eq(source.key.as_str())).set(row);
    let updated = of_key.filter(Column::Revision.eq(source.revision - 1)).exec(db).await?.rows_affected;
    if updated == 0 { Err(StoreError::Conflict(source.key.to_string())) } else { Ok(()) }
}

/// Removes a source.
pub(crate) async fn remove(db: &impl ConnectionTrait, key: &SourceKey) -> Result<(), StoreError> {
    Entity::delete_by_id((PROJECT, key.to_string())).exec(db).await?;
    Ok(())
}
