//! Who asked for it is told what happens to experiments, by signed webhooks: at least once each, whatever breaks.

use crate::harness::{Book, Engine, Posted, Receiver, Reply, Shop, eventually, experiment, named, soon};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use std::time::Duration;

pub(crate) fn promises(book: &mut Book) {
    book.both(named!(what_happens_is_told_and_signed));
    book.both(named!(an_endpoint_that_fails_is_told_again_under_the_same_id));
    book.both(named!(nothing_is_lost_when_the_server_dies));
    book.both(named!(an_endpoint_that_is_gone_is_told_nothing_more));
    book.both(named!(a_webhook_that_cannot_work_is_refused));
}

const KEY: &str = "cG9kaXVtLXRlc3RzLW9ubHktMzItYnl0ZXMtbG9uZyE=";
/// Longer than the first wait after a try that failed.
const SECOND_TRY: Duration = Duration::from_mins(1);

/// A shop whose server may tell receivers on this machine.
fn open(engine: Engine) -> Shop {
    let secret = format!("whsec_{KEY}");
    let env = [("PODIUM_ALLOW_PRIVATE_WEBHOOKS", "true"), ("PODIUM_SECRET_HOOK", secret.as_str())];
    let shop = Shop::with(engine, Vec::new(), &env);
    shop.run(&experiment("banner", &["control", "b", "c"]));
    shop
}

fn tell(shop: &Shop, receiver: &Receiver) {
    let events = ["experiment.stopped", "experiment.concluded", "experiment.undone"];
    let webhook = json!({"url": receiver.url(), "secret": "HOOK", "events": events});
    shop.admin.post("/api/v1/webhooks", &webhook).expect(201);
}

fn act(shop: &Shop, action: &str) -> Value {
    shop.act("banner", action).expect(200)
}

/// The only webhook there is.
fn webhook(shop: &Shop) -> Value {
    let listed = shop.admin.get("/api/v1/webhooks").expect(200);
    let [webhook] = listed["data"].as_array().unwrap().as_slice() else { panic!("{listed}") };
    webhook.clone()
}

/// Waits until a webhook has been told everything.
fn told(shop: &Shop) -> Value {
    eventually("everything is told", SECOND_TRY, || {
        let webhook = webhook(shop);
        (webhook["pending"] == 0 && !webhook["attempted_at"].is_null()).then_some(webhook)
    })
}

fn types(posted: &[Posted]) -> Vec<String> {
    let of = |posted: &Posted| {
        let body: Value = serde_json::from_str(&posted.body).unwrap();
        body["type"].as_str().unwrap().to_owned()
    };
    posted.iter().map(of).collect()
}

#[track_caller]
fn check_signature(posted: &Posted) {
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(&BASE64_STANDARD.decode(KEY).unwrap()).unwrap();
    mac.update(format!("{}.{}.{}", posted.id, posted.timestamp, posted.body).as_bytes());
    let signature = format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()));
    assert_eq!(posted.signature, signature);
    let age_s = jiff::Timestamp::now().as_second() - posted.timestamp.parse::<i64>().unwrap();
    assert!((0..120).contains(&age_s), "{age_s}");
}

pub(crate) fn what_happens_is_told_and_signed(engine: Engine) {
    let shop = open(engine);
    let receiver = Receiver::new(|_, _| Reply::Status(204, ""));
    tell(&shop, &receiver);
    shop.admin.edit("DELETE", "/api/v1/experiments/banner/variants/c", "*", None).expect(200);
    act(&shop, "pause");
    act(&shop, "start");
    act(&shop, "conclude");
    act(&shop, "undo");
    let webhook = told(&shop);
    assert_eq!((&webhook["status"], &webhook["error"]), (&json!(204), &Value::Null));
    let posted = receiver.posted();
    let expected = ["stopped", "stopped", "concluded", "undone"].map(|event| format!("experiment.{event}"));
    assert_eq!(types(&posted), expected);
    posted.iter().for_each(check_signature);
    let mut ids: Vec<_> = posted.iter().map(|posted| &posted.id).collect();
    ids.dedup();
    assert_eq!(ids.len(), posted.len(), "each has an id of its own");
    let body: Value = serde_json::from_str(&posted[2].body).unwrap();
    let data = &body["data"];
    assert_eq!(
        (&data["experiment"], &data["version"], &data["status"]),
        (&json!("banner"), &json!(1), &json!("concluded"))
    );
    assert_eq!((&data["actor"], &data["detail"]["served"]), (&json!("first"), &json!("control")));
    let entry = shop.admin.get("/api/v1/experiments/banner/history").expect(200)["data"][1].clone();
    assert_eq!((&entry["id"], &entry["at"]), (&data["history_id"], &body["timestamp"]));
    let link = data["links"]["report"].as_str().unwrap().strip_prefix(shop.podium.url()).unwrap();
    assert_eq!(shop.admin.get(link).status, 200);
}

