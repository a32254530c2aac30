//! Metrics, readiness and problems.

use super::{Direction, Time, by_hand, plain};
use crate::problem::Kind;
use podium_plugin_host::Slug;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa::openapi::schema::{ObjectBuilder, Type};

/// What sort of number a metric yields: the share of units that did something, an amount per unit, or one sum over
/// another.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(super) enum MetricKind {
    Proportion,
    Mean,
    Ratio,
}

/// What a metric counts in.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(super) enum ValueUnit {
    Plain,
    CurrencyMinor,
    Count,
    Proportion,
    Milliseconds,
}

/// A metric that a plugin offers.
#[derive(ToSchema)]
struct Metric {
    /// Its id.
    #[schema(examples("conversion"))]
    metric: String,
    /// What people read.
    title: String,
    /// What it measures.
    description: String,
    /// What sort of number it yields.
    kind: MetricKind,
    /// What it counts in.
    unit: ValueUnit,
    /// Which way is better.
    direction: Direction,
    /// How long after its first exposure a unit's events count, in seconds; 0 if an experiment should say.
    window_s: i64,
    /// The quantile of the values that are not zero above which values are capped; none where nothing is.
    #[schema(required = true)]
    cap: Option<f64>,
    /// Metrics that are shown beside it where it decides, because it does not say by itself who is better.
    beside: Vec<String>,
    /// The plugin's id.
    plugin: String,
    /// The plugin's version.
    plugin_version: String,
    /// The plugin's file.
    #[schema(required = true)]
    file: Option<String>,
    /// The JSON Schema of its settings.
    #[schema(required = true)]
    config_schema: Value,
}

/// Which check a file did not pass.
pub(super) struct RefusalSlug;

by_hand!(
    RefusalSlug,
    ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some("Which check a file did not pass."))
        .enum_values(Some(Slug::ALL.map(Slug::as_str)))
        .into()
);

/// A file that is not a plugin we can use.
#[derive(ToSchema)]
struct RefusedPlugin {
    /// The file.
    #[schema(required = true)]
    file: Option<String>,
    /// Which check it did not pass.
    slug: RefusalSlug,
    /// What the check wants.
    expected: String,
    /// What there was.
    found: String,
    /// What to do about it.
    advice: String,
    /// All of that in one line.
    line: String,
}

/// The metrics that plugins offer, and the plugin files that were refused.
#[derive(ToSchema)]
pub(in crate::api::openapi) struct Metrics {
    /// The metrics.
    data: Vec<Metric>,
    /// The files.
    refused: Vec<RefusedPlugin>,
}

/// Where a plugin runs: in a process of its own, or in the server's.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
enum PluginIsolation {
    Child,
    InProcess,
}

/// Whether a plugin can be called: its process runs, is being started anew, or crashed too often to be.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
enum PluginState {
    Running,
    Restarting,
    Quarantined,
}

/// How far the kernel keeps a plugin's processes from what they must not do.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
enum PluginConfinement {
    None,
    Partial,
    Full,
}

/// A plugin, and how it does.
#[derive(ToSchema)]
pub(in crate::api::openapi) struct Plugin {
    /// Its id.
    #[schema(examples("podium.commerce-metrics"))]
    plugin: String,
    /// The version that runs.
    version: String,
    /// The file it was loaded from when the server started.
    file: String,
    /// The hash of the file that runs, in hexadecimal; null for one that runs in the server's process.
    #[schema(required = true)]
    sha256: Option<String>,
    /// The hash of the file that it can be rolled back to; null if there is none.
    #[schema(required = true)]
    previous_sha256: Option<String>,
    /// Counts the files that have taken over since the server started, from 1; null as for `sha256`.
    #[schema(required = true)]
    generation: Option<u64>,
    /// Where it runs.
    isolation: PluginIsolation,
    /// How far the kernel keeps its processes from what they must not do.
    confinement: PluginConfinement,
    /// Whether `plugins.lock` lists it. Without such a list in its folder, any file there is loaded.
    locked: bool,
    /// Whether the server is not ready without it.
    required: bool,
    /// Whether it can be called.
    state: PluginState,
    /// How often its process was started anew.
    restarts: u64,
    /// What its last process died of.
    #[schema(required = true)]
    last_crash: Option<String>,
    /// The metrics it offers.
    metrics: Vec<String>,
    /// The channels it offers.
    channels: Vec<String>,
}

