//! Who must not be contacted: an address on a channel, with marketing or with anything.

use super::entity::suppression::{ActiveModel, Column, Entity, Model};
use super::{PROJECT, StoreError};
use podium_core::time::Timestamp;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use serde::{Deserialize, Serialize};

/// What must not be sent any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SuppressionScope {
    /// Marketing: the recipient does not want it.
    Marketing,
    /// Anything: the address does not work.
    All,
}

/// An address that must not be contacted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Suppression {
    /// The channel, as it was set up.
    pub(crate) channel: String,
    /// The address, in the form that is the same for all its spellings.
    pub(crate) address: String,
    /// What must not be sent.
    pub(crate) scope: SuppressionScope,
    /// Why: `unsubscribed`, `bounced`, `complained`, or an operator's words.
    pub(crate) reason: String,
    /// Since when.
    pub(crate) created_at: Timestamp,
}

impl From<Model> for Suppression {
    fn from(row: Model) -> Self {
        let scope = if row.scope == 0 { SuppressionScope::Marketing } else { SuppressionScope::All };
        let created_at = Timestamp::from_micros(row.created_at);
        Self { channel: row.channel, address: row.address_key, scope, reason: row.reason, created_at }
    }
}

/// Suppresses an address; one that is suppressed already keeps the wider scope.
pub(crate) async fn add(db: &impl ConnectionTrait, suppression: &Suppression) -> Result<(), StoreError> {
    let earlier = find(db, &suppression.channel, &suppression.address).await?;
    if earlier.is_some_and(|earlier| suppression.scope <= earlier.scope) {
        return Ok(());
    }
    let row = ActiveModel {
        project_id: ActiveValue::Set(PROJECT),
        channel: ActiveValue::Set(suppression.channel.clone()),
        address_key: ActiveValue::Set(suppression.address.clone()),
        scope: ActiveValue::Set(suppression.scope as i16),
        reason: ActiveValue::Set(suppression.reason.clone()),
        created_at: ActiveValue::Set(suppression.created_at.as_micros()),
    };
    let key = [Column::ProjectId, Column::Channel, Column::AddressKey];
    let wider = OnConflict::columns(key).update_columns([Column::Scope, Column::Reason]).to_owned();
    Entity::insert(row).on_conflict(wider).exec_without_returning(db).await?;
    Ok(())
}

/// The suppression of an address.
pub(crate) async fn find(
    db: &impl ConnectionTrait,
    channel: &str,
    address: &str,
) -> Result<Option<Suppression>, StoreError> {
    let key = (PROJECT, channel.to_owned(), address.to_owned());
    Ok(Entity::find_by_id(key).one(db).await?.map(Suppression::from))
}

/// Lifts the suppression of an address; `false` if there is none.
pub(crate) async fn lift(
    db: &impl ConnectionTrait,
    channel: &str,
    address: &str,
) -> Result<bool, StoreError> {
    let key = (PROJECT, channel.to_owned(), address.to_owned());
    Ok(Entity::delete_by_id(key).exec(db).await?.rows_affected != 0)
}

/// Suppressions in the order of their addresses, those after `after` alone.
pub(crate) async fn list(
    db: &impl ConnectionTrait,
    channel: &str,
    after: Option<&str>,
    limit: u64,
) -> Result<Vec<Suppression>, StoreError> {
    let mut query = Entity::find().filter(Column::ProjectId.eq(PROJECT)).filter(Column::Channel.eq(channel));
    if let Some(after) = after {
        query = query.filter(Column::AddressKey.gt(after));
    }
    let rows = query.order_by_asc(Column::AddressKey).limit(limit).all(db).await?;
    Ok(rows.into_iter().map(Suppression::from).collect())
}
