//! What a shop's page may ask of us from its own origin: decisions, and to take events.
//!
//! Any origin may unless a key has a list of them, since a publishable key is public and a request carries no cookie.
//! Everything else of the API stays closed to pages of other origins.

use super::Shared;
use crate::app::App;
use crate::auth::{Pages, Refused, Scope};
use actix_web::dev::ServiceResponse;
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpMessage, HttpRequest, HttpResponse, Route, web};

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

/// Marks a request whose page may not use the key that it came with.
struct Foreign;

/// What a key may do for who sends the request, wherever the request has the key.
pub(crate) fn scope(app: &App, http: &HttpRequest, key: &str) -> Result<Scope, Refused> {
    let scope = app.scope(key, origin(http).map(HeaderValue::as_bytes));
    if scope == Err(Refused::Origin) {
        http.extensions_mut().insert(Foreign);
    }
    scope
}

/// The same of the key with this id, which was let in before.
pub(crate) fn is_for(app: &App, http: &HttpRequest, key_id: &str) -> bool {
    let is_for = app.keys.load().is_for(key_id, origin(http).map(HeaderValue::as_bytes));
    if !is_for {
        http.extensions_mut().insert(Foreign);
    }
    is_for
}

fn origin(http: &HttpRequest) -> Option<&HeaderValue> {
    http.headers().get(header::ORIGIN)
}

/// Lets the page read the answer, errors too, unless its origin is no key's, or not that of its own key. Without `ETag` a
/// page could not ask whether anything changed.
pub(crate) fn make_readable<B>(response: &mut ServiceResponse<B>) {
    // Only pages say an origin.
    let Some(origin) = origin(response.request()) else { return };
    let allowed = allowed(response.request(), origin);
    let headers = response.headers_mut();
    headers.insert(header::VARY, HeaderValue::from_static("origin"));
    if let Some(allowed) = allowed {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("etag, retry-after"));
    }
}

/// Of which origin pages may read the answer to a request.
fn allowed(http: &HttpRequest, origin: &HeaderValue) -> Option<HeaderValue> {
    if http.extensions().contains::<Foreign>() {
        return None;
    }
    let app = http.app_data::<Shared>()?;
    match app.keys.load().pages(origin.to_str().unwrap_or_default()) {
        Pages::Any => Some(HeaderValue::from_static("*")),
        Pages::Own => Some(origin.clone()),
        Pages::Foreign => None,
    }
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
