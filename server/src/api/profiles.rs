//! `/api/v1/profiles`: what is known of a person, which ids are theirs, and where they have moved.

mod body;

use super::audiences::moves_page;
use super::{Shared, allow, request};
use crate::app::Person;
use crate::auth::Scope;
use crate::problem::{Kind, Problem};
use crate::store::audiences;
use actix_web::web::{self, Path, Query};
use actix_web::{HttpRequest, HttpResponse};
use body::ProfileBody;
use podium_core::id::UNIT_LENGTH_MAX;
use serde::{Deserialize, Serialize};

#[derive(Serialize)]
struct PersonBody<'a> {
    person: &'a str,
    ids: Vec<&'a str>,
}

impl<'a> From<&'a Person> for PersonBody<'a> {
    fn from(person: &'a Person) -> Self {
        Self { person: &person.id, ids: person.ids.iter().map(String::as_str).collect() }
    }
}

/// What an id has to be.
pub(super) const AN_ID: &str = "an id has 1 to 255 bytes, none of them NUL";

/// Whether a text can be somebody's id.
pub(super) fn is_id(text: &str) -> bool {
    (1..=UNIT_LENGTH_MAX).contains(&text.len()) && !text.contains('\0')
}

fn checked(id: &str) -> Result<&str, Problem> {
    if is_id(id) { Ok(id) } else { Err(Problem::new(Kind::NotFound, AN_ID)) }
}

/// Shows what is known of a person by any of their ids: 200; 404 if it cannot be an id.
pub(crate) async fn read(app: Shared, http: HttpRequest, id: Path<String>) -> Result<HttpResponse, Problem> {
    allow(&app, &http, Scope::Server)?;
    let (person, known) = app.known(checked(&id)?).await?;
    let audiences = audiences::all(app.store.reader()).await?;
    let catalog = app.published.catalog.load();
    let cuts = catalog.book.rfm.as_deref();
    Ok(HttpResponse::Ok().json(ProfileBody::new(&person, &known, &audiences, cuts)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MovesQuery {
    limit: Option<u64>,
    cursor: Option<i64>,
}

/// Lists which audiences a person entered and left, the newest first: 200; 400 `invalid-query`; 404.
pub(crate) async fn moves(
    app: Shared,
    http: HttpRequest,
    id: Path<String>,
    query: Query<MovesQuery>,
) -> Result<HttpResponse, Problem> {
    allow(&app, &http, Scope::Server)?;
    let person = app.person(checked(&id)?).await?;
    let all = audiences::all(app.store.reader()).await?;
    moves_page(&app, &http, (&all, (None, Some(&person.id))), (query.limit, query.cursor)).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewAlias {
    id: String,
}

/// Makes one person of a user and another id: 200 with the person; 400 `invalid-field`.
pub(crate) async fn join(
    app: Shared,
    http: HttpRequest,
    user: Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    allow(&app, &http, Scope::Server)?;
    let user = checked(&user)?;
    let NewAlias { id } = request::json(&request::body(payload).await?)?;
    if !is_id(&id) || *id == *user {
        let detail = format!("another id than the user's own; {AN_ID}");
        return Err(Problem::field(Kind::InvalidField, "/id", detail));
    }
    app.join(user, &id).await?;
    Ok(HttpResponse::Ok().json(PersonBody::from(&app.person(user).await?)))
}

/// Takes back that an id is a person's: 204; 404 if it is not.
pub(crate) async fn part(
    app: Shared,
    http: HttpRequest,
    path: Path<(String, String)>,
) -> Result<HttpResponse, Problem> {
    allow(&app, &http, Scope::Server)?;
    let (user, other) = (checked(&path.0)?, checked(&path.1)?);
    let person = app.person(user).await?;
    let is_another = user != other && person.ids.contains(other);
    if is_another && app.part(&person, other).await? {
        return Ok(HttpResponse::NoContent().finish());
    }
    Err(Problem::new(Kind::NotFound, format!("`{other}` is not another id of `{user}`")))
}
