//! Audiences, the questions about past events that conditions ask, and who entered and left.

use super::bulk::{Insert, lists};
use super::{PROJECT, StoreError};
use podium_core::audience::{Condition, EventLeaf};
use podium_core::id::{AudienceId, AudienceKey, LeafId};
use podium_core::time::Timestamp;
use sea_orm::{ConnectionTrait, QueryResult, Statement, Value};
use std::collections::HashMap;
use std::fmt::Write as _;

/// A named condition.
#[derive(Clone, Debug)]
pub(crate) struct Audience {
    /// As the store numbers it.
    pub(crate) id: AudienceId,
    /// Its name in conditions.
    pub(crate) key: AudienceKey,
    /// What people read.
    pub(crate) name: Option<String>,
    /// Who is in it.
    pub(crate) condition: Condition,
    /// Counts changes; its `ETag`.
    pub(crate) revision: i64,
    /// When it was made.
    pub(crate) created_at: Timestamp,
    /// When it was changed last.
    pub(crate) updated_at: Timestamp,
}

/// That somebody entered an audience or left it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Move {
    /// Which audience.
    pub(crate) audience: AudienceId,
    /// Who.
    pub(crate) person: Box<str>,
    /// Whether they entered.
    pub(crate) entered: bool,
    /// When.
    pub(crate) at: Timestamp,
}

const MOVE: Insert<'static> = Insert {
    table: "audience_move",
    columns: &[
        ("project_id", "bigint"),
        ("audience_id", "bigint"),
        ("person", "text"),
        ("entered", "smallint"),
        ("moved_at", "bigint"),
    ],
    key: &[],
};

const COLUMNS: &str = "id, key, name, condition, revision, created_at, updated_at";

/// All audiences, in the order of their keys.
pub(crate) async fn all(db: &impl ConnectionTrait) -> Result<Vec<Audience>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM audience WHERE project_id = $1 ORDER BY key");
    query(db, &sql, vec![PROJECT.into()]).await?.iter().map(audience).collect()
}

fn audience(row: &QueryResult) -> Result<Audience, StoreError> {
    let key: String = row.try_get_by_index(1)?;
    let corrupt = |what: String| StoreError::Corrupt(format!("audience `{key}`: {what}"));
    let condition: String = row.try_get_by_index(3)?;
    let condition = serde_json::from_str(&condition).map_err(|error| corrupt(error.to_string()))?;
    Ok(Audience {
        id: AudienceId(row.try_get_by_index(0)?),
        name: row.try_get_by_index(2)?,
        condition: Condition::parse(&condition).map_err(|faults| corrupt(format!("{faults:?}")))?,
        revision: row.try_get_by_index(4)?,
        created_at: Timestamp::from_micros(row.try_get_by_index(5)?),
        updated_at: Timestamp::from_micros(row.try_get_by_index(6)?),
        key: AudienceKey::new(&key).map_err(|error| corrupt(error.to_string()))?,
    })
}

/// Writes a new audience, which gets its number.
pub(crate) async fn insert(db: &impl ConnectionTrait, audience: &mut Audience) -> Result<(), StoreError> {
    let sql = "INSERT INTO audience (project_id, key, name, condition, revision, created_at, updated_at) \
               VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id";
    let values = vec![
        PROJECT.into(),
        audience.key.as_str().into(),
        audience.name.clone().into(),
        audience.condition.to_value().to_string().into(),
        audience.revision.into(),
        audience.created_at.as_micros().into(),
        audience.updated_at.as_micros().into(),
    ];
    let rows = query(db, sql, values).await?;
    let row = rows.first().ok_or_else(|| StoreError::Corrupt("an audience without a number".to_owned()))?;
    audience.id = AudienceId(row.try_get_by_index(0)?);
    Ok(())
}

/// Writes a changed audience.
pub(crate) async fn update(db: &impl ConnectionTrait, audience: &Audience) -> Result<(), StoreError> {
    let sql = "UPDATE audience SET name = $2, condition = $3, revision = $4, updated_at = $5 WHERE id = $1";
    let values = vec![
        audience.id.0.into(),
        audience.name.clone().into(),
        audience.condition.to_value().to_string().into(),
        audience.revision.into(),
        audience.updated_at.as_micros().into(),
    ];
    execute(db, sql, values).await
}

/// Removes an audience and its history.
pub(crate) async fn remove(db: &impl ConnectionTrait, id: AudienceId) -> Result<(), StoreError> {
    execute(db, "DELETE FROM audience_move WHERE audience_id = $1", vec![id.0.into()]).await?;
    execute(db, "DELETE FROM audience WHERE id = $1", vec![id.0.into()]).await
}

