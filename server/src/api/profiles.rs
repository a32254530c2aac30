//! `/api/v1/profiles`: what is known of a person, and which ids are theirs.

use super::{Shared, allow, request};
use crate::app::Person;
use crate::auth::Scope;
use crate::problem::{Kind, Problem};
use actix_web::web::{self, Path};
use actix_web::{HttpRequest, HttpResponse};
use podium_core::id::UNIT_LENGTH_MAX;
use serde::{Deserialize, Serialize};

#[derive(Serialize)]
struct PersonBody<'a> {
    person: &'a str,
    ids: Vec<&'a str>,
}

fn shown(person: &Person) -> PersonBody<'_> {
    PersonBody { person: &person.id, ids: person.ids.iter().map(String::as_str).collect() }
}

/// Whether a text can be somebody's id.
fn is_id(text: &str) -> bool {
    (1..=UNIT_LENGTH_MAX).contains(&text.len()) && !text.contains('\0')
}

fn checked(id: &str) -> Result<&str, Problem> {
    let not_there =
        || Problem::new(Kind::NotFound, format!("an id has 1 to {UNIT_LENGTH_MAX} bytes, none of them NUL"));
    if is_id(id) { Ok(id) } else { Err(not_there()) }
}

/// Shows a person by any of their ids: 200; 404 if it cannot be an id.
pub(crate) async fn read(app: Shared, http: HttpRequest, id: Path<String>) -> Result<HttpResponse, Problem> {
    allow(&app, &http, Scope::Server)?;
    let person = app.person(checked(&id)?).await?;
    Ok(HttpResponse::Ok().json(shown(&person)))
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
        let detail =
            format!("another id than the user's own, of 1 to {UNIT_LENGTH_MAX} bytes, none of them NUL");
        return Err(Problem::field(Kind::InvalidField, "/id", detail));
    }
    app.join(user, &id).await?;
    Ok(HttpResponse::Ok().json(shown(&app.person(user).await?)))
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
