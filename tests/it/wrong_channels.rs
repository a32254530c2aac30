//! Wrong edits of channels change nothing, and wrong links and webhooks do nothing.

use crate::harness::{
    Answer, Book, Built, Client, Engine, Expected, Faults, Folder, Shop, any, email, named, of_kind, soon,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use uuid::Uuid;

pub(crate) fn promises(book: &mut Book) {
    book.both(named!(wrong_settings_set_up_nothing_and_show_no_secret));
    book.both(named!(a_channel_is_changed_by_whoever_saw_its_state));
    book.both(named!(a_channel_set_up_anew_sends_nothing_of_the_former_one));
    book.both(named!(a_link_leads_where_it_was_made_for_and_nowhere_else));
    book.both(named!(one_click_ends_messages_and_asking_does_not));
    book.both(named!(only_a_click_counts_as_a_click));
    book.both(named!(a_webhook_that_nobody_takes_is_refused));
}

const MAIL: &str = "/api/v1/channels/mail";

/// Email with one setting changed.
fn email_with(name: &str, value: Value) -> Value {
    let mut body = email(1);
    body["settings"][name] = value;
    body
}

fn put(client: &Client, path: &str, etag: Option<&str>, body: &Value) -> Answer {
    let etag = etag.map(|etag| ("If-Match", etag));
    client.call("PUT", path, etag.as_slice(), Some(body.to_string().as_bytes()))
}

fn send(shop: &Shop, key: &str, content: &Value) -> Answer {
    let body = json!({
        "channel": "mail", "content": content, "to": {"unit": "u-1", "address": {"email": "ann@example.com"}}
    });
    shop.admin.send_messages(key, &body)
}

pub(crate) fn wrong_settings_set_up_nothing_and_show_no_secret(engine: Engine) {
    let mut shop = Shop::open(engine);
    let mut faults = Faults::default();
    let hidden = "hunter2-hunter2";
    std::fs::create_dir_all(shop.data_dir().join("secrets")).unwrap();
    std::fs::write(shop.data_dir().join("outside"), hidden).unwrap();
    let mut with_user = email_with("user", json!("shop"));
    let mut password = |value: Value| {
        with_user["settings"]["password"] = value;
        with_user.clone()
    };
    let refused = [
        password(json!(hidden)),
        password(json!({"secret": "NOT_THERE", "value": hidden})),
        password(json!({"value": hidden})),
        password(json!({"secret": "NOT_THERE"})),
        password(json!({"secret": "../outside"})),
        password(json!({"secret": "../keys.json"})),
        password(json!({"secret": ""})),
        password(json!({"secret": 7})),
        password(json!([hidden])),
        email_with("nonsense", json!(1)),
        email_with("port", json!(65_536)),
        email_with("port", json!("25")),
        email_with("tls", json!("perhaps")),
        email_with("host", json!("a b")),
        email_with("host", json!("mail\0.example.com")),
        email_with("from", json!("nobody")),
        email_with("from", json!("Shop <a@example.com>\r\nBcc: <b@example.com>")),
        email_with("timeout_ms", json!(0)),
        json!({"channel": "email"}),
        json!({"channel": "mobile"}),
        json!({"channel": "web", "settings": {"redirect_hosts": "all"}}),
    ];
    let expected = Expected { statuses: &[422], slug: Some("channel-settings"), place: Some("/settings") };
    for body in refused {
        let answer = put(&shop.admin, MAIL, None, &body);
        faults.check(&body.to_string(), &answer, expected);
        if answer.text().contains(hidden) {
            faults.add(format!("{body}: the answer shows what may be a secret: {answer}"));
        }
    }
    for (body, slug, place) in [
        (json!({"channel": "pigeon"}), "unknown-channel", "/channel"),
        (json!({"channel": "a\0b"}), "unknown-channel", "/channel"),
        (json!({"channel": 7}), "invalid-field", "/channel"),
        (json!({}), "invalid-field", "/channel"),
        (json!({"channel": "email", "settings": []}), "invalid-field", "/settings"),
        (json!({"channel": "email", "settings": "host"}), "invalid-field", "/settings"),
        (json!({"channel": "email", "settings": null}), "invalid-field", "/settings"),
        (json!({"channel": "email", "setings": {}}), "invalid-field", "/setings"),
        (json!({"channel": "email", "key": "other"}), "invalid-field", "/key"),
    ] {
        let expected = Expected { statuses: &[400, 422], slug: Some(slug), place: Some(place) };
        faults.check(&body.to_string(), &put(&shop.admin, MAIL, None, &body), expected);
    }
    for key in ["a%20b", "-a", "%00", "..%2fmail", "m%C3%A4il", &"x".repeat(101)] {
        let path = format!("/api/v1/channels/{key}");
        faults.check(&path, &put(&shop.admin, &path, None, &email(1)), any(&[404]));
    }
    assert_eq!(set_up(&shop), ["web"], "nothing was set up");
    let shown = shop.podium.log().into_iter().filter(|line| line.contains(hidden)).collect::<Vec<_>>();
    assert!(shown.is_empty(), "{shown:?}");
    faults.report(&mut shop);
}

/// The channels that are set up: that of pages is from the start.
fn set_up(shop: &Shop) -> Vec<String> {
    let listed = shop.admin.get("/api/v1/channels").expect(200);
    listed["data"].as_array().unwrap().iter().map(|one| one["key"].as_str().unwrap().to_owned()).collect()
}

pub(crate) fn a_channel_is_changed_by_whoever_saw_its_state(engine: Engine) {
    let mut shop = Shop::open(engine);
    let mut faults = Faults::default();
    let stale = of_kind(&[412], "edit-conflict");
    let unseen = of_kind(&[428], "if-match-missing");
    for (method, path) in [
        ("GET", MAIL.to_owned()),
        ("DELETE", MAIL.to_owned()),
        ("GET", format!("{MAIL}/health")),
        ("POST", format!("{MAIL}/resume")),
    ] {
        let answer = shop.admin.call(method, &path, &[("If-Match", "*")], None);
        faults.check(&format!("{method} {path}"), &answer, of_kind(&[404], "not-found"));
    }
    faults.check(
        "PUT of what was seen and is gone",
        &put(&shop.admin, MAIL, Some("\"3\""), &email(1)),
        stale,
    );
    let made = put(&shop.admin, MAIL, None, &email(1));
    assert_eq!((made.etag(), made.expect(201)["revision"].clone()), ("\"1\"".to_owned(), json!(1)));
    let before = shop.admin.get(MAIL).expect(200);
    let other = email_with("port", json!(2));
    faults.check("PUT", &put(&shop.admin, MAIL, None, &other), unseen);
    faults.check("DELETE", &shop.admin.call("DELETE", MAIL, &[], None), unseen);
    for etag in ["\"2\"", "\"0\"", "W/\"1\"", "nonsense", "\"1\", \"2\"", ""] {
        for (method, body) in [("PUT", Some(&other)), ("DELETE", None)] {
            let answer = shop.admin.edit(method, MAIL, etag, body);
            faults.check(&format!("{method} with {etag}"), &answer, stale);
            if answer.header("etag") != Some("\"1\"") {
                faults.add(format!("{method} with {etag}: not the ETag of now: {answer}"));
            }
        }
    }
    let refused = put(&shop.admin, MAIL, Some("\"1\""), &email_with("port", json!(0.5)));
    faults.check("PUT of wrong settings", &refused, of_kind(&[422], "channel-settings"));
    assert_eq!(shop.admin.get(MAIL).expect(200), before, "nothing was changed");
    let changed = put(&shop.admin, MAIL, Some("\"1\""), &other);
    assert_eq!(
        (changed.etag(), changed.expect(200)["settings"]["port"].clone()),
        ("\"2\"".to_owned(), json!(2))
    );
    put(&shop.admin, MAIL, Some("*"), &email(1)).expect(200);
    let health = shop.admin.get(&format!("{MAIL}/health")).expect(200);
    assert!(health["healthy"] == json!(false) && health["detail"].is_string(), "{health}");
    shop.admin.call("POST", &format!("{MAIL}/resume"), &[], None).expect(204);
    shop.admin.edit("DELETE", MAIL, "\"3\"", None).expect(204);
    faults.check("DELETE again", &shop.admin.edit("DELETE", MAIL, "\"3\"", None), any(&[404]));
    let late = put(&shop.admin, MAIL, Some("\"3\""), &email(1));
    faults.check("PUT of what is gone", &late, stale);
    assert_eq!(late.header("etag"), None, "there is nothing to have seen");
    let text = json!({"subject": "x", "text": "x"});
    faults.check("a message on it", &send(&shop, "gone", &text), of_kind(&[422], "unknown-channel"));
    assert_eq!(set_up(&shop), ["web"]);
    assert_eq!(shop.admin.get("/api/v1/messages").expect(200)["data"], json!([]));
    faults.report(&mut shop);
}

pub(crate) fn a_channel_set_up_anew_sends_nothing_of_the_former_one(engine: Engine) {
    let plugins = Folder::new("plugins");
    std::fs::copy(Built::package("webhook-channel"), plugins.path().join("webhook.so")).unwrap();
    let shop = Shop::with_plugins(engine, vec![plugins.path().to_owned()]);
    let secrets = shop.data_dir().join("secrets");
    std::fs::create_dir_all(&secrets).unwrap();
    std::fs::write(secrets.join("HOOK"), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n").unwrap();
    let settings = json!({"endpoint": "http://127.0.0.1:1/", "signing_secret": {"secret": "HOOK"}});
    shop.set_up("mail", &json!({"channel": "webhook", "settings": settings}));
    let content = json!({"anything": "goes"});
    send(&shop, "first", &content).expect(202);
    shop.admin.edit("DELETE", MAIL, "*", None).expect(204);
    shop.set_up("mail", &email(1));
    let problem = send(&shop, "second", &content).problem(422);
    assert_eq!(problem.slug, "content-refused", "email has nothing to do with it: {}", problem.detail);
}

/// Makes links of messages as the server does. They stand in mail that was sent, so they never change.
struct Links(Vec<u8>);

impl Links {
    fn of(shop: &Shop) -> Self {
        Self(std::fs::read(shop.data_dir().join("link.secret")).unwrap())
    }

    fn token(&self, path: &str, id: Uuid, target: &str) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).unwrap();
        for part in [&b"podium message link 1 "[..], path.as_bytes(), id.as_bytes(), target.as_bytes()] {
            mac.update(part);
        }
        let code = mac.finalize().into_bytes();
        URL_SAFE_NO_PAD.encode([&id.as_bytes()[..], &code[..16]].concat())
    }
}

