//! What was acknowledged is there once, whatever happened to the process.

use crate::harness::events::{Minor, history, order, viewed};
use crate::harness::{Book, Client, Engine, Random, Receipt, Shop, experiment, named};
use serde_json::{Value, json};
use std::sync::mpsc;

const KEY: &str = "load";
const N_KILLS: u64 = 10;
const N_CLIENTS: u64 = 4;
/// The most shoppers whose events are sent in one request.
const SHOPPERS_MAX: u64 = 25;
const SEED: u64 = 9;

pub(crate) fn promises(book: &mut Book) {
    book.both_alone(named!(ten_times_kill_9_under_load_lose_and_double_nothing));
    book.both(named!(a_graceful_end_keeps_everything_and_exits_with_0));
    book.both(named!(a_rebuild_notices_what_the_log_does_not_say));
}

/// One request of a client, with what is known of its fate.
struct Sent {
    events: Vec<Value>,
    acknowledged: bool,
}

/// The two events of a shopper: one exposure and one order.
fn shopper(number: u64) -> [Value; 2] {
    let (unit, variant) =
        (format!("shopper-{number}"), if number.is_multiple_of(2) { "control" } else { "b" });
    let at = history() + number as i64;
    [viewed(&unit, KEY, variant, at), order(&unit, &format!("order-{number}"), cents(number), at + 1)]
}

fn cents(number: u64) -> Minor {
    100 + (number % 977) as Minor
}

/// Sends fresh shoppers until the server is gone, telling of each acknowledgment.
fn load(client: &Client, mut number: u64, random: &mut Random, acknowledged: &mpsc::Sender<()>) -> Vec<Sent> {
    let mut requests = Vec::new();
    loop {
        let n_shoppers = random.between(1, SHOPPERS_MAX);
        let events: Vec<Value> = (number..number + n_shoppers).flat_map(shopper).collect();
        number += n_shoppers;
        let body = json!({"batch": events}).to_string();
        let answer = client.try_call("POST", "/api/v1/events", &[], Some(body.as_bytes()));
        let Ok(answer) = answer else {
            requests.push(Sent { events, acknowledged: false });
            return requests;
        };
        let mut receipt = Receipt::default();
        receipt.add(&answer.expect(200));
        let all = Receipt { accepted: events.len() as u64, ..Receipt::default() };
        assert_eq!(receipt, all, "every event is new and good");
        requests.push(Sent { events, acknowledged: true });
        let _ = acknowledged.send(());
    }
}

/// Puts the server under load, kills it after some acknowledgments, and starts it again.
fn kill_under_load(shop: &mut Shop, round: u64, random: &mut Random) -> Vec<Sent> {
    let (sender, acknowledged) = mpsc::channel();
    let n_acknowledged = random.between(5, 60);
    let clients: Vec<_> = (0..N_CLIENTS)
        .map(|client_idx| {
            let (client, sender) = (shop.admin.with_key(Some(&shop.podium.key("server"))), sender.clone());
            let first = (round * N_CLIENTS + client_idx) * 1_000_000;
            let mut random = Random::new(random.next());
            std::thread::spawn(move || load(&client, first, &mut random, &sender))
        })
        .collect();
    drop(sender);
    acknowledged.iter().take(n_acknowledged as usize).for_each(drop);
    shop.podium.kill9();
    let sent = clients.into_iter().flat_map(|client| client.join().unwrap()).collect();
    shop.restart();
    sent
}

fn orders_of(shop: &Shop) -> i64 {
    let report = shop.report(KEY);
    ["control", "b"].iter().map(|variant| report.figure("aov", variant).denominator).sum()
}

