//! Whatever is wrong with a request to send, it is refused by name, and nothing of it is queued.

mod request;

use self::request::{good, with, without, wrong_fields, wrong_recipients};
use crate::harness::{
    Answer, Book, Client, Engine, Expected, Faults, Shop, any, at, email, experiment, named, of_kind,
};
use serde_json::{Value, json};

pub(crate) fn promises(book: &mut Book) {
    book.both(named!(a_request_to_send_says_which_request_it_is));
    book.both(named!(a_request_that_comes_again_sends_nothing_more));
    book.both(named!(nobody_sends_or_sees_anything_without_the_scope));
    book.both(named!(a_wrong_message_is_a_problem_that_names_the_field));
    book.both(named!(what_a_channel_cannot_send_is_refused));
    book.both(named!(a_wrong_query_for_messages_is_a_problem));
}

const MESSAGES: &str = "/api/v1/messages";

/// A shop with the channel `mail`, whose server lets nobody in, and the channel `slots`, which sends nothing.
pub(super) fn open(engine: Engine) -> Shop {
    let shop = Shop::open(engine);
    shop.set_up("mail", &email(1));
    shop.set_up("slots", &json!({"channel": "web"}));
    shop
}

/// Checks that no message is there.
#[track_caller]
fn nothing_is_queued(shop: &Shop) {
    let listed = shop.admin.get(MESSAGES).expect(200);
    assert_eq!(listed, json!({"data": [], "next_cursor": null}), "something was queued");
}

pub(crate) fn a_request_to_send_says_which_request_it_is(engine: Engine) {
    let mut shop = open(engine);
    let mut faults = Faults::default();
    let missing = of_kind(&[400], "idempotency-key-missing");
    faults.check("no key", &shop.admin.post(MESSAGES, &good()), missing);
    for key in ["", "   ", &"k".repeat(256), "schlüssel", "キー"] {
        faults.check(&format!("the key {key:?}"), &shop.admin.send_messages(key, &good()), missing);
    }
    nothing_is_queued(&shop);
    // The longest there may be, and one of every character.
    let visible: String = (' '..='~').collect();
    for (key, unit) in [("k".repeat(255), "a"), (format!("k{visible}k"), "b")] {
        shop.admin.send_messages(&key, &with("/to/0/unit", json!(unit))).expect(202);
    }
    faults.report(&mut shop);
}

