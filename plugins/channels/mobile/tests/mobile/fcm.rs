//! Firebase Cloud Messaging and Google's token endpoint, as their documentation describes them.

use crate::channel::{ACCOUNT_KEY, Letter, Mobile, TTL_S, VAPID, check, logged, now_ms};
use crate::double::{Does, Double, Got, Speaks, nobody};
use crate::token::verified;
use podium_plugin_host::{ChannelFault, OutcomeStatus as Is};
use ring::signature::{KeyPair, RSA_PKCS1_2048_8192_SHA256, RsaKeyPair};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use url::form_urlencoded;

const SEND: &str = "/v1/projects/shop-1/messages:send";

fn config(double: &Double) -> Value {
    json!({ "fcm": {
        "service_account": { "secret": "ACCOUNT" },
        "endpoint": double.url(),
        "token_endpoint": format!("{}/token", double.url()),
    } })
}

fn address() -> Value {
    json!({ "fcm": { "token": "device:1" } })
}

/// A double with a token endpoint that gives `token-1`, `token-2` and so on, and the channel that sends there.
fn answering(does: impl Fn(&Got) -> Does + Send + Sync + 'static) -> (Double, Mobile) {
    let n_tokens = AtomicUsize::new(0);
    let double = Double::start(Speaks::Http1, move |got| match got.path.as_str() {
        "/token" => {
            let token = format!("token-{}", n_tokens.fetch_add(1, Ordering::Relaxed) + 1);
            Does::json(200, &json!({ "access_token": token, "token_type": "Bearer", "expires_in": 3_599 }))
        }
        _ => does(got),
    });
    let mobile = Mobile::new(&config(&double));
    (double, mobile)
}

/// A refusal as the provider words it.
fn refusal(status: u16, general: &str, code: Option<&str>) -> Does {
    let details: Vec<Value> = code
        .iter()
        .map(|code| json!({ "@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", "errorCode": code }))
        .collect();
    Does::json(status, &json!({ "error": { "code": status, "status": general, "details": details } }))
}

fn sent(double: &Double) -> Vec<Got> {
    double.got().into_iter().filter(|got| got.path == SEND).collect()
}

fn n_tokens(double: &Double) -> usize {
    double.got().iter().filter(|got| got.path == "/token").count()
}

#[test]
fn the_account_gets_a_token_by_its_signature() {
    let (double, mobile) = answering(|_| Does::json(200, &json!({ "name": "projects/shop-1/messages/7" })));
    let delivery = mobile.send(&address());
    check(&delivery, (Is::Accepted, None, ""));
    assert_eq!(delivery.outcome.provider_id, "projects/shop-1/messages/7");
    let got = &double.got()[0];
    assert_eq!(
        (got.path.as_str(), got.header("content-type")),
        ("/token", "application/x-www-form-urlencoded")
    );
    let form: Vec<(String, String)> = form_urlencoded::parse(&got.body).into_owned().collect();
    assert_eq!(form[0], ("grant_type".into(), "urn:ietf:params:oauth:grant-type:jwt-bearer".into()));
    assert_eq!(form[1].0, "assertion");
    let key = PrivatePkcs8KeyDer::from_pem_slice(ACCOUNT_KEY.as_bytes()).unwrap();
    let key = RsaKeyPair::from_pkcs8(key.secret_pkcs8_der()).unwrap();
    let (header, claims) = verified(&form[1].1, &RSA_PKCS1_2048_8192_SHA256, key.public_key().as_ref());
    assert_eq!(header, json!({ "alg": "RS256", "typ": "JWT", "kid": "key-1" }));
    assert_eq!(claims["iss"], "podium@shop-1.iam.gserviceaccount.com");
    assert_eq!(claims["aud"], format!("{}/token", double.url()));
    assert_eq!(claims["scope"], "https://www.googleapis.com/auth/firebase.messaging");
    let (issued_s, expires_s) = (claims["iat"].as_i64().unwrap(), claims["exp"].as_i64().unwrap());
    assert_eq!(expires_s - issued_s, 3_600);
    assert!((0..20).contains(&(now_ms() / 1_000 - issued_s)), "{issued_s}");

    mobile.send(&address());
    assert_eq!((n_tokens(&double), sent(&double).len()), (1, 2), "the token is kept");
    assert_eq!(sent(&double)[1].header("authorization"), "Bearer token-1");
}

