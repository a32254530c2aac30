//! The channels that are set up.

use super::entity::channel::{ActiveModel, Column, Entity, Model};
use super::{PROJECT, StoreError};
use podium_core::id::ChannelKey;
use podium_core::time::Timestamp;
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait, ActiveValue, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder,
};
use serde_json::{Map, Value};

/// A channel as it was set up.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StoredChannel {
    /// Its name.
    pub(crate) key: ChannelKey,
    /// Which of the channels that plugins offer.
    pub(crate) channel: String,
    /// Its settings, with secrets by name.
    pub(crate) settings: Map<String, Value>,
    /// Counts its changes.
    pub(crate) revision: i64,
    /// When it was set up.
    pub(crate) created_at: Timestamp,
    /// When it was changed last.
    pub(crate) updated_at: Timestamp,
    /// Why nothing is sent for now.
    pub(crate) paused_why: Option<String>,
}

impl TryFrom<Model> for StoredChannel {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Self, StoreError> {
        let corrupt = |what: &str| StoreError::Corrupt(format!("channel {} has a bad {what}", row.key));
        Ok(Self {
            settings: serde_json::from_str(&row.settings).map_err(|_| corrupt("set of settings"))?,
            key: ChannelKey::new(&row.key).map_err(|_| corrupt("key"))?,
            channel: row.channel,
            revision: row.revision,
            created_at: Timestamp::from_micros(row.created_at),
            updated_at: Timestamp::from_micros(row.updated_at),
            paused_why: row.paused_why,
        })
    }
}

/// Every channel, by its key.
pub(crate) async fn all(db: &impl ConnectionTrait) -> Result<Vec<StoredChannel>, StoreError> {
    let query = Entity::find().filter(Column::ProjectId.eq(PROJECT)).order_by_asc(Column::Key);
    query.all(db).await?.into_iter().map(StoredChannel::try_from).collect()
}

/// Writes a channel: a new one if its revision is 1, else over the revision before.
///
/// # Errors
///
/// [`StoreError::Conflict`] if somebody else was faster.
pub(crate) async fn put(db: &impl ConnectionTrait, channel: &StoredChannel) -> Result<(), StoreError> {
    let row = ActiveModel {
        project_id: ActiveValue::Set(PROJECT),
        key: ActiveValue::Set(channel.key.to_string()),
        channel: ActiveValue::Set(channel.channel.clone()),
        settings: ActiveValue::Set(Value::Object(channel.settings.clone()).to_string()),
        revision: ActiveValue::Set(channel.revision),
        created_at: ActiveValue::Set(channel.created_at.as_micros()),
        updated_at: ActiveValue::Set(channel.updated_at.as_micros()),
        paused_why: ActiveValue::Set(channel.paused_why.clone()),
    };
    if channel.revision == 1 {
        row.insert(db).await?;
        return Ok(());
    }
    let mut updating = Entity::update_many().filter(Column::ProjectId.eq(PROJECT));
    updating = updating.filter(Column::Key.eq(channel.key.as_str()));
    let updated =
        updating.set(row).filter(Column::Revision.eq(channel.revision - 1)).exec(db).await?.rows_affected;
    if updated == 0 { Err(StoreError::Conflict(channel.key.to_string())) } else { Ok(()) }
}

/// Removes a channel; `false` if there is none of this revision.
pub(crate) async fn remove(
    db: &impl ConnectionTrait,
    key: &ChannelKey,
    revision: i64,
) -> Result<bool, StoreError> {
    let key = Entity::delete_by_id((PROJECT, key.to_string()));
    Ok(key.filter(Column::Revision.eq(revision)).exec(db).await?.rows_affected != 0)
}

/// Stops a channel, or lets it go on.
pub(crate) async fn pause(
    db: &impl ConnectionTrait,
    key: &ChannelKey,
    why: Option<&str>,
) -> Result<(), StoreError> {
    let of_key = Entity::update_many().filter(Column::ProjectId.eq(PROJECT));
    let why = Expr::value(why.map(str::to_owned));
    of_key.filter(Column::Key.eq(key.as_str())).col_expr(Column::PausedWhy, why).exec(db).await?;
    Ok(())
}
