//! What the fold was made with, and how far each metric has been read.

use super::StoreError;
use super::bulk::{Insert, lists};
use podium_core::id::MetricId;
use podium_core::time::Timestamp;
use sea_orm::{ConnectionTrait, Statement};
use std::collections::BTreeMap;

/// What the fold makes of the log. A release that makes more of it has the next number, and folds the log anew.
///
/// 1, of which no note was made: placements and sums. 2: histories, tails, and when a metric last read something. 3:
/// persons.
const FOLD: &str = "3";

/// The name under which it is noted.
const NAME: &str = "fold";

/// Whether what is there was made by this revision of the fold.
pub(crate) async fn is_current(db: &impl ConnectionTrait) -> Result<bool, StoreError> {
    Ok(get(db, NAME).await?.is_some_and(|value| value == FOLD))
}

/// What is noted under a name.
pub(crate) async fn get(db: &impl ConnectionTrait, name: &str) -> Result<Option<String>, StoreError> {
    let sql = "SELECT value FROM bookmark WHERE name = $1";
    let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, [name.into()]);
    let row = db.query_one_raw(statement).await?;
    Ok(row.map(|row| row.try_get_by_index::<String>(0)).transpose()?)
}

/// Notes that what is there was made by this revision of the fold.
pub(crate) async fn note_current(db: &impl ConnectionTrait) -> Result<(), StoreError> {
    put(db, NAME, FOLD).await
}

/// Notes something under a name.
pub(crate) async fn put(db: &impl ConnectionTrait, name: &str, value: &str) -> Result<(), StoreError> {
    let columns = &[("name", "text"), ("value", "text")];
    let bookmark = Insert { table: "bookmark", columns, key: &["name"] };
    bookmark.rows(db, lists(std::iter::once((name, value)))?).await
}

const NEWEST: Insert<'static> = Insert {
    table: "metric_newest",
    columns: &[("metric_id", "bigint"), ("event_time", "bigint")],
    key: &["metric_id"],
};

/// Notes when the newest event happened that each metric reads.
pub(crate) async fn put_newest(
    db: &impl ConnectionTrait,
    newest: &BTreeMap<MetricId, Timestamp>,
) -> Result<(), StoreError> {
    let rows = newest.iter().map(|(metric, at)| (metric.0, at.as_micros()));
    NEWEST.rows(db, lists(rows)?).await
}

/// When the newest event happened that each metric reads.
pub(crate) async fn newest(db: &impl ConnectionTrait) -> Result<BTreeMap<MetricId, Timestamp>, StoreError> {
    let sql = format!("SELECT {} FROM metric_newest", NEWEST.names());
    let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await?;
    let row = |row: &sea_orm::QueryResult| {
        Ok((MetricId(row.try_get_by_index(0)?), Timestamp::from_micros(row.try_get_by_index(1)?)))
    };
    rows.iter().map(row).collect()
}
