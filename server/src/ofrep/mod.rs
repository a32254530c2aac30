//! The OpenFeature Remote Evaluation Protocol, 0.3: flags for one unit, asked one by one or all at once, and a stream
//! that says when to ask again.

mod answer;
mod channel;
mod context_id;
pub(crate) mod email;
mod evaluate;
mod gate;
mod refusal;
mod request;
mod stream;

pub(crate) use gate::Gate;

use crate::api::cross_origin::preflight;
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, Resource};
use refusal::Refusal;

/// Every route of the protocol.
pub(crate) fn routes(config: &mut ServiceConfig) {
    config.service(
        web::scope("/ofrep")
            .service(resource("/v1/evaluate/flags", "POST, OPTIONS").post(evaluate::all))
            // Clients that do not encode a key may put anything here.
            .service(resource("/v1/evaluate/flags/{key:.+}", "POST, OPTIONS").post(evaluate::one))
            .service(resource("/v1/stream", "GET, OPTIONS").get(stream::open))
            .route("{path:.*}", preflight())
            .default_service(web::to(unknown_path)),
    );
}

/// A path that answers other methods in the protocol's shape.
fn resource(path: &str, methods: &'static str) -> Resource {
    let wrong_method = move |request: HttpRequest| async move {
        Err::<HttpResponse, _>(Refusal::wrong_method(&request, methods))
    };
    web::resource(path).route(preflight()).default_service(web::to(wrong_method))
}

async fn unknown_path(request: HttpRequest) -> Result<HttpResponse, Refusal> {
    Err(Refusal::unknown_path(&request))
}
