//! Apple's push service, as its documentation describes it.

use crate::channel::{Letter, Mobile, TTL_S, check, logged, now_ms};
use crate::double::{Does, Double, Got, Speaks, nobody};
use crate::token::verified;
use hyper::Version;
use podium_plugin_host::{ChannelFault, OutcomeStatus as Is};
use ring::signature::ECDSA_P256_SHA256_FIXED;
use serde_json::{Value, json};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

const TOKEN: &str = "00fc13adff785122b4ad28809a3420982341241421348097878e577c991de8f0";

pub(crate) fn key() -> &'static rcgen::KeyPair {
    static KEY: OnceLock<rcgen::KeyPair> = OnceLock::new();
    KEY.get_or_init(|| rcgen::KeyPair::generate().unwrap())
}

fn config(endpoint: &str) -> Value {
    json!({ "apns": {
        "team_id": "TEAM123456",
        "key_id": "KEY1234567",
        "private_key": { "secret": "APNS" },
        "topic": "com.example.shop",
        "endpoint": endpoint,
    } })
}

fn address() -> Value {
    json!({ "apns": { "token": TOKEN } })
}

/// A double that answers each request alike, and the channel that sends there.
fn answering(does: impl Fn() -> Does + Send + Sync + 'static) -> (Double, Mobile) {
    let double = Double::start(Speaks::Http2, move |_| does());
    let mobile = Mobile::new(&config(&double.url()));
    (double, mobile)
}

/// A double that does one thing with the first request and another with all others.
fn first_then(first: fn() -> Does, then: fn() -> Does) -> (Double, Mobile) {
    let n_requests = AtomicUsize::new(0);
    answering(move || if n_requests.fetch_add(1, Ordering::Relaxed) == 0 { first() } else { then() })
}

fn refusal(status: u16, reason: &str) -> Does {
    Does::json(status, &json!({ "reason": reason }))
}

#[track_caller]
fn token(got: &Got) -> (Value, Value) {
    let token = got.header("authorization").strip_prefix("bearer ").unwrap();
    verified(token, &ECDSA_P256_SHA256_FIXED, key().public_key_raw())
}

#[test]
fn a_notification_is_sent_as_apple_wants_it() {
    let (double, mobile) = answering(|| Does::answer(200).with("apns-id", "A-1"));
    let content = json!({
        "title": "Hi {{ name }}", "body": "Come in", "url": "https://shop.example/", "image": "https://i.example/a.png",
        "data": { "cart": "7" },
    });
    let delivery = mobile.send_letter(&address(), &Letter { content, ..Letter::default() });
    check(&delivery, (Is::Accepted, None, ""));
    assert_eq!(delivery.outcome.provider_id, "A-1");

    let got = &double.got()[0];
    assert_eq!((got.version, got.path.as_str()), (Version::HTTP_2, format!("/3/device/{TOKEN}").as_str()));
    assert_eq!(got.header("apns-topic"), "com.example.shop");
    assert_eq!(got.header("apns-push-type"), "alert");
    assert_eq!(got.header("apns-id"), "116b88f1-7300-8be5-a05d-f2a87105f095");
    assert_eq!(got.header("apns-collapse-id"), "EWuI8XMAe-XgXfKocQXwlQvvKE0M7KOZ");
    let expires_s: i64 = got.header("apns-expiration").parse().unwrap();
    let expected_s = now_ms() / 1_000 + TTL_S;
    assert!((expected_s - 20..=expected_s + 1).contains(&expires_s), "{expires_s}");
    assert_eq!(
        got.json(),
        json!({
            "aps": { "alert": { "title": "Hi Ann \"A\"", "body": "Come in" }, "mutable-content": 1 },
            "url": "https://shop.example/", "image": "https://i.example/a.png", "cart": "7", "decision_id": "d-1",
        })
    );
    let (header, claims) = token(got);
    assert_eq!(header, json!({ "alg": "ES256", "kid": "KEY1234567" }));
    assert_eq!(claims["iss"], "TEAM123456");
    let age_s = now_ms() / 1_000 - claims["iat"].as_i64().unwrap();
    assert!((0..20).contains(&age_s), "{age_s}");
}

