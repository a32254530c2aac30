//! `/livez`, `/readyz`, `/metrics`, the problem pages, and which goal metrics there are.

use super::{Shared, allow};
use crate::auth::Scope;
use crate::engine;
use crate::problem::{Kind, Problem};
use crate::store::{log, outbox};
use crate::telemetry;
use actix_web::web;
use actix_web::{HttpRequest, HttpResponse};
use podium_plugin_host::Refusal;
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

/// How long the metrics wait for the database: they are needed most when it is away, and Prometheus gives up
/// after ten seconds.
const PENDING_WITHIN: Duration = Duration::from_secs(1);

/// The process turns.
pub(crate) async fn livez() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; charset=utf-8").body("ok\n")
}

/// Whether it can decide; `?require=store` asks for the database too.
pub(crate) async fn readyz(app: Shared, http: HttpRequest) -> HttpResponse {
    let store_is_there = log::watermark(app.store.reader()).await.is_ok();
    let requires_store = http.query_string().split('&').any(|pair| pair == "require=store");
    let plugins_down = app.published.registry.required_down();
    let is_ready = !app.is_draining() && plugins_down.is_empty() && (store_is_there || !requires_store);
    let body = json!({
        "ready": is_ready,
        "draining": app.is_draining(),
        "store": if store_is_there { "up" } else { "down" },
        "snapshot_version": app.published.catalog.load().snapshot.version,
        "plugins": app.published.registry.plugins().len(),
        "refused_plugins": app.published.registry.refusals().len(),
        "required_plugins_down": plugins_down,
    });
    if is_ready { HttpResponse::Ok().json(body) } else { HttpResponse::ServiceUnavailable().json(body) }
}

/// Counters for Prometheus.
pub(crate) async fn metrics(app: Shared) -> HttpResponse {
    metrics::gauge!("podium_ingest_queue_events").set(app.queue.events() as f64);
    metrics::gauge!("podium_ingest_queue_bytes").set(app.queue.bytes() as f64);
    let pending = tokio::time::timeout(PENDING_WITHIN, outbox::pending(app.store.reader())).await;
    // What is not known is no number: the last one would look well while the database is away.
    let n_pending = pending.ok().and_then(Result::ok).map_or(f64::NAN, |n_pending| n_pending as f64);
    metrics::gauge!("podium_outbox_pending").set(n_pending);
    HttpResponse::Ok().content_type("text/plain; version=0.0.4").body(telemetry::render())
}

/// The goal metrics that plugins offer, and the plugin files that were refused: 200.
pub(crate) async fn goal_metrics(app: Shared, http: HttpRequest) -> Result<HttpResponse, Problem> {
    allow(&app, &http, Scope::Server)?;
    let registry = &app.published.registry;
    let offered = registry.metrics().iter().map(|info| {
        json!({
            "metric": info.id,
            "title": info.title,
            "description": info.description,
            "kind": engine::kind(info),
            "unit": engine::unit(info),
            "direction": engine::direction(info),
            "window_s": info.window_s,
            "cap": info.cap_quantile,
            "beside": info.beside,
            "plugin": info.plugin_id,
            "plugin_version": info.plugin_version,
            "file": file_name(&info.file),
            "config_schema": serde_json::from_str::<Value>(&info.config_schema).unwrap_or_default(),
        })
    });
    Ok(HttpResponse::Ok().json(json!({
        "data": offered.collect::<Vec<_>>(),
        "refused": registry.refusals().iter().map(refusal).collect::<Vec<_>>(),
    })))
}

/// A plugin file that was refused, with the reason.
pub(crate) fn refusal(refusal: &Refusal) -> Value {
    json!({
        "file": file_name(&refusal.file),
        "slug": refusal.slug.as_str(),
        "expected": refusal.expected,
        "found": refusal.found,
        "advice": refusal.advice,
        "line": refusal.to_string(),
    })
}

/// What clients read of a file: never where it is.
pub(crate) fn file_name(file: &Path) -> String {
    file.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// What a problem's `type` leads to: 200; 404.
pub(crate) async fn problem_page(slug: web::Path<String>) -> Result<HttpResponse, Problem> {
    let kind = Kind::ALL.into_iter().find(|kind| kind.row().1 == slug.as_str());
    let kind = kind.ok_or_else(|| Problem::new(Kind::NotFound, format!("there is no problem `{slug}`")))?;
    let (status, slug, title) = kind.row();
    let text = format!(
        "{slug}: {title}.\nAnswered with status {status}. `detail` says what would be right; `errors` names fields by JSON pointer.\n"
    );
    Ok(HttpResponse::Ok().content_type("text/plain; charset=utf-8").body(text))
}
