//! `POST /api/v1/events`, and what was refused there.

use super::{Shared, allow, request};
use crate::auth::Scope;
use crate::clock;
use crate::ingest::body::{self, BadBody, Rejected};
use crate::problem::{Kind, Problem};
use crate::store::rejected;
use actix_web::web::{self, Query};
use actix_web::{HttpRequest, HttpResponse};
use podium_core::projection::Trust;
use podium_core::time::Timestamp;
use serde::{Deserialize, Serialize};

#[derive(Serialize)]
struct Answer {
    accepted: usize,
    duplicate: usize,
    rejected: Vec<Rejected>,
}

/// Takes events: 200 once they are on disk, with what was refused; 400 `bad-json`; 429 `queue-full`; 503.
pub(crate) async fn send(
    app: Shared,
    http: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let trust = match allow(&app, &http, Scope::Publishable)? {
        Scope::Publishable => Trust::Publishable,
        Scope::Server | Scope::Admin => Trust::Server,
    };
    let body = request::body(payload).await?;
    let received_at = clock::now();
    let intake =
        body::read(&body, &app.published.catalog.load(), trust, received_at).map_err(|bad| match bad {
            BadBody::NotJson(_) => Problem::field(Kind::BadJson, "", bad.to_string()),
            BadBody::Shape { pointer, detail } => Problem::field(Kind::InvalidField, pointer, detail),
        })?;
    let records = intake.rejected.iter().map(|rejected| rejected.to_record(received_at)).collect();
    let receipt = app.queue.events_on_disk(intake.events, records, body.len()).await?;
    Ok(HttpResponse::Ok().json(Answer {
        accepted: receipt.accepted,
        duplicate: receipt.duplicate,
        rejected: intake.rejected,
    }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RejectedQuery {
    status: Option<String>,
    limit: Option<u64>,
}

#[derive(Serialize)]
struct RejectedBody {
    received_at: Timestamp,
    message_id: Option<String>,
    reason: String,
    pointer: String,
    detail: String,
}

#[derive(Serialize)]
struct List<T> {
    data: Vec<T>,
}

/// Lists the last events that were refused: 200; 400 `invalid-query`.
pub(crate) async fn rejected(
    app: Shared,
    http: HttpRequest,
    query: Query<RejectedQuery>,
) -> Result<HttpResponse, Problem> {
    allow(&app, &http, Scope::Server)?;
    if query.status.as_deref() != Some("rejected") {
        return Err(Problem::new(Kind::InvalidQuery, "`status=rejected` is what there is to list"));
    }
    let limit = request::limit(query.limit, 50, 500)?;
    let data = rejected::newest(app.store.reader(), limit).await?;
    let data = data.into_iter().map(|event| RejectedBody {
        received_at: event.received_at,
        message_id: event.message_id,
        reason: event.reason,
        pointer: event.pointer,
        detail: event.detail,
    });
    Ok(HttpResponse::Ok().json(List { data: data.collect() }))
}
