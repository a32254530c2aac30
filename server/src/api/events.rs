//! `/api/v1/events`: taking events, and showing what became of the last ones.

use super::page::{cut, page};
use super::{Shared, allow, rate, request};
use crate::app::App;
use crate::auth::{self, Scope};
use crate::ingest::event::TRACK;
use crate::problem::{Kind, Problem};
use crate::store::rejected::{self, RejectedEvent};
use crate::store::sent::{self, SentEvent};
use actix_web::web::{self, Bytes, Query};
use actix_web::{HttpRequest, HttpResponse};
use podium_core::projection::Trust;
use podium_core::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Takes events: 200 once they are on disk, with what was refused; 400 `bad-json`; 429 `rate-limited`, `queue-full`; 503.
pub(crate) async fn send(
    app: Shared,
    http: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let (body, trust) = admitted(&app, &http, payload).await?;
    Ok(HttpResponse::Ok().json(app.take_in(&body, trust, TRACK).await?))
}

/// Lets in whoever may send what shoppers did, as often as that may come: what is sent, and how far it is believed.
pub(super) async fn admitted(
    app: &App,
    http: &HttpRequest,
    payload: web::Payload,
) -> Result<(Bytes, Trust), Problem> {
    let scope = allow(app, http, Scope::Publishable)?;
    let key = auth::presented(http).unwrap_or_default();
    if !rate::admits(app, http, &key, scope) {
        let detail = "too many requests at once; send the same again after `Retry-After`";
        return Err(Problem::new(Kind::RateLimited, detail));
    }
    Ok((request::body(payload).await?, scope.trust()))
}

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    Accepted,
    Rejected,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EventsQuery {
    status: Option<Outcome>,
    name: Option<String>,
    limit: Option<u64>,
    cursor: Option<i64>,
}

/// An event as the debugger shows it.
#[derive(Debug, Serialize)]
pub(super) struct EventBody {
    /// Where it stands among those with the same outcome.
    #[serde(skip)]
    pub(super) position: i64,
    pub(super) status: Outcome,
    pub(super) received_at: Timestamp,
    pub(super) time: Option<Timestamp>,
    pub(super) r#type: String,
    pub(super) name: Option<String>,
    pub(super) unit: Option<String>,
    pub(super) other_id: Option<String>,
    pub(super) message_id: Option<String>,
    pub(super) scope: Scope,
    pub(super) reason: Option<String>,
    pub(super) pointer: Option<String>,
    pub(super) detail: Option<String>,
}

impl From<(i64, RejectedEvent)> for EventBody {
    fn from((position, event): (i64, RejectedEvent)) -> Self {
        Self {
            position,
            status: Outcome::Rejected,
            received_at: event.received_at,
            time: event.time,
            r#type: event.event_type,
            name: event.name,
            unit: event.unit,
            other_id: event.other_id,
            message_id: event.message_id,
            scope: scope(event.trust),
            reason: Some(event.reason),
            pointer: Some(event.pointer),
            detail: Some(event.detail),
        }
    }
}

impl From<SentEvent> for EventBody {
    fn from(event: SentEvent) -> Self {
        let (event_type, name) = match crate::ingest::event::other_type(&event.name) {
            Some(event_type) => (event_type, None),
            None => (TRACK, Some(event.name)),
        };
        Self {
            position: event.seq,
            status: Outcome::Accepted,
            received_at: event.received_at,
            time: Some(event.time),
            r#type: event_type.to_owned(),
            name,
            unit: Some(event.unit),
            other_id: event.other_id,
            message_id: Some(event.message_id),
            scope: scope(event.trust),
            reason: None,
            pointer: None,
            detail: None,
        }
    }
}

/// The scope of the key that it was sent with, as far as that matters: an admin key is believed like a server's.
fn scope(trust: Trust) -> Scope {
    match trust {
        Trust::Server => Scope::Server,
        Trust::Publishable => Scope::Publishable,
    }
}

/// The last events with an outcome, before a position, newest first.
pub(super) async fn last(
    app: &App,
    outcome: Outcome,
    name: Option<&str>,
    (before, limit): (Option<i64>, u64),
) -> Result<Vec<EventBody>, Problem> {
    let db = app.store.reader();
    // No event has such a name, and a database may not know the character.
    if name.is_some_and(|name| name.contains('\0')) {
        return Ok(Vec::new());
    }
    Ok(match outcome {
        Outcome::Accepted => {
            sent::page(db, name, before, limit).await?.into_iter().map(EventBody::from).collect()
        }
        Outcome::Rejected => {
            rejected::page(db, name, before, limit).await?.into_iter().map(EventBody::from).collect()
        }
    })
}

/// Lists the last events that were taken, or refused, newest first: 200; 400 `invalid-query`.
pub(crate) async fn list(
    app: Shared,
    http: HttpRequest,
    query: Query<EventsQuery>,
) -> Result<HttpResponse, Problem> {
    allow(&app, &http, Scope::Server)?;
    let Some(outcome) = query.status else {
        return Err(Problem::new(Kind::InvalidQuery, "say `status=accepted` or `status=rejected`"));
    };
    let limit = request::limit(query.limit, 50, 500)?;
    let which = (request::cursor(query.cursor, 1)?, limit + 1);
    let mut found = last(&app, outcome, query.name.as_deref(), which).await?;
    let next_cursor = cut(&mut found, limit, |event| event.position);
    Ok(page(&http, &found, next_cursor.as_ref()))
}
