//! `/api/v1/sources`: other systems that conditions may ask.

use super::page::page;
use super::{Shared, admin, allow, request};
use crate::app::SourceError;
use crate::auth::Scope;
use crate::external::{Definition, SecretName, Source, timeout_ms_default, ttl_s_default};
use crate::problem::{Kind, Problem};
use actix_web::http::header;
use actix_web::web::{self, Path};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use podium_core::id::SourceKey;
use podium_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewSource {
    key: SourceKey,
    url: String,
    #[serde(default = "timeout_ms_default")]
    timeout_ms: i64,
    #[serde(default = "ttl_s_default")]
    ttl_s: i64,
    #[serde(default)]
    headers: BTreeMap<String, SecretName>,
}

#[derive(Serialize)]
struct SourceBody<'a> {
    key: &'a str,
    #[serde(flatten)]
    definition: &'a Definition,
    /// Why the last call failed, as far as this server knows.
    trouble: Option<String>,
    revision: i64,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl<'a> From<&'a Source> for SourceBody<'a> {
    fn from(source: &'a Source) -> Self {
        let stored = &source.stored;
        Self {
            key: stored.key.as_str(),
            definition: &stored.definition,
            trouble: source.trouble(),
            revision: stored.revision,
            created_at: stored.created_at,
            updated_at: stored.updated_at,
        }
    }
}

impl From<SourceError> for Problem {
    fn from(error: SourceError) -> Self {
        let detail = error.to_string();
        match error {
            SourceError::Off => Self::new(Kind::ExternalDataOff, detail),
            SourceError::NotFound(_) => Self::new(Kind::NotFound, detail),
            SourceError::KeyTaken(_) => Self::field(Kind::SourceKeyTaken, "/key", detail),
            SourceError::TooMany => Self::new(Kind::TooManySources, detail),
            SourceError::Stale { revision } => Self::new(Kind::EditConflict, detail).with_etag(revision),
            SourceError::InUse { .. } => Self::new(Kind::SourceInUse, detail),
            SourceError::Invalid(faults) => Self::faults(Kind::InvalidField, faults),
            SourceError::Store(error) => error.into(),
        }
    }
}

fn answer(mut response: HttpResponseBuilder, source: &Source) -> HttpResponse {
    response.insert_header((header::ETAG, request::etag(source.stored.revision)));
    response.json(SourceBody::from(source))
}

/// Registers a source: 201; 400 `invalid-field`; 409 `source-key-taken`, `too-many-sources`, `external-data-off`.
pub(crate) async fn create(
    app: Shared,
    http: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    admin(&app, &http)?;
    let NewSource { key, url, timeout_ms, ttl_s, headers } = request::json(&request::body(payload).await?)?;
    let source = app.add_source(key, Definition { url, timeout_ms, ttl_s, headers }).await?;
    let mut response = HttpResponse::Created();
    response.insert_header((header::LOCATION, format!("/api/v1/sources/{}", source.stored.key)));
    Ok(answer(response, &source))
}

/// Lists sources in the order of their keys: 200.
pub(crate) async fn list(app: Shared, http: HttpRequest) -> Result<HttpResponse, Problem> {
    allow(&app, &http, Scope::Admin)?;
    let all = app.sources();
    let data: Vec<_> = all.values().map(|source| SourceBody::from(&**source)).collect();
    Ok(page(&http, &data, None::<&String>))
}

/// Reads a source: 200 with an `ETag`; 404.
pub(crate) async fn read(app: Shared, http: HttpRequest, key: Path<String>) -> Result<HttpResponse, Problem> {
    allow(&app, &http, Scope::Admin)?;
    Ok(answer(HttpResponse::Ok(), &*app.source(&key)?))
}

/// Changes a source: 200; 400; 404; 409 `external-data-off`; 412 `edit-conflict`; 428.
pub(crate) async fn put(
    app: Shared,
    http: HttpRequest,
    key: Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    admin(&app, &http)?;
    let seen = request::if_match(&http)?;
    let definition: Definition = request::json(&request::body(payload).await?)?;
    let source = app.change_source(&key, seen, definition).await?;
    Ok(answer(HttpResponse::Ok(), &source))
}

/// Removes a source that nothing asks for: 204; 404; 409 `source-in-use`; 412; 428.
pub(crate) async fn remove(
    app: Shared,
    http: HttpRequest,
    key: Path<String>,
) -> Result<HttpResponse, Problem> {
    admin(&app, &http)?;
    app.remove_source(&key, request::if_match(&http)?).await?;
    Ok(HttpResponse::NoContent().finish())
}
