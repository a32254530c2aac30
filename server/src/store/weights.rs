//! Weights versions: written once, never changed.

use super::StoreError;
use super::entity::weights_version::{ActiveModel, Column, Entity, Model};
use podium_core::id::ExperimentId;
use podium_core::snapshot::WeightsVersion;
use podium_core::time::Timestamp;
use sea_orm::{
    ActiveValue, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QueryResult,
    QuerySelect, Statement,
};

/// A weights version with what led to it.
#[derive(Clone, Debug)]
pub(crate) struct StoredWeights {
    /// The weights and all that assignments drawn under them depend on.
    pub(crate) weights: WeightsVersion,
    /// When it was published.
    pub(crate) created_at: Timestamp,
    /// Why: `registered`, `edited`, `allocated`.
    pub(crate) cause: String,
    /// The beliefs behind it, as JSON.
    pub(crate) beliefs: Option<String>,
}

impl TryFrom<Model> for StoredWeights {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Self, StoreError> {
        let weights = serde_json::from_str(&row.weights)
            .map_err(|error| StoreError::Corrupt(format!("weights of {}: {error}", row.experiment_id)))?;
        let created_at = Timestamp::from_micros(row.created_at);
        Ok(Self { weights, created_at, cause: row.cause, beliefs: row.beliefs })
    }
}

/// Writes a new version.
pub(crate) async fn insert(
    db: &impl ConnectionTrait,
    experiment: ExperimentId,
    stored: &StoredWeights,
) -> Result<(), StoreError> {
    let weights = serde_json::to_string(&stored.weights);
    let row = ActiveModel {
        experiment_id: ActiveValue::Set(experiment.0),
        version: ActiveValue::Set(stored.weights.version.cast_signed()),
        created_at: ActiveValue::Set(stored.created_at.as_micros()),
        cause: ActiveValue::Set(stored.cause.clone()),
        weights: ActiveValue::Set(weights.map_err(|error| StoreError::Corrupt(error.to_string()))?),
        beliefs: ActiveValue::Set(stored.beliefs.clone()),
    };
    Entity::insert(row).exec_without_returning(db).await?;
    Ok(())
}

/// The newest version of an experiment.
pub(crate) async fn newest(
    db: &impl ConnectionTrait,
    experiment: ExperimentId,
) -> Result<Option<StoredWeights>, StoreError> {
    let query = Entity::find().filter(Column::ExperimentId.eq(experiment.0)).order_by_desc(Column::Version);
    query.one(db).await?.map(StoredWeights::try_from).transpose()
}

/// One version of an experiment.
pub(crate) async fn find(
    db: &impl ConnectionTrait,
    experiment: ExperimentId,
    version: u32,
) -> Result<Option<StoredWeights>, StoreError> {
    let row = Entity::find_by_id((experiment.0, version.cast_signed())).one(db).await?;
    row.map(StoredWeights::try_from).transpose()
}

/// The newest versions of an experiment, newest first.
pub(crate) async fn history(
    db: &impl ConnectionTrait,
    experiment: ExperimentId,
    limit: u64,
) -> Result<Vec<StoredWeights>, StoreError> {
    let query = Entity::find().filter(Column::ExperimentId.eq(experiment.0)).order_by_desc(Column::Version);
    query.limit(limit).all(db).await?.into_iter().map(StoredWeights::try_from).collect()
}

/// Every version of an experiment without what led to it, oldest first, each with when it was published.
pub(crate) async fn plan(
    db: &impl ConnectionTrait,
    experiment: ExperimentId,
) -> Result<Vec<(Timestamp, WeightsVersion)>, StoreError> {
    let sql = "SELECT created_at, weights FROM weights_version WHERE experiment_id = $1 ORDER BY version";
    let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, [experiment.0.into()]);
    let rows = db.query_all_raw(statement).await?;
    let version = |row: &QueryResult| {
        let weights: String = row.try_get_by_index(1)?;
        let weights = serde_json::from_str(&weights)
            .map_err(|error| StoreError::Corrupt(format!("weights of {}: {error}", experiment.0)))?;
        Ok((Timestamp::from_micros(row.try_get_by_index(0)?), weights))
    };
    rows.iter().map(version).collect()
}
