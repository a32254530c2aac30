//! Metrics come from libraries, and a bad library hurts nobody.

use crate::harness::events::{history, order, track, viewed};
use crate::harness::{Book, Built, Engine, Folder, Shop, experiment, named};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;

pub(crate) fn promises(book: &mut Book) {
    book.both(named!(bundled_metrics_are_found_without_configuration));
    book.both(named!(each_bad_library_gets_a_clear_line_and_the_server_serves));
    book.both(named!(a_metric_nobody_knew_works_from_registration_to_report));
    book.both(named!(a_panic_in_observe_costs_one_event_of_one_metric));
    book.both(named!(what_is_no_number_costs_one_event_of_one_metric));
    book.both(named!(a_metric_that_is_gone_stops_no_decision));
}

/// A folder of plugins with these examples in it.
fn folder_of(examples: &[&str]) -> Folder {
    let folder = Folder::new("plugins");
    for name in examples {
        std::fs::copy(Built::example(name), folder.path().join(format!("{name}.so"))).unwrap();
    }
    folder
}

fn metric_ids(shop: &Shop) -> BTreeSet<String> {
    let listed = shop.admin.get("/api/v1/metrics").expect(200);
    let metrics = listed["data"].as_array().unwrap_or_else(|| panic!("no data in {listed}"));
    metrics.iter().map(|metric| metric["metric"].as_str().unwrap().to_owned()).collect()
}

pub(crate) fn bundled_metrics_are_found_without_configuration(engine: Engine) {
    let shop = Shop::open(engine);
    let found = metric_ids(&shop);
    for metric in [
        "aov",
        "bounce",
        "cart_abandonment",
        "click_through",
        "conversion",
        "net_revenue",
        "repeat_purchase",
        "revenue_per_visitor",
        "units_per_order",
    ] {
        assert!(found.contains(metric), "no {metric} in {found:?}");
    }
    let listed = shop.admin.get("/api/v1/metrics").expect(200);
    for metric in listed["data"].as_array().unwrap() {
        for name in ["title", "description", "kind", "unit", "direction", "plugin", "plugin_version", "file"]
        {
            assert!(metric[name].as_str().is_some_and(|text| !text.is_empty()), "{name} of {metric}");
        }
        assert!(metric["window_s"].as_i64().is_some_and(|window_s| window_s > 0), "{metric}");
        assert!(metric["config_schema"].is_object(), "{metric}");
    }
    assert_eq!(listed["refused"], json!([]), "nothing is refused");
}

pub(crate) fn each_bad_library_gets_a_clear_line_and_the_server_serves(engine: Engine) {
    let bad = [
        ("fixture_noted_major", "abi-major"),
        ("fixture_described_major", "abi-major"),
        ("fixture_missing_symbol", "missing-symbol"),
        ("fixture_bad_magic", "bad-magic"),
        ("fixture_short_struct", "abi-size"),
        ("fixture_init_failed", "init-failed"),
        ("not_a_library", "not-a-library"),
        ("truncated", "not-a-library"),
    ];
    let fixtures: Vec<&str> =
        bad.iter().map(|(name, _)| *name).filter(|name| name.starts_with("fixture")).collect();
    let folder = folder_of(&fixtures);
    std::fs::copy(Built::example("gross_items"), folder.path().join("gross_items.so")).unwrap();
    std::fs::write(folder.path().join("not_a_library.so"), "GROUP ( libc.so.6 )\n").unwrap();
    let whole = std::fs::read(Built::example("gross_items")).unwrap();
    std::fs::write(folder.path().join("truncated.so"), &whole[..4_096]).unwrap();
    let absent = folder.path().join("absent");
    let mut shop = Shop::with_plugins(engine, vec![folder.path().to_owned(), absent]);
    let listed = shop.admin.get("/api/v1/metrics").expect(200);
    let refused = listed["refused"].as_array().unwrap_or_else(|| panic!("no `refused` in {listed}"));
    let find = |name: &str| {
        let is_it = |each: &&Value| each["file"].as_str().is_some_and(|file| Path::new(file).ends_with(name));
        refused.iter().find(is_it).unwrap_or_else(|| panic!("{name} is not refused: {listed}"))
    };
    for (name, slug) in bad {
        check_refusal(&shop, find(&format!("{name}.so")), &format!("{name}.so"), slug);
    }
    check_refusal(&shop, find("absent"), "absent", "unreadable-folder");
    assert_eq!(refused.len(), bad.len() + 1, "the good ones are not refused: {listed}");
    assert!(shop.podium.is_running());
    let found = metric_ids(&shop);
    assert!(found.contains("gross_items") && found.contains("conversion"), "{found:?}");
    shop.run(&experiment("banner", &["control", "b"]));
    assert_eq!(shop.decide("ann", "banner").reason, "SPLIT");
}

#[track_caller]
fn check_refusal(shop: &Shop, refusal: &Value, file: &str, slug: &str) {
    assert_eq!(refusal["slug"], slug, "{refusal}");
    for name in ["expected", "found", "advice", "line"] {
        let text = refusal[name].as_str().unwrap_or_else(|| panic!("no {name} in {refusal}"));
        assert!(!text.is_empty() && !text.contains('\n'), "{name} of {refusal}");
    }
    let line = refusal["line"].as_str().unwrap();
    assert!(line.contains(file) && line.contains(slug), "{line}");
    let log = shop.podium.log();
    let logged = log.iter().filter(|logged| logged.contains(file) && logged.contains(slug)).count();
    assert_eq!(logged, 1, "one line in the log says {file} and {slug}");
}

