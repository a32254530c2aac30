//! Upgrades of plugins while the server runs.

use crate::channel_info::ChannelInfo;
use crate::info::MetricInfo;
use crate::lock::Lock;
use crate::manifest::Manifest;
use crate::refusal::{Failed, Refusal, Slug};
use crate::registry::Registry;
use crate::supervised::{Library, Plugin, PluginStatus};
use std::path::{Path, PathBuf};

/// Why a plugin was not upgraded, or not rolled back. What ran before runs on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UpgradeError {
    /// There is no such plugin in a process of its own. What runs in ours can only be replaced by a restart.
    #[error("no plugin {plugin_id:?} runs in a process of its own; restart the server to load another")]
    NotInChild {
        /// What was asked for.
        plugin_id: String,
    },
    /// The file was refused.
    #[error("{0}")]
    Refused(Refusal),
    /// Nothing ran before, or it was gone back to already.
    #[error("there is nothing that plugin {plugin_id:?} can go back to")]
    NothingBefore {
        /// What was asked for.
        plugin_id: String,
    },
}

impl Registry {
    /// Replaces a plugin by another file of it, while calls run. Blocks for as long as the file takes to start.
    ///
    /// What it says of its components has to stay the same, besides titles and descriptions: everything that was
    /// made of it keeps its meaning. For anything else, a metric of a higher revision above all, restart the server.
    /// What the registry lists stays what was loaded at the start; [`PluginStatus`] says what runs.
    ///
    /// # Errors
    ///
    /// [`UpgradeError`]; the file that runs goes on.
    pub fn upgrade(&self, plugin_id: &str, file: &Path) -> Result<PluginStatus, UpgradeError> {
        let plugin = self.in_child(plugin_id)?;
        let refused = |failed: Failed| UpgradeError::Refused(failed.of(file.to_owned()));
        let folder = file.parent().map_or_else(PathBuf::new, Path::to_path_buf);
        let lock = Lock::of(&folder).map_err(refused)?;
        let locked = lock.as_ref().map(|lock| lock.find(file)).transpose().map_err(refused)?;
        let library = Library::admit(file, locked, plugin.launcher()).map_err(refused)?;
        let check = |manifest: &Manifest| {
            locked.map_or(Ok(()), |locked| locked.check_info(manifest.plugin()?))?;
            self.is_the_same(plugin_id, manifest)
        };
        plugin.upgrade(library, &check).map_err(refused)?;
        Ok(plugin.status())
    }

    /// Goes back to the file that ran before the last upgrade.
    ///
    /// # Errors
    ///
    /// [`UpgradeError`]; the file that runs goes on.
    pub fn rollback(&self, plugin_id: &str) -> Result<PluginStatus, UpgradeError> {
        let plugin = self.in_child(plugin_id)?;
        let check = |manifest: &Manifest| self.is_the_same(plugin_id, manifest);
        let nothing = || UpgradeError::NothingBefore { plugin_id: plugin_id.to_owned() };
        let file = || self.plugins().iter().find(|info| info.id == plugin_id).map(|info| info.file.clone());
        plugin
            .rollback(&check)
            .ok_or_else(nothing)?
            .map_err(|failed| UpgradeError::Refused(failed.of(file().unwrap_or_default())))?;
        Ok(plugin.status())
    }

    fn in_child(&self, plugin_id: &str) -> Result<&Plugin, UpgradeError> {
        let not_in_child = || UpgradeError::NotInChild { plugin_id: plugin_id.to_owned() };
        self.supervised(plugin_id).ok_or_else(not_in_child)
    }

    /// Whether a library says the same of its components as what was loaded, besides words for people.
    fn is_the_same(&self, plugin_id: &str, manifest: &Manifest) -> Result<(), Failed> {
        let other =
            |expected: String, found: String| Err(Failed::new(Slug::OtherComponents, expected, found));
        let info = manifest.plugin()?;
        if info.id != plugin_id {
            return other(format!("plugin {plugin_id}"), format!("plugin {}", info.id));
        }
        let metrics: Vec<&MetricInfo> =
            self.metrics().iter().filter(|metric| metric.plugin_id == plugin_id).collect();
        let channels: Vec<&ChannelInfo> =
            self.channels().iter().filter(|channel| channel.plugin_id == plugin_id).collect();
        let ids = |metrics: &mut dyn Iterator<Item = &str>| metrics.collect::<Vec<_>>().join(", ");
        let loaded = ids(&mut ids_of(metrics.iter().copied(), channels.iter().copied()));
        let found = ids(&mut ids_of(manifest.metrics.iter(), manifest.channels.iter()));
        if loaded != found {
            return other(format!("the components {loaded}"), found);
        }
        for (loaded, found) in metrics.iter().zip(&manifest.metrics) {
            if loaded.revision != found.revision {
                let expected = format!("revision {} of {}", loaded.revision, loaded.id);
                return other(expected, format!("revision {}, which gives other numbers", found.revision));
            }
            if plain_metric(loaded) != plain_metric(found) {
                return other(format!("{} as it is", loaded.id), "another kind, window or schema".to_owned());
            }
        }
        for (loaded, found) in channels.iter().zip(&manifest.channels) {
            if plain_channel(loaded) != plain_channel(found) {
                return other(format!("{} as it is", loaded.id), "another class, limit or schema".to_owned());
            }
        }
        Ok(())
    }
}

fn ids_of<'a>(
    metrics: impl Iterator<Item = &'a MetricInfo>,
    channels: impl Iterator<Item = &'a ChannelInfo>,
) -> impl Iterator<Item = &'a str> {
    metrics.map(|metric| metric.id.as_str()).chain(channels.map(|channel| channel.id.as_str()))
}

/// A metric without what may change.
fn plain_metric(info: &MetricInfo) -> MetricInfo {
    MetricInfo {
        title: String::new(),
        description: String::new(),
        plugin_version: String::new(),
        file: PathBuf::new(),
        beside: Vec::new(),
        ..info.clone()
    }
}

/// A channel without what may change.
fn plain_channel(info: &ChannelInfo) -> ChannelInfo {
    ChannelInfo {
        title: String::new(),
        description: String::new(),
        plugin_version: String::new(),
        file: PathBuf::new(),
        ..info.clone()
    }
}
