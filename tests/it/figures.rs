//! Data whose assignment was made elsewhere, against sums that a few lines of whole numbers give.

use crate::harness::events::{Minor, history, order, page, track, viewed};
use crate::harness::{
    Book, Client, Engine, Profile, Random, Receipt, Report, Shop, experiment, named, profile,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const KEY: &str = "elsewhere";
const VARIANTS: [&str; 3] = ["control", "b", "c"];
const DAY_MS: i64 = 86_400_000;
const WINDOW_MS: i64 = 14 * DAY_MS;
/// Relative difference that is left to floating point.
const TOLERANCE: f64 = 1e-9;
const P_DUPLICATE: f64 = 0.2;
/// Requests at a time when every event is a request.
const CLIENTS: usize = 8;

pub(crate) fn promises(book: &mut Book) {
    book.both(named!(imported_data_in_batches_of_500_gives_exact_figures));
    book.both(named!(imported_data_one_event_a_request_gives_exact_figures));
    book.both(named!(the_order_of_sending_changes_nothing));
    book.both(named!(refunds_and_cancellations_anywhere_give_exact_net_figures));
}

/// What a correct report says of one variant.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Expected {
    units: u64,
    buyers: i64,
    orders: i64,
    gross: Minor,
    net: Minor,
}

/// A log, and what follows from it.
struct Log {
    events: Vec<Value>,
    expected: BTreeMap<&'static str, Expected>,
    random: Random,
    n_orders: u32,
    with_refunds: bool,
}

impl Log {
    /// Makes up `n_customers`: visits, orders, orders of nothing, orders out of the window, orders told twice,
    /// customers whom the experiment never met.
    fn of(n_customers: u32, seed: u64, with_refunds: bool) -> Self {
        let expected = VARIANTS.into_iter().map(|variant| (variant, Expected::default())).collect();
        let mut log =
            Self { events: Vec::new(), expected, random: Random::new(seed), n_orders: 0, with_refunds };
        for customer in 0..n_customers {
            log.customer(&format!("customer-{customer}"));
        }
        log
    }

    fn customer(&mut self, unit: &str) {
        let begun = history() + self.random.between(0, 7 * DAY_MS as u64) as i64;
        if self.random.chance(0.05) {
            self.order(unit, begun);
            return;
        }
        let variant = VARIANTS[if self.random.chance(0.5) { 0 } else { self.random.below(3) }];
        for visit in 0..self.random.between(1, 3) as i64 {
            let at = begun + visit * DAY_MS;
            self.events.extend([page(unit, at), viewed(unit, KEY, variant, at)]);
        }
        // The last millisecond before exposure, and the first one after the window.
        if self.random.chance(0.05) {
            self.order(unit, begun - 1);
        }
        if self.random.chance(0.05) {
            self.order(unit, begun + WINDOW_MS);
        }
        let n_orders = if self.random.chance(0.25) { self.random.between(1, 3) } else { 0 };
        let mut expected = self.expected[variant];
        expected.units += 1;
        for _ in 0..n_orders {
            let at = begun + self.random.between(0, WINDOW_MS as u64 - 1) as i64;
            if let Some((gross, net)) = self.order(unit, at) {
                expected.orders += 1;
                expected.gross += gross;
                expected.net += net;
            }
        }
        expected.buyers += i64::from(expected.orders > self.expected[variant].orders);
        self.expected.insert(variant, expected);
    }

    /// Logs an order; what it brought and what was left of it, if it was not cancelled.
    fn order(&mut self, unit: &str, at: i64) -> Option<(Minor, Minor)> {
        self.n_orders += 1;
        let order_id = format!("order-{}", self.n_orders);
        let cents = if self.random.chance(0.02) { 0 } else { self.random.between(100, 40_000) as Minor };
        let mut told = order(unit, &order_id, cents, at);
        if self.random.chance(0.5) {
            // A number whose digits are those of the decimal.
            told["properties"]["revenue"] = json!(cents as f64 / 100.0);
        }
        self.events.push(told);
        if self.random.chance(0.1) {
            let mut again = order(unit, &order_id, cents + 77, at + 1);
            again["messageId"] = json!(format!("{order_id}/told-by-the-browser"));
            self.events.push(again);
        }
        if !self.with_refunds || !self.random.chance(0.3) {
            return Some((cents, cents));
        }
        let later = at + self.random.between(1, 2 * WINDOW_MS as u64) as i64;
        let about = json!({"order_id": order_id});
        let message_id = format!("{order_id}/taken-back");
        if self.random.chance(0.3) {
            self.events.push(track(unit, "Order Cancelled", &message_id, later, &about));
            return None;
        }
        let back =
            if self.random.chance(0.5) { cents } else { self.random.between(0, cents as u64) as Minor };
        let mut refund = track(unit, "Order Refunded", &message_id, later, &about);
        if back < cents {
            refund["properties"]["total"] = json!(format!("{}.{:02}", back / 100, back % 100));
        }
        self.events.push(refund);
        Some((cents, cents - back))
    }

