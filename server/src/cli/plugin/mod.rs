//! `podium plugin`: for authors, and for operators of a running server.

mod check;
mod folder;
mod install;
mod new;
mod rollback;
mod run;
mod upgrade;

use super::client::Remote;
use super::{CliError, say};
pub(crate) use check::Alone;
use clap::{Args, Subcommand};
use serde_json::Value;
use std::process::ExitCode;

/// Write, check, try, install, upgrade, list and release plugins.
#[derive(Clone, Debug, Args)]
pub(crate) struct PluginCommand {
    #[command(subcommand)]
    verb: Verb,
}

/// What is asked of a running server.
#[derive(Clone, Debug, Args)]
struct Asked {
    #[command(flatten)]
    remote: Remote,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Debug, Subcommand)]
enum Verb {
    /// Begin a plugin: a folder that builds, to be changed.
    New(new::New),
    /// Try a built plugin against every law of the contract, each in a process of its own.
    Check(check::Check),
    /// Replay events to a server that is thrown away, and print the report by a plugin's metric.
    Run(run::Run),
    /// Put a plugin into a folder of plugins and its `plugins.lock`, for the next start of the server.
    Install(install::Install),
    /// Put another file of a plugin into its place, also in a running server, which goes on meanwhile.
    Upgrade(upgrade::Upgrade),
    /// Have a running server go back to the file of a plugin that ran before, and `plugins.lock` too.
    Rollback(rollback::Rollback),
    /// List the plugins of a running server, and the files it refused.
    List(Asked),
    /// Let a plugin in quarantine try again; its figures are then folded anew.
    Release {
        #[command(flatten)]
        asked: Asked,
        /// The plugin's id.
        #[arg(id = "plugin-id", value_name = "ID")]
        id: String,
    },
}

impl PluginCommand {
    /// Runs it.
    pub(crate) fn run(self) -> Result<ExitCode, CliError> {
        match self.verb {
            Verb::New(new) => new.run(),
            Verb::Check(check) => check.run(),
            Verb::Run(run) => run.run(),
            Verb::Install(install) => install.run(),
            Verb::Upgrade(upgrade) => upgrade.run(),
            Verb::Rollback(rollback) => rollback.run(),
            Verb::List(asked) => asked.list(),
            Verb::Release { asked, id } => {
                let path = format!("/api/v1/plugins/{id}/release");
                asked.remote.send("POST", &path, None, None)?;
                say(&format!("{id} may try again"));
                Ok(ExitCode::SUCCESS)
            }
        }
    }
}

impl Asked {
    fn list(&self) -> Result<ExitCode, CliError> {
        let answer = self.remote.send("GET", "/api/v1/plugins", None, None)?;
        if self.json {
            say(&answer.body);
            return Ok(ExitCode::SUCCESS);
        }
        let listed: Value = serde_json::from_str(&answer.body).map_err(CliError::from_display)?;
        let text =
            |object: &Value, name: &str| object.get(name).and_then(Value::as_str).unwrap_or("-").to_owned();
        for plugin in listed.get("data").and_then(Value::as_array).into_iter().flatten() {
            let number = |name| plugin.get(name).and_then(Value::as_u64).unwrap_or(0);
            let hash = |name| text(plugin, name).chars().take(8).collect::<String>();
            let is_locked = plugin.get("locked").and_then(Value::as_bool).unwrap_or(false);
            say(&format!(
                "{:32} {:10} {:8} generation {} before: {:8} {:10} {:8} {:12} {:4} restarts  {}",
                text(plugin, "plugin"),
                text(plugin, "version"),
                hash("sha256"),
                number("generation"),
                hash("previous_sha256"),
                text(plugin, "isolation"),
                if is_locked { "locked" } else { "unlocked" },
                text(plugin, "state"),
                number("restarts"),
                text(plugin, "last_crash"),
            ));
        }
        for missing in listed.get("missing").and_then(Value::as_array).into_iter().flatten() {
            say(&format!("missing: {}", missing.as_str().unwrap_or("-")));
        }
        for refused in listed.get("refused").and_then(Value::as_array).into_iter().flatten() {
            say(&format!("refused: {}", text(refused, "line")));
        }
        Ok(ExitCode::SUCCESS)
    }
}
