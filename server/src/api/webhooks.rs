//! `/api/v1/webhooks`: who is told what happens to experiments.

use super::{Shared, allow, request};
use crate::auth::Scope;
use crate::clock;
use crate::outgoing::{BadAddress, check};
use crate::problem::{Kind, Problem};
use crate::store::webhooks;
use crate::webhooks::{Event, WEBHOOKS_MAX, Webhook};
use actix_web::web::{self, Path};
use actix_web::{HttpRequest, HttpResponse};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewWebhook {
    pub(crate) url: String,
    pub(crate) secret: String,
    pub(crate) events: Vec<Event>,
}

#[derive(Serialize)]
struct WebhookBody {
    #[serde(flatten)]
    webhook: Webhook,
    /// How many things it is still to be told.
    pending: i64,
}

/// Lists webhooks, in the order they were made: 200.
pub(crate) async fn list(app: Shared, http: HttpRequest) -> Result<HttpResponse, Problem> {
    allow(&app, &http, Scope::Admin)?;
    let pending = webhooks::pending(app.store.reader()).await?;
    let with_pending = |webhook: Webhook| {
        let of_webhook = pending.iter().find(|(id, _)| *id == webhook.id);
        WebhookBody { pending: of_webhook.map_or(0, |(_, n)| *n), webhook }
    };
    let all = webhooks::all(app.store.reader()).await?;
    let data: Vec<_> = all.into_iter().map(with_pending).collect();
    Ok(HttpResponse::Ok().json(json!({ "data": data })))
}

/// Makes a webhook: 201; 400 `invalid-field`; 409 `too-many-webhooks`.
pub(crate) async fn create(
    app: Shared,
    http: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    allow(&app, &http, Scope::Admin)?;
    let NewWebhook { url, secret, mut events } = request::json(&request::body(payload).await?)?;
    let wrong = |pointer: &str, detail: String| Problem::field(Kind::InvalidField, pointer, detail);
    let bad = |address: BadAddress| wrong("/url", address.to_string());
    check(&url, app.webhooks.reach()).await.map_err(bad)?;
    if app.webhooks.signer(&secret).is_none() {
        let detail = "names no secret that the server finds, in its secrets folder or environment, and that is \
                      `whsec_` and 24 to 64 bytes in Base64";
        return Err(wrong("/secret", detail.to_owned()));
    }
    events.sort_unstable();
    events.dedup();
    if events.is_empty() {
        return Err(wrong("/events", "at least one event".to_owned()));
    }
    if WEBHOOKS_MAX <= webhooks::all(app.store.reader()).await?.len() {
        let detail = format!("there are {WEBHOOKS_MAX} webhooks, which is all there can be; remove one");
        return Err(Problem::new(Kind::TooManyWebhooks, detail));
    }
    let webhook = Webhook {
        id: Uuid::now_v7().to_string(),
        url,
        secret,
        events,
        created_at: clock::now(),
        attempted_at: None,
        status: None,
        error: None,
        disabled_at: None,
        disabled_why: None,
    };
    webhooks::insert(app.store.writer(), &webhook).await?;
    Ok(HttpResponse::Created().json(WebhookBody { webhook, pending: 0 }))
}

/// Removes a webhook, and what it was still to be told: 204; 404.
pub(crate) async fn remove(
    app: Shared,
    http: HttpRequest,
    id: Path<String>,
) -> Result<HttpResponse, Problem> {
    allow(&app, &http, Scope::Admin)?;
    let is_id = id.parse::<Uuid>().is_ok();
    if is_id && webhooks::remove(app.store.writer(), &id).await? {
        return Ok(HttpResponse::NoContent().finish());
    }
    Err(Problem::new(Kind::NotFound, format!("there is no webhook `{id}`")))
}
