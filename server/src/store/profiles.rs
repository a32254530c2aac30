//! What is known of each person, folded from the log.

use super::bulk::{Insert, among, lists};
use super::{PROJECT, StoreError};
use crate::shoppers::Known;
use podium_core::time::Timestamp;
use sea_orm::{ConnectionTrait, QueryResult, Statement, Value};
use serde_json::json;
use std::collections::BTreeSet;

const PROFILE: Insert<'static> = Insert {
    table: "profile",
    columns: &[("project_id", "bigint"), ("person", "text"), ("due_at", "bigint"), ("body", "text")],
    key: &["project_id", "person"],
};

/// A person's id, and what is known of them.
pub(crate) type Row = (Box<str>, Known);

/// What is known of some persons; of some perhaps nothing.
pub(crate) async fn find(db: &impl ConnectionTrait, persons: &[&str]) -> Result<Vec<Row>, StoreError> {
    if persons.is_empty() {
        return Ok(Vec::new());
    }
    let backend = db.get_database_backend();
    let persons: BTreeSet<&str> = persons.iter().copied().collect();
    let sql = format!("SELECT person, due_at, body FROM {}", among(backend, "profile", "person"));
    let values = [PROJECT.into(), json!(persons).to_string().into()];
    rows(&db.query_all_raw(Statement::from_sql_and_values(backend, sql, values)).await?)
}

/// Persons whose audiences may be others by now, the longest due first.
pub(crate) async fn due(
    db: &impl ConnectionTrait,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<Row>, StoreError> {
    let sql = format!(
        "SELECT person, due_at, body FROM profile WHERE project_id = $1 AND due_at <= $2 ORDER BY due_at LIMIT {limit}"
    );
    let values: [Value; 2] = [PROJECT.into(), now.as_micros().into()];
    rows(&db.query_all_raw(Statement::from_sql_and_values(db.get_database_backend(), sql, values)).await?)
}

/// The persons after `after` in the order of their ids.
pub(crate) async fn page(db: &impl ConnectionTrait, after: &str, limit: u32) -> Result<Vec<Row>, StoreError> {
    let sql = format!(
        "SELECT person, due_at, body FROM profile WHERE project_id = $1 AND person > $2 ORDER BY person LIMIT {limit}"
    );
    let values: [Value; 2] = [PROJECT.into(), after.into()];
    rows(&db.query_all_raw(Statement::from_sql_and_values(db.get_database_backend(), sql, values)).await?)
}

fn rows(rows: &[QueryResult]) -> Result<Vec<Row>, StoreError> {
    let row = |row: &QueryResult| {
        let person: String = row.try_get_by_index(0)?;
        let due_at: Option<i64> = row.try_get_by_index(1)?;
        let body: String = row.try_get_by_index(2)?;
        let mut known: Known = serde_json::from_str(&body)
            .map_err(|error| StoreError::Corrupt(format!("profile of `{person}`: {error}")))?;
        known.due_at = due_at.map(Timestamp::from_micros);
        Ok((person.into(), known))
    };
    rows.iter().map(row).collect()
}

/// Writes what is known of persons, replacing what was.
pub(crate) async fn put<'a>(
    db: &impl ConnectionTrait,
    persons: impl Iterator<Item = (&'a str, &'a Known)>,
) -> Result<(), StoreError> {
    let rows = persons.map(|(person, known)| {
        let body = serde_json::to_string(known).unwrap_or_default();
        (PROJECT, person, known.due_at.map(Timestamp::as_micros), body)
    });
    PROFILE.rows(db, lists(rows)?).await
}

/// Removes persons whose ids are another's now.
pub(crate) async fn remove(db: &impl ConnectionTrait, persons: &[Box<str>]) -> Result<(), StoreError> {
    PROFILE.remove(db, lists(persons.iter().map(|person| (PROJECT, person)))?).await
}
