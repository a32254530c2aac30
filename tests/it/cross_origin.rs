//! Which pages may use a key.

use super::ofrep::one;
use crate::harness::{Answer, Book, Client, Engine, Shop, experiment, named, soon};
use serde_json::{Value, json};

const ALL: &str = "/ofrep/v1/evaluate/flags";
const OWN: &str = "https://shop.example";
const FOREIGN: &str = "https://evil.example";

pub(crate) fn promises(book: &mut Book) {
    book.both(named!(a_key_with_origins_is_for_their_pages_alone));
    book.both(named!(a_foreign_page_sends_no_event_and_opens_no_stream));
    book.both(named!(preflights_are_answered_for_what_some_key_is_for));
    book.both(named!(the_pages_of_a_key_can_be_changed));
    book.both(named!(a_key_for_pages_can_be_made_on_the_command_line));
    book.both(named!(what_is_no_origin_is_named));
}

/// Makes a publishable key for pages of these origins.
#[track_caller]
fn key_for(shop: &Shop, origins: &[&str]) -> Value {
    shop.admin
        .post("/api/v1/keys", &json!({"scope": "publishable", "name": "pages", "origins": origins}))
        .expect(201)
}

fn client(shop: &Shop, made: &Value) -> Client {
    shop.admin.with_key(made["key"].as_str())
}

/// Replaces the origins of a key.
fn set(shop: &Shop, id: &str, origins: &Value) -> Answer {
    let body = json!({ "origins": origins }).to_string();
    shop.admin.call("PUT", &format!("/api/v1/keys/{id}/origins"), &[], Some(body.as_bytes()))
}

/// The key that pages have from the first start on, by its public part.
fn first_id(shop: &Shop) -> String {
    shop.podium.key("publishable").split('_').nth(2).unwrap().to_owned()
}

/// The origin whose pages may read an answer.
fn readable_by(answer: &Answer) -> Option<&str> {
    let origin = answer.header("access-control-allow-origin");
    assert_eq!(answer.header("vary"), Some("origin"), "{answer}");
    assert_eq!(answer.header("access-control-expose-headers").is_some(), origin.is_some(), "{answer}");
    origin
}