fn definition(metric: &str) -> Value {
    let mut definition = experiment("banner", &["control", "b"]);
    definition["primary_metric"] = json!({"metric": metric, "window_s": 86_400});
    definition["secondary_metrics"] = json!([{"metric": "conversion", "window_s": 86_400}]);
    definition["exposure"] = json!("event");
    definition
}

pub(crate) fn a_metric_nobody_knew_works_from_registration_to_report(engine: Engine) {
    let folder = folder_of(&["gross_items"]);
    let mut shop = Shop::with_plugins(engine, vec![folder.path().to_owned()]);
    shop.run(&definition("gross_items"));
    let mut events = Vec::new();
    for number in 0..30 {
        let (unit, variant) = (format!("unit-{number}"), ["control", "b"][number % 2]);
        events.push(viewed(&unit, "banner", variant, history()));
        for added in 0..number {
            let message_id = format!("{unit}/added-{added}");
            events.push(track(&unit, "Product Added to Wishlist", &message_id, history() + 1, &json!({})));
        }
    }
    shop.log(&events);
    let check = |shop: &Shop| {
        let report = shop.report("banner");
        // 0 + 2 + … + 28 and 1 + 3 + … + 29.
        for (variant, sum) in [("control", 210), ("b", 225)] {
            let figure = report.figure("gross_items", variant);
            assert_eq!((figure.units, figure.numerator, figure.denominator), (15, sum, 15));
            assert_eq!(figure.value, Some(sum as f64 / 15.0));
        }
    };
    check(&shop);
    shop.check_rebuild();
    shop.restart();
    check(&shop);
}

/// Sends one order per coupon, some of which the metric cannot stand, and checks what the others sum to.
#[track_caller]
fn check_coupons(engine: Engine, plugin: &str, coupons: &[&str], bad: &[&str], fault: &str) {
    let folder = folder_of(&[plugin]);
    let mut shop = Shop::with_plugins(engine, vec![folder.path().to_owned()]);
    shop.run(&definition(plugin));
    let mut events = Vec::new();
    for (number, coupon) in coupons.iter().enumerate() {
        let unit = format!("unit-{number}");
        let mut told = order(&unit, &format!("o-{number}"), 100, history() + 1);
        told["properties"]["coupon"] = json!(coupon);
        events.extend([viewed(&unit, "banner", "b", history()), told]);
    }
    // In one flush first, so that good events share a batch with the bad ones; then one by one.
    let (together, apart) = events.split_at(events.len() / 2);
    shop.log(together);
    for event in apart {
        shop.log(std::slice::from_ref(event));
    }
    let n_good = coupons.iter().filter(|coupon| !bad.contains(coupon)).count() as i64;
    let check = |shop: &Shop| {
        let report = shop.report("banner");
        assert_eq!(report.figure(plugin, "b").numerator, n_good, "the good events count");
        assert_eq!(
            report.figure("conversion", "b").numerator,
            coupons.len() as i64,
            "for other metrics all do"
        );
    };
    check(&shop);
    assert!(shop.podium.is_running());
    let log = shop.podium.log();
    let is_clear = |line: &&String| line.contains(plugin) && line.to_lowercase().contains(fault);
    assert!(log.iter().any(|line| is_clear(&line)), "no line of {plugin} says `{fault}`");
    shop.restart();
    check(&shop);
    shop.check_rebuild();
}

pub(crate) fn a_panic_in_observe_costs_one_event_of_one_metric(engine: Engine) {
    let coupons = ["", "A", "PANIC", "B", "C", "PANIC", "D", "E"];
    check_coupons(engine, "fixture_panic", &coupons, &["PANIC"], "panic");
}

pub(crate) fn what_is_no_number_costs_one_event_of_one_metric(engine: Engine) {
    let coupons = ["", "A", "NAN", "B", "INFINITE", "C", "FRACTION", "D", "HUGE", "E", "NAN", "F"];
    check_coupons(engine, "fixture_numbers", &coupons, &["NAN", "INFINITE", "FRACTION", "HUGE"], "nan");
}

pub(crate) fn a_metric_that_is_gone_stops_no_decision(engine: Engine) {
    let folder = folder_of(&["gross_items"]);
    let mut shop = Shop::with_plugins(engine, vec![folder.path().to_owned()]);
    shop.run(&definition("gross_items"));
    shop.log(&[viewed("ann", "banner", "b", history())]);
    std::fs::remove_file(folder.path().join("gross_items.so")).unwrap();
    shop.restart();
    assert_eq!(shop.decide("bob", "banner").reason, "SPLIT");
    shop.log(&[order("ann", "o-1", 100, history() + 1)]);
    let log = shop.podium.log();
    assert!(log.iter().any(|line| line.contains("gross_items")), "the log names the metric that is gone");
    // Once it is back, nothing is missing.
    std::fs::copy(Built::example("gross_items"), folder.path().join("gross_items.so")).unwrap();
    shop.restart();
    let added = track("ann", "Product Added to Wishlist", "added", history() + 1, &json!({}));
    shop.log(&[added]);
    let report = shop.report("banner");
    assert_eq!(report.figure("gross_items", "b").numerator, 1);
    assert_eq!(report.figure("conversion", "b").numerator, 1);
}
