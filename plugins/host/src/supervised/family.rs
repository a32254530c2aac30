//! The processes that hosts of plugins are, and those that they leave behind.
//!
//! A plugin may copy its process, and the copy may leave its group and its parent. This process is the subreaper, so
//! whoever loses its parent becomes a child of ours; it is known by the memory limit that it cannot have from anybody
//! but a host of plugins. Children that somebody else started, and waits for, have another limit.

use super::system::MEMORY_MAX;
use std::collections::BTreeSet;
use std::io;
use std::process::{Child, Command, ExitStatus};
use std::sync::mpsc::{self, Sender, SyncSender};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How often it is looked in one sweep who is left: whoever is ended may have children, which then become ours.
const ROUNDS_MAX: usize = 50;

struct Family {
    /// Hosts of plugins that nobody has waited for yet.
    hosts: BTreeSet<u32>,
    starter: Option<Sender<Order>>,
}

/// What to start, and whom to tell.
type Order = (Command, SyncSender<io::Result<Child>>);

static FAMILY: Mutex<Family> = Mutex::new(Family { hosts: BTreeSet::new(), starter: None });

/// Starts the host of a plugin.
///
/// A child dies with the thread that started it, so that is always the same one, which never ends.
///
/// # Errors
///
/// Those of the system.
pub(super) fn start(command: Command) -> io::Result<Child> {
    // Held until it is known, or it would be taken for one that was left behind.
    let mut family = lock();
    let starter = match &family.starter {
        Some(starter) => starter,
        None => &*family.starter.insert(starter()?),
    };
    let (sender, started) = mpsc::sync_channel(1);
    let is_gone = || io::Error::other("the thread that starts plugins is gone");
    starter.send((command, sender)).map_err(|_| is_gone())?;
    let child = started.recv().map_err(|_| is_gone())??;
    family.hosts.insert(child.id());
    Ok(child)
}

fn starter() -> io::Result<Sender<Order>> {
    // SAFETY: a system call without pointers.
    if unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) } == -1 {
        return Err(io::Error::last_os_error());
    }
    let (sender, orders) = mpsc::channel::<Order>();
    let work = move || {
        for (mut command, answer) in orders {
            // Whoever ordered it waits.
            let _ = answer.send(command.spawn());
        }
    };
    std::thread::Builder::new().name("plugin-starter".to_owned()).spawn(work)?;
    Ok(sender)
}

/// Ends the host of a plugin, if it still lives, and whoever it leaves behind.
pub(super) fn end(child: &mut Child) -> Option<ExitStatus> {
    if let Ok(group) = i32::try_from(child.id()) {
        // SAFETY: a system call without pointers. Nobody has waited for the child yet, so that the number of its
        // group is nobody else's.
        unsafe { libc::kill(-group, libc::SIGKILL) };
    }
    let status = child.wait().ok();
    lock().hosts.remove(&child.id());
    sweep();
    status
}

/// Ends whoever a host of plugins has left behind, and reaps them.
pub(super) fn sweep() {
    let family = lock();
    for _ in 0..ROUNDS_MAX {
        let runaways: Vec<i32> = children().filter(|pid| family.is_runaway(*pid)).collect();
        if runaways.is_empty() {
            return;
        }
        for pid in runaways {
            // SAFETY: system calls without pointers. Only here it is waited for, so that the number is its own.
            unsafe {
                libc::kill(pid, libc::SIGKILL);
                libc::waitpid(pid, std::ptr::null_mut(), libc::WNOHANG);
            }
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

impl Family {
    fn is_runaway(&self, pid: i32) -> bool {
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: nothing is set, and the struct lives through the call.
        let outcome = unsafe { libc::prlimit(pid, libc::RLIMIT_DATA, std::ptr::null(), &raw mut limit) };
        outcome == 0 && limit.rlim_max == MEMORY_MAX && !self.hosts.contains(&pid.cast_unsigned())
    }
}

/// The children of our first thread: those it started, and those that lost their parents.
fn children() -> impl Iterator<Item = i32> {
    let pid = std::process::id();
    let listed = std::fs::read_to_string(format!("/proc/self/task/{pid}/children")).unwrap_or_default();
    let pids: Vec<i32> = listed.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()).collect();
    pids.into_iter()
}

fn lock() -> MutexGuard<'static, Family> {
    FAMILY.lock().unwrap_or_else(PoisonError::into_inner)
}
