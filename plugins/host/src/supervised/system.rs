//! What a child needs of the system before it runs, and what the system says of it.

use super::process::{SHARED_FD, SOCKET_FD};
use crate::log::{HostLog, Level, LogLine};
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStderr, ExitStatus};

/// The most memory a child may write to, in bytes. Whatever it starts keeps this limit and is known by it, so it is no
/// round number.
pub(super) const MEMORY_MAX: u64 = (1 << 30) + 4096;

/// Whether a child has ended. It is not waited for, so that its number stays its own.
pub(super) fn has_exited(child: &Child) -> bool {
    // SAFETY: all zeros are a valid value of a struct of integers.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    let how = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    // SAFETY: the struct lives through the call.
    let outcome = unsafe { libc::waitid(libc::P_PID, child.id(), &raw mut info, how) };
    // SAFETY: the system filled it for a child, or left it zero.
    outcome == -1 || unsafe { info.si_pid() } != 0
}

/// Gives the child its socket, a session of its own, and its limits. Runs between fork and exec.
pub(super) fn prepare(parent: u32, socket: i32, shared: i32) -> io::Result<()> {
    let limit = |max| libc::rlimit { rlim_cur: max, rlim_max: max };
    let (no_core, memory) = (limit(0), limit(MEMORY_MAX));
    // SAFETY: system calls with valid arguments; the structs live through them.
    let is_done = unsafe {
        // Out of the way first: either may stand where the other is to go.
        let socket = libc::fcntl(socket, libc::F_DUPFD_CLOEXEC, 10);
        let shared = libc::fcntl(shared, libc::F_DUPFD_CLOEXEC, 10);
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL, 0, 0, 0) == 0
            // If the parent died before that, nobody would tell us any more.
            && libc::getppid().cast_unsigned() == parent
            && libc::setsid() != -1
            && libc::dup2(socket, SOCKET_FD) != -1
            && libc::dup2(shared, SHARED_FD) != -1
            && libc::dup2(libc::STDERR_FILENO, libc::STDOUT_FILENO) != -1
            && libc::syscall(libc::SYS_close_range, SHARED_FD + 1, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) == 0
            && libc::setrlimit(libc::RLIMIT_CORE, &raw const no_core) == 0
            && libc::setrlimit(libc::RLIMIT_DATA, &raw const memory) == 0
            && libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
    };
    if is_done { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Turns what the child prints into log lines.
pub(super) fn pass_on(stderr: ChildStderr, plugin: String, log: HostLog) {
    const LINE_BYTES_MAX: u64 = 8 * 1024;
    const LINES_MAX: usize = 100;
    let work = move || {
        let mut stderr = BufReader::new(stderr);
        let mut bytes = Vec::new();
        for n_lines in 0.. {
            bytes.clear();
            match stderr.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut bytes) {
                Ok(0) | Err(_) => return,
                Ok(_) if LINES_MAX <= n_lines => {}
                Ok(_) => {
                    let message = String::from_utf8_lossy(bytes.trim_ascii_end());
                    let level = Level::Warn;
                    log.line(&LogLine {
                        plugin: &plugin,
                        level,
                        target: "stderr",
                        message: &message,
                        fields_json: "",
                    });
                }
            }
        }
    };
    drop(std::thread::Builder::new().name("plugin-stderr".to_owned()).spawn(work));
}

/// Says in words how a process ended.
pub(crate) fn how(status: ExitStatus) -> String {
    match (status.signal(), status.code()) {
        (Some(signal), _) => {
            let name = match signal {
                libc::SIGSEGV => " (SIGSEGV, a wrong address)",
                libc::SIGBUS => " (SIGBUS, a wrong address)",
                libc::SIGABRT => " (SIGABRT, it gave up)",
                libc::SIGILL => " (SIGILL, a wrong instruction)",
                libc::SIGKILL => " (SIGKILL, perhaps out of memory)",
                libc::SIGSYS => " (SIGSYS, a system call that a metric may not make)",
                _ => "",
            };
            format!("signal {signal}{name}")
        }
        (None, Some(code)) => format!("it exited with code {code}"),
        (None, None) => "it ended".to_owned(),
    }
}
