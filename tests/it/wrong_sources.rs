//! A wrong request about sources is a problem that says where, and changes nothing.

use crate::external::{SOURCES, named_tiers, open, register};
use crate::harness::{Book, Engine, Faults, at, named, of_kind};
use serde_json::{Value, json};

pub(crate) fn promises(book: &mut Book) {
    book.both(named!(a_source_that_cannot_be_asked_is_refused_with_its_place));
    book.both(named!(a_source_is_changed_by_whoever_saw_its_state));
    book.both(named!(sources_are_for_who_has_an_admin_key));
}

const ERP: &str = "/api/v1/sources/erp";

pub(crate) fn a_source_that_cannot_be_asked_is_refused_with_its_place(engine: Engine) {
    let mut shop = open(engine);
    std::fs::create_dir_all(shop.data_dir().join("secrets")).unwrap();
    std::fs::write(shop.data_dir().join("secrets").join("LINES"), "a\nb").unwrap();
    let mut faults = Faults::default();
    let good = json!({ "key": "erp", "url": "https://erp.example/{unit}" });
    let with = |name: &str, value: Value| {
        let mut body = good.clone();
        body[name] = value;
        body
    };
    let header = |name: &str, value: Value| with("headers", json!({ name: value }));
    let secret = |name: &str| json!({ "secret": name });
    let many: Value =
        (0..21).map(|n| (format!("x-{n}"), secret("ERP"))).collect::<serde_json::Map<_, _>>().into();
    let same = json!({ "x-key": secret("ERP"), "X-Key": secret("ERP") });
    let long = format!("https://erp.example/{{unit}}/{}", "x".repeat(2_000));
    for (body, place) in [
        (json!({ "url": "https://erp.example/{unit}" }), "/key"),
        (json!({ "key": "erp" }), "/url"),
        (with("key", json!("no key!")), "/key"),
        (with("name", json!("ERP")), "/name"),
        (with("url", json!("erp.example/{unit}")), "/url"),
        (with("url", json!("ftp://erp.example/{unit}")), "/url"),
        (with("url", json!("file:///{unit}")), "/url"),
        (with("url", json!("https://erp.example/")), "/url"),
        (with("url", json!("https://{unit}.example/")), "/url"),
        (with("url", json!("https://{unit}/{unit}")), "/url"),
        (with("url", json!("https://erp.example:{unit}/{unit}")), "/url"),
        (with("url", json!("{unit}://erp.example/{unit}")), "/url"),
        (with("url", json!("https://erp.example/{unit}/{id}")), "/url"),
        (with("url", json!("https://erp.example/{unit}#a")), "/url"),
        (with("url", json!("https://ann:pass@erp.example/{unit}")), "/url"),
        (with("url", json!("https://ann@erp.example/{unit}")), "/url"),
        (with("url", json!("https://erp.example/ /{unit}")), "/url"),
        (with("url", json!(long)), "/url"),
        (with("url", json!(7)), "/url"),
        (with("timeout_ms", json!(0)), "/timeout_ms"),
        (with("timeout_ms", json!(201)), "/timeout_ms"),
        (with("timeout_ms", json!(1.5)), "/timeout_ms"),
        (with("ttl_s", json!(0)), "/ttl_s"),
        (with("ttl_s", json!(86_401)), "/ttl_s"),
        (with("ttl_s", json!("60")), "/ttl_s"),
        (with("headers", json!([])), "/headers"),
        (with("headers", many), "/headers"),
        (with("headers", same), "/headers/x-key"),
        (header("authorization", json!("Bearer hush")), "/headers/authorization"),
        (header("authorization", json!({ "secret": "ERP", "value": "hush" })), "/headers/authorization*"),
        (header("authorization", secret("NOT_THERE")), "/headers/authorization"),
        (header("authorization", secret("../keys.json")), "/headers/authorization"),
        (header("authorization", secret("LINES")), "/headers/authorization"),
        (header("a b", secret("ERP")), "/headers/a b"),
        (header("a/b", secret("ERP")), "/headers/a~1b"),
        (header("", secret("ERP")), "/headers/"),
        (header("Host", secret("ERP")), "/headers/Host"),
        (header("proxy-authorization", secret("ERP")), "/headers/proxy-authorization"),
        (header("content-length", secret("ERP")), "/headers/content-length"),
    ] {
        faults.check(&body.to_string(), &shop.admin.post(SOURCES, &body), at(&[400], place));
    }
    let several = json!({ "key": "erp", "url": "x", "timeout_ms": 0, "ttl_s": 0 });
    let told = shop.admin.post(SOURCES, &several).problem(400);
    assert_eq!(told.pointers, ["/url", "/timeout_ms", "/ttl_s"], "all of them at once");
    assert_eq!(shop.admin.get(SOURCES).expect(200)["data"], json!([]));
    faults.report(&mut shop);
}