    /// The events in any order, a fifth of them twice.
    fn shuffled(&mut self) -> Vec<Value> {
        let mut events = self.events.clone();
        let twice = self.events.iter().filter(|_| self.random.chance(P_DUPLICATE));
        events.extend(twice.cloned());
        self.random.shuffle(&mut events);
        events
    }

    #[track_caller]
    fn check(&self, report: &Report) {
        for (variant, expected) in &self.expected {
            let units = expected.units as i64;
            for (metric, numerator, denominator) in [
                ("conversion", expected.buyers, units),
                ("revenue_per_visitor", expected.gross, units),
                ("net_revenue", expected.net, units),
                ("aov", expected.net, expected.orders),
            ] {
                let figure = report.figure(metric, variant);
                let counts = (figure.units, figure.numerator, figure.denominator);
                assert_eq!(counts, (expected.units, numerator, denominator), "{metric} of {variant}");
                let exact = numerator as f64 / denominator as f64;
                let value = figure.value.unwrap_or_else(|| panic!("{metric} of {variant} has no value"));
                assert!(
                    (value - exact).abs() <= TOLERANCE * exact,
                    "{metric} of {variant}: {value}, not {exact}"
                );
            }
        }
    }
}

fn shop(engine: Engine) -> Shop {
    let shop = Shop::open(engine);
    let mut definition = experiment(KEY, &VARIANTS);
    definition["exposure"] = json!("event");
    shop.run(&definition);
    shop
}

fn n_customers() -> u32 {
    if profile() == Profile::Full { 30_000 } else { 1_500 }
}

#[track_caller]
fn check_receipt(receipt: &Receipt, events: &[Value], log: &Log) {
    let n_new = log.events.len() as u64;
    let expected = Receipt { accepted: n_new, duplicate: events.len() as u64 - n_new, rejected: Vec::new() };
    assert_eq!(*receipt, expected);
}

pub(crate) fn imported_data_in_batches_of_500_gives_exact_figures(engine: Engine) {
    let mut shop = shop(engine);
    let mut log = Log::of(n_customers(), 1, false);
    let events = log.shuffled();
    check_receipt(&shop.send(&events), &events, &log);
    log.check(&shop.report(KEY));
    shop.check_rebuild();
}

pub(crate) fn imported_data_one_event_a_request_gives_exact_figures(engine: Engine) {
    let mut shop = shop(engine);
    let mut log = Log::of(n_customers() / 3, 2, false);
    let events = log.shuffled();
    let share = events.len().div_ceil(CLIENTS);
    let receipts = std::thread::scope(|scope| {
        let clients = events.chunks(share).map(|events| {
            let client = shop.admin.with_key(Some(&shop.podium.key("server")));
            scope.spawn(move || one_by_one(&client, events))
        });
        let clients: Vec<_> = clients.collect();
        clients.into_iter().map(|client| client.join().unwrap()).collect::<Vec<_>>()
    });
    let mut total = Receipt::default();
    for receipt in receipts {
        total.accepted += receipt.accepted;
        total.duplicate += receipt.duplicate;
        total.rejected.extend(receipt.rejected);
    }
    check_receipt(&total, &events, &log);
    log.check(&shop.report(KEY));
    shop.check_rebuild();
}

fn one_by_one(client: &Client, events: &[Value]) -> Receipt {
    let mut receipt = Receipt::default();
    for event in events {
        receipt.add(&client.post("/api/v1/events", event).expect(200));
    }
    receipt
}

pub(crate) fn the_order_of_sending_changes_nothing(engine: Engine) {
    let mut log = Log::of(n_customers() / 5, 3, true);
    log.events.sort_by_key(|event| event["timestamp"].to_string());
    let forward = log.events.clone();
    let backward: Vec<Value> = forward.iter().rev().cloned().collect();
    // Everything that says who saw what comes last.
    let mut exposures_last = log.shuffled();
    exposures_last.sort_by_key(|event| event["event"] == "Experiment Viewed");
    let mut exposures_first = exposures_last.clone();
    exposures_first.reverse();
    for events in [forward, backward, exposures_last, exposures_first] {
        let shop = shop(engine);
        check_receipt(&shop.send(&events), &events, &log);
        log.check(&shop.report(KEY));
    }
}

pub(crate) fn refunds_and_cancellations_anywhere_give_exact_net_figures(engine: Engine) {
    let mut shop = shop(engine);
    let mut log = Log::of(n_customers(), 4, true);
    let events = log.shuffled();
    shop.send(&events);
    log.check(&shop.report(KEY));
    shop.check_rebuild();
}
