//! `podium plugin run`.

mod sample;

use super::super::client::{Answer, Remote};
use super::super::config::{ExternalArg, IsolationArg, Place};
use super::super::serve::{Serve, StopSignal};
use super::super::{CliError, report, say, say_error};
use crate::limits::LimitArgs;
use crate::telemetry::{self, LogFormat};
use clap::Args;
use podium_plugin_host::Registry;
use sample::Sample;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::runtime::Handle;

/// How many events go into one request.
const EVENTS_IN_BATCH: usize = 1_000;
/// How many units are decided in one request.
const UNITS_IN_BATCH: usize = 1_000;

/// Replay events to a server that is thrown away, and print the report by a plugin's metric.
#[derive(Clone, Debug, Args)]
pub(crate) struct Run {
    /// The plugin.
    file: PathBuf,
    /// The events, one JSON object a line, as shops send them. With `Experiment Viewed` among them, those say who saw
    /// what; otherwise each shopper is given one of two variants.
    #[arg(long, value_name = "FILE")]
    events: PathBuf,
    /// Which metric of the plugin; needed if it has several.
    #[arg(long, value_name = "ID")]
    metric: Option<String>,
    /// The metric's settings, as JSON.
    #[arg(long, value_name = "JSON", default_value = "{}")]
    config: String,
    /// Print the report as JSON.
    #[arg(long)]
    json: bool,
}

/// The server that is thrown away.
struct Server<'a> {
    remote: Remote,
    is_stopped: &'a AtomicBool,
}

/// What a replay came to.
struct Replayed {
    report: Value,
    /// What was not counted or went wrong, a line each.
    troubles: Vec<String>,
}

impl Run {
    /// Runs it.
    pub(crate) fn run(&self) -> Result<ExitCode, CliError> {
        telemetry::start(LogFormat::Text, "warn");
        let sample = Sample::read(&self.events)?;
        let config: Value = serde_json::from_str(&self.config)
            .map_err(|error| CliError(format!("--config is no JSON: {error}")))?;
        // Before there is a folder that would be left behind.
        let is_stopped = stop_flag()?;
        let folder = std::env::temp_dir().join(format!("podium-run-{:016x}", rand::random::<u64>()));
        let replayed = self.replay_in(&folder, &sample, &config, &is_stopped);
        if let Err(error) = fs::remove_dir_all(&folder) {
            say_error(&format!("cannot delete {}: {error}", folder.display()));
        }
        let Replayed { report, troubles } = replayed?;
        for trouble in &troubles {
            say_error(trouble);
        }
        if self.json {
            say(&report.to_string());
        } else {
            for line in report::lines(&report) {
                say(&line);
            }
        }
        Ok(if troubles.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
    }

    fn replay_in(
        &self,
        folder: &Path,
        sample: &Sample,
        config: &Value,
        is_stopped: &AtomicBool,
    ) -> Result<Replayed, CliError> {
        let place = Place {
            database: None,
            data_dir: folder.to_owned(),
            plugin_dir: Vec::new(),
            plugin_isolation: IsolationArg::Child,
        };
        place.prepare()?;
        let registry = place.plugins_of(&[self.copy_into(folder)?])?;
        if let Some(refusal) = registry.refusals().first() {
            return Err(CliError(refusal.to_string()));
        }
        let metric = self.choose(&registry)?;
        let listen = "127.0.0.1:0".to_owned();
        let serve = Serve {
            place,
            listen,
            public_url: None,
            allow_private_webhooks: false,
            external_data: ExternalArg::Off,
            limits: LimitArgs::for_old_logs(),
            log_format: LogFormat::Text,
        };
        // Commands run beside the runtime, on a thread that may wait.
        let runtime = Handle::current();
        let running = runtime.block_on(serve.start_with(registry))?;
        let server = Server { remote: Remote::of(&running.url, folder), is_stopped };
        let replayed = replay(&server, sample, &json!({ "metric": metric, "config": config }));
        runtime.block_on(running.stop())?;
        replayed
    }

    /// Puts the plugin into a folder that has nothing else and that nobody else can write.
    fn copy_into(&self, folder: &Path) -> Result<PathBuf, CliError> {
        let failed =
            |error: std::io::Error| CliError(format!("cannot copy {}: {error}", self.file.display()));
        let plugins = folder.join("plugins");
        fs::DirBuilder::new().mode(0o700).create(&plugins).map_err(failed)?;
        let copy = plugins.join(self.file.with_extension("so").file_name().unwrap_or_default());
        fs::copy(&self.file, &copy).map_err(failed)?;
        fs::set_permissions(&copy, fs::Permissions::from_mode(0o500)).map_err(failed)?;
        Ok(plugins)
    }

    fn choose(&self, registry: &Registry) -> Result<String, CliError> {
        let ids: Vec<&str> = registry.metrics().iter().map(|metric| metric.id.as_str()).collect();
        match (&self.metric, &ids[..]) {
            (_, []) => Err(CliError("the plugin has no metric".to_owned())),
            (Some(wanted), ids) if ids.contains(&wanted.as_str()) => Ok(wanted.clone()),
            (None, [only]) => Ok((*only).to_owned()),
            _ => Err(CliError(format!("say which metric by --metric: {}", ids.join(", ")))),
        }
    }
}

impl Server<'_> {
    /// Sends a request, unless somebody has pressed Ctrl-C.
    fn send(
        &self,
        method: &str,
        path: &str,
        body: Option<&str>,
        if_match: Option<&str>,
    ) -> Result<Answer, CliError> {
        if self.is_stopped.load(Ordering::Relaxed) {
            return Err(CliError("interrupted".to_owned()));
        }
        self.remote.send(method, path, body, if_match)
    }
}

