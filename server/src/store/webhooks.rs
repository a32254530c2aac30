//! Who is told by webhook, and what each is still to be told.

use super::entity::{webhook, webhook_delivery};
use super::{PROJECT, StoreError};
use crate::webhooks::{Delivery, Event, Outcome, Webhook};
use podium_core::time::Timestamp;
use sea_orm::sea_query::{Expr, Func};
use sea_orm::{ActiveValue, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

impl TryFrom<webhook::Model> for Webhook {
    type Error = StoreError;

    fn try_from(row: webhook::Model) -> Result<Self, StoreError> {
        let corrupt = |what: &str| StoreError::Corrupt(format!("webhook {} has a bad {what}", row.id));
        Ok(Self {
            events: serde_json::from_str(&row.events).map_err(|_| corrupt("list of events"))?,
            status: row.status.map(u16::try_from).transpose().map_err(|_| corrupt("status"))?,
            id: row.id,
            url: row.url,
            secret: row.secret,
            created_at: Timestamp::from_micros(row.created_at),
            attempted_at: row.attempted_at.map(Timestamp::from_micros),
            error: row.error,
            disabled_at: row.disabled_at.map(Timestamp::from_micros),
            disabled_why: row.disabled_why,
        })
    }
}

/// Writes a new webhook.
pub(crate) async fn insert(db: &impl ConnectionTrait, webhook: &Webhook) -> Result<(), StoreError> {
    let events = serde_json::to_string(&webhook.events);
    let row = webhook::ActiveModel {
        id: ActiveValue::Set(webhook.id.clone()),
        project_id: ActiveValue::Set(PROJECT),
        url: ActiveValue::Set(webhook.url.clone()),
        secret: ActiveValue::Set(webhook.secret.clone()),
        events: ActiveValue::Set(events.map_err(|error| StoreError::Corrupt(error.to_string()))?),
        created_at: ActiveValue::Set(webhook.created_at.as_micros()),
        ..Default::default()
    };
    webhook::Entity::insert(row).exec_without_returning(db).await?;
    Ok(())
}

/// Every webhook, in the order they were made.
pub(crate) async fn all(db: &impl ConnectionTrait) -> Result<Vec<Webhook>, StoreError> {
    let query = webhook::Entity::find().filter(webhook::Column::ProjectId.eq(PROJECT));
    let rows = query.order_by_asc(webhook::Column::Id).all(db).await?;
    rows.into_iter().map(Webhook::try_from).collect()
}

/// Removes a webhook, and what it was still to be told; `false` if there is none.
pub(crate) async fn remove(db: &impl ConnectionTrait, id: &str) -> Result<bool, StoreError> {
    let of_webhook = webhook_delivery::Column::WebhookId.eq(id);
    webhook_delivery::Entity::delete_many().filter(of_webhook).exec(db).await?;
    Ok(webhook::Entity::delete_by_id(id).exec(db).await?.rows_affected != 0)
}

/// Has every webhook that wants to know of an event told `body`.
pub(crate) async fn queue(
    db: &impl ConnectionTrait,
    event: Event,
    body: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let wants = |webhook: &Webhook| webhook.disabled_at.is_none() && webhook.events.contains(&event);
    for webhook in all(db).await?.into_iter().filter(wants) {
        let row = webhook_delivery::ActiveModel {
            id: ActiveValue::Set(Uuid::now_v7().to_string()),
            webhook_id: ActiveValue::Set(webhook.id),
            body: ActiveValue::Set(body.to_owned()),
            attempts: ActiveValue::Set(0),
            created_at: ActiveValue::Set(now.as_micros()),
            due_at: ActiveValue::Set(now.as_micros()),
        };
        webhook_delivery::Entity::insert(row).exec_without_returning(db).await?;
    }
    Ok(())
}

/// How many things each webhook is still to be told, by its id.
pub(crate) async fn pending(db: &impl ConnectionTrait) -> Result<Vec<(String, i64)>, StoreError> {
    use webhook_delivery::Column;
    let query = webhook_delivery::Entity::find().select_only().column(Column::WebhookId);
    let query = query.column_as(Column::Id.count(), "n").group_by(Column::WebhookId);
    Ok(query.into_tuple().all(db).await?)
}

/// For each webhook that is asked, the oldest thing that it is to be told by now.
pub(crate) async fn due(
    db: &impl ConnectionTrait,
    now: Timestamp,
) -> Result<Vec<(Webhook, Delivery)>, StoreError> {
    use webhook_delivery::Column;
    let oldest = webhook_delivery::Entity::find().select_only();
    let oldest = oldest.column_as(Expr::expr(Func::min(Expr::col(Column::Id))), "id");
    let oldest: Vec<String> = oldest
        .filter(Column::DueAt.lte(now.as_micros()))
        .group_by(Column::WebhookId)
        .into_tuple()
        .all(db)
        .await?;
    if oldest.is_empty() {
        return Ok(Vec::new());
    }
    let webhooks = all(db).await?;
    let rows = webhook_delivery::Entity::find().filter(Column::Id.is_in(oldest)).all(db).await?;
    let with_webhook = |row: webhook_delivery::Model| {
        let webhook = webhooks.iter().find(|webhook| webhook.id == row.webhook_id)?;
        let attempts = u32::try_from(row.attempts).unwrap_or_default();
        let is_asked = webhook.disabled_at.is_none();
        is_asked.then(|| (webhook.clone(), Delivery { id: row.id, body: row.body, attempts }))
    };
    Ok(rows.into_iter().filter_map(with_webhook).collect())
}

/// Notes what came of the last try.
pub(crate) async fn set_outcome(
    db: &impl ConnectionTrait,
    id: &str,
    (outcome, at): (&Outcome, Timestamp),
) -> Result<(), StoreError> {
    use webhook::Column;
    let (status, error) = match outcome {
        Outcome::Taken { status } => (Some(*status), None),
        Outcome::Gone { status } => (Some(*status), Some(format!("it answered {status}"))),
        Outcome::Failed { status, error, .. } => (*status, Some(error.replace('\0', ""))),
    };
    let one = webhook::Entity::update_many().filter(Column::Id.eq(id));
    let one = one.col_expr(Column::AttemptedAt, Expr::value(at.as_micros()));
    let one = one.col_expr(Column::Status, Expr::value(status.map(i32::from)));
    one.col_expr(Column::Error, Expr::value(error)).exec(db).await?;
    Ok(())
}

/// Takes out what a webhook was told.
pub(crate) async fn remove_delivery(db: &impl ConnectionTrait, id: &str) -> Result<(), StoreError> {
    webhook_delivery::Entity::delete_by_id(id).exec(db).await?;
    Ok(())
}

/// Has something told later.
pub(crate) async fn put_off(
    db: &impl ConnectionTrait,
    id: &str,
    (attempts, due_at): (u32, Timestamp),
) -> Result<(), StoreError> {
    use webhook_delivery::Column;
    let one = webhook_delivery::Entity::update_many().filter(Column::Id.eq(id));
    let one = one.col_expr(Column::Attempts, Expr::value(attempts.cast_signed()));
    one.col_expr(Column::DueAt, Expr::value(due_at.as_micros())).exec(db).await?;
    Ok(())
}

/// Has a webhook not asked any more, and forgets what it was still to be told.
pub(crate) async fn disable(
    db: &impl ConnectionTrait,
    id: &str,
    (why, now): (&str, Timestamp),
) -> Result<(), StoreError> {
    use webhook::Column;
    let of_webhook = webhook_delivery::Column::WebhookId.eq(id);
    webhook_delivery::Entity::delete_many().filter(of_webhook).exec(db).await?;
    let one = webhook::Entity::update_many().filter(Column::Id.eq(id));
    let one = one.col_expr(Column::DisabledAt, Expr::value(now.as_micros()));
    one.col_expr(Column::DisabledWhy, Expr::value(why.replace('\0', ""))).exec(db).await?;
    Ok(())
}
