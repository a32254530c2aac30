//! Push services, and what is no push service.

use crate::channel::{Letter, Mobile, TTL_S, VAPID, check, now_ms};
use crate::double::{Does, Double, Speaks, nobody};
use crate::token::{bytes, verified};
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use p256::SecretKey;
use podium_plugin_host::OutcomeStatus as Is;
use ring::signature::ECDSA_P256_SHA256_FIXED;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// A browser's keys, from the example of RFC 8291.
const P256DH: &str =
    "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4";
const AUTH: &str = "BTBZMqHH6r4Tts7J_aSIgg";

fn mobile(allow_private: bool) -> Mobile {
    Mobile::new(&json!({ "web_push": {
        "subject": "mailto:push@shop.example",
        "private_key": { "secret": "VAPID" },
        "allow_private": allow_private,
    } }))
}

fn address(endpoint: &str) -> Value {
    let keys = json!({ "p256dh": P256DH, "auth": AUTH });
    json!({ "web_push": { "endpoint": endpoint, "expirationTime": null, "keys": keys } })
}

fn to(double: &Double) -> Value {
    address(&format!("{}/push/a?b=c", double.url()))
}

#[test]
fn a_message_is_sent_as_the_standards_want_it() {
    let double =
        Double::start(Speaks::Http1, |_| Does::answer(201).with("location", "https://push.example/m/7"));
    let mobile = mobile(true);
    let delivery = mobile.send(&to(&double));
    check(&delivery, (Is::Accepted, None, ""));
    assert_eq!(delivery.outcome.provider_id, "https://push.example/m/7");
    let got = &double.got()[0];
    assert_eq!(got.path, "/push/a?b=c");
    assert_eq!(got.header("host"), double.url().strip_prefix("http://").unwrap());
    assert_eq!(got.header("content-encoding"), "aes128gcm");
    assert_eq!(got.header("topic"), "EWuI8XMAe-XgXfKocQXwlQvvKE0M7KOZ");
    let ttl_s: i64 = got.header("ttl").parse().unwrap();
    assert!((TTL_S - 20..=TTL_S).contains(&ttl_s), "{ttl_s}");
    // Salt, record size, and the length of a point.
    assert_eq!(got.body[16..21], [0, 0, 16, 0, 65]);

    let credentials = got.header("authorization").strip_prefix("vapid t=").unwrap();
    let (token, key) = credentials.split_once(", k=").unwrap();
    let public = SecretKey::from_slice(&bytes(VAPID)).unwrap().public_key().to_sec1_bytes();
    assert_eq!(key, BASE64_URL_SAFE_NO_PAD.encode(&public));
    let (header, claims) = verified(token, &ECDSA_P256_SHA256_FIXED, &public);
    assert_eq!(header, json!({ "alg": "ES256", "typ": "JWT" }));
    assert_eq!(claims["aud"], double.url());
    assert_eq!(claims["sub"], "mailto:push@shop.example");
    let valid_s = claims["exp"].as_i64().unwrap() - now_ms() / 1_000;
    assert!((3_600..=86_400).contains(&valid_s), "{valid_s}");

    mobile.send(&to(&double));
    let again = &double.got()[1];
    assert_eq!(again.header("authorization"), got.header("authorization"), "a token is kept for its origin");
    assert_eq!(again.header("topic"), got.header("topic"));
    assert_ne!(again.body, got.body, "salt and key are new for every message");
}

#[test]
fn every_answer_has_its_outcome() {
    for (status, retry_after, expected) in [
        (200, None, (Is::Accepted, None, "")),
        (201, None, (Is::Accepted, None, "")),
        (202, None, (Is::Accepted, None, "")),
        (307, None, (Is::Rejected, None, "HTTP 307: redirects are not followed")),
        (400, None, (Is::Rejected, None, "HTTP 400")),
        (404, None, (Is::TargetGone, None, "")),
        (410, None, (Is::TargetGone, None, "")),
        (413, None, (Is::TooLarge, None, "")),
        (429, None, (Is::RateLimited, Some(60), "")),
        (429, Some("7"), (Is::RateLimited, Some(7), "")),
        (500, None, (Is::Deferred, Some(30), "")),
        (503, Some("120"), (Is::Deferred, Some(120), "")),
    ] {
        let inside = Double::start(Speaks::Http1, |_| Does::answer(201));
        let location = inside.url();
        let double = Double::start(Speaks::Http1, move |_| {
            let does = Does::answer(status).with("location", &location);
            match retry_after {
                Some(after) => does.with("retry-after", after),
                None => does,
            }
        });
        check(&mobile(true).send(&to(&double)), expected);
        assert_eq!((double.got().len(), inside.n_connections()), (1, 0));
    }
}

#[test]
fn refused_credentials_are_renewed_once() {
    for status in [401, 403] {
        let double = Double::start(Speaks::Http1, move |_| Does::answer(status));
        check(&mobile(true).send(&to(&double)), (Is::AuthFailed, None, ""));
        assert_eq!(double.got().len(), 2);
    }
    let n_requests = AtomicUsize::new(0);
    let double = Double::start(Speaks::Http1, move |_| {
        Does::answer(if n_requests.fetch_add(1, Ordering::Relaxed) == 0 { 403 } else { 201 })
    });
    check(&mobile(true).send(&to(&double)), (Is::Accepted, None, ""));
}

