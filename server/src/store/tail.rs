//! The largest values of units, by metric.

use super::StoreError;
use super::bulk::{Insert, lists};
use podium_core::id::ExperimentId;
use podium_core::projection::{Stratum, TailKey, TailRow};
use podium_core::time::Timestamp;
use sea_orm::{ConnectionTrait, QueryResult, Statement};
use std::collections::BTreeMap;

const TAIL: Insert<'static> = Insert {
    table: "unit_tail",
    columns: &[
        ("experiment_id", "bigint"),
        ("slot", "integer"),
        ("numerator", "bigint"),
        ("unit", "text"),
        ("variant", "integer"),
        ("stratum", "bigint"),
        ("bucket", "bigint"),
        ("denominator", "bigint"),
        ("history", "bigint"),
    ],
    key: &["experiment_id", "slot", "numerator", "unit"],
};

/// Writes where units count now; `None` takes one away.
pub(crate) async fn put(
    db: &impl ConnectionTrait,
    changed: &[(TailKey, Option<TailRow>)],
) -> Result<(), StoreError> {
    let key = |key: &TailKey| (key.experiment.0, key.metric_idx, key.numerator, key.unit.to_string());
    let gone = changed.iter().filter(|(_, row)| row.is_none()).map(|(gone, _)| key(gone));
    TAIL.remove(db, lists(gone)?).await?;
    let there = changed.iter().filter_map(|(key, row)| {
        let row = row.as_ref()?;
        Some((
            key.experiment.0,
            key.metric_idx,
            key.numerator,
            &*key.unit,
            row.variant_idx,
            row.stratum.to_i64(),
            row.bucket.as_micros(),
            row.denominator,
            row.history,
        ))
    });
    TAIL.rows(db, lists(there)?).await
}

/// Everything there is.
pub(crate) async fn all(db: &impl ConnectionTrait) -> Result<BTreeMap<TailKey, TailRow>, StoreError> {
    let sql = format!("SELECT {} FROM unit_tail", TAIL.names());
    let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await?;
    let row = |row: &QueryResult| {
        let key = TailKey {
            experiment: ExperimentId(row.try_get_by_index(0)?),
            metric_idx: row.try_get_by_index::<i32>(1)? as u16,
            numerator: row.try_get_by_index(2)?,
            unit: row.try_get_by_index::<String>(3)?.into(),
        };
        Ok((key, tail_row(row, 4)?))
    };
    rows.iter().map(row).collect()
}

/// The units with the largest numerators of a metric, from the largest down.
pub(crate) async fn largest(
    db: &impl ConnectionTrait,
    (experiment, metric_idx): (ExperimentId, u16),
    limit: u64,
) -> Result<Vec<(i64, TailRow)>, StoreError> {
    let sql = "SELECT numerator, variant, stratum, bucket, denominator, history FROM unit_tail \
               WHERE experiment_id = $1 AND slot = $2 ORDER BY numerator DESC, unit DESC LIMIT $3";
    let values = [experiment.0.into(), i32::from(metric_idx).into(), limit.cast_signed().into()];
    let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, values);
    let rows = db.query_all_raw(statement).await?;
    rows.iter().map(|row| Ok((row.try_get_by_index(0)?, tail_row(row, 1)?))).collect()
}

fn tail_row(row: &QueryResult, first_column: usize) -> Result<TailRow, StoreError> {
    Ok(TailRow {
        variant_idx: row.try_get_by_index::<i32>(first_column)? as u16,
        stratum: Stratum::from_i64(row.try_get_by_index(first_column + 1)?),
        bucket: Timestamp::from_micros(row.try_get_by_index(first_column + 2)?),
        denominator: row.try_get_by_index(first_column + 3)?,
        history: row.try_get_by_index(first_column + 4)?,
    })
}
