//! What a loaded metric can do wrong, and that it works again afterwards.
#![expect(clippy::unwrap_used, reason = "what a test builds its world with must not fail")]

mod folder;
mod here;

use folder::Folder;
use podium_plugin_host::{
    Batch, ColumnType, CreateError, HostLog, Level, MetricFault, MetricInstance, Registry, Value,
};
use std::sync::{Arc, Mutex};
use std::thread;

/// A batch of orders with these coupons.
fn orders(coupons: &[&str]) -> Batch {
    let mut batch = Batch::new(&[ColumnType::Text]);
    for coupon in coupons {
        batch.push_row(0, 0, &[Value::Text(coupon)]).unwrap();
    }
    batch
}

/// A batch of events without columns.
fn events(n: usize) -> Batch {
    let mut batch = Batch::new(&[]);
    (0..n).for_each(|_| batch.push_row(0, 0, &[]).unwrap());
    batch
}

fn instance(registry: &Registry, metric_id: &str, config_json: &str) -> Box<dyn MetricInstance> {
    registry.create(metric_id, config_json).unwrap()
}

#[test]
fn a_metric_never_seen_before_works() {
    let registry = Folder::new("healthy").with(&["gross_items"]).load();
    let metric = instance(&registry, "gross_items", "{}");
    assert_eq!(metric.k(), 1);
    assert_eq!(
        metric.fields_json(),
        r#"{"columns":[],"events":[{"name":"Product Added to Wishlist","read":{}}]}"#
    );
    assert_eq!(metric.observe(&events(3)).unwrap(), [1, 1, 1]);
    assert_eq!(metric.value(&[3, 0]).unwrap(), [(3.0, 1.0), (0.0, 1.0)]);
}

#[test]
fn a_panic_is_a_fault_and_the_next_call_works() {
    let registry = Folder::new("panic").with(&["fixture_panic"]).load();
    let metric = instance(&registry, "fixture_panic", "{}");
    for _ in 0..3 {
        let fault = metric.observe(&orders(&["a", "PANIC"])).unwrap_err();
        assert_eq!(fault, MetricFault::Panicked { text: "the coupon says so".into() });
        assert_eq!(metric.observe(&orders(&["a", "b"])).unwrap(), [1, 1]);
        assert_eq!(metric.value(&[2]).unwrap(), [(2.0, 1.0)]);
    }
}

#[test]
fn panics_in_one_thread_do_not_disturb_another() {
    let registry = Folder::new("threads").with(&["fixture_panic"]).load();
    let metric = instance(&registry, "fixture_panic", "{}");
    thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..200 {
                let fault = metric.observe(&orders(&["PANIC"])).unwrap_err();
                assert_eq!(fault.slug(), "panicked");
            }
        });
        for _ in 0..3 {
            scope.spawn(|| {
                for _ in 0..500 {
                    // A neighbor's panic may poison the instance twice in a row, never more than the call.
                    match metric.observe(&orders(&["a", "b"])) {
                        Ok(found) => assert_eq!(found, [1, 1]),
                        Err(fault) => assert_eq!(fault.slug(), "panicked"),
                    }
                }
            });
        }
    });
    assert_eq!(metric.observe(&orders(&["a"])).unwrap(), [1]);
}

#[test]
fn lines_and_panics_reach_the_log() {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&lines);
    let log = HostLog::new(Level::Debug, move |line| {
        let message = line.message.lines().last().unwrap_or_default();
        seen.lock().unwrap().push(format!("{} {:?} {message}", line.plugin, line.level));
    });
    let folder = Folder::new("log").with(&["fixture_panic"]);
    let registry = Registry::load(&[folder.path().to_owned()], &log);
    let metric = instance(&registry, "fixture_panic", "{}");
    metric.observe(&orders(&["PANIC"])).unwrap_err();
    assert_eq!(
        *lines.lock().unwrap(),
        [
            "com.example.fixture-panic Info created",
            "com.example.fixture-panic Error the coupon says so",
            "com.example.fixture-panic Info created",
        ]
    );
}

#[test]
fn what_is_no_contribution_names_its_row() {
    let registry = Folder::new("numbers").with(&["fixture_numbers"]).load();
    let metric = instance(&registry, "fixture_numbers", "{}");
    for (coupon, text) in
        [("NAN", "NaN"), ("INFINITE", "inf"), ("FRACTION", "0.5"), ("HUGE", "10000000000000000")]
    {
        let fault = metric.observe(&orders(&["", "", coupon])).unwrap_err();
        assert_eq!(
            fault.to_string(),
            format!("row 2: contribution 0 is {text}, but must be a whole number of at most 2^53")
        );
        assert_eq!((fault.slug(), fault.row()), ("bad-contribution", Some(2)));
    }
    assert_eq!(metric.observe(&orders(&[""])).unwrap(), [1, 1]);
}

