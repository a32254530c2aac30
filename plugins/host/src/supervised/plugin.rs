//! A plugin whose children are started, watched, started anew, and in the end left alone.

use super::Launcher;
use super::confine::Confinement;
use super::edition::{Early, Edition, Library};
use super::process::{Death, Process, spawn};
use super::record::{PluginState, PluginStatus, Record, Role, Verdict};
use super::switchboard::Switchboard;
use super::upgrade::Setting;
use super::watch::watch;
use crate::info::PluginInfo;
use crate::log::{HostLog, Level, LogLine};
use crate::manifest::Manifest;
use crate::refusal::{Failed, Slug};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

const FIRST_GENERATION: u64 = 1;

/// A plugin with its children: one for its metrics and one for its channels, each if it is needed.
pub(crate) struct Plugin {
    id: String,
    pub(super) launcher: Launcher,
    pub(super) log: HostLog,
    /// Held during a call.
    pub(super) metrics: Mutex<Option<Process>>,
    /// Held while a child starts, after the one above.
    pub(super) channels: Mutex<Option<Arc<Switchboard>>>,
    /// The instances that there are.
    pub(super) settings: Mutex<BTreeMap<u32, Setting>>,
    /// Held during an upgrade.
    pub(super) upgrading: Mutex<()>,
    /// Held for a moment only, after any of the two.
    record: Mutex<Record>,
    last_instance: AtomicU32,
}

/// The child of the metrics, for as long as the guard is held.
pub(super) struct Running<'a> {
    process: MutexGuard<'a, Option<Process>>,
    plugin: &'a Plugin,
}

/// Why a plugin cannot be called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Away {
    Quarantined,
    /// It does not start.
    Down(String),
}

impl Away {
    pub(super) fn text(&self, plugin_id: &str) -> String {
        match self {
            Self::Quarantined => format!("plugin {plugin_id} crashed too often; release it first"),
            Self::Down(text) => format!("plugin {plugin_id} is down: {text}"),
        }
    }
}

