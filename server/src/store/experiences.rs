//! Experiences, each a row, and what the units of their rules are counted under.

use super::entity::experience::{ActiveModel, Column, Entity, Model};
use super::entity::experience_rule as rule;
use super::{PROJECT, StoreError};
use podium_core::experience::{Definition, Experience, Rule, Status};
use podium_core::experiment::MetricChoice;
use podium_core::id::{ExperienceId, ExperienceKey, ExperimentId, RuleKey};
use podium_core::money::Currency;
use podium_core::time::Timestamp;
use sea_orm::{
    ActiveModelTrait, ActiveValue, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect,
};

impl TryFrom<Model> for Experience {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Self, StoreError> {
        let corrupt = |what: &str| StoreError::Corrupt(format!("experience {} has a bad {what}", row.id));
        Ok(Self {
            id: ExperienceId(row.id),
            key: ExperienceKey::new(&row.key).map_err(|_| corrupt("key"))?,
            definition: serde_json::from_str(&row.definition).map_err(|_| corrupt("definition"))?,
            status: Status::parse(&row.status).ok_or_else(|| corrupt("status"))?,
            revision: row.revision,
            created_at: Timestamp::from_micros(row.created_at),
            updated_at: Timestamp::from_micros(row.updated_at),
            published_at: row.published_at.map(Timestamp::from_micros),
        })
    }
}

fn to_row(experience: &Experience) -> Result<ActiveModel, StoreError> {
    let definition = serde_json::to_string(&experience.definition);
    let definition = definition.map_err(|error| StoreError::Corrupt(error.to_string()))?;
    Ok(ActiveModel {
        id: ActiveValue::NotSet,
        project_id: ActiveValue::Set(PROJECT),
        key: ActiveValue::Set(experience.key.to_string()),
        status: ActiveValue::Set(experience.status.as_str().to_owned()),
        definition: ActiveValue::Set(definition),
        revision: ActiveValue::Set(experience.revision),
        created_at: ActiveValue::Set(experience.created_at.as_micros()),
        updated_at: ActiveValue::Set(experience.updated_at.as_micros()),
        published_at: ActiveValue::Set(experience.published_at.map(Timestamp::as_micros)),
    })
}

/// Writes a new experience and gives it its id.
pub(crate) async fn insert(db: &impl ConnectionTrait, experience: &mut Experience) -> Result<(), StoreError> {
    let row = to_row(experience)?.insert(db).await?;
    experience.id = ExperienceId(row.id);
    Ok(())
}

/// Writes a changed experience, if nobody changed it since `experience.revision`, which then counts one up.
///
/// # Errors
///
/// [`StoreError::Conflict`] if somebody did.
pub(crate) async fn update(db: &impl ConnectionTrait, experience: &mut Experience) -> Result<(), StoreError> {
    let seen = experience.revision;
    experience.revision += 1;
    let at_seen =
        Entity::update_many().filter(Column::Id.eq(experience.id.0)).filter(Column::Revision.eq(seen));
    let updated = at_seen.set(to_row(experience)?).exec(db).await?;
    if updated.rows_affected == 1 {
        Ok(())
    } else {
        Err(StoreError::Conflict(format!("experience `{}` was changed meanwhile", experience.key)))
    }
}

/// Finds the experience that `key` names.
pub(crate) async fn find(db: &impl ConnectionTrait, key: &str) -> Result<Option<Experience>, StoreError> {
    if key.contains('\0') {
        return Ok(None);
    }
    let query = Entity::find().filter(Column::ProjectId.eq(PROJECT)).filter(Column::Key.eq(key));
    query.one(db).await?.map(Experience::try_from).transpose()
}

/// Every experience, oldest first.
pub(crate) async fn all(db: &impl ConnectionTrait) -> Result<Vec<Experience>, StoreError> {
    let rows = Entity::find().order_by_asc(Column::Id).all(db).await?;
    rows.into_iter().map(Experience::try_from).collect()
}

/// A page of experiences with ids above `after`, in the order they were registered.
pub(crate) async fn page(
    db: &impl ConnectionTrait,
    after: i64,
    limit: u64,
    status: Option<Status>,
) -> Result<Vec<Experience>, StoreError> {
    let mut query = Entity::find().filter(Column::ProjectId.eq(PROJECT)).filter(Column::Id.gt(after));
    if let Some(status) = status {
        query = query.filter(Column::Status.eq(status.as_str()));
    }
    let rows = query.order_by_asc(Column::Id).limit(limit).all(db).await?;
    rows.into_iter().map(Experience::try_from).collect()
}

