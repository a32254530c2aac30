//! Which events count, for whom and once.

use crate::harness::events::{cancel, history, major, order, refund, track, viewed};
use crate::harness::{Book, Engine, Shop, experiment, named};
use serde_json::{Value, json};

const KEY: &str = "banner";
const DAY_MS: i64 = 86_400_000;
const WINDOW_MS: i64 = 14 * DAY_MS;

pub(crate) fn promises(book: &mut Book) {
    book.both(named!(a_message_counts_once_and_its_first_body_wins));
    book.both(named!(an_order_counts_once_whoever_tells_it));
    book.both(named!(a_server_key_is_believed_before_a_publishable_one));
    book.both(named!(the_window_begins_with_the_exposure_and_ends_before_its_end));
    book.both(named!(an_exposure_that_comes_late_brings_in_what_came_before));
    book.both(named!(an_earlier_exposure_that_comes_late_moves_the_window));
    book.both(named!(a_refund_takes_back_its_share_also_before_its_order));
    book.both(named!(a_cancelled_order_never_was));
    book.both(named!(amounts_never_pass_through_floating_point));
    book.both(named!(currencies_are_never_added));
    book.both(named!(a_unit_seen_in_two_variants_counts_in_neither));
    book.both(named!(what_was_acknowledged_is_in_the_next_report));
}

/// A shop whose one shopper saw the control.
fn shop(engine: Engine) -> Shop {
    let shop = Shop::open(engine);
    shop.run(&experiment(KEY, &["control", "b"]));
    shop.log(&[viewed("ann", KEY, "control", history())]);
    shop
}

/// Checks how many orders of the control count, and what they brought before and after refunds.
#[track_caller]
fn check(shop: &Shop, orders: i64, gross: i64, net: i64) {
    let report = shop.report(KEY);
    let aov = report.figure("aov", "control");
    assert_eq!((aov.denominator, aov.numerator), (orders, net), "orders and what is left of them");
    let revenue = report.figure("revenue_per_visitor", "control");
    assert_eq!((revenue.units, revenue.numerator), (1, gross), "visitors and what they brought");
    assert_eq!(report.figure("net_revenue", "control").numerator, net, "what is left");
    assert_eq!(report.figure("conversion", "control").numerator, i64::from(orders > 0), "buyers");
}

pub(crate) fn a_message_counts_once_and_its_first_body_wins(engine: Engine) {
    let shop = shop(engine);
    let first = order("ann", "o-1", 1_000, history() + 1);
    let mut other = order("ann", "o-2", 9_000, history() + 1);
    other["messageId"] = first["messageId"].clone();
    let receipt = shop.send(&[first.clone(), first.clone(), other.clone()]);
    assert_eq!((receipt.accepted, receipt.duplicate), (1, 2), "within one request");
    let receipt = shop.send(&[other, first]);
    assert_eq!((receipt.accepted, receipt.duplicate), (0, 2), "in another request");
    check(&shop, 1, 1_000, 1_000);
}

pub(crate) fn an_order_counts_once_whoever_tells_it(engine: Engine) {
    let told = |message_id: &str, cents: i64, at: i64| {
        let mut told = order("ann", "o-1", cents, history() + at);
        told["messageId"] = json!(message_id);
        told
    };
    // The earliest counts, and of two at once the one with the smaller message id.
    let all = [told("m-3", 3_000, 10), told("m-2", 2_000, 5), told("m-1", 1_000, 5), told("m-0", 500, 6)];
    let shop = shop(engine);
    for (event, gross) in all.iter().zip([3_000, 2_000, 1_000, 1_000]) {
        shop.log(std::slice::from_ref(event));
        check(&shop, 1, gross, gross);
    }
    // An order id that is a number is the same id.
    let mut number = told("m-9", 900, 0);
    number["properties"]["order_id"] = json!(77);
    let mut text = told("m-8", 800, 1);
    text["properties"]["order_id"] = json!("77");
    shop.log(&[text, number]);
    check(&shop, 2, 1_900, 1_900);
}

