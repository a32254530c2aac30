//! `podium plugin`.

use super::client::Remote;
use super::{CliError, say};
use clap::{Args, Subcommand};
use serde_json::Value;
use std::process::ExitCode;

/// List plugins, or release one that crashed too often.
#[derive(Clone, Debug, Args)]
pub(crate) struct PluginCommand {
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
    /// List the plugins of a running server, and the files it refused.
    List,
    /// Let a plugin in quarantine try again; its figures are then folded anew.
    Release {
        /// The plugin's id.
        #[arg(id = "plugin-id", value_name = "ID")]
        id: String,
    },
}

impl PluginCommand {
    /// Runs it.
    pub(crate) fn run(self) -> Result<ExitCode, CliError> {
        match &self.verb {
            Verb::List => self.list()?,
            Verb::Release { id } => {
                let answer =
                    self.remote.send("POST", &format!("/api/v1/plugins/{id}/release"), None, None)?;
                say(&if self.json { answer.body } else { format!("{id} may try again") });
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    fn list(&self) -> Result<(), CliError> {
        let answer = self.remote.send("GET", "/api/v1/plugins", None, None)?;
        if self.json {
            say(&answer.body);
            return Ok(());
        }
        let listed: Value = serde_json::from_str(&answer.body).map_err(CliError::from_display)?;
        let text =
            |object: &Value, name: &str| object.get(name).and_then(Value::as_str).unwrap_or("-").to_owned();
        for plugin in listed.get("data").and_then(Value::as_array).into_iter().flatten() {
            let restarts = plugin.get("restarts").and_then(Value::as_u64).unwrap_or(0);
            say(&format!(
                "{:32} {:10} {:10} {:12} {restarts:4} restarts  {}",
                text(plugin, "plugin"),
                text(plugin, "version"),
                text(plugin, "isolation"),
                text(plugin, "state"),
                text(plugin, "last_crash"),
            ));
        }
        for refused in listed.get("refused").and_then(Value::as_array).into_iter().flatten() {
            say(&format!("refused: {}", text(refused, "line")));
        }
        Ok(())
    }
}
