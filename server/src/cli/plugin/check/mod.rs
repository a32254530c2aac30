//! `podium plugin check`.

mod child;
mod finding;

use super::super::{CliError, say, say_error};
use super::folder::{Library, Rights};
use child::ask;
use clap::{Args, ValueEnum};
use finding::{Asks, Finding};
use podium_plugin_host::PluginInfo;
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
    #[command(flatten)]
    trials: Trials,
    #[command(flatten)]
    rights: Rights,
    /// Print the plugin's entry for `plugins.lock`, and what is wrong on standard error.
    #[arg(long)]
    lock: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// What a plugin is tried with.
#[derive(Clone, Debug, Args)]
pub(super) struct Trials {
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
}

/// What came of the trials.
pub(super) struct Checked {
    /// What the plugin says of itself.
    pub(super) info: PluginInfo,
    n_metrics: usize,
    n_channels: usize,
    findings: Vec<Finding>,
}

impl Checked {
    /// How many laws and promises are not kept, or were not tried.
    pub(super) fn n_faults(&self) -> usize {
        self.findings.iter().filter(|finding| !finding.is_kept()).count()
    }
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
        let library = Library::read(&self.file)?;
        let checked = self.trials.try_out(&self.file, &|finding| match (self.json, self.lock) {
            (false, false) => say(&finding.line()),
            (false, true) if !finding.is_kept() => say_error(&finding.line()),
            _ => {}
        })?;
        let name = self.file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let entry = self.rights.entry(name.clone(), &checked.info, library.sha256);
        let Checked { n_metrics, n_channels, findings, .. } = &checked;
        if self.json {
            let entry = self.lock.then(|| entry.to_string());
            say(&serde_json::json!({ "file": name, "findings": findings, "lock": entry }).to_string());
        } else if self.lock {
            say(entry.to_string().trim_end());
        } else {
            say(&finding::summary(*n_metrics, *n_channels, findings));
        }
        Ok(if checked.n_faults() == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
    }
}

/// What a plugin says of itself, asked in a process of its own.
pub(super) fn describe(file: &Path) -> Result<PluginInfo, CliError> {
    list(file, Protocol::Http).map(|(info, ..)| info)
}

/// A plugin's metrics, and its channels with what they promise.
type Listed = (PluginInfo, Vec<String>, Vec<(String, Vec<Promise>)>);

fn list(file: &Path, protocol: Protocol) -> Result<Listed, CliError> {
    match ask(file, &Job::List { protocol })? {
        Said::Has { plugin, metrics, channels } => Ok((plugin, metrics, channels)),
        Said::Failed(fault) => Err(CliError(fault)),
        _ => Err(CliError("the check answered something else".to_owned())),
    }
}

/// The findings so far, and who hears of each.
struct Findings<'a> {
    all: Vec<Finding>,
    heard: &'a dyn Fn(&Finding),
}

impl Findings<'_> {
    fn add(&mut self, finding: Finding) {
        (self.heard)(&finding);
        self.all.push(finding);
    }
}

impl Trials {
    /// Tries a plugin and tells nobody of each finding.
    pub(super) fn try_quietly(&self, file: &Path) -> Result<Checked, CliError> {
        self.try_out(file, &|_| {})
    }

    /// Tries a plugin; `heard` is told of each finding.
    fn try_out(&self, file: &Path, heard: &dyn Fn(&Finding)) -> Result<Checked, CliError> {
        let resolved = file.canonicalize();
        let file = resolved.map_err(|error| CliError(format!("cannot read {}: {error}", file.display())))?;
        let (info, metrics, channels) = list(&file, self.protocol())?;
        let mut findings = Findings { all: Vec::new(), heard };
        for metric in &metrics {
            self.metric(&file, metric, &mut findings)?;
        }
        for (channel, promises) in &channels {
            self.channel(&file, channel, promises, &mut findings)?;
        }
        let (n_metrics, n_channels) = (metrics.len(), channels.len());
        Ok(Checked { info, n_metrics, n_channels, findings: findings.all })
    }

    fn metric(&self, file: &Path, metric: &str, findings: &mut Findings<'_>) -> Result<(), CliError> {
        let (metric_id, config_json) = (metric.to_owned(), self.config(metric).to_owned());
        let differs = fingerprints_differ(file, &metric_id, &config_json)?;
        for law in Law::ALL {
            let job = Job::Law { metric_id: metric_id.clone(), config_json: config_json.clone(), law };
            let verdict = match (verdict(ask(file, &job)?), &differs) {
                (Verdict::Kept, Some(text)) if law == Law::Pure => Verdict::Broken(text.clone()),
                (verdict, _) => verdict,
            };
            findings.add(Finding::new(metric, Asks::Law(law), verdict));
        }
        Ok(())
    }

    fn channel(
        &self,
        file: &Path,
        channel: &str,
        promises: &[Promise],
        findings: &mut Findings<'_>,
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
            findings.add(Finding::new(channel, Asks::Promise(promise), verdict));
        }
        Ok(())
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
