//! The links in messages: to a page over us, a picture that tells of an opening, and the way out.

use super::{Shared, reports};
use crate::delivery::MessageEvent;
use crate::delivery::tokens::LinkKind;
use crate::problem::{Kind, Problem};
use crate::report_page;
use actix_web::http::{Method, header};
use actix_web::web::{Path, Query};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use serde::Deserialize;
use serde_json::{Value, json};
use std::fmt::Write as _;
use tokio::sync::Semaphore;
use uuid::Uuid;

/// How many clicks and openings are noted at once. Nobody waits for that, so nothing else limits them while the
/// database is slow.
const NOTING_MAX: usize = 1_024;

static NOTING: Semaphore = Semaphore::const_new(NOTING_MAX);

/// A transparent GIF of one pixel.
const PIXEL: &[u8] = &[
    0x47, 0x49, 0x46, 0x38, 0x39, 0x61, 1, 0, 1, 0, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0x21, 0xf9, 4, 1, 0, 0, 0,
    0, 0x2c, 0, 0, 0, 0, 1, 0, 1, 0, 0, 2, 2, 0x44, 1, 0, 0x3b,
];

#[derive(Deserialize)]
pub(crate) struct Target {
    #[serde(default)]
    u: String,
}

/// Nobody keeps it, nobody learns from where it was asked, and no search engine shows it.
fn private(mut response: HttpResponseBuilder) -> HttpResponseBuilder {
    response
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
        .insert_header(("X-Robots-Tag", "noindex"));
    response
}

/// A link as headers have it: what no address may hold is escaped.
fn location(url: &str) -> String {
    let mut location = String::with_capacity(url.len());
    for byte in url.bytes() {
        match byte {
            b'!'..=b'~' => location.push(char::from(byte)),
            _ => drop(write!(location, "%{byte:02X}")),
        }
    }
    location
}

/// Notes what a person did with a message, behind the answer; beyond the limit it is only counted as lost.
fn note(app: &Shared, event: MessageEvent, id: Uuid, extra: Value) {
    let Ok(permit) = NOTING.try_acquire() else {
        metrics::counter!("podium_message_events_lost_total").increment(1);
        return;
    };
    let app = app.clone();
    tokio::spawn(async move {
        app.note_tracked(event, id, extra).await;
        drop(permit);
    });
}

/// Leads to the page that a link was made for, and notes it: 302, with the database away too; 404.
pub(crate) async fn click(
    app: Shared,
    http: HttpRequest,
    token: Path<String>,
    target: Query<Target>,
) -> Result<HttpResponse, Problem> {
    let unknown = || Problem::new(Kind::NotFound, "this link is not one of ours");
    let id = app.links.read(LinkKind::Click, &token, &target.u).ok_or_else(unknown)?;
    // Scanners ask for the head alone.
    if http.method() == Method::GET {
        note(&app, MessageEvent::Clicked, id, json!({ "url": target.u }));
    }
    Ok(private(HttpResponse::Found()).insert_header((header::LOCATION, location(&target.u))).finish())
}

/// The picture that tells of an opening: 200, with the database away too; 404.
pub(crate) async fn open(
    app: Shared,
    http: HttpRequest,
    token: Path<String>,
) -> Result<HttpResponse, Problem> {
    let unknown = || Problem::new(Kind::NotFound, "this picture is not one of ours");
    let id = app.links.read(LinkKind::Open, &token, "").ok_or_else(unknown)?;
    if http.method() == Method::GET {
        note(&app, MessageEvent::Opened, id, json!({}));
    }
    Ok(private(HttpResponse::Ok()).content_type("image/gif").body(PIXEL))
}

/// Asks whether such messages are to end, and changes nothing: 200; 404.
pub(crate) async fn ask_unsubscribe(app: Shared, token: Path<String>) -> HttpResponse {
    match app.linked_message(LinkKind::Unsubscribe, &token).await {
        Ok(_) => reports::form_page(report_page::unsubscribe(false)),
        Err(error) => reports::problem_page(&error.into()),
    }
}

/// Ends such messages at once: 200, as often as it is asked; 404. It takes RFC 8058's one click.
pub(crate) async fn unsubscribe(app: Shared, token: Path<String>) -> HttpResponse {
    let ended = async {
        let message = app.linked_message(LinkKind::Unsubscribe, &token).await?;
        app.unsubscribe(&message).await
    };
    match ended.await {
        Ok(()) => reports::form_page(report_page::unsubscribe(true)),
        Err(error) => reports::problem_page(&error.into()),
    }
}
