//! What authors of plugins are given: a beginning that builds, and a check that finds what is wrong.

use crate::harness::{Book, Built, Folder, named};
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};

pub(crate) fn promises(book: &mut Book) {
    book.once(named!(a_new_plugin_builds_and_keeps_every_law));
    book.once(named!(a_new_channel_builds_and_keeps_every_promise));
    book.once(named!(a_new_plugin_in_c_builds_with_the_compiler_alone));
    book.once(named!(a_plugin_that_cannot_be_begun_leaves_nothing_behind));
    book.once(named!(the_check_finds_each_planted_fault));
    book.once(named!(the_check_finds_what_a_channel_breaks));
    book.once(named!(what_the_check_cannot_try_is_no_success));
}

fn podium(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_podium")).args(arguments).current_dir(folder).output().unwrap()
}

#[track_caller]
fn run(folder: &Path, program: &str, arguments: &[&str]) {
    let target = folder.join("target");
    let output = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .env("CARGO_TARGET_DIR", target)
        .output()
        .unwrap();
    assert!(output.status.success(), "{program} {arguments:?}: {}", text(&output));
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Checks a plugin; all lines must be good.
#[track_caller]
fn keeps_every_law(folder: &Path, library: &str) {
    let checked = podium(folder, &["plugin", "check", library]);
    let said = text(&checked);
    assert!(checked.status.success(), "{said}");
    assert_eq!(said.matches("ok   ").count(), 7, "{said}");
}

fn a_new_plugin_builds_and_keeps_every_law() {
    let folder = Folder::new("authors");
    let made = podium(folder.path(), &["plugin", "new", "my-metric"]);
    assert!(made.status.success(), "{}", text(&made));
    let plugin = folder.path().join("my-metric");
    run(&plugin, env!("CARGO"), &["test", "--offline", "--quiet"]);
    run(&plugin, env!("CARGO"), &["build", "--offline", "--quiet"]);
    keeps_every_law(&plugin, "target/debug/libmy_metric.so");
}

fn a_new_channel_builds_and_keeps_every_promise() {
    let folder = Folder::new("authors");
    let made = podium(folder.path(), &["plugin", "new", "--channel", "my-channel"]);
    assert!(made.status.success(), "{}", text(&made));
    let plugin = folder.path().join("my-channel");
    run(&plugin, env!("CARGO"), &["test", "--offline", "--quiet"]);
    run(&plugin, env!("CARGO"), &["build", "--offline", "--quiet"]);
    let config = r#"{"endpoint": "{{endpoint}}", "token": {"secret": "TOKEN"}}"#;
    let said = text(&made);
    assert!(said.contains(config), "the settings to check it with are said: {said}");
    let library = "target/debug/libmy_channel.so";
    let checked = podium(&plugin, &["plugin", "check", library, "--config", config]);
    let said = text(&checked);
    assert!(checked.status.success(), "{said}");
    assert_eq!(said.matches("ok   ").count(), 12, "{said}");
}

fn a_new_plugin_in_c_builds_with_the_compiler_alone() {
    let folder = Folder::new("authors");
    let made = podium(folder.path(), &["plugin", "new", "c-metric", "--lang", "c"]);
    assert!(made.status.success(), "{}", text(&made));
    let plugin = folder.path().join("c-metric");
    let said = text(&podium(folder.path(), &["plugin", "new", "c-metric", "--lang", "c"]));
    assert!(said.contains("is there already"), "{said}");
    let arguments =
        ["-std=c11", "-O2", "-fPIC", "-shared", "-fvisibility=hidden", "-o", "c-metric.so", "metric.c"];
    run(&plugin, "gcc", &arguments);
    keeps_every_law(&plugin, "c-metric.so");
}

fn a_plugin_that_cannot_be_begun_leaves_nothing_behind() {
    let folder = Folder::new("authors");
    for (arguments, said) in [
        (&["plugin", "new", "Wrong Name"][..], "cannot name a plugin"),
        (&["plugin", "new", "right", "--sdk", "nowhere"], "nowhere has no Cargo.toml"),
        (&["plugin", "new", "right", "--channel", "--lang", "c"], "a channel in Rust only"),
    ] {
        let refused = podium(folder.path(), arguments);
        assert_eq!(refused.status.code(), Some(2), "{}", text(&refused));
        let lines = text(&refused);
        assert!(lines.contains(said) && lines.trim().lines().count() == 1, "{lines}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left behind");
}

fn the_check_finds_each_planted_fault() {
    let breaks = |law: &str| format!(r#"fixture_lawless={{"breaks": "{law}"}}"#);
    let laws = [
        ("fixture_lawless", breaks("pure"), 1),
        ("fixture_lawless", breaks("finite"), 2),
        ("fixture_order_matters", "{}".to_owned(), 3),
        ("fixture_lawless", breaks("total"), 4),
        ("fixture_unwritten", "{}".to_owned(), 5),
        ("fixture_out_of_bounds", "{}".to_owned(), 5),
        ("fixture_lawless", breaks("calm"), 6),
        ("fixture_lawless", "{}".to_owned(), 7),
    ];
    let here = Path::new(".");
    for (plugin, config, law) in laws {
        let file = Built::example(plugin);
        let arguments = ["plugin", "check", file.to_str().unwrap(), "--json", "--config", &config];
        let checked = podium(here, &arguments);
        assert_eq!(checked.status.code(), Some(1), "{plugin} {config}: {}", text(&checked));
        let found: Value = serde_json::from_slice(&checked.stdout).unwrap();
        let findings = found["findings"].as_array().unwrap();
        let is_found = findings.iter().any(|each| each["law"] == law && each["fault"].is_string());
        assert!(is_found, "law {law} of {plugin} {config}: {found}");
    }
    for (plugin, slug) in [
        ("fixture_bad_magic", "bad-magic"),
        ("fixture_noted_major", "abi-major"),
        ("fixture_missing_symbol", "missing-symbol"),
        ("fixture_short_struct", "abi-size"),
        ("fixture_bad_schema", "bad-schema"),
        ("fixture_init_failed", "init-failed"),
    ] {
        let file = Built::example(plugin);
        let refused = podium(here, &["plugin", "check", file.to_str().unwrap()]);
        assert_eq!(refused.status.code(), Some(2), "{plugin}: {}", text(&refused));
        assert!(text(&refused).contains(slug), "{plugin}: {}", text(&refused));
    }
}

/// Checks the channel of the fixtures, and finds the exit code and what is said of each promise.
fn check_channel(config: &str, more: &[&str]) -> (Option<i32>, Vec<Value>) {
    let file = Built::example("fixture_channel_lawless");
    let arguments = ["plugin", "check", file.to_str().unwrap(), "--json", "--config", config];
    let checked = podium(Path::new("."), &[&arguments[..], more].concat());
    let found: Value =
        serde_json::from_slice(&checked.stdout).unwrap_or_else(|_| panic!("{}", text(&checked)));
    (checked.status.code(), found["findings"].as_array().unwrap().clone())
}

fn the_check_finds_what_a_channel_breaks() {
    let config = |breaks: &str| {
        format!(
            r#"{{"host": "{{{{host}}}}", "port": {{{{port}}}}, "token": {{"secret": "TOKEN"}}, "breaks": "{breaks}"}}"#
        )
    };
    for (double, n_promises) in [("http", 12), ("tcp", 7)] {
        let (code, findings) = check_channel(&config("none"), &["--double", double]);
        assert_eq!((code, findings.len()), (Some(0), n_promises), "{findings:?}");
    }
    for (breaks, promise) in [
        ("leaks", "honest-config"),
        ("panics_in_render", "total"),
        ("accepts_unsent", "accepted"),
        ("sends_before_begin", "accepted"),
        ("no_outcome", "answers"),
        ("ignores_rate_limit", "rate-limit"),
        ("hangs", "deadline"),
        ("sends_after_refusal", "too-late"),
        ("tells_secret", "secrets"),
    ] {
        let (code, findings) = check_channel(&config(breaks), &[]);
        assert_eq!(code, Some(1), "{breaks}: {findings:?}");
        let is_found = findings.iter().any(|each| each["promise"] == promise && each["fault"].is_string());
        assert!(is_found, "{breaks} breaks {promise}: {findings:?}");
    }
}

fn what_the_check_cannot_try_is_no_success() {
    let nowhere = r#"{"host": "127.0.0.1", "port": 9, "token": {"secret": "TOKEN"}}"#;
    let (code, findings) = check_channel(nowhere, &[]);
    assert_eq!(code, Some(1), "{findings:?}");
    let n_untried = findings.iter().filter(|each| each["not_tried"].is_string()).count();
    assert_eq!(n_untried, 8, "every delivery: {findings:?}");
    assert!(findings.iter().all(|each| each["fault"].is_null()), "{findings:?}");
}
