//! `podium plugin upgrade`.

use super::super::client::Remote;
use super::super::{CliError, say};
use super::folder::PluginFolder;
use super::install::{New, Source, folder};
use clap::Args;
use podium_plugin_host::{Lock, Locked};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::ExitCode;

/// Put another file of a plugin into its place, also in a running server, which goes on meanwhile.
///
/// If the server refuses the file, everything is as it was. If there is no server, the file is loaded at the next
/// start.
#[derive(Clone, Debug, Args)]
pub(crate) struct Upgrade {
    #[command(flatten)]
    source: Source,
    /// The folder with the plugin; by default `plugins` in the data folder.
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
    /// If the server refuses to take it over while it runs, leave it for the next start.
    #[arg(long)]
    next_start: bool,
    #[command(flatten)]
    remote: Remote,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// What became of it.
enum Outcome {
    Upgraded,
    Unchanged,
    /// With the reason why not now.
    AtNextStart(String),
}

impl Upgrade {
    /// Runs it.
    pub(crate) fn run(self) -> Result<ExitCode, CliError> {
        let (library, info) = self.source.admit()?;
        let folder = PluginFolder::open(&folder(self.to.as_deref(), self.remote.data_dir()))?;
        let listing = folder.listing()?;
        let new = New::of(&listing, &info.id);
        let Some(there) = listing.lock.of_plugin(&info.id).cloned() else {
            let (id, folder) = (&info.id, folder.path().display());
            return Err(CliError(format!("{id} is not in {folder}; `podium plugin install` puts it there")));
        };
        let entry = there.renewed(library.file_name(&info.id), info.version.clone(), library.sha256.clone());
        // Whoever may not ask the server changes nothing.
        let is_there = self.remote.is_there();
        if is_there {
            self.remote.send("GET", "/api/v1/plugins", None, None)?;
        }
        let outcome = if there.sha256 == entry.sha256 {
            if listing.is_new {
                folder.write_list(&listing.lock)?;
            }
            Outcome::Unchanged
        } else {
            let placed = folder.place(&library, entry.clone(), listing)?;
            let reloaded = match self.reload(&entry, is_there) {
                Ok(reloaded) => reloaded,
                Err(error) => {
                    placed.keep()?;
                    return Err(CliError(format!(
                        "plugins.lock is changed, but the server does not say: {error}"
                    )));
                }
            };
            match reloaded {
                Err(refusal) if self.next_start => {
                    placed.keep()?;
                    Outcome::AtNextStart(refusal)
                }
                Err(refusal) => {
                    placed.undo()?;
                    let advice = "everything is as it was; --next-start has it loaded then";
                    return Err(CliError(format!("the server refuses it: {refusal}; {advice}")));
                }
                Ok(outcome) => {
                    placed.keep()?;
                    outcome
                }
            }
        };
        self.report(&there, &entry, &outcome);
        for line in new.filter(|_| !self.json).iter().flat_map(|new| new.lines(&Lock::file(folder.path()))) {
            say(&line);
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Asks the server to take the file over; it may refuse, and says why.
    fn reload(&self, entry: &Locked, is_there: bool) -> Result<Result<Outcome, String>, CliError> {
        let url = self.remote.url();
        if !is_there {
            return Ok(Ok(Outcome::AtNextStart(format!("no server answers at {url}"))));
        }
        let answer = self.remote.send("POST", "/api/v1/plugins/reload", None, None)?;
        let answer: Value = serde_json::from_str(&answer.body).map_err(CliError::from_display)?;
        let text = |value: &Value, name: &str| {
            value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let all = answer.get("data").and_then(Value::as_array).into_iter().flatten();
        let ours = all.into_iter().find(|reloaded| {
            (text(reloaded, "plugin"), text(reloaded, "to")) == (entry.id.clone(), entry.sha256.clone())
        });
        Ok(match ours.map(|ours| (text(ours, "result"), ours)) {
            // Whoever looks at the list each second may have been faster.
            Some((result, _)) if result == "upgraded" || result == "unchanged" => Ok(Outcome::Upgraded),
            Some((result, ours)) if result == "refused" => {
                Err(text(ours.get("refusal").unwrap_or(&Value::Null), "line"))
            }
            Some(_) => Ok(Outcome::AtNextStart(format!("the server at {url} has to be restarted for it"))),
            None => Ok(Outcome::AtNextStart(format!("the server at {url} does not load from there"))),
        })
    }

    fn report(&self, from: &Locked, to: &Locked, outcome: &Outcome) {
        let (result, why) = match outcome {
            Outcome::Upgraded => ("upgraded", None),
            Outcome::Unchanged => ("unchanged", None),
            Outcome::AtNextStart(why) => ("at_next_start", Some(why)),
        };
        if self.json {
            let body = json!({
                "plugin": to.id,
                "result": result,
                "why": why,
                "from": { "version": from.version, "sha256": from.sha256 },
                "to": { "version": to.version, "sha256": to.sha256, "file": to.file },
            });
            return say(&body.to_string());
        }
        let hash = |locked: &Locked| locked.sha256.chars().take(8).collect::<String>();
        let step = format!("{} {} ({}…)", to.id, to.version, hash(to));
        say(&match outcome {
            Outcome::Upgraded => format!("{step} runs, after {} ({}…)", from.version, hash(from)),
            Outcome::Unchanged => format!("{step} is installed already"),
            Outcome::AtNextStart(why) => format!("{step} is loaded at the next start: {why}"),
        });
    }
}
