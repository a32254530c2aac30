//! `/api/v1/audiences`: named conditions, who meets them, who moved, and why somebody is in or not.

use super::page::{cut, page};
use super::profiles::{AN_ID, is_id};
use super::{Shared, admin, allow, request};
use crate::app::{AudienceError, Preview};
use crate::auth::Scope;
use crate::clock;
use crate::problem::{Kind, Problem};
use crate::store::audiences::{self, Audience};
use actix_web::http::header;
use actix_web::web::{self, Path, Query};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use podium_core::audience::{Clause, CompiledCondition, Condition, Fault, Shopper};
use podium_core::id::{AudienceId, AudienceKey};
use podium_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::HashMap;

/// What a path says that no audience can be called.
const RESERVED: &str = "preview";
/// The longest name, in characters.
const NAME_MAX: usize = 200;

#[derive(Serialize)]
struct AudienceBody<'a> {
    key: &'a str,
    name: Option<&'a str>,
    condition: Value,
    /// How many are in it; null where only a request can tell.
    size: Option<i64>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewAudience {
    pub(crate) key: AudienceKey,
    #[serde(default)]
    pub(crate) name: Option<String>,
    pub(crate) condition: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AudienceChange {
    #[serde(default)]
    name: Option<String>,
    condition: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Previewed {
    condition: Value,
}

fn faults(faults: Vec<Fault>) -> Problem {
    Problem::faults(Kind::InvalidField, faults.into_iter().map(|fault| fault.below("/condition")).collect())
}

fn condition(app: &Shared, condition: &Value) -> Result<Condition, Problem> {
    app.checked_condition(condition).map_err(faults)
}

pub(crate) fn checked_name(name: Option<String>) -> Result<Option<String>, Problem> {
    match name {
        Some(name) if NAME_MAX < name.chars().count() || name.contains('\0') => {
            let detail = format!("at most {NAME_MAX} characters, none of them NUL");
            Err(Problem::field(Kind::InvalidField, "/name", detail))
        }
        name => Ok(name),
    }
}

impl From<AudienceError> for Problem {
    fn from(error: AudienceError) -> Self {
        let detail = error.to_string();
        match error {
            AudienceError::NotFound(_) => Self::new(Kind::NotFound, detail),
            AudienceError::KeyTaken(_) => Self::field(Kind::AudienceKeyTaken, "/key", detail),
            AudienceError::Stale { revision } => Self::new(Kind::EditConflict, detail).with_etag(revision),
            AudienceError::InUse { .. } => Self::new(Kind::AudienceInUse, detail),
            AudienceError::Invalid(found) => faults(found),
            AudienceError::Store(error) => error.into(),
        }
    }
}

async fn answer(
    app: &Shared,
    mut response: HttpResponseBuilder,
    audience: &Audience,
) -> Result<HttpResponse, Problem> {
    let sizes = audiences::sizes(app.store.reader(), Some(audience.id)).await?;
    response.insert_header((header::ETAG, request::etag(audience.revision)));
    Ok(response.json(shown(app, audience, sizes.get(&audience.id).copied())))
}

/// How many are in an audience; `None` where only a request can tell.
///
/// - `counted`: those that the store has in it.
pub(super) fn size(app: &Shared, audience: &Audience, counted: Option<i64>) -> Option<i64> {
    let compiled = app.published.catalog.load();
    let needs_context =
        compiled.book.audiences.get(audience.id).is_some_and(CompiledCondition::needs_context);
    (!needs_context).then(|| counted.unwrap_or(0))
}

fn shown<'a>(app: &Shared, audience: &'a Audience, counted: Option<i64>) -> AudienceBody<'a> {
    AudienceBody {
        key: audience.key.as_str(),
        name: audience.name.as_deref(),
        condition: audience.condition.to_value(),
        size: size(app, audience, counted),
        created_at: audience.created_at,
        updated_at: audience.updated_at,
    }
}

