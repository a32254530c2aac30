//! `podium plugin check`.

use super::super::{CliError, say};
use clap::Args;
use podium_plugin_host::conformance::{Law, alone};
use serde::{Deserialize, Serialize};
use std::fmt::Write;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{ChildStdout, Command, ExitCode, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

/// How long one check may take.
const DEADLINE: Duration = Duration::from_secs(20);

/// Try a built plugin against every law of the contract, each in a process of its own.
#[derive(Clone, Debug, Args)]
pub(crate) struct Check {
    /// The plugin.
    file: PathBuf,
    /// The settings to check its metrics with, as JSON; `METRIC=JSON` for one of them; may be repeated.
    #[arg(long, value_name = "JSON")]
    config: Vec<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// One check, in a process that does nothing else.
#[derive(Clone, Debug, Args)]
pub(crate) struct Alone {
    file: PathBuf,
    /// Absent: the metrics are listed.
    metric: Option<String>,
    /// The law's number; 0: the fingerprint.
    #[arg(default_value_t = 0)]
    law: u8,
    #[arg(default_value = "{}")]
    config: String,
}

/// What one check found.
#[derive(Debug, Serialize)]
struct Finding {
    metric: String,
    law: u8,
    asks: &'static str,
    /// What is wrong; absent if the law is kept.
    fault: Option<String>,
}

/// What a process that does one check prints.
#[derive(Debug, Serialize, Deserialize)]
enum Said {
    Metrics(Vec<String>),
    Fingerprint(u64),
    Kept,
    Fault(String),
}

impl Alone {
    /// Does it.
    pub(crate) fn run(&self) -> ExitCode {
        let said = match (&self.metric, Law::from_number(self.law)) {
            (None, _) => alone::metrics_of(&self.file)
                .map(|metrics| Said::Metrics(metrics.into_iter().map(|metric| metric.id).collect())),
            (Some(metric), Some(law)) => {
                alone::check(&self.file, metric, &self.config, law).map(|()| Said::Kept)
            }
            (Some(metric), None) => {
                alone::fingerprint(&self.file, metric, &self.config).map(Said::Fingerprint)
            }
        };
        say(&serde_json::to_string(&said.unwrap_or_else(Said::Fault)).unwrap_or_default());
        ExitCode::SUCCESS
    }
}

impl Check {
    /// Runs it.
    pub(crate) fn run(&self) -> Result<ExitCode, CliError> {
        let file = self.file.canonicalize();
        let file = file.map_err(|error| CliError(format!("cannot read {}: {error}", self.file.display())))?;
        let metrics = match ask(&file, &[])? {
            Said::Metrics(metrics) => metrics,
            Said::Fault(fault) => return Err(CliError(fault)),
            _ => return Err(CliError("the check answered something else".to_owned())),
        };
        let mut findings = Vec::new();
        for metric in &metrics {
            let config = self.config(metric);
            let fault = fingerprints_differ(&file, metric, config)?;
            for law in Law::ALL {
                let number = law.number();
                let said = ask(&file, &[metric, &number.to_string(), config])?;
                let fault = match said {
                    Said::Fault(text) => Some(text),
                    _ if law == Law::Pure => fault.clone(),
                    _ => None,
                };
                let finding = Finding { metric: metric.clone(), law: number, asks: law.as_str(), fault };
                if !self.json {
                    say(&finding.line());
                }
                findings.push(finding);
            }
        }
        let n_faults = findings.iter().filter(|finding| finding.fault.is_some()).count();
        if self.json {
            let found = serde_json::json!({ "file": file.file_name().map(|name| name.to_string_lossy()), "findings": findings });
            say(&found.to_string());
        } else if metrics.is_empty() {
            say("it loads, and has no metric");
        } else {
            let n = metrics.len();
            say(&format!("{n} metric{} checked, {n_faults} law{} broken", plural(n), plural(n_faults)));
        }
        Ok(if n_faults == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
    }

    /// The settings for a metric: those that name it, else those that name none.
    fn config(&self, metric: &str) -> &str {
        let named = |config: &'_ String| config.split_once('=').is_some_and(|(name, _)| name == metric);
        let of_it = self.config.iter().find(|config| named(config)).and_then(|config| config.split_once('='));
        let of_any = || self.config.iter().find(|config| config.trim_start().starts_with('{'));
        of_it.map_or_else(|| of_any().map_or("{}", String::as_str), |(_, config)| config)
    }
}

impl Finding {
    fn line(&self) -> String {
        let Self { metric, law, asks, fault } = self;
        let mut line =
            format!("{:4} {metric}: law {law}: {asks}", if fault.is_none() { "ok" } else { "FAIL" });
        if let Some(fault) = fault {
            let _ = write!(line, ": {fault}");
        }
        line
    }
}

fn plural(n: usize) -> &'static str {
    if n == 1 { "" } else { "s" }
}

/// Does one check in a process of its own. One that dies or does not end has found a fault, too.
fn ask(file: &Path, arguments: &[&str]) -> Result<Said, CliError> {
    let program = std::env::current_exe().map_err(CliError::from_display)?;
    let mut command = Command::new(program);
    command
        .arg("plugin-check")
        .arg(file)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut child = command.spawn().map_err(CliError::from_display)?;
    let printed = child.stdout.take().map(last_line);
    let begun = Instant::now();
    let status = loop {
        match child.try_wait().map_err(CliError::from_display)? {
            Some(status) => break status,
            None if DEADLINE < begun.elapsed() => {
                drop(child.kill());
                drop(child.wait());
                return Ok(Said::Fault(format!("it does not end within {} s", DEADLINE.as_secs())));
            }
            None => std::thread::sleep(Duration::from_millis(2)),
        }
    };
    // A copy that the plugin made of the process may keep the pipe open.
    let line = printed.and_then(|line| line.recv_timeout(Duration::from_secs(1)).ok()).unwrap_or_default();
    let said = serde_json::from_slice(&line).ok();
    Ok(said.unwrap_or_else(|| Said::Fault(format!("the process ended: {status}"))))
}

/// Reads a pipe to its end, so that nobody waits for room in it, and gives the last line: a plugin may print, too.
fn last_line(pipe: ChildStdout) -> Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let lines = BufReader::new(pipe).split(b'\n').map_while(Result::ok);
        let _ = sender.send(lines.last().unwrap_or_default());
    });
    receiver
}

/// Law 1 across processes: two of them must get the same numbers.
fn fingerprints_differ(file: &Path, metric: &str, config: &str) -> Result<Option<String>, CliError> {
    let fingerprint = || ask(file, &[metric, "0", config]);
    Ok(match (fingerprint()?, fingerprint()?) {
        (Said::Fingerprint(one), Said::Fingerprint(other)) if one != other => {
            Some("another process with the same settings gives other numbers".to_owned())
        }
        _ => None,
    })
}
