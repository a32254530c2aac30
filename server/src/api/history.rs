//! `/api/v1/experiments/{key}/history`: what happened, and taking it back.

use super::experiments::{VersionQuery, answer, find};
use super::page::{cut, page};
use super::{Shared, admin, allow, request};
use crate::app::history::{Entry, Happening};
use crate::app::{Change, Undo};
use crate::auth::Scope;
use crate::problem::Problem;
use crate::store::history;
use actix_web::web::{self, Path, Query};
use actix_web::{HttpRequest, HttpResponse};
use podium_core::time::Timestamp;
use serde::{Deserialize, Serialize};

#[derive(Serialize)]
pub(super) struct EntryBody<'a> {
    id: i64,
    at: Timestamp,
    actor: &'a str,
    #[serde(flatten)]
    happening: &'a Happening,
    undone_by: Option<i64>,
}

impl<'a> From<&'a Entry> for EntryBody<'a> {
    fn from(entry: &'a Entry) -> Self {
        let Entry { id, at, actor, happening, undone_by, .. } = entry;
        Self { id: *id, at: *at, actor, happening, undone_by: *undone_by }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListQuery {
    version: Option<u32>,
    limit: Option<u64>,
    cursor: Option<i64>,
}

/// Lists what happened to an experiment, the newest first: 200; 400 `invalid-query`; 404.
pub(crate) async fn list(
    app: Shared,
    http: HttpRequest,
    key: Path<String>,
    query: Query<ListQuery>,
) -> Result<HttpResponse, Problem> {
    allow(&app, &http, Scope::Server)?;
    let experiment = find(&app, &key, query.version).await?;
    let limit = request::limit(query.limit, 50, 500)?;
    let before = request::cursor(query.cursor, 1)?;
    let mut found = history::page(app.store.reader(), experiment.id, before, limit + 1).await?;
    let next_cursor = cut(&mut found, limit, |entry| entry.id);
    let data: Vec<_> = found.iter().map(EntryBody::from).collect();
    Ok(page(&http, &data, next_cursor.as_ref()))
}

/// What is to be taken back.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct UndoBody {
    history_id: Option<i64>,
    pub(crate) reason: Option<String>,
}

/// Takes back a conclusion, a variant that was taken out, or a pause by the automation: 200; 400; 404; 409
/// `cannot-undo`; 412; 428.
pub(crate) async fn undo(
    app: Shared,
    http: HttpRequest,
    key: Path<String>,
    query: Query<VersionQuery>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let by = admin(&app, &http)?;
    let body = request::body(payload).await?;
    let body: UndoBody = if body.is_empty() { UndoBody::default() } else { request::json(&body)? };
    find(&app, &key, query.version).await?;
    let revision = request::if_match(&http)?;
    let change = Change::Undo(Undo { history_id: body.history_id, reason: body.reason });
    let experiment = app.edit((&key, query.version), revision, &by, change).await?;
    answer(&app, HttpResponse::Ok(), &experiment).await
}
