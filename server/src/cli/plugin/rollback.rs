//! `podium plugin rollback`.

use super::super::client::Remote;
use super::super::{CliError, say};
use super::folder::PluginFolder;
use super::install::folder;
use clap::Args;
use podium_plugin_host::Locked;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::ExitCode;

/// Have a running server go back to the file of a plugin that ran before, and `plugins.lock` too.
///
/// Of a plugin that the server went back from by itself, since it crashed, only `plugins.lock` is left to be put right.
#[derive(Clone, Debug, Args)]
pub(crate) struct Rollback {
    /// The plugin's id.
    #[arg(id = "plugin-id", value_name = "ID")]
    id: String,
    /// The folder with the plugin; by default `plugins` in the data folder.
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
    #[command(flatten)]
    remote: Remote,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// What runs.
struct Running {
    version: String,
    sha256: String,
}

impl Running {
    fn of(plugin: &Value) -> Option<Self> {
        let text = |name: &str| plugin.get(name).and_then(Value::as_str).map(str::to_owned);
        Some(Self { version: text("version")?, sha256: text("sha256")? })
    }
}

impl Rollback {
    /// Runs it.
    pub(crate) fn run(self) -> Result<ExitCode, CliError> {
        let folder = folder(self.to.as_deref(), self.remote.data_dir());
        // A folder that is not there has no list to put right.
        let folder = folder.is_dir().then(|| PluginFolder::open(&folder)).transpose()?;
        let listing = folder.as_ref().map(PluginFolder::listing).transpose()?.filter(|list| !list.is_new);
        let listed = listing.as_ref().and_then(|listing| listing.lock.of_plugin(&self.id)).cloned();
        let running = self.go_back(listed.as_ref())?;
        let is_listed = match (folder, listing, listed) {
            (Some(folder), Some(listing), Some(listed)) if listed.sha256 != running.sha256 => {
                let Some(library) = folder.find(&running.sha256)? else {
                    return Err(CliError(format!(
                        "{} {} runs again, but no file in {} has its hash, {}: put it there and into plugins.lock, or \
                         the next start loads {}",
                        self.id,
                        running.version,
                        folder.path().display(),
                        running.sha256,
                        listed.version
                    )));
                };
                let name = library.file_name(&self.id);
                let entry = listed.renewed(name, running.version.clone(), running.sha256.clone());
                folder.place(&library, entry, listing)?.keep()?;
                true
            }
            (_, _, listed) => listed.is_some(),
        };
        let Running { version, sha256 } = running;
        if self.json {
            let body =
                json!({ "plugin": self.id, "version": version, "sha256": sha256, "listed": is_listed });
            say(&body.to_string());
        } else {
            let hash: String = sha256.chars().take(8).collect();
            let list = if is_listed { "plugins.lock says so" } else { "no plugins.lock was changed" };
            say(&format!("{} {version} ({hash}…) runs again, and {list}", self.id));
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Has the server go back, unless it did by itself; says what runs then.
    fn go_back(&self, listed: Option<&Locked>) -> Result<Running, CliError> {
        let strange = || CliError("the server answered something else".to_owned());
        let path = format!("/api/v1/plugins/{}/rollback", self.id);
        let error = match self.remote.send("POST", &path, None, None) {
            Ok(answer) => {
                let plugin = serde_json::from_str(&answer.body).map_err(CliError::from_display)?;
                return Running::of(&plugin).ok_or_else(strange);
            }
            Err(error) => error,
        };
        let Some(listed) = listed else { return Err(error) };
        let Ok(answer) = self.remote.send("GET", "/api/v1/plugins", None, None) else { return Err(error) };
        let answer: Value = serde_json::from_str(&answer.body).map_err(CliError::from_display)?;
        let mut plugins = answer.get("data").and_then(Value::as_array).into_iter().flatten();
        let ours = plugins.find(|plugin| plugin.get("plugin").and_then(Value::as_str) == Some(&self.id));
        ours.and_then(Running::of).filter(|running| running.sha256 != listed.sha256).ok_or(error)
    }
}
