//! `/api/v1/messages`: to be sent, and what became of them.

use super::page::{cut, page};
use super::{Shared, allow, request};
use crate::auth::Scope;
use crate::delivery::message::{Facts, Message, MessageState};
use crate::delivery::{FeedbackError, SendError, SendRequest};
use crate::problem::{Kind, Problem};
use crate::store::messages::{self, Attempt, MessageFilter};
use actix_web::web::{self, Path, Query};
use actix_web::{HttpRequest, HttpResponse};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use podium_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

const KEY_HEADER: &str = "Idempotency-Key";
const KEY_LENGTH_MAX: usize = 255;

#[derive(Serialize)]
struct MessageBody<'a> {
    id: Uuid,
    unit: &'a str,
    #[serde(flatten)]
    facts: FactsBody<'a>,
    address: serde_json::Value,
    state: MessageState,
    reason: &'a str,
    attempts: u32,
    created_at: Timestamp,
    due_at: Timestamp,
    expires_at: Timestamp,
    updated_at: Timestamp,
    provider_id: Option<&'a str>,
}

#[derive(Serialize)]
struct FactsBody<'a> {
    channel: &'a str,
    purpose: &'a str,
    flag: Option<&'a str>,
    experiment: Option<&'a str>,
    variant: Option<&'a str>,
    decision_id: Option<Uuid>,
}

impl<'a> From<&'a Facts> for FactsBody<'a> {
    fn from(facts: &'a Facts) -> Self {
        Self {
            channel: &facts.channel,
            purpose: &facts.purpose,
            flag: facts.flag.as_deref(),
            experiment: facts.experiment_id.as_deref(),
            variant: facts.variation_id.as_deref(),
            decision_id: facts.decision_id,
        }
    }
}

impl<'a> From<&'a Message> for MessageBody<'a> {
    fn from(message: &'a Message) -> Self {
        Self {
            id: message.id,
            unit: &message.unit,
            facts: FactsBody::from(&message.facts),
            address: serde_json::from_str(&message.address_json).unwrap_or_default(),
            state: message.state,
            reason: &message.reason,
            attempts: message.attempts,
            created_at: message.created_at,
            due_at: message.due_at,
            expires_at: message.expires_at,
            updated_at: message.updated_at,
            provider_id: message.provider_id.as_deref(),
        }
    }
}

#[derive(Serialize)]
struct OneMessage<'a> {
    #[serde(flatten)]
    message: MessageBody<'a>,
    history: Vec<Attempt>,
}

/// Takes messages to send: 202 once they are on disk, with one entry for each recipient, in their order. The same
/// request again gives the same answer, with `Idempotency-Replayed: true`. 400 `idempotency-key-missing`; 422
/// `unknown-channel`, `unknown-flag`, `content-refused`, `idempotency-key-reused`.
pub(crate) async fn send(
    app: Shared,
    http: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    allow(&app, &http, Scope::Server)?;
    let key = http.headers().get(KEY_HEADER).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !(1..=KEY_LENGTH_MAX).contains(&key.len()) {
        let detail = format!(
            "send `{KEY_HEADER}` with 1 to {KEY_LENGTH_MAX} characters: the same key is the same request, however often it comes"
        );
        return Err(Problem::new(Kind::IdempotencyKeyMissing, detail));
    }
    let body = request::body(payload).await?;
    let asked: SendRequest = request::json(&body)?;
    let submitted = app.send(&asked, (key, &body)).await?;
    let mut response = HttpResponse::Accepted();
    if submitted.is_replay {
        response.insert_header(("Idempotency-Replayed", "true"));
    }
    let data: Vec<_> = submitted.messages.iter().map(MessageBody::from).collect();
    Ok(response.json(json!({ "data": data })))
}