pub(crate) fn a_server_key_is_believed_before_a_publishable_one(engine: Engine) {
    let shop = shop(engine);
    let browser = shop.podium.client("publishable");
    let server = shop.podium.client("server");
    let told = |message_id: &str, cents: i64, at: i64| {
        let mut told = order("ann", "o-1", cents, history() + at);
        told["messageId"] = json!(message_id);
        told
    };
    browser.post("/api/v1/events", &told("a", 100, 1)).expect(200);
    check(&shop, 1, 100, 100);
    server.post("/api/v1/events", &told("b", 200, 2)).expect(200);
    check(&shop, 1, 200, 200);
    browser.post("/api/v1/events", &told("0", 300, 0)).expect(200);
    check(&shop, 1, 200, 200);
}

pub(crate) fn the_window_begins_with_the_exposure_and_ends_before_its_end(engine: Engine) {
    let shop = shop(engine);
    shop.log(&[
        order("ann", "too-early", 1, history() - 1),
        order("ann", "first", 10, history()),
        order("ann", "last", 100, history() + WINDOW_MS - 1),
        order("ann", "too-late", 1_000, history() + WINDOW_MS),
    ]);
    check(&shop, 2, 110, 110);
}

pub(crate) fn an_exposure_that_comes_late_brings_in_what_came_before(engine: Engine) {
    let shop = shop(engine);
    shop.log(&[order("bob", "o-1", 700, history() + 5), order("bob", "o-0", 70, history() - 5)]);
    assert_eq!(shop.report(KEY).units("b"), 0);
    shop.log(&[viewed("bob", KEY, "b", history())]);
    let report = shop.report(KEY);
    let figure = report.figure("revenue_per_visitor", "b");
    assert_eq!((figure.units, figure.numerator), (1, 700));
}

pub(crate) fn an_earlier_exposure_that_comes_late_moves_the_window(engine: Engine) {
    let shop = shop(engine);
    shop.log(&[
        order("ann", "o-1", 1, history() - DAY_MS),
        order("ann", "o-2", 10, history() + 1),
        order("ann", "o-3", 100, history() + WINDOW_MS - 1),
    ]);
    check(&shop, 2, 110, 110);
    shop.log(&[viewed("ann", KEY, "control", history() - DAY_MS)]);
    check(&shop, 2, 11, 11);
}

pub(crate) fn a_refund_takes_back_its_share_also_before_its_order(engine: Engine) {
    let shop = shop(engine);
    // It comes before its order, and happened after the window.
    shop.log(&[refund("ann", "o-1", Some(250), history() + 2 * WINDOW_MS)]);
    check(&shop, 0, 0, 0);
    shop.log(&[order("ann", "o-1", 1_000, history() + 1)]);
    check(&shop, 1, 1_000, 750);
    // Refunds add up, but never to more than the order gave.
    shop.log(&[refund("ann", "o-1", Some(500), history() + 3)]);
    check(&shop, 1, 1_000, 250);
    shop.log(&[refund("ann", "o-1", Some(900), history() + 4)]);
    check(&shop, 1, 1_000, 0);
    // One that names no amount takes everything.
    shop.log(&[order("ann", "o-2", 400, history() + 5), refund("ann", "o-2", None, history() + 6)]);
    check(&shop, 2, 1_400, 0);
    // The share is of all that was paid: a quarter of 8.00 + 1.50 + 0.50 takes a quarter of the revenue.
    let mut with_shipping = order("ann", "o-3", 800, history() + 7);
    with_shipping["properties"]["shipping"] = json!("1.50");
    with_shipping["properties"]["tax"] = json!(0.5);
    shop.log(&[with_shipping, refund("ann", "o-3", Some(250), history() + 8)]);
    check(&shop, 3, 2_200, 600);
    // A refund told by another unit still belongs to the order's.
    shop.log(&[order("ann", "o-4", 100, history() + 9), refund("eve", "o-4", Some(40), history() + 9)]);
    check(&shop, 4, 2_300, 660);
}

