//! API keys: the secret's hash, and the secret itself only where it is public anyway.

use super::entity::api_key::{ActiveModel, Entity, Model};
use super::{PROJECT, StoreError};
use crate::auth::{KeyRecord, Scope};
use crate::origin::Origins;
use sea_orm::{ActiveModelTrait, ActiveValue, ConnectionTrait, EntityTrait, QueryOrder};

impl TryFrom<Model> for KeyRecord {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Self, StoreError> {
        let corrupt = |what: &str| StoreError::Corrupt(format!("key {} has a bad {what}", row.id));
        let scope = Scope::parse(&row.scope).ok_or_else(|| corrupt("scope"))?;
        let origins: Vec<String> = match &row.origins {
            Some(text) => serde_json::from_str(text).map_err(|_| corrupt("list of origins"))?,
            None => Vec::new(),
        };
        Ok(Self {
            scope,
            origins: Origins::new(scope, &origins).map_err(|_| corrupt("list of origins"))?,
            secret_sha256: row.secret_sha256,
            secret: row.secret,
            name: row.name,
            created_at: podium_core::time::Timestamp::from_micros(row.created_at),
            revoked_at: row.revoked_at.map(podium_core::time::Timestamp::from_micros),
            id: row.id,
        })
    }
}

/// Writes a new key.
pub(crate) async fn insert(db: &impl ConnectionTrait, key: &KeyRecord) -> Result<(), StoreError> {
    let row = ActiveModel {
        id: ActiveValue::Set(key.id.clone()),
        project_id: ActiveValue::Set(PROJECT),
        scope: ActiveValue::Set(key.scope.as_str().to_owned()),
        name: ActiveValue::Set(key.name.clone()),
        secret_sha256: ActiveValue::Set(key.secret_sha256.clone()),
        secret: ActiveValue::Set(key.secret.clone()),
        created_at: ActiveValue::Set(key.created_at.as_micros()),
        revoked_at: ActiveValue::Set(None),
        origins: ActiveValue::Set(column(&key.origins)?),
    };
    Entity::insert(row).exec_without_returning(db).await?;
    Ok(())
}

/// Every key, the revoked ones too.
pub(crate) async fn all(db: &impl ConnectionTrait) -> Result<Vec<KeyRecord>, StoreError> {
    let rows = Entity::find().order_by_asc(super::entity::api_key::Column::CreatedAt).all(db).await?;
    rows.into_iter().map(KeyRecord::try_from).collect()
}

/// Marks a key as revoked; `false` if there is none that is not.
pub(crate) async fn revoke(
    db: &impl ConnectionTrait,
    id: &str,
    now: podium_core::time::Timestamp,
) -> Result<bool, StoreError> {
    let Some(row) = valid(db, id).await? else { return Ok(false) };
    let mut row = ActiveModel::from(row);
    row.revoked_at = ActiveValue::Set(Some(now.as_micros()));
    row.update(db).await?;
    Ok(true)
}

/// The key with this id, if it was not revoked.
pub(crate) async fn find(db: &impl ConnectionTrait, id: &str) -> Result<Option<KeyRecord>, StoreError> {
    valid(db, id).await?.map(KeyRecord::try_from).transpose()
}

/// Replaces the origins of a key; `false` if there is none that is not revoked.
pub(crate) async fn set_origins(
    db: &impl ConnectionTrait,
    id: &str,
    origins: &Origins,
) -> Result<bool, StoreError> {
    let Some(row) = valid(db, id).await? else { return Ok(false) };
    let mut row = ActiveModel::from(row);
    row.origins = ActiveValue::Set(column(origins)?);
    row.update(db).await?;
    Ok(true)
}

async fn valid(db: &impl ConnectionTrait, id: &str) -> Result<Option<Model>, StoreError> {
    if id.contains('\0') {
        return Ok(None);
    }
    Ok(Entity::find_by_id(id).one(db).await?.filter(|row| row.revoked_at.is_none()))
}

fn column(origins: &Origins) -> Result<Option<String>, StoreError> {
    let text = (!origins.is_any()).then(|| serde_json::to_string(origins)).transpose();
    text.map_err(|error| StoreError::Corrupt(error.to_string()))
}
