//! Streams that tell OpenFeature clients to ask again.

use super::ofrep::{adaptive, learn};
use crate::harness::{Book, Client, Engine, Shop, Stream, eventually, experiment, named};
use serde_json::{Value, json};
use std::time::Duration;

const ALL: &str = "/ofrep/v1/evaluate/flags";

pub(crate) fn promises(book: &mut Book) {
    book.both(named!(a_page_that_listens_hears_of_a_published_change));
    book.both(named!(a_node_that_is_behind_learns_of_the_change_before_it_answers));
    book.both(named!(new_weights_are_told_only_where_units_follow_them));
    book.both(named!(a_page_that_comes_back_hears_what_it_missed));
    book.both(named!(streams_end_when_the_server_stops_and_say_when_to_come_again));
    book.both(named!(a_channel_opens_its_stream_and_nothing_else));
    book.both(named!(streams_of_one_address_are_bounded));
    book.both(named!(a_stream_is_below_the_path_where_people_reach_the_server));
}

/// Where a client with this key is told to listen.
#[track_caller]
fn address(client: &Client) -> String {
    let answer = client.post(ALL, &json!({"context": {"targetingKey": "ann"}})).expect(200);
    let stream = &answer["eventStreams"][0];
    assert_eq!((&stream["type"], &stream["inactivityDelaySec"]), (&json!("sse"), &json!(120)), "{answer}");
    stream["endpoint"]["requestUri"].as_str().unwrap_or_else(|| panic!("no address in {answer}")).to_owned()
}

#[track_caller]
fn listen(shop: &Shop, headers: &[(&str, &str)]) -> Stream {
    let stream = Stream::open(shop.podium.url(), &address(&shop.podium.client("publishable")), headers);
    assert_eq!(stream.status(), "200", "{:?}", stream.head);
    stream
}

/// The id of what a client that listens now knows.
#[track_caller]
fn now_at(shop: &Shop) -> String {
    listen(shop, &[]).next("id").unwrap()
}

pub(crate) fn a_page_that_listens_hears_of_a_published_change(engine: Engine) {
    let shop = Shop::open(engine);
    shop.run(&experiment("banner", &["control", "b"]));
    let before = now_at(&shop);
    let mut stream = listen(&shop, &[("Origin", "https://shop.example"), ("Accept-Encoding", "gzip, br")]);
    assert_eq!(stream.header("content-type"), Some("text/event-stream"));
    assert_eq!(stream.header("cache-control"), Some("no-store"));
    assert_eq!(stream.header("x-accel-buffering"), Some("no"));
    assert_eq!(stream.header("content-encoding"), None);
    assert_eq!(stream.header("access-control-allow-origin"), Some("*"));
    assert_eq!(stream.next("retry").as_deref(), Some("5000"));
    assert_eq!(stream.next("id"), Some(before.clone()));
    shop.act("banner", "pause").expect(200);
    let id = stream.next("id").unwrap();
    assert_ne!(id, before);
    assert_eq!(stream.next("event").as_deref(), Some("message"));
    let notice: Value = serde_json::from_str(&stream.next("data").unwrap()).unwrap();
    assert_eq!(notice["type"], "refetchEvaluation", "{notice}");
    let (etag, modified) = (notice["etag"].as_str().unwrap(), notice["lastModified"].as_i64().unwrap());
    assert!((1_700_000_000..10_000_000_000).contains(&modified), "in seconds: {notice}");
    let path = format!("{ALL}?flagConfigEtag={etag}&flagConfigLastModified={modified}");
    let answer = shop.admin.post(&path, &json!({"context": {"targetingKey": "ann"}})).expect(200);
    assert_eq!(answer["flags"][0]["reason"], "DISABLED", "{answer}");
    // A client that has heard of what this node has not gets an answer all the same.
    let path = format!("{ALL}?flagConfigEtag=other&flagConfigLastModified=9999999999");
    assert_eq!(shop.admin.post(&path, &json!({"context": {"targetingKey": "ann"}})).status, 200);
}

pub(crate) fn a_node_that_is_behind_learns_of_the_change_before_it_answers(engine: Engine) {
    let shop = Shop::open(engine);
    for key in ["banner", "hero"] {
        shop.run(&experiment(key, &["control", "b"]));
    }
    let twin = shop.podium.twin();
    let ann = json!({"context": {"targetingKey": "ann"}});
    let (here, there) = (shop.podium.client("server"), twin.client("server"));
    let (first, second) = (here.post(ALL, &ann), there.post(ALL, &ann));
    assert_eq!((first.text(), first.etag()), (second.text(), second.etag()), "the same on every node");
    let mut stream = listen(&shop, &[]);
    stream.next("id").unwrap();
    shop.act("banner", "pause").expect(200);
    let notice: Value = serde_json::from_str(&stream.next("data").unwrap()).unwrap();
    let (etag, modified) = (notice["etag"].as_str().unwrap(), &notice["lastModified"]);
    let path = format!("{ALL}?flagConfigEtag={etag}&flagConfigLastModified={modified}");
    let (first, second) = (here.post(&path, &ann), there.post(&path, &ann));
    assert_eq!(second.expect(200)["flags"][0]["reason"], "DISABLED", "{second}");
    assert_eq!((first.text(), first.etag()), (second.text(), second.etag()), "and after the change");
}

