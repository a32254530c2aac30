//! TLS: what is spoken, and who is trusted.

use crate::channel::{Mobile, check, logged};
use crate::double::{Does, Double, Speaks};
use hyper::Version;
use podium_plugin_host::OutcomeStatus as Is;
use serde_json::{Value, json};
use std::net::TcpListener;
use std::sync::Barrier;
use std::thread;

fn apns(endpoint: &str, trusted_roots: Option<&str>) -> Value {
    json!({
        "apns": {
            "team_id": "T", "key_id": "K", "private_key": { "secret": "APNS" }, "topic": "a", "endpoint": endpoint,
        },
        "trusted_roots": trusted_roots,
    })
}

fn fcm(double: &Double) -> Value {
    json!({
        "fcm": {
            "service_account": { "secret": "ACCOUNT" }, "endpoint": double.url(),
            "token_endpoint": format!("{}/token", double.url()),
        },
        "trusted_roots": double.certificate,
    })
}

fn device() -> Value {
    json!({ "apns": { "token": "00" } })
}

#[test]
fn apple_is_spoken_to_by_http_2() {
    let double = Double::start(Speaks::Tls(&["h2", "http/1.1"]), |_| Does::answer(200));
    let mobile = Mobile::new(&apns(&double.url(), Some(&double.certificate)));
    check(&mobile.send(&device()), (Is::Accepted, None, ""));
    check(&mobile.send(&device()), (Is::Accepted, None, ""));
    assert_eq!((double.got()[1].version, double.n_connections()), (Version::HTTP_2, 1));
}

#[test]
fn a_server_of_the_last_century_is_no_apple() {
    let double = Double::start(Speaks::Tls(&[]), |_| Does::answer(200));
    let mobile = Mobile::new(&apns(&double.url(), Some(&double.certificate)));
    check(&mobile.send(&device()), (Is::Deferred, Some(30), ""));
    assert!(logged().contains(&"apns: the other side does not speak HTTP/2".to_owned()));
    assert!(double.got().is_empty());
}

#[test]
fn the_others_are_spoken_to_by_what_they_speak() {
    for (protocols, version) in [
        (&["h2", "http/1.1"][..], Version::HTTP_2),
        (&["http/1.1"], Version::HTTP_11),
        (&[], Version::HTTP_11),
    ] {
        let double = Double::start(Speaks::Tls(protocols), |got| match got.path.as_str() {
            "/token" => Does::json(200, &json!({ "access_token": "t", "expires_in": 3_600 })),
            _ => Does::json(200, &json!({ "name": "n" })),
        });
        let mobile = Mobile::new(&fcm(&double));
        for _ in 0..3 {
            check(&mobile.send(&json!({ "fcm": { "token": "d" } })), (Is::Accepted, None, ""));
        }
        assert!(double.got().iter().all(|got| got.version == version));
        assert_eq!((double.got().len(), double.n_connections()), (4, 1), "{version:?}");
    }
}

/// The other side takes connections, and says nothing.
#[test]
fn one_failure_to_connect_is_everybodys() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mobile = Mobile::new(&apns(&format!("https://{}", listener.local_addr().unwrap()), None));
    let begin = Barrier::new(4);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                begin.wait();
                check(&mobile.send(&device()), (Is::Deferred, Some(30), ""));
            });
        }
    });
    listener.set_nonblocking(true).unwrap();
    assert_eq!(listener.incoming().map_while(Result::ok).count(), 1);
}

#[test]
fn who_is_not_trusted_gets_nothing() {
    let double = Double::start(Speaks::Tls(&["h2"]), |_| Does::answer(200));
    let other = Double::start(Speaks::Tls(&["h2"]), |_| Does::answer(200));
    for trusted in [None, Some(other.certificate.as_str())] {
        let mobile = Mobile::new(&apns(&double.url(), trusted));
        check(&mobile.send(&device()), (Is::Deferred, Some(30), ""));
    }
    // Trusted, but for another name.
    let named = double.url().replace("127.0.0.1", "localhost");
    let mobile = Mobile::new(&apns(&named, Some(&double.certificate)));
    check(&mobile.send(&device()), (Is::Deferred, Some(30), ""));
    assert!(double.got().is_empty());
}
