//! All plugins that were found.

use crate::callbacks::Callbacks;
use crate::channel_info::ChannelInfo;
use crate::channel_registry::Channels;
use crate::descriptor::{self, Checked};
use crate::handle;
use crate::in_process::Loaded;
use crate::info::{MetricInfo, PluginInfo, Skipped};
use crate::instance::{CreateError, MetricInstance};
use crate::library;
use crate::log::HostLog;
use crate::refusal::{Failed, Refusal, Slug};
use crate::staged;
use crate::supervised::{Launcher, Library, Plugin, PluginState, PluginStatus, Supervised};
use podium_plugin_abi as abi;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// The plugins that were found in some folders: what they offer, and what was refused.
#[derive(Default)]
pub struct Registry {
    plugins: Vec<PluginInfo>,
    metrics: Vec<MetricInfo>,
    sources: Vec<Source>,
    supervised: Vec<Arc<Plugin>>,
    pub(crate) channels: Channels,
    skipped: Vec<Skipped>,
    refusals: Vec<Refusal>,
}

/// Where instances of a metric come from.
enum Source {
    InProcess(Loaded),
    Supervised(Arc<Plugin>),
}

/// Where plugins run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Isolation {
    /// In our own process: a crash of one is ours.
    InProcess,
    /// Each in a process of its own.
    Child(Launcher),
}

/// What a child says of the library it loaded.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Manifest {
    plugin: Option<PluginInfo>,
    metrics: Vec<MetricInfo>,
    channels: Vec<ChannelInfo>,
    skipped: Vec<Skipped>,
    /// The slug, what was expected and what was found, if the library was refused.
    refused: Option<(String, String, String)>,
}

impl Manifest {
    pub(crate) fn of(registry: &Registry) -> Self {
        let refused = |refusal: &Refusal| {
            (refusal.slug.as_str().to_owned(), refusal.expected.clone(), refusal.found.clone())
        };
        Self {
            plugin: registry.plugins.first().cloned(),
            metrics: registry.metrics.clone(),
            channels: registry.channels().to_vec(),
            skipped: registry.skipped.clone(),
            refused: registry.refusals.first().map(refused),
        }
    }

    pub(crate) fn has_only_channels(&self) -> bool {
        self.metrics.is_empty() && !self.channels.is_empty()
    }

    pub(crate) fn plugin_id(&self) -> Option<&str> {
        self.plugin.as_ref().map(|plugin| plugin.id.as_str())
    }
}

impl Registry {
    /// Loads one library into our own process; what is wrong with it is in [`Registry::refusals`].
    pub(crate) fn load_file(file: &Path, log: &HostLog) -> Self {
        let mut registry = Self::default();
        registry.add(file.to_owned(), &Isolation::InProcess, log);
        registry
    }

    /// Loads every `*.so` of the folders into our own process, in the order of folders and of names.
    ///
    /// Nothing here fails as a whole: what cannot be used is in [`Registry::refusals`].
    pub fn load(folders: &[PathBuf], log: &HostLog) -> Self {
        Self::load_with(folders, &Isolation::InProcess, log)
    }

