//! Whatever is wrong with a request to send, it is refused by name, and nothing of it is queued.

use crate::harness::{
    Answer, Book, Client, Engine, Expected, Faults, Shop, any, at, experiment, named, of_kind,
};
use serde_json::{Value, json};

pub(crate) fn promises(book: &mut Book) {
    book.both(named!(a_request_to_send_says_which_request_it_is));
    book.both(named!(a_request_that_comes_again_sends_nothing_more));
    book.both(named!(nobody_sends_or_sees_anything_without_the_scope));
    book.both(named!(a_wrong_message_is_a_problem_that_names_the_field));
    book.both(named!(what_a_channel_cannot_send_is_refused));
    book.both(named!(a_wrong_query_for_messages_is_a_problem));
    book.both(named!(an_address_is_suppressed_in_every_spelling));
    book.both(named!(a_wrong_suppression_is_a_problem_that_names_the_field));
}

const MESSAGES: &str = "/api/v1/messages";

/// A shop with the channel `mail`, whose server lets nobody in, and the channel `slots`, which sends nothing.
fn open(engine: Engine) -> Shop {
    let shop = Shop::open(engine);
    let settings = json!({"host": "127.0.0.1", "port": 1, "from": "Shop <shop@example.com>", "tls": "none"});
    for (key, body) in
        [("mail", json!({"channel": "email", "settings": settings})), ("slots", json!({"channel": "web"}))]
    {
        let body = body.to_string();
        shop.admin.call("PUT", &format!("/api/v1/channels/{key}"), &[], Some(body.as_bytes())).expect(201);
    }
    shop
}

fn send(client: &Client, key: &str, body: &Value) -> Answer {
    client.call("POST", MESSAGES, &[("Idempotency-Key", key)], Some(body.to_string().as_bytes()))
}

fn good() -> Value {
    json!({
        "channel": "mail",
        "content": {"subject": "Hello {{ name }}", "text": "Your bag waits."},
        "to": [
            {"unit": "u-1", "address": {"email": "ann@example.com"}, "fields": {"name": "Ann"}},
            {"unit": "u-2", "address": "bob@example.com"}
        ],
        "purpose": "transactional",
        "collapse_key": "bag",
        "expires_in_s": 60
    })
}

/// Places a value in a copy of the good request.
fn with(pointer: &str, value: Value) -> Value {
    let mut request = good();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = request.pointer_mut(parent).unwrap();
    match parent.as_array_mut() {
        Some(list) => list[name.parse::<usize>().unwrap()] = value,
        None => parent[name] = value,
    }
    request
}

fn without(pointer: &str) -> Value {
    let mut request = good();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    request.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(name).unwrap();
    request
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
        faults.check(&format!("the key {key:?}"), &send(&shop.admin, key, &good()), missing);
    }
    nothing_is_queued(&shop);
    // The longest there may be, and one of every character.
    let visible: String = (' '..='~').collect();
    for (key, unit) in [("k".repeat(255), "a"), (format!("k{visible}k"), "b")] {
        send(&shop.admin, &key, &with("/to/0/unit", json!(unit))).expect(202);
    }
    faults.report(&mut shop);
}

