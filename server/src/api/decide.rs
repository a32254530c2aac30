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
    let scope = allow(&app, &http, Scope::Publishable)?;
    let body = request::body(payload).await?;
    let asked: DecideRequest<'_> = match serde_json::from_slice(&body) {
        Ok(asked) => asked,
        Err(_) => return Err(fault(&body)),
    };
    let units =
        asked.checked_units().map_err(|bad| Problem::field(Kind::InvalidField, bad.pointer, bad.detail))?;
    let answer = app.decide(&asked, &units, (clock::now(), scope), |decisions, snapshot_version| {
        serde_json::to_vec(&Answer { decisions, snapshot_version })
    });
    let answer = answer.await;
    let answer = answer.map_err(|error| Problem::new(Kind::Internal, error.to_string()))?;
    Ok(HttpResponse::Ok().content_type("application/json").body(answer))
}

/// Reads a bad request once more, slowly, to name the field.
fn fault(body: &[u8]) -> Problem {
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "of most fields only the shape matters")]
    struct Asked {
        unit: Option<String>,
        units: Option<Vec<String>>,
        flags: Vec<serde_json::Value>,
        exposure: Option<bool>,
        context: Option<serde_json::Value>,
        channel: Option<String>,
    }
    let asked = match request::json::<Asked>(body) {
        Ok(asked) => asked,
        Err(problem) => return problem,
    };
    let fault =
        asked.flags.iter().enumerate().find_map(|(flag_idx, flag)| Some((flag_idx, flag_fault(flag)?)));
    let (pointer, detail) = fault.map_or_else(
        || ("/flags".to_owned(), "a list of flags"),
        |(flag_idx, (inner, detail))| (format!("/flags/{flag_idx}{inner}"), detail),
    );
    Problem::field(Kind::InvalidField, pointer, detail)
}

/// What is wrong with one flag, and where in it.
fn flag_fault(flag: &serde_json::Value) -> Option<(String, &'static str)> {
    const SHAPE: &str = "a flag is a key, or an object with `key` and perhaps `default`";
    match flag {
        serde_json::Value::String(_) => None,
        serde_json::Value::Object(members) => {
            let unknown = members.keys().find(|name| !["key", "default"].contains(&name.as_str()));
            match (unknown, members.get("key")) {
                (Some(name), _) => Some((format!("/{name}"), SHAPE)),
                (None, Some(serde_json::Value::String(_))) => None,
                (None, _) => Some(("/key".to_owned(), SHAPE)),
            }
        }
        _ => Some((String::new(), SHAPE)),
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
