//! What is folded from the log: placements of units and sums of variants.

use super::StoreError;
use super::bulk::Insert;
use podium_core::id::ExperimentId;
use podium_core::metric::VariantSums;
use podium_core::projection::{MetricSlot, Placement, StatKey, Stratum};
use podium_core::snapshot::Assignment;
use podium_core::time::Timestamp;
use sea_orm::{ConnectionTrait, QueryResult, Statement, Value};
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;
use xxhash_rust::xxh3::xxh3_64;

const PLACE: Insert<'static> = Insert {
    table: "unit_stat",
    columns: &[
        "experiment_id",
        "unit",
        "assigned_variant",
        "assigned_version",
        "assigned_propensity",
        "variant",
        "exposed_at",
        "stratum",
        "propensity",
        "metrics",
    ],
    suffix: "ON CONFLICT (experiment_id, unit) DO UPDATE SET \
             assigned_variant = excluded.assigned_variant, assigned_version = excluded.assigned_version, \
             assigned_propensity = excluded.assigned_propensity, variant = excluded.variant, \
             exposed_at = excluded.exposed_at, stratum = excluded.stratum, propensity = excluded.propensity, \
             metrics = excluded.metrics",
};

const SUM: Insert<'static> = Insert {
    table: "variant_stat",
    columns: &[
        "experiment_id",
        "slot",
        "stratum",
        "bucket",
        "variant",
        "n",
        "n_nonzero",
        "y",
        "d",
        "yy",
        "yd",
        "dd",
    ],
    suffix: "ON CONFLICT (experiment_id, slot, stratum, bucket, variant) DO UPDATE SET n = excluded.n, \
             n_nonzero = excluded.n_nonzero, y = excluded.y, d = excluded.d, yy = excluded.yy, \
             yd = excluded.yd, dd = excluded.dd",
};

/// Writes placements, replacing earlier ones.
pub(crate) async fn place(
    db: &impl ConnectionTrait,
    placements: &[(Box<str>, Placement)],
) -> Result<(), StoreError> {
    let mut values: Vec<Value> = Vec::with_capacity(placements.len() * PLACE.columns.len());
    for (unit, placement) in placements {
        let row = PlacementRow::from(placement);
        values.extend([
            placement.experiment.0.into(),
            unit.to_string().into(),
            row.assigned_variant.into(),
            row.assigned_version.into(),
            row.assigned_propensity.into(),
            row.variant.into(),
            row.exposed_at.into(),
            row.stratum.into(),
            row.propensity.into(),
            row.metrics.into(),
        ]);
    }
    PLACE.rows(db, values).await
}

/// A placement as its row has it.
#[derive(Debug)]
struct PlacementRow {
    assigned_variant: Option<i32>,
    assigned_version: Option<i32>,
    assigned_propensity: Option<f64>,
    variant: Option<i32>,
    exposed_at: Option<i64>,
    stratum: Option<i64>,
    propensity: Option<f64>,
    metrics: String,
}

impl From<&Placement> for PlacementRow {
    fn from(placement: &Placement) -> Self {
        let (assignment, exposure) = (placement.assignment, placement.exposure);
        Self {
            assigned_variant: assignment.map(|assignment| i32::from(assignment.variant_idx)),
            assigned_version: assignment.map(|assignment| assignment.version.cast_signed()),
            assigned_propensity: assignment.map(|assignment| assignment.propensity),
            variant: exposure.and_then(|exposure| exposure.variant_idx).map(i32::from),
            exposed_at: exposure.map(|exposure| exposure.at.as_micros()),
            stratum: exposure.map(|exposure| exposure.stratum.to_i64()),
            propensity: exposure.and_then(|exposure| exposure.propensity),
            metrics: metrics_json(placement),
        }
    }
}

impl PlacementRow {
    fn fingerprint(&self) -> u64 {
        xxh3_64(format!("{self:?}").as_bytes())
    }
}

/// A number that is other for every other placement.
pub(crate) fn fingerprint(placement: &Placement) -> u64 {
    PlacementRow::from(placement).fingerprint()
}

/// The fingerprints of all placements, by experiment and unit.
pub(crate) async fn fingerprints(
    db: &impl ConnectionTrait,
) -> Result<BTreeMap<(i64, Box<str>), u64>, StoreError> {
    let sql = format!("SELECT {} FROM unit_stat", PLACE.columns.join(", "));
    let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await?;
    let fingerprint = |row: &QueryResult| {
        let placed = PlacementRow {
            assigned_variant: row.try_get_by_index(2)?,
            assigned_version: row.try_get_by_index(3)?,
            assigned_propensity: row.try_get_by_index(4)?,
            variant: row.try_get_by_index(5)?,
            exposed_at: row.try_get_by_index(6)?,
            stratum: row.try_get_by_index(7)?,
            propensity: row.try_get_by_index(8)?,
            metrics: row.try_get_by_index(9)?,
        };
        let unit: String = row.try_get_by_index(1)?;
        Ok(((row.try_get_by_index(0)?, unit.into()), placed.fingerprint()))
    };
    rows.iter().map(fingerprint).collect()
}

