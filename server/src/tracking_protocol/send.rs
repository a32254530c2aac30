//! Taking events, one or a batch of them.

use super::body;
use super::refusal::Refusal;
use crate::api::{Shared, cross_origin, rate};
use crate::app::Taken;
use crate::auth;
use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use podium_core::metric::json::{Object, plain_text};
use serde::Serialize;
use serde_json::json;
use std::borrow::Cow;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Rejected<'a> {
    index: usize,
    message_id: Option<&'a str>,
    reason: &'static str,
    field: &'a str,
}

/// Takes events: 200 once they are on disk; 400 `bad_json`; 401 `unknown_key`; 403 `foreign_origin`; 408; 413; 429; 503.
///
/// - `default_type`: what an event is that has no `type`.
pub(super) async fn send(
    app: Shared,
    http: HttpRequest,
    payload: Payload,
    default_type: &'static str,
) -> Result<HttpResponse, Refusal> {
    if app.is_draining() {
        return Err(Refusal::draining());
    }
    // A client whose key is known without the body need not send it for nothing.
    let presented = auth::presented(&http).filter(|key| !key.is_empty());
    if let Some(key) = &presented {
        cross_origin::scope(&app, &http, key)?;
    }
    let body = body::read(&http, payload).await?;
    let key = presented.or_else(|| write_key(&body)).ok_or_else(Refusal::unknown_key)?;
    let scope = cross_origin::scope(&app, &http, &key)?;
    if !rate::admits(&app, &http, &key, scope) {
        return Err(Refusal::rate_limited());
    }
    let Taken { accepted, duplicate, rejected } = app.take_in(&body, scope.trust(), default_type).await?;
    let rejected = rejected.iter().map(|rejected| Rejected {
        index: rejected.index,
        message_id: rejected.message_id.as_deref(),
        reason: rejected.reason,
        field: &rejected.pointer,
    });
    Ok(HttpResponse::Ok().json(json!({
        "success": true,
        "accepted": accepted,
        "duplicate": duplicate,
        "rejected": rejected.collect::<Vec<_>>(),
    })))
}

/// The key that stands in a body.
fn write_key(body: &[u8]) -> Option<Cow<'_, str>> {
    let body = std::str::from_utf8(body).ok()?;
    Object::parse(body).get("writeKey").and_then(plain_text)
}

/// Takes what clients tell of themselves, and drops it: 200.
pub(super) async fn drop_telemetry() -> HttpResponse {
    HttpResponse::Ok().json(json!({ "success": true }))
}