/// One message with its attempts: 200; 404.
pub(crate) async fn read(app: Shared, http: HttpRequest, id: Path<String>) -> Result<HttpResponse, Problem> {
    allow(&app, &http, Scope::Server)?;
    let missing = || Problem::new(Kind::NotFound, format!("there is no message `{id}`"));
    let id: Uuid = id.parse().map_err(|_| missing())?;
    let message = messages::find(app.store.reader(), id).await?.ok_or_else(missing)?;
    let history = messages::attempts(app.store.reader(), message.id).await?;
    Ok(HttpResponse::Ok().json(OneMessage { message: MessageBody::from(&message), history }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MessagesQuery {
    unit: Option<String>,
    channel: Option<String>,
    state: Option<String>,
    limit: Option<u64>,
    cursor: Option<String>,
}

/// Lists messages, the newest first: 200; 400 `invalid-query`.
pub(crate) async fn list(
    app: Shared,
    http: HttpRequest,
    query: Query<MessagesQuery>,
) -> Result<HttpResponse, Problem> {
    allow(&app, &http, Scope::Server)?;
    let wrong = |detail: &str| Problem::new(Kind::InvalidQuery, detail);
    let limit = request::limit(query.limit, 50, 500)?;
    let state = query.state.as_deref().map(|state| {
        let known = "`state` is queued, claimed, begun, sent, failed, skipped or unknown";
        MessageState::parse(state).ok_or_else(|| wrong(known))
    });
    let before = query
        .cursor
        .as_deref()
        .map(|cursor| read_cursor(cursor).ok_or_else(|| wrong("`cursor` is a `next_cursor` of an answer")));
    let texts = [&query.unit, &query.channel];
    if texts.into_iter().flatten().any(|text| text.contains('\0')) {
        return Err(wrong("a NUL is in no name"));
    }
    let filter = MessageFilter {
        unit: query.unit.as_deref(),
        channel: query.channel.as_deref(),
        state: state.transpose()?,
        before: before.transpose()?,
    };
    let mut found = messages::list(app.store.reader(), &filter, limit + 1).await?;
    let next_cursor = cut(&mut found, limit, cursor);
    let data: Vec<_> = found.iter().map(MessageBody::from).collect();
    Ok(page(&http, &data, next_cursor.as_ref()))
}

fn cursor(message: &Message) -> String {
    URL_SAFE_NO_PAD.encode(format!("{} {}", message.created_at.as_micros(), message.id))
}

fn read_cursor(text: &str) -> Option<(Timestamp, Uuid)> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
    let (at, id) = text.split_once(' ')?;
    Some((Timestamp::from_micros(at.parse().ok()?), id.parse().ok()?))
}

impl From<SendError> for Problem {
    fn from(error: SendError) -> Self {
        let detail = error.to_string();
        match error {
            SendError::Invalid(faults) => Self::faults(Kind::InvalidField, faults),
            SendError::UnknownChannel(_) => Self::field(Kind::UnknownChannel, "/channel", detail),
            SendError::UnknownFlag(_) => Self::field(Kind::UnknownFlag, "/flag", detail),
            SendError::Content(fault) => Self::faults(Kind::ContentRefused, vec![fault]),
            SendError::KeyReused => Self::new(Kind::IdempotencyKeyReused, detail),
            SendError::Away(_) => Self::new(Kind::Unavailable, detail),
            SendError::Ingest(error) => error.into(),
            SendError::Store(error) => error.into(),
        }
    }
}

impl From<FeedbackError> for Problem {
    fn from(error: FeedbackError) -> Self {
        match error {
            FeedbackError::NotFound(detail) => Self::new(Kind::NotFound, detail),
            FeedbackError::Refused(detail) => Self::new(Kind::WebhookRefused, detail),
            FeedbackError::Away(_) => {
                // Whoever sends webhooks has no key, and need not know what ails us.
                tracing::error!(%error, "webhook");
                Self::new(Kind::Unavailable, "the channel cannot take it now; send it again in a moment")
            }
            FeedbackError::Ingest(error) => error.into(),
            FeedbackError::Store(error) => error.into(),
        }
    }
}
