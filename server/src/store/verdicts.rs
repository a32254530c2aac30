//! The verdict that the history of each experiment has got to.

use super::StoreError;
use super::entity::noted_verdict::{ActiveModel, Column, Entity};
use podium_core::id::ExperimentId;
use podium_core::report::Verdict;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue, ConnectionTrait, EntityTrait};

/// The verdict that was noted last; an empty one if none was.
pub(crate) async fn noted(
    db: &impl ConnectionTrait,
    experiment: ExperimentId,
) -> Result<Verdict, StoreError> {
    let Some(row) = Entity::find_by_id(experiment.0).one(db).await? else { return Ok(Verdict::default()) };
    let corrupt = |error| StoreError::Corrupt(format!("verdict on experiment {}: {error}", experiment.0));
    serde_json::from_str(&row.verdict).map_err(corrupt)
}

/// Notes a verdict in place of the last one.
pub(crate) async fn put(
    db: &impl ConnectionTrait,
    experiment: ExperimentId,
    verdict: &Verdict,
) -> Result<(), StoreError> {
    let json = serde_json::to_string(verdict).map_err(|error| StoreError::Corrupt(error.to_string()))?;
    let row = ActiveModel { experiment_id: ActiveValue::Set(experiment.0), verdict: ActiveValue::Set(json) };
    let newer = OnConflict::column(Column::ExperimentId).update_column(Column::Verdict).to_owned();
    Entity::insert(row).on_conflict(newer).exec_without_returning(db).await?;
    Ok(())
}
