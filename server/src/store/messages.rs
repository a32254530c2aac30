//! Messages and their attempts, to be read.

use super::entity::{attempt, message};
use super::{PROJECT, StoreError};
use crate::delivery::message::{Message, MessageState, RequestKey};
use podium_core::time::Timestamp;
use podium_plugin_host::Purpose;
use sea_orm::sea_query::{all, any};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

impl TryFrom<message::Model> for Message {
    type Error = StoreError;

    fn try_from(row: message::Model) -> Result<Self, StoreError> {
        let corrupt = |what: &str| StoreError::Corrupt(format!("message {} has a bad {what}", row.id));
        Ok(Self {
            id: row.id.parse().map_err(|_| corrupt("id"))?,
            purpose: if row.is_transactional { Purpose::Transactional } else { Purpose::Marketing },
            fields: serde_json::from_str(&row.fields).map_err(|_| corrupt("set of fields"))?,
            facts: serde_json::from_str(&row.facts).map_err(|_| corrupt("set of facts"))?,
            exposure: row
                .exposure
                .as_deref()
                .map(serde_json::from_str)
                .transpose()
                .map_err(|_| corrupt("exposure"))?,
            state: MessageState::parse(&row.state).ok_or_else(|| corrupt("state"))?,
            attempts: u32::try_from(row.attempts).map_err(|_| corrupt("number of attempts"))?,
            due_at: Timestamp::from_micros(row.due_at),
            begun_at: row.begun_at.map(Timestamp::from_micros),
            expires_at: Timestamp::from_micros(row.expires_at),
            created_at: Timestamp::from_micros(row.created_at),
            updated_at: Timestamp::from_micros(row.updated_at),
            request: RequestKey {
                position: u32::try_from(row.position).map_err(|_| corrupt("position"))?,
                request: row.request,
                sha256: row.request_sha256,
            },
            unit: row.unit,
            address_json: row.address,
            address_key: row.address_key,
            payload_sha256: row.payload_sha256,
            collapse_key: row.collapse_key,
            reason: row.reason,
            epoch: row.epoch,
            provider_id: row.provider_id,
        })
    }
}

/// One try to send a message.
#[derive(Clone, Debug, serde::Serialize)]
pub(crate) struct Attempt {
    /// When a sender took it.
    pub(crate) started_at: Timestamp,
    /// When the message may have left.
    pub(crate) begun_at: Option<Timestamp>,
    /// When its outcome was known.
    pub(crate) ended_at: Option<Timestamp>,
    /// What became of it.
    pub(crate) outcome: Option<String>,
    /// What the channel said.
    pub(crate) detail: Option<String>,
}

/// Which messages to list.
#[derive(Clone, Debug, Default)]
pub(crate) struct MessageFilter<'a> {
    pub(crate) unit: Option<&'a str>,
    pub(crate) channel: Option<&'a str>,
    pub(crate) state: Option<MessageState>,
    /// Only those that were asked for before this message.
    pub(crate) before: Option<(Timestamp, Uuid)>,
}

/// One message.
pub(crate) async fn find(db: &impl ConnectionTrait, id: Uuid) -> Result<Option<Message>, StoreError> {
    message::Entity::find_by_id(id.to_string()).one(db).await?.map(Message::try_from).transpose()
}

/// The message of a channel that its provider calls `provider_id`.
pub(crate) async fn of_provider(
    db: &impl ConnectionTrait,
    channel: &str,
    provider_id: &str,
) -> Result<Option<Message>, StoreError> {
    let of_channel = message::Entity::find().filter(message::Column::Channel.eq(channel));
    let query = of_channel.filter(message::Column::ProviderId.eq(provider_id));
    query.one(db).await?.map(Message::try_from).transpose()
}

/// The messages that a request asked for, in its order.
pub(crate) async fn of_request(db: &impl ConnectionTrait, request: &str) -> Result<Vec<Message>, StoreError> {
    let of_project = message::Entity::find().filter(message::Column::ProjectId.eq(PROJECT));
    let query = of_project.filter(message::Column::Request.eq(request));
    let rows = query.order_by_asc(message::Column::Position).all(db).await?;
    rows.into_iter().map(Message::try_from).collect()
}

/// Messages, the newest first.
pub(crate) async fn list(
    db: &impl ConnectionTrait,
    filter: &MessageFilter<'_>,
    limit: u64,
) -> Result<Vec<Message>, StoreError> {
    use message::Column;
    let mut query = message::Entity::find().filter(Column::ProjectId.eq(PROJECT));
    if let Some(unit) = filter.unit {
        query = query.filter(Column::Unit.eq(unit));
    }
    if let Some(channel) = filter.channel {
        query = query.filter(Column::Channel.eq(channel));
    }
    if let Some(state) = filter.state {
        query = query.filter(Column::State.eq(state.as_str()));
    }
    if let Some((created_at, id)) = filter.before {
        let created_at = created_at.as_micros();
        let same = all![Column::CreatedAt.eq(created_at), Column::Id.lt(id.to_string())];
        query = query.filter(any![Column::CreatedAt.lt(created_at), same]);
    }
    let newest_first = query.order_by_desc(Column::CreatedAt).order_by_desc(Column::Id);
    newest_first.limit(limit).all(db).await?.into_iter().map(Message::try_from).collect()
}

/// The attempts to send a message, in their order.
pub(crate) async fn attempts(db: &impl ConnectionTrait, id: Uuid) -> Result<Vec<Attempt>, StoreError> {
    let of_message = attempt::Entity::find().filter(attempt::Column::MessageId.eq(id.to_string()));
    let rows = of_message.order_by_asc(attempt::Column::Epoch).all(db).await?;
    let attempt = |row: attempt::Model| Attempt {
        started_at: Timestamp::from_micros(row.started_at),
        begun_at: row.begun_at.map(Timestamp::from_micros),
        ended_at: row.ended_at.map(Timestamp::from_micros),
        outcome: row.outcome,
        detail: row.detail,
    };
    Ok(rows.into_iter().map(attempt).collect())
}
