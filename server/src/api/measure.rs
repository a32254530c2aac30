//! How long requests take, by route.

use crate::problem::INSTANCE;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use metrics::Histogram;
use std::cell::RefCell;
use std::collections::HashMap;
use std::time::Instant;

thread_local! {
    /// Handles by route and status class, so that a request looks up no label.
    static DURATIONS: RefCell<HashMap<(String, u16), Histogram>> = RefCell::default();
}

/// Measures one request, and lets problems know its path. The label is the route's pattern, never what stands in its place.
pub(crate) async fn duration(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let begun = Instant::now();
    let route = request.match_pattern();
    let instance = request.path().to_owned();
    let response = INSTANCE.scope(instance, next.call(request)).await?;
    let key = (route.unwrap_or_else(|| "unknown".to_owned()), response.status().as_u16() / 100);
    DURATIONS.with_borrow_mut(|durations| {
        let histogram = durations.entry(key).or_insert_with_key(|(route, class)| {
            let outcome = format!("{class}xx");
            metrics::histogram!("podium_http_request_duration_seconds", "route" => route.clone(), "outcome" => outcome)
        });
        histogram.record(begun.elapsed());
    });
    Ok(response)
}