pub(crate) fn a_request_that_comes_again_sends_nothing_more(engine: Engine) {
    let mut shop = open(engine);
    let mut faults = Faults::default();
    // A key that was refused is not used up.
    faults.check(
        "a wrong one",
        &shop.admin.send_messages("once", &with("/to", json!([]))),
        at(&[400], "/to"),
    );
    let first = shop.admin.send_messages("once", &good());
    assert_eq!(first.header("idempotency-replayed"), None, "{first}");
    let ids = |body: &Value| -> Vec<Value> {
        body["data"].as_array().unwrap().iter().map(|message| message["id"].clone()).collect()
    };
    let sent = ids(&first.expect(202));
    for client in [shop.admin.clone(), shop.podium.client("server")] {
        let again = client.send_messages("once", &good());
        assert_eq!(again.header("idempotency-replayed"), Some("true"), "{again}");
        assert_eq!(ids(&again.expect(202)), sent);
    }
    let reused = of_kind(&[422], "idempotency-key-reused");
    for other in
        [with("/to/0/unit", json!("u-9")), with("/collapse_key", json!("another")), without("/to/0/fields")]
    {
        faults.check("another body", &shop.admin.send_messages("once", &other), reused);
    }
    // All at once, one of them is first.
    let racing = with("/to", json!({"unit": "r", "address": "race@example.com"}));
    let answers: Vec<Answer> = std::thread::scope(|scope| {
        let tries: Vec<_> =
            (0..8).map(|_| scope.spawn(|| shop.admin.send_messages("race", &racing))).collect();
        tries.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let n_first = answers.iter().filter(|answer| answer.header("idempotency-replayed").is_none()).count();
    let all: std::collections::BTreeSet<String> =
        answers.iter().map(|answer| ids(&answer.expect(202))[0].to_string()).collect();
    assert_eq!((n_first, all.len()), (1, 1), "{all:?}");
    let listed = shop.admin.get(MESSAGES).expect(200);
    assert_eq!(ids(&listed).len(), 3, "{listed}");
    faults.report(&mut shop);
}

pub(crate) fn nobody_sends_or_sees_anything_without_the_scope(engine: Engine) {
    let mut shop = open(engine);
    let mut faults = Faults::default();
    let channel = shop.admin.get("/api/v1/channels/mail").expect(200);
    let suppression = json!({"channel": "mail", "address": "ann@example.com"});
    shop.admin.post("/api/v1/suppressions", &suppression).expect(201);
    let body = good().to_string();
    let headers = [("Idempotency-Key", "mine"), ("If-Match", "*")];
    let for_servers = [
        ("POST", MESSAGES),
        ("GET", MESSAGES),
        ("GET", "/api/v1/messages/00000000-0000-8000-8000-000000000000"),
        ("GET", "/api/v1/suppressions?channel=mail"),
        ("POST", "/api/v1/suppressions"),
        ("GET", "/api/v1/channels"),
        ("GET", "/api/v1/channels/mail"),
        ("GET", "/api/v1/channels/nobody-knows"),
        ("GET", "/api/v1/channels/mail/health"),
    ];
    let for_admins = [
        ("PUT", "/api/v1/channels/mail"),
        ("PUT", "/api/v1/channels/new"),
        ("DELETE", "/api/v1/channels/mail"),
        ("POST", "/api/v1/channels/mail/resume"),
        ("DELETE", "/api/v1/suppressions?channel=mail&address=ann@example.com"),
    ];
    let nobody = shop.admin.with_key(None);
    let made_up = shop.admin.with_key(Some(&format!("podium_srv_{}_{}", "0".repeat(12), "0".repeat(64))));
    let (publishable, server) = (shop.podium.client("publishable"), shop.podium.client("server"));
    for (method, path) in for_servers.into_iter().chain(for_admins) {
        let mut ask = |who: &str, client: &Client, expected| {
            let answer = client.call(method, path, &headers, (method != "GET").then_some(body.as_bytes()));
            faults.check(&format!("{method} {path} by {who}"), &answer, expected);
        };
        ask("nobody", &nobody, of_kind(&[401], "unauthorized"));
        ask("a key that was made up", &made_up, of_kind(&[401], "unauthorized"));
        ask("a publishable key", &publishable, of_kind(&[403], "forbidden"));
        if for_admins.contains(&(method, path)) {
            ask("a server key", &server, of_kind(&[403], "forbidden"));
        }
    }
    nothing_is_queued(&shop);
    assert_eq!(shop.admin.get("/api/v1/channels/mail").expect(200), channel);
    let listed = shop.admin.get("/api/v1/suppressions?channel=mail").expect(200);
    assert_eq!(listed["data"][0]["address"], "ann@example.com");
    faults.report(&mut shop);
}

pub(crate) fn a_wrong_message_is_a_problem_that_names_the_field(engine: Engine) {
    let mut shop = open(engine);
    let mut faults = Faults::default();
    let invalid = |place| Expected { statuses: &[400], slug: Some("invalid-field"), place: Some(place) };
    for (body, place) in wrong_fields().into_iter().chain(wrong_recipients()) {
        let answer = shop.admin.send_messages("wrong", &body);
        let what: String = body.to_string().chars().take(300).collect();
        faults.check(&format!("wrong at {place}: {what}"), &answer, invalid(place));
    }
    for body in [json!([]), json!([good()]), json!("x"), json!(7), Value::Null] {
        faults.check(&body.to_string(), &shop.admin.send_messages("wrong", &body), any(&[400]));
    }
    // Each fault is named, in the order of the request.
    let mut twice = with("/expires_in_s", json!(0));
    twice["to"][0]["unit"] = json!("");
    twice["to"][1]["fields"] = json!({"b": {}, "a": []});
    let problem = shop.admin.send_messages("wrong", &twice).problem(400);
    assert_eq!(
        problem.pointers,
        ["/expires_in_s", "/to/0/unit", "/to/1/fields/a", "/to/1/fields/b"],
        "{}",
        problem.detail
    );
    nothing_is_queued(&shop);
    // What is at the edge is taken.
    for (key, body) in [
        ("unit", with("/to/1/unit", json!("é".repeat(127)))),
        ("field", with("/to/1/fields", json!({"a": null, "b": 1.5, "c": true, "d": "x".repeat(4_096)}))),
        ("address", with("/to/1/address", json!(format!("{}@example.com", "x".repeat(64))))),
        ("past", with("/send_at", json!("1999-01-01T00:00:00+14:00"))),
        ("expires", with("/expires_in_s", json!(30 * 86_400))),
    ] {
        shop.admin.send_messages(key, &body).expect(202);
    }
    faults.report(&mut shop);
}

pub(crate) fn what_a_channel_cannot_send_is_refused(engine: Engine) {
    let mut shop = open(engine);
    let mut faults = Faults::default();
    let refused = |place| Expected { statuses: &[422], slug: Some("content-refused"), place: Some(place) };
    for content in [
        json!({"text": "Without a subject"}),
        json!({"subject": " ", "text": "x"}),
        json!({"subject": "x"}),
        json!({"subject": "x", "text": "x", "txet": "x"}),
        json!({"subject": 7, "text": "x"}),
        json!({"subject": "x", "text": "{{ unclosed"}),
        json!({"subject": "x", "html": "<a href=\"javascript:alert(1)\">x</a>"}),
        json!({"subject": "x", "html": "<a href=\"{{ anywhere }}\">x</a>"}),
        json!([]),
        json!("x"),
        json!(7),
        json!(false),
    ] {
        let answer = shop.admin.send_messages("refused", &with("/content", content.clone()));
        faults.check(&format!("the content {content}"), &answer, refused("/content"));
    }
    let unknown = |slug, place| Expected { statuses: &[422], slug: Some(slug), place: Some(place) };
    let by_flag = |flag: &str, units: &[String]| {
        let to: Vec<Value> = units
            .iter()
            .map(|unit| json!({"unit": unit, "address": format!("{unit}@example.com")}))
            .collect();
        json!({"channel": "mail", "flag": flag, "to": to})
    };
    let ann = ["ann".to_owned()];
    let answer = shop.admin.send_messages("refused", &by_flag("nobody-knows", &ann));
    faults.check("an unknown flag", &answer, unknown("unknown-flag", "/flag"));
    let answer = shop.admin.send_messages("refused", &with("/channel", json!("pigeon")));
    faults.check("an unknown channel", &answer, unknown("unknown-channel", "/channel"));
    // One variant can be sent, the other cannot: whoever gets that one stops the whole request.
    let mut mixed = experiment("mixed", &["control", "bare"]);
    mixed["variants"][0]["content"] = json!({"subject": "x", "text": "x"});
    shop.run(&mixed);
    let units: Vec<String> = (0..40).map(|n| format!("u-{n}")).collect();
    let (bare, sendable): (Vec<_>, Vec<_>) =
        units.iter().cloned().partition(|unit| shop.decide(unit, "mixed").variant.as_deref() == Some("bare"));
    assert!(!bare.is_empty() && !sendable.is_empty());
    let answer = shop.admin.send_messages("mixed", &by_flag("mixed", &units));
    faults.check("a variant that cannot be sent", &answer, refused("/flag"));
    assert!(answer.problem(422).detail.contains("variant `bare`"), "{answer}");
    nothing_is_queued(&shop);
    // The key is still free for those who can be sent something.
    let sent = shop.admin.send_messages("mixed", &by_flag("mixed", &sendable)).expect(202);
    assert_eq!(sent["data"].as_array().unwrap().len(), sendable.len());
    faults.report(&mut shop);
}

pub(crate) fn a_wrong_query_for_messages_is_a_problem(engine: Engine) {
    let mut shop = open(engine);
    let mut faults = Faults::default();
    let to: Vec<Value> =
        (0..5).map(|n| json!({"unit": format!("u-{n}"), "address": format!("{n}@example.com")})).collect();
    shop.admin.send_messages("five", &with("/to", json!(to))).expect(202);
    for query in [
        "limit=0",
        "limit=501",
        "limit=-1",
        "limit=x",
        "limit=1&limit=2",
        "cursor=",
        "cursor=nonsense",
        "cursor=%00",
        "cursor=MQ",
        "cursor=eCB5",
        "state=lost",
        "state=",
        "unit=%00",
        "channel=a%00b",
        "stat=sent",
    ] {
        let answer = shop.admin.get(&format!("{MESSAGES}?{query}"));
        faults.check(query, &answer, of_kind(&[400], "invalid-query"));
    }
    for id in ["nobody-knows", "%00", "%ff", "00000000-0000-8000-8000-000000000000", "..%2f..%2fetc"] {
        faults.check(id, &shop.admin.get(&format!("{MESSAGES}/{id}")), any(&[404]));
    }
    // Pages lead to each other, and hold everything once; what fits nothing is an empty page.
    let mut path = format!("{MESSAGES}?channel=mail&limit=2");
    let mut units = Vec::new();
    loop {
        let answer = shop.admin.get(&path);
        let body = answer.expect(200);
        units.extend(body["data"].as_array().unwrap().iter().map(|message| message["unit"].clone()));
        let Some(cursor) = body["next_cursor"].as_str() else { break };
        path = format!("{MESSAGES}?channel=mail&limit=2&cursor={cursor}");
        assert_eq!(answer.header("link"), Some(&*format!("<{path}>; rel=\"next\"")), "{answer}");
        assert!(units.len() < 6, "{units:?}");
    }
    units.sort_by_key(ToString::to_string);
    assert_eq!(units, ["u-0", "u-1", "u-2", "u-3", "u-4"]);
    for query in ["unit=%ff", "unit=u-1'%20OR%201=1--", "channel=slots", "state=sent"] {
        let listed = shop.admin.get(&format!("{MESSAGES}?{query}")).expect(200);
        assert_eq!(listed["data"], json!([]), "{query}");
    }
    faults.report(&mut shop);
}
