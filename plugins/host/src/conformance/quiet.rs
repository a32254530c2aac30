//! Law 1, where a breach ends the process: no system call but for memory.

use super::Subject;
use crate::supervised::{how, system_calls};
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

impl Subject<'_> {
    /// Tries the metric in a copy of this process that the kernel ends at a system call that is not allowed.
    ///
    /// Finds nothing where the kernel cannot do that, and not who reads the clock that the kernel lays into every
    /// process. To be called where no other thread is at work: the copy has only the one that calls.
    pub(super) fn makes_no_system_call(&self) -> Result<(), String> {
        // SAFETY: the copy runs only this thread, which holds no lock.
        let pid = unsafe { libc::fork() };
        if pid == 0 {
            // SAFETY: system calls without pointers. The copy leaves neither itself nor a core behind.
            unsafe {
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL, 0, 0, 0);
                libc::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0);
            }
            system_calls();
            drop(self.fingerprint());
            // SAFETY: ends the copy, and nothing of what the process wanted done at its end.
            unsafe { libc::_exit(0) };
        }
        let mut status = 0;
        // SAFETY: the status lives through the call.
        if pid == -1 || unsafe { libc::waitpid(pid, &raw mut status, 0) } == -1 {
            return Err(format!("it could not be tried: {}", io::Error::last_os_error()));
        }
        let status = ExitStatus::from_raw(status);
        if status.success() { Ok(()) } else { Err(format!("it ended its process: {}", how(status))) }
    }
}
