//! Plugins run in processes of their own: whatever one does, decisions go on and figures are right.

use crate::harness::events::{history, order, viewed};
use crate::harness::{Book, Built, Engine, Folder, Shop, experiment, named, soon};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const PLUGIN: &str = "com.example.fixture-crash";

pub(crate) fn promises(book: &mut Book) {
    book.both(named!(what_ends_a_plugin_costs_one_event_of_one_metric_and_no_decision));
    book.both(named!(figures_are_those_of_a_run_in_which_no_child_was_killed));
    book.once(named!(nobody_waits_while_a_plugin_hangs_over_its_settings));
    book.once(named!(children_go_when_their_server_is_killed));
    book.both(named!(after_five_crashes_figures_wait_until_the_plugin_is_released));
}

/// A shop with an experiment on the metric that crashes where the coupon says so.
fn open(engine: Engine) -> (Shop, Folder) {
    let folder = Folder::new("plugins");
    std::fs::copy(Built::example("fixture_crash"), folder.path().join("fixture_crash.so")).unwrap();
    let shop = Shop::with_plugins(engine, vec![folder.path().to_owned()]);
    let mut definition = experiment("banner", &["control", "b"]);
    definition["primary_metric"] = json!({"metric": "fixture_crash", "window_s": 86_400});
    definition["secondary_metrics"] = json!([{"metric": "conversion", "window_s": 86_400}]);
    definition["exposure"] = json!("event");
    shop.run(&definition);
    (shop, folder)
}

/// A shopper who sees a variant and orders with a coupon.
fn shopper(number: usize, coupon: &str) -> [Value; 2] {
    let unit = format!("unit-{number}");
    // No two orders are the same: what ended a plugin once is not shown to it again.
    let mut told = order(&unit, &format!("o-{number}"), 100, history() + 1 + number as i64);
    told["properties"]["coupon"] = json!(coupon);
    [viewed(&unit, "banner", "b", history()), told]
}

#[track_caller]
fn check(shop: &Shop, crash: i64, conversion: i64) {
    let report = shop.report("banner");
    assert_eq!(report.figure("fixture_crash", "b").numerator, crash);
    assert_eq!(report.figure("conversion", "b").numerator, conversion);
}

pub(crate) fn what_ends_a_plugin_costs_one_event_of_one_metric_and_no_decision(engine: Engine) {
    let (mut shop, _folder) = open(engine);
    let is_done = AtomicBool::new(false);
    let (quiet, loud) = std::thread::scope(|scope| {
        let quiet = latencies(&shop, 300);
        let (shop, is_done) = (&shop, &is_done);
        let deciding = scope.spawn(move || {
            let mut loud = Vec::new();
            while !is_done.load(Ordering::Relaxed) {
                loud.extend(latencies(shop, 20));
            }
            loud
        });
        for (number, coupon) in ["A", "SEGV", "B", "LOOP", "EXIT", "C", "STACK"].into_iter().enumerate() {
            let many: Vec<Value> =
                (0..30).flat_map(|other| shopper(1_000 * (number + 1) + other, "fine")).collect();
            let [seen, bad] = shopper(number, coupon);
            let (before, after) = many.split_at(many.len() / 2);
            shop.log(&[before, &[seen, bad], after].concat());
        }
        is_done.store(true, Ordering::Relaxed);
        (quiet, deciding.join().unwrap())
    });
    check(&shop, 3 + 7 * 30, 7 + 7 * 30);
    assert_eq!(shop.plugin(PLUGIN)["state"], "running", "{}", shop.plugin(PLUGIN));
    println!(
        "p99 of decisions: {:?} in the quiet, {:?} among crashes ({} of them)",
        p99(quiet),
        p99(loud.clone()),
        loud.len()
    );
    let log = shop.podium.log();
    for said in ["signal 11", "did not answer", "exited with code 0"] {
        assert!(log.iter().any(|line| line.contains(PLUGIN) && line.contains(said)), "no line says `{said}`");
    }
    shop.restart();
    check(&shop, 3 + 7 * 30, 7 + 7 * 30);
    shop.check_rebuild();
}

/// Decides so many times; a decision that fails fails the test.
fn latencies(shop: &Shop, n: usize) -> Vec<Duration> {
    let decide = |number| {
        let begun = Instant::now();
        assert_eq!(shop.decide(&format!("visitor-{number}"), "banner").reason, "SPLIT");
        begun.elapsed()
    };
    (0..n).map(decide).collect()
}

