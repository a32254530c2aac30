//! The last events that were refused, so that nobody has to guess what became of them.

use super::entity::rejected_event::{ActiveModel, Column, Entity, Model};
use super::{PROJECT, StoreError};
use podium_core::time::Timestamp;
use sea_orm::{ActiveValue, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

/// How many are kept.
pub(crate) const KEPT: i64 = 1_000;

/// An event that was refused.
#[derive(Clone, Debug)]
pub(crate) struct RejectedEvent {
    /// When it came.
    pub(crate) received_at: Timestamp,
    /// Its id, if it had one.
    pub(crate) message_id: Option<String>,
    /// Why, as a slug.
    pub(crate) reason: String,
    /// Where, as a JSON pointer into the event.
    pub(crate) pointer: String,
    /// What is wrong and what would be right.
    pub(crate) detail: String,
}

/// Keeps rejected events, and forgets those before the last 1,000.
pub(crate) async fn insert(db: &impl ConnectionTrait, events: &[RejectedEvent]) -> Result<(), StoreError> {
    let rows = events.iter().map(|event| ActiveModel {
        id: ActiveValue::NotSet,
        project_id: ActiveValue::Set(PROJECT),
        received_at: ActiveValue::Set(event.received_at.as_micros()),
        message_id: ActiveValue::Set(event.message_id.clone()),
        reason: ActiveValue::Set(event.reason.clone()),
        pointer: ActiveValue::Set(event.pointer.clone()),
        detail: ActiveValue::Set(event.detail.clone()),
    });
    Entity::insert_many(rows).exec_without_returning(db).await?;
    let newest = Entity::find().order_by_desc(Column::Id).one(db).await?;
    let oldest_kept = newest.map_or(0, |row| row.id - KEPT);
    Entity::delete_many().filter(Column::Id.lte(oldest_kept)).exec(db).await?;
    Ok(())
}

/// The last rejected events, newest first.
pub(crate) async fn newest(db: &impl ConnectionTrait, limit: u64) -> Result<Vec<RejectedEvent>, StoreError> {
    let rows = Entity::find().order_by_desc(Column::Id).limit(limit).all(db).await?;
    Ok(rows.into_iter().map(RejectedEvent::from).collect())
}

impl From<Model> for RejectedEvent {
    fn from(row: Model) -> Self {
        Self {
            received_at: Timestamp::from_micros(row.received_at),
            message_id: row.message_id,
            reason: row.reason,
            pointer: row.pointer,
            detail: row.detail,
        }
    }
}