/// `[[sums…, numerator, denominator]…]`, the value absent where the metric could not tell.
fn metrics_json(placement: &Placement) -> String {
    let mut json = String::from("[");
    for (metric_idx, metric) in placement.metrics.iter().enumerate() {
        json.push_str(if metric_idx == 0 { "[" } else { ",[" });
        let value = metric.value.map(|value| [value.numerator(), value.denominator()]);
        for (number_idx, number) in metric.sums.iter().copied().chain(value.into_iter().flatten()).enumerate()
        {
            let comma = if number_idx == 0 { "" } else { "," };
            let _ = write!(json, "{comma}{number}");
        }
        json.push(']');
    }
    json.push(']');
    json
}

/// Writes sums as absolute totals, replacing earlier ones.
pub(crate) async fn put_sums(
    db: &impl ConnectionTrait,
    totals: &[(StatKey, VariantSums)],
) -> Result<(), StoreError> {
    let mut values: Vec<Value> = Vec::with_capacity(totals.len() * SUM.columns.len());
    for (key, sums) in totals {
        values.extend([
            key.experiment.0.into(),
            slot_code(key.slot).into(),
            key.stratum.to_i64().into(),
            key.bucket.as_micros().into(),
            i32::from(key.variant_idx).into(),
            sums.n.into(),
            sums.n_nonzero.into(),
            sums.y.to_string().into(),
            sums.d.to_string().into(),
            sums.yy.to_string().into(),
            sums.yd.to_string().into(),
            sums.dd.to_string().into(),
        ]);
    }
    SUM.rows(db, values).await
}

/// All sums, or those of one experiment.
pub(crate) async fn sums(
    db: &impl ConnectionTrait,
    experiment: Option<ExperimentId>,
) -> Result<HashMap<StatKey, VariantSums>, StoreError> {
    let columns = SUM.columns.join(", ");
    let condition = if experiment.is_some() { "experiment_id = $1" } else { "n <> $1" };
    let sql = format!("SELECT {columns} FROM variant_stat WHERE {condition}");
    let value = experiment.map_or(0, |experiment| experiment.0);
    let rows = db
        .query_all_raw(Statement::from_sql_and_values(db.get_database_backend(), sql, [value.into()]))
        .await?;
    rows.iter().map(sums_from_row).collect()
}

/// Calls `each` with every assignment of the experiments that are named.
pub(crate) async fn assignments(
    db: &impl ConnectionTrait,
    experiment: ExperimentId,
    mut each: impl FnMut(&str, Assignment),
) -> Result<(), StoreError> {
    const PAGE: usize = 20_000;
    let sql = format!(
        "SELECT unit, assigned_variant, assigned_version, assigned_propensity FROM unit_stat \
         WHERE experiment_id = $1 AND unit > $2 AND assigned_variant IS NOT NULL ORDER BY unit LIMIT {PAGE}"
    );
    let mut last = String::new();
    loop {
        let values = [experiment.0.into(), last.clone().into()];
        let statement = Statement::from_sql_and_values(db.get_database_backend(), sql.clone(), values);
        let rows = db.query_all_raw(statement).await?;
        for row in &rows {
            let unit: String = row.try_get_by_index(0)?;
            let assignment = Assignment {
                variant_idx: row.try_get_by_index::<i32>(1)? as u16,
                version: row.try_get_by_index::<i32>(2)? as u32,
                propensity: row.try_get_by_index(3)?,
            };
            each(&unit, assignment);
            last = unit;
        }
        if rows.len() < PAGE {
            return Ok(());
        }
    }
}

/// Removes everything folded, before it is made again.
pub(crate) async fn clear(db: &impl ConnectionTrait) -> Result<(), StoreError> {
    for table in ["unit_stat", "variant_stat"] {
        db.execute_unprepared(&format!("DELETE FROM {table}")).await?;
    }
    Ok(())
}

fn slot_code(slot: MetricSlot) -> i32 {
    match slot {
        MetricSlot::Exposures => -1,
        MetricSlot::Quarantine => -2,
        MetricSlot::Metric(metric_idx) => i32::from(metric_idx),
    }
}

fn sums_from_row(row: &QueryResult) -> Result<(StatKey, VariantSums), StoreError> {
    let slot = match row.try_get_by_index::<i32>(1)? {
        -1 => MetricSlot::Exposures,
        -2 => MetricSlot::Quarantine,
        metric_idx => MetricSlot::Metric(metric_idx as u16),
    };
    let key = StatKey {
        experiment: ExperimentId(row.try_get_by_index(0)?),
        slot,
        stratum: Stratum::from_i64(row.try_get_by_index(2)?),
        bucket: Timestamp::from_micros(row.try_get_by_index(3)?),
        variant_idx: row.try_get_by_index::<i32>(4)? as u16,
    };
    let sum = |column_idx| {
        let text: String = row.try_get_by_index(column_idx)?;
        text.parse::<i128>().map_err(|_| StoreError::Corrupt(format!("sum `{text}` of {key:?}")))
    };
    let sums = VariantSums {
        n: row.try_get_by_index(5)?,
        n_nonzero: row.try_get_by_index(6)?,
        y: sum(7)?,
        d: sum(8)?,
        yy: sum(9)?,
        yd: sum(10)?,
        dd: sum(11)?,
    };
    Ok((key, sums))
}
