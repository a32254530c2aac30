//! Reports: JSON, CSV and page from one struct; and links that need no key.

use super::experiments::VersionQuery;
use super::{Shared, allow};
use crate::auth::Scope;
use crate::clock;
use crate::links;
use crate::problem::{Kind, Problem};
use crate::store::experiments;
use actix_web::web::{Path, Query};
use actix_web::{HttpRequest, HttpResponse};

/// The report as JSON: 200; 404.
pub(crate) async fn json(
    app: Shared,
    http: HttpRequest,
    key: Path<String>,
    query: Query<VersionQuery>,
) -> Result<HttpResponse, Problem> {
    allow(&app, &http, Scope::Server)?;
    let (_, report) = app.report(&key, query.version).await?;
    Ok(HttpResponse::Ok().json(report))
}

/// Makes a link to the report's page that needs no key for 30 days: 201; 404.
pub(crate) async fn link(
    app: Shared,
    http: HttpRequest,
    key: Path<String>,
    query: Query<VersionQuery>,
) -> Result<HttpResponse, Problem> {
    allow(&app, &http, Scope::Admin)?;
    let found = experiments::find(app.store.reader(), &key, query.version).await?;
    let experiment =
        found.ok_or_else(|| Problem::new(Kind::NotFound, format!("there is no experiment `{key}`")))?;
    let expires_at = clock::now().plus_seconds(links::LINK_S);
    let token = links::sign(&app.link_secret, experiment.id, expires_at);
    let url = format!("{}/r/{token}", app.public_url);
    Ok(HttpResponse::Created().json(serde_json::json!({ "url": url, "expires_at": expires_at })))
}
