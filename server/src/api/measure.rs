//! What surrounds every request: how long it takes, by route; its path, for problems; and whether a page of another
//! origin may read the answer.

use super::cross_origin;
use crate::problem::INSTANCE;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use metrics::Histogram;
use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::time::Instant;

thread_local! {
    /// Handles by route and status class, so that a request looks up no label.
    static DURATIONS: RefCell<HashMap<(Cow<'static, str>, u16), Histogram>> = RefCell::default();
}

/// Paths that shoppers wait for. Each is its own pattern, which to search among all routes would take longer than the
/// decision.
const HOT: [&str; 2] = ["/api/v1/decide", "/api/v1/events"];

/// Measures one request, and lets problems know its path. The label is the route's pattern, never what stands in its place.
pub(crate) async fn duration(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let begun = Instant::now();
    let hot = HOT.into_iter().find(|path| *path == request.path()).map(Cow::Borrowed);
    let route =
        hot.clone().or_else(|| request.match_pattern().map(Cow::Owned)).unwrap_or(Cow::Borrowed("unknown"));
    let is_for_pages = hot.is_some() || cross_origin::is_open(request.path());
    let instance = request.path().to_owned();
    let mut response = INSTANCE.scope(instance, next.call(request)).await?;
    if is_for_pages {
        cross_origin::make_readable(&mut response);
    }
    let key = (route, response.status().as_u16() / 100);
    DURATIONS.with_borrow_mut(|durations| {
        let histogram = durations.entry(key).or_insert_with_key(|(route, class)| {
            let outcome = format!("{class}xx");
            metrics::histogram!("podium_http_request_duration_seconds", "route" => route.clone(), "outcome" => outcome)
        });
        histogram.record(begun.elapsed());
    });
    Ok(response)
}
