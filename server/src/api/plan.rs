//! `/api/v1/plan`: how long an experiment would have to run.

use super::{Shared, allow, request};
use crate::app::PlanRequest;
use crate::auth::Scope;
use crate::problem::{Kind, Problem};
use actix_web::web;
use actix_web::{HttpRequest, HttpResponse};

/// Answers how many units and days a lift needs, or which lift they find: 200; 400 `invalid-field`.
pub(crate) async fn plan(
    app: Shared,
    http: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    allow(&app, &http, Scope::Server)?;
    let asked: PlanRequest = request::json(&request::body(payload).await?)?;
    let plan = asked.plan();
    let plan = plan.map_err(|fault| Problem::field(Kind::InvalidField, fault.pointer, fault.detail))?;
    Ok(HttpResponse::Ok().json(plan))
}
