//! A system that is broken, hostile or not to be asked costs a decision little, and leads nowhere.

use crate::external::{
    EXTERNAL_DATA, SOURCES, check_unknown, counter, decide, decide_knowing, gold, live, named_tiers, open,
    register, source,
};
use crate::harness::{Book, Engine, Erp, Question, Said, Shop, eventually, experiment, named};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

pub(crate) fn promises(book: &mut Book) {
    book.both(named!(a_dead_system_is_left_alone_and_tried_again));
    book.both(named!(what_is_no_answer_is_none));
    book.both(named!(a_server_that_may_not_ask_asks_nobody));
    book.both(named!(who_is_not_found_has_nothing_said_of_them));
    book.both(named!(nobody_is_asked_for_what_is_not_decided));
}

/// How many units are asked about in vain.
const N_UNITS: usize = 100;
/// Longer than a source that failed is left alone.
const RESTED: Duration = Duration::from_mins(1);

pub(crate) fn a_dead_system_is_left_alone_and_tried_again(engine: Engine) {
    let (shop, is_dead) = (open(engine), Arc::new(AtomicBool::new(true)));
    let erp = {
        let is_dead = Arc::clone(&is_dead);
        Erp::new(move |_: &Question| {
            let status = if is_dead.load(Ordering::Relaxed) { 503 } else { 200 };
            Said(status, String::new(), json!({ "customer": { "tier": "gold" } }).to_string())
        })
    };
    register(&shop, &erp, &json!({}));
    live(&shop, "club", &gold());
    for n in 0..N_UNITS {
        check_unknown(&decide(&shop, &format!("u-{n}"), "club"), "all");
    }
    let n_asked = erp.asked().len();
    assert!((5..N_UNITS / 2).contains(&n_asked), "{n_asked}");
    let count =
        |outcome: &str| counter(&shop, &format!("podium_external_calls_total{{outcome=\"{outcome}\"}}"));
    assert!((N_UNITS / 2) as u64 <= count("skipped"), "{}", count("skipped"));
    let trouble = shop.admin.get("/api/v1/sources/erp").expect(200)["trouble"].clone();
    assert_eq!(trouble, "it answered 503");
    is_dead.store(false, Ordering::Relaxed);
    eventually("it is tried again", RESTED, || {
        let decision = decide(&shop, "ann", "club");
        (decision["variant"] == "gold").then_some(())
    });
    assert_eq!(shop.admin.get("/api/v1/sources/erp").expect(200)["trouble"], Value::Null);
    decide_knowing(&shop, "bob", "club");
}

pub(crate) fn what_is_no_answer_is_none(engine: Engine) {
    let shop = open(engine);
    let erp = Erp::new(|question: &Question| {
        let fine = json!({ "customer": { "tier": "gold" } }).to_string();
        let (status, headers, body) = match question.path.rsplit('/').next().unwrap() {
            "elsewhere" => (302, "location: /customers/fine\r\n", fine),
            "large" => {
                (200, "", json!({ "customer": { "tier": "gold" }, "x": "x".repeat(65_536) }).to_string())
            }
            "text" => (200, "", "gold".to_owned()),
            "list" => (200, "", format!("[{fine}]")),
            "two" => (200, "", format!("{fine}{fine}")),
            "forbidden" => (403, "", fine),
            "created" => (201, "", fine),
            _ => (200, "", fine),
        };
        Said(status, headers.to_owned(), body)
    });
    register(&shop, &erp, &json!({}));
    live(&shop, "club", &gold());
    for (unit, trouble) in [
        ("elsewhere", "it answered 302; redirects are not followed"),
        ("large", "its answer has more than 65536 bytes"),
        ("text", "its answer is no JSON object"),
        ("list", "its answer is no JSON object"),
        ("two", "its answer is no JSON object"),
        ("forbidden", "it answered 403"),
        ("created", "it answered 201"),
    ] {
        check_unknown(&decide(&shop, unit, "club"), "all");
        eventually("it is known why", RESTED, || {
            let found = shop.admin.get("/api/v1/sources/erp").expect(200)["trouble"].clone();
            (found == trouble).then_some(())
        });
        // That nothing was said is remembered for a moment.
        check_unknown(&decide(&shop, unit, "club"), "all");
        assert_eq!(erp.n_asked(unit), 1, "{unit}");
        // One that is fine, so that the source is not left alone.
        decide_knowing(&shop, &format!("fine-{unit}"), "club");
    }
    assert_eq!(erp.n_asked("/fine"), 0, "nobody was led there");
    // What some servers take for a way up is not sent.
    for step in ["..", "../admin", "a/../../b"] {
        check_unknown(&decide(&shop, step, "club"), "all");
    }
    assert!(!erp.asked().iter().any(|question| question.path.contains("..")), "{:?}", erp.asked());
}

