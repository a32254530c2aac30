//! The last events that were refused, so that nobody has to guess what became of them.

use super::entity::rejected_event::{ActiveModel, Column, Entity, Model};
use super::{PROJECT, StoreError};
use podium_core::projection::Trust;
use podium_core::time::Timestamp;
use sea_orm::{
    ActiveValue, ColumnTrait, ConnectionTrait, EntityTrait, ExprTrait, QueryFilter, QueryOrder, QuerySelect,
};

/// How many are kept.
const KEPT: u32 = 1_000;

/// An event that was refused.
#[derive(Clone, Debug)]
pub(crate) struct RejectedEvent {
    /// When it came.
    pub(crate) received_at: Timestamp,
    /// Its id, if it had one.
    pub(crate) message_id: Option<String>,
    /// What it says it is, or was sent as.
    pub(crate) event_type: String,
    /// What it says happened.
    pub(crate) name: Option<String>,
    /// Whose it is, if that could be read.
    pub(crate) unit: Option<String>,
    /// Another id of the same person.
    pub(crate) other_id: Option<String>,
    /// When it happened, if that could be read.
    pub(crate) time: Option<Timestamp>,
    /// Who said it.
    pub(crate) trust: Trust,
    /// Why, as a slug.
    pub(crate) reason: String,
    /// Where, as a JSON pointer into the event.
    pub(crate) pointer: String,
    /// What is wrong and what would be right.
    pub(crate) detail: String,
}

/// Keeps rejected events, and forgets those before the last 1,000.
pub(crate) async fn insert(db: &impl ConnectionTrait, events: &[RejectedEvent]) -> Result<(), StoreError> {
    // Of more than are kept, the last ones; a statement takes so many parameters and no more.
    let kept = events.rchunks(KEPT as usize).next().unwrap_or_default();
    let rows = kept.iter().map(|event| ActiveModel {
        id: ActiveValue::NotSet,
        project_id: ActiveValue::Set(PROJECT),
        received_at: ActiveValue::Set(event.received_at.as_micros()),
        message_id: ActiveValue::Set(event.message_id.clone()),
        event_type: ActiveValue::Set(event.event_type.clone()),
        name: ActiveValue::Set(event.name.clone()),
        unit: ActiveValue::Set(event.unit.clone()),
        other_id: ActiveValue::Set(event.other_id.clone()),
        event_time: ActiveValue::Set(event.time.map(Timestamp::as_micros)),
        trust: ActiveValue::Set(event.trust as i16),
        reason: ActiveValue::Set(event.reason.clone()),
        pointer: ActiveValue::Set(event.pointer.clone()),
        detail: ActiveValue::Set(event.detail.clone()),
    });
    Entity::insert_many(rows).exec_without_returning(db).await?;
    let newest = Entity::find().order_by_desc(Column::Id).one(db).await?;
    let oldest_kept = newest.map_or(0, |row| row.id - i64::from(KEPT));
    Entity::delete_many().filter(Column::Id.lte(oldest_kept)).exec(db).await?;
    Ok(())
}

/// Rejected events before position `before`, newest first, each with its position.
///
/// - `name`: only those with this name, or of this type.
pub(crate) async fn page(
    db: &impl ConnectionTrait,
    name: Option<&str>,
    before: Option<i64>,
    limit: u64,
) -> Result<Vec<(i64, RejectedEvent)>, StoreError> {
    let mut query = Entity::find().order_by_desc(Column::Id).limit(limit);
    if let Some(before) = before {
        query = query.filter(Column::Id.lt(before));
    }
    if let Some(name) = name {
        query = query.filter(Column::Name.eq(name).or(Column::EventType.eq(name)));
    }
    Ok(query.all(db).await?.into_iter().map(|row| (row.id, RejectedEvent::from(row))).collect())
}

impl From<Model> for RejectedEvent {
    fn from(row: Model) -> Self {
        Self {
            received_at: Timestamp::from_micros(row.received_at),
            message_id: row.message_id,
            event_type: row.event_type,
            name: row.name,
            unit: row.unit,
            other_id: row.other_id,
            time: row.event_time.map(Timestamp::from_micros),
            trust: super::log::trust(row.trust),
            reason: row.reason,
            pointer: row.pointer,
            detail: row.detail,
        }
    }
}