#[test]
fn a_notification_is_sent_as_google_wants_it() {
    let (double, mobile) = answering(|_| Does::json(200, &json!({ "name": "n" })));
    let content = json!({
        "title": "Hi {{ name }}", "body": "Come in", "url": "https://shop.example/", "image": "https://i.example/a.png",
        "data": { "cart": "7" },
    });
    mobile.send_letter(&address(), &Letter { content, ..Letter::default() });
    let got = &sent(&double)[0];
    assert_eq!(got.header("content-type"), "application/json");
    let mut message = got.json()["message"].clone();
    let collapse_id = "EWuI8XMAe-XgXfKocQXwlQvvKE0M7KOZ";
    let expires_s: i64 = message["apns"]["headers"]["apns-expiration"].as_str().unwrap().parse().unwrap();
    let expected_s = now_ms() / 1_000 + TTL_S;
    assert!((expected_s - 20..=expected_s + 1).contains(&expires_s), "{expires_s}");
    message["apns"]["headers"]["apns-expiration"] = "later".into();
    let ttl_s: i64 = message["android"]["ttl"].as_str().unwrap().strip_suffix('s').unwrap().parse().unwrap();
    assert!((TTL_S - 20..=TTL_S).contains(&ttl_s), "{ttl_s}");
    message["android"]["ttl"] = "an hour".into();
    assert_eq!(
        message,
        json!({
            "token": "device:1",
            "notification": { "title": "Hi Ann \"A\"", "body": "Come in", "image": "https://i.example/a.png" },
            "data": { "cart": "7", "url": "https://shop.example/", "decision_id": "d-1" },
            "android": {
                "collapse_key": collapse_id, "ttl": "an hour", "notification": { "tag": collapse_id },
            },
            "apns": {
                "headers": { "apns-collapse-id": collapse_id, "apns-expiration": "later" },
                "payload": { "aps": { "mutable-content": 1 } },
                "fcm_options": { "image": "https://i.example/a.png" },
            },
        })
    );
}

#[test]
fn every_answer_has_its_outcome() {
    for (status, general, code, retry_after, expected) in [
        (
            400,
            "INVALID_ARGUMENT",
            Some("INVALID_ARGUMENT"),
            None,
            (Is::Rejected, None, "HTTP 400: INVALID_ARGUMENT"),
        ),
        (
            403,
            "PERMISSION_DENIED",
            Some("SENDER_ID_MISMATCH"),
            None,
            (Is::Rejected, None, "HTTP 403: SENDER_ID_MISMATCH"),
        ),
        (403, "PERMISSION_DENIED", None, None, (Is::AuthFailed, None, "")),
        (401, "UNAUTHENTICATED", Some("THIRD_PARTY_AUTH_ERROR"), None, (Is::AuthFailed, None, "")),
        (404, "NOT_FOUND", Some("UNREGISTERED"), None, (Is::TargetGone, None, "")),
        (404, "NOT_FOUND", None, None, (Is::Rejected, None, "HTTP 404: NOT_FOUND")),
        (429, "RESOURCE_EXHAUSTED", Some("QUOTA_EXCEEDED"), None, (Is::RateLimited, Some(60), "")),
        (429, "RESOURCE_EXHAUSTED", Some("QUOTA_EXCEEDED"), Some("9"), (Is::RateLimited, Some(9), "")),
        (500, "INTERNAL", Some("INTERNAL"), None, (Is::Deferred, Some(30), "")),
        (503, "UNAVAILABLE", Some("UNAVAILABLE"), Some("99999999"), (Is::Deferred, Some(86_400), "")),
        (302, "", None, None, (Is::Rejected, None, "HTTP 302: redirects are not followed")),
    ] {
        let (double, mobile) = answering(move |_| {
            let does = refusal(status, general, code);
            retry_after
                .map_or_else(|| refusal(status, general, code), |after| does.with("retry-after", after))
        });
        check(&mobile.send(&address()), expected);
        assert_eq!((sent(&double).len(), n_tokens(&double)), (1, 1));
    }
}