const PAGE: &str = "https://shop.example/sale?a=1";
const PAGE_IN_QUERY: &str = "https%3A%2F%2Fshop.example%2Fsale%3Fa%3D1";

/// A shop with one message in it.
fn with_message(engine: Engine) -> (Shop, Links, Uuid) {
    let shop = Shop::open(engine);
    shop.set_up("mail", &email(1));
    let sent = send(&shop, "one", &json!({"subject": "x", "text": "x"})).expect(202);
    let id = sent["data"][0]["id"].as_str().unwrap().parse().unwrap();
    let links = Links::of(&shop);
    (shop, links, id)
}

pub(crate) fn a_link_leads_where_it_was_made_for_and_nowhere_else(engine: Engine) {
    let (mut shop, links, id) = with_message(engine);
    let mut faults = Faults::default();
    let nobody = shop.admin.with_key(None);
    let token = links.token("l", id, PAGE);
    let there = nobody.get(&format!("/l/{token}?u={PAGE_IN_QUERY}&utm_source=mail"));
    assert_eq!((there.status, there.header("location")), (302, Some(PAGE)), "{there}");
    assert_eq!(there.header("cache-control"), Some("no-store"), "{there}");
    let mut wrong: Vec<String> = [
        "",
        "?u=",
        "?u=https%3A%2F%2Fevil.example",
        "?u=%2F%2Fevil.example",
        "?u=javascript%3Aalert(1)",
        "?u=https%3A%2F%2Fshop.example%2Fsale",
        "?u=https%3A%2F%2Fshop.example%2Fsale%3Fa%3D1%26b%3D2",
        "?u=https%3A%2F%2Fshop.example%2Fsale%3Fa%3D1%0D%0ASet-Cookie%3A%20a%3Db",
        "?u=HTTPS%3A%2F%2Fshop.example%2Fsale%3Fa%3D1",
        "?u=https%3A%2F%2Fshop.example%2Fsale%3Fa%3D1%00",
    ]
    .map(|query| format!("/l/{token}{query}"))
    .into();
    // Cut, longer, changed at each place, and made for something else.
    let mut tokens: Vec<String> = (0..token.len()).map(|len| token[..len].to_owned()).skip(1).collect();
    tokens.extend([
        format!("{token}A"),
        format!("{token}="),
        format!("{token}{token}"),
        "%00".into(),
        "%ff".into(),
    ]);
    for place in 0..token.len() {
        let other = if &token[place..=place] == "A" { "B" } else { "A" };
        tokens.push(format!("{}{other}{}", &token[..place], &token[place + 1..]));
    }
    tokens.extend([
        links.token("o", id, PAGE),
        links.token("u", id, PAGE),
        links.token("l", Uuid::nil(), ""),
    ]);
    tokens.push(Links(vec![0; 32]).token("l", id, PAGE));
    wrong.extend(tokens.iter().map(|token| format!("/l/{token}?u={PAGE_IN_QUERY}")));
    for path in ["o", "u"] {
        let token = links.token(path, id, "");
        let other = links.token(if path == "o" { "u" } else { "o" }, id, "");
        wrong.extend(
            [&token[1..], &token[..42], &other, &links.token("l", id, "")]
                .map(|token| format!("/{path}/{token}")),
        );
    }
    for path in wrong {
        let answer = nobody.get(&path);
        if answer.status != 404 || answer.header("location").is_some() {
            faults.add(format!("expected 404, {answer}"));
        }
        if path.starts_with("/u/") {
            let answer = nobody.call("POST", &path, &[], Some(b"List-Unsubscribe=One-Click"));
            if answer.status != 404 {
                faults.add(format!("expected 404, {answer}"));
            }
        }
    }
    let listed = shop.admin.get("/api/v1/suppressions?channel=mail").expect(200);
    assert_eq!(listed["data"], json!([]), "nobody left");
    faults.report(&mut shop);
}