/// What the units of a rule are counted under.
///
/// The fold knows experiments only, and a rule is to it one of a single variant, whose number is the negative of this
/// row's: so no experiment has it, and a unit may well be counted for several rules. Another goal has other figures.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RuleFigures {
    /// Where the fold has the number of an experiment.
    pub(crate) id: ExperimentId,
    /// Whose rule it is.
    pub(crate) experience: ExperienceId,
    /// Which rule; the fallback if `None`.
    pub(crate) rule: Option<RuleKey>,
    /// What is counted.
    pub(crate) goal: Option<MetricChoice>,
    /// The currency that it counts money in.
    pub(crate) currency: Currency,
}

impl TryFrom<rule::Model> for RuleFigures {
    type Error = StoreError;

    fn try_from(row: rule::Model) -> Result<Self, StoreError> {
        let corrupt =
            |what: &str| StoreError::Corrupt(format!("experience rule {} has a bad {what}", row.id));
        let rule = (!row.rule.is_empty()).then(|| RuleKey::new(&row.rule)).transpose();
        let goal = (!row.goal.is_empty()).then(|| serde_json::from_str(&row.goal)).transpose();
        Ok(Self {
            id: ExperimentId(-row.id),
            experience: ExperienceId(row.experience_id),
            rule: rule.map_err(|_| corrupt("rule"))?,
            goal: goal.map_err(|_| corrupt("goal"))?,
            currency: Currency::from_code(&row.currency).map_err(|_| corrupt("currency"))?,
        })
    }
}

/// What the units of every rule are or were counted under.
pub(crate) async fn all_figures(db: &impl ConnectionTrait) -> Result<Vec<RuleFigures>, StoreError> {
    let rows = rule::Entity::find().order_by_asc(rule::Column::Id).all(db).await?;
    rows.into_iter().map(RuleFigures::try_from).collect()
}

/// The same of one experience.
pub(crate) async fn figures(
    db: &impl ConnectionTrait,
    experience: ExperienceId,
) -> Result<Vec<RuleFigures>, StoreError> {
    let query = rule::Entity::find().filter(rule::Column::ExperienceId.eq(experience.0));
    let rows = query.order_by_asc(rule::Column::Id).all(db).await?;
    rows.into_iter().map(RuleFigures::try_from).collect()
}

/// Sees to it that every rule of an experience has something to be counted under, and the fallback.
pub(crate) async fn number_rules(
    db: &impl ConnectionTrait,
    experience: &Experience,
) -> Result<(), StoreError> {
    let known = figures(db, experience.id).await?;
    let Definition { goal, currency, .. } = &experience.definition;
    let goal_json = goal.as_ref().map(serde_json::to_string).transpose();
    let goal_json = goal_json.map_err(|error| StoreError::Corrupt(error.to_string()))?.unwrap_or_default();
    for rule in parts(&experience.definition) {
        if current(&known, experience, rule).is_none() {
            let row = rule::ActiveModel {
                id: ActiveValue::NotSet,
                experience_id: ActiveValue::Set(experience.id.0),
                rule: ActiveValue::Set(rule.map_or("", RuleKey::as_str).to_owned()),
                goal: ActiveValue::Set(goal_json.clone()),
                currency: ActiveValue::Set(currency.code().to_owned()),
            };
            row.insert(db).await?;
        }
    }
    Ok(())
}

/// The rules of a definition in their order, and at last the fallback.
pub(crate) fn parts(definition: &Definition) -> impl Iterator<Item = Option<&RuleKey>> {
    let keys = definition.rules.iter().map(|Rule { key, .. }| Some(key));
    keys.chain(std::iter::once(None))
}

/// What a rule, or the fallback, is counted under by now.
pub(crate) fn current<'a>(
    known: &'a [RuleFigures],
    experience: &Experience,
    rule: Option<&RuleKey>,
) -> Option<&'a RuleFigures> {
    let Definition { goal, currency, .. } = &experience.definition;
    known.iter().find(|figures| {
        figures.experience == experience.id
            && figures.rule.as_ref() == rule
            && figures.goal == *goal
            && figures.currency == *currency
    })
}
