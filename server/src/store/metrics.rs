//! Metrics with their configuration and currency: observed once for all experiments that share them.

use super::StoreError;
use super::bulk::{Insert, lists};
use super::entity::metric::{ActiveModel, Column, Entity, Model};
use podium_core::id::MetricId;
use sea_orm::{
    ActiveModelTrait, ActiveValue, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder,
    Statement,
};
use std::collections::BTreeSet;

/// What makes two uses of a metric the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct MetricUse {
    /// The id that a plugin gave it.
    pub(crate) metric: String,
    /// Its settings, as JSON with sorted members.
    pub(crate) config: String,
    /// The currency its money is counted in.
    pub(crate) currency: String,
}

/// A metric that some experiment uses.
#[derive(Clone, Debug)]
pub(crate) struct StoredMetric {
    /// As the store numbers it.
    pub(crate) id: MetricId,
    /// What it is.
    pub(crate) used: MetricUse,
    /// The plugin's revision that the sums were made with.
    pub(crate) revision: i64,
}

impl From<Model> for StoredMetric {
    fn from(row: Model) -> Self {
        let used = MetricUse { metric: row.metric, config: row.config, currency: row.currency };
        Self { id: MetricId(row.id), used, revision: row.revision }
    }
}

/// The revision noted for a metric whose plugin was away: events passed it by.
pub(crate) const STALE: i64 = -1;

/// Finds a metric, or writes it.
pub(crate) async fn find_or_insert(
    db: &impl ConnectionTrait,
    used: &MetricUse,
    revision: i64,
) -> Result<MetricId, StoreError> {
    let same = Entity::find().filter(Column::Metric.eq(used.metric.as_str()));
    let query = same
        .filter(Column::Config.eq(used.config.as_str()))
        .filter(Column::Currency.eq(used.currency.as_str()));
    if let Some(row) = query.one(db).await? {
        return Ok(MetricId(row.id));
    }
    let row = ActiveModel {
        id: ActiveValue::NotSet,
        metric: ActiveValue::Set(used.metric.clone()),
        config: ActiveValue::Set(used.config.clone()),
        currency: ActiveValue::Set(used.currency.clone()),
        revision: ActiveValue::Set(revision),
    };
    Ok(MetricId(row.insert(db).await?.id))
}

/// Every metric.
pub(crate) async fn all(db: &impl ConnectionTrait) -> Result<Vec<StoredMetric>, StoreError> {
    let rows = Entity::find().order_by_asc(Column::Id).all(db).await?;
    Ok(rows.into_iter().map(StoredMetric::from).collect())
}

/// Notes which revision the sums are made with from now on.
pub(crate) async fn set_revision(
    db: &impl ConnectionTrait,
    metric: MetricId,
    revision: i64,
) -> Result<(), StoreError> {
    let row = Entity::update_many().col_expr(Column::Revision, revision.into());
    row.filter(Column::Id.eq(metric.0)).exec(db).await?;
    Ok(())
}

const UNREADABLE: Insert<'static> = Insert {
    table: "unreadable_row",
    columns: &[("metric_id", "bigint"), ("fingerprint", "bigint")],
    key: &["metric_id", "fingerprint"],
};

/// Rows that metrics are not asked about any more, by the fingerprints that the engine gives them.
pub(crate) async fn unreadable(db: &impl ConnectionTrait) -> Result<BTreeSet<(MetricId, i64)>, StoreError> {
    let sql = "SELECT metric_id, fingerprint FROM unreadable_row";
    let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await?;
    rows.iter().map(|row| Ok((MetricId(row.try_get_by_index(0)?), row.try_get_by_index(1)?))).collect()
}

/// Notes rows that a metric is not to be asked about again.
pub(crate) async fn note_unreadable(
    db: &impl ConnectionTrait,
    rows: &BTreeSet<(MetricId, i64)>,
) -> Result<(), StoreError> {
    let rows = lists(rows.iter().map(|(metric, fingerprint)| (metric.0, fingerprint)))?;
    UNREADABLE.rows(db, rows).await
}

/// Has another revision of a metric asked about everything.
pub(crate) async fn forget_unreadable(db: &impl ConnectionTrait, metric: MetricId) -> Result<(), StoreError> {
    let sql = "DELETE FROM unreadable_row WHERE metric_id = $1";
    let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, [metric.0.into()]);
    db.execute_raw(statement).await?;
    Ok(())
}