pub(crate) fn one_click_ends_messages_and_asking_does_not(engine: Engine) {
    let (shop, links, id) = with_message(engine);
    let nobody = shop.admin.with_key(None);
    // Asking changes nothing; one click does, without a key, and may come again.
    let leave = format!("/u/{}", links.token("u", id, ""));
    assert_eq!(nobody.get(&leave).status, 200);
    assert_eq!(shop.admin.get("/api/v1/suppressions?channel=mail").expect(200)["data"], json!([]));
    for _ in 0..2 {
        assert_eq!(nobody.call("POST", &leave, &[], Some(b"List-Unsubscribe=One-Click")).status, 200);
    }
    let listed = shop.admin.get("/api/v1/suppressions?channel=mail").expect(200);
    assert_eq!(listed["data"][0]["address"], "ann@example.com", "{listed}");
}

pub(crate) fn only_a_click_counts_as_a_click(engine: Engine) {
    let (shop, links, id) = with_message(engine);
    let nobody = shop.admin.with_key(None);
    let click = format!("/l/{}?u={PAGE_IN_QUERY}", links.token("l", id, PAGE));
    let open = format!("/o/{}", links.token("o", id, ""));
    let accepted = || shop.metric("podium_events_total{outcome=\"accepted\"}").unwrap_or(0);
    let before = accepted();
    for _ in 0..5 {
        let head = nobody.call("HEAD", &click, &[], None);
        assert_eq!((head.status, head.header("location")), (302, Some(PAGE)), "{head}");
        assert_eq!(nobody.call("HEAD", &open, &[], None).status, 200);
    }
    // A forged one, and one of a message that is not there.
    nobody.get(&format!("/l/{}?u=https%3A%2F%2Fevil.example", links.token("l", id, PAGE))).problem(404);
    assert_eq!(nobody.get(&format!("/o/{}", links.token("o", Uuid::nil(), ""))).status, 200);
    assert_eq!(nobody.get(&click).status, 302);
    let picture = nobody.get(&open);
    assert_eq!((picture.status, picture.header("content-type")), (200, Some("image/gif")), "{picture}");
    assert!(picture.body.starts_with(b"GIF89a"));
    soon("the click and the opening", || (before + 2 <= accepted()).then_some(()));
    assert_eq!(accepted(), before + 2, "nothing else counts");
}

