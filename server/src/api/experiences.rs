//! `/api/v1/experiences`: register, read, replace, publish, pause, archive, report; and what becomes of a conclusion.

use super::history::EntryBody;
use super::page::{cut, page};
use super::reports::csv_of;
use super::{Shared, admin, allow, experiments, request};
use crate::app::{App, ExperienceError, Nested, Promotion, as_experiment};
use crate::auth::Scope;
use crate::problem::{Kind, Problem};
use crate::report_page;
use crate::store::{experiences, history};
use actix_web::http::header;
use actix_web::web::{self, Path, Query};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use podium_core::experience::{Action, Definition, Experience, Status, conflicts};
use podium_core::id::ExperienceKey;
use podium_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// What a path says that no experience can be called.
const RESERVED: &str = "conflicts";

/// An experience as clients see it.
#[derive(Serialize)]
struct ExperienceBody<'a> {
    id: i64,
    key: &'a str,
    status: Status,
    created_at: Timestamp,
    updated_at: Timestamp,
    published_at: Option<Timestamp>,
    #[serde(flatten)]
    definition: Map<String, Value>,
}

impl From<ExperienceError> for Problem {
    fn from(error: ExperienceError) -> Self {
        let detail = error.to_string();
        match error {
            ExperienceError::NotFound(_) | ExperienceError::NoExperiment(_) => {
                Self::new(Kind::NotFound, detail)
            }
            ExperienceError::KeyTaken(_) => Self::field(Kind::ExperienceKeyTaken, "/key", detail),
            ExperienceError::Stale { revision } => Self::new(Kind::EditConflict, detail).with_etag(revision),
            ExperienceError::Illegal(_)
            | ExperienceError::Archived
            | ExperienceError::NotConcluded { .. }
            | ExperienceError::NoContent(_) => Self::new(Kind::IllegalTransition, detail),
            ExperienceError::Nested(error) => error.into(),
            ExperienceError::Invalid(error) => error.into(),
        }
    }
}

fn body_of(experience: &Experience) -> Result<Value, Problem> {
    let Ok(Value::Object(mut definition)) = serde_json::to_value(&experience.definition) else {
        return Err(Problem::new(Kind::Internal, "the definition cannot be written"));
    };
    definition.insert("flag_key".to_owned(), experience.flag_key().into());
    let body = ExperienceBody {
        id: experience.id.0,
        key: experience.key.as_str(),
        status: experience.status,
        created_at: experience.created_at,
        updated_at: experience.updated_at,
        published_at: experience.published_at,
        definition,
    };
    serde_json::to_value(body).map_err(|error| Problem::new(Kind::Internal, error.to_string()))
}

fn answer(mut response: HttpResponseBuilder, experience: &Experience) -> Result<HttpResponse, Problem> {
    let etag = request::etag(experience.revision);
    Ok(response.insert_header((header::ETAG, etag)).json(body_of(experience)?))
}

fn created(experience: &Experience) -> Result<HttpResponse, Problem> {
    let mut response = HttpResponse::Created();
    response.insert_header((header::LOCATION, format!("/api/v1/experiences/{}", experience.key)));
    answer(response, experience)
}

/// A definition, and the experiments that are registered with its rules.
type Wanted = (Definition, Vec<Nested>);

fn check_key(key: &ExperienceKey) -> Result<(), Problem> {
    if key.as_str() == RESERVED {
        return Err(Problem::field(Kind::InvalidField, "/key", format!("`{RESERVED}` is taken by a path")));
    }
    Ok(())
}

/// Takes the key out of a body, and what is registered with its rules; the rest is the definition.
fn split_key(body: &[u8]) -> Result<(Option<ExperienceKey>, Wanted), Problem> {
    let wrong = |detail: String| Problem::field(Kind::InvalidField, "/key", detail);
    let mut members: Map<String, Value> = request::json(body)?;
    let key = match members.remove("key") {
        None => None,
        Some(Value::String(key)) => {
            let key = ExperienceKey::new(&key).map_err(|error| wrong(error.to_string()))?;
            check_key(&key)?;
            Some(key)
        }
        Some(_) => return Err(wrong("a key is a text".to_owned())),
    };
    let nested = split_nested(&mut members)?;
    let definition = request::json(Value::Object(members).to_string().as_bytes())?;
    Ok((key, (definition, nested)))
}

