//! `podium experiment`.

use super::client::Remote;
use super::{CliError, read, say};
use clap::{Args, Subcommand};
use serde_json::Value;
use std::process::ExitCode;

/// List, read, register, start, pause, conclude or archive experiments.
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
        /// The variant everyone gets from now on; the control if absent.
        #[arg(long)]
        serve: Option<String>,
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
            Verb::Conclude { key, serve } => self.act(key, "conclude", serve.as_deref())?,
            Verb::Archive { key } => self.act(key, "archive", None)?,
        }
        Ok(ExitCode::SUCCESS)
    }

    fn act(&self, key: &str, action: &str, serve: Option<&str>) -> Result<(), CliError> {
        let seen = self.remote.send("GET", &path(key), None, None)?;
        let body = serve.map(|serve| serde_json::json!({ "serve": serve }).to_string());
        let etag = seen.etag.as_deref();
        let answer = self.remote.send("POST", &format!("{}/{action}", path(key)), body.as_deref(), etag)?;
        self.told(&answer.body, "is now")
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
        let mut cursor = 0;
        loop {
            let answer = self.remote.send(
                "GET",
                &format!("/api/v1/experiments?limit=500&cursor={cursor}"),
                None,
                None,
            )?;
            if self.json {
                say(&pretty(&answer.body)?);
            }
            let page: Value = serde_json::from_str(&answer.body).map_err(CliError::from_display)?;
            for experiment in
                page.get("data").and_then(Value::as_array).into_iter().flatten().filter(|_| !self.json)
            {
                let key = text(experiment, "key");
                let version = experiment.get("version").and_then(Value::as_u64).unwrap_or(1);
                say(&format!(
                    "{key:40} v{version:<3} {:10} {}",
                    text(experiment, "status"),
                    text(experiment, "name")
                ));
            }
            match page.get("next_cursor").and_then(Value::as_i64) {
                Some(next) => cursor = next,
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
