//! `GET /ofrep/v1/stream`: says when to ask again, as server-sent events.

use super::channel;
use super::gate::{Gate, Seat};
use super::refusal::Refusal;
use super::request::{parameter, query};
use crate::api::{Shared, cross_origin};
use crate::app::{App, Notice};
use crate::clock;
use actix_web::body::{BodySize, MessageBody};
use actix_web::http::header::{self, HeaderName};
use actix_web::web::{self, Bytes};
use actix_web::{HttpRequest, HttpResponse};
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

/// What a client waits before it connects again, in milliseconds.
const RETRY_MS: u32 = 5_000;
/// The same when the server stops: spread, so that the next one is not met by all at once.
const RETRY_AT_END_MS: std::ops::Range<u32> = 1_000..10_000;
/// Over how long the notices of one change are spread, so that clients do not come back as a herd, in milliseconds.
const SPREAD_MS: u64 = 2_000;
/// How often something is sent, so that nobody on the way takes the stream for dead.
const COMMENT_EVERY: Duration = Duration::from_secs(20);
/// The most events that a client may be behind; then it has to come again.
const BEHIND_MAX: usize = 8;
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// Opens a stream: 200; 401 for a channel that is not ours, is too old, or whose key was revoked; 403; 429.
pub(super) async fn open(
    app: Shared,
    gate: web::Data<Gate>,
    http: HttpRequest,
) -> Result<HttpResponse, Refusal> {
    let query = query(&http);
    let channel = parameter(&query, "channel").ok_or_else(Refusal::unauthorized)?.to_owned();
    let key_id = allowed(&app, &channel).ok_or_else(Refusal::unauthorized)?;
    if !cross_origin::is_for(&app, &http, &key_id) {
        return Err(Refusal::forbidden());
    }
    let seat = gate
        .seat(&app.limits, &http, &key_id)
        .ok_or_else(|| Refusal::too_many(u64::from(retry_at_end_ms() / 1_000)))?;
    let seen = http.headers().get(LAST_EVENT_ID).and_then(|id| id.to_str().ok()?.parse().ok());
    let (sender, events) = mpsc::channel(BEHIND_MAX);
    let app = app.into_inner();
    tokio::spawn(Stream { app, channel, sender, _seat: seat }.run(seen));
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((ACCEL_BUFFERING, "no"))
        .body(Events(events)))
}

/// The id of the key that may listen on a channel.
fn allowed(app: &App, channel: &str) -> Option<String> {
    channel::key_id(&app.links, channel, clock::now()).filter(|key_id| app.keys.load().has(key_id))
}

fn retry_at_end_ms() -> u32 {
    RETRY_AT_END_MS.start + rand::random::<u32>() % (RETRY_AT_END_MS.end - RETRY_AT_END_MS.start)
}

/// One client that listens.
struct Stream {
    app: Arc<App>,
    channel: String,
    sender: mpsc::Sender<Bytes>,
    _seat: Seat,
}

/// That there is no more to send: the client is gone, or too slow.
struct Ended;

impl Stream {
    /// - `seen`: the fingerprint that the client heard of last, if it comes again.
    async fn run(self, seen: Option<u64>) {
        let notices = self.app.notices.subscribe();
        let _ = self.tell(notices, seen).await;
    }

    async fn tell(&self, mut notices: watch::Receiver<Notice>, seen: Option<u64>) -> Result<(), Ended> {
        let first = *notices.borrow_and_update();
        // The id alone is no event, but a client that comes again will say it.
        self.send(format!("retry: {RETRY_MS}\nid: {}\n\n", first.fingerprint))?;
        let mut told = seen.unwrap_or(first.fingerprint);
        let mut due = (told != first.fingerprint).then(spread);
        let mut comments = interval(COMMENT_EVERY);
        comments.set_missed_tick_behavior(MissedTickBehavior::Delay);
        comments.tick().await;
        loop {
            let newest = *notices.borrow();
            if newest.is_last {
                return self.send(format!("retry: {}\n\n", retry_at_end_ms()));
            }
            tokio::select! {
                changed = notices.changed() => {
                    changed.map_err(|_| Ended)?;
                    let newest = *notices.borrow_and_update();
                    if newest.fingerprint != told {
                        due = due.or_else(|| Some(spread()));
                    }
                }
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                    let newest = *notices.borrow();
                    (due, told) = (None, newest.fingerprint);
                    self.send(event(&newest))?;
                }
                _ = comments.tick() => {
                    allowed(&self.app, &self.channel).ok_or(Ended)?;
                    self.send(":\n\n".to_owned())?;
                }
                () = self.sender.closed() => return Err(Ended),
            }
        }
    }

    fn send(&self, text: String) -> Result<(), Ended> {
        self.sender.try_send(Bytes::from(text)).map_err(|_| Ended)
    }
}

fn spread() -> Instant {
    Instant::now() + Duration::from_millis(rand::random::<u64>() % SPREAD_MS)
}

fn event(notice: &Notice) -> String {
    format!(
        "id: {}\nevent: message\ndata: {{\"type\":\"refetchEvaluation\",\"etag\":\"{}\",\"lastModified\":{}}}\n\n",
        notice.fingerprint,
        notice.etag(),
        notice.changed_s()
    )
}

/// What is sent, as it comes.
struct Events(mpsc::Receiver<Bytes>);

impl MessageBody for Events {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Infallible>>> {
        self.0.poll_recv(context).map(|bytes| bytes.map(Ok))
    }
}
