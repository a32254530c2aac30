//! The event log: appended to, and read by message id, unit and order.

use super::bulk::{Insert, among, lists};
use super::{PROJECT, StoreError};
use podium_core::projection::{OrderBook, StoredEvent, Trust};
use podium_core::time::Timestamp;
use sea_orm::{ConnectionTrait, QueryResult, Statement};
use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

const COLUMNS: &str =
    "message_id, name, unit, order_id, trust, event_time, sighting, body, is_known, other_id";
/// How many they are.
const N_COLUMNS: usize = 10;

const APPEND: Insert<'static> = Insert {
    table: "event_log",
    columns: &[
        ("project_id", "bigint"),
        ("message_id", "text"),
        ("name", "text"),
        ("unit", "text"),
        ("order_id", "text"),
        ("trust", "smallint"),
        ("event_time", "bigint"),
        ("received_at", "bigint"),
        ("sighting", "text"),
        ("body", "text"),
        ("is_known", "smallint"),
        ("other_id", "text"),
    ],
    key: &[],
};

/// Appends events that are not in the log yet.
pub(crate) async fn append(
    db: &impl ConnectionTrait,
    events: &[Arc<StoredEvent>],
    received_at: Timestamp,
) -> Result<(), StoreError> {
    let rows = events.iter().map(|event| {
        let sighting = event.sighting.and_then(|sighting| serde_json::to_string(&sighting).ok());
        (
            PROJECT,
            &event.message_id,
            &event.name,
            &event.unit,
            &event.order_id,
            event.trust as i16,
            event.time.as_micros(),
            received_at.as_micros(),
            sighting,
            &event.body,
            i16::from(event.is_known),
            &event.other_id,
        )
    });
    APPEND.rows(db, lists(rows)?).await
}

/// Those of `message_ids` that are in the log, each with a digest of what it says.
pub(crate) async fn known<'a>(
    db: &impl ConnectionTrait,
    message_ids: impl Iterator<Item = &'a str>,
) -> Result<HashMap<Box<str>, u64>, StoreError> {
    let backend = db.get_database_backend();
    let list = json_list(message_ids);
    if list == "[]" {
        return Ok(HashMap::new());
    }
    let named = among(backend, "event_log", "message_id");
    let sql = format!("SELECT message_id, name, unit, body FROM {named}");
    let rows =
        db.query_all_raw(Statement::from_sql_and_values(backend, sql, [PROJECT.into(), list.into()])).await?;
    let known = |row: &QueryResult| {
        let text = |index| row.try_get_by_index::<String>(index);
        Ok((text(0)?.into(), digest([&text(1)?, &text(2)?, &text(3)?])))
    };
    rows.iter().map(known).collect()
}

/// What tells two events with the same message id apart: not their times, which depend on when they came.
pub(crate) fn digest(said: [&str; 3]) -> u64 {
    let mut hasher = DefaultHasher::new();
    said.hash(&mut hasher);
    hasher.finish()
}

/// Those of some ids under which a known user sent an event up to `until`.
pub(crate) async fn users<'a>(
    db: &impl ConnectionTrait,
    ids: impl Iterator<Item = &'a str>,
    until: i64,
) -> Result<HashSet<Box<str>>, StoreError> {
    let list = json_list(ids);
    if list == "[]" {
        return Ok(HashSet::new());
    }
    let backend = db.get_database_backend();
    let named = among(backend, "event_log", "unit");
    let sql = format!("SELECT DISTINCT unit FROM {named} AND is_known = 1 AND seq <= $3");
    let values = [PROJECT.into(), list.into(), until.into()];
    let rows = db.query_all_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
    rows.iter().map(|row| Ok(row.try_get_by_index::<String>(0)?.into())).collect()
}

/// The units after `after` in the order of their ids.
pub(crate) async fn units(
    db: &impl ConnectionTrait,
    after: &str,
    limit: u32,
) -> Result<Vec<Box<str>>, StoreError> {
    let sql = format!(
        "SELECT DISTINCT unit FROM event_log WHERE project_id = $1 AND unit > $2 ORDER BY unit LIMIT {limit}"
    );
    let values = [PROJECT.into(), after.into()];
    let rows =
        db.query_all_raw(Statement::from_sql_and_values(db.get_database_backend(), sql, values)).await?;
    rows.iter().map(|row| Ok(row.try_get_by_index::<String>(0)?.into())).collect()
}

/// Everything in the log that says something of two ids, in the order in which it came.
pub(crate) async fn of_two_ids(db: &impl ConnectionTrait) -> Result<Vec<StoredEvent>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM event_log WHERE project_id = $1 AND other_id IS NOT NULL ORDER BY seq"
    );
    let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, [PROJECT.into()]);
    db.query_all_raw(statement).await?.iter().map(from_row).collect()
}

/// A position behind every event there will be.
pub(crate) const END: i64 = i64::MAX;

