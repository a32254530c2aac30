//! The outbox: messages that wait to be sent, claimed for a time and under a number that only one sender has.

use super::bulk::{Insert, lists};
use super::entity::message;
use super::suppressions::{self, Suppression};
use super::{PROJECT, Store, StoreError};
use crate::delivery::message::{Message, MessageState};
use podium_core::time::Timestamp;
use podium_plugin_host::Purpose;
use sea_orm::{ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, QueryFilter, Statement, Value};
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

const MESSAGE: Insert<'static> = Insert {
    table: "message",
    columns: &[
        ("id", "text"),
        ("project_id", "bigint"),
        ("request", "text"),
        ("request_sha256", "text"),
        ("position", "integer"),
        ("channel", "text"),
        ("is_transactional", "boolean"),
        ("unit", "text"),
        ("address", "text"),
        ("address_key", "text"),
        ("payload_sha256", "text"),
        ("fields", "text"),
        ("collapse_key", "text"),
        ("facts", "text"),
        ("exposure", "text"),
        ("state", "text"),
        ("reason", "text"),
        ("epoch", "bigint"),
        ("attempts", "integer"),
        ("due_at", "bigint"),
        ("expires_at", "bigint"),
        ("created_at", "bigint"),
        ("updated_at", "bigint"),
    ],
    key: &[],
};

const PAYLOAD: Insert<'static> =
    Insert { table: "payload", columns: &[("sha256", "text"), ("payload", "text")], key: &["sha256"] };

const ATTEMPT: Insert<'static> = Insert {
    table: "attempt",
    columns: &[("message_id", "text"), ("epoch", "bigint"), ("started_at", "bigint")],
    key: &[],
};

/// The condition that an address is suppressed for a message.
const IS_SUPPRESSED: &str = "EXISTS (SELECT 1 FROM suppression s WHERE s.project_id = message.project_id \
     AND s.channel = message.channel AND s.address_key = message.address_key \
     AND (s.scope <> 0 OR NOT message.is_transactional))";

/// What is written together with the events that tell of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Effects {
    /// Messages that were asked for.
    pub(crate) queued: Vec<Message>,
    /// What they send, by its hash.
    pub(crate) payloads: HashMap<String, String>,
    /// What became of messages that were claimed.
    pub(crate) settled: Vec<Settled>,
    /// Addresses not to be contacted any more.
    pub(crate) suppressed: Vec<Suppression>,
}

/// What became of a message that was claimed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Settled {
    /// The message.
    pub(crate) id: Uuid,
    /// The claim. Under an earlier one nothing is written.
    pub(crate) epoch: i64,
    /// When it was known.
    pub(crate) at: Timestamp,
    /// The channel's word, as a slug.
    pub(crate) outcome: &'static str,
    /// What the channel said besides.
    pub(crate) detail: String,
    /// What follows.
    pub(crate) next: Next,
}

/// What follows for a message.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Next {
    /// It is sent again, later.
    Again { due_at: Timestamp },
    /// It has come to its end.
    End { state: MessageState, reason: String, provider_id: Option<String> },
}

/// A message that a sender has claimed.
#[derive(Clone, Debug)]
pub(crate) struct Claimed {
    pub(crate) message: Message,
    /// Whether its address must not be contacted.
    pub(crate) is_suppressed: bool,
}

impl Effects {
    /// Whether there is nothing to write.
    pub(crate) fn is_empty(&self) -> bool {
        self.queued.is_empty() && self.settled.is_empty() && self.suppressed.is_empty()
    }

    /// Writes them.
    ///
    /// # Errors
    ///
    /// [`StoreError::Conflict`] if a message is there already.
    pub(crate) async fn write(&self, db: &impl ConnectionTrait) -> Result<(), StoreError> {
        if !self.queued.is_empty() {
            PAYLOAD.rows(db, lists(self.payloads.iter())?).await?;
            MESSAGE.rows(db, lists(self.queued.iter().map(row))?).await?;
        }
        for settled in &self.settled {
            settled.write(db).await?;
        }
        for suppression in &self.suppressed {
            suppressions::add(db, suppression).await?;
        }
        Ok(())
    }
}

