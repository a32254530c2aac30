//! What each class of provider promises, kept while server and adapter are killed at every step of a message's way.

use crate::harness::{
    Book, Engine, MailServer, Profile, Random, Receiver, Reply, Shop, eventually, experiment, named, profile,
    soon,
};
use crate::messages::{with_desk, with_mail};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

pub(crate) fn promises(book: &mut Book) {
    book.both(named!(keyed_messages_arrive_once_through_every_crash));
    book.both(named!(marketing_mail_arrives_at_most_once_through_every_crash));
    book.both(named!(mail_that_is_waited_for_arrives_through_every_crash));
}

/// Every step at which the server may end.
const PLACES: [&str; 7] = [
    "before-queued",
    "after-queued",
    "after-claim",
    "before-begin",
    "after-begin",
    "before-settled",
    "after-settled",
];

/// The other database has less to prove.
fn n_requests(engine: Engine) -> usize {
    if engine == Engine::Sqlite || profile() == Profile::Full { 10 } else { 2 }
}

const PER_REQUEST: usize = 1_000;
const ALL_WITHIN: Duration = Duration::from_mins(4);

/// Sends all requests through a server that ends at every step, and an adapter that is killed now and then; returns
/// the messages by their ids.
fn send_through_crashes(
    (shop, n_requests): (&mut Shop, usize),
    plugin: &str,
    request: impl Fn(usize) -> Value,
) -> BTreeMap<String, Value> {
    let adapter = shop.plugin(plugin)["sha256"].as_str().unwrap().to_owned();
    let mut random = Random::new(11);
    let mut messages = BTreeMap::new();
    let mut asked = 0;
    for round in 0..2 * PLACES.len() {
        let place = PLACES[round % PLACES.len()];
        let nth = if place.ends_with("queued") { 1 } else { 1 + random.below(3 * n_requests) };
        shop.podium.restart_to_crash(&format!("{place}:{nth}"));
        shop.admin = shop.podium.client("admin");
        // What comes with a request needs a new one.
        let mut is_reached = !place.ends_with("queued");
        while asked < n_requests {
            let body = request(asked).to_string();
            let key = format!("request-{asked}");
            let headers = [("Idempotency-Key", key.as_str())];
            let asking = shop.admin.try_call("POST", "/api/v1/messages", &headers, Some(body.as_bytes()));
            let Ok(answer) = asking else {
                // The server has ended before it answered: the same request again.
                is_reached = true;
                break;
            };
            // It may have been queued before such an end.
            is_reached |= answer.header("idempotency-replayed").is_none();
            keep(&mut messages, &answer.expect(202)["data"]);
            asked += 1;
            if is_reached {
                break;
            }
        }
        if round % 3 == 2 {
            shop.podium.kill_children(&adapter);
        }
        if is_reached {
            let what = format!("it has come to {place} {nth} times and ended");
            soon(&what, || (!shop.podium.is_running()).then_some(()));
        }
    }
    shop.restart();
    for number in asked..n_requests {
        let sent = shop.send_messages(&format!("request-{number}"), &request(number));
        keep(&mut messages, &json!(sent));
    }
    for number in 0..asked {
        // What was asked for is known by the same key.
        let again = shop.send_messages(&format!("request-{number}"), &request(number));
        keep(&mut messages, &json!(again));
    }
    let n_all = n_requests * PER_REQUEST;
    assert_eq!(messages.len(), n_all);
    // The adapter is killed while it is busy: when so many messages are left.
    let mut kills_at = [1, 2, 3].map(|quarters| (n_all * quarters / 4) as u64).to_vec();
    let mut n_killed = 0;
    eventually("everything has come to its end", ALL_WITHIN, || {
        let n_left = shop.metric("podium_outbox_pending")?;
        if kills_at.pop_if(|kill_at| n_left <= *kill_at).is_some() {
            n_killed += shop.podium.kill_children(&adapter);
        }
        (n_left == 0).then_some(())
    });
    assert_ne!(n_killed, 0, "no adapter was killed");
    let mut ended = BTreeMap::new();
    let mut cursor = String::new();
    loop {
        let page = shop.admin.get(&format!("/api/v1/messages?limit=500{cursor}")).expect(200);
        keep(&mut ended, &page["data"]);
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert!(ended.keys().eq(messages.keys()), "the outbox has every message, and no other");
    ended
}

fn keep(messages: &mut BTreeMap<String, Value>, list: &Value) {
    for message in list.as_array().unwrap() {
        messages.insert(message["id"].as_str().unwrap().to_owned(), message.clone());
    }
}

/// How many messages are in each state.
fn states(messages: &BTreeMap<String, Value>) -> BTreeMap<String, usize> {
    let mut states = BTreeMap::new();
    for message in messages.values() {
        *states.entry(message["state"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    states
}

/// Checks that exactly the messages that were sent count as exposures.
fn check_exposures(shop: &mut Shop, n_sent: usize) {
    let report = shop.report("blast");
    let units: i64 = report.0["variants"]
        .as_array()
        .unwrap()
        .iter()
        .map(|variant| variant["units"].as_i64().unwrap())
        .sum();
    assert_eq!(units as usize, n_sent, "an exposure for each message that was sent, and no other");
    shop.check_rebuild();
}

fn to(number: usize, address: impl Fn(usize) -> Value) -> Value {
    let all = (number * PER_REQUEST..(number + 1) * PER_REQUEST)
        .map(|n| json!({"unit": format!("u{n}"), "address": address(n)}));
    all.collect()
}

pub(crate) fn keyed_messages_arrive_once_through_every_crash(engine: Engine) {
    // Now and then the endpoint takes a message and does not say so.
    let receiver = Receiver::new(|_, n| if n % 397 == 200 { Reply::Nothing } else { Reply::Status(200, "") });
    let mut shop = with_desk(engine, &receiver);
    shop.run(&experiment("blast", &["a", "b"]));
    let request = |number| json!({"channel": "desk", "flag": "blast", "to": to(number, |n| json!(format!("desk-{n}")))});
    let messages = send_through_crashes((&mut shop, n_requests(engine)), "com.example.webhook", request);
    let n_all = n_requests(engine) * PER_REQUEST;
    assert_eq!(states(&messages), BTreeMap::from([("sent".to_owned(), n_all)]));
    let mut keys: HashMap<String, HashSet<String>> = HashMap::new();
    let posted = receiver.posted();
    for posted in &posted {
        let body: Value = serde_json::from_str(&posted.body).unwrap();
        keys.entry(body["data"]["to"].as_str().unwrap().to_owned()).or_default().insert(posted.id.clone());
    }
    let n_repeats = posted.len() - n_all;
    println!("{n_all} messages, {n_repeats} came again with the same key");
    assert_eq!(keys.len(), n_all, "lost");
    assert!(keys.values().all(|keys| keys.len() == 1), "twice, under two keys");
    // Without a key the endpoint would have had these twice: the crashes hit where it hurts.
    assert_ne!(n_repeats, 0);
    check_exposures(&mut shop, n_all);
}

fn mail(number: usize, purpose: &str) -> Value {
    let address = |n| json!({"email": format!("u{n}@example.com")});
    json!({"channel": "mail", "flag": "blast", "purpose": purpose, "to": to(number, address)})
}

fn blast(shop: &Shop) {
    let mut definition = experiment("blast", &["a", "b"]);
    for variant in [0, 1] {
        definition["variants"][variant]["content"] = json!({"subject": "Sale", "text": "Today"});
    }
    shop.run(&definition);
}

/// How many mails each address got, and whether all of one address are the same mail.
fn arrivals(server: &MailServer) -> HashMap<String, usize> {
    let mut ids: HashMap<String, Vec<String>> = HashMap::new();
    for mail in server.taken() {
        ids.entry(mail.to.clone()).or_default().push(mail.header("Message-ID").unwrap());
    }
    for (address, ids) in &ids {
        assert!(ids.windows(2).all(|pair| pair[0] == pair[1]), "{address} has several Message-IDs: {ids:?}");
    }
    ids.into_iter().map(|(address, ids)| (address, ids.len())).collect()
}

pub(crate) fn marketing_mail_arrives_at_most_once_through_every_crash(engine: Engine) {
    let server = MailServer::new(|n| n % 397 == 200);
    let mut shop = with_mail(engine, &server);
    blast(&shop);
    let messages = send_through_crashes((&mut shop, n_requests(engine)), "podium.email", |number| {
        mail(number, "marketing")
    });
    let states = states(&messages);
    let arrivals = arrivals(&server);
    println!("{states:?}, {} arrived", arrivals.len());
    assert!(arrivals.values().all(|n| *n == 1), "twice");
    let (n_sent, n_unknown) = (states["sent"], states["unknown"]);
    assert_eq!(n_sent + n_unknown, n_requests(engine) * PER_REQUEST);
    for message in messages.values().filter(|message| message["state"] == "sent") {
        let address = message["address"]["email"].as_str().unwrap();
        assert!(arrivals.contains_key(address), "{address} did not get what counts as sent");
    }
    // Only what was under way at a crash is not known.
    assert!((1..=8 * 30).contains(&n_unknown), "{n_unknown} messages are unknown");
    check_exposures(&mut shop, n_sent);
}

pub(crate) fn mail_that_is_waited_for_arrives_through_every_crash(engine: Engine) {
    let server = MailServer::new(|n| n % 397 == 200);
    let mut shop = with_mail(engine, &server);
    blast(&shop);
    let messages = send_through_crashes((&mut shop, n_requests(engine)), "podium.email", |number| {
        mail(number, "transactional")
    });
    let n_all = n_requests(engine) * PER_REQUEST;
    assert_eq!(states(&messages), BTreeMap::from([("sent".to_owned(), n_all)]));
    let arrivals = arrivals(&server);
    let n_repeats = arrivals.values().sum::<usize>() - n_all;
    println!("{n_all} mails, {n_repeats} came again with the same Message-ID");
    assert_eq!(arrivals.len(), n_all, "lost");
    assert_ne!(n_repeats, 0);
    check_exposures(&mut shop, n_all);
}
