//! Another file of a plugin takes over from the one that runs: generation N + 1 starts beside generation N, is given
//! the same instances, and then gets the calls. A call that runs in N ends there.

use super::edition::{Edition, Library};
use super::plugin::{Plugin, lock};
use super::process::{Death, Process, spawn};
use super::record::Role;
use super::switchboard::Switchboard;
use crate::channel_instance::ChannelCreateError;
use crate::instance::CreateError;
use crate::log::Level;
use crate::manifest::Manifest;
use crate::refusal::{Failed, Slug};
use std::sync::Arc;

/// An instance that there is, and how to make it again. It may hold secrets: never printed.
#[derive(Clone)]
pub(super) struct Setting {
    pub(super) role: Role,
    pub(super) component: String,
    pub(super) create_json: Vec<u8>,
    /// What it wants read, if it is a metric's.
    pub(super) fields_json: Option<String>,
}

/// A generation that is ready to take over.
struct Next {
    edition: Edition,
    metrics: Option<Process>,
    channels: Option<Arc<Switchboard>>,
}

/// Whether what runs can be gone back to afterwards.
#[derive(Clone, Copy)]
enum WayBack {
    Kept,
    None,
}

impl Plugin {
    /// Upgrades to a library; `check` says whether what it says of itself will do.
    pub(crate) fn upgrade(
        &self,
        library: Library,
        check: &dyn Fn(&Manifest) -> Result<(), Failed>,
    ) -> Result<(), Failed> {
        let _one_at_a_time = lock(&self.upgrading);
        self.replace(library, WayBack::Kept, check)
    }

    /// Goes back to the library of before; `None` if there is none.
    pub(crate) fn rollback(
        &self,
        check: &dyn Fn(&Manifest) -> Result<(), Failed>,
    ) -> Option<Result<(), Failed>> {
        let _one_at_a_time = lock(&self.upgrading);
        let previous = self.record().editions.previous()?.binary.clone();
        Some(self.replace(previous, WayBack::None, check))
    }

    fn replace(
        &self,
        library: Library,
        way_back: WayBack,
        check: &dyn Fn(&Manifest) -> Result<(), Failed>,
    ) -> Result<(), Failed> {
        let generation = self.record().editions.generation();
        let next = generation + 1;
        self.say(Level::Info, &format!("generation {next} starts beside generation {generation}"));
        let prepared = self.prepare(library, next, check);
        let prepared = prepared.inspect_err(|failed| {
            self.say(Level::Error, &format!("generation {next} is refused: {failed}; {generation} goes on"));
        })?;
        self.swap(prepared, way_back);
        Ok(())
    }

    /// Starts the children of a generation, and makes every instance in them.
    fn prepare(
        &self,
        library: Library,
        generation: u64,
        check: &dyn Fn(&Manifest) -> Result<(), Failed>,
    ) -> Result<Next, Failed> {
        let start = |role| {
            let started = spawn(&self.launcher, &library, generation, role, &self.log);
            started.map_err(|found| Failed::new(Slug::InitFailed, "a plugin that starts", found))
        };
        let board = |process| {
            let board = Switchboard::over(process).map_err(|error| error.to_string());
            board.map_err(|found| Failed::new(Slug::InitFailed, "a child that can be talked to", found))
        };
        let (process, manifest) = start(None)?;
        let version = manifest.plugin()?.version.clone();
        check(&manifest)?;
        let (mut metrics, channels) = if manifest.has_only_channels() {
            (None, Some(board(process)?))
        } else if self.record().is_used(Role::Channels) {
            (Some(process), Some(board(start(Some(Role::Channels))?.0)?))
        } else {
            (Some(process), None)
        };
        let settings: Vec<(u32, Setting)> =
            lock(&self.settings).iter().map(|(instance, setting)| (*instance, setting.clone())).collect();
        for (instance, setting) in &settings {
            let made = match (setting.role, &mut metrics, &channels) {
                (Role::Metrics, Some(process), _) => process
                    .create(*instance, &setting.create_json)
                    .map(|answer| setting.is_made_of_metric(answer)),
                (Role::Channels, _, Some(board)) => {
                    board.create(*instance, &setting.create_json).map(Setting::is_made_of_channel)
                }
                _ => Err(Death::Crashed("there is no child for it".to_owned())),
            };
            let made = made.map_err(|death| death.to_string()).flatten();
            made.map_err(|found| {
                let expected = format!("one that takes the settings of {}", setting.component);
                Failed::new(Slug::OtherSettings, expected, found)
            })?;
        }
        let n_instances = settings.len();
        self.say(Level::Info, &format!("generation {generation} is ready, with {n_instances} instances"));
        Ok(Next { edition: Edition { binary: library, version }, metrics, channels })
    }

    /// Lets a generation take over. Waits for the metrics' call that runs; calls of channels go on in the old child.
    fn swap(&self, next: Next, way_back: WayBack) {
        let Next { edition, metrics, channels } = next;
        let text = edition.text();
        let (mut old_metrics, mut old_channels) = (lock(&self.metrics), lock(&self.channels));
        let mut record = self.record();
        // Not what ran when this began: that may have crashed too often meanwhile.
        let previous = match way_back {
            WayBack::Kept => Some(record.editions.current().clone()),
            WayBack::None => None,
        };
        record.editions.begin(edition, previous);
        record.replaced(Role::Metrics, metrics.as_ref().map(Process::occupant));
        record.replaced(Role::Channels, channels.as_ref().map(|board| board.occupant()));
        record.release();
        let generation = record.editions.generation();
        let old =
            (std::mem::replace(&mut *old_metrics, metrics), std::mem::replace(&mut *old_channels, channels));
        drop((record, old_channels, old_metrics));
        self.say(Level::Info, &format!("generation {generation} has taken over: {text}"));
        // Ends the old children; one whose calls still run ends with the last of them.
        drop(old);
    }
}

impl Setting {
    /// Checks what became of the instance of a metric.
    fn is_made_of_metric(&self, answer: Result<Vec<u8>, Vec<u8>>) -> Result<(), String> {
        let created = answer.map_err(|fault| {
            serde_json::from_slice(&fault)
                .map_or_else(|error| error.to_string(), |error: CreateError| error.to_string())
        })?;
        let created: super::child::Created =
            serde_json::from_slice(&created).map_err(|error| error.to_string())?;
        if self.fields_json.as_ref() == Some(&created.fields_json) {
            Ok(())
        } else {
            Err("it wants other fields read; restart the server for that".to_owned())
        }
    }

    /// Checks what became of the instance of a channel.
    fn is_made_of_channel(answer: Result<Vec<u8>, Vec<u8>>) -> Result<(), String> {
        answer.map(drop).map_err(|fault| {
            serde_json::from_slice(&fault)
                .map_or_else(|error| error.to_string(), |error: ChannelCreateError| error.to_string())
        })
    }
}