fn p99(mut latencies: Vec<Duration>) -> Duration {
    latencies.sort_unstable();
    latencies[latencies.len() * 99 / 100]
}

pub(crate) fn figures_are_those_of_a_run_in_which_no_child_was_killed(engine: Engine) {
    let (mut shop, _folder) = open(engine);
    let is_done = AtomicBool::new(false);
    let plugin = shop.plugin(PLUGIN);
    let library = plugin["sha256"].as_str().unwrap();
    let n_killed = std::thread::scope(|scope| {
        let (is_done, podium) = (&is_done, &shop.podium);
        let killing = scope.spawn(move || {
            let mut n_killed = 0;
            while !is_done.load(Ordering::Relaxed) && n_killed < 4 {
                std::thread::sleep(Duration::from_millis(60));
                n_killed += podium.kill_children(library);
            }
            n_killed
        });
        for first in (0..6_000).step_by(200) {
            let events: Vec<Value> =
                (first..first + 200).flat_map(|number| shopper(number, "fine")).collect();
            shop.log(&events);
        }
        is_done.store(true, Ordering::Relaxed);
        killing.join().unwrap()
    });
    assert!(0 < n_killed, "no child was killed");
    check(&shop, 6_000, 6_000);
    shop.check_rebuild();
}

fn nobody_waits_while_a_plugin_hangs_over_its_settings() {
    let (shop, _folder) = open(Engine::Sqlite);
    let mut definition = experiment("endless", &["control", "b"]);
    definition["primary_metric"] = json!({"metric": "fixture_crash", "config": {"hangs": true}});
    std::thread::scope(|scope| {
        let registering = scope.spawn(|| shop.admin.post("/api/v1/experiments", &definition));
        let mut n_decided = 0;
        while !registering.is_finished() {
            let slowest = latencies(&shop, 20).into_iter().max().unwrap();
            assert!(slowest < Duration::from_secs(2), "a decision waited {slowest:?} for the plugin");
            assert_eq!(shop.plugin(PLUGIN)["plugin"], PLUGIN);
            n_decided += 20;
        }
        let refused = registering.join().unwrap();
        assert_eq!(refused.problem(422).pointers, ["/primary_metric/config"], "{refused}");
        assert!(100 < n_decided, "{n_decided} decisions while the plugin hung");
    });
}

fn children_go_when_their_server_is_killed() {
    let (mut shop, _folder) = open(Engine::Sqlite);
    let plugin = shop.plugin(PLUGIN);
    let library = plugin["sha256"].as_str().unwrap();
    let children = shop.podium.children(library);
    assert_eq!(children.len(), 1, "{children:?}");
    // One that cannot do anything goes, too.
    for pid in &children {
        assert!(std::process::Command::new("kill").args(["-STOP", pid]).status().unwrap().success());
    }
    shop.podium.kill9();
    let is_gone = |pid: &String| {
        let command = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        !command.contains(library)
    };
    soon("the children are gone", || children.iter().all(is_gone).then_some(()));
}

pub(crate) fn after_five_crashes_figures_wait_until_the_plugin_is_released(engine: Engine) {
    let (mut shop, _folder) = open(engine);
    for number in 0..5 {
        shop.log(&shopper(number, "SEGV"));
    }
    shop.log(&shopper(10, "fine"));
    assert_eq!(shop.plugin(PLUGIN)["state"], "quarantined", "{}", shop.plugin(PLUGIN));
    assert_eq!(shop.decide("ann", "banner").reason, "SPLIT");
    // For other metrics all count; this one's figures wait.
    assert_eq!(shop.report("banner").figure("conversion", "b").numerator, 6);
    let line = shop.podium.log().into_iter().find(|line| line.contains("left alone until it is released"));
    assert!(line.is_some_and(|line| line.contains(PLUGIN)));
    let released = shop.admin.post(&format!("/api/v1/plugins/{PLUGIN}/release"), &Value::Null);
    assert_eq!(released.status, 204);
    soon("the figures are there", || {
        (shop.report("banner").figure("fixture_crash", "b").numerator == 1).then_some(())
    });
    assert_eq!(shop.plugin(PLUGIN)["state"], "running");
    shop.admin.post("/api/v1/plugins/nobody/release", &Value::Null).expect(404);
    shop.log(&shopper(11, "fine"));
    check(&shop, 2, 7);
    shop.restart();
    check(&shop, 2, 7);
    shop.check_rebuild();
}