pub(crate) fn a_cancelled_order_never_was(engine: Engine) {
    let shop = shop(engine);
    shop.log(&[order("ann", "o-1", 1_000, history() + 1)]);
    check(&shop, 1, 1_000, 1_000);
    shop.log(&[cancel("ann", "o-1", history() + 2)]);
    check(&shop, 0, 0, 0);
    shop.log(&[cancel("ann", "o-2", history() + 2)]);
    shop.log(&[order("ann", "o-2", 1_000, history() + 3), refund("ann", "o-2", Some(1), history() + 4)]);
    check(&shop, 0, 0, 0);
}

pub(crate) fn amounts_never_pass_through_floating_point(engine: Engine) {
    let shop = shop(engine);
    // JSON as clients write it, and the cents it means: half a cent goes to the even one.
    let amounts = [
        ("0.1", 10),
        ("0.2", 20),
        ("1.005", 100),
        ("1.015", 102),
        ("\"1.025\"", 102),
        ("\"3\"", 300),
        ("1e2", 10_000),
        ("45035996273704.95", 4_503_599_627_370_495),
        ("0.070000000000000001", 7),
    ];
    let (mut sum, mut n_orders) = (0, 0);
    for (json, cents) in amounts {
        n_orders += 1;
        let body = format!(
            r#"{{"event":"Order Completed","userId":"ann","messageId":"m-{n_orders}","timestamp":"{}",
                "properties":{{"order_id":"o-{n_orders}","revenue":{json},"currency":"USD"}}}}"#,
            crate::harness::events::rfc3339(history() + n_orders)
        );
        let answer = shop.admin.call("POST", "/api/v1/events", &[], Some(body.as_bytes())).expect(200);
        assert_eq!(answer["accepted"], 1, "{json}: {answer}");
        sum += cents;
        assert_eq!(shop.report(KEY).figure("revenue_per_visitor", "control").numerator, sum, "with {json}");
    }
}

pub(crate) fn currencies_are_never_added(engine: Engine) {
    let shop = shop(engine);
    let mut euros = order("ann", "o-1", 500, history() + 1);
    euros["properties"]["currency"] = json!("EUR");
    let mut unnamed = order("ann", "o-2", 300, history() + 2);
    unnamed["properties"].as_object_mut().unwrap().remove("currency");
    let mut small = order("ann", "o-3", 200, history() + 3);
    small["properties"]["currency"] = json!("usd");
    shop.log(&[euros, unnamed, small]);
    let report = shop.report(KEY);
    let revenue = report.figure("revenue_per_visitor", "control");
    assert_eq!(revenue.numerator, 500, "3.00 in the experiment's currency and 2.00 in it by name");
    let aov = report.figure("aov", "control");
    assert_eq!((aov.numerator, aov.denominator), (500, 2), "an order without an amount is on neither side");
}

pub(crate) fn a_unit_seen_in_two_variants_counts_in_neither(engine: Engine) {
    let mut shop = shop(engine);
    shop.log(&[viewed("bob", KEY, "b", history()), order("bob", "o-1", 500, history() + 1)]);
    check_units(&shop, 1, 1);
    shop.log(&[viewed("bob", KEY, "control", history() + 2)]);
    check_units(&shop, 1, 0);
    assert_eq!(shop.report(KEY).figure("revenue_per_visitor", "b").numerator, 0);
    shop.check_rebuild();
}

#[track_caller]
fn check_units(shop: &Shop, control: u64, b: u64) {
    let report = shop.report(KEY);
    assert_eq!((report.units("control"), report.units("b")), (control, b));
}

pub(crate) fn what_was_acknowledged_is_in_the_next_report(engine: Engine) {
    let shop = shop(engine);
    let mut gross = 0;
    for number in 0..50 {
        let cents = 100 + number;
        let properties =
            json!({"order_id": format!("o-{number}"), "revenue": major(cents), "currency": "USD"});
        let event: Value =
            track("ann", "Order Completed", &format!("m-{number}"), history() + number, &properties);
        shop.log(&[event]);
        gross += cents;
        check(&shop, number + 1, gross, gross);
    }
}
