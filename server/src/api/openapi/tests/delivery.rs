//! Messages, channels and links, as far as no plugin is needed.

use super::super::examples;
use super::shop::Server;
use serde_json::{Value, json};
use uuid::Uuid;

/// The channel of the shop, whose plugin is not there.
const MAIL: &str = "/api/v1/channels/mail";

/// Sends what has no content, so that no plugin is asked; the id of the message.
async fn send(server: &Server<'_>) -> Uuid {
    let body = json!({
        "channel": "mail", "flag": "hero",
        "to": [{"unit": "u-1", "address": {"email": "ann@example.com"}}, {"unit": "u-2", "address": "bob@example.com"}]
    });
    let sent = server.try_out(Some("server"), "POST /api/v1/messages", Some(body)).await;
    assert_eq!(sent.status, 202, "{}", sent.body);
    assert_eq!(sent.body["data"][1]["reason"], "no_content", "{}", sent.body);
    sent.body["data"][0]["id"].as_str().unwrap().parse().unwrap()
}

pub(super) async fn messages(server: &Server<'_>) {
    let id = send(server).await;
    let read = server.try_out(Some("server"), &format!("GET /api/v1/messages/{id}"), None).await;
    assert_eq!((&read.body["state"], &read.body["history"]), (&json!("skipped"), &json!([])));
    let first = "GET /api/v1/messages?channel=mail&state=skipped&limit=1";
    let listed = server.try_out(Some("server"), first, None).await;
    let cursor = listed.body["next_cursor"].as_str().unwrap();
    let link = &listed.headers["link"];
    assert_eq!(
        *link,
        format!("</api/v1/messages?channel=mail&state=skipped&limit=1&cursor={cursor}>; rel=\"next\"")
    );
    let rest = format!("{first}&cursor={cursor}");
    let listed = server.try_out(Some("server"), &rest, None).await;
    assert_eq!(listed.body["next_cursor"], Value::Null, "{}", listed.body);
    assert!(!listed.headers.contains_key("link"));
    follow_links(server, id).await;
}

async fn follow_links(server: &Server<'_>, id: Uuid) {
    let links = server.links();
    let path = |link: String| link.strip_prefix(&links.public_url).unwrap().to_owned();
    let page = "https://shop.example/größen?a=1&b=2";
    let clicked = server.try_out(None, &format!("GET {}", path(links.click(id, page))), None).await;
    assert_eq!(clicked.headers["location"], "https://shop.example/gr%C3%B6%C3%9Fen?a=1&b=2");
    let opened = server.try_out(None, &format!("GET {}", path(links.open(id))), None).await;
    assert_eq!((opened.status, opened.content_type.as_str()), (200, "image/gif"));
    let leave = path(links.unsubscribe(id));
    for method in ["GET", "POST"] {
        let left = server.try_out(None, &format!("{method} {leave}"), None).await;
        assert_eq!(left.status, 200, "{}", left.body);
    }
    let gone = "GET /api/v1/suppressions?channel=mail&address=ANN@example.com";
    let listed = server.try_out(Some("server"), gone, None).await;
    assert_eq!(listed.body["data"][0]["reason"], "unsubscribed", "{}", listed.body);
}

pub(super) async fn suppressions(server: &Server<'_>) {
    for (name, body) in examples::new_suppression() {
        let added = server.try_out(Some("server"), "POST /api/v1/suppressions", Some(body)).await;
        assert_eq!((added.status, &added.body["scope"]), (201, &json!("all")), "{name}: {}", added.body);
    }
    let narrower = json!({"channel": "mail", "address": " Ann@Example.com"});
    let added = server.try_out(Some("server"), "POST /api/v1/suppressions", Some(narrower)).await;
    assert_eq!(added.body["scope"], "all", "what holds is told: {}", added.body);
    let lift = "DELETE /api/v1/suppressions?channel=mail&address=ANN@example.com";
    assert_eq!(server.try_out(Some("admin"), lift, None).await.status, 204);
    assert_eq!(server.try_out(Some("admin"), lift, None).await.status, 404);
}

pub(super) async fn channels(server: &Server<'_>) {
    let listed = server.try_out(Some("server"), "GET /api/v1/channels", None).await;
    assert_eq!(listed.body["data"][0]["state"], "down", "{}", listed.body);
    let read = server.try_out(Some("server"), &format!("GET {MAIL}"), None).await;
    assert_eq!(read.headers["etag"], "\"1\"");
    let tried = server.try_out(Some("server"), &format!("GET {MAIL}/health"), None).await;
    assert_eq!(tried.body["healthy"], false, "{}", tried.body);
    let resumed = server.try_out(Some("admin"), &format!("POST {MAIL}/resume"), None).await;
    assert_eq!(resumed.status, 204, "{}", resumed.body);
    let removed = server.try_out(Some("admin"), &format!("DELETE {MAIL}"), None).await;
    assert_eq!(removed.status, 204, "{}", removed.body);
}

/// Requests that fail, with the status of each.
pub(super) fn failing() -> Vec<(&'static str, Option<Value>, u16)> {
    let to = json!({"unit": "u-1", "address": "ann@example.com"});
    vec![
        ("POST /api/v1/messages", Some(json!({"channel": "mail", "flag": "nope", "to": to})), 422),
        ("POST /api/v1/messages", Some(json!({"channel": "nope", "flag": "hero", "to": to})), 422),
        ("POST /api/v1/messages", Some(json!({"channel": "mail", "content": {}, "to": to})), 503),
        ("POST /api/v1/messages", Some(json!({"channel": "mail", "flag": "hero", "to": []})), 400),
        ("GET /api/v1/messages?state=lost", None, 400),
        ("GET /api/v1/messages?cursor=lost", None, 400),
        ("GET /api/v1/messages?limit=501", None, 400),
        ("GET /api/v1/messages/nope", None, 404),
        ("GET /api/v1/suppressions", None, 400),
        ("GET /api/v1/suppressions?channel=mail&cursor=.", None, 400),
        ("POST /api/v1/suppressions", Some(json!({"channel": "mail", "address": " "})), 400),
        ("DELETE /api/v1/suppressions?channel=mail", None, 400),
        ("GET /api/v1/channels/nope", None, 404),
        ("PUT /api/v1/channels/nope", Some(json!({"channel": "pigeon"})), 422),
        ("PUT /api/v1/channels/mail", Some(json!({"channel": "email"})), 422),
        ("PUT /api/v1/channels/a%20b", Some(json!({"channel": "email"})), 404),
        ("DELETE /api/v1/channels/nope", None, 404),
        ("POST /api/v1/channels/mail/webhook", None, 503),
        ("POST /api/v1/channels/nope/webhook", None, 404),
        ("GET /l/nope?u=https://evil.example", None, 404),
        ("GET /l/nope?u=1&u=2", None, 400),
        ("GET /o/nope", None, 404),
        ("GET /u/nope", None, 404),
        ("POST /u/nope", None, 404),
    ]
}
