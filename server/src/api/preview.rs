//! Looking before anybody is shown anything: what a unit would get, links to one variant, and the spread of units.

use super::experiments::{VersionQuery, find};
use super::profiles::{AN_ID, is_id};
use super::{Shared, admin, allow, request};
use crate::app::{FLAGS_MAX, LinkAsked, NoLink, PreviewAsked, as_experiment};
use crate::auth::Scope;
use crate::ingest::event::{DEPTH_MAX, depth};
use crate::problem::{Kind, Problem};
use crate::store::{experiences, experiments};
use crate::{clock, links};
use actix_web::web::{self, Path, Query};
use actix_web::{HttpRequest, HttpResponse};
use podium_core::id::ExperimentId;
use podium_core::time::Timestamp;
use serde::Deserialize;
use serde_json::Value;

/// The longest that a link is good, in seconds: a year.
const LINK_S_MAX: i64 = 366 * 86_400;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PreviewWanted {
    unit: String,
    #[serde(default)]
    flags: Option<Vec<String>>,
    #[serde(default)]
    context: Value,
    #[serde(default)]
    channel: Option<String>,
    /// The moment that is asked about; now if absent.
    #[serde(default)]
    at: Option<Timestamp>,
}

fn check(wanted: &PreviewWanted) -> Result<(), Problem> {
    let bad = |pointer: &str, detail: String| Err(Problem::field(Kind::InvalidField, pointer, detail));
    if !is_id(&wanted.unit) {
        return bad("/unit", AN_ID.to_owned());
    }
    let is_object = wanted.context.is_null() || wanted.context.is_object();
    if !is_object || DEPTH_MAX < depth(&wanted.context.to_string()) {
        return bad("/context", format!("an object, nested at most {DEPTH_MAX} deep"));
    }
    if wanted.flags.as_ref().is_some_and(|flags| !(1..=FLAGS_MAX).contains(&flags.len())) {
        return bad("/flags", format!("1 to {FLAGS_MAX} flags, or absent for all"));
    }
    Ok(())
}

/// Says what a unit would get and why: 200; 400 `bad-json`, `invalid-field`. It changes nothing.
pub(crate) async fn preview(
    app: Shared,
    http: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    allow(&app, &http, Scope::Server)?;
    let wanted: PreviewWanted = request::json(&request::body(payload).await?)?;
    check(&wanted)?;
    let asked = PreviewAsked {
        unit: &wanted.unit,
        flags: wanted.flags.as_deref(),
        context: &wanted.context,
        channel: wanted.channel.as_deref(),
        at: wanted.at.unwrap_or_else(clock::now),
    };
    let body = app.preview_flags(asked, |body| serde_json::to_vec(body)).await?;
    let body = body.map_err(|error| Problem::new(Kind::Internal, error.to_string()))?;
    Ok(HttpResponse::Ok().content_type("application/json").body(body))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LinkWanted {
    flag: String,
    variant: String,
    /// Whose variant, where several on the flag have one of this key.
    #[serde(default)]
    experiment: Option<String>,
    #[serde(default)]
    version: Option<u32>,
    #[serde(default)]
    experience: Option<String>,
    #[serde(default)]
    expires_at: Option<Timestamp>,
}

/// Makes a link that shows one variant to whoever opens it: 201; 400 `invalid-field`.
pub(crate) async fn link(
    app: Shared,
    http: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    admin(&app, &http)?;
    let wanted: LinkWanted = request::json(&request::body(payload).await?)?;
    let bad = |pointer: &str, detail: String| Problem::field(Kind::InvalidField, pointer, detail);
    let now = clock::now();
    let expires_at = wanted.expires_at.unwrap_or_else(|| now.plus_seconds(links::LINK_S));
    if expires_at <= now || now.plus_seconds(LINK_S_MAX) < expires_at {
        return Err(bad("/expires_at", "a moment to come, within a year".to_owned()));
    }
    let owner = owner(&app, &wanted).await?;
    let asked = LinkAsked { flag: &wanted.flag, variant: &wanted.variant, owner, expires_at };
    let link = app.preview_link(asked).map_err(|fault| match fault {
        NoLink::Flag => bad("/flag", format!("nothing answers to `{}`", wanted.flag)),
        NoLink::Variant => {
            bad("/variant", format!("what answers to `{}` has no variant `{}`", wanted.flag, wanted.variant))
        }
    })?;
    Ok(HttpResponse::Created().json(link))
}

async fn owner(app: &Shared, wanted: &LinkWanted) -> Result<Option<ExperimentId>, Problem> {
    let bad = |pointer: &str, detail: String| Problem::field(Kind::InvalidField, pointer, detail);
    let db = app.store.reader();
    match (&wanted.experiment, &wanted.experience) {
        (None, None) if wanted.version.is_some() => {
            Err(bad("/version", "a version is one of an `experiment`".to_owned()))
        }
        (None, None) => Ok(None),
        (Some(_), Some(_)) => Err(bad("/experience", "an `experiment` or an `experience`, not both".into())),
        (Some(key), None) => {
            let found = experiments::find(db, key, wanted.version).await?;
            let found = found.ok_or_else(|| bad("/experiment", format!("there is no experiment `{key}`")))?;
            Ok(Some(found.id))
        }
        (None, Some(key)) => {
            let found = experiences::find(db, key).await?;
            let found = found.ok_or_else(|| bad("/experience", format!("there is no experience `{key}`")))?;
            Ok(Some(as_experiment(found.id)))
        }
    }
}

/// Says how an experiment spreads units, shown or not: 200; 404.
pub(crate) async fn spread(
    app: Shared,
    http: HttpRequest,
    key: Path<String>,
    query: Query<VersionQuery>,
) -> Result<HttpResponse, Problem> {
    allow(&app, &http, Scope::Server)?;
    let experiment = find(&app, &key, query.version).await?;
    Ok(HttpResponse::Ok().json(app.spread(&experiment).await?))
}