fn named<'a>(all: &'a [Audience], key: &str) -> Result<&'a Audience, Problem> {
    let found = all.iter().find(|audience| audience.key.as_str() == key);
    found.ok_or_else(|| AudienceError::NotFound(key.to_owned()).into())
}

/// Makes an audience, if it can be called so.
pub(super) async fn add(
    app: &Shared,
    key: AudienceKey,
    name: Option<String>,
    condition: Condition,
) -> Result<Audience, Problem> {
    if key.as_str() == RESERVED {
        return Err(Problem::field(Kind::InvalidField, "/key", format!("`{RESERVED}` is taken by a path")));
    }
    Ok(app.add_audience(key, checked_name(name)?, condition).await?)
}

/// Makes an audience: 201; 400 `invalid-field` with a pointer to each clause; 409 `audience-key-taken`.
pub(crate) async fn create(
    app: Shared,
    http: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    admin(&app, &http)?;
    let new: NewAudience = request::json(&request::body(payload).await?)?;
    let condition = condition(&app, &new.condition)?;
    let audience = add(&app, new.key, new.name, condition).await?;
    let mut response = HttpResponse::Created();
    response.insert_header((header::LOCATION, format!("/api/v1/audiences/{}", audience.key)));
    answer(&app, response, &audience).await
}

/// Lists audiences with their sizes, in the order of their keys: 200.
pub(crate) async fn list(app: Shared, http: HttpRequest) -> Result<HttpResponse, Problem> {
    allow(&app, &http, Scope::Server)?;
    let all = audiences::all(app.store.reader()).await?;
    let sizes = audiences::sizes(app.store.reader(), None).await?;
    let data: Vec<_> = all.iter().map(|one| shown(&app, one, sizes.get(&one.id).copied())).collect();
    Ok(page(&http, &data, None::<&String>))
}

/// Reads an audience: 200 with an `ETag`; 404.
pub(crate) async fn read(app: Shared, http: HttpRequest, key: Path<String>) -> Result<HttpResponse, Problem> {
    allow(&app, &http, Scope::Server)?;
    let all = audiences::all(app.store.reader()).await?;
    answer(&app, HttpResponse::Ok(), named(&all, &key)?).await
}

/// Changes an audience: 200; 400; 404; 412 `edit-conflict`; 428.
pub(crate) async fn put(
    app: Shared,
    http: HttpRequest,
    key: Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    admin(&app, &http)?;
    let seen = request::if_match(&http)?;
    let change: AudienceChange = request::json(&request::body(payload).await?)?;
    let (name, condition) = (checked_name(change.name)?, condition(&app, &change.condition)?);
    let audience = app.change_audience(&key, seen, (name, condition)).await?;
    answer(&app, HttpResponse::Ok(), &audience).await
}

