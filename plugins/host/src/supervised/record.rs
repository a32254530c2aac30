//! How a plugin does: whether its children run, how often they crashed, and when to try again.

use super::confine::Confinement;
use super::edition::{Early, Edition, Editions};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

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
    /// Its children run.
    Running,
    /// A child ended, and the next call or look starts another.
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
    /// The processes of its children that run: one for its metrics, one for its channels, each if it is needed.
    pub pids: Vec<u32>,
    /// How far the kernel keeps its children from what they must not do: the one of them that can do most counts.
    pub confinement: Confinement,
    /// How often a child was started anew.
    pub restarts: u64,
    /// What the last child died of.
    pub last_crash: Option<String>,
    /// The hash of the file that runs, in hexadecimal.
    pub sha256: String,
    /// The version of the file that runs.
    pub version: String,
    /// Goes up when another file takes over.
    pub generation: u64,
    /// The hash of the file that can be gone back to.
    pub previous_sha256: Option<String>,
}

/// What a child is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Role {
    Metrics,
    Channels,
}

/// Whether there is a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seat {
    /// None was needed so far.
    Unused,
    Taken(Occupant),
    /// It ended.
    Empty,
}

/// A child that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Occupant {
    pub(super) pid: u32,
    pub(super) confinement: Confinement,
}

/// What follows from a crash.
#[derive(Debug)]
pub(super) enum Verdict {
    GoesOn,
    /// There were too many.
    LeftAlone {
        n_crashes: usize,
    },
}

/// What is known of a plugin's children.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) editions: Editions,
    seats: [Seat; 2],
    restarts: u64,
    crashes: VecDeque<Instant>,
    last_crash: Option<String>,
    is_quarantined: bool,
    n_failed_starts: u32,
    not_before: Option<Instant>,
}

impl Record {
    /// Of a plugin that has no child yet.
    pub(super) fn new(first: Edition) -> Self {
        Self {
            editions: Editions::new(first),
            seats: [Seat::Unused; 2],
            restarts: 0,
            crashes: VecDeque::new(),
            last_crash: None,
            is_quarantined: false,
            n_failed_starts: 0,
            not_before: None,
        }
    }

    pub(super) fn status(&self) -> PluginStatus {
        let occupants = || {
            self.seats.iter().filter_map(|seat| match seat {
                Seat::Taken(occupant) => Some(*occupant),
                Seat::Unused | Seat::Empty => None,
            })
        };
        PluginStatus {
            state: self.state(&[Role::Metrics, Role::Channels]),
            pids: occupants().map(|occupant| occupant.pid).collect(),
            confinement: occupants().map(|occupant| occupant.confinement).min().unwrap_or(Confinement::Full),
            restarts: self.restarts,
            last_crash: self.last_crash.clone(),
            sha256: self.editions.current().binary.sha256.clone(),
            version: self.editions.current().version.clone(),
            generation: self.editions.generation(),
            previous_sha256: self.editions.previous().map(|edition| edition.binary.sha256.clone()),
        }
    }

    /// Whether the children for `roles` can be called.
    pub(super) fn state(&self, roles: &[Role]) -> PluginState {
        match roles.iter().any(|role| self.is_empty(*role)) {
            _ if self.is_quarantined => PluginState::Quarantined,
            true => PluginState::Restarting,
            false => PluginState::Running,
        }
    }

    pub(super) fn is_quarantined(&self) -> bool {
        self.is_quarantined
    }

    /// Whether there was a child that ended.
    pub(super) fn is_empty(&self, role: Role) -> bool {
        self.seats[role as usize] == Seat::Empty
    }

    /// Whether there is a child, or was one.
    pub(super) fn is_used(&self, role: Role) -> bool {
        self.seats[role as usize] != Seat::Unused
    }

    /// Why no child may be started now, if it is too early for that.
    pub(super) fn waits(&self) -> Option<String> {
        let is_early = self.not_before.is_some_and(|not_before| Instant::now() < not_before);
        is_early.then(|| self.last_crash.clone().unwrap_or_default())
    }

    /// Notes a child that runs; says whether it is in the place of another.
    pub(super) fn started(&mut self, role: Role, occupant: Occupant) -> bool {
        let before = std::mem::replace(&mut self.seats[role as usize], Seat::Taken(occupant));
        (self.n_failed_starts, self.not_before) = (0, None);
        self.restarts += u64::from(before != Seat::Unused);
        before != Seat::Unused
    }

    /// Notes that a child does not start. `jitter`: plugins that fail together need not start together.
    pub(super) fn did_not_start(&mut self, role: Role, jitter: Duration) {
        let doubled = BACKOFF_MIN.saturating_mul(1 << self.n_failed_starts.min(16));
        self.not_before = Some(Instant::now() + doubled.min(BACKOFF_MAX) + jitter);
        self.n_failed_starts += 1;
        self.seats[role as usize] = Seat::Empty;
    }

    /// Notes that a child ended, and of what.
    pub(super) fn ended(&mut self, role: Role, what: &str) {
        self.seats[role as usize] = Seat::Empty;
        self.last_crash = Some(what.to_owned());
    }

    /// Notes the child of a generation that took over.
    pub(super) fn replaced(&mut self, role: Role, occupant: Option<Occupant>) {
        self.seats[role as usize] = occupant.map_or(Seat::Unused, Seat::Taken);
    }

    /// Notes that a child was ended which nobody wants any more.
    pub(super) fn removed(&mut self, role: Role) {
        self.seats[role as usize] = Seat::Empty;
    }

    /// Counts a crash against an upgrade, if there was one lately.
    pub(super) fn crashed_early(&mut self, what: &str) -> Early {
        self.last_crash = Some(what.to_owned());
        let early = self.editions.crashed();
        if let Early::WentBack(_) = early {
            self.release();
        }
        early
    }

    /// Counts a crash, and says what follows from it.
    pub(super) fn crashed(&mut self, what: &str) -> Verdict {
        let now = Instant::now();
        self.last_crash = Some(what.to_owned());
        self.crashes.push_back(now);
        while self.crashes.front().is_some_and(|crash| CRASH_PERIOD < now.duration_since(*crash)) {
            self.crashes.pop_front();
        }
        if CRASHES_MAX <= self.crashes.len() && !self.is_quarantined {
            self.is_quarantined = true;
            return Verdict::LeftAlone { n_crashes: self.crashes.len() };
        }
        Verdict::GoesOn
    }

    /// Ends a quarantine and forgets the crashes; says whether there was one.
    pub(super) fn release(&mut self) -> bool {
        self.crashes.clear();
        (self.n_failed_starts, self.not_before) = (0, None);
        std::mem::take(&mut self.is_quarantined)
    }
}