    /// Loads every `*.so` of the folders, each into a process of its own or all into ours.
    pub fn load_with(folders: &[PathBuf], isolation: &Isolation, log: &HostLog) -> Self {
        let mut registry = Self::default();
        for folder in folders {
            match libraries(folder) {
                Ok(files) => files.into_iter().for_each(|file| registry.add(file, isolation, log)),
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
        match &self.sources[idx] {
            Source::InProcess(loaded) => Ok(Box::new(loaded.configure(config_json)?)),
            Source::Supervised(plugin) => {
                let k = self.metrics[idx].k;
                Ok(Box::new(Supervised::create(plugin, metric_id, k, config_json)?))
            }
        }
    }

    /// Tells how a plugin does; `None` if it runs in our own process or there is none of that name.
    pub fn status(&self, plugin_id: &str) -> Option<PluginStatus> {
        self.supervised(plugin_id).map(Plugin::status)
    }

    /// Lets a plugin in quarantine try again. Says whether it was in one; `None` as for [`Registry::status`].
    pub fn release(&self, plugin_id: &str) -> Option<bool> {
        self.supervised(plugin_id).map(Plugin::release)
    }

    /// Whether a metric's plugin is loaded, and not in quarantine.
    pub fn is_up(&self, metric_id: &str) -> bool {
        self.state(metric_id).is_some_and(|state| state != PluginState::Quarantined)
    }

    /// Whether a metric's plugin can be called right now.
    pub fn is_running(&self, metric_id: &str) -> bool {
        self.state(metric_id) == Some(PluginState::Running)
    }

    fn state(&self, metric_id: &str) -> Option<PluginState> {
        let metric = self.find(metric_id)?;
        Some(self.supervised(&metric.plugin_id).map_or(PluginState::Running, Plugin::metrics_state))
    }

    fn supervised(&self, plugin_id: &str) -> Option<&Plugin> {
        self.supervised.iter().find(|plugin| plugin.id() == plugin_id).map(|plugin| &**plugin)
    }

    fn add(&mut self, file: PathBuf, isolation: &Isolation, log: &HostLog) {
        let added = match isolation {
            Isolation::InProcess => self.add_here(&file, log),
            Isolation::Child(launcher) => self.add_in_child(&file, launcher, log),
        };
        if let Err(failed) = added {
            self.refusals.push(failed.of(file));
        }
    }

    fn add_in_child(&mut self, file: &Path, launcher: &Launcher, log: &HostLog) -> Result<(), Failed> {
        let staged = staged::stage(file, &launcher.staging)?;
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let library = Library { file: staged.file, name, sha256: staged.sha256 };
        let (plugin, manifest) = Plugin::start(library, launcher, log)?;
        if let Some((slug, expected, found)) = manifest.refused {
            let slug = Slug::ALL.into_iter().find(|known| known.as_str() == slug).unwrap_or(Slug::InitFailed);
            return Err(Failed::new(slug, expected, found));
        }
        let mut info = manifest.plugin.ok_or_else(|| {
            Failed::new(Slug::InitFailed, "a plugin that starts in its own process", "nothing")
        })?;
        self.check_unique(&info.id, manifest.metrics.iter(), manifest.channels.iter())?;
        file.clone_into(&mut info.file);
        for mut metric in manifest.metrics {
            file.clone_into(&mut metric.file);
            self.sources.push(Source::Supervised(Arc::clone(&plugin)));
            self.metrics.push(metric);
        }
        for mut channel in manifest.channels {
            file.clone_into(&mut channel.file);
            self.channels.add_supervised(channel, &plugin);
        }
        self.skipped.extend(manifest.skipped);
        self.plugins.push(info);
        self.supervised.push(plugin);
        Ok(())
    }

    fn add_here(&mut self, file: &Path, log: &HostLog) -> Result<(), Failed> {
        let descriptor = library::entry(file)?;
        // SAFETY: it is what the entry function returned, and the library stays open.
        let checked = unsafe { descriptor::check(descriptor, file) }?;
        let metrics = checked.metrics.iter().map(|metric| &metric.info);
        let channels = checked.channels.iter().map(|channel| &channel.info);
        self.check_unique(&checked.plugin.id, metrics, channels)?;
        let callbacks = introduce(descriptor, &checked, log)?;
        for metric in checked.metrics {
            self.sources.push(Source::InProcess(Loaded::new(&metric.info, metric.functions, callbacks)));
            self.metrics.push(metric.info);
        }
        for channel in checked.channels {
            self.channels.add(channel, callbacks);
        }
        self.skipped.extend(checked.skipped);
        self.plugins.push(checked.plugin);
        Ok(())
    }

    fn check_unique<'a>(
        &self,
        plugin_id: &str,
        mut metrics: impl Iterator<Item = &'a MetricInfo>,
        channels: impl Iterator<Item = &'a ChannelInfo>,
    ) -> Result<(), Failed> {
        if let Some(plugin) = self.plugins.iter().find(|plugin| plugin.id == plugin_id) {
            return Err(taken("plugin", &plugin.id, &plugin.file));
        }
        if let Some(metric) = metrics.find_map(|metric| self.find(&metric.id)) {
            return Err(taken("metric", &metric.id, &metric.file));
        }
        let same = self.channels.same(channels);
        same.map_or(Ok(()), |channel| Err(taken("channel", &channel.id, &channel.file)))
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { plugins, metrics, skipped, refusals, channels, sources: _, supervised: _ } = self;
        f.debug_struct("Registry")
            .field("plugins", plugins)
            .field("metrics", metrics)
            .field("channels", &channels.infos())
            .field("skipped", skipped)
            .field("refusals", refusals)
            .finish_non_exhaustive()
    }
}

fn taken(what: &str, id: &str, by: &Path) -> Failed {
    let by = by.file_name().unwrap_or(by.as_os_str()).display();
    Failed::new(Slug::DuplicateId, format!("an id that is free for the {what}"), format!("{id}, as in {by}"))
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
    descriptor: *const abi::Plugin,
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
