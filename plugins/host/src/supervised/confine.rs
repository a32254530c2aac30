//! What a child may still do once it has loaded its plugin: a metric computes, a channel talks to its provider.
//!
//! The kernel sees to it where it can: Landlock says which files and sockets may be opened, and seccomp which system
//! calls a metric may make at all; any other ends the child at once. Neither stops whoever means harm: what stands in
//! memory can be read, what the socket to the server takes can be written, and the clock that the kernel lays into
//! the process is read without a system call.

use super::record::Role;
use landlock::{
    ABI, Access, AccessFs, AccessNet, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetError, RulesetStatus,
    Scope, path_beneath_rules,
};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How far the kernel keeps a plugin's children from what they must not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Confinement {
    /// The kernel can do nothing of it.
    None,
    /// The kernel can do some of it.
    Partial,
    /// The kernel does all of it.
    Full,
}

impl Confinement {
    /// Spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Partial => "partial",
            Self::Full => "full",
        }
    }
}

/// The kernel's rules of files and sockets that we know.
const KNOWN_RULES: ABI = ABI::V6;

/// What names, certificates and time zones are looked up in. A file that is replaced is found again by the next child.
const LOOKED_UP: [&str; 24] = [
    "/dev/urandom",
    "/etc/ca-certificates",
    "/etc/gai.conf",
    "/etc/host.conf",
    "/etc/hosts",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/etc/nsswitch.conf",
    "/etc/pki",
    "/etc/protocols",
    "/etc/resolv.conf",
    "/etc/services",
    "/etc/ssl",
    "/lib",
    "/lib64",
    "/run/NetworkManager",
    "/run/resolvconf",
    "/run/systemd/resolve",
    "/usr/lib",
    "/usr/lib64",
    "/usr/local/share/ca-certificates",
    "/usr/share/ca-certificates",
    "/usr/share/pki",
    "/usr/share/zoneinfo",
];

/// Says which files and sockets this thread may open from now on, and every thread that it starts.
///
/// A metric may open none; a channel any socket, and to read what names and certificates are looked up in. Neither
/// runs a program or reaches another process.
pub(super) fn files_and_sockets(role: Role) -> Confinement {
    let restrict = || -> Result<RulesetStatus, RulesetError> {
        let rules = Ruleset::default()
            .handle_access(AccessFs::from_all(KNOWN_RULES))?
            .scope(Scope::from_all(KNOWN_RULES))?;
        let (rules, readable): (_, &[_]) = match role {
            Role::Metrics => (rules.handle_access(AccessNet::from_all(KNOWN_RULES))?, &[]),
            Role::Channels => (rules, &LOOKED_UP),
        };
        let rules = rules.create()?;
        let rules = rules.add_rules(path_beneath_rules(readable, AccessFs::ReadFile | AccessFs::ReadDir))?;
        Ok(rules.restrict_self()?.ruleset)
    };
    match restrict() {
        Ok(RulesetStatus::FullyEnforced) => Confinement::Full,
        Ok(RulesetStatus::PartiallyEnforced) => Confinement::Partial,
        Ok(RulesetStatus::NotEnforced) | Err(_) => Confinement::None,
    }
}

/// Says which system calls every thread of this process may make from now on: what a metric and the host's side of it
/// need. Any other ends the process.
pub(crate) fn system_calls() -> Confinement {
    match filter().map(|filter| seccompiler::apply_filter_all_threads(&filter)) {
        Ok(Ok(())) => Confinement::Full,
        Ok(Err(_)) | Err(_) => Confinement::None,
    }
}

/// What needs no condition.
const ALLOWED: [libc::c_long; 36] = [
    // Memory.
    libc::SYS_brk,
    libc::SYS_madvise,
    libc::SYS_mmap,
    libc::SYS_mprotect,
    libc::SYS_mremap,
    libc::SYS_munmap,
    // What is asked where memory is handed out, tables are seeded and numbers are sorted.
    libc::SYS_getcpu,
    libc::SYS_getrandom,
    libc::SYS_sched_getaffinity,
    libc::SYS_sysinfo,
    // The descriptors that are open; more cannot be opened.
    libc::SYS_close,
    libc::SYS_fstat,
    libc::SYS_ppoll,
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_sendmsg,
    libc::SYS_sendto,
    libc::SYS_write,
    libc::SYS_writev,
    // To wait, for the server and for the other thread.
    libc::SYS_clock_nanosleep,
    libc::SYS_futex,
    libc::SYS_nanosleep,
    libc::SYS_restart_syscall,
    libc::SYS_sched_yield,
    // To fault, and to end.
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_rseq,
    libc::SYS_set_robust_list,
];

/// What is allowed with one value of one argument: the call, which argument, the value.
fn allowed_if() -> [(libc::c_long, u8, u64); 4] {
    [
        // Where the kernel lays no clock into the process, the host's own waiting asks for this one.
        (libc::SYS_clock_gettime, 0, libc::CLOCK_MONOTONIC as u64),
        // Only of what is open: C's `printf` asks.
        (libc::SYS_newfstatat, 3, libc::AT_EMPTY_PATH as u64),
        // Memory gets names from its allocator.
        (libc::SYS_prctl, 0, libc::PR_SET_VMA as u64),
        // `abort` signals its own thread.
        (libc::SYS_tgkill, 0, u64::from(std::process::id())),
    ]
}

fn filter() -> Result<BpfProgram, seccompiler::BackendError> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = ALLOWED.iter().map(|call| (*call, Vec::new())).collect();
    #[cfg(target_arch = "x86_64")]
    rules.insert(libc::SYS_poll, Vec::new());
    for (call, argument, value) in allowed_if() {
        let is_it = SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, value)?;
        rules.insert(call, vec![SeccompRule::new(vec![is_it])?]);
    }
    let machine = std::env::consts::ARCH.try_into()?;
    SeccompFilter::new(rules, SeccompAction::KillProcess, SeccompAction::Allow, machine)?.try_into()
}
