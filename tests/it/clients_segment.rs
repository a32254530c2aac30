//! The clients of Segment and RudderStack as shops have them, unchanged, and no event lost.

use crate::harness::{Book, Clients, Engine, Named, Refuser, Sent, Shop, named};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;

/// Orders that a client sends in a test, and the bytes in each: more than one full batch.
const N_ORDERS: usize = 300;
const ORDER_BYTES: usize = 5_000;
/// What a client does besides, one call of each kind.
const OTHERS: [&str; 5] = ["alias", "group", "identify", "page", "screen"];

pub(crate) fn promises(book: &mut Book) {
    let promises: [Named<fn()>; 10] = [
        named!(segment_node_is_served_in_full_batches),
        named!(segment_node_loses_nothing_to_429_and_503),
        named!(segment_python_is_served_with_and_without_gzip),
        named!(segment_python_loses_nothing_to_429_and_503),
        named!(rudderstack_node_is_served_in_full_batches),
        named!(rudderstack_node_loses_nothing_to_429_and_503),
        named!(rudderstack_python_is_served_with_and_without_gzip),
        named!(rudderstack_python_loses_nothing_to_429_and_503),
        named!(a_client_that_is_over_its_rate_loses_nothing),
        named!(a_wrong_key_is_told_once_and_for_all),
    ];
    for promise in promises {
        add(book, promise, Clients::installed().err());
    }
    let in_browser: [Named<fn()>; 3] = [
        named!(segments_browser_client_is_served),
        named!(segments_browser_client_is_served_in_batches),
        named!(segments_browser_client_loses_nothing_to_429),
    ];
    for promise in in_browser {
        let has_browser = Path::new(&chromium()).exists();
        add(book, promise, Clients::installed().err().or((!has_browser).then_some("needs Chromium")));
    }
}

fn add(book: &mut Book, promise: Named<fn()>, need: Option<&str>) {
    match need {
        None => book.once(promise),
        Some(need) => book.skip(promise.name.trim_start_matches("it::"), need),
    }
}

fn chromium() -> String {
    std::env::var("PODIUM_CHROMIUM").unwrap_or_else(|_| "/usr/bin/chromium".to_owned())
}

/// A shop behind a proxy that refuses the first requests.
struct Proxied {
    shop: Shop,
    proxy: Refuser,
    clients: Clients,
}

impl Proxied {
    fn open(refusals: &[u16], env: &[(&str, &str)]) -> Self {
        let proxy = Refuser::new(refusals);
        let env = [env, &[("PODIUM_PUBLIC_URL", proxy.url())]].concat();
        let shop = Shop::with(Engine::Sqlite, Vec::new(), &env);
        proxy.pass_on_to(shop.podium.url());
        Self { shop, proxy, clients: Clients::installed().unwrap() }
    }

    /// Runs a script, and checks that everything it sent was taken, and only once.
    #[track_caller]
    fn run(&self, script: &str, more: &[&str]) -> Vec<Sent> {
        let (n_orders, bytes) = (N_ORDERS.to_string(), ORDER_BYTES.to_string());
        let key = self.shop.podium.key("server");
        let arguments = [&[self.proxy.url(), &key, &n_orders, &bytes], more].concat();
        if Path::new(script).extension().is_some_and(|extension| extension == "py") {
            self.clients.python(script, &arguments);
        } else {
            self.clients.node(script, &arguments);
        }
        let events = self.events();
        let units: BTreeSet<String> =
            of_name(&events, "Order Completed").map(|event| text(event, "unit")).collect();
        let expected = (0..N_ORDERS).map(|number| format!("shopper-{number}"));
        assert_eq!(units, expected.collect(), "every order, of its shopper");
        let mut others: Vec<String> = events
            .iter()
            .map(|event| text(event, "type"))
            .filter(|event_type| event_type != "track")
            .collect();
        others.sort();
        assert_eq!(others, OTHERS);
        assert_eq!(events.len(), N_ORDERS + OTHERS.len(), "nothing twice");
        assert_eq!(self.listed("status=rejected"), Vec::<Value>::new());
        self.proxy.sent()
    }

    fn events(&self) -> Vec<Value> {
        self.listed("status=accepted")
    }

    fn listed(&self, query: &str) -> Vec<Value> {
        let listed = self.shop.admin.get(&format!("/api/v1/events?{query}&limit=500")).expect(200);
        listed["data"].as_array().unwrap().clone()
    }
}

fn text(event: &Value, member: &str) -> String {
    event[member].as_str().unwrap_or_default().to_owned()
}

fn of_name<'a>(events: &'a [Value], name: &'a str) -> impl Iterator<Item = &'a Value> {
    events.iter().filter(move |event| event["name"] == name)
}

#[track_caller]
fn check_refused(sent: &[Sent], refusals: &[u16]) {
    let statuses: Vec<u16> = sent.iter().map(|sent| sent.status).collect();
    assert_eq!(statuses[..refusals.len()], *refusals, "they were refused: {statuses:?}");
}

pub(crate) fn segment_node_is_served_in_full_batches() {
    let sent = Proxied::open(&[], &[]).run("segment_node.mjs", &[]);
    assert!(sent.iter().any(|sent| 400_000 < sent.n_bytes), "{sent:?}");
    assert!(sent.iter().all(|sent| sent.path == "/v1/batch"), "{sent:?}");
}

pub(crate) fn segment_node_loses_nothing_to_429_and_503() {
    for refusals in [[429; 4], [503; 4]] {
        check_refused(&Proxied::open(&refusals, &[]).run("segment_node.mjs", &[]), &refusals);
    }
}

