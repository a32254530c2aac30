//! `podium experiment`.

use super::client::Remote;
use super::{CliError, read, say};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use std::process::ExitCode;

/// List, read, register, start, pause, conclude, undo or archive experiments.
#[derive(Clone, Debug, Args)]
pub(crate) struct ExperimentCommand {
    #[command(flatten)]
    remote: Remote,
    /// Print JSON.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Clone, Debug, Subcommand)]
enum Verb {
    /// List experiments.
    List,
    /// Print one experiment as JSON.
    Show {
        /// Its key.
        #[arg(id = "experiment-key", value_name = "KEY")]
        key: String,
    },
    /// Register an experiment from a JSON file, or from standard input if it is `-`.
    Create {
        /// The file.
        file: String,
    },
    /// Start, or go on after a pause.
    Start {
        /// Its key.
        #[arg(id = "experiment-key", value_name = "KEY")]
        key: String,
    },
    /// Stop assigning for now.
    Pause {
        /// Its key.
        #[arg(id = "experiment-key", value_name = "KEY")]
        key: String,
    },
    /// End for good.
    Conclude {
        /// Its key.
        #[arg(id = "experiment-key", value_name = "KEY")]
        key: String,
        /// The variant everyone gets from now on; the winner, or else the control, if absent.
        #[arg(long)]
        serve: Option<String>,
        /// Why; needed for a variant that is neither the winner nor the control.
        #[arg(long)]
        reason: Option<String>,
        /// Say what would be done, and do nothing.
        #[arg(long)]
        dry_run: bool,
    },
    /// Print what happened to an experiment, the newest first.
    History {
        /// Its key.
        #[arg(id = "experiment-key", value_name = "KEY")]
        key: String,
    },
    /// Take back a conclusion, a variant that was taken out, or a pause by the automation.
    Undo {
        /// Its key.
        #[arg(id = "experiment-key", value_name = "KEY")]
        key: String,
        /// The entry of the history; the last one that can be undone if absent.
        #[arg(long, value_name = "ID")]
        entry: Option<i64>,
        /// Why.
        #[arg(long)]
        reason: Option<String>,
    },
    /// Put away.
    Archive {
        /// Its key.
        #[arg(id = "experiment-key", value_name = "KEY")]
        key: String,
    },
}

impl ExperimentCommand {
    /// Runs it.
    pub(crate) fn run(self) -> Result<ExitCode, CliError> {
        match &self.verb {
            Verb::List => self.list()?,
            Verb::Show { key } => {
                let answer = self.remote.send("GET", &path(key), None, None)?;
                say(&pretty(&answer.body)?);
            }
            Verb::Create { file } => {
                let answer = self.remote.send("POST", "/api/v1/experiments", Some(&read(file)?), None)?;
                self.told(&answer.body, "registered")?;
            }
            Verb::Start { key } => self.act(key, "start", None)?,
            Verb::Pause { key } => self.act(key, "pause", None)?,
            Verb::Conclude { key, serve, reason, dry_run } => {
                let body = json!({ "serve": serve, "reason": reason });
                self.act(key, if *dry_run { "conclude?dry_run=true" } else { "conclude" }, Some(body))?;
            }
            Verb::History { key } => self.history(key)?,
            Verb::Undo { key, entry, reason } => {
                self.act(key, "undo", Some(json!({ "history_id": entry, "reason": reason })))?;
            }
            Verb::Archive { key } => self.act(key, "archive", None)?,
        }
        Ok(ExitCode::SUCCESS)
    }

    fn act(&self, key: &str, action: &str, body: Option<Value>) -> Result<(), CliError> {
        let seen = self.remote.send("GET", &path(key), None, None)?;
        let body = body.map(|body| body.to_string());
        let etag = seen.etag.as_deref();
        let answer = self.remote.send("POST", &format!("{}/{action}", path(key)), body.as_deref(), etag)?;
        self.told(&answer.body, if action.contains('?') { "would be" } else { "is now" })
    }

    fn history(&self, key: &str) -> Result<(), CliError> {
        self.pages(&format!("{}/history?limit=500", path(key)), |entry| {
            let id = entry.get("id").and_then(Value::as_i64).unwrap_or_default();
            let undone = entry.get("undone_by").and_then(Value::as_i64);
            let undone = undone.map(|by| format!(" (undone by {by})")).unwrap_or_default();
            let [at, actor, kind] = ["at", "actor", "kind"].map(|name| text(entry, name));
            let detail = entry.get("detail").map(Value::to_string).unwrap_or_default();
            say(&format!("{id:>6} {at:30} {actor:12} {kind:18} {detail}{undone}"));
        })
    }

    fn told(&self, body: &str, what: &str) -> Result<(), CliError> {
        if self.json {
            say(&pretty(body)?);
            return Ok(());
        }
        let experiment: Value = serde_json::from_str(body).map_err(CliError::from_display)?;
        say(&format!("{} {what} {}", text(&experiment, "key"), text(&experiment, "status")));
        Ok(())
    }

    fn list(&self) -> Result<(), CliError> {
        self.pages("/api/v1/experiments?limit=500", |experiment| {
            let [key, status, name] = ["key", "status", "name"].map(|name| text(experiment, name));
            let version = experiment.get("version").and_then(Value::as_u64).unwrap_or(1);
            say(&format!("{key:40} v{version:<3} {status:10} {name}"));
        })
    }

    /// Prints a list page by page: each entry by `line`, or the pages as JSON.
    fn pages(&self, path: &str, line: impl Fn(&Value)) -> Result<(), CliError> {
        let mut cursor = String::new();
        loop {
            let answer = self.remote.send("GET", &format!("{path}{cursor}"), None, None)?;
            let page: Value = serde_json::from_str(&answer.body).map_err(CliError::from_display)?;
            if self.json {
                say(&pretty(&answer.body)?);
            } else {
                page.get("data").and_then(Value::as_array).into_iter().flatten().for_each(&line);
            }
            match page.get("next_cursor").and_then(Value::as_i64) {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return Ok(()),
            }
        }
    }
}

fn path(key: &str) -> String {
    format!("/api/v1/experiments/{key}")
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn pretty(body: &str) -> Result<String, CliError> {
    let value: Value = serde_json::from_str(body).map_err(CliError::from_display)?;
    serde_json::to_string_pretty(&value).map_err(CliError::from_display)
}
