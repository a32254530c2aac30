//! `podium plugin check`.

mod child;
mod finding;

use super::super::{CliError, say};
use child::ask;
use clap::{Args, ValueEnum};
use finding::{Asks, Finding};
use podium_plugin_host::conformance::Law;
use podium_plugin_host::conformance::alone::{self, Job, Said};
use podium_plugin_host::conformance::channel::{Promise, Protocol, Trial, Verdict};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Try a built plugin against every law and promise of the contract, each in a process of its own.
#[derive(Clone, Debug, Args)]
pub(crate) struct Check {
    /// The plugin.
    file: PathBuf,
    /// The settings to check it with, as JSON; `ID=JSON` for one metric or channel; may be repeated. For a channel,
    /// `{{endpoint}}` (or `{{host}}` and `{{port}}`) stands for the provider that the check plays.
    #[arg(long, value_name = "JSON")]
    config: Vec<String>,
    /// The value of a secret that a channel's settings name; others are made up. May be repeated.
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    secret: Vec<(String, String)>,
    /// Where a channel's messages go, as JSON.
    #[arg(long, value_name = "JSON")]
    address: Option<String>,
    /// Content that a channel can send, as JSON.
    #[arg(long, value_name = "JSON")]
    content: Option<String>,
    /// What the provider that the check plays speaks: HTTP, or nothing at all.
    #[arg(long, value_enum, default_value_t = DoubleSpeaks::Http)]
    double: DoubleSpeaks,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum DoubleSpeaks {
    Http,
    Tcp,
}

/// One check, in a process that does nothing else. What to do comes by standard input, as JSON.
#[derive(Clone, Debug, Args)]
pub(crate) struct Alone {
    file: PathBuf,
}

impl Alone {
    /// Does it.
    pub(crate) fn run(&self) -> ExitCode {
        let said = match serde_json::from_reader::<_, Job>(std::io::stdin()) {
            Ok(job) => alone::run(&self.file, &job),
            Err(error) => Said::Failed(error.to_string()),
        };
        say(&serde_json::to_string(&said).unwrap_or_default());
        ExitCode::SUCCESS
    }
}

impl Check {
    /// Runs it.
    pub(crate) fn run(&self) -> Result<ExitCode, CliError> {
        let file = self.file.canonicalize();
        let file = file.map_err(|error| CliError(format!("cannot read {}: {error}", self.file.display())))?;
        let (metrics, channels) = match ask(&file, &Job::List { protocol: self.protocol() })? {
            Said::Has { metrics, channels } => (metrics, channels),
            Said::Failed(fault) => return Err(CliError(fault)),
            _ => return Err(CliError("the check answered something else".to_owned())),
        };
        let mut findings = Vec::new();
        for metric in &metrics {
            self.metric(&file, metric, &mut findings)?;
        }
        for (channel, promises) in &channels {
            self.channel(&file, channel, promises, &mut findings)?;
        }
        if self.json {
            let name = file.file_name().map(|name| name.to_string_lossy());
            say(&serde_json::json!({ "file": name, "findings": findings }).to_string());
        } else {
            say(&finding::summary(metrics.len(), channels.len(), &findings));
        }
        Ok(if findings.iter().all(Finding::is_kept) { ExitCode::SUCCESS } else { ExitCode::from(1) })
    }

    fn metric(&self, file: &Path, metric: &str, findings: &mut Vec<Finding>) -> Result<(), CliError> {
        let (metric_id, config_json) = (metric.to_owned(), self.config(metric).to_owned());
        let differs = fingerprints_differ(file, &metric_id, &config_json)?;
        for law in Law::ALL {
            let job = Job::Law { metric_id: metric_id.clone(), config_json: config_json.clone(), law };
            let verdict = match (verdict(ask(file, &job)?), &differs) {
                (Verdict::Kept, Some(text)) if law == Law::Pure => Verdict::Broken(text.clone()),
                (verdict, _) => verdict,
            };
            self.found(findings, Finding::new(metric, Asks::Law(law), verdict));
        }
        Ok(())
    }

    fn channel(
        &self,
        file: &Path,
        channel: &str,
        promises: &[Promise],
        findings: &mut Vec<Finding>,
    ) -> Result<(), CliError> {
        let trial = Trial {
            config_json: self.config(channel).to_owned(),
            secrets: self.secret.iter().cloned().collect::<BTreeMap<_, _>>(),
            address_json: self.address.clone(),
            content_json: self.content.clone(),
            protocol: self.protocol(),
        };
        for &promise in promises {
            let job = Job::Promise { channel_id: channel.to_owned(), trial: trial.clone(), promise };
            let verdict = verdict(ask(file, &job)?);
            self.found(findings, Finding::new(channel, Asks::Promise(promise), verdict));
        }
        Ok(())
    }

    fn found(&self, findings: &mut Vec<Finding>, finding: Finding) {
        if !self.json {
            say(&finding.line());
        }
        findings.push(finding);
    }

    fn protocol(&self) -> Protocol {
        match self.double {
            DoubleSpeaks::Http => Protocol::Http,
            DoubleSpeaks::Tcp => Protocol::Tcp,
        }
    }

    /// The settings for a metric or channel: those that name it, else those that name none.
    fn config(&self, id: &str) -> &str {
        let named = |config: &'_ String| config.split_once('=').is_some_and(|(name, _)| name == id);
        let of_it = self.config.iter().find(|config| named(config)).and_then(|config| config.split_once('='));
        let of_any = || self.config.iter().find(|config| config.trim_start().starts_with('{'));
        of_it.map_or_else(|| of_any().map_or("{}", String::as_str), |(_, config)| config)
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("a name, `=` and a value")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// A check that could not be done has found a fault, too: settings that are refused, a process that died.
fn verdict(said: Said) -> Verdict {
    match said {
        Said::Verdict(verdict) => verdict,
        Said::Failed(text) => Verdict::Broken(text),
        Said::Has { .. } | Said::Fingerprint(_) => {
            Verdict::Broken("the check answered something else".into())
        }
    }
}

/// Law 1 across processes: two of them must get the same numbers.
fn fingerprints_differ(file: &Path, metric: &str, config: &str) -> Result<Option<String>, CliError> {
    let job = Job::Fingerprint { metric_id: metric.to_owned(), config_json: config.to_owned() };
    Ok(match (ask(file, &job)?, ask(file, &job)?) {
        (Said::Fingerprint(one), Said::Fingerprint(other)) if one != other => {
            Some("another process with the same settings gives other numbers".to_owned())
        }
        _ => None,
    })
}
