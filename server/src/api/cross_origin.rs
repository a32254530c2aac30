//! What a shop's page may ask of us from its own origin: decisions, and to take events.
//!
//! Any origin may, since a publishable key is public and a request carries no cookie. Everything else of the API stays
//! closed to pages of other origins.

use actix_web::HttpResponse;
use actix_web::http::header::{self, HeaderMap, HeaderValue};

/// How long a browser may remember the answer to a preflight, in seconds; browsers cap it at about that.
const REMEMBERED_S: &str = "7200";

/// Lets the page read the answer, errors too.
pub(crate) fn make_readable(headers: &mut HeaderMap) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("retry-after"));
}

/// Answers a preflight, which carries no key: 204.
pub(crate) async fn preflight() -> HttpResponse {
    HttpResponse::NoContent()
        .insert_header((header::ACCESS_CONTROL_ALLOW_METHODS, "POST"))
        .insert_header((header::ACCESS_CONTROL_ALLOW_HEADERS, "authorization, content-type, x-api-key"))
        .insert_header((header::ACCESS_CONTROL_MAX_AGE, REMEMBERED_S))
        .finish()
}
