//! What the browser's client asks for before its first event.

use super::refusal::Refusal;
use crate::api::Shared;
use crate::auth::Scope;
use actix_web::HttpResponse;
use actix_web::http::header;
use actix_web::web::Path;
use serde_json::json;

/// How long browsers may keep the answer.
const CACHED: &str = "public, max-age=300";

/// Says where events go: 200; 401 `unknown_key`.
///
/// Only a publishable key may stand in an address.
pub(super) async fn read(app: Shared, write_key: Path<String>) -> Result<HttpResponse, Refusal> {
    if app.scope(&write_key) != Some(Scope::Publishable) {
        return Err(Refusal::unknown_key());
    }
    // The configured address, not the one that was asked: a cache in between could be made to keep another.
    let (protocol, host) = app.links.public_url.split_once("://").unwrap_or(("https", &app.links.public_url));
    let destination = json!({ "apiKey": *write_key, "apiHost": format!("{host}/v1"), "protocol": protocol });
    let mut response = HttpResponse::Ok();
    response.insert_header((header::CACHE_CONTROL, CACHED));
    Ok(response.json(json!({ "integrations": { "Segment.io": destination } })))
}
