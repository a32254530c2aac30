//! How much an OpenFeature client may ask for, and what pages of other origins may read.

use super::ofrep::one;
use crate::harness::{Answer, Book, Engine, Shop, experiment, named};
use serde_json::json;

const ALL: &str = "/ofrep/v1/evaluate/flags";

pub(crate) fn promises(book: &mut Book) {
    book.both(named!(too_many_evaluations_are_turned_away_with_the_time_to_wait));
    book.both(named!(behind_a_proxy_each_visitor_has_an_allowance));
    book.both(named!(a_page_of_another_origin_may_read_every_answer));
    book.both(named!(a_preflight_is_answered_without_a_key));
}

#[track_caller]
fn check_turned_away(answer: &Answer) {
    assert_eq!(answer.status, 429, "{answer}");
    let seconds = answer.header("retry-after").and_then(|seconds| seconds.parse::<u32>().ok());
    assert!(seconds.is_some_and(|seconds| (1..=5).contains(&seconds)), "Retry-After: {seconds:?}");
    assert!(answer.json()["errorDetails"].is_string(), "{answer}");
}

pub(crate) fn too_many_evaluations_are_turned_away_with_the_time_to_wait(engine: Engine) {
    let shop = Shop::with(engine, Vec::new(), &[("PODIUM_EVALUATIONS_PER_ADDRESS", "1")]);
    shop.run(&experiment("banner", &["control", "b"]));
    let page = shop.podium.client("publishable");
    let ann = json!({"context": {"targetingKey": "ann"}});
    let by_address = "/api/v1/decide/banner?targetingKey=ann";
    // Four at once, and then one a second: the pause between two requests is far less.
    let mut answers: Vec<Answer> = (0..12).map(|_| page.post(ALL, &ann)).collect();
    answers.extend((0..4).map(|_| page.post(&one("banner"), &ann)));
    answers.extend((0..4).map(|_| page.get(by_address)));
    let n_served = answers.iter().filter(|answer| answer.status == 200).count();
    assert!((4..12).contains(&n_served), "{n_served} were served");
    let refused: Vec<_> = answers.iter().filter(|answer| answer.status != 200).collect();
    for answer in &refused {
        check_turned_away(answer);
    }
    // Servers have an allowance of their own.
    let server = shop.podium.client("server");
    assert!((0..12).all(|_| server.post(ALL, &ann).status == 200));
    assert!((0..12).all(|_| server.get(by_address).status == 200));
    let shed = shop.admin.get("/metrics").text();
    let shed = shed.lines().find(|line| line.starts_with("podium_requests_shed_total")).map(str::to_owned);
    assert_eq!(
        shed,
        Some(format!(r#"podium_requests_shed_total{{reason="rate_limited"}} {}"#, refused.len()))
    );
}

pub(crate) fn behind_a_proxy_each_visitor_has_an_allowance(engine: Engine) {
    let limits = [("PODIUM_EVALUATIONS_PER_ADDRESS", "1"), ("PODIUM_TRUSTED_PROXY", "127.0.0.1,10.0.0.1")];
    let shop = Shop::with(engine, Vec::new(), &limits);
    let page = shop.podium.client("publishable");
    let ask = |from: &str| {
        let body = br#"{"context":{"targetingKey":"ann"}}"#;
        page.call("POST", ALL, &[("X-Forwarded-For", from)], Some(body)).status
    };
    for visitor in 1..=20 {
        // What a visitor says of the way before is not believed.
        let from = format!("192.0.2.99, 203.0.113.{visitor}, 10.0.0.1");
        assert_eq!((ask(&from), ask(&from)), (200, 200), "visitor {visitor}");
    }
    let n_served = (0..20).filter(|n| ask(&format!("192.0.2.{n}, 203.0.113.200")) == 200).count();
    assert!(n_served < 20, "it is one visitor: {n_served}");
}

pub(crate) fn a_page_of_another_origin_may_read_every_answer(engine: Engine) {
    let shop = Shop::open(engine);
    shop.run(&experiment("banner", &["control", "b"]));
    let page = shop.podium.client("publishable");
    let origin = ("Origin", "https://shop.example");
    let ann: &[u8] = br#"{"context":{"targetingKey":"ann"}}"#;
    let etag = page.call("POST", ALL, &[], Some(ann)).etag();
    let stranger = page.with_key(None);
    let banner = one("banner");
    for (answer, status) in [
        (page.call("POST", ALL, &[origin], Some(ann)), 200),
        (page.call("POST", ALL, &[origin, ("If-None-Match", &etag)], Some(ann)), 304),
        (page.call("POST", &banner, &[origin], Some(ann)), 200),
        (page.call("POST", &banner, &[origin], Some(b"{")), 400),
        (page.call("POST", &one("nothing"), &[origin], Some(ann)), 404),
        (page.call("GET", "/ofrep/v1/nothing", &[origin], None), 404),
        (page.call("GET", ALL, &[origin], None), 405),
        (stranger.call("POST", ALL, &[origin], Some(ann)), 401),
        (stranger.call("GET", "/ofrep/v1/stream?channel=x", &[origin], None), 401),
    ] {
        assert_eq!(answer.status, status, "{answer}");
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "{answer}");
        assert_eq!(answer.header("vary"), Some("origin"), "{answer}");
        assert_eq!(answer.header("access-control-allow-credentials"), None, "{answer}");
        let exposed = answer.header("access-control-expose-headers").unwrap_or_default();
        let exposed: Vec<&str> = exposed.split(", ").collect();
        assert!(exposed.contains(&"etag") && exposed.contains(&"retry-after"), "{exposed:?}");
    }
    let closed = page.call("GET", "/api/v1/decide/banner?targetingKey=ann", &[origin], None);
    assert_eq!(closed.header("access-control-allow-origin"), None, "our own API is for no page");
}

pub(crate) fn a_preflight_is_answered_without_a_key(engine: Engine) {
    let shop = Shop::open(engine);
    let stranger = shop.admin.with_key(None);
    let asked = [
        ("Origin", "https://shop.example"),
        ("Access-Control-Request-Method", "POST"),
        ("Access-Control-Request-Headers", "authorization,content-type,if-none-match"),
    ];
    for path in [ALL, &one("banner"), "/ofrep/v1/stream", "/ofrep/v1/nothing", "/ofrep/v2"] {
        let answer = stranger.call("OPTIONS", path, &asked, None);
        assert_eq!((answer.status, answer.body.len()), (204, 0), "{path}: {answer}");
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "{path}");
        assert_eq!(answer.header("access-control-max-age"), Some("7200"), "{path}");
        let allowed = answer.header("access-control-allow-headers").unwrap_or_default();
        let allowed: Vec<&str> = allowed.split(", ").collect();
        for name in [
            "authorization",
            "content-type",
            "if-none-match",
            "x-api-key",
            "x-retry-count",
            "traceparent",
            "tracestate",
        ] {
            assert!(allowed.contains(&name), "{name} is not among {allowed:?}");
        }
        let methods = answer.header("access-control-allow-methods").unwrap_or_default();
        assert!(methods.contains("POST") && methods.contains("GET"), "{methods}");
    }
}
