//! Which file of a plugin runs, and which one ran before it.

use super::Launcher;
use crate::lock::Locked;
use crate::refusal::Failed;
use crate::staged::{self, Staged};
use std::path::Path;
use std::time::{Duration, Instant};

/// So many crashes in its first minute, and the file of before takes its place again.
const EARLY_CRASHES_MAX: u32 = 3;
const EARLY: Duration = Duration::from_mins(1);

/// What a child loads.
#[derive(Clone, Debug)]
pub(crate) struct Library {
    staged: Staged,
    /// What its lines in the log go by.
    pub(super) name: String,
    /// The hash of its bytes, in hexadecimal.
    pub(super) sha256: String,
}

/// A file of a plugin, and the version that it says it is.
#[derive(Clone, Debug)]
pub(super) struct Edition {
    pub(super) binary: Library,
    pub(super) version: String,
}

/// The file that runs in the current generation of children, and the one of before.
#[derive(Debug)]
pub(super) struct Editions {
    generation: u64,
    current: Edition,
    since: Instant,
    n_early_crashes: u32,
    previous: Option<Edition>,
}

/// What a crash means for an upgrade.
#[derive(Debug)]
pub(super) enum Early {
    /// Nothing: there was none lately, or nothing to go back to.
    No,
    /// It counts against it.
    Counted,
    /// It was one too many: the file of before runs again, in the place of this one.
    WentBack(Edition),
}

impl Library {
    /// Takes a copy of a file, if it may be loaded.
    pub(crate) fn admit(file: &Path, locked: Option<&Locked>, launcher: &Launcher) -> Result<Self, Failed> {
        let checked = staged::read(file)?;
        if let Some(locked) = locked {
            locked.check_bytes(&checked.sha256)?;
        }
        let staged = staged::stage(&checked, &launcher.staging)?;
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Self { staged, name, sha256: checked.sha256 })
    }

    pub(super) fn file(&self) -> &Path {
        &self.staged.file
    }
}

impl Edition {
    /// Says which one it is, in a line of the log.
    pub(super) fn text(&self) -> String {
        let sha256 = &self.binary.sha256;
        format!("{} ({}…)", self.version, sha256.get(..8).unwrap_or(sha256))
    }
}

impl Editions {
    pub(super) fn new(first: Edition) -> Self {
        Self { generation: 1, current: first, since: Instant::now(), n_early_crashes: 0, previous: None }
    }

    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    pub(super) fn current(&self) -> &Edition {
        &self.current
    }

    /// What can be gone back to.
    pub(super) fn previous(&self) -> Option<&Edition> {
        self.previous.as_ref()
    }

    /// Begins a generation.
    pub(super) fn begin(&mut self, next: Edition, previous: Option<Edition>) {
        let generation = self.generation + 1;
        *self = Self { generation, current: next, since: Instant::now(), n_early_crashes: 0, previous };
    }

    /// Counts a crash soon after an upgrade, and goes back to the file of before if there were too many.
    pub(super) fn crashed(&mut self) -> Early {
        if EARLY <= self.since.elapsed() {
            return Early::No;
        }
        let Some(previous) = self.previous.clone() else { return Early::No };
        self.n_early_crashes += 1;
        if self.n_early_crashes < EARLY_CRASHES_MAX {
            return Early::Counted;
        }
        let crashed = self.current.clone();
        self.begin(previous, None);
        Early::WentBack(crashed)
    }
}