/// Takes the experiments out of the rules that have them decide, and leaves their keys there.
fn split_nested(members: &mut Map<String, Value>) -> Result<Vec<Nested>, Problem> {
    let rules = members.get_mut("rules").and_then(Value::as_array_mut);
    let mut nested = Vec::new();
    for (rule_idx, rule) in rules.into_iter().flatten().enumerate() {
        let Some(rule) = rule.as_object_mut() else { continue };
        let Some(body) = rule.remove("experiment") else { continue };
        let place = format!("/rules/{rule_idx}/experiment");
        if rule.contains_key("serve_experiment") {
            let detail = "give this or `serve_experiment`, not both";
            return Err(Problem::field(Kind::InvalidField, place, detail));
        }
        let read = experiments::split_key(body.to_string().as_bytes());
        let (key, definition) = read.map_err(|problem| problem.within(&place))?;
        rule.insert("serve_experiment".to_owned(), key.as_str().into());
        nested.push(Nested { rule_idx, key, definition });
    }
    Ok(nested)
}

/// Registers an experience as a draft: 201; 400 `invalid-field`; 409 `experience-key-taken`; 422.
pub(crate) async fn create(
    app: Shared,
    http: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let by = admin(&app, &http)?;
    let (key, definition) = split_key(&request::body(payload).await?)?;
    let key = key.ok_or_else(|| Problem::field(Kind::InvalidField, "/key", "an experience has a `key`"))?;
    created(&app.register_experience(key, definition, &by).await?)
}

