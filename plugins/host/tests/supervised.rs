//! Whatever a plugin does to its process, the others, their figures and ours are untouched.
#![expect(clippy::unwrap_used, reason = "what a test builds its world with must not fail")]

mod child;
mod folder;
mod here;
mod world;

use child::child;
use folder::{Folder, built};
use podium_plugin_host::{
    Batch, ColumnType, CreateError, HostLog, MetricFault, MetricInstance, PluginState, Registry, Value,
};
use std::time::{Duration, Instant};
use world::World;

/// A batch of orders with these coupons.
fn orders(coupons: &[&str]) -> Batch {
    let mut batch = Batch::new(&[ColumnType::Text]);
    for coupon in coupons {
        batch.push_row(0, 0, &[Value::Text(coupon)]).unwrap();
    }
    batch
}

fn instance(world: &World, metric_id: &str) -> Box<dyn MetricInstance> {
    world.registry.create(metric_id, "{}").unwrap()
}

#[test]
fn a_child_answers_as_our_own_process_does() {
    let world = World::new("same", &["fixture_settings", "fixture_panic"]);
    let folder = Folder::new("same-here").with(&["fixture_settings", "fixture_panic"]);
    let here = folder.load();
    assert_eq!(
        world.registry.metrics().iter().map(|metric| (&metric.id, metric.k)).collect::<Vec<_>>(),
        here.metrics().iter().map(|metric| (&metric.id, metric.k)).collect::<Vec<_>>()
    );
    let (there, here) = (instance(&world, "fixture_panic"), here.create("fixture_panic", "{}").unwrap());
    assert_eq!(there.fields_json(), here.fields_json());
    for coupons in [&[][..], &["a"], &["a", "b", ""], &["a", "PANIC"]] {
        assert_eq!(there.observe(&orders(coupons)), here.observe(&orders(coupons)), "{coupons:?}");
    }
    assert_eq!(there.value(&[0, 2, -1]), here.value(&[0, 2, -1]));
    let config = world.registry.create("fixture_settings", r#"{"no_such_setting": 1}"#).err().unwrap();
    assert!(matches!(config, CreateError::Config { .. }), "{config:?}");
}

#[test]
fn a_crash_is_a_fault_and_the_next_call_works() {
    let world = World::new("crashes", &["fixture_crash", "gross_items"]);
    let other = instance(&world, "gross_items");
    let other_pid = world.registry.status("com.example.gross-items").map(|status| status.pids);
    for (coupon, said) in
        [("SEGV", "signal 11"), ("ABORT", "signal 6"), ("EXIT", "exited with code 0"), ("STACK", "signal")]
    {
        let metric = instance(&world, "fixture_crash");
        let begun = Instant::now();
        let fault = metric.observe(&orders(&["a", coupon])).unwrap_err();
        let MetricFault::Crashed { text } = &fault else { panic!("{coupon}: {fault:?}") };
        assert!(text.contains(said), "{coupon}: {text}");
        assert_eq!(metric.observe(&orders(&["a", "b"])).unwrap(), [1, 1], "{coupon}");
        assert!(begun.elapsed() < Duration::from_secs(1), "{coupon}: {:?}", begun.elapsed());
        assert!(world.has_line(said), "{coupon}");
        world.registry.release("com.example.fixture-crash");
    }
    assert_eq!(other.value(&[3]).unwrap(), [(3.0, 1.0)]);
    assert_eq!(world.registry.status("com.example.gross-items").map(|status| status.pids), other_pid);
}

#[test]
fn an_endless_loop_is_ended() {
    let world = World::new("loop", &["fixture_crash"]);
    let metric = instance(&world, "fixture_crash");
    let begun = Instant::now();
    let fault = metric.observe(&orders(&["LOOP"])).unwrap_err();
    assert!(matches!(fault, MetricFault::Crashed { .. }), "{fault:?}");
    assert_eq!(metric.observe(&orders(&["b"])).unwrap(), [1]);
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
}

#[test]
fn a_leak_ends_at_the_limit() {
    let world = World::new("leak", &["fixture_crash"]);
    let metric = instance(&world, "fixture_crash");
    let fault = metric.observe(&orders(&["LEAK"])).unwrap_err();
    assert!(matches!(fault, MetricFault::Crashed { .. }), "{fault:?}");
    assert_eq!(metric.observe(&orders(&["b"])).unwrap(), [1]);
}

#[test]
fn noise_neither_blocks_nor_floods() {
    let world = World::new("noise", &["fixture_crash"]);
    let metric = instance(&world, "fixture_crash");
    assert_eq!(metric.observe(&orders(&["NOISE"])).unwrap(), [1]);
    assert!(world.lines.lock().unwrap().len() < 300);
}

#[test]
fn after_five_crashes_it_is_left_alone_until_it_is_released() {
    let world = World::new("quarantine", &["fixture_crash"]);
    let metric = instance(&world, "fixture_crash");
    for _ in 0..5 {
        assert!(matches!(metric.observe(&orders(&["SEGV"])), Err(MetricFault::Crashed { .. })));
    }
    let away = metric.observe(&orders(&["a"])).unwrap_err();
    assert!(matches!(away, MetricFault::Away { .. }), "{away:?}");
    assert_eq!(world.registry.status("com.example.fixture-crash").unwrap().state, PluginState::Quarantined);
    assert!(world.has_line("left alone until it is released"));
    assert_eq!(world.registry.release("com.example.fixture-crash"), Some(true));
    assert_eq!(metric.observe(&orders(&["a"])).unwrap(), [1]);
    assert_eq!(world.registry.release("com.example.fixture-crash"), Some(false));
}

#[test]
fn a_child_that_dies_between_calls_is_started_anew() {
    let world = World::new("idle", &["fixture_crash"]);
    let metric = instance(&world, "fixture_crash");
    let pid = world.registry.status("com.example.fixture-crash").unwrap().pids[0];
    std::process::Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap();
    let begun = Instant::now();
    while world.registry.status("com.example.fixture-crash").unwrap().pids.iter().all(|now| *now == pid) {
        assert!(begun.elapsed() < Duration::from_secs(1), "it is not back");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(metric.observe(&orders(&["a"])).unwrap(), [1]);
    assert_eq!(world.registry.status("com.example.fixture-crash").unwrap().restarts, 1);
}

#[test]
fn a_file_is_refused_as_in_our_own_process() {
    let folder =
        Folder::new("refused").with(&["fixture_described_major", "fixture_missing_symbol", "gross_items"]);
    let there = Registry::load_with(&[folder.path().to_owned()], &child(&folder), &HostLog::discard());
    let here = folder.load();
    assert_eq!(there.refusals(), here.refusals());
    assert_eq!(there.refusals().len(), 2);
    assert_eq!(there.metrics().len(), 1);
}

#[test]
fn what_was_checked_is_loaded_again_whatever_becomes_of_the_original() {
    let folder = Folder::new("original").with(&["fixture_crash"]);
    let original = folder.path().join("fixture_crash.so");
    let registry = Registry::load_with(&[folder.path().to_owned()], &child(&folder), &HostLog::discard());
    let metric = registry.create("fixture_crash", "{}").unwrap();
    std::fs::write(&original, "something else").unwrap();
    assert!(metric.observe(&orders(&["EXIT"])).is_err());
    assert_eq!(metric.observe(&orders(&["a"])).unwrap(), [1]);
    assert_eq!(registry.find("fixture_crash").unwrap().file, original);
}

#[test]
fn a_file_that_others_could_have_written_is_refused() {
    use std::os::unix::fs::PermissionsExt;

    let folder = Folder::new("unsafe").with(&["gross_items", "fixture_crash", "fixture_panic"]);
    let [open, link] = ["gross_items.so", "fixture_panic.so"].map(|name| folder.path().join(name));
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o646)).unwrap();
    std::fs::remove_file(&link).unwrap();
    std::os::unix::fs::symlink(built("fixture_panic"), &link).unwrap();
    let registry = Registry::load_with(&[folder.path().to_owned()], &child(&folder), &HostLog::discard());
    let found: Vec<_> =
        registry.refusals().iter().map(|refusal| (refusal.slug.as_str(), &*refusal.found)).collect();
    assert_eq!(found, [("unsafe-file", "a symbolic link"), ("unsafe-file", "one that anyone can write")]);
    assert_eq!(registry.metrics().len(), 1);
}
