//! Messages: each person gets what was decided for them, an exposure counts once the provider has taken it, and who
//! wants no more gets no more.

use crate::harness::{
    Book, Built, Client, Engine, MailServer, Receiver, Reply, Shop, email, events, experiment, named, soon,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

pub(crate) fn promises(book: &mut Book) {
    book.both(named!(a_message_carries_the_variant_of_its_person_and_counts_once_it_is_taken));
    book.both(named!(the_same_request_again_sends_nothing_again));
    book.both(named!(what_the_provider_refuses_is_told_and_counts_nothing));
    book.both(named!(a_provider_that_is_back_gets_what_waited));
    book.both(named!(what_was_not_answered_waits_to_go_again));
    book.both(named!(wrong_credentials_stop_the_channel_until_they_are_right));
    book.both(named!(what_is_under_way_when_its_channel_is_removed_does_not_wait_for_ever));
    book.both(named!(what_waits_for_a_channel_that_is_removed_is_not_sent));
    book.once(named!(a_channel_whose_settings_fail_works_once_they_do_not));
    book.both(named!(one_click_ends_such_mails_and_nothing_else));
    book.both(named!(clicks_and_openings_are_events_of_the_person));
    book.both(named!(no_field_of_a_person_changes_a_header));
}

/// What messages to the webhook are signed with.
const SECRET: (&str, &str) = ("PODIUM_SECRET_HOOK", "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=");

/// A shop with a channel `desk` that posts to the receiver.
pub(super) fn with_desk(engine: Engine, receiver: &Receiver) -> Shop {
    Built::package("webhook-channel");
    let shop = Shop::with(engine, Vec::new(), &[SECRET]);
    let settings = json!({"endpoint": receiver.url(), "signing_secret": {"secret": "HOOK"}});
    shop.set_up("desk", &json!({"channel": "webhook", "settings": settings}));
    shop
}

/// A shop with a channel `mail` to the mail server.
pub(super) fn with_mail(engine: Engine, server: &MailServer) -> Shop {
    let shop = Shop::open(engine);
    shop.set_up("mail", &email(server.port()));
    shop
}

fn recipients(units: impl Iterator<Item = usize>) -> Value {
    units.map(|n| json!({"unit": format!("u{n}"), "address": format!("desk-{n}")})).collect()
}

/// A message once it is in one of these states.
#[track_caller]
fn settled(shop: &Shop, id: &Value, states: &[&str]) -> Value {
    let path = format!("/api/v1/messages/{}", id.as_str().unwrap());
    soon("the message is settled", || {
        let message = shop.admin.get(&path).expect(200);
        states.iter().any(|state| message["state"] == *state).then_some(message)
    })
}

/// How many units each variant has in the report.
fn report_units(shop: &Shop, key: &str) -> BTreeMap<String, i64> {
    let report = shop.report(key);
    let variants = report.0["variants"].as_array().unwrap().iter();
    variants
        .map(|variant| (variant["key"].as_str().unwrap().to_owned(), variant["units"].as_i64().unwrap()))
        .collect()
}

pub(crate) fn a_message_carries_the_variant_of_its_person_and_counts_once_it_is_taken(engine: Engine) {
    // Half of the recipients are gone: they got no variant.
    let receiver = Receiver::new(|posted, _| {
        let is_gone = posted.body.contains("-gone");
        Reply::Status(if is_gone { 410 } else { 204 }, "")
    });
    let mut shop = with_desk(engine, &receiver);
    let mut definition = experiment("winter", &["short", "long", "none"]);
    definition["variants"][0]["content"] = json!({"text": "Hi {{ name | you }}"});
    definition["variants"][1]["content"] = json!({"text": "Dear {{ name | you }}"});
    definition["variants"][2]["content"] = Value::Null;
    shop.run(&definition);
    let to: Vec<Value> = (0..200)
        .map(|n| {
            let address = format!("desk-{n}{}", if n % 2 == 0 { "" } else { "-gone" });
            json!({"unit": format!("u{n}"), "address": address, "fields": {"name": "A\"B"}})
        })
        .collect();
    let sent = shop.send_messages("blast-1", &json!({"channel": "desk", "flag": "winter", "to": to}));
    let mut expected: BTreeMap<String, i64> = BTreeMap::new();
    for (n, message) in sent.iter().enumerate() {
        let variant = message["variant"].as_str().unwrap();
        let unit = format!("u{n}");
        assert_eq!(
            shop.admin
                .post("/api/v1/decide", &json!({"unit": unit, "flags": ["winter"], "exposure": false}))
                .expect(200)["decisions"][0]["variant"],
            variant
        );
        let message = settled(&shop, &message["id"], &["sent", "failed", "skipped"]);
        let end = match (variant, n % 2) {
            ("none", _) => ("skipped", "no_content"),
            (_, 0) => ("sent", ""),
            _ => ("failed", "target_gone"),
        };
        assert_eq!(
            (message["state"].as_str().unwrap(), message["reason"].as_str().unwrap()),
            end,
            "{message}"
        );
        if end.0 != "failed" {
            *expected.entry(variant.to_owned()).or_default() += 1;
        }
    }
    assert_eq!(report_units(&shop, "winter"), expected);
    for posted in receiver.posted() {
        let body: Value = serde_json::from_str(&posted.body).unwrap();
        let n: usize = body["data"]["to"]
            .as_str()
            .unwrap()
            .trim_start_matches("desk-")
            .trim_end_matches("-gone")
            .parse()
            .unwrap();
        let greeting = if sent[n]["variant"] == "short" { "Hi A\"B" } else { "Dear A\"B" };
        assert_eq!(body["data"]["content"]["text"], greeting);
        assert_eq!(body["data"]["decision_id"], sent[n]["decision_id"]);
        assert_eq!(posted.id, sent[n]["id"].as_str().unwrap());
    }
    // Who is gone is not written to again.
    let again = shop.send_messages("blast-2",
        &json!({"channel": "desk", "content": {"text": "x"}, "to": {"unit": "u1", "address": "desk-1-gone"}, "purpose": "transactional"}),
    );
    assert_eq!(settled(&shop, &again[0]["id"], &["skipped", "sent", "failed"])["reason"], "suppressed");
    let listed = shop.admin.get("/api/v1/suppressions?channel=desk&limit=500").expect(200);
    let n_gone =
        sent.iter().enumerate().filter(|(n, message)| n % 2 == 1 && message["variant"] != "none").count();
    assert_eq!(listed["data"].as_array().unwrap().len(), n_gone);
    shop.check_rebuild();
}

pub(crate) fn the_same_request_again_sends_nothing_again(engine: Engine) {
    let receiver = Receiver::new(|_, _| Reply::Status(200, ""));
    let mut shop = with_desk(engine, &receiver);
    let request = json!({"channel": "desk", "content": {"a": 1}, "to": recipients(0..20)});
    let ask = |admin: &Client| admin.send_messages("k", &request);
    // At the same time, and one after the other, over a restart too.
    let first = std::thread::scope(|scope| {
        let asking: Vec<_> = (0..8).map(|_| scope.spawn(|| ask(&shop.admin).expect(202))).collect();
        let answers: Vec<Value> = asking.into_iter().map(|asking| asking.join().unwrap()).collect();
        answers.into_iter().map(|answer| ids(&answer)).reduce(|one, other| {
            assert_eq!(one, other);
            one
        })
    });
    assert!(shop.podium.stop().success());
    shop.restart();
    let again = ask(&shop.admin);
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(Some(ids(&again.expect(202))), first);
    for id in first.unwrap() {
        settled(&shop, &json!(id), &["sent"]);
    }
    assert_eq!(receiver.posted().len(), 20);
    let other = json!({"channel": "desk", "content": {"a": 2}, "to": recipients(0..1)});
    let reused = shop.admin.send_messages("k", &other);
    assert_eq!(reused.problem(422).slug, "idempotency-key-reused");
}

fn ids(answer: &Value) -> Vec<String> {
    answer["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|message| message["id"].as_str().unwrap().to_owned())
        .collect()
}

pub(crate) fn what_the_provider_refuses_is_told_and_counts_nothing(engine: Engine) {
    let receiver = Receiver::new(|posted, _| {
        let status = posted.body.split("status-").nth(1).and_then(|rest| rest[..3].parse().ok());
        Reply::Status(status.unwrap(), "")
    });
    let shop = with_desk(engine, &receiver);
    shop.run(&experiment("winter", &["a", "b"]));
    let to: Value = [400, 410, 413, 302]
        .map(|status| json!({"unit": format!("u{status}"), "address": format!("status-{status}")}))
        .into();
    let sent = shop.send_messages("k", &json!({"channel": "desk", "flag": "winter", "to": to}));
    for (message, reason) in sent.iter().zip(["rejected", "target_gone", "too_large", "rejected"]) {
        let message = settled(&shop, &message["id"], &["failed", "sent", "skipped"]);
        assert_eq!((&message["state"], &message["reason"]), (&json!("failed"), &json!(reason)), "{message}");
        let history = message["history"].as_array().unwrap();
        assert_eq!((history.len(), &history[0]["outcome"]), (1, &json!(reason)), "{message}");
        assert!(history[0]["begun_at"].is_string() && history[0]["ended_at"].is_string(), "{message}");
    }
    assert!(report_units(&shop, "winter").values().all(|units| *units == 0));
}

pub(crate) fn a_provider_that_is_back_gets_what_waited(engine: Engine) {
    let receiver = Receiver::new(|_, n_before| match n_before {
        0 => Reply::Status(503, "retry-after: 1\r\n"),
        1 => Reply::Status(429, "retry-after: 1\r\n"),
        _ => Reply::Status(200, ""),
    });
    let shop = with_desk(engine, &receiver);
    let request = json!({"channel": "desk", "content": {"a": 1}, "to": {"unit": "u1", "address": "desk-1"}});
    let sent = shop.send_messages("k", &request);
    let message = settled(&shop, &sent[0]["id"], &["sent", "failed", "skipped", "unknown"]);
    assert_eq!((&message["state"], &message["attempts"]), (&json!("sent"), &json!(3)), "{message}");
    assert_eq!(outcomes(&message), ["deferred", "rate_limited", "accepted"], "{message}");
    let keys: Vec<String> = receiver.posted().into_iter().map(|posted| posted.id).collect();
    assert!(keys.iter().all(|key| *key == sent[0]["id"]), "{keys:?}");
}

/// Being keyed, it goes again. That takes half a minute, and the clock is not ours: it is queued for that.
pub(crate) fn what_was_not_answered_waits_to_go_again(engine: Engine) {
    let receiver = Receiver::new(|_, _| Reply::Nothing);
    let shop = with_desk(engine, &receiver);
    let request = json!({"channel": "desk", "content": {"a": 1}, "to": {"unit": "u1", "address": "desk-1"}});
    let sent = shop.send_messages("k", &request);
    let path = format!("/api/v1/messages/{}", sent[0]["id"].as_str().unwrap());
    let message = soon("one attempt", || {
        let message = shop.admin.get(&path).expect(200);
        (message["attempts"] == 1 && message["state"] == "queued").then_some(message)
    });
    assert_eq!(outcomes(&message), ["unknown"], "{message}");
}

fn outcomes(message: &Value) -> Vec<&Value> {
    message["history"].as_array().unwrap().iter().map(|attempt| &attempt["outcome"]).collect()
}

pub(crate) fn wrong_credentials_stop_the_channel_until_they_are_right(engine: Engine) {
    let is_right = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&is_right);
    let receiver =
        Receiver::new(move |_, _| Reply::Status(if asked.load(Ordering::SeqCst) { 200 } else { 401 }, ""));
    let shop = with_desk(engine, &receiver);
    let channel = || shop.admin.get("/api/v1/channels/desk").expect(200);
    let sent =
        shop.send_messages("k", &json!({"channel": "desk", "content": {"a": 1}, "to": recipients(0..50)}));
    soon("the channel is paused", || (channel()["state"] == "paused").then_some(()));
    assert!(channel()["why"].as_str().unwrap().contains("credentials"), "{}", channel());
    let n_tried = receiver.posted().len();
    assert!(n_tried <= 16, "{n_tried} messages were tried with wrong credentials");
    is_right.store(true, Ordering::SeqCst);
    let settings = channel()["settings"].clone();
    let new = json!({"channel": "webhook", "settings": settings});
    let etag = shop.admin.get("/api/v1/channels/desk").etag();
    shop.admin.edit("PUT", "/api/v1/channels/desk", &etag, Some(&new)).expect(200);
    // Those that were tried, too: it is their channel that waited.
    for message in &sent {
        settled(&shop, &message["id"], &["sent"]);
    }
}

pub(crate) fn what_waits_for_a_channel_that_is_removed_is_not_sent(engine: Engine) {
    let receiver = Receiver::new(|_, _| Reply::Status(200, ""));
    let shop = with_desk(engine, &receiver);
    let later = events::rfc3339(events::now() + 3_600_000);
    let request = json!({"channel": "desk", "content": {"a": 1}, "to": recipients(0..3), "send_at": later});
    let sent = shop.send_messages("k", &request);
    shop.admin.edit("DELETE", "/api/v1/channels/desk", "*", None).expect(204);
    for message in &sent {
        assert_eq!(settled(&shop, &message["id"], &["skipped"])["reason"], "channel_removed");
    }
    assert!(receiver.posted().is_empty());
}

pub(crate) fn what_is_under_way_when_its_channel_is_removed_does_not_wait_for_ever(engine: Engine) {
    let ((entered, has_entered), (go, may_go)) = (mpsc::channel(), mpsc::channel());
    let doors = Mutex::new((entered, may_go));
    let receiver = Receiver::new(move |_, _| {
        let doors = doors.lock().unwrap();
        doors.0.send(()).unwrap();
        doors.1.recv().unwrap();
        Reply::Status(503, "")
    });
    let shop = with_desk(engine, &receiver);
    let sent =
        shop.send_messages("k", &json!({"channel": "desk", "content": {"a": 1}, "to": recipients(0..1)}));
    has_entered.recv_timeout(Duration::from_secs(20)).unwrap();
    shop.admin.edit("DELETE", "/api/v1/channels/desk", "*", None).expect(204);
    go.send(()).unwrap();
    assert_eq!(settled(&shop, &sent[0]["id"], &["skipped"])["reason"], "channel_removed");
}

pub(crate) fn a_channel_whose_settings_fail_works_once_they_do_not() {
    let receiver = Receiver::new(|_, _| Reply::Status(200, ""));
    Built::package("webhook-channel");
    let mut shop = Shop::open(Engine::Sqlite);
    let secret = shop.data_dir().join("secrets").join("DESK");
    std::fs::create_dir_all(secret.parent().unwrap()).unwrap();
    std::fs::write(&secret, SECRET.1).unwrap();
    let settings = json!({"endpoint": receiver.url(), "signing_secret": {"secret": "DESK"}});
    shop.set_up("desk", &json!({"channel": "webhook", "settings": settings}));
    std::fs::remove_file(&secret).unwrap();
    shop.restart();
    let state = |shop: &Shop| shop.admin.get("/api/v1/channels/desk").expect(200)["state"].clone();
    assert_eq!(state(&shop), "down");
    let request = json!({"channel": "desk", "content": {"a": 1}, "to": recipients(0..1)});
    let refused = shop.admin.send_messages("k", &request);
    assert_eq!(refused.problem(503).slug, "unavailable");
    std::fs::write(&secret, SECRET.1).unwrap();
    soon("the channel works again", || (state(&shop) == "running").then_some(()));
    let sent = shop.send_messages("k", &request);
    settled(&shop, &sent[0]["id"], &["sent"]);
}

/// The link of a mail's one-click header, without the server's address.
fn unsubscribe_path(shop: &Shop, mail: &crate::harness::Mail) -> String {
    let header = mail.header("List-Unsubscribe").unwrap();
    let link = header.trim_start_matches('<').trim_end_matches('>');
    link.strip_prefix(shop.podium.url()).unwrap_or_else(|| panic!("{link}")).to_owned()
}

pub(crate) fn one_click_ends_such_mails_and_nothing_else(engine: Engine) {
    let server = MailServer::new(|_| false);
    let shop = with_mail(engine, &server);
    let mail = |key: &str, purpose: &str, name: &str| {
        let to = json!({"unit": name, "address": {"email": format!("{name}@Example.com")}});
        let content = json!({"subject": "Sale", "text": "Today"});
        let sent = shop.send_messages(
            key,
            &json!({"channel": "mail", "content": content, "to": to, "purpose": purpose}),
        );
        settled(&shop, &sent[0]["id"], &["sent", "skipped", "failed"])
    };
    assert_eq!(mail("1", "marketing", "ann")["state"], "sent");
    let first = server.taken().remove(0);
    assert_eq!(first.header("List-Unsubscribe-Post").as_deref(), Some("List-Unsubscribe=One-Click"));
    let path = unsubscribe_path(&shop, &first);
    let anyone = shop.admin.with_key(None);
    // To look changes nothing: scanners follow every link.
    let page = anyone.get(&path);
    assert_eq!(page.status, 200);
    assert!(page.text().contains("<form method=\"post\">"), "{page}");
    assert_eq!(mail("2", "marketing", "ann")["state"], "sent");
    for _ in 0..2 {
        let form = [("content-type", "application/x-www-form-urlencoded")];
        let done = anyone.call("POST", &path, &form, Some(b"List-Unsubscribe=One-Click"));
        assert_eq!(done.status, 200, "{done}");
    }
    let skipped = mail("3", "marketing", "ann");
    assert_eq!((&skipped["state"], &skipped["reason"]), (&json!("skipped"), &json!("suppressed")));
    assert_eq!(mail("4", "transactional", "ann")["state"], "sent");
    assert_eq!(mail("5", "marketing", "bob")["state"], "sent");
    let taken: Vec<String> = server.taken().into_iter().map(|mail| mail.to.to_lowercase()).collect();
    assert_eq!(taken, ["ann@example.com", "ann@example.com", "ann@example.com", "bob@example.com"]);
    assert_eq!(server.taken()[2].header("List-Unsubscribe"), None, "a receipt cannot be unsubscribed from");
    let address = "/api/v1/suppressions?channel=mail&address=ann@example.com";
    assert_eq!(shop.admin.get(address).expect(200)["data"][0]["reason"], "unsubscribed");
    shop.admin.call("DELETE", address, &[], None).expect(204);
    assert_eq!(mail("6", "marketing", "ann")["state"], "sent");
}

pub(crate) fn clicks_and_openings_are_events_of_the_person(engine: Engine) {
    let server = MailServer::new(|_| false);
    let shop = with_mail(engine, &server);
    let mut definition = experiment("subject", &["a", "b"]);
    definition["primary_metric"] =
        json!({"metric": "click_through", "window_s": 86_400, "config": {"events": ["Message Clicked"]}});
    for variant in [0, 1] {
        let html = r#"<p>Hi {{ name }}</p><a href="https://shop.example/sale?who={{ name }}&x=1">Sale</a>"#;
        definition["variants"][variant]["content"] = json!({"subject": "Sale", "html": html});
    }
    shop.run(&definition);
    let to: Value =
        (0..10).map(|n| json!({"unit": format!("u{n}"), "address": {"email": format!("u{n}@example.com")}, "fields": {"name": "A & B"}})).collect();
    let sent = shop.send_messages("k", &json!({"channel": "mail", "flag": "subject", "to": to}));
    for message in &sent {
        settled(&shop, &message["id"], &["sent"]);
    }
    let anyone = shop.admin.with_key(None);
    let mails = server.taken();
    for mail in &mails[..4] {
        let links = mail.links(shop.podium.url());
        let click = links.iter().find(|link| link.starts_with("/l/")).unwrap_or_else(|| panic!("{links:?}"));
        assert_eq!(anyone.call("HEAD", click, &[], None).status, 302);
        let led = anyone.get(click);
        assert_eq!(
            (led.status, led.header("location")),
            (302, Some("https://shop.example/sale?who=A%20%26%20B&x=1"))
        );
        let elsewhere = format!("{}?u=https%3A%2F%2Fevil.example", click.split_once('?').unwrap().0);
        assert_eq!(anyone.get(&elsewhere).status, 404);
        let open = links.iter().find(|link| link.starts_with("/o/")).unwrap_or_else(|| panic!("{links:?}"));
        assert_eq!(anyone.get(open).header("content-type"), Some("image/gif"));
    }
    let clicked = soon("four people have clicked", || {
        let report = shop.report("subject");
        let n: i64 = ["a", "b"].iter().map(|variant| report.figure("click_through", variant).numerator).sum();
        (n == 4).then_some(report)
    });
    assert_eq!(
        clicked.0["variants"]
            .as_array()
            .unwrap()
            .iter()
            .map(|variant| variant["units"].as_i64().unwrap())
            .sum::<i64>(),
        10
    );
}

pub(crate) fn no_field_of_a_person_changes_a_header(engine: Engine) {
    let server = MailServer::new(|_| false);
    let shop = with_mail(engine, &server);
    let content = json!({"subject": "Hi {{ name }}", "text": "{{ name }}"});
    let hostile = "Ann\r\nBcc: eve@evil.example\r\n\r\n.\r\nMAIL FROM:<x>";
    for (key, to) in [
        ("1", json!({"unit": "u1", "address": {"email": "u1@example.com"}, "fields": {"name": hostile}})),
        ("2", json!({"unit": "u2", "address": {"email": "u2@example.com", "name": hostile}})),
        ("3", json!({"unit": "u3", "address": {"email": "u3@example.com>\r\nRCPT TO:<eve@evil.example"}})),
    ] {
        let sent = shop.send_messages(key, &json!({"channel": "mail", "content": content, "to": to}));
        let message = settled(&shop, &sent[0]["id"], &["sent", "failed"]);
        assert_eq!(message["state"], "failed", "{message}");
    }
    assert!(server.taken().is_empty(), "{:?}", server.taken());
    let body = json!({"subject": "Hi", "text": "{{ name }}"});
    let to = json!({"unit": "u1", "address": {"email": "u1@example.com"}, "fields": {"name": hostile}});
    let sent = shop.send_messages("4", &json!({"channel": "mail", "content": body, "to": to}));
    settled(&shop, &sent[0]["id"], &["sent"]);
    let [mail] = &server.taken()[..] else { panic!("not one mail: {:?}", server.taken()) };
    assert_eq!((mail.header("Bcc"), mail.to.as_str()), (None, "u1@example.com"));
}