pub(crate) fn an_endpoint_that_fails_is_told_again_under_the_same_id(engine: Engine) {
    let shop = open(engine);
    let receiver = Receiver::new(|_, n_before| match n_before {
        0 => Reply::Status(500, ""),
        _ => Reply::Status(200, ""),
    });
    tell(&shop, &receiver);
    act(&shop, "conclude");
    let failed = soon("it was told once", || {
        let webhook = webhook(&shop);
        (!webhook["attempted_at"].is_null()).then_some(webhook)
    });
    let found = (&failed["status"], &failed["pending"], &failed["error"]);
    assert_eq!(found, (&json!(500), &json!(1), &json!("it answered 500")));
    assert_eq!(told(&shop)["error"], Value::Null);
    let posted = receiver.posted();
    assert_eq!((posted.len(), &posted[0].id, &posted[0].body), (2, &posted[1].id, &posted[1].body));
    posted.iter().for_each(check_signature);
}

pub(crate) fn nothing_is_lost_when_the_server_dies(engine: Engine) {
    let mut shop = open(engine);
    // Redirects are not followed: whoever gets one is told again.
    let receiver = Receiver::new(|_, n_before| match n_before {
        0 => Reply::Status(302, "location: http://127.0.0.1:1/\r\n"),
        _ => Reply::Status(200, ""),
    });
    tell(&shop, &receiver);
    act(&shop, "pause");
    soon("it was told in vain", || (receiver.posted().len() == 1).then_some(()));
    shop.podium.kill9();
    shop.restart();
    told(&shop);
    // It dies when the endpoint has taken it and nothing of that is written down.
    shop.podium.restart_to_crash("webhook-told");
    shop.admin = shop.podium.client("admin");
    let conclude = "/api/v1/experiments/banner/conclude";
    // Whether the answer still gets out is open.
    drop(shop.admin.try_call("POST", conclude, &[("If-Match", "*")], Some(b"{}")));
    soon("the server is dead", || (!shop.podium.is_running()).then_some(()));
    shop.restart();
    told(&shop);
    let mut ids: Vec<_> = receiver.posted().into_iter().map(|posted| posted.id).collect();
    let expected =
        ["stopped", "stopped", "concluded", "concluded"].map(|event| format!("experiment.{event}"));
    assert_eq!(types(&receiver.posted()), expected);
    ids.dedup();
    assert_eq!(ids.len(), 2, "what comes again has the same id");
}

pub(crate) fn an_endpoint_that_is_gone_is_told_nothing_more(engine: Engine) {
    let shop = open(engine);
    let gone = Receiver::new(|_, _| Reply::Status(410, ""));
    tell(&shop, &gone);
    act(&shop, "pause");
    let disabled = soon("it is disabled", || {
        let webhook = webhook(&shop);
        (!webhook["disabled_at"].is_null()).then_some(webhook)
    });
    let found = (&disabled["disabled_why"], &disabled["status"], &disabled["pending"]);
    assert_eq!(found, (&json!("it answered 410"), &json!(410), &json!(0)));
    let other = Receiver::new(|_, _| Reply::Status(200, ""));
    tell(&shop, &other);
    act(&shop, "conclude");
    soon("the other one is told", || (other.posted().len() == 1).then_some(()));
    assert_eq!(gone.posted().len(), 1);
    let path = format!("/api/v1/webhooks/{}", disabled["id"].as_str().unwrap());
    assert_eq!(shop.admin.call("DELETE", &path, &[], None).status, 204);
    assert_eq!(webhook(&shop)["url"], json!(other.url()));
    assert_eq!(shop.admin.call("DELETE", &path, &[], None).problem(404).slug, "not-found");
}

pub(crate) fn a_webhook_that_cannot_work_is_refused(engine: Engine) {
    let secret = format!("whsec_{KEY}");
    let env = [("PODIUM_SECRET_HOOK", secret.as_str()), ("PODIUM_SECRET_SHORT", "whsec_c2hvcnQ=")];
    let shop = Shop::with(engine, Vec::new(), &env);
    let good = json!({"url": "https://1.1.1.1/", "secret": "HOOK", "events": ["experiment.winner"]});
    for (member, value, pointer) in [
        ("url", json!("http://127.0.0.1/"), "/url"),
        ("url", json!("http://localhost/"), "/url"),
        ("url", json!("http://[::ffff:127.0.0.1]/"), "/url"),
        ("url", json!("http://2130706433/"), "/url"),
        ("url", json!("http://169.254.169.254/latest"), "/url"),
        ("url", json!("https://1.1.1.1:22/"), "/url"),
        ("url", json!("https://user:word@1.1.1.1/"), "/url"),
        ("url", json!("file:///etc/passwd"), "/url"),
        ("url", json!(""), "/url"),
        ("url", json!(7), "/url"),
        ("secret", json!("NONE"), "/secret"),
        ("secret", json!("SHORT"), "/secret"),
        ("secret", json!("../HOOK"), "/secret"),
        ("events", json!([]), "/events"),
        ("events", json!(["experiment.winner", "experiment.lost"]), "/events/1"),
        ("evnts", json!([]), "/evnts"),
    ] {
        let mut body = good.clone();
        body[member] = value;
        let problem = shop.admin.post("/api/v1/webhooks", &body).problem(400);
        assert_eq!(
            (problem.slug.as_str(), problem.pointers),
            ("invalid-field", vec![pointer.to_owned()]),
            "{body}"
        );
    }
    assert_eq!(shop.admin.get("/api/v1/webhooks").expect(200)["data"], json!([]));
    for _ in 0..20 {
        shop.admin.post("/api/v1/webhooks", &good).expect(201);
    }
    assert_eq!(shop.admin.post("/api/v1/webhooks", &good).problem(409).slug, "too-many-webhooks");
}