pub(crate) fn who_is_not_found_has_nothing_said_of_them(engine: Engine) {
    let shop = open(engine);
    let erp = Erp::new(|_: &Question| Said(404, String::new(), "no such customer".to_owned()));
    register(&shop, &erp, &json!({}));
    live(&shop, "club", &gold());
    live(&shop, "guests", &json!({ "not": gold() }));
    for (flag, variant) in [("club", "all"), ("guests", "gold")] {
        let decision = decide_knowing(&shop, "visitor", flag);
        assert_eq!(decision["variant"], variant, "{decision}");
    }
    assert_eq!(erp.asked().len(), 1, "that is remembered as long as anything it says");
}

pub(crate) fn nobody_is_asked_for_what_is_not_decided(engine: Engine) {
    let (shop, erp) = (open(engine), named_tiers());
    register(&shop, &erp, &json!({}));
    let mut definition = experiment("banner", &["control", "b"]);
    definition["server_only"] = json!(true);
    definition["when"] = gold();
    shop.run(&definition);
    definition["key"] = json!("draft");
    definition["server_only"] = json!(false);
    shop.register(&definition);
    shop.run(&experiment("plain", &["control", "b"]));
    let page = shop.podium.client("publishable");
    for flag in ["banner", "draft", "plain", "nope"] {
        page.post("/api/v1/decide", &json!({ "unit": "gold-1", "flags": [flag] })).expect(200);
    }
    let context = json!({ "context": { "targetingKey": "gold-1" } });
    page.post("/ofrep/v1/evaluate/flags", &context).expect(200);
    // It asks at once where it asks at all, and this call is the first.
    decide_knowing(&shop, "gold-2", "banner");
    assert!(erp.asked().iter().all(|question| question.path.ends_with("gold-2")), "{:?}", erp.asked());
}

pub(crate) fn a_server_that_may_not_ask_asks_nobody(engine: Engine) {
    let (mut shop, erp) = (Shop::open(engine), named_tiers());
    let off = shop.admin.post(SOURCES, &source(&erp, &json!({}))).problem(409);
    assert_eq!(off.slug, "external-data-off");
    assert!(off.detail.contains("--external-data"), "{}", off.detail);
    assert_eq!(shop.admin.get(SOURCES).expect(200)["data"], json!([]));
    shop.restart_with(EXTERNAL_DATA, "anywhere");
    register(&shop, &erp, &json!({}));
    live(&shop, "club", &gold());
    decide_knowing(&shop, "gold-1", "club");
    let count = |shop: &Shop, outcome: &str| {
        counter(shop, &format!("podium_external_calls_total{{outcome=\"{outcome}\"}}"))
    };
    // This machine is none of the public internet: not when the source is registered, and not when it is asked.
    shop.restart_with(EXTERNAL_DATA, "public");
    for url in ["http://127.0.0.1/{unit}", "http://localhost/{unit}", "http://[::ffff:127.0.0.1]/{unit}"] {
        let refused = shop.admin.post(SOURCES, &json!({ "key": "inside", "url": url })).problem(400);
        assert_eq!(refused.pointers, ["/url"], "{url}");
    }
    check_unknown(&decide(&shop, "gold-1", "club"), "all");
    eventually("it is refused", RESTED, || (1 <= count(&shop, "refused")).then_some(()));
    shop.restart_with(EXTERNAL_DATA, "off");
    check_unknown(&decide(&shop, "gold-1", "club"), "all");
    assert!(1 <= count(&shop, "off"));
    let changed = json!({ "url": format!("{}/{{unit}}", erp.url()) });
    let off = shop.admin.edit("PUT", "/api/v1/sources/erp", "*", Some(&changed)).problem(409);
    assert_eq!(off.slug, "external-data-off");
    assert_eq!(erp.asked().len(), 1, "{:?}", erp.asked());
    shop.restart_with(EXTERNAL_DATA, "anywhere");
    assert_eq!(decide_knowing(&shop, "gold-1", "club")["variant"], "gold");
}
