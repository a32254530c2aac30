//! A bad event is named with its reason and place, and costs its neighbors nothing.

use crate::harness::events::{history, order, rfc3339, track, viewed};
use crate::harness::{Book, Engine, Shop, experiment, named};
use serde_json::{Value, json};

pub(crate) fn promises(book: &mut Book) {
    book.both(named!(a_bad_event_is_named_and_costs_its_neighbors_nothing));
    book.both(named!(a_place_is_a_pointer_into_the_body_as_it_was_sent));
    book.both(named!(too_many_events_are_refused_by_the_event));
    book.both(named!(refused_events_are_listed_for_debugging));
    book.both(named!(a_body_that_is_no_event_is_a_problem));
    book.both(named!(ids_may_be_numbers_and_absent_ones_null));
    book.both(named!(a_wrong_clock_is_cancelled_out));
    book.both(named!(an_unclear_time_of_sending_costs_only_what_is_timed_by_it));
}

/// A bad event, the reason it is refused for, and the place of the fault in it.
type Case = (Value, &'static str, &'static str);

fn nested(depth: usize) -> Value {
    (0..depth).fold(json!(1), |inner, _| json!({"in": inner}))
}

fn cases() -> Vec<Case> {
    let about_order = |name: &str, value: Value| {
        let mut told = order("ann", "bad", 100, history());
        told["properties"][name] = value;
        told
    };
    let with = |name: &str, value: Value| {
        let mut event = track("ann", "Seen", "bad", history(), &json!({}));
        event[name] = value;
        event
    };
    let without = |name: &str| {
        let mut event = track("ann", "Seen", "bad", history(), &json!({}));
        event.as_object_mut().unwrap().remove(name);
        event
    };
    vec![
        (without("userId"), "no_user_or_anonymous_id", ""),
        (with("userId", json!("")), "no_user_or_anonymous_id", ""),
        (with("userId", Value::Null), "no_user_or_anonymous_id", ""),
        (without("event"), "missing_event_name", "/event"),
        (with("event", json!("")), "missing_event_name", "/event"),
        (with("type", json!("trak")), "unknown_type", "/type"),
        (with("properties", json!({"text": "x".repeat(40_000)})), "event_too_large", ""),
        (with("properties", nested(40)), "too_deep", ""),
        (about_order("currency", json!("XYZ")), "unknown_currency", "/properties/currency"),
        (about_order("currency", json!(978)), "unknown_currency", "/properties/currency"),
        (about_order("revenue", json!("12,50")), "bad_amount", "/properties/revenue"),
        (about_order("revenue", json!("NaN")), "bad_amount", "/properties/revenue"),
        (about_order("revenue", json!("1e300")), "bad_amount", "/properties/revenue"),
        (about_order("revenue", json!({"amount": 1})), "bad_amount", "/properties/revenue"),
        (about_order("total", json!("much")), "bad_amount", "/properties/total"),
        (with("timestamp", json!("yesterday")), "bad_timestamp", "/timestamp"),
        (with("timestamp", json!("2026-02-30T00:00:00Z")), "bad_timestamp", "/timestamp"),
        (with("sentAt", json!(1_800_000_000)), "bad_timestamp", "/sentAt"),
        (viewed("ann", "nobody-knows", "b", history()), "unknown_experiment", "/properties/experiment_id"),
        (viewed("ann", "banner", "z", history()), "variant_not_assigned", "/properties/variation_id"),
        (viewed("ann", "draft", "b", history()), "experiment_not_started", "/properties/experiment_id"),
    ]
}

fn shop(engine: Engine) -> Shop {
    let shop = Shop::open(engine);
    shop.run(&experiment("banner", &["control", "b"]));
    shop.register(&experiment("draft", &["control", "b"]));
    shop
}