pub(crate) fn a_webhook_that_nobody_takes_is_refused(engine: Engine) {
    let mut shop = Shop::open(engine);
    let mut faults = Faults::default();
    shop.set_up("mail", &email(1));
    shop.set_up("slots", &json!({"channel": "web"}));
    let nobody = shop.admin.with_key(None);
    let event = json!({"type": "bounced", "email": "ann@example.com"}).to_string();
    for key in ["mail", "slots", "nobody-knows", "%00", "..%2fmail"] {
        let path = format!("/api/v1/channels/{key}/webhook");
        for body in [event.as_bytes(), b"", b"\xff\xfe", b"a=b&c=d"] {
            let answer = nobody.call("POST", &path, &[("X-Signature", "schlüssel")], Some(body));
            faults.check(&path, &answer, of_kind(&[404], "not-found"));
        }
        let large = nobody.call("POST", &path, &[], Some(&vec![b'x'; (1 << 20) + 1]));
        faults.check(&format!("{path}, too large"), &large, any(&[404, 413]));
    }
    let large = nobody.call("POST", &format!("{MAIL}/webhook"), &[], Some(&vec![b'x'; (1 << 20) + 1]));
    faults.check("too large", &large, of_kind(&[413], "body-too-large"));
    assert_eq!(shop.admin.get("/api/v1/suppressions?channel=mail").expect(200)["data"], json!([]));
    faults.report(&mut shop);
}