/// Removes an audience that nothing asks for: 204; 404; 409 `audience-in-use`; 412; 428.
pub(crate) async fn remove(
    app: Shared,
    http: HttpRequest,
    key: Path<String>,
) -> Result<HttpResponse, Problem> {
    admin(&app, &http)?;
    app.remove_audience(&key, request::if_match(&http)?).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Counts who would be in an audience: 200; 400 `invalid-field`. It changes nothing.
pub(crate) async fn preview(
    app: Shared,
    http: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    allow(&app, &http, Scope::Server)?;
    let asked: Previewed = request::json(&request::body(payload).await?)?;
    let preview: Preview = app.preview(&condition(&app, &asked.condition)?).await?;
    Ok(HttpResponse::Ok().json(preview))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MovesQuery {
    unit: Option<String>,
    limit: Option<u64>,
    cursor: Option<i64>,
}

#[derive(Serialize)]
struct MoveBody<'a> {
    audience: &'a str,
    person: &'a str,
    r#move: &'static str,
    at: Timestamp,
}

/// Lists who entered and left, the newest first: 200; 400 `invalid-query`; 404.
pub(crate) async fn moves(
    app: Shared,
    http: HttpRequest,
    key: Path<String>,
    query: Query<MovesQuery>,
) -> Result<HttpResponse, Problem> {
    allow(&app, &http, Scope::Server)?;
    let all = audiences::all(app.store.reader()).await?;
    let audience = named(&all, &key)?;
    let person = match &query.unit {
        Some(unit) if is_id(unit) => Some(app.person(unit).await?.id),
        Some(_) => return Err(Problem::new(Kind::InvalidQuery, format!("`unit`: {AN_ID}"))),
        None => None,
    };
    let about = (Some(audience.id), person.as_deref());
    moves_page(&app, &http, (&all, about), (query.limit, query.cursor)).await
}

/// A page of the moves of an audience or of a person, the newest first.
///
/// - `all`: every audience there is.
/// - `limit`, `cursor`: as they were asked for.
pub(super) async fn moves_page(
    app: &Shared,
    http: &HttpRequest,
    (all, about): (&[Audience], (Option<AudienceId>, Option<&str>)),
    (limit, cursor): (Option<u64>, Option<i64>),
) -> Result<HttpResponse, Problem> {
    let limit = request::limit(limit, 50, 500)?;
    let before = request::cursor(cursor, 1)?;
    let keys: HashMap<AudienceId, &str> = all.iter().map(|one| (one.id, one.key.as_str())).collect();
    let mut found = audiences::moves(app.store.reader(), about, before, limit + 1).await?;
    let next_cursor = cut(&mut found, limit, |(position, _)| *position);
    // An audience that was removed meanwhile has taken its moves with it.
    let data: Vec<_> = found
        .iter()
        .filter_map(|(_, one)| {
            Some(MoveBody {
                audience: keys.get(&one.audience)?,
                person: &one.person,
                r#move: if one.entered { "entered" } else { "left" },
                at: one.at,
            })
        })
        .collect();
    Ok(page(http, &data, next_cursor.as_ref()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExplainAsked {
    unit: String,
    #[serde(default)]
    context: Value,
    /// The moment that is asked about; now if absent.
    #[serde(default)]
    at: Option<Timestamp>,
}

#[derive(Serialize)]
struct Explained<'a> {
    audience: &'a str,
    unit: &'a str,
    person: &'a str,
    /// Null if that hangs on what another system says, and it could not be had.
    holds: Option<bool>,
    at: Timestamp,
    /// When the answer may be another though nothing happens.
    next_change: Option<Timestamp>,
    condition: Clause,
}

/// Says why somebody is in an audience or not, clause by clause: 200; 400; 404. It changes nothing.
pub(crate) async fn explain(
    app: Shared,
    http: HttpRequest,
    key: Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    allow(&app, &http, Scope::Server)?;
    let asked: ExplainAsked = request::json(&request::body(payload).await?)?;
    if !is_id(&asked.unit) {
        return Err(Problem::field(Kind::InvalidField, "/unit", AN_ID));
    }
    if !asked.context.is_null() && !asked.context.is_object() {
        return Err(Problem::field(Kind::InvalidField, "/context", "an object"));
    }
    let all = audiences::all(app.store.reader()).await?;
    let audience = named(&all, &key)?;
    let at = asked.at.unwrap_or_else(clock::now);
    let (person, known) = app.known(&asked.unit).await?;
    let catalog = app.published.catalog.load_full();
    let not_yet = || Problem::new(Kind::NotFound, "the audience was changed just now; ask again");
    let compiled = catalog.book.audiences.get(audience.id).ok_or_else(not_yet)?;
    let external = app.external(compiled, &asked.unit).await;
    let shopper = Shopper { external: &external, ..catalog.book.shopper(&known.profile, &asked.context) };
    let condition = catalog.book.audiences.explain(compiled, &shopper, at);
    Ok(HttpResponse::Ok().json(Explained {
        audience: audience.key.as_str(),
        unit: &asked.unit,
        person: &person.id,
        holds: condition.holds,
        at,
        next_change: catalog.book.audiences.next_change(compiled, &shopper, at),
        condition,
    }))
}