pub(crate) fn a_key_with_origins_is_for_their_pages_alone(engine: Engine) {
    let mut shop = Shop::open(engine);
    shop.run(&experiment("banner", &["control", "b"]));
    set(&shop, &first_id(&shop), &json!([OWN])).expect(200);
    let made = key_for(&shop, &[OWN, "HTTP://Localhost:3000"]);
    assert_eq!(made["origins"], json!([OWN, "http://localhost:3000"]));
    let ann = br#"{"context":{"targetingKey":"ann"}}"#;
    let decide = br#"{"unit":"ann","flags":["banner"]}"#;
    let event = br#"{"event":"Cart Viewed","userId":"ann","messageId":"m"}"#;
    let settings = format!("/v1/projects/{}/settings", made["key"].as_str().unwrap());
    let banner = one("banner");
    let asked: [(&str, &str, Option<&[u8]>); 7] = [
        ("POST", "/api/v1/decide", Some(decide)),
        ("POST", "/api/v1/events", Some(event)),
        ("POST", ALL, Some(ann)),
        ("POST", &banner, Some(ann)),
        ("POST", "/v1/track", Some(event)),
        ("POST", "/v1/batch", Some(br#"{"batch":[]}"#)),
        ("GET", &settings, None),
    ];
    for is_restarted in [false, true] {
        if is_restarted {
            shop.restart();
        }
        let page = client(&shop, &made);
        for (method, path, body) in asked {
            for origin in [OWN, "http://localhost:3000"] {
                let answer = page.call(method, path, &[("Origin", origin)], body);
                assert_eq!(answer.status, 200, "{answer}");
                assert_eq!(readable_by(&answer), Some(origin), "{answer}");
            }
            for origin in [FOREIGN, "https://shop.example:8443", "http://shop.example", "null", ""] {
                let answer = page.call(method, path, &[("Origin", origin)], body);
                assert_eq!(answer.status, 403, "{origin}: {answer}");
                assert_eq!(readable_by(&answer), None, "{origin}: {answer}");
                match path.split('/').nth(1) {
                    Some("ofrep") => assert_eq!(answer.body.len(), 0, "{answer}"),
                    Some("v1") => {
                        let said = answer.json();
                        assert_eq!(
                            (&said["success"], &said["code"]),
                            (&json!(false), &json!("foreign_origin"))
                        );
                        assert!(said["message"].is_string(), "{said}");
                    }
                    _ => assert_eq!(answer.problem(403).slug, "forbidden"),
                }
            }
            let answer = page.call(method, path, &[], body);
            assert_eq!(answer.status, 200, "no page says no origin: {answer}");
            assert_eq!(answer.header("access-control-allow-origin"), None, "{answer}");
        }
    }
    let by_address = "/api/v1/decide/banner?targetingKey=ann";
    let page = client(&shop, &made);
    page.call("GET", by_address, &[("Origin", FOREIGN)], None).problem(403);
    page.get(by_address).expect(200);
    let server = shop.podium.client("server");
    assert_eq!(server.call("POST", ALL, &[("Origin", FOREIGN)], Some(ann)).status, 200, "it has no list");
}

pub(crate) fn a_foreign_page_sends_no_event_and_opens_no_stream(engine: Engine) {
    let shop = Shop::open(engine);
    let made = key_for(&shop, &[OWN]);
    let key = made["key"].as_str().unwrap();
    let nobody = shop.admin.with_key(None);
    let event = |id: &str| {
        json!({"event": "Cart Viewed", "userId": "ann", "messageId": id, "writeKey": key}).to_string()
    };
    // The key stands in the body.
    let sent = |origin: &str, id: &str| {
        nobody.call(
            "POST",
            "/v1/t",
            &[("Origin", origin), ("Content-Type", "text/plain")],
            Some(event(id).as_bytes()),
        )
    };
    let refused = sent(FOREIGN, "m-1");
    assert_eq!((refused.status, readable_by(&refused)), (403, None), "{refused}");
    let taken = sent(OWN, "m-2");
    // The first key is for pages of any origin.
    assert_eq!((taken.status, readable_by(&taken)), (200, Some("*")), "{taken}");
    let listed = shop.admin.get("/api/v1/events?status=accepted").expect(200);
    let ids: Vec<&Value> =
        listed["data"].as_array().unwrap().iter().map(|event| &event["message_id"]).collect();
    assert_eq!(ids, ["m-2"], "{listed}");

    let page = client(&shop, &made);
    let all = page.post(ALL, &json!({"context": {"targetingKey": "ann"}})).expect(200);
    let stream = all["eventStreams"][0]["endpoint"]["requestUri"].as_str().unwrap();
    let answer = nobody.call("GET", stream, &[("Origin", FOREIGN)], None);
    assert_eq!((answer.status, answer.body.len(), readable_by(&answer)), (403, 0, None), "{answer}");
    let stream = crate::harness::Stream::open(shop.podium.url(), stream, &[("Origin", OWN)]);
    assert_eq!((stream.status(), stream.header("access-control-allow-origin")), ("200", Some("*")));
}

pub(crate) fn preflights_are_answered_for_what_some_key_is_for(engine: Engine) {
    let shop = Shop::open(engine);
    let nobody = shop.admin.with_key(None);
    let check = |expected: [(&str, Option<&str>); 3]| {
        for (origin, readable) in expected {
            let asked = [("Origin", origin), ("Access-Control-Request-Method", "POST")];
            for path in [ALL, "/ofrep/v1/stream", "/v1/t", "/api/v1/decide", "/api/v1/events"] {
                let answer = nobody.call("OPTIONS", path, &asked, None);
                assert_eq!(answer.status, 204, "{answer}");
                assert_eq!(readable_by(&answer), readable, "{origin}: {answer}");
            }
            // So is what fails before anybody looks for a key.
            for (method, path) in [("POST", ALL), ("GET", "/v1/nothing"), ("POST", "/api/v1/decide")] {
                let answer = nobody.call(method, path, &[("Origin", origin)], Some(b"{}"));
                assert!(matches!(answer.status, 401 | 404), "{answer}");
                assert_eq!(readable_by(&answer), readable, "{origin}: {answer}");
            }
            let closed = nobody.call("OPTIONS", "/api/v1/experiments", &asked, None);
            assert_eq!(closed.header("access-control-allow-origin"), None, "our own API is for no page");
        }
    };
    let other = "https://other.example";
    let made = key_for(&shop, &[other]);
    let any = Some("*");
    check([(OWN, any), (other, any), (FOREIGN, any)]);
    set(&shop, &first_id(&shop), &json!([OWN])).expect(200);
    check([(OWN, Some(OWN)), (other, Some(other)), (FOREIGN, None)]);
    let path = format!("/api/v1/keys/{}", made["id"].as_str().unwrap());
    shop.admin.call("DELETE", &path, &[], None).expect(204);
    check([(OWN, Some(OWN)), (other, None), (FOREIGN, None)]);
    set(&shop, &first_id(&shop), &json!([])).expect(200);
    check([(OWN, any), (other, any), (FOREIGN, any)]);
}

pub(crate) fn the_pages_of_a_key_can_be_changed(engine: Engine) {
    let mut shop = Shop::open(engine);
    let made = key_for(&shop, &[]);
    let id = made["id"].as_str().unwrap();
    assert_eq!(made["origins"], json!([]));
    let status = |shop: &Shop, origin: &str| {
        let page = client(shop, &made);
        page.call("POST", "/v1/batch", &[("Origin", origin)], Some(br#"{"batch":[]}"#)).status
    };
    assert_eq!((status(&shop, OWN), status(&shop, FOREIGN)), (200, 200));
    let changed = set(&shop, id, &json!([OWN, "https://SHOP.example:443"])).expect(200);
    assert_eq!(changed["origins"], json!([OWN]));
    for member in ["id", "scope", "name", "key", "created_at", "revoked_at"] {
        assert_eq!(changed[member], made[member], "{member}");
    }
    assert_eq!((status(&shop, OWN), status(&shop, FOREIGN)), (200, 403));
    let listed = shop.admin.get("/api/v1/keys").expect(200);
    assert!(listed["data"].as_array().unwrap().contains(&changed), "{listed}");
    shop.restart();
    assert_eq!((status(&shop, OWN), status(&shop, FOREIGN)), (200, 403));
    set(&shop, id, &json!([FOREIGN])).expect(200);
    assert_eq!((status(&shop, OWN), status(&shop, FOREIGN)), (403, 200));
    set(&shop, id, &json!([])).expect(200);
    assert_eq!((status(&shop, OWN), status(&shop, FOREIGN)), (200, 200));
}

pub(crate) fn a_key_for_pages_can_be_made_on_the_command_line(engine: Engine) {
    let shop = Shop::open(engine);
    let key = |arguments: &[&str]| {
        let done = shop.podium.keys(arguments);
        let printed = String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).trim().to_owned();
        (done.status.success(), printed)
    };
    let create = ["create", "--scope", "publishable", "--name", "two shops"];
    let origins = ["--origin", OWN, "--origin", "https://Other.example"];
    let (is_made, made) = key(&[&create[..], &origins].concat());
    assert!(is_made, "{made}");
    let page = shop.admin.with_key(Some(&made));
    let status =
        |origin: &str| page.call("POST", "/v1/batch", &[("Origin", origin)], Some(br#"{"batch":[]}"#)).status;
    soon("the server knows the key", || (status(OWN) == 200).then_some(()));
    assert_eq!((status("https://other.example"), status(FOREIGN)), (200, 403));
    let (_, listed) = key(&["list"]);
    let line = listed.lines().find(|line| line.contains("two shops")).unwrap();
    assert!(line.ends_with(&format!(" {OWN} https://other.example")), "{line}");
    let (is_made, said) = key(&[&create[..], &["--origin", "shop.example"]].concat());
    assert!(!is_made && said.contains("https://shop.example"), "{said}");
    let (is_made, said) = key(&["create", "--scope", "server", "--origin", OWN]);
    assert!(!is_made && said.contains("server"), "{said}");
}

pub(crate) fn what_is_no_origin_is_named(engine: Engine) {
    let shop = Shop::open(engine);
    let before = shop.admin.get("/api/v1/keys").expect(200);
    let many: Vec<String> = (0..101).map(|number| format!("https://shop-{number}.example")).collect();
    let first = first_id(&shop);
    for (origins, pointer) in [
        (json!([OWN, OWN, OWN, "shop.example"]), "/origins/3"),
        (json!(["*"]), "/origins/0"),
        (json!(["https://*.shop.example"]), "/origins/0"),
        (json!(["https://shop.example/"]), "/origins/0"),
        (json!(["https://shop.example/shoes"]), "/origins/0"),
        (json!([OWN, "null"]), "/origins/1"),
        (json!([OWN, 7]), "/origins/1"),
        (json!([OWN, null]), "/origins/1"),
        (json!(many), "/origins"),
        (json!("https://shop.example"), "/origins"),
        (Value::Null, "/origins"),
    ] {
        let new = json!({"scope": "publishable", "origins": origins});
        for answer in [shop.admin.post("/api/v1/keys", &new), set(&shop, &first, &origins)] {
            let problem = answer.problem(400);
            assert_eq!(
                (&*problem.slug, problem.pointers),
                ("invalid-field", vec![pointer.to_owned()]),
                "{answer}"
            );
        }
    }
    let server = shop.podium.key("server").split('_').nth(2).unwrap().to_owned();
    let for_server = json!({"scope": "server", "origins": [OWN]});
    for answer in [shop.admin.post("/api/v1/keys", &for_server), set(&shop, &server, &json!([OWN]))] {
        assert_eq!(answer.problem(400).pointers, ["/origins"], "{answer}");
    }
    set(&shop, "nobody", &json!([OWN])).problem(404);
    set(&shop, "%00", &json!([OWN])).problem(404);
    let path = format!("/api/v1/keys/{first}/origins");
    assert_eq!(shop.admin.call("PUT", &path, &[], Some(b"{}")).problem(400).pointers, ["/origins"]);
    assert_eq!(shop.admin.get("/api/v1/keys").expect(200), before, "nothing was changed");
    shop.admin.call("DELETE", &format!("/api/v1/keys/{first}"), &[], None).expect(204);
    set(&shop, &first, &json!([OWN])).problem(404);
}
