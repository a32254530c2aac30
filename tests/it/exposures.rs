//! Exposures without events: who saw which variant, as our own API takes it.

use crate::harness::events::{history, order, rfc3339, viewed};
use crate::harness::{Book, Engine, Shop, experiment, named};
use serde_json::{Value, json};

const PATH: &str = "/api/v1/exposures";
const HOUR_MS: i64 = 3_600_000;

pub(crate) fn promises(book: &mut Book) {
    book.both(named!(an_exposure_counts_as_its_event_does));
    book.both(named!(an_exposure_leaves_open_who_the_unit_is));
    book.both(named!(a_bad_exposure_is_named_and_costs_its_neighbors_nothing));
    book.both(named!(a_body_that_is_no_list_of_exposures_is_a_problem));
}

fn shop(engine: Engine) -> Shop {
    let shop = Shop::open(engine);
    let mut definition = experiment("banner", &["control", "b"]);
    definition["exposure"] = json!("event");
    shop.run(&definition);
    shop.register(&experiment("draft", &["control", "b"]));
    shop
}

fn exposure(unit: &str, variant: &str, at_ms: i64) -> Value {
    json!({
        "experiment": "banner", "unit": unit, "variant": variant, "timestamp": rfc3339(at_ms),
        "message_id": format!("{unit}/{variant}/{at_ms}"),
    })
}

pub(crate) fn an_exposure_counts_as_its_event_does(engine: Engine) {
    let shop = shop(engine);
    let at = history();
    let mut of_ann = exposure("ann", "b", at + HOUR_MS);
    of_ann["decision_id"] = json!("019ac4a1-7b1e-7c3a-9d2e-8f4b6a1c2d3e");
    let sent = json!([of_ann, exposure("bob", "control", at), exposure("carl", "b", at)]);
    let page = shop.podium.client("publishable");
    let nothing_rejected =
        |accepted: u64, duplicate: u64| json!({"accepted": accepted, "duplicate": duplicate, "rejected": []});
    assert_eq!(page.post(PATH, &sent).expect(200), nothing_rejected(3, 0));
    assert_eq!(page.post(PATH, &sent).expect(200), nothing_rejected(0, 3), "a message id counts once");
    shop.log(&[
        // The same said in other words, and later.
        viewed("bob", "banner", "control", at + 5 * HOUR_MS),
        order("ann", "before", 100, at),
        order("ann", "after", 200, at + 2 * HOUR_MS),
        order("bob", "after-the-first", 400, at + HOUR_MS),
    ]);
    // The earliest counts, whatever came first.
    shop.admin.post(PATH, &json!([exposure("carl", "b", at - HOUR_MS)])).expect(200);
    shop.log(&[order("carl", "between", 800, at - HOUR_MS / 2)]);
    let report = shop.report("banner");
    let figure = |variant| {
        let figure = report.figure("revenue_per_visitor", variant);
        (figure.units, figure.numerator)
    };
    assert_eq!((figure("control"), figure("b")), ((1, 400), (2, 1_000)));
    let listed = shop.admin.get("/api/v1/events?status=accepted&name=Experiment%20Viewed").expect(200);
    let ids: Vec<&Value> =
        listed["data"].as_array().unwrap().iter().map(|event| &event["message_id"]).collect();
    assert!(ids.contains(&&of_ann["message_id"]), "the debugger has it as the event: {listed}");
    assert_eq!(ids.len(), 5, "{listed}");
}

pub(crate) fn an_exposure_leaves_open_who_the_unit_is(engine: Engine) {
    let shop = shop(engine);
    let page = shop.podium.client("publishable");
    page.post(PATH, &json!([exposure("phone-1", "b", history())])).expect(200);
    // A page may say that a visitor is a user, and not that two users are one.
    let login = json!({"type": "identify", "userId": "ann", "anonymousId": "phone-1"});
    assert_eq!(page.post("/api/v1/events", &login).expect(200)["rejected"], json!([]));
    shop.log(&[order("ann", "o-1", 700, history() + HOUR_MS)]);
    let figure = shop.report("banner").figure("revenue_per_visitor", "b");
    assert_eq!((figure.units, figure.numerator), (1, 700));
}

