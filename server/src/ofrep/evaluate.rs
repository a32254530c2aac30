//! `POST /ofrep/v1/evaluate/flags/{key}` and `POST /ofrep/v1/evaluate/flags`.

use super::answer::{Answer, BulkAnswer, etag, has_already};
use super::channel;
use super::context_id::context_id;
use super::refusal::Refusal;
use super::request::{self, admit, is_exposure, parameter, unit};
use crate::api::Shared;
use crate::app::App;
use crate::auth::{self, Scope};
use crate::clock;
use actix_web::http::header;
use actix_web::web::{self, Path};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::Value;

/// Evaluates one flag: 200; 400 `PARSE_ERROR`, `INVALID_CONTEXT`, `TARGETING_KEY_MISSING`; 401; 404; 429.
pub(super) async fn one(
    app: Shared,
    http: HttpRequest,
    key: Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, Refusal> {
    let (_, scope) = admit(&app, &http)?;
    let body = request::body(payload).await.map_err(|refusal| refusal.of(&key))?;
    let exposure = is_exposure(&request::query(&http));
    let context = request::context(&body).map_err(|refusal| refusal.of(&key))?;
    single(&app, &key, &context.into(), scope, exposure).await
}

/// Decides one flag for the unit that a context names.
pub(super) async fn single(
    app: &App,
    key: &str,
    context: &Value,
    scope: Scope,
    exposure: bool,
) -> Result<HttpResponse, Refusal> {
    let unit = unit(context).map_err(|refusal| refusal.of(key))?;
    let catalog = app.published.catalog.load_full();
    let needs = catalog.needs(catalog.is_targeted(key).then_some(key), scope);
    let asker = app.asker((unit, context), scope, &needs).await;
    let evaluation = app.evaluate_one(&catalog, key, &asker, (exposure, clock::now()));
    let evaluation = evaluation.ok_or_else(|| Refusal::unknown_flag(key))?;
    let context_id = context_id(&app.links, unit);
    let answer = Answer::single(&evaluation, context_id.as_deref())?;
    Ok(HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(answer))
}

/// Evaluates every flag: 200 with an `ETag`; 304; 400 `PARSE_ERROR`, `INVALID_CONTEXT`, `TARGETING_KEY_MISSING`; 401; 429.
pub(super) async fn all(
    app: Shared,
    http: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Refusal> {
    let (key, scope) = admit(&app, &http)?;
    let body = request::body(payload).await?;
    let context: Value = request::context(&body)?.into();
    let unit = unit(&context)?;
    let query = request::query(&http);
    let told_at = parameter(&query, "flagConfigLastModified").and_then(|seconds| seconds.parse().ok());
    if let (Some(told), Some(told_at)) = (parameter(&query, "flagConfigEtag"), told_at) {
        app.catch_up(told, told_at).await;
    }
    let now = clock::now();
    let catalog = app.published.catalog.load_full();
    let keys = catalog.flag_keys().into_iter();
    let needs = catalog.needs(keys.filter(|key| catalog.is_targeted(key)), scope);
    let asker = app.asker((unit, &context), scope, &needs).await;
    let evaluations = app.evaluate_all(&catalog, &asker, now);
    let stream = channel::request_uri(&app.links, auth::id(&key).unwrap_or_default(), now);
    let context_id = context_id(&app.links, unit);
    let body = serde_json::to_vec(&BulkAnswer::new(&evaluations, context_id.as_deref(), stream))
        .map_err(|error| Refusal::internal(error.to_string()))?;
    let etag = etag(&body);
    let is_known = has_already(&http, &etag);
    let mut response = if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response.insert_header((header::ETAG, etag)).insert_header((header::CACHE_CONTROL, "no-cache"));
    Ok(if is_known { response.finish() } else { response.content_type("application/json").body(body) })
}
