//! Whether one more request with events may come now.

use crate::app::App;
use crate::auth::Scope;
use actix_web::HttpRequest;
use actix_web::http::header::HeaderName;
use std::time::Instant;

/// Whom proxies say they forward a request for.
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Whether it may come; what may not is counted.
pub(crate) fn admits(app: &App, http: &HttpRequest, key: &str, scope: Scope) -> bool {
    let lines = http.headers().get_all(FORWARDED_FOR).filter_map(|line| line.to_str().ok());
    let forwarded: Vec<&str> = lines.flat_map(|line| line.split(',')).collect();
    let client = http.peer_addr().map(|peer| app.limits.client(peer.ip(), forwarded.into_iter()));
    let is_admitted = app.limits.admit(key, scope, client, Instant::now());
    if !is_admitted {
        shed("rate_limited");
    }
    is_admitted
}

/// Counts a request that has to come again.
pub(crate) fn shed(reason: &'static str) {
    metrics::counter!("podium_requests_shed_total", "reason" => reason).increment(1);
}
