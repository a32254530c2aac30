//! Experiments, each version a row.

use super::entity::experiment::{ActiveModel, Column, Entity, Model};
use super::{PROJECT, StoreError};
use podium_core::experiment::{Experiment, Status};
use podium_core::id::{ExperimentId, ExperimentKey, VariantKey};
use podium_core::time::Timestamp;
use sea_orm::{
    ActiveModelTrait, ActiveValue, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect,
};

impl TryFrom<Model> for Experiment {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Self, StoreError> {
        let corrupt = |what: &str| StoreError::Corrupt(format!("experiment {} has a bad {what}", row.id));
        Ok(Self {
            id: ExperimentId(row.id),
            key: ExperimentKey::new(&row.key).map_err(|_| corrupt("key"))?,
            version: u32::try_from(row.version).map_err(|_| corrupt("version"))?,
            definition: serde_json::from_str(&row.definition).map_err(|_| corrupt("definition"))?,
            status: Status::parse(&row.status).ok_or_else(|| corrupt("status"))?,
            served: row
                .served
                .as_deref()
                .map(VariantKey::new)
                .transpose()
                .map_err(|_| corrupt("served variant"))?,
            revision: row.revision,
            created_at: Timestamp::from_micros(row.created_at),
            updated_at: Timestamp::from_micros(row.updated_at),
            started_at: row.started_at.map(Timestamp::from_micros),
            concluded_at: row.concluded_at.map(Timestamp::from_micros),
        })
    }
}

fn to_row(experiment: &Experiment) -> Result<ActiveModel, StoreError> {
    let definition = serde_json::to_string(&experiment.definition);
    let definition = definition.map_err(|error| StoreError::Corrupt(error.to_string()))?;
    Ok(ActiveModel {
        id: ActiveValue::NotSet,
        project_id: ActiveValue::Set(PROJECT),
        key: ActiveValue::Set(experiment.key.to_string()),
        version: ActiveValue::Set(experiment.version.cast_signed()),
        status: ActiveValue::Set(experiment.status.as_str().to_owned()),
        definition: ActiveValue::Set(definition),
        served: ActiveValue::Set(experiment.served.as_ref().map(ToString::to_string)),
        revision: ActiveValue::Set(experiment.revision),
        created_at: ActiveValue::Set(experiment.created_at.as_micros()),
        updated_at: ActiveValue::Set(experiment.updated_at.as_micros()),
        started_at: ActiveValue::Set(experiment.started_at.map(Timestamp::as_micros)),
        concluded_at: ActiveValue::Set(experiment.concluded_at.map(Timestamp::as_micros)),
    })
}

/// Writes a new experiment and gives it its id.
pub(crate) async fn insert(db: &impl ConnectionTrait, experiment: &mut Experiment) -> Result<(), StoreError> {
    let row = to_row(experiment)?.insert(db).await?;
    experiment.id = ExperimentId(row.id);
    Ok(())
}

/// Writes a changed experiment, if nobody changed it since `experiment.revision`, which then counts one up.
///
/// # Errors
///
/// [`StoreError::Conflict`] if somebody did.
pub(crate) async fn update(db: &impl ConnectionTrait, experiment: &mut Experiment) -> Result<(), StoreError> {
    let seen = experiment.revision;
    experiment.revision += 1;
    let at_seen =
        Entity::update_many().filter(Column::Id.eq(experiment.id.0)).filter(Column::Revision.eq(seen));
    let updated = at_seen.set(to_row(experiment)?).exec(db).await?;
    if updated.rows_affected == 1 {
        Ok(())
    } else {
        Err(StoreError::Conflict(format!("experiment `{}` was changed meanwhile", experiment.key)))
    }
}

/// Finds the newest version of the experiment that `key` names, or the version that is asked for.
pub(crate) async fn find(
    db: &impl ConnectionTrait,
    key: &str,
    version: Option<u32>,
) -> Result<Option<Experiment>, StoreError> {
    if key.contains('\0') {
        return Ok(None);
    }
    let mut query = Entity::find().filter(Column::ProjectId.eq(PROJECT)).filter(Column::Key.eq(key));
    if let Some(version) = version {
        query = query.filter(Column::Version.eq(version.cast_signed()));
    }
    let row = query.order_by_desc(Column::Version).one(db).await?;
    row.map(Experiment::try_from).transpose()
}

/// Finds an experiment by its id.
pub(crate) async fn by_id(
    db: &impl ConnectionTrait,
    id: ExperimentId,
) -> Result<Option<Experiment>, StoreError> {
    Entity::find_by_id(id.0).one(db).await?.map(Experiment::try_from).transpose()
}

/// Every experiment in every version, oldest first.
pub(crate) async fn all(db: &impl ConnectionTrait) -> Result<Vec<Experiment>, StoreError> {
    let rows = Entity::find().order_by_asc(Column::Id).all(db).await?;
    rows.into_iter().map(Experiment::try_from).collect()
}

/// A page of experiments with ids above `after`, in the order they were registered.
pub(crate) async fn page(
    db: &impl ConnectionTrait,
    after: i64,
    limit: u64,
    status: Option<Status>,
) -> Result<Vec<Experiment>, StoreError> {
    let mut query = Entity::find().filter(Column::ProjectId.eq(PROJECT)).filter(Column::Id.gt(after));
    if let Some(status) = status {
        query = query.filter(Column::Status.eq(status.as_str()));
    }
    let rows = query.order_by_asc(Column::Id).limit(limit).all(db).await?;
    rows.into_iter().map(Experiment::try_from).collect()
}
