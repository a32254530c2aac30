//! What happened to experiments, each entry a row.

use super::StoreError;
use super::entity::history::{ActiveModel, Column, Entity, Model};
use crate::app::history::{Entry, Happening};
use podium_core::id::ExperimentId;
use podium_core::time::Timestamp;
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait, ActiveValue, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect,
};
use serde_json::{Value, json};

impl TryFrom<Model> for Entry {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Self, StoreError> {
        let corrupt =
            |error: serde_json::Error| StoreError::Corrupt(format!("entry {} of history: {error}", row.id));
        let detail: Value = serde_json::from_str(&row.detail).map_err(corrupt)?;
        let happening = serde_json::from_value(json!({ "kind": row.kind, "detail": detail }));
        Ok(Self {
            id: row.id,
            experiment: ExperimentId(row.experiment_id),
            at: Timestamp::from_micros(row.at),
            happening: happening.map_err(corrupt)?,
            actor: row.actor,
            undone_by: row.undone_by,
        })
    }
}

/// Writes an entry, and says its number.
///
/// - `when_who`: when it happened, and who did it.
pub(crate) async fn insert(
    db: &impl ConnectionTrait,
    experiment: ExperimentId,
    (at, actor): (Timestamp, &str),
    happening: &Happening,
) -> Result<i64, StoreError> {
    let whole = serde_json::to_value(happening).map_err(|error| StoreError::Corrupt(error.to_string()))?;
    let detail = whole.get("detail").map_or_else(|| "{}".to_owned(), Value::to_string);
    let row = ActiveModel {
        id: ActiveValue::NotSet,
        experiment_id: ActiveValue::Set(experiment.0),
        at: ActiveValue::Set(at.as_micros()),
        actor: ActiveValue::Set(actor.to_owned()),
        kind: ActiveValue::Set(happening.kind().to_owned()),
        detail: ActiveValue::Set(detail),
        undone_by: ActiveValue::Set(None),
    };
    Ok(row.insert(db).await?.id)
}

/// Notes that an entry was taken back by another.
pub(crate) async fn set_undone(db: &impl ConnectionTrait, id: i64, by: i64) -> Result<(), StoreError> {
    let one = Entity::update_many().filter(Column::Id.eq(id));
    one.col_expr(Column::UndoneBy, Expr::value(by)).exec(db).await?;
    Ok(())
}

/// One entry of an experiment.
pub(crate) async fn find(
    db: &impl ConnectionTrait,
    experiment: ExperimentId,
    id: i64,
) -> Result<Option<Entry>, StoreError> {
    let one = Entity::find_by_id(id).filter(Column::ExperimentId.eq(experiment.0));
    one.one(db).await?.map(Entry::try_from).transpose()
}

/// The entries of an experiment before `before`, the newest first.
pub(crate) async fn page(
    db: &impl ConnectionTrait,
    experiment: ExperimentId,
    before: Option<i64>,
    limit: u64,
) -> Result<Vec<Entry>, StoreError> {
    let mut query = Entity::find().filter(Column::ExperimentId.eq(experiment.0));
    if let Some(before) = before {
        query = query.filter(Column::Id.lt(before));
    }
    let rows = query.order_by_desc(Column::Id).limit(limit).all(db).await?;
    rows.into_iter().map(Entry::try_from).collect()
}

/// The entries of these kinds of an experiment, the newest first.
pub(crate) async fn of_kinds(
    db: &impl ConnectionTrait,
    experiment: ExperimentId,
    kinds: &[&str],
) -> Result<Vec<Entry>, StoreError> {
    let query = Entity::find().filter(Column::ExperimentId.eq(experiment.0));
    let rows =
        query.filter(Column::Kind.is_in(kinds.iter().copied())).order_by_desc(Column::Id).all(db).await?;
    rows.into_iter().map(Entry::try_from).collect()
}