pub(crate) fn new_weights_are_told_only_where_units_follow_them(engine: Engine) {
    let shop = Shop::open(engine);
    adaptive(&shop, "keeps", "sticky");
    let first = now_at(&shop);
    learn(&shop, "keeps");
    shop.patch("keeps", &json!({"traffic": 0.5})).expect(200);
    assert_ne!(now_at(&shop), first);
    shop.patch("keeps", &json!({"traffic": 1.0})).expect(200);
    assert_eq!(now_at(&shop), first, "as it was, although the weights are others");
    adaptive(&shop, "follows", "rebalance");
    let before = now_at(&shop);
    let mut stream = listen(&shop, &[]);
    stream.next("id").unwrap();
    learn(&shop, "follows");
    stream.next("event").unwrap();
    assert_ne!(now_at(&shop), before);
}

pub(crate) fn a_page_that_comes_back_hears_what_it_missed(engine: Engine) {
    let mut shop = Shop::open(engine);
    shop.run(&experiment("banner", &["control", "b"]));
    let before = now_at(&shop);
    shop.restart();
    assert_eq!(now_at(&shop), before, "a restart is no news, on no node");
    shop.act("banner", "pause").expect(200);
    assert_ne!(now_at(&shop), before);
    let mut stream = listen(&shop, &[("Last-Event-ID", &before)]);
    assert_eq!(stream.next("event").as_deref(), Some("message"));
    let mut current = listen(&shop, &[("Last-Event-ID", &now_at(&shop))]);
    current.next("id").unwrap();
    shop.act("banner", "start").expect(200);
    current.next("event").unwrap();
    assert_eq!(now_at(&shop), before, "as it was, so nobody who knows that has missed anything");
}

pub(crate) fn streams_end_when_the_server_stops_and_say_when_to_come_again(engine: Engine) {
    let mut shop = Shop::open(engine);
    let mut streams: Vec<Stream> = (0..8).map(|_| listen(&shop, &[])).collect();
    for stream in &mut streams {
        stream.next("id").unwrap();
    }
    assert!(shop.podium.stop().success());
    let mut waits = Vec::new();
    for stream in &mut streams {
        let wait: u32 = stream.next("retry").expect("when to come again").parse().unwrap();
        assert!((1_000..10_000).contains(&wait), "{wait} ms");
        assert_eq!(stream.next("retry"), None, "it has ended");
        waits.push(wait);
    }
    waits.dedup();
    assert!(1 < waits.len(), "not all at once: {waits:?}");
}

pub(crate) fn a_channel_opens_its_stream_and_nothing_else(engine: Engine) {
    let shop = Shop::open(engine);
    let stranger = shop.admin.with_key(None);
    let made = shop.admin.post("/api/v1/keys", &json!({"name": "page", "scope": "publishable"})).expect(201);
    let page = shop.admin.with_key(made["key"].as_str());
    let path = address(&page);
    let channel = path.strip_prefix("/ofrep/v1/stream?channel=").unwrap();
    let refused = |path: &str| {
        let answer = stranger.get(path);
        assert_eq!((answer.status, answer.body.len()), (401, 0), "{path}: {answer}");
    };
    for wrong in ["", "x", &channel[1..], &format!("{channel}AA"), made["key"].as_str().unwrap()] {
        refused(&format!("/ofrep/v1/stream?channel={wrong}"));
    }
    refused("/ofrep/v1/stream");
    let as_key = shop.admin.with_key(Some(channel));
    assert_eq!(as_key.post(ALL, &json!({"context": {"targetingKey": "ann"}})).status, 401);
    assert_eq!(Stream::open(shop.podium.url(), &path, &[]).status(), "200");
    let id = made["id"].as_str().unwrap();
    assert_eq!(shop.admin.call("DELETE", &format!("/api/v1/keys/{id}"), &[], None).status, 204);
    refused(&path);
}

pub(crate) fn streams_of_one_address_are_bounded(engine: Engine) {
    let shop = Shop::with(engine, Vec::new(), &[("PODIUM_STREAMS_PER_ADDRESS", "2")]);
    let path = address(&shop.podium.client("publishable"));
    let open = || Stream::open(shop.podium.url(), &path, &[]);
    let (mut first, _second) = (open(), open());
    assert_eq!(first.next("retry").as_deref(), Some("5000"));
    let third = open();
    assert_eq!(third.status(), "429", "{:?}", third.head);
    assert!(third.header("retry-after").and_then(|seconds| seconds.parse::<u32>().ok()) >= Some(1));
    // Another key has places of its own.
    let other = Stream::open(shop.podium.url(), &address(&shop.podium.client("server")), &[]);
    assert_eq!(other.status(), "200");
    drop(first);
    // That a client is gone shows when something cannot be sent to it.
    let free = || (open().status() == "200").then_some(());
    eventually("a place is free again", Duration::from_mins(2), free);
}

pub(crate) fn a_stream_is_below_the_path_where_people_reach_the_server(engine: Engine) {
    let shop = Shop::with(engine, Vec::new(), &[("PODIUM_PUBLIC_URL", "https://shop.example/podium/")]);
    let path = address(&shop.admin);
    assert!(path.starts_with("/podium/ofrep/v1/stream?channel="), "{path}");
}