#[test]
fn what_replaces_each_other_has_one_id() {
    let (double, mobile) = answering(|| Does::answer(200));
    for (key, collapse_key) in [("a", ""), ("a", ""), ("b", "cart"), ("c", "cart")] {
        mobile.send_letter(&address(), &Letter { key, collapse_key, ..Letter::default() });
    }
    let got = double.got();
    let ids: Vec<_> = got.iter().map(|got| (got.header("apns-id"), got.header("apns-collapse-id"))).collect();
    assert_eq!(ids[0], ids[1]);
    assert_ne!(ids[2].0, ids[3].0);
    assert_eq!(ids[2].1, ids[3].1);
    assert_ne!(ids[0].1, ids[2].1);
    assert!(ids.iter().all(|(_, collapse_id)| collapse_id.len() <= 64));
}

#[test]
fn one_connection_and_one_token_serve_many_calls() {
    let (double, mobile) = answering(|| Does::answer(200));
    thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| (0..4).for_each(|_| check(&mobile.send(&address()), (Is::Accepted, None, ""))));
        }
    });
    let got = double.got();
    assert_eq!((got.len(), double.n_connections()), (64, 1));
    assert!(got.iter().all(|one| one.header("authorization") == got[0].header("authorization")));
}

#[test]
fn every_answer_has_its_outcome() {
    for (status, reason, retry_after, expected) in [
        (200, "", None, (Is::Accepted, None, "")),
        (400, "BadDeviceToken", None, (Is::Rejected, None, "HTTP 400: BadDeviceToken")),
        (400, "DeviceTokenNotForTopic", None, (Is::Rejected, None, "HTTP 400: DeviceTokenNotForTopic")),
        (400, "BadTopic", None, (Is::Rejected, None, "HTTP 400: BadTopic")),
        (404, "BadPath", None, (Is::Rejected, None, "HTTP 404: BadPath")),
        (405, "MethodNotAllowed", None, (Is::Rejected, None, "HTTP 405: MethodNotAllowed")),
        (410, "Unregistered", None, (Is::TargetGone, None, "")),
        (410, "ExpiredToken", None, (Is::TargetGone, None, "")),
        (413, "PayloadTooLarge", None, (Is::TooLarge, None, "")),
        (429, "TooManyProviderTokenUpdates", None, (Is::RateLimited, Some(1_200), "")),
        (429, "TooManyRequests", None, (Is::Deferred, Some(60), "")),
        (429, "", Some("7"), (Is::RateLimited, Some(7), "")),
        (500, "InternalServerError", None, (Is::Deferred, Some(30), "")),
        (503, "ServiceUnavailable", Some("120"), (Is::Deferred, Some(120), "")),
        (503, "Shutdown", None, (Is::Deferred, Some(30), "")),
        (302, "", None, (Is::Rejected, None, "HTTP 302: redirects are not followed")),
        (400, "<b>\r\n", None, (Is::Rejected, None, "HTTP 400: b")),
    ] {
        let (double, mobile) = answering(move || {
            let does = refusal(status, reason);
            retry_after.map_or_else(|| refusal(status, reason), |after| does.with("retry-after", after))
        });
        check(&mobile.send(&address()), expected);
        assert_eq!(double.got().len(), 1);
    }
}

#[test]
fn refused_tokens_are_renewed_once() {
    for reason in ["ExpiredProviderToken", "InvalidProviderToken"] {
        let (double, mobile) = answering(move || refusal(403, reason));
        check(&mobile.send(&address()), (Is::AuthFailed, None, ""));
        assert_eq!(double.got().len(), 2);
        check(&mobile.send(&address()), (Is::AuthFailed, None, ""));
        assert_eq!(double.got().len(), 3, "another renewal would come too soon");
        assert!(logged().contains(&format!("apns: HTTP 403: {reason}")));
    }
    let (double, mobile) = first_then(|| refusal(403, "ExpiredProviderToken"), || Does::answer(200));
    check(&mobile.send(&address()), (Is::Accepted, None, ""));
    assert_eq!(double.got().len(), 2);
}

