//! That the laws let honest metrics pass and find those that break one.
#![expect(clippy::unwrap_used, reason = "what a test builds its world with must not fail")]

mod folder;
mod here;

use folder::Folder;
use podium_plugin_host::conformance::alone::{self, Job, Said};
use podium_plugin_host::conformance::channel::Verdict;
use podium_plugin_host::conformance::{Law, Subject};
use std::fs;

#[track_caller]
fn check(plugin: &str, metric_id: &str, config_json: &str, law: Law, expected: &str) {
    let registry = Folder::new("laws").with(&[plugin]).load();
    let subject = Subject::new(&registry, metric_id, config_json).unwrap();
    let breach = subject.check(law).unwrap_err().to_string();
    assert!(breach.starts_with(expected), "{breach}");
}

/// What ends the process is found in a copy of it.
#[track_caller]
#[expect(clippy::print_stderr, reason = "who reads that a test passed must know when it tried nothing")]
fn check_quiet(breaks: &str, expected: Verdict) {
    let actions = fs::read_to_string("/proc/sys/kernel/seccomp/actions_avail").unwrap_or_default();
    if !actions.contains("kill_process") {
        eprintln!("SKIPPED: this kernel ends no process for a system call");
        return;
    }
    let folder = Folder::new("quiet").with(&["fixture_lawless"]);
    let config_json = serde_json::json!({ "breaks": breaks }).to_string();
    let job = Job::Law { metric_id: "fixture_lawless".into(), config_json, law: Law::Pure };
    let said = alone::run(&folder.path().join("fixture_lawless.so"), &job);
    assert_eq!(said, Said::Verdict(expected), "{breaks}");
}

/// In one test, because a leak is noticed by the size of the process.
#[test]
fn the_laws_tell_honest_from_lawless() {
    let registry = Folder::new("honest").with(&["gross_items", "fixture_settings", "fixture_panic"]).load();
    for (metric_id, config_json) in
        [("gross_items", "{}"), ("fixture_settings", r#"{"n_orders": 3}"#), ("fixture_panic", "{}")]
    {
        let subject = Subject::new(&registry, metric_id, config_json).unwrap();
        for law in Law::ALL {
            assert_eq!(subject.check(law), Ok(()));
        }
    }

    let lawless = "fixture_lawless";
    check(
        lawless,
        lawless,
        r#"{"breaks": "pure"}"#,
        Law::Pure,
        "fixture_lawless: law 1 (Pure): row 0: the same",
    );
    check_quiet("none", Verdict::Kept);
    let said = "it ended its process: signal 31 (SIGSYS, a system call that a metric may not make)";
    check_quiet("quiet", Verdict::Broken(said.into()));
    check(
        lawless,
        lawless,
        r#"{"breaks": "finite"}"#,
        Law::Finite,
        "fixture_lawless: law 2 (Finite): 600 rows: row ",
    );
    check(
        "fixture_order_matters",
        "fixture_order_matters",
        "",
        Law::Additive,
        "fixture_order_matters: law 3 (Additive): row 1 gives other numbers when it is alone",
    );
    check(
        lawless,
        lawless,
        r#"{"breaks": "total"}"#,
        Law::Total,
        "fixture_lawless: law 4 (Total): sums [-1]: row 2: value -1 over -1, but a denominator",
    );
    check(
        "fixture_unwritten",
        "fixture_unwritten",
        "",
        Law::InBounds,
        "fixture_unwritten: law 5 (InBounds): 3 rows: row 2: it wrote no answer",
    );
    check(
        lawless,
        lawless,
        r#"{"breaks": "calm"}"#,
        Law::Calm,
        "fixture_lawless: law 6 (Calm): column 0 is a null pointer: row ",
    );
    check(
        lawless,
        lawless,
        "{}",
        Law::HonestConfig,
        r#"fixture_lawless: law 7 (HonestConfig): {"text":7} is accepted"#,
    );
    check(
        lawless,
        "fixture_leaky",
        "{}",
        Law::HonestConfig,
        "fixture_leaky: law 7 (HonestConfig): 10000 instances made and ended leave ",
    );
}
