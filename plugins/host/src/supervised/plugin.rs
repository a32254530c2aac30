//! A plugin whose child is started, watched, started anew, and in the end left alone.

use super::Launcher;
use super::process::{Death, Library, Process};
use super::wire::Kind;
use crate::log::{HostLog, Level, LogLine};
use crate::refusal::{Failed, Slug};
use crate::registry::Manifest;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError, Weak};
use std::time::{Duration, Instant};

/// How long a child may take to load its plugin.
const START_DEADLINE: Duration = Duration::from_secs(5);
/// How often a child that is not called is looked after.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// So many crashes in [`CRASH_PERIOD`], and the plugin is left alone.
const CRASHES_MAX: usize = 5;
const CRASH_PERIOD: Duration = Duration::from_mins(10);
/// How long to wait before the next start, if the last one failed.
const BACKOFF_MIN: Duration = Duration::from_millis(100);
const BACKOFF_MAX: Duration = Duration::from_secs(30);

/// Whether a plugin can be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PluginState {
    /// Its child runs.
    Running,
    /// Its child ended, and the next call or look starts another.
    Restarting,
    /// It crashed too often; an operator has to release it.
    Quarantined,
}

impl PluginState {
    /// Spells the state.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Restarting => "restarting",
            Self::Quarantined => "quarantined",
        }
    }
}

/// How a plugin does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginStatus {
    /// Whether it can be called.
    pub state: PluginState,
    /// The process of its child, if one runs.
    pub pid: Option<u32>,
    /// How often its child was started anew.
    pub restarts: u64,
    /// What the last child died of.
    pub last_crash: Option<String>,
    /// The hash of the file that runs, in hexadecimal.
    pub sha256: String,
}

/// A plugin with its child.
pub(crate) struct Plugin {
    id: String,
    source: Library,
    launcher: Launcher,
    log: HostLog,
    /// Held during a call.
    inner: Mutex<Inner>,
    /// What there is to see, for those who must not wait for a call.
    shown: Mutex<PluginStatus>,
}

struct Inner {
    process: Option<Process>,
    /// Goes up with every child: instances of an earlier one are gone.
    generation: u64,
    crashes: VecDeque<Instant>,
    last_crash: Option<String>,
    is_quarantined: bool,
    failed_starts: u32,
    not_before: Option<Instant>,
}

/// The child to call, for as long as the guard is held.
pub(super) struct Running<'a> {
    inner: MutexGuard<'a, Inner>,
    plugin: &'a Plugin,
}

