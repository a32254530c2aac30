//! Looking at the lists of plugins again while the server runs.

use crate::lock::{Lock, Locked};
use crate::refusal::Refusal;
use crate::registry::Registry;
use crate::registry_upgrade::UpgradeError;
use crate::supervised::{PluginState, PluginStatus};
use std::path::{Path, PathBuf};
use std::sync::PoisonError;

/// Which plugins to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// Those of which a list says something else than at the last look. What was gone back from stays away then.
    Changed,
    /// All.
    All,
}

/// What became of the plugins of all lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reloads {
    /// Of each plugin that was looked at.
    pub plugins: Vec<Reloaded>,
    /// Of each list that makes no sense. Its plugins run on.
    pub refused: Vec<Refusal>,
}

/// What became of a plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reloaded {
    /// The plugin.
    pub plugin_id: String,
    /// Its file, by the list.
    pub file: PathBuf,
    /// The hash of what ran before, in hexadecimal; `None` if it is not loaded.
    pub from: Option<String>,
    /// The hash by the list; `None` if it is listed no more.
    pub to: Option<String>,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of a plugin, in a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// What the list says runs already.
    Unchanged,
    /// The file of the list has taken over.
    Upgraded(PluginStatus),
    /// The file of the list was refused, and what ran runs on.
    Refused(Refusal),
    /// It is new, or gone, or runs in our own process: that takes a restart.
    NeedsRestart,
}

/// The list of a folder.
#[derive(Debug)]
pub(crate) struct List {
    folder: PathBuf,
    /// As it was when its plugins were loaded.
    loaded: Option<Lock>,
    /// As it was when it last made sense.
    seen: Option<Lock>,
    /// Why it makes no sense.
    refusal: Option<Refusal>,
}

impl List {
    /// Of a folder whose plugins are loaded.
    pub(crate) fn new(folder: &Path, lock: Option<Lock>) -> Self {
        Self { folder: folder.to_owned(), loaded: lock.clone(), seen: lock, refusal: None }
    }

    /// Of a folder whose list makes no sense, so that nothing is loaded.
    pub(crate) fn refused(folder: &Path, refusal: Refusal) -> Self {
        Self { folder: folder.to_owned(), loaded: None, seen: None, refusal: Some(refusal) }
    }
}

impl Registry {
    /// Has the list of a folder looked at from now on.
    pub(crate) fn watch(&mut self, list: List) {
        self.lists.get_mut().unwrap_or_else(PoisonError::into_inner).push(list);
    }

    /// Reads every `plugins.lock` again, and upgrades the plugins of which one says that another file should run. One
    /// look at a time; blocks for as long as files take to start.
    pub fn reload(&self, look: Look) -> Reloads {
        let mut lists = self.lists.lock().unwrap_or_else(PoisonError::into_inner);
        let mut reloads = Reloads::default();
        for list in &mut *lists {
            match Lock::read(&list.folder) {
                Ok(lock) => {
                    reloads.plugins.extend(self.compare(list, lock.as_ref(), look));
                    (list.seen, list.refusal) = (lock, None);
                }
                Err(refusal) => {
                    let is_new = list.refusal.as_ref() != Some(&refusal);
                    list.refusal = Some(refusal.clone());
                    reloads.refused.extend((is_new || look == Look::All).then_some(refusal));
                }
            }
        }
        reloads
    }

    /// Names what is required and cannot be called: files that are not there, plugins in quarantine.
    pub fn required_down(&self) -> Vec<String> {
        let missing = self.missing().iter().filter_map(|file| file.file_name());
        let is_left_alone =
            |id: &str| self.status(id).is_some_and(|status| status.state == PluginState::Quarantined);
        let down = self.plugins().iter().filter(|plugin| plugin.required && is_left_alone(&plugin.id));
        missing
            .map(|name| name.to_string_lossy().into_owned())
            .chain(down.map(|plugin| plugin.id.clone()))
            .collect()
    }

    fn compare(&self, list: &List, now: Option<&Lock>, look: Look) -> Vec<Reloaded> {
        let before = if look == Look::All { &list.loaded } else { &list.seen };
        let before = before.as_ref().map(Lock::plugins).unwrap_or_default();
        let now = now.map(Lock::plugins).unwrap_or_default();
        let mut reloaded = Vec::new();
        for locked in now {
            let was = find(before, &locked.id);
            if look == Look::All || was.is_none_or(|was| was.sha256 != locked.sha256) {
                reloaded.push(self.reload_plugin(list, locked));
            }
        }
        let gone = before.iter().filter(|locked| find(now, &locked.id).is_none());
        reloaded.extend(gone.filter_map(|locked| {
            Some(Reloaded {
                plugin_id: locked.id.clone(),
                file: list.folder.join(&locked.file),
                from: Some(self.running(list, &locked.id)?),
                to: None,
                outcome: Outcome::NeedsRestart,
            })
        }));
        reloaded
    }

    fn reload_plugin(&self, list: &List, locked: &Locked) -> Reloaded {
        let file = list.folder.join(&locked.file);
        let from = self.running(list, &locked.id);
        let outcome = match &from {
            Some(sha256) if *sha256 == locked.sha256 => Outcome::Unchanged,
            Some(_) => match self.upgrade(&locked.id, &file) {
                Ok(status) => Outcome::Upgraded(status),
                Err(UpgradeError::Refused(refusal)) => Outcome::Refused(refusal),
                Err(UpgradeError::NotInChild { .. } | UpgradeError::NothingBefore { .. }) => {
                    Outcome::NeedsRestart
                }
            },
            None => Outcome::NeedsRestart,
        };
        Reloaded { plugin_id: locked.id.clone(), file, from, to: Some(locked.sha256.clone()), outcome }
    }

    /// The hash of what runs of a plugin that was loaded from the folder of a list.
    fn running(&self, list: &List, plugin_id: &str) -> Option<String> {
        let is_from_here = |file: &Path| file.parent() == Some(&list.folder);
        self.plugins().iter().find(|plugin| plugin.id == plugin_id && is_from_here(&plugin.file))?;
        let loaded = || Some(list.loaded.as_ref()?.of_plugin(plugin_id)?.sha256.clone());
        self.status(plugin_id).map(|status| status.sha256).or_else(loaded)
    }
}

fn find<'a>(listed: &'a [Locked], plugin_id: &str) -> Option<&'a Locked> {
    listed.iter().find(|locked| locked.id == plugin_id)
}