/// Makes what a conclusion serves a live experience: 201; 400; 404; 409 `illegal-transition`, `experience-key-taken`.
pub(crate) async fn promote(
    app: Shared,
    http: HttpRequest,
    key: Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let by = admin(&app, &http)?;
    let body = request::body(payload).await?;
    let promotion: Promotion = if body.is_empty() { Promotion::default() } else { request::json(&body)? };
    promotion.key.as_ref().map_or(Ok(()), check_key)?;
    created(&app.promote(&key, promotion, &by).await?)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListQuery {
    limit: Option<u64>,
    cursor: Option<i64>,
    status: Option<Status>,
}

/// Lists experiences in the order they were registered: 200; 400 `invalid-query`.
pub(crate) async fn list(
    app: Shared,
    http: HttpRequest,
    query: Query<ListQuery>,
) -> Result<HttpResponse, Problem> {
    allow(&app, &http, Scope::Server)?;
    let limit = request::limit(query.limit, 50, 500)?;
    let after = request::cursor(query.cursor, 0)?.unwrap_or(0);
    let mut found = experiences::page(app.store.reader(), after, limit + 1, query.status).await?;
    let next_cursor = cut(&mut found, limit, |experience| experience.id.0);
    let data = found.iter().map(body_of).collect::<Result<Vec<_>, _>>()?;
    Ok(page(&http, &data, next_cursor.as_ref()))
}

/// Lists pairs of live experiences of which nobody said which comes first: 200.
pub(crate) async fn list_conflicts(app: Shared, http: HttpRequest) -> Result<HttpResponse, Problem> {
    allow(&app, &http, Scope::Server)?;
    let all = experiences::all(app.store.reader()).await?;
    Ok(HttpResponse::Ok().json(json!({ "data": conflicts(&all) })))
}

async fn find(app: &App, key: &str) -> Result<Experience, Problem> {
    let found = experiences::find(app.store.reader(), key).await?;
    found.ok_or_else(|| Problem::new(Kind::NotFound, format!("there is no experience `{key}`")))
}

/// Reads an experience: 200 with its `ETag`; 404.
pub(crate) async fn read(app: Shared, http: HttpRequest, key: Path<String>) -> Result<HttpResponse, Problem> {
    allow(&app, &http, Scope::Server)?;
    answer(HttpResponse::Ok(), &find(&app, &key).await?)
}

/// Replaces the definition of an experience: 200; 400; 404; 409 `illegal-transition`; 412 `edit-conflict`; 422; 428.
pub(crate) async fn replace(
    app: Shared,
    http: HttpRequest,
    key: Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let by = admin(&app, &http)?;
    let revision = request::if_match(&http)?;
    let (named, definition) = split_key(&request::body(payload).await?)?;
    if named.is_some_and(|named| named.as_str() != *key) {
        let detail = format!("a key does not change; it is `{key}`, or absent");
        return Err(Problem::field(Kind::InvalidField, "/key", detail));
    }
    answer(HttpResponse::Ok(), &app.define_experience(&key, revision, definition, &by).await?)
}

async fn act(app: &App, http: &HttpRequest, key: &str, action: Action) -> Result<HttpResponse, Problem> {
    let by = admin(app, http)?;
    let revision = request::if_match(http)?;
    answer(HttpResponse::Ok(), &app.act_on_experience(key, revision, action, &by).await?)
}

/// Publishes an experience: 200; 404; 409 `illegal-transition`; 412 `edit-conflict`; 428.
pub(crate) async fn publish(
    app: Shared,
    http: HttpRequest,
    key: Path<String>,
) -> Result<HttpResponse, Problem> {
    act(&app, &http, &key, Action::Publish).await
}

/// Pauses an experience: 200; 404; 409 `illegal-transition`; 412 `edit-conflict`; 428.
pub(crate) async fn pause(
    app: Shared,
    http: HttpRequest,
    key: Path<String>,
) -> Result<HttpResponse, Problem> {
    act(&app, &http, &key, Action::Pause).await
}

/// Archives an experience: 200; 404; 409 `illegal-transition`; 412 `edit-conflict`; 428.
pub(crate) async fn archive(
    app: Shared,
    http: HttpRequest,
    key: Path<String>,
) -> Result<HttpResponse, Problem> {
    act(&app, &http, &key, Action::Archive).await
}

/// What came of each rule, as JSON: 200; 404.
pub(crate) async fn report(
    app: Shared,
    http: HttpRequest,
    key: Path<String>,
) -> Result<HttpResponse, Problem> {
    allow(&app, &http, Scope::Server)?;
    Ok(HttpResponse::Ok().json(app.rules_report(&key).await?))
}

/// What came of each rule, as CSV: 200; 404.
pub(crate) async fn report_csv(
    app: Shared,
    http: HttpRequest,
    key: Path<String>,
) -> Result<HttpResponse, Problem> {
    allow(&app, &http, Scope::Server)?;
    let report = app.rules_report(&key).await?;
    csv_of(report.experience.as_str(), report_page::rules_csv(&report))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HistoryQuery {
    limit: Option<u64>,
    cursor: Option<i64>,
}

/// Lists what happened to an experience, the newest first: 200; 400 `invalid-query`; 404.
pub(crate) async fn list_history(
    app: Shared,
    http: HttpRequest,
    key: Path<String>,
    query: Query<HistoryQuery>,
) -> Result<HttpResponse, Problem> {
    allow(&app, &http, Scope::Server)?;
    let experience = find(&app, &key).await?;
    let limit = request::limit(query.limit, 50, 500)?;
    let before = request::cursor(query.cursor, 1)?;
    let of = as_experiment(experience.id);
    let mut found = history::page(app.store.reader(), of, before, limit + 1).await?;
    let next_cursor = cut(&mut found, limit, |entry| entry.id);
    let data: Vec<_> = found.iter().map(EntryBody::from).collect();
    Ok(page(&http, &data, next_cursor.as_ref()))
}
