//! Looks after a plugin that nobody calls: its dead are replaced before the next call needs them.

use super::family;
use super::plugin::Plugin;
use super::process::Process;
use super::record::Role;
use crate::log::Level;
use std::io;
use std::sync::{Mutex, MutexGuard, TryLockError, Weak};
use std::time::Duration;

/// How often a child that is not called is looked after.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Looks after a plugin until nobody has it any more.
pub(super) fn watch(plugin: Weak<Plugin>, id: &str) -> io::Result<()> {
    let work = move || {
        while let Some(plugin) = plugin.upgrade() {
            plugin.look_after();
            drop(plugin);
            std::thread::sleep(LOOK_EVERY);
        }
    };
    std::thread::Builder::new().name(format!("watch-{id}")).spawn(work).map(drop)
}

impl Plugin {
    fn look_after(&self) {
        family::sweep();
        // Whoever calls it looks after it.
        if let Some(mut process) = try_lock(&self.metrics) {
            if let Some(Err(death)) = process.as_mut().map(Process::look_after) {
                *process = None;
                self.record().ended(Role::Metrics, &death.to_string());
                self.say(Level::Error, &format!("was idle; {death}"));
                self.crashed(&death.to_string());
            }
            drop(self.may_run(Role::Metrics, &mut process, Process::generation));
        }
        if let Some(mut channels) = try_lock(&self.channels) {
            self.clear_dead(&mut channels);
            drop(self.may_run(Role::Channels, &mut channels, |board| board.generation()));
        }
        // The calls that come next need not wait for it.
        for role in [Role::Metrics, Role::Channels] {
            let is_missed = {
                let record = self.record();
                record.is_empty(role) && !record.is_quarantined()
            };
            match role {
                Role::Metrics if is_missed => drop(self.running()),
                Role::Channels if is_missed => drop(self.switchboard()),
                Role::Metrics | Role::Channels => {}
            }
        }
    }
}

fn try_lock<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    match mutex.try_lock() {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}
