//! `/api/v1/plugins`.

use super::{Shared, allow, operations};
use crate::auth::Scope;
use crate::problem::{Kind, Problem};
use actix_web::web::{self, Path};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use serde_json::Value;
use std::sync::Arc;

#[derive(Serialize)]
struct PluginBody<'a> {
    plugin: &'a str,
    version: &'a str,
    file: String,
    /// The hash of what runs; absent for what runs in our own process.
    sha256: Option<String>,
    /// `child` or `in_process`.
    isolation: &'static str,
    /// `running`, `restarting` or `quarantined`.
    state: &'static str,
    restarts: u64,
    last_crash: Option<String>,
    metrics: Vec<&'a str>,
}

#[derive(Serialize)]
struct PluginList<'a> {
    data: Vec<PluginBody<'a>>,
    refused: Vec<Value>,
}

/// Lists the plugins, how each does, and the files that were refused: 200.
pub(crate) async fn list(app: Shared, http: HttpRequest) -> Result<HttpResponse, Problem> {
    allow(&app, &http, Scope::Admin)?;
    let registry = &app.published.registry;
    let plugins = registry.plugins().iter().map(|info| {
        let status = registry.status(&info.id);
        let metrics = registry.metrics().iter().filter(|metric| metric.plugin_id == info.id);
        PluginBody {
            plugin: &info.id,
            version: &info.version,
            file: info.file.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            sha256: status.as_ref().map(|status| status.sha256.clone()),
            isolation: if status.is_some() { "child" } else { "in_process" },
            state: status.as_ref().map_or("running", |status| status.state.as_str()),
            restarts: status.as_ref().map_or(0, |status| status.restarts),
            last_crash: status.and_then(|status| status.last_crash),
            metrics: metrics.map(|metric| metric.id.as_str()).collect(),
        }
    });
    let refused = operations::refused(registry);
    Ok(HttpResponse::Ok().json(PluginList { data: plugins.collect(), refused }))
}

/// Lets a plugin in quarantine try again: 204, as for one that is in none; 404.
pub(crate) async fn release(
    app: Shared,
    http: HttpRequest,
    id: Path<String>,
) -> Result<HttpResponse, Problem> {
    allow(&app, &http, Scope::Admin)?;
    let (registry, plugin) = (Arc::clone(&app.published.registry), id.clone());
    let released = web::block(move || registry.release(&plugin)).await;
    match released.map_err(|error| Problem::new(Kind::Unavailable, error.to_string()))? {
        Some(_) => Ok(HttpResponse::NoContent().finish()),
        None => Err(Problem::new(Kind::NotFound, format!("no plugin `{id}` runs in a process of its own"))),
    }
}