#[test]
fn a_subscription_for_another_key_does_not_pause_the_channel() {
    let n_requests = AtomicUsize::new(0);
    let double = Double::start(Speaks::Http1, move |_| {
        Does::answer(if n_requests.fetch_add(1, Ordering::Relaxed) == 0 { 201 } else { 403 })
    });
    let mobile = mobile(true);
    check(&mobile.send(&to(&double)), (Is::Accepted, None, ""));
    let expected = "HTTP 403: the subscription is bound to another key";
    check(&mobile.send(&to(&double)), (Is::Rejected, None, expected));
}

#[test]
fn a_connection_that_was_closed_is_not_used_again() {
    for (header, n_connections) in [("close", 3), ("keep-alive", 1)] {
        let double = Double::start(Speaks::Http1, |_| Does::answer(201).with("connection", header));
        let mobile = mobile(true);
        for _ in 0..3 {
            check(&mobile.send(&to(&double)), (Is::Accepted, None, ""));
        }
        assert_eq!(double.n_connections(), n_connections, "{header}");
    }
}

#[test]
fn the_head_of_an_answer_is_enough() {
    let n_requests = AtomicUsize::new(0);
    let double = Double::start(Speaks::Http1, move |_| match n_requests.fetch_add(1, Ordering::Relaxed) {
        0 => Does::Drips(201),
        1 => Does::Answers(201, Vec::new(), "x".repeat(1 << 20)),
        _ => Does::answer(201),
    });
    let mobile = mobile(true);
    for _ in 0..3 {
        check(&mobile.send(&to(&double)), (Is::Accepted, None, ""));
    }
    assert_eq!(double.got().len(), 3);
}

#[test]
fn no_answer_is_unknown() {
    let double = Double::start(Speaks::Http1, |_| Does::Hangs);
    let letter = Letter { within: Duration::from_millis(800), ..Letter::default() };
    check(&mobile(true).send_letter(&to(&double), &letter), (Is::Unknown, None, "no answer in time"));
    let double = Double::start(Speaks::Http1, |_| Does::Closes);
    assert_eq!(mobile(true).send(&to(&double)).outcome.status, Is::Unknown);
    check(&mobile(true).send(&address(&nobody())), (Is::Deferred, Some(30), ""));
}

#[test]
fn what_is_too_large_never_leaves() {
    let double = Double::start(Speaks::Http1, |_| Does::answer(201));
    let with_body = |len: usize| {
        let content = json!({ "title": "a", "body": "x".repeat(len) });
        mobile(true).send_letter(&to(&double), &Letter { content, ..Letter::default() })
    };
    let around = r#"{"title":"a","body":"","tag":"","decision_id":"d-1"}"#.len() + 32;
    check(&with_body(3_994 - around), (Is::TooLarge, None, ""));
    assert!(double.got().is_empty());
    check(&with_body(3_993 - around), (Is::Accepted, None, ""));
    assert_eq!(double.got()[0].body.len(), 4_096);
}

#[test]
fn keys_that_are_none_are_refused() {
    for (p256dh, auth) in
        [("", AUTH), (P256DH, ""), (AUTH, AUTH), (P256DH, "?"), (&P256DH.replace('4', "5"), AUTH)]
    {
        let keys = json!({ "p256dh": p256dh, "auth": auth });
        let delivery =
            mobile(false).send(&json!({ "web_push": { "endpoint": "https://a.example", "keys": keys } }));
        let expected = "/web_push/keys: they are no keys of a subscription";
        check(&delivery, (Is::Rejected, None, expected));
    }
}

#[test]
fn an_endpoint_leads_nowhere_inside() {
    let inside = "the endpoint is not on the public internet";
    for endpoint in [
        "https://127.0.0.1/",
        "https://127.1/",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://0177.0.0.1/",
        "https://0/",
        "https://localhost/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[::ffff:7f00:1]/",
        "https://[64:ff9b::7f00:1]/",
        "https://169.254.169.254/latest/meta-data",
        "https://10.0.0.1/",
        "https://172.16.0.1/",
        "https://192.168.0.1/",
        "https://100.64.0.1/",
        "https://[fe80::1]/",
        "https://[fd00::1]/",
        "https://224.0.0.1/",
        "https://\u{2460}\u{2461}\u{2466}.0.0.1/",
    ] {
        let outcome = mobile(false).send(&address(endpoint)).outcome;
        assert_eq!((outcome.status, outcome.detail.as_str()), (Is::Rejected, inside), "{endpoint}");
    }
    for (endpoint, expected) in [
        ("http://push.example/", "it must begin with https://"),
        ("file:///etc/passwd", "it must begin with https://"),
        ("gopher://push.example/", "it must begin with https://"),
        ("https://user@push.example/", "it has a user name or a password"),
        ("https://push.example@127.0.0.1/", "it has a user name or a password"),
        ("https://push.example:8443/", "only port 443 is allowed"),
        ("https://push.example:22/", "only port 443 is allowed"),
        ("/push", "it is no URL"),
        ("https://", "it is no URL"),
        ("https://256.0.0.1/", "it is no URL"),
    ] {
        let delivery = mobile(false).send(&address(endpoint));
        check(&delivery, (Is::Rejected, None, &format!("/web_push/endpoint: {expected}")));
    }
    let delivery = mobile(false).send(&address(&format!("https://push.example/{}", "a".repeat(2_048))));
    check(&delivery, (Is::Rejected, None, "/web_push/endpoint: it is too long"));
}