/// The plugins, and the plugin files that were refused.
#[derive(ToSchema)]
pub(in crate::api::openapi) struct Plugins {
    /// The plugins.
    data: Vec<Plugin>,
    /// The files that were refused.
    refused: Vec<RefusedPlugin>,
    /// The files that `plugins.lock` requires and that are not loaded.
    missing: Vec<String>,
}

/// What became of a plugin: what its list says runs already, has taken over, or was refused, so that what ran runs on;
/// or the server has to be restarted, since the plugin is new, gone, or runs in the server's process.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
enum ReloadResult {
    Unchanged,
    Upgraded,
    Refused,
    NeedsRestart,
}

/// What became of a plugin.
#[derive(ToSchema)]
struct Reloaded {
    /// Its id.
    plugin: String,
    /// Its file, by `plugins.lock`.
    file: String,
    /// The hash of what ran before; null if it is not loaded.
    #[schema(required = true)]
    from: Option<String>,
    /// The hash by `plugins.lock`; null if it is listed no more.
    #[schema(required = true)]
    to: Option<String>,
    /// What became of it.
    result: ReloadResult,
    /// The version that runs, if it was upgraded.
    #[schema(required = true)]
    version: Option<String>,
    /// Why it was refused.
    #[schema(required = true)]
    refusal: Option<RefusedPlugin>,
}

/// What became of the plugins of each `plugins.lock`.
#[derive(ToSchema)]
pub(in crate::api::openapi) struct Reloads {
    /// The plugins.
    data: Vec<Reloaded>,
    /// The lists that make no sense; their plugins run on as they were.
    refused: Vec<RefusedPlugin>,
}

/// A link that needs no key.
#[derive(ToSchema)]
pub(in crate::api::openapi) struct ReportLink {
    /// Where the report is.
    #[schema(format = "uri")]
    url: String,
    /// Until when.
    expires_at: Time,
}

/// Whether the database answers.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
enum StoreState {
    Up,
    Down,
}

/// Whether the server can decide.
#[derive(ToSchema)]
pub(in crate::api::openapi) struct Readiness {
    /// Whether to send requests here.
    ready: bool,
    /// Whether it is stopping.
    draining: bool,
    /// Whether the database answers; without it decisions are still made.
    store: StoreState,
    /// Counts every change of what decisions are made on, since the server started.
    snapshot_version: u64,
    /// Plugins that are loaded.
    plugins: u64,
    /// Plugin files that were refused.
    refused_plugins: u64,
    /// Plugins that are required and cannot be called: the names of files that are missing, the ids of plugins in
    /// quarantine.
    required_plugins_down: Vec<String>,
}

/// What a problem is, as a path on this server that says more.
pub(super) struct ProblemType;

by_hand!(
    ProblemType,
    ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some("What it is, as a path on this server that says more. These never change."))
        .enum_values(Some(Kind::ALL.map(|kind| format!("/problems/{}", kind.row().1))))
        .into()
);

/// A field that cannot be what it is.
#[derive(ToSchema)]
struct FieldError {
    /// Where, as a JSON pointer into the body.
    #[schema(examples("/variants/0/weight"))]
    pointer: String,
    /// What is wrong and what would be right.
    detail: String,
}

/// An answer that is an error (RFC 9457).
#[derive(ToSchema)]
pub(in crate::api::openapi) struct Problem {
    /// What it is.
    r#type: ProblemType,
    /// What it is, in a few words.
    title: String,
    /// The status code of the answer.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// What went wrong this time, and what would be right.
    detail: String,
    /// The path that was asked for.
    instance: String,
    /// The fields that cannot be what they are.
    #[schema(required = false)]
    errors: Vec<FieldError>,
}

/// An OpenAPI document.
pub(in crate::api::openapi) struct Document;

by_hand!(
    Document,
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .description(Some("An OpenAPI 3.1 document."))
        .property("openapi", plain(Type::String).pattern(Some("^3\\.1\\.")))
        .property("info", plain(Type::Object))
        .property("paths", plain(Type::Object))
        .property("webhooks", plain(Type::Object))
        .property("components", plain(Type::Object))
        .property("servers", plain(Type::Array))
        .property("tags", plain(Type::Array))
        .required("openapi")
        .required("info")
        .required("paths")
        .into()
);