#[test]
fn a_write_behind_the_buffer_is_noticed() {
    let registry = Folder::new("bounds").with(&["fixture_out_of_bounds"]).load();
    let metric = instance(&registry, "fixture_out_of_bounds", "");
    assert_eq!(metric.observe(&events(5)).unwrap_err(), MetricFault::OutOfBounds);
}

#[test]
fn a_row_without_an_answer_is_noticed() {
    let registry = Folder::new("unwritten").with(&["fixture_unwritten"]).load();
    let metric = instance(&registry, "fixture_unwritten", "");
    assert_eq!(metric.observe(&events(5)).unwrap_err(), MetricFault::NotWritten { row: 2 });
    assert_eq!(metric.observe(&events(2)).unwrap(), [1, 1]);
}

#[test]
fn the_first_batch_is_observed_twice() {
    let registry = Folder::new("impure").with(&["fixture_lawless"]).load();
    let metric = instance(&registry, "fixture_lawless", r#"{"breaks": "pure"}"#);
    let mut batch = Batch::new(&[ColumnType::Int]);
    batch.push_row(0, 0, &[Value::Int(1)]).unwrap();
    assert_eq!(metric.observe(&batch).unwrap_err(), MetricFault::Impure { row: 0 });
}

#[test]
fn values_that_break_a_rule_name_their_row() {
    let registry = Folder::new("values").with(&["fixture_lawless", "fixture_numbers"]).load();
    let metric = instance(&registry, "fixture_lawless", r#"{"breaks": "total"}"#);
    let fault = metric.value(&[1, -2]).unwrap_err();
    assert_eq!(fault.to_string(), "row 1: value -2 over -1, but a denominator must not be negative");
    // The SDK sees to it that a ratio over nothing is 0 over 0.
    let ratio = instance(&registry, "fixture_numbers", "{}");
    assert_eq!(ratio.value(&[5, 0, 5, 2, 5, -1]).unwrap(), [(0.0, 0.0), (5.0, 2.0), (0.0, 0.0)]);
}

#[test]
fn sums_that_are_none_are_refused_before_the_plugin_sees_them() {
    let registry = Folder::new("sums").with(&["fixture_numbers"]).load();
    let metric = instance(&registry, "fixture_numbers", "{}");
    assert_eq!(metric.value(&[1, 2, 3]).unwrap_err(), MetricFault::BadSums { idx: 3, found: 0, k: 2 });
    let too_large = (1 << 53) + 1;
    let fault = metric.value(&[1, 2, 3, too_large]).unwrap_err();
    assert_eq!(fault, MetricFault::BadSums { idx: 3, found: too_large, k: 2 });
}

#[track_caller]
fn check_settings(config_json: &str, expected: &CreateError) {
    let registry = Folder::new("settings").with(&["fixture_settings"]).load();
    let found = registry.create("fixture_settings", config_json).map(|_| "an instance").unwrap_err();
    assert_eq!(&found, expected, "{config_json}");
}

#[test]
fn wrong_settings_are_refused_with_the_plugins_text() {
    let config = |text: &str| CreateError::Config { text: text.into() };
    check_settings("", &config("missing field `n_orders` at line 1 column 2"));
    check_settings("[2]", &config("the configuration must be a JSON object"));
    check_settings(r#"{"n_orders": 0}"#, &config("`n_orders` is 0, so that everybody has enough; 1 or more"));
    let unknown = "unknown field `many`, expected `n_orders` at line 1 column 7";
    check_settings(r#"{"many": 2}"#, &config(unknown));
    check_settings(r#"{"n_orders": 13}"#, &CreateError::Panicked { text: "thirteen".into() });
}

#[test]
fn an_unknown_metric_is_named_with_those_there_are() {
    let registry = Folder::new("unknown").with(&["gross_items", "fixture_panic"]).load();
    let error = registry.create("aovv", "{}").map(|_| "an instance").unwrap_err();
    assert_eq!(
        error.to_string(),
        r#"there is no metric "aovv"; the loaded ones are fixture_panic, gross_items"#
    );
}