pub(crate) fn ten_times_kill_9_under_load_lose_and_double_nothing(engine: Engine) {
    let mut shop = Shop::open(engine);
    let mut definition = experiment(KEY, &["control", "b"]);
    definition["exposure"] = json!("event");
    shop.run(&definition);
    let mut random = Random::new(SEED);
    let mut sent = Vec::new();
    for round in 0..N_KILLS {
        sent.extend(kill_under_load(&mut shop, round, &mut random));
        let n_orders =
            |requests: &mut dyn Iterator<Item = &Sent>| requests.map(|sent| sent.events.len() / 2).sum();
        let acknowledged: usize = n_orders(&mut sent.iter().filter(|sent| sent.acknowledged));
        let all: usize = n_orders(&mut sent.iter());
        let found = orders_of(&shop);
        assert!(
            acknowledged as i64 <= found && found <= all as i64,
            "after kill {round}: {found} orders, {acknowledged} acknowledged, {all} sent"
        );
    }
    shop.check_rebuild();
    shop.restart();
    let (acknowledged, unknown): (Vec<Sent>, Vec<Sent>) =
        sent.into_iter().partition(|sent| sent.acknowledged);
    let events = |requests: Vec<Sent>| requests.into_iter().flat_map(|sent| sent.events).collect::<Vec<_>>();
    let (acknowledged, unknown) = (events(acknowledged), events(unknown));
    let receipt = shop.send(&acknowledged);
    let all = Receipt { duplicate: acknowledged.len() as u64, ..Receipt::default() };
    assert_eq!(receipt, all, "every acknowledged event is in the log");
    // The mirror: an event that was never sent is not in the log, so that the check above can fail.
    let stranger: Vec<Value> = shopper(999_999_999).into();
    shop.log(&stranger);
    let receipt = shop.send(&unknown);
    assert_eq!(receipt.accepted + receipt.duplicate, unknown.len() as u64, "{receipt:?}");
    check_totals(&shop, acknowledged.iter().chain(&unknown).chain(&stranger));
    shop.check_rebuild();
}

/// Checks the figures against the events: each shopper has one order.
#[track_caller]
fn check_totals<'a>(shop: &Shop, events: impl Iterator<Item = &'a Value>) {
    let report = shop.report(KEY);
    let mut expected = [("control", 0, 0), ("b", 0, 0)];
    for event in events.filter(|event| event["event"] == "Order Completed") {
        let number: u64 = event["userId"].as_str().unwrap().rsplit('-').next().unwrap().parse().unwrap();
        let (_, units, gross) = &mut expected[(number % 2) as usize];
        *units += 1;
        *gross += cents(number);
    }
    for (variant, units, gross) in expected {
        let figure = report.figure("revenue_per_visitor", variant);
        assert_eq!((figure.units, figure.numerator), (units, gross), "{variant}");
        assert_eq!(report.figure("aov", variant).denominator, units as i64, "orders of {variant}");
    }
}

pub(crate) fn a_graceful_end_keeps_everything_and_exits_with_0(engine: Engine) {
    let mut shop = Shop::open(engine);
    let mut definition = experiment(KEY, &["control", "b"]);
    definition["exposure"] = json!("event");
    shop.run(&definition);
    let (sender, acknowledged) = mpsc::channel();
    let (client, mut random) = (shop.admin.clone(), Random::new(SEED));
    let client = std::thread::spawn(move || load(&client, 0, &mut random, &sender));
    acknowledged.iter().take(20).for_each(drop);
    let status = shop.podium.stop();
    assert_eq!(status.code(), Some(0), "SIGTERM ended it with {status}");
    let sent = client.join().unwrap();
    shop.restart();
    let events: Vec<Value> =
        sent.into_iter().filter(|sent| sent.acknowledged).flat_map(|sent| sent.events).collect();
    let receipt = shop.send(&events);
    assert_eq!(receipt, Receipt { duplicate: events.len() as u64, ..Receipt::default() });
}

pub(crate) fn a_rebuild_notices_what_the_log_does_not_say(engine: Engine) {
    let mut shop = Shop::open(engine);
    let mut definition = experiment(KEY, &["control", "b"]);
    definition["exposure"] = json!("event");
    shop.run(&definition);
    let events: Vec<Value> = (0..100).flat_map(shopper).collect();
    shop.log(&events);
    shop.check_rebuild();
    crate::harness::tamper(shop.database.url(), "DELETE FROM event_log WHERE unit = 'shopper-7'");
    let rebuild = shop.podium.rebuild(&["--check"]);
    let said = String::from_utf8_lossy(&rebuild.stderr);
    assert_eq!(
        rebuild.status.code(),
        Some(1),
        "the live state has a shopper whom the log does not know: {said}"
    );
    assert!(said.contains("differs"), "{said}");
    // A rebuild without the check makes them equal again.
    let rebuild = shop.podium.rebuild(&[]);
    assert!(rebuild.status.success(), "{}", String::from_utf8_lossy(&rebuild.stderr));
    shop.check_rebuild();
    shop.restart();
    assert_eq!(orders_of(&shop), 99);
}
