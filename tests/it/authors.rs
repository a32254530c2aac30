//! What authors of plugins are given: a beginning that builds, and a check that finds what is wrong.

use crate::harness::{Book, Built, Folder, Report, named, signal};
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output, Stdio};

pub(crate) fn promises(book: &mut Book) {
    book.once(named!(a_new_plugin_builds_and_keeps_every_law));
    book.once(named!(a_new_channel_builds_and_keeps_every_promise));
    book.once(named!(a_new_plugin_in_c_builds_with_the_compiler_alone));
    book.once(named!(a_plugin_that_cannot_be_begun_leaves_nothing_behind));
    book.once(named!(the_check_finds_each_planted_fault));
    book.once(named!(the_check_finds_what_a_channel_breaks));
    book.once(named!(what_the_check_cannot_try_is_no_success));
    book.once(named!(a_run_replays_events_and_prints_the_report));
    book.once(named!(a_run_gives_variants_to_shoppers_of_whom_nothing_is_said));
    book.once(named!(a_run_says_what_does_not_count));
    book.once(named!(a_run_that_is_interrupted_leaves_nothing_behind));
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
    let library = "target/debug/libmy_metric.so";
    keeps_every_law(&plugin, library);
    let ran = podium(&plugin, &["plugin", "run", library, "--events", "sample.ndjson"]);
    assert!(ran.status.success(), "{}", text(&ran));
    assert!(
        text(&ran).contains("new                      units        12  15 / 12 = 1.25"),
        "{}",
        text(&ran)
    );
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
        ("fixture_lawless", breaks("quiet"), 1),
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

/// The tests of the host break every promise; here are some by the command line.
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
    for (breaks, promise) in
        [("leaks", "honest-config"), ("accepts_unsent", "accepted"), ("hangs", "deadline")]
    {
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

/// Runs the example that counts what is put onto wishlists, over these events.
fn run_wishlist(events: &str, more: &[&str]) -> Output {
    let folder = Folder::new("run");
    let file = folder.path().join("events.ndjson");
    std::fs::write(&file, events).unwrap();
    let library = Built::example("gross_items");
    let arguments = ["plugin", "run", library.to_str().unwrap(), "--events", file.to_str().unwrap()];
    podium(folder.path(), &[&arguments[..], more].concat())
}

const SEEN: &str = r#"{"event": "Experiment Viewed", "userId": "ann", "timestamp": "2025-01-05T10:00:00Z", "properties": {"experiment_id": "banner", "variation_id": "b"}}
{"event": "Experiment Viewed", "userId": "bob", "timestamp": "2025-01-05T10:00:00Z", "properties": {"experiment_id": "banner", "variation_id": "control"}}
"#;
const ADDED: &str = r#"{"event": "Product Added to Wishlist", "userId": "ann", "timestamp": "2025-01-05T11:00:00Z"}
"#;

fn a_run_replays_events_and_prints_the_report() {
    let ran = run_wishlist(&format!("{SEEN}{ADDED}"), &["--json"]);
    assert!(ran.status.success(), "{}", text(&ran));
    let report = Report(serde_json::from_slice(&ran.stdout).unwrap());
    assert_eq!(report.0["experiment"], "banner");
    assert_eq!(report.0["metrics"].as_array().unwrap().len(), 1, "the plugin's metric alone");
    assert_eq!(report.figure("gross_items", "b").numerator, 1);
    assert_eq!(report.units("control"), 1);
    let said = text(&run_wishlist(&format!("{SEEN}{ADDED}"), &[]));
    assert!(said.contains("too few to compare") && said.contains("1 / 1 = 1.0"), "{said}");
}

fn a_run_gives_variants_to_shoppers_of_whom_nothing_is_said() {
    let events: String = (0..40).map(|number| ADDED.replace("ann", &format!("unit-{number}"))).collect();
    let ran = run_wishlist(&events, &["--json"]);
    assert!(ran.status.success(), "{}", text(&ran));
    let report = Report(serde_json::from_slice(&ran.stdout).unwrap());
    let figures = ["control", "variant"].map(|variant| report.figure("gross_items", variant));
    assert_eq!(figures.iter().map(|figure| figure.units).sum::<u64>(), 40);
    assert_eq!(figures.iter().map(|figure| figure.numerator).sum::<i64>(), 40);
}

fn a_run_says_what_does_not_count() {
    let wrong = SEEN.lines().next().unwrap().replace(r#""b""#, r#""c""#).replace("banner", "other");
    let ran = run_wishlist(&format!("{SEEN}\n{wrong}\n{ADDED}"), &[]);
    assert_eq!(ran.status.code(), Some(1), "{}", text(&ran));
    assert!(text(&ran).contains("line 4 does not count: unknown_experiment: "), "{}", text(&ran));
    for (events, arguments, said) in [
        ("{", &[][..], "events.ndjson: line 1 is no JSON"),
        (SEEN, &["--config", "{"], "--config is no JSON"),
        (SEEN, &["--config", r#"{"no_such_setting": 1}"#], "no_such_setting"),
        (SEEN, &["--metric", "aov"], "say which metric by --metric: gross_items"),
    ] {
        let refused = run_wishlist(events, arguments);
        assert_eq!(refused.status.code(), Some(2), "{}", text(&refused));
        assert!(text(&refused).contains(said), "{}", text(&refused));
    }
}

fn a_run_that_is_interrupted_leaves_nothing_behind() {
    let (folder, temporary) = (Folder::new("run"), Folder::new("run-temporary"));
    let file = folder.path().join("events.ndjson");
    std::fs::write(&file, ADDED.repeat(20_000)).unwrap();
    let what_is_there = || std::fs::read_dir(temporary.path()).unwrap().count();
    let mut run = Command::new(env!("CARGO_BIN_EXE_podium"));
    run.args(["plugin", "run"]).arg(Built::example("gross_items")).arg("--events").arg(file);
    let mut run = run.env("TMPDIR", temporary.path()).stderr(Stdio::piped()).spawn().unwrap();
    while what_is_there() == 0 && run.try_wait().unwrap().is_none() {
        std::thread::yield_now();
    }
    signal("INT", run.id());
    let ran = run.wait_with_output().unwrap();
    assert_eq!(ran.status.code(), Some(2), "{}", text(&ran));
    assert!(text(&ran).contains("interrupted"), "{}", text(&ran));
    assert_eq!(what_is_there(), 0);
}
