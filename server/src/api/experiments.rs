//! `/api/v1/experiments`: register, read, edit, start, pause, conclude, archive.

use super::page::{cut, page};
use super::{Shared, admin, allow, request};
use crate::app::{App, Change, EditError, Wish};
use crate::auth::Scope;
use crate::problem::{Kind, Problem};
use crate::store::weights::StoredWeights;
use crate::store::{experiments, weights};
use actix_web::http::header;
use actix_web::web::{self, Path, Query};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use podium_core::experiment::{Definition, Experiment, Status, Variant};
use podium_core::id::{ExperimentKey, VariantKey};
use podium_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// An experiment as clients see it.
#[derive(Serialize)]
struct ExperimentBody<'a> {
    id: i64,
    key: &'a str,
    version: u32,
    status: Status,
    flag_key: &'a str,
    served: Option<&'a str>,
    created_at: Timestamp,
    updated_at: Timestamp,
    started_at: Option<Timestamp>,
    concluded_at: Option<Timestamp>,
    weights: WeightsBody,
    #[serde(flatten)]
    definition: Map<String, Value>,
}

/// One weights version as clients see it.
#[derive(Serialize)]
struct WeightsBody {
    version: u32,
    created_at: Timestamp,
    cause: String,
    weights: Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    beliefs: Option<Value>,
}

impl From<StoredWeights> for WeightsBody {
    fn from(stored: StoredWeights) -> Self {
        let weights = stored.weights.weights.into_iter().map(|(key, weight)| (key, weight.into())).collect();
        let beliefs = stored.beliefs.and_then(|json| serde_json::from_str(&json).ok());
        Self {
            version: stored.weights.version,
            created_at: stored.created_at,
            cause: stored.cause,
            weights,
            beliefs,
        }
    }
}

/// Which version of an experiment.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct VersionQuery {
    pub(crate) version: Option<u32>,
}

async fn body_of(app: &App, experiment: &Experiment) -> Result<Value, Problem> {
    let weights = WeightsBody::from(app.weights(experiment.id).await?);
    let definition = match serde_json::to_value(&experiment.definition) {
        Ok(Value::Object(mut members)) => {
            members.remove("flag_key");
            members
        }
        _ => return Err(Problem::new(Kind::Internal, "the definition cannot be written")),
    };
    let body = ExperimentBody {
        id: experiment.id.0,
        key: experiment.key.as_str(),
        version: experiment.version,
        status: experiment.status,
        flag_key: experiment.flag_key(),
        served: experiment.served.as_ref().map(VariantKey::as_str),
        created_at: experiment.created_at,
        updated_at: experiment.updated_at,
        started_at: experiment.started_at,
        concluded_at: experiment.concluded_at,
        weights,
        definition,
    };
    serde_json::to_value(body).map_err(|error| Problem::new(Kind::Internal, error.to_string()))
}

pub(super) async fn answer(
    app: &App,
    mut response: HttpResponseBuilder,
    experiment: &Experiment,
) -> Result<HttpResponse, Problem> {
    let body = body_of(app, experiment).await?;
    Ok(response.insert_header((header::ETAG, request::etag(experiment.revision))).json(body))
}

/// Takes the key out of a registration; the rest is the definition.
pub(super) fn split_key(body: &[u8]) -> Result<(ExperimentKey, Definition), Problem> {
    let mut members: Map<String, Value> = request::json(body)?;
    let key = match members.remove("key") {
        Some(Value::String(key)) => key,
        Some(_) => return Err(Problem::field(Kind::InvalidField, "/key", "a key is a text")),
        None => return Err(Problem::field(Kind::InvalidField, "/key", "an experiment has a `key`")),
    };
    let key = ExperimentKey::new(&key)
        .map_err(|error| Problem::field(Kind::InvalidField, "/key", error.to_string()))?;
    Ok((key, definition(&Value::Object(members))?))
}

fn definition(value: &Value) -> Result<Definition, Problem> {
    request::json(value.to_string().as_bytes())
}

/// Registers an experiment as a draft: 201; 400 `invalid-field`; 409 `experiment-key-taken`; 422 `unknown-metric`.
pub(crate) async fn create(
    app: Shared,
    http: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let by = admin(&app, &http)?;
    let (key, definition) = split_key(&request::body(payload).await?)?;
    let experiment = app.register(key, definition, &by).await?;
    let location = format!("/api/v1/experiments/{}", experiment.key);
    let mut response = HttpResponse::Created();
    response.insert_header((header::LOCATION, location));
    answer(&app, response, &experiment).await
}

