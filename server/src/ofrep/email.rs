//! `GET /api/v1/decide/{flag}`: one flag for tools that can fetch an address while they send, and nothing more.

use super::evaluate::single;
use super::request::{is_exposure, pass, query};
use crate::api::{Shared, allow};
use crate::auth::{self, Scope};
use crate::problem::Problem;
use actix_web::web::Path;
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Map, Value};

/// The parameter that is no attribute.
const EXPOSURE: &str = "exposure";

/// Decides one flag: 200; 400 `TARGETING_KEY_MISSING`, `INVALID_CONTEXT`; 404 `FLAG_NOT_FOUND`, all in OFREP's shape.
pub(crate) async fn decide(
    app: Shared,
    http: HttpRequest,
    flag: Path<String>,
) -> Result<HttpResponse, Problem> {
    let scope = allow(&app, &http, Scope::Publishable)?;
    let key = auth::presented(&http).unwrap_or_default();
    let query = query(&http);
    let answer = match pass(&app, &http, &key, scope) {
        Ok(()) => {
            let exposure = is_exposure(&query);
            let attributes = query.into_iter().filter(|(name, _)| name != EXPOSURE);
            let context: Map<_, Value> = attributes.map(|(name, value)| (name, value.into())).collect();
            let context = context.into();
            single(&app, &flag, &context, scope, exposure).await
        }
        Err(refusal) => Err(refusal),
    };
    // What went wrong is said in the shape of what goes right.
    Ok(answer.unwrap_or_else(|refusal| actix_web::ResponseError::error_response(&refusal)))
}
