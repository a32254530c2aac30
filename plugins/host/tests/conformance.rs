//! That the laws let honest metrics pass and find those that break one.
#![expect(clippy::unwrap_used, reason = "what a test builds its world with must not fail")]

mod folder;
mod here;

use folder::Folder;
use podium_plugin_host::conformance::{Law, Subject};

#[track_caller]
fn check(plugin: &str, metric_id: &str, config_json: &str, law: Law, expected: &str) {
    let registry = Folder::new("laws").with(&[plugin]).load();
    let subject = Subject::new(&registry, metric_id, config_json).unwrap();
    let breach = subject.check(law).unwrap_err().to_string();
    assert!(breach.starts_with(expected), "{breach}");
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
