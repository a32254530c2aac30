//! What the browser's client asks for before its first event.

use super::refusal::Refusal;
use crate::api::{Shared, cross_origin};
use crate::auth::Scope;
use actix_web::http::header;
use actix_web::web::Path;
use actix_web::{HttpRequest, HttpResponse};
use serde_json::json;

/// How long browsers may keep the answer.
const CACHED: &str = "public, max-age=300";

/// Says where events go: 200; 401 `unknown_key`; 403 `foreign_origin`.
///
/// Only a publishable key may stand in an address.
pub(super) async fn read(
    app: Shared,
    http: HttpRequest,
    write_key: Path<String>,
) -> Result<HttpResponse, Refusal> {
    if cross_origin::scope(&app, &http, &write_key)? != Scope::Publishable {
        return Err(Refusal::unknown_key());
    }
    // The configured address, not the one that was asked: a cache in between could be made to keep another.
    let (protocol, host) = app.links.public_url.split_once("://").unwrap_or(("https", &app.links.public_url));
    let destination = json!({ "apiKey": *write_key, "apiHost": format!("{host}/v1"), "protocol": protocol });
    let mut response = HttpResponse::Ok();
    // A cache keeps what nobody's page asked for apart from what a page may read.
    response.insert_header((header::CACHE_CONTROL, CACHED)).insert_header((header::VARY, "origin"));
    Ok(response.json(json!({ "integrations": { "Segment.io": destination } })))
}