pub(crate) fn segment_python_is_served_with_and_without_gzip() {
    for (encoding, is_gzip) in [("plain", false), ("gzip", true)] {
        let sent = Proxied::open(&[], &[]).run("tracking.py", &[encoding, "segment"]);
        assert!(sent.iter().all(|sent| sent.is_gzip == is_gzip), "{sent:?}");
        assert_eq!(sent.iter().any(|sent| 400_000 < sent.n_bytes), !is_gzip, "{sent:?}");
    }
}

pub(crate) fn segment_python_loses_nothing_to_429_and_503() {
    for refusals in [[429; 3], [503; 3]] {
        check_refused(&Proxied::open(&refusals, &[]).run("tracking.py", &["gzip", "segment"]), &refusals);
    }
}

pub(crate) fn rudderstack_node_is_served_in_full_batches() {
    let sent = Proxied::open(&[], &[]).run("rudder_node.mjs", &[]);
    assert!(sent.iter().all(|sent| sent.is_gzip), "{sent:?}");
    assert!(sent.iter().all(|sent| sent.content_type == "application/x-www-form-urlencoded"), "{sent:?}");
}

pub(crate) fn rudderstack_node_loses_nothing_to_429_and_503() {
    // It gives up after three retries of a batch.
    for refusals in [[429; 3], [503; 3]] {
        check_refused(&Proxied::open(&refusals, &[]).run("rudder_node.mjs", &[]), &refusals);
    }
}

pub(crate) fn rudderstack_python_is_served_with_and_without_gzip() {
    for (encoding, is_gzip) in [("plain", false), ("gzip", true)] {
        let sent = Proxied::open(&[], &[]).run("tracking.py", &[encoding, "rudderstack"]);
        assert!(sent.iter().all(|sent| sent.is_gzip == is_gzip), "{sent:?}");
        assert_eq!(sent.iter().any(|sent| 400_000 < sent.n_bytes), !is_gzip, "{sent:?}");
    }
}

pub(crate) fn rudderstack_python_loses_nothing_to_429_and_503() {
    for refusals in [[429; 3], [503; 3]] {
        check_refused(&Proxied::open(&refusals, &[]).run("tracking.py", &["gzip", "rudderstack"]), &refusals);
    }
}

pub(crate) fn a_client_that_is_over_its_rate_loses_nothing() {
    // One request a second, and a shop that has four to send.
    for (script, more) in [("segment_node.mjs", &[][..]), ("tracking.py", &["plain", "segment"])] {
        let world = Proxied::open(&[], &[("PODIUM_EVENT_RATE_PER_KEY", "1")]);
        let n_requests = world.run(script, more).len();
        let n_shed = world.shop.admin.get("/metrics").text().lines().any(|line| {
            line.starts_with("podium_requests_shed_total{reason=\"rate_limited\"}") && !line.ends_with(" 0")
        });
        assert!(n_shed && 4 < n_requests, "{script} was held back: {n_requests} requests");
    }
}

pub(crate) fn a_wrong_key_is_told_once_and_for_all() {
    let world = Proxied::open(&[], &[]);
    let arguments = [world.proxy.url(), "podium_srv_000000000000_0", "10", "10"];
    let said = world.clients.node_fails("segment_node.mjs", &arguments);
    assert!(said.contains("401"), "it says that nothing was delivered: {said}");
    assert_eq!(world.proxy.sent().len(), 1, "and does not try again");
    assert_eq!(world.events(), Vec::<Value>::new());
}

/// Has a page send, and returns what came.
fn browse(world: &Proxied, n_events: usize, strategy: &str) -> Vec<Value> {
    let (key, count) = (world.shop.podium.key("publishable"), n_events.to_string());
    let server = world.shop.podium.key("server");
    let arguments = [world.proxy.url(), &key, &count, world.shop.podium.url(), &server, strategy];
    world.clients.node("segment_browser.mjs", &arguments);
    let events = world.events();
    assert!(events.iter().all(|event| event["scope"] == "publishable"), "{events:?}");
    let mut types: Vec<String> =
        events.iter().map(|event| text(event, "type")).filter(|event_type| event_type != "track").collect();
    types.sort();
    assert_eq!(types, ["alias", "group", "identify", "page"]);
    assert_eq!(of_name(&events, "Product Added").count(), n_events, "nothing twice");
    assert_eq!(world.listed("status=rejected"), Vec::<Value>::new());
    events
}

pub(crate) fn segments_browser_client_is_served() {
    let world = Proxied::open(&[], &[]);
    let events = browse(&world, 20, "standard");
    let added: BTreeSet<String> =
        of_name(&events, "Product Added").map(|event| text(event, "unit")).collect();
    assert_eq!(added.len(), 1, "of one shopper: {added:?}");
    let sent = world.proxy.sent();
    assert!(sent.iter().all(|sent| sent.content_type.starts_with("text/plain")), "{sent:?}");
    let paths: BTreeSet<&str> = sent.iter().map(|sent| sent.path.as_str()).collect();
    assert_eq!(json!(paths), json!(["/v1/a", "/v1/g", "/v1/i", "/v1/p", "/v1/t"]));
}

pub(crate) fn segments_browser_client_is_served_in_batches() {
    let world = Proxied::open(&[], &[]);
    browse(&world, 20, "batching");
    let sent = world.proxy.sent();
    assert!(sent.iter().all(|sent| sent.path == "/v1/b") && sent.len() < 10, "{sent:?}");
}

pub(crate) fn segments_browser_client_loses_nothing_to_429() {
    let refusals = [429; 3];
    let world = Proxied::open(&refusals, &[]);
    browse(&world, 10, "standard");
    check_refused(&world.proxy.sent(), &refusals);
}
