//! The last events that clients sent and we took, so that nobody has to guess what arrived.

use super::{PROJECT, StoreError};
use podium_core::projection::Trust;
use podium_core::time::Timestamp;
use sea_orm::{ConnectionTrait, Statement, Value};

/// How many can be looked at; the log has them all.
const SHOWN: u32 = 1_000;

/// An event that was taken.
#[derive(Clone, Debug)]
pub(crate) struct SentEvent {
    /// Its position in the log.
    pub(crate) seq: i64,
    /// Its id.
    pub(crate) message_id: String,
    /// Its name, or its type for what is no track call.
    pub(crate) name: String,
    /// Whose it is.
    pub(crate) unit: String,
    /// Another id of the same person.
    pub(crate) other_id: Option<String>,
    /// Who said it.
    pub(crate) trust: Trust,
    /// When it happened.
    pub(crate) time: Timestamp,
    /// When it was written.
    pub(crate) received_at: Timestamp,
}

/// Events before position `before` among the last 1,000, newest first.
///
/// - `name`: only those with this name, or of this type.
pub(crate) async fn page(
    db: &impl ConnectionTrait,
    name: Option<&str>,
    before: Option<i64>,
    limit: u64,
) -> Result<Vec<SentEvent>, StoreError> {
    let mut values: Vec<Value> = vec![PROJECT.into(), before.unwrap_or(i64::MAX).into()];
    let mut named = "";
    if let Some(name) = name {
        values.push(name.into());
        named = "AND name = $3";
    }
    let columns = "seq, message_id, name, unit, trust, event_time, received_at, other_id";
    // Other events of our own are few, and need no index.
    let sql = format!(
        "SELECT {columns} FROM (SELECT {columns} FROM event_log WHERE project_id = $1 AND name <> '$decision' \
         ORDER BY seq DESC LIMIT {SHOWN}) AS shown WHERE seq < $2 AND name NOT LIKE '$%' {named} ORDER BY seq DESC LIMIT {limit}"
    );
    let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, values);
    let rows = db.query_all_raw(statement).await?;
    let event = |row: &sea_orm::QueryResult| {
        Ok(SentEvent {
            seq: row.try_get_by_index(0)?,
            message_id: row.try_get_by_index(1)?,
            name: row.try_get_by_index(2)?,
            unit: row.try_get_by_index(3)?,
            trust: super::log::trust(row.try_get_by_index(4)?),
            time: Timestamp::from_micros(row.try_get_by_index(5)?),
            received_at: Timestamp::from_micros(row.try_get_by_index(6)?),
            other_id: row.try_get_by_index(7)?,
        })
    };
    rows.iter().map(event).collect()
}