pub(crate) fn a_request_that_comes_again_sends_nothing_more(engine: Engine) {
    let mut shop = open(engine);
    let mut faults = Faults::default();
    // A key that was refused is not used up.
    faults.check("a wrong one", &send(&shop.admin, "once", &with("/to", json!([]))), at(&[400], "/to"));
    let first = send(&shop.admin, "once", &good());
    assert_eq!(first.header("idempotency-replayed"), None, "{first}");
    let ids = |body: &Value| -> Vec<Value> {
        body["data"].as_array().unwrap().iter().map(|message| message["id"].clone()).collect()
    };
    let sent = ids(&first.expect(202));
    for client in [shop.admin.clone(), shop.podium.client("server")] {
        let again = send(&client, "once", &good());
        assert_eq!(again.header("idempotency-replayed"), Some("true"), "{again}");
        assert_eq!(ids(&again.expect(202)), sent);
    }
    let reused = of_kind(&[422], "idempotency-key-reused");
    for other in
        [with("/to/0/unit", json!("u-9")), with("/collapse_key", json!("another")), without("/to/0/fields")]
    {
        faults.check("another body", &send(&shop.admin, "once", &other), reused);
    }
    // All at once, one of them is first.
    let racing = with("/to", json!({"unit": "r", "address": "race@example.com"}));
    let answers: Vec<Answer> = std::thread::scope(|scope| {
        let tries: Vec<_> =
            (0..8).map(|_| scope.spawn(|| send(&shop.admin.clone(), "race", &racing))).collect();
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

/// Requests that are wrong, each with the place that must be named.
fn wrong_fields() -> Vec<(Value, &'static str)> {
    let many: Vec<Value> = (0..1_001)
        .map(|n| json!({"unit": format!("u-{n}"), "address": format!("{n}@example.com")}))
        .collect();
    vec![
        (with("/chanel", json!("mail")), "/chanel"),
        (with("/to/0/adress", json!("x")), "/to/0/adress"),
        (with("/to", json!({"unit": "u", "address": "a@example.com", "name": "Ann"})), "/to/name"),
        (without("/channel"), "/channel"),
        (without("/to"), "/to"),
        (without("/to/1/unit"), "/to/1/unit"),
        (without("/to/1/address"), "/to/1/address"),
        (with("/to", json!({"address": "a@example.com"})), "/to/unit"),
        (with("/to", json!({"unit": "", "address": "a@example.com"})), "/to/unit"),
        (without("/content"), "/flag"),
        (with("/flag", json!("banner")), "/flag"),
        (with("/content", Value::Null), "/flag"),
        (with("/flag", json!(7)), "/flag"),
        (with("/flag", json!("a/b")), "/flag"),
        (with("/channel", json!("a b")), "/channel"),
        (with("/channel", json!("")), "/channel"),
        (with("/channel", json!("a\0b")), "/channel"),
        (with("/channel", json!("x".repeat(101))), "/channel"),
        (with("/channel", json!(["mail"])), "/channel"),
        (with("/channel", Value::Null), "/channel"),
        (with("/channel", json!("slots")), "/channel"),
        (with("/to", json!([])), "/to"),
        (with("/to", json!("ann@example.com")), "/to"),
        (with("/to", json!(7)), "/to"),
        (with("/to", Value::Null), "/to"),
        (with("/to", json!(many)), "/to"),
        (with("/to/1", json!("ann@example.com")), "/to/1"),
        (with("/to/1", Value::Null), "/to/1"),
        (with("/to/1", json!([])), "/to/1"),
        (with("/purpose", json!("spam")), "/purpose"),
        (with("/purpose", Value::Null), "/purpose"),
        (with("/collapse_key", json!(7)), "/collapse_key"),
        (with("/collapse_key", json!("x".repeat(256))), "/collapse_key"),
        (with("/collapse_key", json!("a\0")), "/collapse_key"),
        (with("/send_at", json!("soon")), "/send_at"),
        (with("/send_at", json!(1_764_000_000)), "/send_at"),
        (with("/send_at", json!("2999-01-01T00:00:00Z")), "/send_at"),
        (with("/expires_in_s", json!(0)), "/expires_in_s"),
        (with("/expires_in_s", json!(-1)), "/expires_in_s"),
        (with("/expires_in_s", json!(0.5)), "/expires_in_s"),
        (with("/expires_in_s", json!("60")), "/expires_in_s"),
        (with("/expires_in_s", json!(u64::MAX)), "/expires_in_s"),
        (with("/expires_in_s", json!(30 * 86_400 + 1)), "/expires_in_s"),
    ]
}

/// Recipients that are wrong, the second of two.
fn wrong_recipients() -> Vec<(Value, &'static str)> {
    let unit = |value: Value| (with("/to/1/unit", value), "/to/1/unit");
    let address = |value: Value| (with("/to/1/address", value), "/to/1/address");
    let fields = |value: Value, place| (with("/to/1/fields", value), place);
    let many: serde_json::Map<String, Value> = (0..65).map(|n| (format!("f{n}"), json!(n))).collect();
    vec![
        unit(Value::Null),
        unit(json!(7)),
        unit(json!("")),
        unit(json!("a\0b")),
        unit(json!("x".repeat(256))),
        unit(json!({"id": "u"})),
        address(Value::Null),
        address(json!(7)),
        address(json!(true)),
        address(json!([])),
        address(json!(["bob@example.com"])),
        address(json!("")),
        address(json!(" \t")),
        address(json!({})),
        address(json!({"email": ""})),
        address(json!("bob\0@example.com")),
        address(json!({"email": "bob\0@example.com"})),
        address(json!({"to": [{"deep": "\0"}]})),
        address(json!({"e\0mail": "bob@example.com"})),
        address(json!("x".repeat(4_097))),
        address(json!({"email": "bob@example.com", "name": "x".repeat(4_097)})),
        // One address in three spellings.
        address(json!({"email": "ann@example.com"})),
        address(json!("ANN@example.com")),
        address(json!({"mail": {"email": " Ann@Example.com"}})),
        fields(json!(7), "/to/1/fields"),
        fields(json!([1]), "/to/1/fields"),
        fields(Value::Null, "/to/1/fields"),
        fields(json!(many), "/to/1/fields"),
        fields(json!({"name": {}}), "/to/1/fields/name"),
        fields(json!({"name": ["Ann"]}), "/to/1/fields/name"),
        fields(json!({"name": "a\0"}), "/to/1/fields/name"),
        fields(json!({"name": "x".repeat(4_097)}), "/to/1/fields/name"),
        fields(json!({"": "x"}), "/to/1/fields/"),
        fields(json!({"a/b~c": {}}), "/to/1/fields/a~1b~0c"),
        fields(json!({"n\0": "x"}), "/to/1/fields/n\0"),
        fields(
            json!({"podium.unsubscribe_url": "https://evil.example"}),
            "/to/1/fields/podium.unsubscribe_url",
        ),
    ]
}

pub(crate) fn a_wrong_message_is_a_problem_that_names_the_field(engine: Engine) {
    let mut shop = open(engine);
    let mut faults = Faults::default();
    let invalid = |place| Expected { statuses: &[400], slug: Some("invalid-field"), place: Some(place) };
    for (body, place) in wrong_fields().into_iter().chain(wrong_recipients()) {
        let answer = send(&shop.admin, "wrong", &body);
        let what: String = body.to_string().chars().take(300).collect();
        faults.check(&format!("wrong at {place}: {what}"), &answer, invalid(place));
    }
    for body in [json!([]), json!([good()]), json!("x"), json!(7), Value::Null] {
        faults.check(&body.to_string(), &send(&shop.admin, "wrong", &body), any(&[400]));
    }
    // Each fault is named, in the order of the request.
    let mut twice = with("/expires_in_s", json!(0));
    twice["to"][0]["unit"] = json!("");
    twice["to"][1]["fields"] = json!({"b": {}, "a": []});
    let problem = send(&shop.admin, "wrong", &twice).problem(400);
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
        send(&shop.admin, key, &body).expect(202);
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
        let answer = send(&shop.admin, "refused", &with("/content", content.clone()));
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
    let answer = send(&shop.admin, "refused", &by_flag("nobody-knows", &ann));
    faults.check("an unknown flag", &answer, unknown("unknown-flag", "/flag"));
    let answer = send(&shop.admin, "refused", &with("/channel", json!("pigeon")));
    faults.check("an unknown channel", &answer, unknown("unknown-channel", "/channel"));
    // One variant can be sent, the other cannot: whoever gets that one stops the whole request.
    let mut mixed = experiment("mixed", &["control", "bare"]);
    mixed["variants"][0]["content"] = json!({"subject": "x", "text": "x"});
    shop.run(&mixed);
    let units: Vec<String> = (0..40).map(|n| format!("u-{n}")).collect();
    let (bare, sendable): (Vec<_>, Vec<_>) =
        units.iter().cloned().partition(|unit| shop.decide(unit, "mixed").variant.as_deref() == Some("bare"));
    assert!(!bare.is_empty() && !sendable.is_empty());
    let answer = send(&shop.admin, "mixed", &by_flag("mixed", &units));
    faults.check("a variant that cannot be sent", &answer, refused("/flag"));
    assert!(answer.problem(422).detail.contains("variant `bare`"), "{answer}");
    nothing_is_queued(&shop);
    // The key is still free for those who can be sent something.
    let sent = send(&shop.admin, "mixed", &by_flag("mixed", &sendable)).expect(202);
    assert_eq!(sent["data"].as_array().unwrap().len(), sendable.len());
    faults.report(&mut shop);
}

pub(crate) fn a_wrong_query_for_messages_is_a_problem(engine: Engine) {
    let mut shop = open(engine);
    let mut faults = Faults::default();
    let to: Vec<Value> =
        (0..5).map(|n| json!({"unit": format!("u-{n}"), "address": format!("{n}@example.com")})).collect();
    send(&shop.admin, "five", &with("/to", json!(to))).expect(202);
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
    for (method, path) in [
        ("PUT", MESSAGES),
        ("DELETE", "/api/v1/messages/x"),
        ("PATCH", "/api/v1/suppressions"),
        ("POST", "/api/v1/channels"),
        ("PATCH", "/api/v1/channels/mail"),
        ("GET", "/api/v1/channels/mail/resume"),
        ("GET", "/api/v1/channels/mail/webhook"),
        ("POST", "/l/x"),
        ("POST", "/o/x"),
        ("PUT", "/u/x"),
    ] {
        let answer = shop.admin.call(method, path, &[], (method != "GET").then_some(b"{}"));
        faults.check(&format!("{method} {path}"), &answer, of_kind(&[405], "method-not-allowed"));
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

const SUPPRESSIONS: &str = "/api/v1/suppressions";

pub(crate) fn an_address_is_suppressed_in_every_spelling(engine: Engine) {
    let shop = open(engine);
    let scope = |address: &str, scope: &str| {
        let body = json!({"channel": "mail", "address": address, "scope": scope, "reason": scope});
        let added = shop.admin.post(SUPPRESSIONS, &body).expect(201);
        (added["scope"].clone(), added["reason"].clone())
    };
    assert_eq!(scope("Ann@Example.com", "marketing"), (json!("marketing"), json!("marketing")));
    assert_eq!(scope(" ann@example.com ", "all"), (json!("all"), json!("all")));
    assert_eq!(scope("ann@example.com", "marketing"), (json!("all"), json!("all")), "what holds is told");
    for address in ["ann@example.com", "ANN@EXAMPLE.COM", "%20Ann@example.com"] {
        let found = shop.admin.get(&format!("{SUPPRESSIONS}?channel=mail&address={address}")).expect(200);
        assert_eq!(found["data"][0]["address"], "ann@example.com", "{address}: {found}");
    }
    let lift = |address: &str| {
        let path = format!("{SUPPRESSIONS}?channel=mail&address={address}");
        shop.admin.call("DELETE", &path, &[], None)
    };
    lift("ANN@example.com").expect(204);
    assert_eq!(lift("ann@example.com").problem(404).slug, "not-found");
    assert_eq!(shop.admin.get(&format!("{SUPPRESSIONS}?channel=mail")).expect(200)["data"], json!([]));
}

pub(crate) fn a_wrong_suppression_is_a_problem_that_names_the_field(engine: Engine) {
    let mut shop = open(engine);
    let mut faults = Faults::default();
    let base = json!({"channel": "mail", "address": "ann@example.com"});
    for (name, value) in [
        ("channel", json!("a b")),
        ("channel", json!(7)),
        ("channel", Value::Null),
        ("address", json!("")),
        ("address", json!("  ")),
        ("address", json!(7)),
        ("address", json!({"email": "ann@example.com"})),
        ("address", json!("a\0b")),
        ("address", json!("x".repeat(4_097))),
        ("scope", json!("everything")),
        ("scope", Value::Null),
        ("reason", json!("a\0b")),
        ("reason", json!(7)),
        ("reason", json!("x".repeat(4_097))),
        ("until", json!("2999-01-01T00:00:00Z")),
    ] {
        let mut body = base.clone();
        body[name] = value;
        let answer = shop.admin.post(SUPPRESSIONS, &body);
        let place = format!("/{name}");
        let what: String = body.to_string().chars().take(120).collect();
        let expected = Expected { statuses: &[400], slug: Some("invalid-field"), place: Some(&place) };
        faults.check(&what, &answer, expected);
    }
    for name in ["channel", "address"] {
        let mut body = base.clone();
        body.as_object_mut().unwrap().remove(name);
        faults.check(name, &shop.admin.post(SUPPRESSIONS, &body), at(&[400], &format!("/{name}")));
    }
    let wrong = of_kind(&[400], "invalid-query");
    for query in ["limit=0", "limit=501", "cursor=.", "cursor=AA", "scope=all", "address=%00"] {
        let answer = shop.admin.get(&format!("{SUPPRESSIONS}?channel=mail&{query}"));
        faults.check(&format!("GET {query}"), &answer, wrong);
    }
    for query in
        ["", "?channel=mail", "?address=x", "?channel=mail&address=x&limit=1", "?channel=%00&address=x"]
    {
        let path = format!("{SUPPRESSIONS}{query}");
        faults.check(&path, &shop.admin.call("DELETE", &path, &[], None), wrong);
    }
    for query in ["", "?address=x", "?channel=%00"] {
        let path = format!("{SUPPRESSIONS}{query}");
        faults.check(&path, &shop.admin.get(&path), wrong);
    }
    for channel in ["mail", "slots", "nobody-knows"] {
        let listed = shop.admin.get(&format!("{SUPPRESSIONS}?channel={channel}")).expect(200);
        assert_eq!(listed["data"], json!([]), "{channel}");
    }
    faults.report(&mut shop);
}