pub(crate) fn a_bad_exposure_is_named_and_costs_its_neighbors_nothing(engine: Engine) {
    let shop = shop(engine);
    let with = |name: &str, value: Value| {
        let mut exposure = exposure("bad", "b", history());
        exposure[name] = value;
        exposure["message_id"] = json!(format!("bad-{name}-{}", exposure[name]));
        exposure
    };
    let cases = [
        (with("experiment", json!("nobody-knows")), "unknown_experiment", "/experiment"),
        (with("experiment", Value::Null), "unknown_experiment", "/experiment"),
        (with("experiment", json!({"key": "banner"})), "unknown_experiment", "/experiment"),
        (with("experiment", json!("draft")), "experiment_not_started", "/experiment"),
        (with("variant", json!("z")), "variant_not_assigned", "/variant"),
        (with("variant", Value::Null), "variant_not_assigned", "/variant"),
        (with("unit", Value::Null), "no_user_or_anonymous_id", "/unit"),
        (with("unit", json!("")), "no_user_or_anonymous_id", "/unit"),
        (with("unit", json!(true)), "bad_id", "/unit"),
        (with("unit", json!("u".repeat(256))), "bad_id", "/unit"),
        (with("timestamp", json!("yesterday")), "bad_timestamp", "/timestamp"),
        (with("timestamp", json!("2020-01-01T00:00:00Z")), "older_than_retention", "/timestamp"),
        (with("decision_id", json!("x".repeat(40_000))), "event_too_large", ""),
        (json!("an exposure"), "not_an_object", ""),
        (json!({}), "no_user_or_anonymous_id", "/unit"),
    ];
    let mut list: Vec<Value> = cases.iter().map(|(exposure, ..)| exposure.clone()).collect();
    let mut bad_id = exposure("bad", "b", history());
    bad_id["message_id"] = json!([1]);
    list.push(bad_id);
    list.insert(0, exposure("ann", "b", history()));
    list.push(exposure("bob", "b", history()));
    let answer = shop.podium.client("server").post(PATH, &json!(list)).expect(200);
    let told: Vec<(u64, String, String)> = answer["rejected"]
        .as_array()
        .unwrap()
        .iter()
        .map(|each| {
            let text = |name: &str| each[name].as_str().unwrap().to_owned();
            assert!(!text("detail").is_empty(), "{each}");
            (each["index"].as_u64().unwrap(), text("reason"), text("pointer"))
        })
        .collect();
    let wrong = cases.iter().map(|(_, reason, place)| (*reason, *place)).chain([("bad_id", "/message_id")]);
    let expected: Vec<(u64, String, String)> = (1..)
        .zip(wrong)
        .map(|(index, (reason, place))| (index, reason.to_owned(), format!("/{index}{place}")))
        .collect();
    assert_eq!(told, expected);
    assert_eq!(answer["accepted"], 2, "{answer}");
    assert_eq!(shop.report("banner").units("b"), 2);
    let listed = shop.admin.get("/api/v1/events?status=rejected&limit=100").expect(200);
    let found = listed["data"].as_array().unwrap().iter().find(|event| event["pointer"] == "/5/variant");
    assert_eq!(found.map(|event| &event["unit"]), Some(&json!("bad")), "{listed}");
    // Who sends with a key that everybody can read is told of the form alone.
    let page = shop.podium.client("publishable");
    let answer =
        page.post(PATH, &json!([with("variant", json!("y")), with("unit", json!(true))])).expect(200);
    assert_eq!((&answer["accepted"], answer["rejected"].as_array().map(Vec::len)), (&json!(1), Some(1)));
    assert_eq!(answer["rejected"][0]["pointer"], "/1/unit");
}

pub(crate) fn a_body_that_is_no_list_of_exposures_is_a_problem(engine: Engine) {
    let shop = shop(engine);
    for (body, slug) in [
        ("", "bad-json"),
        ("[{]", "bad-json"),
        ("[] []", "bad-json"),
        ("{}", "invalid-field"),
        ("7", "invalid-field"),
        (&*exposure("ann", "b", history()).to_string(), "invalid-field"),
        (&*json!(vec![json!({}); 10_001]).to_string(), "invalid-field"),
    ] {
        let answer = shop.admin.call("POST", PATH, &[], Some(body.as_bytes()));
        assert_eq!(answer.problem(400).slug, slug, "{answer}");
    }
    assert_eq!(shop.admin.call("POST", PATH, &[], Some(b"\"\xff\"")).problem(400).slug, "bad-json");
    let many: Vec<Value> =
        (0..2_503).map(|number| json!({"experiment": "banner", "unit": number, "variant": "b"})).collect();
    let answer = shop.admin.post(PATH, &json!(many)).expect(200);
    assert_eq!(answer["accepted"], 2_500, "{answer}");
    let rejected = answer["rejected"].as_array().unwrap();
    assert!(rejected.iter().all(|each| each["reason"] == "too_many_events"), "{answer}");
    assert_eq!(rejected.len(), 3);
    assert_eq!(shop.report("banner").units("b"), 2_500, "a number is an id, and who has no time sees it now");
}
