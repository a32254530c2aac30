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
use crate::lock::{Lock, Locked};
use crate::log::HostLog;
use crate::refusal::{Failed, Refusal, Slug};
use crate::registry_reload::List;
use crate::staged::{self, Staged};
use crate::supervised::{Launcher, Library, Plugin, PluginState, PluginStatus, Supervised};
use podium_plugin_abi as abi;
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
    missing: Vec<PathBuf>,
    /// The secrets that the channels of a plugin may see, where a list says so.
    secrets: HashMap<String, Vec<String>>,
    /// The copies that run in our own process.
    staged: Vec<Staged>,
    /// The lists of the folders, to be looked at again.
    pub(crate) lists: Mutex<Vec<List>>,
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

impl Registry {
    /// Loads one library into our own process; what is wrong with it is in [`Registry::refusals`].
    pub(crate) fn load_file(file: &Path, log: &HostLog) -> Self {
        let mut registry = Self::default();
        registry.add(file, Ok(None), &Isolation::InProcess, log);
        registry
    }

    /// Loads every `*.so` of the folders into our own process, in the order of folders and of names.
    ///
    /// Nothing here fails as a whole: what cannot be used is in [`Registry::refusals`].
    pub fn load(folders: &[PathBuf], log: &HostLog) -> Self {
        Self::load_with(folders, &Isolation::InProcess, log)
    }

    /// Loads every `*.so` of the folders, each into a process of its own or all into ours. Of a folder that has a
    /// `plugins.lock`, only what that lists.
    pub fn load_with(folders: &[PathBuf], isolation: &Isolation, log: &HostLog) -> Self {
        let mut registry = Self::default();
        for folder in folders {
            registry.add_folder(folder, isolation, log);
        }
        if let Isolation::Child(launcher) = isolation {
            staged::sweep(&launcher.staging);
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

    /// Lists the files that a `plugins.lock` requires and that are not loaded; each of them was refused.
    pub fn missing(&self) -> &[PathBuf] {
        &self.missing
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

    pub(crate) fn supervised(&self, plugin_id: &str) -> Option<&Plugin> {
        self.supervised.iter().find(|plugin| plugin.id() == plugin_id).map(|plugin| &**plugin)
    }

    fn add_folder(&mut self, folder: &Path, isolation: &Isolation, log: &HostLog) {
        let (lock, files) = match (Lock::of(folder), libraries(folder)) {
            (Ok(lock), Ok(files)) => (lock, files),
            (_, Err(error)) => {
                let failed = Failed::new(Slug::UnreadableFolder, "a folder of plugins", error.to_string());
                return self.refusals.push(failed.of(folder.to_owned()));
            }
            (Err(failed), _) => {
                let refusal = failed.of(Lock::file(folder));
                self.watch(List::refused(folder, refusal.clone()));
                return self.refusals.push(refusal);
            }
        };
        self.watch(List::new(folder, lock.clone()));
        for file in &files {
            let locked = lock.as_ref().map(|lock| lock.find(file)).transpose();
            self.add(file, locked, isolation, log);
        }
        for locked in lock.iter().flat_map(Lock::plugins) {
            let file = folder.join(&locked.file);
            if !files.contains(&file) {
                self.refusals.push(Lock::missing().of(file.clone()));
            }
            if locked.required && !self.plugins.iter().any(|plugin| plugin.file == file) {
                self.missing.push(file);
            }
        }
    }

    fn add(
        &mut self,
        file: &Path,
        locked: Result<Option<&Locked>, Failed>,
        isolation: &Isolation,
        log: &HostLog,
    ) {
        let added = locked.and_then(|locked| match isolation {
            Isolation::Child(launcher) if !locked.is_some_and(Locked::is_in_process) => {
                self.add_in_child(file, locked, launcher, log)
            }
            _ => self.add_here(file, locked, isolation, log),
        });
        if let Err(failed) = added {
            self.refusals.push(failed.of(file.to_owned()));
        }
    }

    fn add_in_child(
        &mut self,
        file: &Path,
        locked: Option<&Locked>,
        launcher: &Launcher,
        log: &HostLog,
    ) -> Result<(), Failed> {
        let library = Library::admit(file, locked, launcher)?;
        let (plugin, manifest) = Plugin::start(library, launcher, log)?;
        let mut info = manifest.plugin()?.clone();
        self.check_unique(&info.id, manifest.metrics.iter(), manifest.channels.iter())?;
        locked.map_or(Ok(()), |locked| locked.check_info(&info))?;
        file.clone_into(&mut info.file);
        self.add_info(info, locked);
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
        self.supervised.push(plugin);
        Ok(())
    }

    fn add_here(
        &mut self,
        file: &Path,
        locked: Option<&Locked>,
        isolation: &Isolation,
        log: &HostLog,
    ) -> Result<(), Failed> {
        let mut source = file.to_owned();
        if let Some(locked) = locked {
            let checked = staged::read(file)?;
            locked.check_bytes(&checked.sha256)?;
            if let Isolation::Child(launcher) = isolation {
                let staged = staged::stage(&checked, &launcher.staging)?;
                source.clone_from(&staged.file);
                self.staged.push(staged);
            }
        }
        let descriptor = library::entry(&source)?;
        // SAFETY: it is what the entry function returned, and the library stays open.
        let checked = unsafe { descriptor::check(descriptor, file) }?;
        let metrics = checked.metrics.iter().map(|metric| &metric.info);
        let channels = checked.channels.iter().map(|channel| &channel.info);
        self.check_unique(&checked.plugin.id, metrics, channels)?;
        locked.map_or(Ok(()), |locked| locked.check_info(&checked.plugin))?;
        let callbacks = introduce(descriptor, &checked, log)?;
        self.add_info(checked.plugin, locked);
        for metric in checked.metrics {
            self.sources.push(Source::InProcess(Loaded::new(&metric.info, metric.functions, callbacks)));
            self.metrics.push(metric.info);
        }
        for channel in checked.channels {
            self.channels.add(channel, callbacks);
        }
        self.skipped.extend(checked.skipped);
        Ok(())
    }

    fn add_info(&mut self, mut info: PluginInfo, locked: Option<&Locked>) {
        if let Some(locked) = locked {
            (info.locked, info.required) = (true, locked.required);
            self.secrets.insert(info.id.clone(), locked.secrets.clone());
        }
        self.plugins.push(info);
    }

    /// Whether the channels of a plugin may see a secret, as far as the host knows.
    pub(crate) fn may_see(&self, plugin_id: &str, secret: &str) -> bool {
        self.secrets.get(plugin_id).is_none_or(|secrets| secrets.iter().any(|name| name == secret))
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
        let Self { plugins, metrics, skipped, refusals, channels, .. } = self;
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
