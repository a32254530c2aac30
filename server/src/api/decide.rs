//! `POST /api/v1/decide` and `GET /api/v1/decisions/{id}/explain`.

use super::{Shared, allow, request};
use crate::app::{DecideRequest, DecisionBody};
use crate::auth::Scope;
use crate::clock;
use crate::problem::{Kind, Problem};
use actix_web::web::{self, Path};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;

#[derive(Serialize)]
struct Answer<'a> {
    decisions: &'a [DecisionBody<'a>],
    snapshot_version: u64,
}

/// Decides flags for units: 200; 400 `bad-json`, `invalid-field`.
pub(crate) async fn decide(
    app: Shared,
    http: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    allow(&app, &http, Scope::Publishable)?;
    let body = request::body(payload).await?;
    let asked: DecideRequest<'_> = match serde_json::from_slice(&body) {
        Ok(asked) => asked,
        Err(_) => return Err(fault(&body)),
    };
    let units =
        asked.checked_units().map_err(|bad| Problem::field(Kind::InvalidField, bad.pointer, bad.detail))?;
    let answer = app.decide(&asked, &units, clock::now(), |decisions, snapshot_version| {
        serde_json::to_vec(&Answer { decisions, snapshot_version })
    });
    let answer = answer.map_err(|error| Problem::new(Kind::Internal, error.to_string()))?;
    Ok(HttpResponse::Ok().content_type("application/json").body(answer))
}

/// Reads a bad request once more, slowly, to name the field.
fn fault(body: &[u8]) -> Problem {
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only its shape matters")]
    struct Asked {
        unit: Option<String>,
        units: Option<Vec<String>>,
        flags: Vec<serde_json::Value>,
        exposure: Option<bool>,
        context: Option<serde_json::Value>,
    }
    match request::json::<Asked>(body) {
        Err(problem) => problem,
        Ok(_) => Problem::field(
            Kind::InvalidField,
            "/flags",
            "each flag is a key, or an object with `key` and perhaps `default`",
        ),
    }
}

/// Computes a logged decision again: 200; 404.
pub(crate) async fn explain(
    app: Shared,
    http: HttpRequest,
    id: Path<String>,
) -> Result<HttpResponse, Problem> {
    allow(&app, &http, Scope::Server)?;
    let explanation = app.explain(&id).await?;
    let explanation =
        explanation.ok_or_else(|| Problem::new(Kind::NotFound, format!("there is no decision `{id}`")))?;
    Ok(HttpResponse::Ok().json(explanation))
}
