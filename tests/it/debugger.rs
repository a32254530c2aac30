//! The events debugger: what arrived, what was wrong with it, and nobody has to guess.

use crate::harness::events::{history, track};
use crate::harness::{Answer, Book, Engine, Shop, experiment, named};
use serde_json::{Value, json};

pub(crate) fn promises(book: &mut Book) {
    book.both(named!(events_are_listed_page_by_page_and_by_name));
    book.both(named!(decisions_do_not_hide_events));
    book.both(named!(the_last_thousand_rejected_events_are_kept));
    book.both(named!(hostile_texts_are_texts_on_the_page));
    book.once(named!(the_page_is_for_whoever_may_read_and_found_from_the_first_one));
}

fn numbered(number: usize) -> Value {
    let name = if number.is_multiple_of(3) { "Third" } else { "Seen" };
    track("ann", name, &format!("m-{number}"), history(), &json!({}))
}

/// The ids of all pages, from the newest, following the links.
fn all_pages(shop: &Shop, first: &str) -> Vec<String> {
    let (mut path, mut ids) = (format!("/api/v1/events?{first}"), Vec::new());
    loop {
        let answer = shop.admin.get(&path);
        let body = answer.expect(200);
        let page = body["data"].as_array().unwrap();
        ids.extend(page.iter().map(|event| event["message_id"].as_str().unwrap().to_owned()));
        let Some(link) = answer.header("link") else { break };
        assert!(body["next_cursor"].is_i64(), "{body}");
        link.trim_start_matches('<').split('>').next().unwrap().clone_into(&mut path);
    }
    ids
}

pub(crate) fn events_are_listed_page_by_page_and_by_name(engine: Engine) {
    let mut shop = Shop::open(engine);
    for number in 0..10 {
        shop.send(&[
            numbered(number),
            json!({"userId": "ann", "messageId": format!("bad-{number}"), "event": ""}),
        ]);
    }
    shop.restart();
    let newest_first = |prefix: &str, is_in: fn(&usize) -> bool| -> Vec<String> {
        (0..10).rev().filter(is_in).map(|number| format!("{prefix}-{number}")).collect()
    };
    assert_eq!(all_pages(&shop, "status=accepted&limit=3"), newest_first("m", |_| true));
    assert_eq!(all_pages(&shop, "status=rejected&limit=4"), newest_first("bad", |_| true));
    let thirds = newest_first("m", |number| number.is_multiple_of(3));
    assert_eq!(all_pages(&shop, "status=accepted&name=Third&limit=2"), thirds);
    assert_eq!(all_pages(&shop, "status=rejected&name=track"), newest_first("bad", |_| true), "by type");
    assert_eq!(all_pages(&shop, "status=accepted&name=%00"), [""; 0]);
    for query in [
        "",
        "status=other",
        "status=accepted&limit=501",
        "status=accepted&cursor=x",
        "status=accepted&more=1",
    ] {
        assert_eq!(
            shop.admin.get(&format!("/api/v1/events?{query}")).problem(400).slug,
            "invalid-query",
            "{query}"
        );
    }
    shop.podium.client("publishable").get("/api/v1/events?status=accepted").problem(403);
}

pub(crate) fn decisions_do_not_hide_events(engine: Engine) {
    let shop = Shop::open(engine);
    shop.run(&experiment("banner", &["control", "b"]));
    shop.log(&[numbered(1)]);
    let units: Vec<String> = (0..2_000).map(|number| format!("u-{number}")).collect();
    shop.decide_all(&units, "banner");
    shop.log(&[numbered(2)]);
    assert_eq!(all_pages(&shop, "status=accepted"), ["m-2", "m-1"]);
}

pub(crate) fn the_last_thousand_rejected_events_are_kept(engine: Engine) {
    let shop = Shop::open(engine);
    let bad = |number: usize| json!({"userId": "ann", "messageId": format!("bad-{number}")});
    // At once more than are kept, and more than the largest statement could hold.
    let batch: Vec<Value> = (0..2_400).map(bad).collect();
    let answer = shop.admin.post("/api/v1/events", &json!({ "batch": batch })).expect(200);
    assert_eq!(answer["rejected"].as_array().map(Vec::len), Some(2_400));
    shop.send(&[bad(2_400)]);
    let kept = all_pages(&shop, "status=rejected&limit=500");
    let expected: Vec<String> = (1_401..=2_400).rev().map(|number| format!("bad-{number}")).collect();
    assert_eq!(kept, expected);
}

#[track_caller]
fn page(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{answer}");
    let policy = answer.header("content-security-policy").unwrap();
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
    answer.text()
}

pub(crate) fn hostile_texts_are_texts_on_the_page(engine: Engine) {
    let shop = Shop::open(engine);
    let hostile = "<script>alert(1)</script>\"'&{{7*7}}";
    let good = track(hostile, hostile, hostile, history(), &json!({}));
    let mut bad = good.clone();
    (bad["type"], bad["messageId"]) = (json!(hostile), json!("bad"));
    shop.send(&[good, bad]);
    for status in ["accepted", "rejected"] {
        let html = page(&shop.admin.get(&format!("/events?status={status}")));
        assert!(!html.contains("<script"), "{html}");
        assert!(html.contains("alert(1)") && html.contains("{{7*7}}"), "it is shown: {html}");
    }
    let html = page(&shop.admin.get("/events?status=%3Cscript%3E&name=%22%3E%3Cscript%3E"));
    assert!(!html.contains("<script"), "{html}");
    assert!(html.contains("No such event"), "{html}");
}

pub(crate) fn the_page_is_for_whoever_may_read_and_found_from_the_first_one() {
    let shop = Shop::open(Engine::Sqlite);
    let bad = json!({"userId": "ann", "messageId": "bad", "event": "Order Completed", "properties": {"revenue": "x"}});
    shop.send(&[numbered(1), bad]);
    assert!(shop.admin.get("/").text().contains("href=\"/events\""));
    let rejected = page(&shop.podium.client("server").get("/events"));
    for text in ["bad_amount", "/batch/1/properties/revenue", "Order Completed", "ann", "server"] {
        assert!(rejected.contains(text), "{text}: {rejected}");
    }
    assert!(!rejected.contains("m-1"));
    let accepted = page(&shop.admin.get("/events?status=accepted&name=Seen"));
    assert!(accepted.contains("m-1") && !accepted.contains("bad_amount"), "{accepted}");
    assert!(!page(&shop.admin.get("/events?status=accepted&name=Other")).contains("m-1"));
    assert_eq!(shop.podium.client("publishable").get("/events").status, 403);
    let asked = shop.admin.with_key(None).get("/events");
    assert_eq!(asked.status, 401);
    assert!(asked.header("www-authenticate").is_some_and(|ask| ask.starts_with("Basic")), "{asked}");
}
