//! `/openapi.json`.

use actix_web::HttpResponse;

/// Describes this API.
pub(crate) async fn document() -> HttpResponse {
    HttpResponse::NotFound().finish()
}