fn row(message: &Message) -> serde_json::Value {
    serde_json::json!([
        message.id,
        PROJECT,
        message.request.request,
        message.request.sha256,
        message.request.position,
        message.facts.channel,
        message.purpose == Purpose::Transactional,
        message.unit,
        message.address_json,
        message.address_key,
        message.payload_sha256,
        serde_json::json!(message.fields).to_string(),
        message.collapse_key,
        serde_json::json!(message.facts).to_string(),
        message.exposure.as_ref().map(|exposure| serde_json::json!(exposure).to_string()),
        message.state.as_str(),
        message.reason,
        message.epoch,
        message.attempts,
        message.due_at.as_micros(),
        message.expires_at.as_micros(),
        message.created_at.as_micros(),
        message.updated_at.as_micros(),
    ])
}

impl Settled {
    async fn write(&self, db: &impl ConnectionTrait) -> Result<(), StoreError> {
        let (state, reason, due_at, provider_id) = match &self.next {
            Next::Again { due_at } => (MessageState::Queued, self.outcome, Some(due_at.as_micros()), &None),
            Next::End { state, reason, provider_id } => (*state, reason.as_str(), None, provider_id),
        };
        let sql = "UPDATE message SET state = $1, reason = $2, due_at = COALESCE($3, due_at), \
             provider_id = COALESCE($4, provider_id), updated_at = $5, lease_until = NULL \
             WHERE id = $6 AND epoch = $7 AND state IN ('claimed', 'begun')";
        let values = [
            state.as_str().into(),
            reason.into(),
            Value::BigInt(due_at),
            provider_id.clone().into(),
            self.at.as_micros().into(),
            self.id.to_string().into(),
            self.epoch.into(),
        ];
        execute(db, sql, values).await?;
        let sql = "UPDATE attempt SET ended_at = $1, outcome = $2, detail = $3 \
             WHERE message_id = $4 AND epoch <= $5 AND ended_at IS NULL";
        let values = [
            self.at.as_micros().into(),
            self.outcome.into(),
            self.detail.as_str().into(),
            self.id.to_string().into(),
            self.epoch.into(),
        ];
        execute(db, sql, values).await?;
        Ok(())
    }
}

/// Claims messages of a channel that are due, at most `limit`, until `lease_until`. Nobody else has them meanwhile.
pub(crate) async fn claim(
    store: &Store,
    channel: &str,
    limit: usize,
    (now, lease_until): (Timestamp, Timestamp),
) -> Result<Vec<Claimed>, StoreError> {
    let transaction = store.begin().await?;
    let backend = transaction.get_database_backend();
    let locked = if backend == DbBackend::Postgres { "FOR UPDATE SKIP LOCKED" } else { "" };
    let sql = format!(
        "UPDATE message SET state = 'claimed', epoch = epoch + 1, lease_until = $1, updated_at = $2 \
         WHERE id IN (SELECT id FROM message WHERE channel = $3 AND state = 'queued' AND due_at <= $2 \
         ORDER BY due_at LIMIT {limit} {locked}) RETURNING id, {IS_SUPPRESSED} AS is_suppressed"
    );
    let values = [lease_until.as_micros().into(), now.as_micros().into(), channel.into()];
    let rows = transaction.query_all_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let mut suppressed = HashSet::new();
    let mut ids = Vec::with_capacity(rows.len());
    for row in rows {
        let id: String = row.try_get_by_index(0)?;
        if row.try_get_by_index::<bool>(1)? {
            suppressed.insert(id.clone());
        }
        ids.push(id);
    }
    let found = message::Entity::find().filter(message::Column::Id.is_in(ids)).all(&transaction).await?;
    let attempts = found.iter().map(|row| (&row.id, row.epoch, now.as_micros()));
    ATTEMPT.rows(&transaction, lists(attempts)?).await?;
    let mut claimed = Vec::with_capacity(found.len());
    for row in found {
        let is_suppressed = suppressed.contains(&row.id);
        claimed.push(Claimed { message: row.try_into()?, is_suppressed });
    }
    transaction.commit().await?;
    claimed.sort_by_key(|claimed| claimed.message.due_at);
    Ok(claimed)
}