/// The questions about past events, each with its number.
pub(crate) async fn leaves(db: &impl ConnectionTrait) -> Result<HashMap<EventLeaf, LeafId>, StoreError> {
    let rows =
        query(db, "SELECT id, leaf FROM audience_leaf WHERE project_id = $1", vec![PROJECT.into()]).await?;
    let leaf = |row: &QueryResult| {
        let text: String = row.try_get_by_index(1)?;
        let value: Option<serde_json::Value> = serde_json::from_str(&text).ok();
        let leaf = value.and_then(|value| EventLeaf::parse(&value).ok());
        let leaf =
            leaf.ok_or_else(|| StoreError::Corrupt(format!("a question about past events: {text}")))?;
        Ok((leaf, LeafId(row.try_get_by_index(0)?)))
    };
    rows.iter().map(leaf).collect()
}

/// Numbers questions that are not there yet; says whether there were any.
pub(crate) async fn add_leaves<'a>(
    db: &impl ConnectionTrait,
    leaves: impl Iterator<Item = &'a EventLeaf>,
) -> Result<bool, StoreError> {
    let texts: Vec<String> = leaves.map(EventLeaf::to_text).collect();
    let mut is_new = false;
    for text in texts {
        let sql = "INSERT INTO audience_leaf (project_id, leaf) VALUES ($1, $2) \
                   ON CONFLICT (project_id, leaf) DO NOTHING RETURNING id";
        is_new |= !query(db, sql, vec![PROJECT.into(), text.into()]).await?.is_empty();
    }
    Ok(is_new)
}

/// Notes who moved.
pub(crate) async fn note(db: &impl ConnectionTrait, moves: &[Move]) -> Result<(), StoreError> {
    let rows = moves
        .iter()
        .map(|one| (PROJECT, one.audience.0, &one.person, i16::from(one.entered), one.at.as_micros()));
    MOVE.rows(db, lists(rows)?).await
}

/// How many are in each audience, or in this one alone; those that nobody was ever in are not there.
pub(crate) async fn sizes(
    db: &impl ConnectionTrait,
    only: Option<AudienceId>,
) -> Result<HashMap<AudienceId, i64>, StoreError> {
    let mut values: Vec<Value> = vec![PROJECT.into()];
    values.extend(only.map(|id| Value::from(id.0)));
    let of_one = if only.is_some() { " AND audience_id = $2" } else { "" };
    let sql = format!(
        "SELECT audience_id, CAST(SUM(2 * entered - 1) AS bigint) FROM audience_move \
         WHERE project_id = $1{of_one} GROUP BY audience_id"
    );
    let rows = query(db, &sql, values).await?;
    rows.iter().map(|row| Ok((AudienceId(row.try_get_by_index(0)?), row.try_get_by_index(1)?))).collect()
}

/// The last moves of an audience or of a person before position `before`, the newest first, each with its position.
pub(crate) async fn moves(
    db: &impl ConnectionTrait,
    (audience, person): (Option<AudienceId>, Option<&str>),
    before: Option<i64>,
    limit: u64,
) -> Result<Vec<(i64, Move)>, StoreError> {
    let mut sql = "SELECT seq, audience_id, person, entered, moved_at FROM audience_move \
                   WHERE project_id = $1 AND seq < $2"
        .to_owned();
    let mut values: Vec<Value> = vec![PROJECT.into(), before.unwrap_or(i64::MAX).into()];
    if let Some(audience) = audience {
        values.push(audience.0.into());
        let _ = write!(sql, " AND audience_id = ${}", values.len());
    }
    if let Some(person) = person {
        values.push(person.into());
        let _ = write!(sql, " AND person = ${}", values.len());
    }
    let _ = write!(sql, " ORDER BY seq DESC LIMIT {limit}");
    let rows = query(db, &sql, values).await?;
    let one = |row: &QueryResult| {
        let moved = Move {
            audience: AudienceId(row.try_get_by_index(1)?),
            person: row.try_get_by_index::<String>(2)?.into(),
            entered: row.try_get_by_index::<i16>(3)? != 0,
            at: Timestamp::from_micros(row.try_get_by_index(4)?),
        };
        Ok((row.try_get_by_index(0)?, moved))
    };
    rows.iter().map(one).collect()
}

async fn query(
    db: &impl ConnectionTrait,
    sql: &str,
    values: Vec<Value>,
) -> Result<Vec<QueryResult>, StoreError> {
    Ok(db.query_all_raw(Statement::from_sql_and_values(db.get_database_backend(), sql, values)).await?)
}

async fn execute(db: &impl ConnectionTrait, sql: &str, values: Vec<Value>) -> Result<(), StoreError> {
    db.execute_raw(Statement::from_sql_and_values(db.get_database_backend(), sql, values)).await?;
    Ok(())
}