/// Everything in the log up to `until` about the orders that are named.
pub(crate) async fn orders<'a>(
    db: &impl ConnectionTrait,
    order_ids: impl Iterator<Item = &'a str>,
    until: i64,
) -> Result<OrderBook, StoreError> {
    let mut book = OrderBook::new();
    for event in select(db, "order_id", order_ids, until).await? {
        if let Some(order_id) = event.order_id.clone() {
            book.entry(order_id).or_default().push(event);
        }
    }
    Ok(book)
}

/// Everything in the log up to `until` of the units that are named.
pub(crate) async fn histories<'a>(
    db: &impl ConnectionTrait,
    units: impl Iterator<Item = &'a str>,
    until: i64,
) -> Result<Vec<Arc<StoredEvent>>, StoreError> {
    select(db, "unit", units, until).await
}

/// The next events after `seq`, at most `limit`, each with its position.
pub(crate) async fn after(
    db: &impl ConnectionTrait,
    seq: i64,
    limit: u32,
) -> Result<Vec<(i64, StoredEvent)>, StoreError> {
    let sql = format!("SELECT {COLUMNS}, seq FROM event_log WHERE seq > $1 ORDER BY seq LIMIT {limit}");
    let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, [seq.into()]);
    let rows = db.query_all_raw(statement).await?;
    rows.iter().map(|row| Ok((row.try_get_by_index(N_COLUMNS)?, from_row(row)?))).collect()
}

/// One event by its message id, with the time it was received.
pub(crate) async fn find(
    db: &impl ConnectionTrait,
    message_id: &str,
) -> Result<Option<(StoredEvent, Timestamp)>, StoreError> {
    if message_id.contains('\0') {
        return Ok(None);
    }
    let sql =
        format!("SELECT {COLUMNS}, received_at FROM event_log WHERE project_id = $1 AND message_id = $2");
    let values = [PROJECT.into(), message_id.into()];
    let row =
        db.query_one_raw(Statement::from_sql_and_values(db.get_database_backend(), sql, values)).await?;
    row.map(|row| Ok((from_row(&row)?, Timestamp::from_micros(row.try_get_by_index(N_COLUMNS)?)))).transpose()
}

/// The number of events in the log.
pub(crate) async fn count(db: &impl ConnectionTrait) -> Result<i64, StoreError> {
    let statement = Statement::from_string(db.get_database_backend(), "SELECT COUNT(*) FROM event_log");
    let row = db.query_one_raw(statement).await?;
    row.map_or(Ok(0), |row| Ok(row.try_get_by_index(0)?))
}

async fn select<'a>(
    db: &impl ConnectionTrait,
    column: &str,
    texts: impl Iterator<Item = &'a str>,
    until: i64,
) -> Result<Vec<Arc<StoredEvent>>, StoreError> {
    let backend = db.get_database_backend();
    let texts: HashSet<&str> = texts.collect();
    let list = json_list(texts.into_iter());
    if list == "[]" {
        return Ok(Vec::new());
    }
    let named = among(backend, "event_log", column);
    let sql = format!("SELECT {COLUMNS} FROM {named} AND seq <= $3");
    let values = [PROJECT.into(), list.into(), until.into()];
    let rows = db.query_all_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
    rows.iter().map(|row| from_row(row).map(Arc::new)).collect()
}

/// Who said it, as a column has it.
pub(super) fn trust(number: i16) -> Trust {
    if number == 0 { Trust::Server } else { Trust::Publishable }
}

fn from_row(row: &QueryResult) -> Result<StoredEvent, StoreError> {
    let message_id: String = row.try_get_by_index(0)?;
    let sighting: Option<String> = row.try_get_by_index(6)?;
    let sighting = sighting.map(|json| serde_json::from_str(&json)).transpose();
    let trust = trust(row.try_get_by_index(4)?);
    Ok(StoredEvent {
        name: row.try_get_by_index::<String>(1)?.into(),
        unit: row.try_get_by_index::<String>(2)?.into(),
        order_id: row.try_get_by_index::<Option<String>>(3)?.map(Into::into),
        trust,
        time: Timestamp::from_micros(row.try_get_by_index(5)?),
        sighting: sighting
            .map_err(|error| StoreError::Corrupt(format!("sighting of {message_id}: {error}")))?,
        body: row.try_get_by_index::<String>(7)?.into(),
        is_known: row.try_get_by_index::<i16>(8)? != 0,
        other_id: row.try_get_by_index::<Option<String>>(9)?.map(Into::into),
        message_id: message_id.into(),
    })
}

/// A JSON list of texts.
fn json_list<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    texts.collect::<serde_json::Value>().to_string()
}

/// The last position in the log, and when the event there happened.
pub(crate) async fn watermark(db: &impl ConnectionTrait) -> Result<(i64, Option<Timestamp>), StoreError> {
    let sql = "SELECT seq, event_time FROM event_log ORDER BY seq DESC LIMIT 1";
    let row = db.query_one_raw(Statement::from_string(db.get_database_backend(), sql)).await?;
    row.map_or(Ok((0, None)), |row| {
        Ok((row.try_get_by_index(0)?, Some(Timestamp::from_micros(row.try_get_by_index(1)?))))
    })
}