#[test]
fn a_server_that_goes_away_is_left() {
    let (double, mobile) = first_then(|| Does::Leaves(200), || Does::answer(200));
    for _ in 0..3 {
        check(&mobile.send(&address()), (Is::Accepted, None, ""));
    }
    assert_eq!((double.got().len(), double.n_connections()), (3, 2));
}

#[test]
fn a_request_that_was_not_processed_comes_again() {
    let (_double, mobile) = answering(|| Does::Refuses);
    check(&mobile.send(&address()), (Is::Deferred, Some(30), ""));
    let mobile = Mobile::new(&config(&nobody()));
    check(&mobile.send(&address()), (Is::Deferred, Some(30), ""));
}

#[test]
fn the_head_of_an_answer_is_enough() {
    let (double, mobile) = first_then(|| Does::Drips(410), || Does::answer(200));
    check(&mobile.send(&address()), (Is::TargetGone, None, ""));
    check(&mobile.send(&address()), (Is::Accepted, None, ""));
    assert_eq!(double.n_connections(), 1);
    let (_double, mobile) = answering(|| Does::Drips(410));
    let letter = Letter { within: Duration::from_millis(800), ..Letter::default() };
    check(&mobile.send_letter(&address(), &letter), (Is::TargetGone, None, ""));
}

#[test]
fn no_answer_is_unknown() {
    let (_double, mobile) = answering(|| Does::Hangs);
    let delivery =
        mobile.send_letter(&address(), &Letter { within: Duration::from_millis(800), ..Letter::default() });
    check(&delivery, (Is::Unknown, None, "no answer in time"));
    let (double, mobile) = first_then(|| Does::Closes, || Does::answer(200));
    assert_eq!(mobile.send(&address()).outcome.status, Is::Unknown);
    check(&mobile.send(&address()), (Is::Accepted, None, ""));
    assert_eq!(double.n_connections(), 2);
}

#[test]
fn what_is_too_large_never_leaves() {
    let (double, mobile) = answering(|| Does::answer(200));
    let with_body = |len: usize| {
        let content = json!({ "title": "a", "body": "é".repeat(len / 2) });
        mobile.send_letter(&address(), &Letter { content, ..Letter::default() })
    };
    check(&with_body(4_090), (Is::TooLarge, None, ""));
    assert!(double.got().is_empty());
    check(&with_body(4_000), (Is::Accepted, None, ""));
}

#[test]
fn addresses_stay_in_their_place() {
    let (double, mobile) = answering(|| Does::answer(200));
    for token in ["", "../../x", "00/", "zz", "00\n"] {
        let delivery = mobile.send(&json!({ "apns": { "token": token } }));
        let text = "/apns/token: it has characters besides hexadecimal digits";
        check(&delivery, (Is::Rejected, None, text));
    }
    let delivery = mobile.send(&json!({ "apns": { "token": "00", "topic": "a\r\nb: c" } }));
    check(&delivery, (Is::Rejected, None, "/apns/topic: it is no bundle id"));
    assert!(double.got().is_empty());
    let delivery = mobile.send(&json!({ "apns": { "token": "00", "topic": "com.example.other" } }));
    check(&delivery, (Is::Accepted, None, ""));
    assert_eq!(double.got()[0].header("apns-topic"), "com.example.other");
}

#[test]
fn health_is_a_connection() {
    let (double, mobile) = answering(|| Does::answer(200));
    mobile.health().unwrap();
    assert_eq!((double.n_connections(), double.got().len()), (1, 0));
    let fault = Mobile::new(&config(&nobody())).health().unwrap_err();
    let ChannelFault::Refused { text, .. } = &fault else { panic!("{fault}") };
    assert!(text.starts_with("apns: no connection: "), "{text}");
}
