//! `/api/v1/keys`.

use super::{Shared, allow, request};
use crate::auth::{KeyRecord, Scope};
use crate::clock;
use crate::origin::{BadOrigins, Origins};
use crate::problem::{Kind, Problem};
use crate::store::keys;
use actix_web::web::{self, Path};
use actix_web::{HttpRequest, HttpResponse};
use podium_core::time::Timestamp;
use serde::{Deserialize, Serialize};

/// The longest name of a key, in bytes.
const NAME_MAX: usize = 200;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewKey {
    scope: Scope,
    #[serde(default)]
    name: String,
    #[serde(default)]
    origins: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewOrigins {
    origins: Vec<String>,
}

#[derive(Serialize)]
struct KeyBody {
    id: String,
    scope: Scope,
    name: String,
    /// Shown once; of a publishable key always.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    /// The pages that it is for; of any origin if there is none.
    origins: Origins,
    created_at: Timestamp,
    revoked_at: Option<Timestamp>,
}

impl From<KeyRecord> for KeyBody {
    fn from(record: KeyRecord) -> Self {
        let KeyRecord { id, scope, name, secret: key, origins, created_at, revoked_at, .. } = record;
        Self { id, scope, name, key, origins, created_at, revoked_at }
    }
}

impl From<BadOrigins> for Problem {
    fn from(bad: BadOrigins) -> Self {
        Self::field(Kind::InvalidField, bad.pointer(), bad.detail)
    }
}

/// Makes a key: 201, with the key itself, which is not shown again.
pub(crate) async fn create(
    app: Shared,
    http: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    allow(&app, &http, Scope::Admin)?;
    let new: NewKey = request::json(&request::body(payload).await?)?;
    if NAME_MAX < new.name.len() || new.name.contains('\0') {
        let detail = format!("at most {NAME_MAX} bytes, without NUL");
        return Err(Problem::field(Kind::InvalidField, "/name", detail));
    }
    let origins = Origins::new(new.scope, &new.origins)?;
    let (record, key) = KeyRecord::generate(new.scope, &new.name, clock::now());
    let record = KeyRecord { origins, ..record };
    keys::insert(app.store.writer(), &record).await?;
    app.reload_keys().await?;
    Ok(HttpResponse::Created().json(KeyBody { key: Some(key), ..KeyBody::from(record) }))
}

/// Lists keys, without secrets.
pub(crate) async fn list(app: Shared, http: HttpRequest) -> Result<HttpResponse, Problem> {
    allow(&app, &http, Scope::Admin)?;
    let data: Vec<KeyBody> = keys::all(app.store.reader()).await?.into_iter().map(KeyBody::from).collect();
    Ok(HttpResponse::Ok().json(serde_json::json!({ "data": data })))
}

/// Says anew which pages a key is for: 200; 400 `invalid-field`; 404.
pub(crate) async fn set_origins(
    app: Shared,
    http: HttpRequest,
    id: Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    allow(&app, &http, Scope::Admin)?;
    let new: NewOrigins = request::json(&request::body(payload).await?)?;
    let gone = || Problem::new(Kind::NotFound, format!("there is no key `{id}` that was not revoked"));
    let record = keys::find(app.store.reader(), &id).await?.ok_or_else(gone)?;
    let origins = Origins::new(record.scope, &new.origins)?;
    if !keys::set_origins(app.store.writer(), &id, &origins).await? {
        return Err(gone());
    }
    app.reload_keys().await?;
    Ok(HttpResponse::Ok().json(KeyBody::from(KeyRecord { origins, ..record })))
}

/// Revokes a key: 204; 404.
pub(crate) async fn revoke(
    app: Shared,
    http: HttpRequest,
    id: Path<String>,
) -> Result<HttpResponse, Problem> {
    allow(&app, &http, Scope::Admin)?;
    if !keys::revoke(app.store.writer(), &id, clock::now()).await? {
        return Err(Problem::new(Kind::NotFound, format!("there is no key `{id}` that could be revoked")));
    }
    app.reload_keys().await?;
    Ok(HttpResponse::NoContent().finish())
}