/// Notes that messages may leave from now on, each under its claim, and says of each whether it may: nobody else has
/// it, and nobody has asked meanwhile not to be contacted.
pub(crate) async fn begin(
    store: &Store,
    messages: &[(Uuid, i64)],
    now: Timestamp,
) -> Result<Vec<bool>, StoreError> {
    let transaction = store.begin().await?;
    let sql = format!(
        "UPDATE message SET state = 'begun', attempts = attempts + 1, begun_at = COALESCE(begun_at, $1), \
         updated_at = $1 WHERE id = $2 AND epoch = $3 AND state = 'claimed' AND NOT {IS_SUPPRESSED}"
    );
    let mut may_leave = Vec::with_capacity(messages.len());
    for (id, epoch) in messages {
        let values = [now.as_micros().into(), id.to_string().into(), (*epoch).into()];
        let is_ours = execute(&transaction, &sql, values).await? == 1;
        if is_ours {
            let sql = "UPDATE attempt SET begun_at = $1 WHERE message_id = $2 AND epoch = $3";
            let values = [now.as_micros().into(), id.to_string().into(), (*epoch).into()];
            execute(&transaction, sql, values).await?;
        }
        may_leave.push(is_ours);
    }
    transaction.commit().await?;
    Ok(may_leave)
}

/// Takes over what was claimed until before `now`: what cannot have left goes back into the queue; what may have
/// left is claimed anew until `lease_until` and returned.
pub(crate) async fn take_over(
    store: &Store,
    (now, lease_until): (Timestamp, Timestamp),
    lapsed_before: Timestamp,
) -> Result<Vec<Message>, StoreError> {
    let transaction = store.begin().await?;
    let backend = transaction.get_database_backend();
    let sql = "UPDATE message SET state = 'queued', lease_until = NULL, updated_at = $1 \
         WHERE state = 'claimed' AND lease_until < $2";
    execute(&transaction, sql, [now.as_micros().into(), lapsed_before.as_micros().into()]).await?;
    let sql = "UPDATE message SET epoch = epoch + 1, lease_until = $1, updated_at = $2 \
         WHERE state = 'begun' AND lease_until < $3 RETURNING id";
    let values = [lease_until.as_micros().into(), now.as_micros().into(), lapsed_before.as_micros().into()];
    let rows = transaction.query_all_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
    let ids = rows.iter().map(|row| row.try_get_by_index(0)).collect::<Result<Vec<String>, _>>()?;
    let mut taken = Vec::with_capacity(ids.len());
    // Parameters of one statement are limited.
    for ids in ids.chunks(500) {
        let ids = message::Column::Id.is_in(ids.iter().map(String::as_str));
        for row in message::Entity::find().filter(ids).all(&transaction).await? {
            taken.push(row.try_into()?);
        }
    }
    transaction.commit().await?;
    Ok(taken)
}

/// Gives up the messages that wait for channels that are gone. However many wait, it only looks up for which channels.
pub(crate) async fn abandon(db: &impl ConnectionTrait, now: Timestamp) -> Result<(), StoreError> {
    let sql = "WITH RECURSIVE waiting(channel) AS (\
         SELECT MIN(channel) FROM message WHERE state = 'queued' UNION ALL \
         SELECT (SELECT MIN(channel) FROM message WHERE state = 'queued' AND channel > waiting.channel) \
         FROM waiting WHERE waiting.channel IS NOT NULL) \
         UPDATE message SET state = 'skipped', reason = 'channel_removed', updated_at = $1 \
         WHERE state = 'queued' AND project_id = $2 AND channel IN (SELECT waiting.channel FROM waiting WHERE NOT EXISTS (\
         SELECT 1 FROM channel WHERE channel.project_id = $2 AND channel.key = waiting.channel))";
    execute(db, sql, [now.as_micros().into(), PROJECT.into()]).await?;
    Ok(())
}

/// What a channel made of a content, as JSON.
pub(crate) async fn payload(db: &impl ConnectionTrait, sha256: &str) -> Result<Option<String>, StoreError> {
    let sql = "SELECT payload FROM payload WHERE sha256 = $1";
    let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, [sha256.into()]);
    let row = db.query_one_raw(statement).await?;
    Ok(row.map(|row| row.try_get_by_index(0)).transpose()?)
}

/// Counts the messages that wait, are claimed or begun.
pub(crate) async fn pending(db: &impl ConnectionTrait) -> Result<i64, StoreError> {
    let sql = "SELECT COUNT(*) FROM message WHERE state IN ('queued', 'claimed', 'begun')";
    let row = db.query_one_raw(Statement::from_string(db.get_database_backend(), sql)).await?;
    row.map_or(Ok(0), |row| Ok(row.try_get_by_index(0)?))
}

async fn execute<const N: usize>(
    db: &impl ConnectionTrait,
    sql: &str,
    values: [Value; N],
) -> Result<u64, StoreError> {
    let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, values);
    Ok(db.execute_raw(statement).await?.rows_affected())
}