pub(crate) fn a_source_is_changed_by_whoever_saw_its_state(engine: Engine) {
    let (mut shop, erp) = (open(engine), named_tiers());
    let mut faults = Faults::default();
    let made = register(&shop, &erp, &json!({}));
    let defaults = json!({ "key": "crm", "url": "https://crm.example/?c={unit}" });
    let other = shop.admin.post(SOURCES, &defaults).expect(201);
    assert_eq!(
        (&other["timeout_ms"], &other["ttl_s"], &other["headers"]),
        (&json!(50), &json!(300), &json!({}))
    );
    let body = json!({ "url": "https://erp.example/{unit}" });
    faults.check(
        "a key that is taken",
        &shop.admin.post(SOURCES, &defaults),
        of_kind(&[409], "source-key-taken"),
    );
    for (method, body) in [("PUT", Some(&body)), ("DELETE", None)] {
        let bytes = body.map(ToString::to_string);
        let blind = shop.admin.call(method, ERP, &[], bytes.as_deref().map(str::as_bytes));
        faults.check(method, &blind, of_kind(&[428], "if-match-missing"));
        let stale = shop.admin.edit(method, ERP, "\"7\"", body);
        faults.check(method, &stale, of_kind(&[412], "edit-conflict"));
        assert_eq!(stale.etag(), "\"1\"");
        let nowhere = shop.admin.edit(method, "/api/v1/sources/nope", "*", body);
        faults.check(method, &nowhere, of_kind(&[404], "not-found"));
    }
    let wrong = shop.admin.edit("PUT", ERP, "*", Some(&json!({ "url": "x", "key": "erp" })));
    faults.check("a change of the key", &wrong, at(&[400], "/key"));
    assert_eq!(shop.admin.get(ERP).expect(200), made, "nothing has changed");
    let edited = shop.admin.edit("PUT", ERP, "\"1\"", Some(&body));
    assert_eq!((edited.expect(200)["timeout_ms"].clone(), edited.etag()), (json!(50), "\"2\"".to_owned()));
    shop.restart();
    assert_eq!(shop.admin.get(ERP).etag(), "\"2\"");
    shop.admin.edit("DELETE", ERP, "\"2\"", None).expect(204);
    for n in 0..9 {
        let one = json!({ "key": format!("s{n}"), "url": "https://erp.example/{unit}" });
        shop.admin.post(SOURCES, &one).expect(201);
    }
    let one_more = json!({ "key": "more", "url": "https://erp.example/{unit}" });
    faults.check("one too many", &shop.admin.post(SOURCES, &one_more), of_kind(&[409], "too-many-sources"));
    let keys = shop.admin.get(SOURCES).expect(200);
    assert_eq!(keys["data"].as_array().unwrap().len(), 10);
    faults.report(&mut shop);
}

pub(crate) fn sources_are_for_who_has_an_admin_key(engine: Engine) {
    let mut shop = open(engine);
    let mut faults = Faults::default();
    for (method, path) in [("GET", SOURCES), ("POST", SOURCES), ("GET", ERP), ("PUT", ERP), ("DELETE", ERP)] {
        let ask = |key: Option<&str>| {
            shop.admin.with_key(key).call(method, path, &[("If-Match", "*")], Some(b"{}"))
        };
        faults.check(method, &ask(None), of_kind(&[401], "unauthorized"));
        for scope in ["server", "publishable"] {
            faults.check(method, &ask(Some(&shop.podium.key(scope))), of_kind(&[403], "forbidden"));
        }
    }
    for (method, path) in [("DELETE", SOURCES), ("POST", ERP)] {
        let answer = shop.admin.call(method, path, &[], Some(b"{}"));
        faults.check(method, &answer, of_kind(&[405], "method-not-allowed"));
    }
    faults.report(&mut shop);
}
