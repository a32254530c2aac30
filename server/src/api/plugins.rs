//! `/api/v1/plugins`.

use super::{Shared, allow, operations};
use crate::app::NotDone;
use crate::auth::Scope;
use crate::problem::{Kind, Problem};
use actix_web::web::Path;
use actix_web::{HttpRequest, HttpResponse};
use podium_plugin_host::{Look, PluginInfo, Registry, ReloadOutcome, Reloaded, UpgradeError};
use serde::Serialize;
use serde_json::Value;

#[derive(Serialize)]
struct PluginBody<'a> {
    plugin: &'a str,
    /// Of what runs.
    version: String,
    file: String,
    /// The hash of what runs; absent for what runs in our own process.
    sha256: Option<String>,
    /// What it can be rolled back to.
    previous_sha256: Option<String>,
    generation: Option<u64>,
    /// `child` or `in_process`.
    isolation: &'static str,
    /// How far the kernel keeps its processes from what they must not do: `full`, `partial` or `none`.
    confinement: &'static str,
    locked: bool,
    required: bool,
    /// `running`, `restarting` or `quarantined`.
    state: &'static str,
    restarts: u64,
    last_crash: Option<String>,
    metrics: Vec<&'a str>,
    channels: Vec<&'a str>,
}

#[derive(Serialize)]
struct PluginList<'a> {
    data: Vec<PluginBody<'a>>,
    refused: Vec<Value>,
    /// Files that are required and not loaded.
    missing: Vec<String>,
}

#[derive(Serialize)]
struct ReloadedBody {
    plugin: String,
    file: String,
    from: Option<String>,
    to: Option<String>,
    result: &'static str,
    /// Of what runs, if it was upgraded.
    version: Option<String>,
    /// Why it was refused.
    refusal: Option<Value>,
}

#[derive(Serialize)]
struct ReloadList {
    data: Vec<ReloadedBody>,
    refused: Vec<Value>,
}

impl<'a> PluginBody<'a> {
    fn new(registry: &'a Registry, info: &'a PluginInfo) -> Self {
        let status = registry.status(&info.id);
        let metrics = registry.metrics().iter().filter(|metric| metric.plugin_id == info.id);
        let channels = registry.channels().iter().filter(|channel| channel.plugin_id == info.id);
        Self {
            plugin: &info.id,
            version: status.as_ref().map_or_else(|| info.version.clone(), |status| status.version.clone()),
            file: operations::file_name(&info.file),
            sha256: status.as_ref().map(|status| status.sha256.clone()),
            previous_sha256: status.as_ref().and_then(|status| status.previous_sha256.clone()),
            generation: status.as_ref().map(|status| status.generation),
            isolation: if status.is_some() { "child" } else { "in_process" },
            confinement: status.as_ref().map_or("none", |status| status.confinement.as_str()),
            locked: info.locked,
            required: info.required,
            state: status.as_ref().map_or("running", |status| status.state.as_str()),
            restarts: status.as_ref().map_or(0, |status| status.restarts),
            last_crash: status.and_then(|status| status.last_crash),
            metrics: metrics.map(|metric| metric.id.as_str()).collect(),
            channels: channels.map(|channel| channel.id.as_str()).collect(),
        }
    }
}

impl From<Reloaded> for ReloadedBody {
    fn from(reloaded: Reloaded) -> Self {
        let (result, version, refusal) = match reloaded.outcome {
            ReloadOutcome::Unchanged => ("unchanged", None, None),
            ReloadOutcome::Upgraded(status) => ("upgraded", Some(status.version), None),
            ReloadOutcome::Refused(refusal) => ("refused", None, Some(operations::refusal(&refusal))),
            ReloadOutcome::NeedsRestart => ("needs_restart", None, None),
        };
        let file = operations::file_name(&reloaded.file);
        let Reloaded { plugin_id: plugin, from, to, .. } = reloaded;
        Self { plugin, file, from, to, result, version, refusal }
    }
}

impl From<NotDone> for Problem {
    fn from(error: NotDone) -> Self {
        Self::new(Kind::Unavailable, error.to_string())
    }
}

/// Lists the plugins, how each does, and the files that were refused or are missing: 200.
pub(crate) async fn list(app: Shared, http: HttpRequest) -> Result<HttpResponse, Problem> {
    allow(&app, &http, Scope::Admin)?;
    let registry = &app.published.registry;
    Ok(HttpResponse::Ok().json(PluginList {
        data: registry.plugins().iter().map(|info| PluginBody::new(registry, info)).collect(),
        refused: registry.refusals().iter().map(operations::refusal).collect(),
        missing: registry.missing().iter().map(|file| operations::file_name(file)).collect(),
    }))
}

/// Has what the lists of plugins say taken over: 200, whatever became of each.
pub(crate) async fn reload(app: Shared, http: HttpRequest) -> Result<HttpResponse, Problem> {
    allow(&app, &http, Scope::Admin)?;
    let reloads = app.reload_plugins(Look::All).await?;
    Ok(HttpResponse::Ok().json(ReloadList {
        data: reloads.plugins.into_iter().map(ReloadedBody::from).collect(),
        refused: reloads.refused.iter().map(operations::refusal).collect(),
    }))
}

/// Goes back to the file of a plugin that ran before: 200; 404; 409 `nothing-to-roll-back`, `illegal-transition`.
pub(crate) async fn rollback(
    app: Shared,
    http: HttpRequest,
    id: Path<String>,
) -> Result<HttpResponse, Problem> {
    allow(&app, &http, Scope::Admin)?;
    app.roll_plugin_back(id.clone()).await?.map_err(|error| {
        let kind = match &error {
            UpgradeError::NothingBefore { .. } => Kind::NothingToRollBack,
            UpgradeError::Refused(_) => Kind::IllegalTransition,
            _ => return in_no_child(&id),
        };
        Problem::new(kind, error.to_string())
    })?;
    let registry = &app.published.registry;
    let info = registry.plugins().iter().find(|info| info.id == *id).ok_or_else(|| in_no_child(&id))?;
    Ok(HttpResponse::Ok().json(PluginBody::new(registry, info)))
}

/// Lets a plugin in quarantine try again: 204, as for one that is in none; 404.
pub(crate) async fn release(
    app: Shared,
    http: HttpRequest,
    id: Path<String>,
) -> Result<HttpResponse, Problem> {
    allow(&app, &http, Scope::Admin)?;
    match app.release_plugin(id.clone()).await? {
        Some(_) => Ok(HttpResponse::NoContent().finish()),
        None => Err(in_no_child(&id)),
    }
}

fn in_no_child(id: &str) -> Problem {
    Problem::new(Kind::NotFound, format!("no plugin `{id}` runs in a process of its own"))
}
