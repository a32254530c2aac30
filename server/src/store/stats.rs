//! What is folded from the log: placements of units and sums of variants.

use super::StoreError;
use super::bulk::{Insert, lists};
use podium_core::id::ExperimentId;
use podium_core::metric::VariantSums;
use podium_core::projection::{MetricSlot, Placement, StatKey, Stratum};
use podium_core::snapshot::Assignment;
use podium_core::time::Timestamp;
use sea_orm::{ConnectionTrait, QueryResult, Statement};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::str::FromStr;
use twox_hash::XxHash3_64;

const PLACE: Insert<'static> = Insert {
    table: "unit_stat",
    columns: &[
        ("experiment_id", "bigint"),
        ("unit", "text"),
        ("assigned_variant", "integer"),
        ("assigned_version", "integer"),
        ("assigned_propensity", "double precision"),
        ("variant", "integer"),
        ("exposed_at", "bigint"),
        ("stratum", "bigint"),
        ("propensity", "double precision"),
        ("metrics", "text"),
    ],
    key: &["experiment_id", "unit"],
};

const SUM: Insert<'static> = Insert {
    table: "variant_stat",
    columns: &[
        ("experiment_id", "bigint"),
        ("slot", "integer"),
        ("stratum", "bigint"),
        ("bucket", "bigint"),
        ("variant", "integer"),
        ("n", "bigint"),
        ("n_nonzero", "bigint"),
        ("y", "text"),
        ("d", "text"),
        ("yy", "text"),
        ("yd", "text"),
        ("dd", "text"),
    ],
    key: &["experiment_id", "slot", "stratum", "bucket", "variant"],
};

/// Writes placements, each with its unit, replacing earlier ones.
///
/// - `gone`: those that are no more, by experiment and id.
pub(crate) async fn place(
    db: &impl ConnectionTrait,
    gone: &[(ExperimentId, Box<str>)],
    placements: &[(&str, &Placement)],
) -> Result<(), StoreError> {
    PLACE.remove(db, lists(gone.iter().map(|(experiment, id)| (experiment.0, id)))?).await?;
    let of_all = placements.iter().flat_map(|(unit, placement)| {
        placement_rows(unit, placement).map(move |(id, row)| (placement, id, row))
    });
    let rows = of_all.map(|(placement, unit, row)| {
        (
            placement.experiment.0,
            unit,
            row.assigned_variant,
            row.assigned_version,
            row.assigned_propensity,
            row.variant,
            row.exposed_at,
            row.stratum,
            row.propensity,
            row.metrics,
        )
    });
    PLACE.rows(db, lists(rows)?).await
}

/// The rows of a placement, by id: the unit's, and those of other ids that keep another variant.
fn placement_rows<'a>(
    unit: &'a str,
    placement: &'a Placement,
) -> impl Iterator<Item = (&'a str, PlacementRow)> {
    let others = placement.others.iter().map(|(id, assignment)| {
        let alone = Placement {
            experiment: placement.experiment,
            assignment: Some(*assignment),
            others: Vec::new(),
            exposure: None,
            metrics: Vec::new(),
        };
        (&**id, PlacementRow::from(&alone))
    });
    std::iter::once((unit, PlacementRow::from(placement))).chain(others)
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
        XxHash3_64::oneshot(format!("{self:?}").as_bytes())
    }
}

/// For each id that a placement has a row of, a number that is other for every other row.
pub(crate) fn fingerprints_of<'a>(
    unit: &'a str,
    placement: &'a Placement,
) -> impl Iterator<Item = (&'a str, u64)> {
    placement_rows(unit, placement).map(|(id, row)| (id, row.fingerprint()))
}