#[test]
fn a_refused_token_is_renewed_once() {
    let (double, mobile) = answering(|_| refusal(401, "UNAUTHENTICATED", None));
    check(&mobile.send(&address()), (Is::AuthFailed, None, ""));
    assert_eq!((sent(&double).len(), n_tokens(&double)), (2, 2));
    assert!(logged().contains(&"fcm: HTTP 401: UNAUTHENTICATED".to_owned()));

    let (double, mobile) = answering(|got| match got.header("authorization") {
        "Bearer token-1" => refusal(401, "UNAUTHENTICATED", None),
        _ => Does::json(200, &json!({ "name": "n" })),
    });
    check(&mobile.send(&address()), (Is::Accepted, None, ""));
    assert_eq!((sent(&double).len(), n_tokens(&double)), (2, 2));
}

#[test]
fn without_a_token_nothing_is_sent() {
    for (status, body, expected) in [
        (400, json!({ "error": "invalid_grant" }), (Is::AuthFailed, None, "")),
        (401, json!({ "error": "invalid_client" }), (Is::AuthFailed, None, "")),
        (500, json!({}), (Is::Deferred, Some(30), "")),
        (429, json!({}), (Is::Deferred, Some(30), "")),
        (200, json!({}), (Is::Deferred, Some(30), "")),
        (200, json!({ "access_token": "" }), (Is::Deferred, Some(30), "")),
        (200, json!({ "access_token": "a\nb" }), (Is::Deferred, Some(30), "")),
    ] {
        let double = Double::start(Speaks::Http1, move |_| Does::json(status, &body));
        check(&Mobile::new(&config(&double)).send(&address()), expected);
        assert!(sent(&double).is_empty());
    }
    let double = Double::start(Speaks::Http1, |_| Does::Hangs);
    let letter = Letter { within: Duration::from_millis(800), ..Letter::default() };
    check(&Mobile::new(&config(&double)).send_letter(&address(), &letter), (Is::Deferred, Some(30), ""));
}

#[test]
fn a_token_is_not_used_after_its_time() {
    let double = Double::start(Speaks::Http1, |got| match got.path.as_str() {
        "/token" => Does::json(200, &json!({ "access_token": "t", "expires_in": 60 })),
        _ => Does::json(200, &json!({ "name": "n" })),
    });
    let mobile = Mobile::new(&config(&double));
    for _ in 0..2 {
        check(&mobile.send(&address()), (Is::Accepted, None, ""));
    }
    assert_eq!(n_tokens(&double), 2);
}

#[test]
fn no_answer_is_unknown() {
    let (_double, mobile) = answering(|_| Does::Hangs);
    let letter = Letter { within: Duration::from_millis(800), ..Letter::default() };
    check(&mobile.send_letter(&address(), &letter), (Is::Unknown, None, "no answer in time"));
    let (_double, mobile) = answering(|_| Does::Closes);
    assert_eq!(mobile.send(&address()).outcome.status, Is::Unknown);
}

#[test]
fn what_is_too_large_never_leaves() {
    let (double, mobile) = answering(|_| Does::json(200, &json!({ "name": "n" })));
    let content = json!({ "title": "a", "body": "x".repeat(4_060) });
    let delivery = mobile.send_letter(&address(), &Letter { content, ..Letter::default() });
    check(&delivery, (Is::TooLarge, None, ""));
    assert!(double.got().is_empty());
}

#[test]
fn health_is_a_token() {
    let (double, mobile) = answering(|_| Does::answer(200));
    mobile.health().unwrap();
    assert_eq!((n_tokens(&double), sent(&double).len()), (1, 0));
    let settings = json!({ "fcm": {
        "service_account": { "secret": "ACCOUNT" }, "token_endpoint": nobody(),
    } });
    let fault = Mobile::new(&settings).health().unwrap_err();
    let ChannelFault::Refused { text, .. } = &fault else { panic!("{fault}") };
    assert!(text.starts_with("fcm: the token endpoint: no connection: "), "{text}");
}

#[test]
fn nothing_secret_is_told() {
    let (_double, mobile) = answering(|got| {
        // A provider that repeats what it got.
        Does::json(401, &json!({ "error": { "status": got.header("authorization"), "message": "device:1" } }))
    });
    let delivery = mobile.send(&address());
    let told = format!("{delivery:?} {:?}", logged());
    for secret in ["token-1", "token-2", "device:1", VAPID, &ACCOUNT_KEY[40..80]] {
        assert!(!told.contains(secret), "{told}");
    }
}
