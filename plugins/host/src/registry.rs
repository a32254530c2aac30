//! All plugins that were found.

use crate::callbacks::Callbacks;
use crate::channel_registry::Channels;
use crate::descriptor::{self, Checked};
use crate::handle;
use crate::in_process::Loaded;
use crate::info::{MetricInfo, PluginInfo, Skipped};
use crate::instance::{CreateError, MetricInstance};
use crate::library;
use crate::log::HostLog;
use crate::refusal::{Failed, Refusal, Slug};
use podium_plugin_abi::Plugin;
use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// The plugins that were found in some folders: what they offer, and what was refused.
#[derive(Default)]
pub struct Registry {
    plugins: Vec<PluginInfo>,
    metrics: Vec<MetricInfo>,
    loaded: Vec<Loaded>,
    pub(crate) channels: Channels,
    skipped: Vec<Skipped>,
    refusals: Vec<Refusal>,
}

impl Registry {
    /// Loads every `*.so` of the folders, in the order of folders and of names.
    ///
    /// Nothing here fails as a whole: what cannot be used is in [`Registry::refusals`].
    pub fn load(folders: &[PathBuf], log: &HostLog) -> Self {
        let mut registry = Self::default();
        for folder in folders {
            match libraries(folder) {
                Ok(files) => files.into_iter().for_each(|file| registry.add(file, log)),
                Err(error) => {
                    let failed =
                        Failed::new(Slug::UnreadableFolder, "a folder of plugins", error.to_string());
                    registry.refusals.push(failed.of(folder.clone()));
                }
            }
        }
        registry
    }

    /// Lists the loaded plugins.
    pub fn plugins(&self) -> &[PluginInfo] {
        &self.plugins
    }

    /// Lists the metrics of all loaded plugins.
    pub fn metrics(&self) -> &[MetricInfo] {
        &self.metrics
    }

    /// Lists components that this server has no use for.
    pub fn skipped(&self) -> &[Skipped] {
        &self.skipped
    }

    /// Lists the files that were refused, and why.
    pub fn refusals(&self) -> &[Refusal] {
        &self.refusals
    }

    /// Finds a metric by its id.
    pub fn find(&self, metric_id: &str) -> Option<&MetricInfo> {
        self.metrics.iter().find(|metric| metric.id == metric_id)
    }

    /// Makes a configured instance of a metric. An empty configuration is `{}`.
    ///
    /// # Errors
    ///
    /// [`CreateError`]; [`CreateError::Config`] if the configuration is the reason.
    pub fn create(&self, metric_id: &str, config_json: &str) -> Result<Box<dyn MetricInstance>, CreateError> {
        let idx = self.metrics.iter().position(|metric| metric.id == metric_id).ok_or_else(|| {
            let ids: Vec<&str> = self.metrics.iter().map(|metric| metric.id.as_str()).collect();
            CreateError::UnknownMetric { metric_id: metric_id.to_owned(), loaded: ids.join(", ") }
        })?;
        Ok(Box::new(self.loaded[idx].configure(config_json)?))
    }

    fn add(&mut self, file: PathBuf, log: &HostLog) {
        if let Err(failed) = self.try_add(&file, log) {
            self.refusals.push(failed.of(file));
        }
    }

    fn try_add(&mut self, file: &Path, log: &HostLog) -> Result<(), Failed> {
        let descriptor = library::entry(file)?;
        // SAFETY: it is what the entry function returned, and the library stays open.
        let checked = unsafe { descriptor::check(descriptor, file) }?;
        self.check_unique(&checked)?;
        let callbacks = introduce(descriptor, &checked, log)?;
        for metric in checked.metrics {
            self.loaded.push(Loaded::new(&metric.info, metric.functions, callbacks));
            self.metrics.push(metric.info);
        }
        for channel in checked.channels {
            self.channels.add(channel, callbacks);
        }
        self.skipped.extend(checked.skipped);
        self.plugins.push(checked.plugin);
        Ok(())
    }

    fn check_unique(&self, checked: &Checked) -> Result<(), Failed> {
        let taken = |what: &str, id: &str, by: &Path| {
            let by = by.file_name().unwrap_or(by.as_os_str()).display();
            Failed::new(
                Slug::DuplicateId,
                format!("an id that is free for the {what}"),
                format!("{id}, as in {by}"),
            )
        };
        if let Some(plugin) = self.plugins.iter().find(|plugin| plugin.id == checked.plugin.id) {
            return Err(taken("plugin", &plugin.id, &plugin.file));
        }
        if let Some(channel) = self.channels.same(&checked.channels) {
            return Err(taken("channel", &channel.id, &channel.file));
        }
        let same = checked.metrics.iter().find_map(|metric| self.find(&metric.info.id));
        same.map_or(Ok(()), |metric| Err(taken("metric", &metric.id, &metric.file)))
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { plugins, metrics, skipped, refusals, channels, loaded: _ } = self;
        f.debug_struct("Registry")
            .field("plugins", plugins)
            .field("metrics", metrics)
            .field("channels", &channels.infos())
            .field("skipped", skipped)
            .field("refusals", refusals)
            .finish_non_exhaustive()
    }
}

/// Lists the libraries of a folder by name, so that every start loads them in the same order.
fn libraries(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files: Vec<PathBuf> =
        folder.read_dir()?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "so"));
    files.sort();
    Ok(files)
}

/// Calls `init` of a plugin, once for the process: a library that was opened before is the same library.
fn introduce(
    descriptor: *const Plugin,
    checked: &Checked,
    log: &HostLog,
) -> Result<&'static Callbacks, Failed> {
    static INTRODUCED: Mutex<Option<HashMap<usize, &'static Callbacks>>> = Mutex::new(None);
    let mut introduced = INTRODUCED.lock().unwrap_or_else(PoisonError::into_inner);
    let introduced = introduced.get_or_insert_default();
    if let Some(callbacks) = introduced.get(&descriptor.addr()) {
        callbacks.redirect(log.clone());
        return Ok(callbacks);
    }
    let (callbacks, table) = Callbacks::leak(checked.plugin.id.clone(), log.clone());
    if let Some(init) = checked.init {
        // SAFETY: the library stays open.
        unsafe { handle::init(init, table) }
            .map_err(|text| Failed::new(Slug::InitFailed, "a plugin that starts", text))?;
    }
    introduced.insert(descriptor.addr(), callbacks);
    Ok(callbacks)
}