/// The fingerprints of all placements, by experiment and unit.
pub(crate) async fn fingerprints(
    db: &impl ConnectionTrait,
) -> Result<BTreeMap<(i64, Box<str>), u64>, StoreError> {
    let sql = format!("SELECT {} FROM unit_stat", PLACE.names());
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

/// `[[sums…, numerator, denominator, [before]]…]`, the value absent where the metric could not tell, what was before
/// exposure where nothing counted there.
fn metrics_json(placement: &Placement) -> String {
    let mut json = String::from("[");
    for (metric_idx, metric) in placement.metrics.iter().enumerate() {
        json.push_str(if metric_idx == 0 { "[" } else { ",[" });
        let value = metric.value.map(|value| [value.numerator(), value.denominator()]);
        for (number_idx, number) in
            metric.sums.as_slice().iter().copied().chain(value.into_iter().flatten()).enumerate()
        {
            let comma = if number_idx == 0 { "" } else { "," };
            let _ = write!(json, "{comma}{number}");
        }
        if let Some(history) = metric.history {
            let comma = if json.ends_with('[') { "" } else { "," };
            let _ = write!(json, "{comma}[{history}]");
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
    let row = |(key, sums): &(StatKey, VariantSums)| {
        (
            key.experiment.0,
            slot_code(key.slot),
            key.stratum.to_i64(),
            key.bucket.as_micros(),
            key.variant_idx,
            sums.n,
            sums.n_nonzero,
            sums.y.to_string(),
            sums.d.to_string(),
            sums.yy.to_string(),
            sums.yd.to_string(),
            sums.dd.to_string(),
        )
    };
    SUM.rows(db, lists(totals.iter().map(row))?).await
}

/// All sums, or those of one experiment.
///
/// There may be tens of thousands, and a row costs more on its way through the driver than in the database: those of
/// one slot come as one text, number after number.
pub(crate) async fn sums(
    db: &impl ConnectionTrait,
    experiment: Option<ExperimentId>,
) -> Result<Vec<(StatKey, VariantSums)>, StoreError> {
    let [experiment_id, slot_column, numbers @ ..] = SUM.columns else { return Ok(Vec::new()) };
    let numbers: Vec<_> = numbers.iter().map(|(name, _)| *name).collect();
    let sql = format!(
        "SELECT {group}, string_agg(concat_ws(' ', {numbers}), ' ') FROM variant_stat WHERE {condition} \
         GROUP BY {group} ORDER BY {group}",
        group = [experiment_id.0, slot_column.0].join(", "),
        numbers = numbers.join(", "),
        condition = if experiment.is_some() { "experiment_id = $1" } else { "n <> $1" },
    );
    let value = experiment.map_or(0, |experiment| experiment.0);
    let rows = db
        .query_all_raw(Statement::from_sql_and_values(db.get_database_backend(), sql, [value.into()]))
        .await?;
    let mut all = Vec::new();
    for row in rows {
        let (experiment, slot) = (ExperimentId(row.try_get_by_index(0)?), slot(row.try_get_by_index(1)?));
        let text: String = row.try_get_by_index(2)?;
        let corrupt = || StoreError::Corrupt(format!("sums of {slot:?} of experiment {}", experiment.0));
        let mut numbers = text.split(' ');
        while let Some(stratum) = numbers.next() {
            let read = read_sums((experiment, slot), stratum, &mut numbers);
            all.push(read.ok_or_else(corrupt)?);
        }
    }
    Ok(all)
}

/// Reads the numbers of one row, of which the first was taken already.
fn read_sums<'a>(
    (experiment, slot): (ExperimentId, MetricSlot),
    stratum: &str,
    numbers: &mut impl Iterator<Item = &'a str>,
) -> Option<(StatKey, VariantSums)> {
    fn number<'a, T: FromStr>(numbers: &mut impl Iterator<Item = &'a str>) -> Option<T> {
        numbers.next()?.parse().ok()
    }
    let key = StatKey {
        experiment,
        slot,
        stratum: Stratum::from_i64(stratum.parse().ok()?),
        bucket: Timestamp::from_micros(number(numbers)?),
        variant_idx: number(numbers)?,
    };
    let sums = VariantSums {
        n: number(numbers)?,
        n_nonzero: number(numbers)?,
        y: number(numbers)?,
        d: number(numbers)?,
        yy: number(numbers)?,
        yd: number(numbers)?,
        dd: number(numbers)?,
    };
    Some((key, sums))
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

/// Counts the assignments of an experiment, by weights version and variant.
pub(crate) async fn assigned(
    db: &impl ConnectionTrait,
    experiment: ExperimentId,
) -> Result<Vec<(u32, u16, u64)>, StoreError> {
    let sql = "SELECT assigned_version, assigned_variant, COUNT(*) FROM unit_stat WHERE experiment_id = $1 \
               AND assigned_variant IS NOT NULL GROUP BY assigned_version, assigned_variant";
    let values = [experiment.0.into()];
    let rows =
        db.query_all_raw(Statement::from_sql_and_values(db.get_database_backend(), sql, values)).await?;
    let row = |row: &QueryResult| {
        let (version, variant_idx): (i32, i32) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
        let n: i64 = row.try_get_by_index(2)?;
        Ok((version.cast_unsigned(), variant_idx as u16, n.unsigned_abs()))
    };
    rows.iter().map(row).collect()
}

/// Removes everything folded, before it is made again.
///
/// - `kept`: metrics, each of an experiment, whose figures stay as they are, because they cannot be made again.
pub(crate) async fn clear(db: &impl ConnectionTrait, kept: &[(ExperimentId, u16)]) -> Result<(), StoreError> {
    db.execute_unprepared("DELETE FROM unit_stat").await?;
    let slots = kept.iter().flat_map(|(experiment, metric_idx)| {
        let slots = [MetricSlot::Metric(*metric_idx), MetricSlot::History(*metric_idx)];
        slots.map(|slot| format!("({}, {})", experiment.0, slot_code(slot)))
    });
    let slots: Vec<_> = slots.collect();
    let condition = if slots.is_empty() {
        String::new()
    } else {
        format!(" WHERE (experiment_id, slot) NOT IN (VALUES {})", slots.join(", "))
    };
    for table in ["variant_stat", "unit_tail"] {
        db.execute_unprepared(&format!("DELETE FROM {table}{condition}")).await?;
    }
    Ok(())
}

/// Below these are histories, by the position of their metric. They are negative, as no position of a metric is.
const HISTORY: i32 = -3;

fn slot_code(slot: MetricSlot) -> i32 {
    match slot {
        MetricSlot::Exposures => -1,
        MetricSlot::Quarantine => -2,
        MetricSlot::Metric(metric_idx) => i32::from(metric_idx),
        MetricSlot::History(metric_idx) => HISTORY - i32::from(metric_idx),
    }
}

fn slot(code: i32) -> MetricSlot {
    match code {
        -1 => MetricSlot::Exposures,
        -2 => MetricSlot::Quarantine,
        code if code <= HISTORY => MetricSlot::History((HISTORY - code) as u16),
        metric_idx => MetricSlot::Metric(metric_idx as u16),
    }
}