impl Plugin {
    /// Starts a plugin's child for the first time, and reads what it has.
    pub(crate) fn start(
        library: Library,
        launcher: &Launcher,
        log: &HostLog,
    ) -> Result<(Arc<Self>, Manifest), Failed> {
        let refused =
            |found: String| Failed::new(Slug::InitFailed, "a plugin that starts in its own process", found);
        let (process, manifest) = spawn(launcher, &library, FIRST_GENERATION, None, log).map_err(refused)?;
        let PluginInfo { id, version, .. } = manifest.plugin()?.clone();
        let plugin = Self {
            id,
            launcher: launcher.clone(),
            log: log.clone(),
            metrics: Mutex::default(),
            channels: Mutex::default(),
            settings: Mutex::default(),
            upgrading: Mutex::default(),
            record: Mutex::new(Record::new(Edition { binary: library, version })),
            last_instance: AtomicU32::new(0),
        };
        if manifest.has_only_channels() {
            plugin.started(Role::Channels, &process);
            let board = Switchboard::over(process).map_err(|error| refused(error.to_string()))?;
            *lock(&plugin.channels) = Some(board);
        } else {
            plugin.started(Role::Metrics, &process);
            *lock(&plugin.metrics) = Some(process);
        }
        let plugin = Arc::new(plugin);
        watch(Arc::downgrade(&plugin), &plugin.id).map_err(|error| refused(error.to_string()))?;
        Ok((plugin, manifest))
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    pub(crate) fn launcher(&self) -> &Launcher {
        &self.launcher
    }

    /// How it does. Never waits for a call.
    pub(crate) fn status(&self) -> PluginStatus {
        self.record().status()
    }

    /// Whether its metrics can be called, whatever its channels do.
    pub(crate) fn metrics_state(&self) -> PluginState {
        self.record().state(&[Role::Metrics])
    }

    /// Lets a plugin in quarantine try again; says whether it was in one.
    pub(crate) fn release(&self) -> bool {
        self.record().release()
    }

    /// A number for an instance that no other of this plugin has.
    pub(super) fn next_instance(&self) -> u32 {
        self.last_instance.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Remembers an instance that was made, for the generations to come.
    pub(super) fn remember(&self, instance: u32, setting: Setting) {
        lock(&self.settings).insert(instance, setting);
    }

    /// Ends an instance that is not needed any more.
    pub(super) fn forget(&self, instance: u32) {
        let setting = lock(&self.settings).remove(&instance);
        match setting.map(|setting| setting.role) {
            Some(Role::Metrics) => {
                if let Some(process) = &mut *lock(&self.metrics) {
                    process.forget(instance);
                }
            }
            Some(Role::Channels) => {
                let board = lock(&self.channels).clone();
                if let Some(board) = board {
                    board.forget(instance);
                }
            }
            None => {}
        }
    }

    /// The child of the metrics, started if none runs.
    pub(super) fn running(&self) -> Result<Running<'_>, Away> {
        let mut process = lock(&self.metrics);
        self.may_run(Role::Metrics, &mut process, Process::generation)?;
        if process.is_none() {
            *process = Some(self.start_child(Role::Metrics)?);
        }
        Ok(Running { process, plugin: self })
    }

    /// The child of the channels, started if none runs.
    pub(super) fn switchboard(&self) -> Result<Arc<Switchboard>, Away> {
        let mut channels = lock(&self.channels);
        self.clear_dead(&mut channels);
        self.may_run(Role::Channels, &mut channels, |board| board.generation())?;
        if let Some(board) = &*channels {
            return Ok(Arc::clone(board));
        }
        let process = self.start_child(Role::Channels)?;
        let board = Switchboard::over(process).map_err(|error| Away::Down(error.to_string()))?;
        Ok(Arc::clone(channels.insert(board)))
    }

    /// Gives up a child that died, or that a call did not come back from: new calls go to another. Its other calls
    /// go on, if it lives, and then it ends.
    pub(super) fn lost(&self, board: &Arc<Switchboard>, death: &Death) {
        let mut channels = lock(&self.channels);
        // Of several calls that a child took with it, the first one says so.
        if channels.as_ref().is_some_and(|current| Arc::ptr_eq(current, board)) {
            self.give_up(&mut channels, death);
        }
    }

    fn give_up(&self, channels: &mut Option<Arc<Switchboard>>, death: &Death) {
        *channels = None;
        self.record().ended(Role::Channels, &death.to_string());
        self.say(Level::Error, &death.to_string());
        self.crashed(&death.to_string());
    }

    /// Gives up a child that died while nobody called it.
    pub(super) fn clear_dead(&self, channels: &mut Option<Arc<Switchboard>>) {
        if let Some(death) = channels.as_ref().and_then(|board| board.death()) {
            self.give_up(channels, &death);
        }
    }

    /// Ends a child of another generation, and one of a plugin in quarantine.
    pub(super) fn may_run<C>(
        &self,
        role: Role,
        child: &mut Option<C>,
        generation: impl Fn(&C) -> u64,
    ) -> Result<(), Away> {
        let mut record = self.record();
        let is_quarantined = record.is_quarantined();
        let current = record.editions.generation();
        let unwanted = child.take_if(|child| is_quarantined || generation(child) != current);
        if unwanted.is_some() {
            record.removed(role);
        }
        drop(record);
        drop(unwanted);
        if is_quarantined { Err(Away::Quarantined) } else { Ok(()) }
    }

    fn start_child(&self, role: Role) -> Result<Process, Away> {
        let (waits, library, generation) = {
            let record = self.record();
            let editions = &record.editions;
            (record.waits(), editions.current().binary.clone(), editions.generation())
        };
        if let Some(why) = waits {
            return Err(Away::Down(why));
        }
        let begun = Instant::now();
        match spawn(&self.launcher, &library, generation, Some(role), &self.log) {
            Ok((process, _)) => {
                if self.started(role, &process) {
                    self.say(Level::Info, &format!("runs again after {} ms", begun.elapsed().as_millis()));
                }
                Ok(process)
            }
            Err(found) => {
                let jitter = self.id.bytes().map(u64::from).sum::<u64>() % 50;
                self.record().did_not_start(role, Duration::from_millis(jitter));
                self.crashed(&format!("does not start: {found}"));
                Err(if self.record().is_quarantined() { Away::Quarantined } else { Away::Down(found) })
            }
        }
    }

    /// Notes a child that runs; says whether it is in the place of another.
    fn started(&self, role: Role, process: &Process) -> bool {
        let occupant = process.occupant();
        let is_again = self.record().started(role, occupant);
        let confinement = occupant.confinement;
        if !is_again && confinement != Confinement::Full {
            let how = confinement.as_str();
            let message = format!("this kernel keeps it from less than it must not do (confinement: {how})");
            self.say(Level::Info, &message);
        }
        is_again
    }

    /// Counts a crash; too many go back to the file of before, or end the plugin's chances.
    pub(super) fn crashed(&self, what: &str) {
        if !self.crashed_early(what) {
            self.count_crash(what);
        }
    }

    /// Counts a crash against an upgrade, if there was one lately, and goes back if there were too many.
    fn crashed_early(&self, what: &str) -> bool {
        let (early, generation, text) = {
            let mut record = self.record();
            let early = record.crashed_early(what);
            (early, record.editions.generation(), record.editions.current().text())
        };
        if let Early::WentBack(crashed) = &early {
            let crashed = crashed.text();
            self.say(
                Level::Error,
                &format!(
                    "{crashed} crashed too often after the upgrade; generation {generation} is {text} again; the last time {what}"
                ),
            );
        }
        !matches!(early, Early::No)
    }

    fn count_crash(&self, what: &str) {
        let verdict = self.record().crashed(what);
        if let Verdict::LeftAlone { n_crashes } = verdict {
            self.say(
                Level::Error,
                &format!(
                    "crashed {n_crashes} times and is left alone until it is released; the last time {what}"
                ),
            );
        }
    }

    pub(super) fn say(&self, level: Level, message: &str) {
        let message = format!("plugin {}: {message}", self.id);
        self.log.line(&LogLine {
            plugin: &self.id,
            level,
            target: "host",
            message: &message,
            fields_json: "",
        });
    }

    pub(super) fn record(&self) -> MutexGuard<'_, Record> {
        lock(&self.record)
    }
}

