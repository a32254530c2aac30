//! Logs and counters.

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use podium_plugin_host::{HostLog, Level};
use std::sync::OnceLock;
use tracing_subscriber::EnvFilter;

static PROMETHEUS: OnceLock<PrometheusHandle> = OnceLock::new();

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Starts logging to standard error, and counting.
pub(crate) fn start(format: LogFormat, default_level: &str) {
    let filter = EnvFilter::try_from_env("PODIUM_LOG")
        .unwrap_or_else(|_| EnvFilter::new(format!("{default_level},sea_orm_migration=warn,sqlx=warn")));
    // That nobody reads the log would be said where nobody reads it, by a panic of whoever had something to log.
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .log_internal_errors(false);
    match format {
        LogFormat::Text => builder.with_target(false).init(),
        LogFormat::Json => builder.json().flatten_event(true).init(),
    }
    let buckets = [1e-5, 1e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 5e-2, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0];
    let recorder = PrometheusBuilder::new().set_buckets(&buckets).map(PrometheusBuilder::build_recorder);
    match recorder {
        Ok(recorder) => {
            let _ = PROMETHEUS.set(recorder.handle());
            let _ = metrics::set_global_recorder(recorder);
        }
        Err(error) => tracing::error!(%error, "nothing is counted"),
    }
}

/// What has been counted, as Prometheus reads it.
pub(crate) fn render() -> String {
    PROMETHEUS.get().map(PrometheusHandle::render).unwrap_or_default()
}

/// What plugins say becomes log lines of ours.
pub(crate) fn plugin_log() -> HostLog {
    HostLog::new(Level::Debug, |line| {
        let (plugin, target, fields) = (line.plugin, line.target, line.fields_json);
        match line.level {
            Level::Error => tracing::error!(plugin, target, fields, "{}", line.message),
            Level::Warn => tracing::warn!(plugin, target, fields, "{}", line.message),
            Level::Info => tracing::info!(plugin, target, fields, "{}", line.message),
            _ => tracing::debug!(plugin, target, fields, "{}", line.message),
        }
    })
}
