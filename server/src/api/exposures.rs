//! `POST /api/v1/exposures`: who saw which variant, for who has no other events to send.

use super::Shared;
use super::events::admitted;
use crate::problem::Problem;
use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};

/// Takes exposures: 200 once they are on disk, with what was refused; 400 `bad-json`, `invalid-field`; 429
/// `rate-limited`, `queue-full`; 503.
pub(crate) async fn send(app: Shared, http: HttpRequest, payload: Payload) -> Result<HttpResponse, Problem> {
    let (body, trust) = admitted(&app, &http, payload).await?;
    Ok(HttpResponse::Ok().json(app.take_in_exposures(&body, trust).await?))
}
