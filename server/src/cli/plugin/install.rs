//! `podium plugin install`.

use super::super::{CliError, say};
use super::check::Trials;
use super::folder::{Library, Listing, PluginFolder, Rights};
use clap::Args;
use podium_plugin_host::{Lock, Locked, PluginInfo};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Put a plugin into a folder of plugins and its `plugins.lock`, for the next start of the server.
///
/// Where the folder has no `plugins.lock`, one is made that lists what lies there, too: nothing else is loaded then.
#[derive(Clone, Debug, Args)]
pub(crate) struct Install {
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    rights: Rights,
    /// The folder; by default `plugins` in the data folder.
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
    /// The server's data folder.
    #[arg(long, env = "PODIUM_DATA_DIR", value_name = "DIR", default_value = ".podium")]
    data_dir: PathBuf,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// A file that is checked before it goes anywhere.
#[derive(Clone, Debug, Args)]
pub(super) struct Source {
    /// The plugin.
    file: PathBuf,
    #[command(flatten)]
    trials: Trials,
    /// Take it even if a check finds a fault, or could not be tried.
    #[arg(long)]
    force: bool,
}

impl Source {
    /// Checks the file as `podium plugin check` does, and reads it.
    pub(super) fn admit(&self) -> Result<(Library, PluginInfo), CliError> {
        let library = Library::read(&self.file)?;
        let checked = self.trials.try_quietly(&self.file)?;
        let n_faults = checked.n_faults();
        if 0 < n_faults && !self.force {
            let file = self.file.display();
            return Err(CliError(format!(
                "{n_faults} checks are not passed: `podium plugin check {file}` says which; --force takes it all the same"
            )));
        }
        Ok((library, checked.info))
    }
}

/// The folder that is meant.
pub(super) fn folder(to: Option<&Path>, data_dir: &Path) -> PathBuf {
    to.map_or_else(|| data_dir.join("plugins"), Path::to_path_buf)
}

impl Install {
    /// Runs it.
    pub(crate) fn run(self) -> Result<ExitCode, CliError> {
        let (library, info) = self.source.admit()?;
        let folder = PluginFolder::open(&folder(self.to.as_deref(), &self.data_dir))?;
        let listing = folder.listing()?;
        let there = listing.lock.of_plugin(&info.id).cloned();
        let others = New::of(&listing, &info.id);
        let (entry, is_installed) = match there {
            Some(there) if there.sha256 == library.sha256 => {
                if listing.is_new {
                    folder.write_list(&listing.lock)?;
                }
                (there, true)
            }
            Some(there) => {
                let Locked { id, version, .. } = there;
                return Err(CliError(format!(
                    "{id} {version} is installed in {}; `podium plugin upgrade` replaces it",
                    folder.path().display()
                )));
            }
            None => {
                let name = library.file_name(&info.id);
                let entry = self.rights.entry(name, &info, library.sha256.clone());
                folder.place(&library, entry.clone(), listing)?.keep()?;
                (entry, false)
            }
        };
        self.report(&folder, &entry, is_installed, others);
        Ok(ExitCode::SUCCESS)
    }

    fn report(&self, folder: &PluginFolder, entry: &Locked, is_installed: bool, new: Option<New>) {
        let Locked { id, version, file, sha256, .. } = entry;
        let new = new.unwrap_or_default();
        if self.json {
            let body = json!({
                "plugin": id,
                "version": version,
                "file": file,
                "sha256": sha256,
                "result": if is_installed { "unchanged" } else { "installed" },
                "listed_too": new.listed_too,
                "left_out": new.left_out,
            });
            return say(&body.to_string());
        }
        let folder = folder.path();
        say(&if is_installed {
            format!("{id} {version} is installed as {file} in {}", folder.display())
        } else {
            format!(
                "installed {id} {version} as {file} in {}; restart the server to load it",
                folder.display()
            )
        });
        for line in new.lines(&Lock::file(folder)) {
            say(&line);
        }
    }
}

/// What a list that was not there before says of others.
#[derive(Default)]
pub(super) struct New {
    listed_too: Vec<String>,
    left_out: Vec<String>,
}

impl New {
    /// `None` if the list was there before.
    pub(super) fn of(listing: &Listing, plugin_id: &str) -> Option<Self> {
        let others = listing.lock.plugins().iter().filter(|locked| locked.id != plugin_id);
        let listed_too = others.map(|locked| locked.file.clone()).collect();
        listing.is_new.then(|| Self { listed_too, left_out: listing.left_out.clone() })
    }

    /// Says what that means.
    pub(super) fn lines(&self, list: &Path) -> Vec<String> {
        let mut lines = Vec::new();
        if !self.listed_too.is_empty() {
            lines.push(format!(
                "{} is new, and from now on nothing is loaded from there that it does not list; it lists what was there, \
                 too: {}. Their channels see only the secrets that you name in `secrets` of their entries",
                list.display(),
                self.listed_too.join(", ")
            ));
        }
        lines.extend(self.left_out.iter().map(|line| format!("not listed: {line}")));
        lines
    }
}
