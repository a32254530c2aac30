//! What a shop's page may ask of us from its own origin: decisions, and to take events.
//!
//! Any origin may, since a publishable key is public and a request carries no cookie; a key has no list of origins.
//! Everything else of the API stays closed to pages of other origins.

use actix_web::http::Method;
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::{HttpResponse, Route, web};

/// How long a browser may remember the answer to a preflight, in seconds; browsers cap it at about that.
const REMEMBERED_S: &str = "7200";

/// What pages send along: keys, conditions, and what retries and traces are marked with.
const ALLOWED_HEADERS: &str =
    "authorization, content-type, if-none-match, x-api-key, x-retry-count, traceparent, tracestate";

/// The public protocols, all of whose paths are for pages.
const OPEN_PREFIXES: [&str; 2] = ["/ofrep/", "/v1/"];

/// Whether everything below this path is for pages.
pub(crate) fn is_open(path: &str) -> bool {
    OPEN_PREFIXES.into_iter().any(|prefix| path.starts_with(prefix))
}

/// Lets the page read the answer, errors too. Without `ETag` a page could not ask whether anything changed.
pub(crate) fn make_readable(headers: &mut HeaderMap) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("etag, retry-after"));
    headers.append(header::VARY, HeaderValue::from_static("origin"));
}

/// What answers the preflights of a path.
pub(crate) fn preflight() -> Route {
    web::method(Method::OPTIONS).to(allow)
}

/// Answers a preflight, which carries no key: 204.
async fn allow() -> HttpResponse {
    HttpResponse::NoContent()
        .insert_header((header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST"))
        .insert_header((header::ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED_HEADERS))
        .insert_header((header::ACCESS_CONTROL_MAX_AGE, REMEMBERED_S))
        .finish()
}