pub(crate) fn a_bad_event_is_named_and_costs_its_neighbors_nothing(engine: Engine) {
    let shop = shop(engine);
    let cases = cases();
    // A good event before and after each bad one.
    let mut batch = vec![viewed("good", "banner", "b", history())];
    for (case_idx, (event, _, _)) in cases.iter().enumerate() {
        let mut event = event.clone();
        if event["messageId"] == "bad" {
            event["messageId"] = json!(format!("bad-{case_idx}"));
        }
        batch.push(event);
        batch.push(order("good", &format!("o-{case_idx}"), 100, history() + 1));
    }
    let answer = shop.admin.post("/api/v1/events", &json!({"batch": batch})).expect(200);
    assert_eq!(answer["accepted"], cases.len() as u64 + 1, "{answer}");
    let rejected = answer["rejected"].as_array().unwrap();
    let mut faults = Vec::new();
    for (case_idx, (event, reason, place)) in cases.iter().enumerate() {
        let index = 2 * case_idx + 1;
        let Some(found) = rejected.iter().find(|each| each["index"] == index as u64) else {
            faults.push(format!("{reason}: not rejected: {}", short(event)));
            continue;
        };
        let pointer = found["pointer"].as_str().unwrap_or_default();
        let at_place = pointer.starts_with(&format!("/batch/{index}{place}"));
        if found["reason"] != *reason || !at_place || found["detail"].as_str().is_none_or(str::is_empty) {
            faults.push(format!("{reason} at {place}: got {found} for {}", short(event)));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert_eq!(rejected.len(), cases.len(), "{answer}");
    let figure = shop.report("banner").figure("aov", "b");
    assert_eq!((figure.units, figure.denominator), (1, cases.len() as i64));
}

fn short(event: &Value) -> String {
    event.to_string().chars().take(300).collect()
}

pub(crate) fn a_place_is_a_pointer_into_the_body_as_it_was_sent(engine: Engine) {
    let shop = shop(engine);
    let mut bad = order("ann", "o-1", 100, history());
    bad["properties"]["revenue"] = json!("much");
    let good = order("ann", "o-2", 100, history());
    for (body, pointer) in [
        (bad.clone(), "/properties/revenue"),
        (json!([good, bad]), "/1/properties/revenue"),
        (json!({"batch": [bad, good]}), "/batch/0/properties/revenue"),
    ] {
        let answer = shop.admin.post("/api/v1/events", &body).expect(200);
        assert_eq!(answer["rejected"][0]["pointer"], pointer, "{answer}");
        assert_eq!(answer["rejected"][0]["message_id"], bad["messageId"], "{answer}");
    }
}

pub(crate) fn too_many_events_are_refused_by_the_event(engine: Engine) {
    let shop = shop(engine);
    let seen = |number: usize| json!({"event": "Seen", "userId": "ann", "messageId": format!("m-{number}")});
    let batch: Vec<Value> = (0..2_503).map(seen).collect();
    let answer = shop.admin.post("/api/v1/events", &json!({"batch": batch})).expect(200);
    assert_eq!(answer["accepted"], 2_500, "{answer}");
    let rejected = answer["rejected"].as_array().unwrap();
    assert_eq!(rejected.len(), 3, "{answer}");
    assert!(rejected.iter().all(|each| each["reason"] == "too_many_events"), "{answer}");
}

pub(crate) fn refused_events_are_listed_for_debugging(engine: Engine) {
    let mut shop = shop(engine);
    let mut bad = order("ann", "o-1", 100, history());
    bad["properties"]["revenue"] = json!("much");
    shop.send(&[bad.clone(), json!({"event": "Seen"})]);
    shop.restart();
    let listed = shop.admin.get("/api/v1/events?status=rejected&limit=50").expect(200);
    let listed = listed["data"].as_array().unwrap();
    let reasons: Vec<&str> = listed.iter().map(|each| each["reason"].as_str().unwrap()).collect();
    for reason in ["bad_amount", "no_user_or_anonymous_id"] {
        assert!(reasons.contains(&reason), "{listed:?}");
    }
    assert!(listed.iter().any(|each| each["message_id"] == bad["messageId"]), "{listed:?}");
    let one = shop.admin.get("/api/v1/events?status=rejected&limit=1").expect(200);
    assert_eq!(one["data"].as_array().map(Vec::len), Some(1));
}

pub(crate) fn a_body_that_is_no_event_is_a_problem(engine: Engine) {
    let shop = shop(engine);
    for (body, pointer) in [
        ("{\"batch\": 7}", "/batch"),
        ("7", ""),
        ("\"event\"", ""),
        ("null", ""),
        ("{\"batch\": {}}", "/batch"),
    ] {
        let problem = shop.admin.call("POST", "/api/v1/events", &[], Some(body.as_bytes())).problem(400);
        let named = pointer.is_empty() || problem.pointers.iter().any(|found| found == pointer);
        assert!(named, "{body}: {problem:?}");
    }
    for body in ["", "{", "{\"batch\": [", "[1,]", "\u{feff}{}", "{\"event\": \"Seen\"} x"] {
        let problem = shop.admin.call("POST", "/api/v1/events", &[], Some(body.as_bytes())).problem(400);
        assert_eq!(problem.slug, "bad-json", "{body}");
    }
    shop.admin.call("POST", "/api/v1/events", &[], Some(b"{\"event\": \"\xff\"}")).problem(400);
    let nothing = shop.admin.post("/api/v1/events", &json!({"batch": []})).expect(200);
    assert_eq!(nothing["accepted"], 0);
    let mixed = json!([7, null, "x", [], {"event": "Seen", "userId": "ann"}]);
    let answer = shop.admin.post("/api/v1/events", &mixed).expect(200);
    assert_eq!(
        (&answer["accepted"], answer["rejected"].as_array().map(Vec::len)),
        (&json!(1), Some(4)),
        "{answer}"
    );
}

pub(crate) fn ids_may_be_numbers_and_absent_ones_null(engine: Engine) {
    let shop = shop(engine);
    let mut seen = viewed("77", "banner", "b", history());
    seen["userId"] = json!(77);
    let mut bought = order("", "o-1", 100, history() + 1);
    bought["userId"] = Value::Null;
    bought["anonymousId"] = json!("77");
    shop.log(&[seen, bought]);
    let figure = shop.report("banner").figure("conversion", "b");
    assert_eq!((figure.units, figure.numerator), (1, 1), "one shopper, by a number and by a text");
    // Without a message id every event is another one.
    let nameless = json!({"event": "Seen", "userId": "ann", "messageId": null});
    shop.log(&[nameless.clone(), nameless]);
}

pub(crate) fn a_wrong_clock_is_cancelled_out(engine: Engine) {
    let shop = shop(engine);
    // The phone is a year behind; between exposure and order lay ten days, and it says when it sent them.
    let year = 365 * 86_400_000;
    let now = crate::harness::events::now();
    let sent_at = rfc3339(now - year);
    let day = 86_400_000;
    let seen = viewed("ann", "banner", "b", now - year - 20 * day);
    let inside = order("ann", "o-1", 100, now - year - 10 * day);
    let outside = order("ann", "o-2", 900, now - year - 5 * day);
    let answer =
        shop.admin.post("/api/v1/events", &json!({"batch": [seen, inside], "sentAt": sent_at})).expect(200);
    assert_eq!(answer["accepted"], 2, "{answer}");
    let answer =
        shop.admin.post("/api/v1/events", &json!({"batch": [outside], "sentAt": sent_at})).expect(200);
    assert_eq!(answer["accepted"], 1, "{answer}");
    let figure = shop.report("banner").figure("revenue_per_visitor", "b");
    assert_eq!((figure.units, figure.numerator), (1, 100));
    // A moment in the future is now: within the window of who was exposed today.
    shop.log(&[viewed("bob", "banner", "b", now), order("bob", "o-3", 300, now + year)]);
    let figure = shop.report("banner").figure("revenue_per_visitor", "b");
    assert_eq!((figure.units, figure.numerator), (2, 400));
}

pub(crate) fn an_unclear_time_of_sending_costs_only_what_is_timed_by_it(engine: Engine) {
    let shop = shop(engine);
    let said = |id: &str| track("ann", "Seen", id, history(), &json!({}));
    let mut says_itself = said("says itself");
    says_itself["sentAt"] = json!(rfc3339(history()));
    let on_arrival = json!({"event": "Seen", "userId": "ann", "messageId": "on arrival"});
    for (path, place) in [("/api/v1/events", "pointer"), ("/v1/batch", "field")] {
        for (sent_at, n_timed_by_it) in [
            (json!("yesterday"), 1),
            (json!(1_800_000_000), 1),
            (json!(""), 1),
            (json!({}), 1),
            (Value::Null, 0),
        ] {
            let batch = json!([on_arrival, said(&format!("{path} {sent_at}")), says_itself]);
            let answer = shop.admin.post(path, &json!({"batch": batch, "sentAt": sent_at})).expect(200);
            let rejected = answer["rejected"].as_array().unwrap();
            assert_eq!(rejected.len(), n_timed_by_it, "{path} {sent_at}: {answer}");
            for fault in rejected {
                assert_eq!((&fault["index"], &fault["reason"]), (&json!(1), &json!("bad_timestamp")));
                assert_eq!(fault[place], "/batch/1/sentAt", "{answer}");
            }
            let n_taken = answer["accepted"].as_u64().unwrap() + answer["duplicate"].as_u64().unwrap();
            assert_eq!(n_taken, 3 - n_timed_by_it as u64, "{answer}");
        }
    }
}
