//! Who asks wrongly by OFREP, or without a key that may, is told so in its words.

use crate::harness::{Book, Engine, Shop, experiment, named};
use crate::ofrep::{ALL, evaluate, of, one, word};
use crate::tracking::basic;
use serde_json::{Value, json};
use std::collections::BTreeSet;

pub(crate) fn promises(book: &mut Book) {
    book.both(named!(each_way_to_be_wrong_has_its_word));
    book.both(named!(a_key_comes_in_a_header_and_never_in_the_address));
    book.both(named!(a_flag_for_servers_alone_is_not_there_for_pages));
}

pub(crate) fn each_way_to_be_wrong_has_its_word(engine: Engine) {
    let shop = Shop::open(engine);
    shop.run(&experiment("banner", &["control", "b"]));
    let cases: [(&[u8], &str); 19] = [
        (b"", "PARSE_ERROR"),
        (b"{", "PARSE_ERROR"),
        (b"targetingKey=u-1", "PARSE_ERROR"),
        (b"{\"context\":{}} x", "PARSE_ERROR"),
        (b"\xff\xfe", "PARSE_ERROR"),
        (b"{}", "INVALID_CONTEXT"),
        (b"[]", "INVALID_CONTEXT"),
        (b"null", "INVALID_CONTEXT"),
        (b"\"u-1\"", "INVALID_CONTEXT"),
        (b"{\"context\":null}", "INVALID_CONTEXT"),
        (b"{\"context\":[]}", "INVALID_CONTEXT"),
        (b"{\"context\":\"u-1\"}", "INVALID_CONTEXT"),
        (b"{\"targetingKey\":\"u-1\"}", "INVALID_CONTEXT"),
        (b"{\"context\":{\"targetingKey\":\"a\\u0000\"}}", "INVALID_CONTEXT"),
        (b"{\"context\":{}}", "TARGETING_KEY_MISSING"),
        (b"{\"context\":{\"targetingKey\":\"\"}}", "TARGETING_KEY_MISSING"),
        (b"{\"context\":{\"targetingKey\":null}}", "TARGETING_KEY_MISSING"),
        (b"{\"context\":{\"targetingKey\":7}}", "TARGETING_KEY_MISSING"),
        (b"{\"context\":{\"targetingkey\":\"u-1\"}}", "TARGETING_KEY_MISSING"),
    ];
    let long = json!({"context": {"targetingKey": "a".repeat(256)}}).to_string();
    for (body, code) in cases.into_iter().chain([(long.as_bytes(), "INVALID_CONTEXT")]) {
        let single = shop.admin.call("POST", &one("banner"), &[], Some(body));
        assert_eq!(word(&single, 400), (json!("banner"), code.to_owned()), "{single}");
        let bulk = shop.admin.call("POST", ALL, &[], Some(body));
        assert_eq!(word(&bulk, 400), (Value::Null, code.to_owned()), "{bulk}");
        assert!(bulk.json().get("key").is_none(), "{bulk}");
    }
    for key in ["nothing", "Banner", "a/b", "%20", "%C3%A4", "%22", &"k".repeat(300)] {
        let answer = shop.admin.post(&one(key), &of("ann"));
        let (named, code) = word(&answer, 404);
        assert!(code == "FLAG_NOT_FOUND" && named.is_string(), "{answer}");
    }
    let large = vec![b' '; 1024 * 1024 + 1];
    assert_eq!(word(&shop.admin.call("POST", ALL, &[], Some(&large)), 413).1, "GENERAL");
    for path in ["/ofrep", "/ofrep/", "/ofrep/v1", "/ofrep/v1/configuration", "/ofrep/v2/evaluate/flags"] {
        for method in ["GET", "POST", "DELETE"] {
            assert_eq!(word(&shop.admin.call(method, path, &[], None), 404).1, "GENERAL");
        }
    }
    for path in [ALL, &one("banner"), "/ofrep/v1/stream"] {
        for method in ["PUT", "DELETE", "PATCH"] {
            let answer = shop.admin.call(method, path, &[], Some(b"{}"));
            assert_eq!(word(&answer, 405).1, "GENERAL");
            assert!(answer.header("allow").is_some_and(|allow| allow.contains("OPTIONS")), "{answer}");
        }
    }
    // What is wrong is no reason to forget who is asking.
    let stranger = shop.admin.with_key(None);
    for path in [ALL, &one("banner"), &one("nothing")] {
        let answer = stranger.call("POST", path, &[], Some(b"{"));
        assert_eq!((answer.status, answer.body.len()), (401, 0), "{answer}");
    }
}

pub(crate) fn a_key_comes_in_a_header_and_never_in_the_address(engine: Engine) {
    let shop = Shop::open(engine);
    shop.run(&experiment("banner", &["control", "b"]));
    let key = shop.podium.key("publishable");
    let stranger = shop.admin.with_key(None);
    let body = of("ann").to_string();
    let ask = |path: &str, headers: &[(&str, &str)]| {
        stranger.call("POST", path, headers, Some(body.as_bytes())).status
    };
    let bearer = format!("Bearer {key}");
    for path in [ALL.to_owned(), one("banner")] {
        assert_eq!(ask(&path, &[("Authorization", &bearer)]), 200);
        assert_eq!(ask(&path, &[("X-API-Key", &key)]), 200);
        assert_eq!(ask(&path, &[("Authorization", &basic(&key))]), 200);
        assert_eq!(
            ask(&path, &[("Authorization", "Bearer nobody"), ("X-API-Key", &key)]),
            401,
            "in this order"
        );
        assert_eq!(ask(&path, &[("Authorization", &basic("nobody"))]), 401);
        assert_eq!(ask(&path, &[]), 401);
        for name in ["key", "api_key", "writeKey", "access_token"] {
            assert_eq!(ask(&format!("{path}?{name}={key}"), &[]), 401);
        }
    }
}

pub(crate) fn a_flag_for_servers_alone_is_not_there_for_pages(engine: Engine) {
    let shop = Shop::open(engine);
    let mut secret = experiment("margin", &["control", "b"]);
    secret["server_only"] = json!(true);
    shop.run(&secret);
    shop.run(&experiment("banner", &["control", "b"]));
    let flags = |scope: &str| -> BTreeSet<String> {
        let answer = shop.podium.client(scope).post(ALL, &of("ann")).expect(200);
        answer["flags"]
            .as_array()
            .unwrap()
            .iter()
            .map(|flag| flag["key"].as_str().unwrap().to_owned())
            .collect()
    };
    let both = BTreeSet::from(["banner".to_owned(), "margin".to_owned()]);
    assert_eq!((flags("server"), flags("admin")), (both.clone(), both));
    assert_eq!(flags("publishable"), BTreeSet::from(["banner".to_owned()]));
    let page = shop.podium.client("publishable");
    evaluate(&shop.podium.client("server"), "ann", "margin");
    let hidden = page.post(&one("margin"), &of("ann")).text();
    let missing = page.post(&one("margen"), &of("ann")).text();
    assert_eq!(hidden, missing.replace("margen", "margin"), "nobody can tell which it is");
    let by_address = page.get("/api/v1/decide/margin?targetingKey=ann");
    assert_eq!(word(&by_address, 404).1, "FLAG_NOT_FOUND");
}
