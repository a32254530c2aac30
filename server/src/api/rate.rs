//! Whether one more request with events may come now.

use crate::app::App;
use crate::auth::{self, Scope};
use crate::clock;
use actix_web::HttpRequest;

/// Whether it may come; what may not is counted.
pub(crate) fn admits(app: &App, http: &HttpRequest, key: &str, scope: Scope) -> bool {
    let key_id = auth::id(key).unwrap_or_default();
    let is_admitted = app.limits.events.admit(key_id, scope, app.limits.client(http), clock::now()).is_ok();
    if !is_admitted {
        shed("rate_limited");
    }
    is_admitted
}

/// Counts a request that has to come again.
pub(crate) fn shed(reason: &'static str) {
    metrics::counter!("podium_requests_shed_total", "reason" => reason).increment(1);
}