impl Running<'_> {
    /// Whether it has this instance.
    pub(super) fn has(&self, instance: u32) -> bool {
        self.process.as_ref().is_some_and(|process| process.has(instance))
    }

    /// Makes a call; if the child dies of it, it is taken away.
    pub(super) fn call<T>(
        &mut self,
        call: impl FnOnce(&mut Process) -> Result<T, Death>,
    ) -> Result<T, Death> {
        let Some(process) = &mut *self.process else {
            return Err(Death::Crashed("it is gone".to_owned()));
        };
        let answer = call(process);
        match &answer {
            Ok(_) | Err(Death::TooLarge(_)) => {}
            Err(death) => {
                *self.process = None;
                self.plugin.record().ended(Role::Metrics, &death.to_string());
                self.plugin.say(Level::Error, &death.to_string());
            }
        }
        answer
    }

    /// Counts a crash that [`Running::call`] saw against an upgrade, if there was one lately: then the call is worth
    /// another try, as what ran before may survive it.
    pub(super) fn crashed_early(&mut self, death: &Death) -> bool {
        self.plugin.crashed_early(&death.to_string())
    }

    /// Counts any other crash that [`Running::call`] saw.
    pub(super) fn count_crash(&mut self, death: &Death) {
        self.plugin.count_crash(&death.to_string());
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