/// Becomes true by SIGTERM or SIGINT, which do nothing else from now on.
fn stop_flag() -> Result<Arc<AtomicBool>, CliError> {
    let mut signal = StopSignal::catch()?;
    let is_stopped = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&is_stopped);
    tokio::spawn(async move {
        signal.caught().await;
        told.store(true, Ordering::Relaxed);
    });
    Ok(is_stopped)
}

/// Registers an experiment, sends the events, and reads the report.
fn replay(server: &Server<'_>, sample: &Sample, metric: &Value) -> Result<Replayed, CliError> {
    let key = sample.experiment();
    let variants: Vec<Value> = sample.variants().iter().map(|variant| json!({ "key": variant })).collect();
    let definition = json!({
        "key": key,
        "variants": variants,
        "primary_metric": metric,
        "exposure": "event",
        "min_run_s": 0,
    });
    let path = format!("/api/v1/experiments/{key}");
    server.send("POST", "/api/v1/experiments", Some(&definition.to_string()), None)?;
    server.send("POST", &format!("{path}/start"), Some("{}"), Some("*"))?;
    let mut troubles = Vec::new();
    for units in sample.unassigned().chunks(UNITS_IN_BATCH) {
        let ids: Vec<&str> = units.iter().map(|unit| unit.id.as_str()).collect();
        let asked = json!({ "units": ids, "flags": [key], "exposure": false });
        let decided = read(&server.send("POST", "/api/v1/decide", Some(&asked.to_string()), None)?.body)?;
        let variants = list(&decided, "decisions").iter().map(|decision| text(decision, "variant"));
        let viewed: Vec<String> =
            units.iter().zip(variants).map(|(unit, variant)| unit.viewed(key, variant)).collect();
        send(server, viewed.iter().map(String::as_str), |_| "an exposure".to_owned(), &mut troubles)?;
    }
    for lines in sample.lines().chunks(EVENTS_IN_BATCH) {
        let place =
            |idx: usize| lines.get(idx).map_or_else(String::new, |line| format!("line {}", line.number));
        send(server, lines.iter().map(|line| line.json.as_str()), place, &mut troubles)?;
    }
    let report = read(&server.send("GET", &format!("{path}/report"), None, None)?.body)?;
    let plugins = read(&server.send("GET", "/api/v1/plugins", None, None)?.body)?;
    for plugin in list(&plugins, "data") {
        let crash = text(plugin, "last_crash");
        if !crash.is_empty() {
            troubles.push(format!("the plugin crashed, and the figures lack what it died of: {crash}"));
        }
    }
    Ok(Replayed { report, troubles })
}

/// Sends events in one request, and says which were refused, and why.
fn send<'a>(
    server: &Server<'_>,
    events: impl Iterator<Item = &'a str>,
    place: impl Fn(usize) -> String,
    troubles: &mut Vec<String>,
) -> Result<(), CliError> {
    let body = format!(r#"{{"batch": [{}]}}"#, events.collect::<Vec<_>>().join(","));
    let answer = read(&server.send("POST", "/api/v1/events", Some(&body), None)?.body)?;
    for rejected in list(&answer, "rejected") {
        let idx = rejected.get("index").and_then(Value::as_u64).unwrap_or(0);
        let (place, reason, detail) =
            (place(idx as usize), text(rejected, "reason"), text(rejected, "detail"));
        troubles.push(format!("{place} does not count: {reason}: {detail}"));
    }
    Ok(())
}

fn read(body: &str) -> Result<Value, CliError> {
    serde_json::from_str(body).map_err(CliError::from_display)
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}