/// Registers a new version as a draft: 201; 400; 404.
pub(crate) async fn new_version(
    app: Shared,
    http: HttpRequest,
    key: Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let by = admin(&app, &http)?;
    let patch: Value = request::json(&request::body(payload).await?)?;
    let former = find(&app, &key, None).await?;
    if former.status == Status::Draft {
        let detail = format!("version {} is still a draft; edit it instead", former.version);
        return Err(Problem::new(Kind::IllegalTransition, detail));
    }
    let mut start = former.definition.clone();
    start.variants.retain(Variant::is_active);
    start.salt = None;
    let definition = merged(&start, patch)?;
    let experiment = app.register_version(&former, definition, &by).await?;
    answer(&app, HttpResponse::Created(), &experiment).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListQuery {
    limit: Option<u64>,
    cursor: Option<i64>,
    status: Option<Status>,
}

/// Lists experiments in the order they were registered: 200; 400 `invalid-query`.
pub(crate) async fn list(
    app: Shared,
    http: HttpRequest,
    query: Query<ListQuery>,
) -> Result<HttpResponse, Problem> {
    allow(&app, &http, Scope::Server)?;
    let limit = request::limit(query.limit, 50, 500)?;
    let after = request::cursor(query.cursor, 0)?.unwrap_or(0);
    let mut found = experiments::page(app.store.reader(), after, limit + 1, query.status).await?;
    let next_cursor = cut(&mut found, limit, |experiment| experiment.id.0);
    let mut data = Vec::with_capacity(found.len());
    for experiment in &found {
        data.push(body_of(&app, experiment).await?);
    }
    Ok(page(&http, &data, next_cursor.as_ref()))
}

/// The experiment that `key` names, in its newest version or the one that is asked for.
pub(super) async fn find(app: &App, key: &str, version: Option<u32>) -> Result<Experiment, Problem> {
    let found = experiments::find(app.store.reader(), key, version).await?;
    found.ok_or_else(|| Problem::new(Kind::NotFound, format!("there is no experiment `{key}`")))
}

/// Reads an experiment: 200 with its `ETag`; 404.
pub(crate) async fn read(
    app: Shared,
    http: HttpRequest,
    key: Path<String>,
    query: Query<VersionQuery>,
) -> Result<HttpResponse, Problem> {
    allow(&app, &http, Scope::Server)?;
    let experiment = find(&app, &key, query.version).await?;
    answer(&app, HttpResponse::Ok(), &experiment).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HistoryQuery {
    version: Option<u32>,
    limit: Option<u64>,
}

/// Lists the newest weights versions of an experiment, newest first: 200; 404.
pub(crate) async fn weights(
    app: Shared,
    http: HttpRequest,
    key: Path<String>,
    query: Query<HistoryQuery>,
) -> Result<HttpResponse, Problem> {
    allow(&app, &http, Scope::Server)?;
    let experiment = find(&app, &key, query.version).await?;
    let limit = request::limit(query.limit, 50, 1_000)?;
    let history = weights::history(app.store.reader(), experiment.id, limit).await?;
    let data: Vec<_> = history.into_iter().map(WeightsBody::from).collect();
    Ok(HttpResponse::Ok().json(serde_json::json!({ "data": data })))
}

/// Puts a JSON merge patch (RFC 7396) over a definition.
fn merged(start: &Definition, patch: Value) -> Result<Definition, Problem> {
    let Value::Object(patch) = patch else {
        return Err(Problem::field(
            Kind::InvalidField,
            "",
            "a patch is an object with the fields that change",
        ));
    };
    let mut whole =
        serde_json::to_value(start).map_err(|error| Problem::new(Kind::Internal, error.to_string()))?;
    merge(&mut whole, Value::Object(patch));
    definition(&whole)
}

fn merge(target: &mut Value, patch: Value) {
    let Value::Object(members) = patch else {
        *target = patch;
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    if let Value::Object(object) = target {
        for (name, value) in members {
            if value.is_null() {
                object.remove(&name);
            } else {
                merge(object.entry(name).or_insert(Value::Null), value);
            }
        }
    }
}

/// Edits an experiment by a merge patch: 200; 400; 409 `needs-new-version`; 412 `edit-conflict`; 428.
pub(crate) async fn patch(
    app: Shared,
    http: HttpRequest,
    key: Path<String>,
    query: Query<VersionQuery>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let by = admin(&app, &http)?;
    let revision = request::if_match(&http)?;
    let patch: Value = request::json(&request::body(payload).await?)?;
    let seen = find(&app, &key, query.version).await?;
    let definition = merged(&seen.definition, patch)?;
    let revision = revision.or(Some(seen.revision));
    let change = Change::Define(Box::new(definition));
    let experiment = app.edit((&key, query.version), revision, &by, change).await?;
    answer(&app, HttpResponse::Ok(), &experiment).await
}

/// How an experiment is to end.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Conclusion {
    serve: Option<VariantKey>,
    pub(crate) reason: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ActQuery {
    version: Option<u32>,
    dry_run: Option<bool>,
}

/// Starts, pauses, concludes or archives: 200; 404; 409 `illegal-transition`; 412 `edit-conflict`; 428.
pub(crate) async fn act(
    app: Shared,
    http: HttpRequest,
    path: Path<(String, String)>,
    query: Query<ActQuery>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let by = admin(&app, &http)?;
    let (key, action) = path.into_inner();
    let change = match action.as_str() {
        "start" => Some(Change::Start),
        "pause" => Some(Change::Pause { harming: None }),
        "conclude" => None,
        "archive" => Some(Change::Archive),
        _ => {
            return Err(Problem::new(
                Kind::NotFound,
                format!("there is no action `{action}`; use start, pause, conclude or archive"),
            ));
        }
    };
    let body = request::body(payload).await?;
    let body: Conclusion = if body.is_empty() { Conclusion::default() } else { request::json(&body)? };
    let Conclusion { serve, reason } = body;
    let mut experiment = find(&app, &key, query.version).await?;
    let revision = request::if_match(&http)?;
    let place = (key.as_str(), query.version);
    let experiment = if let Some(change) = change {
        let said = [serve.map(|_| "/serve"), reason.map(|_| "/reason")].into_iter().flatten().next();
        if let Some(pointer) = said {
            return Err(Problem::field(Kind::InvalidField, pointer, "only `conclude` takes it"));
        }
        if query.dry_run.is_some() {
            return Err(Problem::new(Kind::InvalidQuery, "only `conclude` can be tried by `dry_run`"));
        }
        app.edit(place, revision, &by, change).await?
    } else {
        let conclusion = app.conclusion(&experiment, revision, Wish { serve, reason }).await?;
        if query.dry_run == Some(true) {
            conclusion.apply(&mut experiment)?;
            experiment
        } else {
            let change = Change::Conclude(conclusion);
            app.edit(place, Some(experiment.revision), &by, change).await?
        }
    };
    answer(&app, HttpResponse::Ok(), &experiment).await
}

/// Adds a variant: 201; 400; 409; 412; 428.
pub(crate) async fn add_variant(
    app: Shared,
    http: HttpRequest,
    key: Path<String>,
    query: Query<VersionQuery>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let by = admin(&app, &http)?;
    let revision = request::if_match(&http)?;
    let variant: Variant = request::json(&request::body(payload).await?)?;
    if !variant.was_always_in() {
        let pointer = if variant.is_active() { "/absences" } else { "/removed_at" };
        return Err(Problem::field(Kind::InvalidField, pointer, "a new variant was never taken out"));
    }
    let change = Change::AddVariant(Box::new(variant));
    let experiment = app.edit((&key, query.version), revision, &by, change).await?;
    answer(&app, HttpResponse::Created(), &experiment).await
}

/// Takes a variant out; from the next decision on nobody gets it: 200; 404; 409; 412; 428.
pub(crate) async fn remove_variant(
    app: Shared,
    http: HttpRequest,
    path: Path<(String, String)>,
    query: Query<VersionQuery>,
) -> Result<HttpResponse, Problem> {
    let by = admin(&app, &http)?;
    let (key, variant) = path.into_inner();
    let revision = request::if_match(&http)?;
    let gone = || EditError::NotFound(format!("{key} with variant {variant}"));
    let variant_key = VariantKey::new(&variant).map_err(|_| gone())?;
    let change = Change::RemoveVariant(variant_key);
    let experiment = app.edit((&key, query.version), revision, &by, change).await?;
    answer(&app, HttpResponse::Ok(), &experiment).await
}
