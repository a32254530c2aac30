//! Every law, on the built library, for every bundled metric.
#![expect(clippy::unwrap_used, reason = "what a test builds its world with must not fail")]
#![expect(unsafe_code, reason = "a process is sealed by system calls")]

mod built;

use podium_plugin_host::Registry;
use podium_plugin_host::conformance::{Law, Subject};
use std::os::unix::process::ExitStatusExt;
use std::process::Command;

/// Every metric, with each shape of its settings.
const CONFIGURED: [(&str, &str); 14] = [
    ("conversion", "{}"),
    ("aov", "{}"),
    ("aov", r#"{"amount": "total", "gross": true}"#),
    ("revenue_per_visitor", "{}"),
    ("revenue_per_visitor", r#"{"amount": "context.amount"}"#),
    ("net_revenue", "{}"),
    ("units_per_order", "{}"),
    ("click_through", "{}"),
    ("click_through", r#"{"filter": {"property": "url", "any_of": ["a", "summer-sale"]}}"#),
    ("click_through", r#"{"filter": {"property": "url", "compare": "contains", "any_of": ["shop", "ö"]}}"#),
    (
        "click_through",
        r#"{"events": ["A"], "filter": {"property": "b", "compare": "starts_with", "any_of": ["h"]}}"#,
    ),
    ("cart_abandonment", "{}"),
    ("repeat_purchase", "{}"),
    ("bounce", "{}"),
];

/// Set in the other process of the test that starts one: what that does once it is sealed.
const SEALED: &str = "PODIUM_TEST_SEALED";

#[track_caller]
fn check(law: Law) {
    let registry = built::registry();
    let ids = CONFIGURED.map(|(metric_id, _)| metric_id);
    assert!(
        registry.metrics().iter().all(|metric| ids.contains(&metric.id.as_str())),
        "a metric is not examined"
    );
    for (metric_id, config_json) in CONFIGURED {
        let subject = Subject::new(&registry, metric_id, config_json).unwrap();
        if let Err(breach) = subject.check(law) {
            panic!("{config_json}: {breach}");
        }
    }
}

#[test]
fn law_1_pure() {
    check(Law::Pure);
}

#[test]
fn law_2_finite() {
    check(Law::Finite);
}

#[test]
fn law_3_additive_without_order() {
    check(Law::Additive);
}

#[test]
fn law_4_total() {
    check(Law::Total);
}

#[test]
fn law_5_in_bounds() {
    check(Law::InBounds);
}

#[test]
fn law_6_calm() {
    check(Law::Calm);
}

#[test]
fn law_7_honest_config() {
    check(Law::HonestConfig);
}

/// The rest of law 1: another process gives the same numbers, although any system call but for memory ends it.
#[test]
fn law_1_pure_in_a_sealed_process() {
    let registry = built::registry();
    let subjects = subjects(&registry);
    if let Some(task) = std::env::var_os(SEALED) {
        end_sealed(&subjects, task == "ask the kernel");
    }
    let sealed = |task: &str| {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "law_1_pure_in_a_sealed_process", "--nocapture"]).env(SEALED, task);
        command.output().unwrap()
    };
    let observing = sealed("observe");
    assert!(observing.status.success(), "{observing:?}");
    let output = String::from_utf8(observing.stdout).unwrap();
    let expected = fingerprints(&subjects);
    assert!(output.ends_with(&expected), "expected {expected}\nfound {output}");
    assert_eq!(sealed("ask the kernel").status.signal(), Some(libc::SIGSYS), "the seal does not hold");
}

/// Seals the process, observes or breaks the seal, and ends.
fn end_sealed(subjects: &[Subject<'_>], breaks_seal: bool) -> ! {
    seal();
    // SAFETY: takes no arguments.
    let _ppid = breaks_seal.then(|| unsafe { libc::getppid() });
    let text = fingerprints(subjects);
    // SAFETY: the text lives through the first call, and the second ends the process.
    unsafe {
        libc::write(libc::STDOUT_FILENO, text.as_ptr().cast(), text.len());
        libc::_exit(0);
    }
}

fn subjects(registry: &Registry) -> Vec<Subject<'_>> {
    let subject = |(metric_id, config_json)| Subject::new(registry, metric_id, config_json).unwrap();
    CONFIGURED.into_iter().map(subject).collect()
}

/// One line a subject.
fn fingerprints(subjects: &[Subject<'_>]) -> String {
    let lines = subjects.iter().map(|subject| format!("{:016x}", subject.fingerprint().unwrap()));
    lines.collect::<Vec<_>>().join("\n") + "\n"
}

/// Allows this thread nothing but memory, waiting for a lock, writing to an open file, and the end; anything
/// else ends the process.
fn seal() {
    const ALLOWED: [libc::c_long; 9] = [
        libc::SYS_brk,
        libc::SYS_mmap,
        libc::SYS_munmap,
        libc::SYS_mremap,
        libc::SYS_mprotect,
        libc::SYS_madvise,
        libc::SYS_futex,
        libc::SYS_write,
        libc::SYS_exit_group,
    ];
    let statement = |code: u32, jump_if: u8, value: u32| libc::sock_filter {
        code: code as u16,
        jt: jump_if,
        jf: 0,
        k: value,
    };
    let load_number = libc::BPF_LD | libc::BPF_W | libc::BPF_ABS;
    let compare = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
    let answer = libc::BPF_RET | libc::BPF_K;
    let mut program = vec![statement(load_number, 0, 0)];
    for (idx, number) in ALLOWED.into_iter().enumerate() {
        program.push(statement(compare, (ALLOWED.len() - idx) as u8, number as u32));
    }
    program.push(statement(answer, 0, libc::SECCOMP_RET_KILL_PROCESS));
    program.push(statement(answer, 0, libc::SECCOMP_RET_ALLOW));
    let filter = libc::sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
    // SAFETY: the first takes numbers only; the program lives through the second.
    let outcome = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
            | libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const filter)
    };
    assert_eq!(outcome, 0, "{}", std::io::Error::last_os_error());
}
