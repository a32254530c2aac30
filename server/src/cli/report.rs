//! `podium report`.

use super::client::Remote;
use super::{CliError, say};
use clap::{Args, ValueEnum};
use serde_json::Value;
use std::process::ExitCode;

/// Print the report of an experiment.
#[derive(Clone, Debug, Args)]
pub(crate) struct ReportCommand {
    #[command(flatten)]
    remote: Remote,
    /// The experiment's key.
    #[arg(id = "experiment-key", value_name = "KEY")]
    key: String,
    /// Which version of it; the newest if absent.
    #[arg(id = "experiment-version", long, value_name = "N")]
    version: Option<u32>,
    /// How to print it.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// The same as `--format json`.
    #[arg(long, conflicts_with = "format")]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
    Csv,
    Html,
}

impl ReportCommand {
    /// Runs it.
    pub(crate) fn run(self) -> Result<ExitCode, CliError> {
        let format = if self.json { Format::Json } else { self.format };
        let ending = match format {
            Format::Text | Format::Json => "",
            Format::Csv => ".csv",
            Format::Html => ".html",
        };
        let version = self.version.map(|version| format!("?version={version}")).unwrap_or_default();
        let path = format!("/api/v1/experiments/{}/report{ending}{version}", self.key);
        let answer = self.remote.send("GET", &path, None, None)?;
        if format == Format::Text {
            let report: Value = serde_json::from_str(&answer.body).map_err(CliError::from_display)?;
            for line in lines(&report) {
                say(&line);
            }
        } else {
            say(answer.body.trim_end());
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The sentence, then a line for each metric and variant.
pub(super) fn lines(report: &Value) -> Vec<String> {
    let text =
        |value: &Value, name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let number = |value: &Value, name: &str| value.get(name).map_or_else(|| "-".to_owned(), Value::to_string);
    let mut lines = vec![format!("{} [{}]", text(report, "sentence"), text(report, "state"))];
    for metric in report.get("metrics").and_then(Value::as_array).into_iter().flatten() {
        lines.push(format!("{} ({})", text(metric, "title"), text(metric, "role")));
        for variant in metric.get("variants").and_then(Value::as_array).into_iter().flatten() {
            lines.push(format!(
                "  {:24} units {:>9}  {} / {} = {}  chance to be best {}",
                text(variant, "key"),
                number(variant, "units"),
                number(variant, "numerator"),
                number(variant, "denominator"),
                number(variant, "value"),
                number(variant, "chance_best"),
            ));
        }
    }
    lines
}