/// Why a plugin cannot be called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Away {
    Quarantined,
    /// It does not start.
    Down(String),
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
        let (process, manifest) = spawn(launcher, &library, log).map_err(refused)?;
        let id = manifest.plugin_id().unwrap_or_default().to_owned();
        let inner = Inner {
            process: Some(process),
            generation: 1,
            crashes: VecDeque::new(),
            last_crash: None,
            is_quarantined: false,
            failed_starts: 0,
            not_before: None,
        };
        let shown = Mutex::new(inner.status(&library.sha256));
        let plugin = Arc::new(Self {
            id,
            source: library,
            launcher: launcher.clone(),
            log: log.clone(),
            inner: Mutex::new(inner),
            shown,
        });
        watch(Arc::downgrade(&plugin), &plugin.id);
        Ok((plugin, manifest))
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// How it does. Never waits for a call.
    pub(crate) fn status(&self) -> PluginStatus {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn show(&self, inner: &Inner) {
        *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = inner.status(&self.source.sha256);
    }

    /// Lets a plugin in quarantine try again; says whether it was in one.
    pub(crate) fn release(&self) -> bool {
        let mut inner = self.lock();
        let was = std::mem::take(&mut inner.is_quarantined);
        inner.crashes.clear();
        (inner.failed_starts, inner.not_before) = (0, None);
        self.show(&inner);
        was
    }

    /// Tells the child that an instance is not needed any more.
    pub(super) fn forget(&self, generation: u64, instance: u32) {
        let mut inner = self.lock();
        if inner.generation == generation
            && let Some(process) = &mut inner.process
        {
            process.tell(Kind::Destroy, instance);
        }
    }

    /// The child, started if none runs.
    pub(super) fn running(&self) -> Result<Running<'_>, Away> {
        let mut inner = self.lock();
        if inner.is_quarantined {
            return Err(Away::Quarantined);
        }
        if inner.process.is_none() {
            self.restart(&mut inner)?;
        }
        Ok(Running { inner, plugin: self })
    }

    fn restart(&self, inner: &mut Inner) -> Result<(), Away> {
        let why = || inner.last_crash.clone().unwrap_or_default();
        if inner.not_before.is_some_and(|not_before| Instant::now() < not_before) {
            return Err(Away::Down(why()));
        }
        let begun = Instant::now();
        inner.generation += 1;
        match spawn(&self.launcher, &self.source, &self.log) {
            Ok((process, _)) => {
                inner.process = Some(process);
                (inner.failed_starts, inner.not_before) = (0, None);
                self.show(inner);
                self.say(Level::Info, &format!("runs again after {} ms", begun.elapsed().as_millis()));
                Ok(())
            }
            Err(found) => {
                let doubled = BACKOFF_MIN.saturating_mul(1 << inner.failed_starts.min(16));
                // Plugins that fail together need not start together.
                let jitter =
                    Duration::from_millis(u64::from(self.id.bytes().map(u32::from).sum::<u32>() % 50));
                inner.not_before = Some(Instant::now() + doubled.min(BACKOFF_MAX) + jitter);
                inner.failed_starts += 1;
                self.crashed(inner, &format!("does not start: {found}"));
                Err(if inner.is_quarantined { Away::Quarantined } else { Away::Down(found) })
            }
        }
    }

    /// Counts a crash, and ends the plugin's chances if there were too many.
    fn crashed(&self, inner: &mut Inner, what: &str) {
        let now = Instant::now();
        inner.crashes.push_back(now);
        while inner.crashes.front().is_some_and(|crash| CRASH_PERIOD < now.duration_since(*crash)) {
            inner.crashes.pop_front();
        }
        inner.last_crash = Some(what.to_owned());
        if CRASHES_MAX <= inner.crashes.len() && !inner.is_quarantined {
            inner.is_quarantined = true;
            inner.process = None;
            let n = inner.crashes.len();
            self.say(
                Level::Error,
                &format!("crashed {n} times and is left alone until it is released; the last time {what}"),
            );
        }
        self.show(inner);
    }

    fn look_after(&self) {
        let mut inner = match self.inner.try_lock() {
            Ok(inner) => inner,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            // Whoever calls it looks after it.
            Err(TryLockError::WouldBlock) => return,
        };
        if let Some(process) = &mut inner.process
            && let Err(death) = process.look_after()
        {
            inner.process = None;
            self.say(Level::Error, &format!("was idle; {death}"));
            self.crashed(&mut inner, &death.to_string());
        }
        if inner.process.is_none() && !inner.is_quarantined {
            drop(self.restart(&mut inner));
        }
    }

    fn say(&self, level: Level, message: &str) {
        let message = format!("plugin {}: {message}", self.id);
        self.log.line(&LogLine {
            plugin: &self.id,
            level,
            target: "host",
            message: &message,
            fields_json: "",
        });
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn status(&self, sha256: &str) -> PluginStatus {
        let state = match (&self.process, self.is_quarantined) {
            (_, true) => PluginState::Quarantined,
            (Some(_), false) => PluginState::Running,
            (None, false) => PluginState::Restarting,
        };
        PluginStatus {
            state,
            pid: self.process.as_ref().map(Process::pid),
            restarts: self.generation - 1,
            last_crash: self.last_crash.clone(),
            sha256: sha256.to_owned(),
        }
    }
}

impl Running<'_> {
    /// Which child it is.
    pub(super) fn generation(&self) -> u64 {
        self.inner.generation
    }

    /// Makes a call; if the child dies of it, it is taken away.
    pub(super) fn call<T>(
        &mut self,
        call: impl FnOnce(&mut Process) -> Result<T, Death>,
    ) -> Result<T, Death> {
        let Some(process) = &mut self.inner.process else {
            return Err(Death::Crashed("it is gone".to_owned()));
        };
        let answer = call(process);
        match &answer {
            Ok(_) | Err(Death::TooLarge(_)) => {}
            Err(death) => {
                self.inner.process = None;
                self.inner.last_crash = Some(death.to_string());
                self.plugin.show(&self.inner);
                self.plugin.say(Level::Error, &death.to_string());
            }
        }
        answer
    }

    /// Counts a crash that [`Running::call`] saw.
    pub(super) fn count_crash(&mut self, death: &Death) {
        self.plugin.crashed(&mut self.inner, &death.to_string());
    }
}

fn spawn(launcher: &Launcher, library: &Library, log: &HostLog) -> Result<(Process, Manifest), String> {
    let mut process = Process::start(launcher, library, log).map_err(|error| error.to_string())?;
    let ready = process.ready(START_DEADLINE).map_err(|death| death.to_string())?;
    let manifest = serde_json::from_slice(&ready).map_err(|error| error.to_string())?;
    Ok((process, manifest))
}

/// Looks after a plugin until nobody has it any more.
fn watch(plugin: Weak<Plugin>, id: &str) {
    let work = move || {
        while let Some(plugin) = plugin.upgrade() {
            plugin.look_after();
            drop(plugin);
            std::thread::sleep(LOOK_EVERY);
        }
    };
    drop(std::thread::Builder::new().name(format!("watch-{id}")).spawn(work));
}
