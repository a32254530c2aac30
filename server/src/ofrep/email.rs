//! `GET /api/v1/decide/{flag}`: one flag for tools that can fetch an address while they send, and nothing more.

use super::evaluate::single;
use super::gate::Gate;
use super::refusal::Refusal;
use super::request::{is_exposure, query};
use crate::api::{Shared, allow};
use crate::auth::{self, Scope};
use crate::problem::Problem;
use actix_web::web::{self, Path};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Map, Value};

/// The parameter that is no attribute.
const EXPOSURE: &str = "exposure";

/// Decides one flag: 200; 400 `TARGETING_KEY_MISSING`, `INVALID_CONTEXT`; 404 `FLAG_NOT_FOUND`, all in OFREP's shape.
pub(crate) async fn decide(
    app: Shared,
    gate: web::Data<Gate>,
    http: HttpRequest,
    flag: Path<String>,
) -> Result<HttpResponse, Problem> {
    let scope = allow(&app, &http, Scope::Publishable)?;
    let key = auth::presented(&http).unwrap_or_default();
    let query = query(&http);
    let answer = match gate.pass(&http, auth::id(&key).unwrap_or_default(), scope) {
        Ok(()) => {
            let exposure = is_exposure(&query);
            let attributes = query.into_iter().filter(|(name, _)| name != EXPOSURE);
            let context: Map<_, Value> = attributes.map(|(name, value)| (name, value.into())).collect();
            let context = context.into();
            single(&app, &flag, &context, scope, exposure).await
        }
        Err(retry_after_s) => Err(Refusal::too_many(retry_after_s)),
    };
    // What went wrong is said in the shape of what goes right.
    Ok(answer.unwrap_or_else(|refusal| actix_web::ResponseError::error_response(&refusal)))
}
