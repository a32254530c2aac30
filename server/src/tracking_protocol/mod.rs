//! The tracking protocol that Segment's and RudderStack's clients speak, at the paths they insist on.
//!
//! Whatever a client says its body is, it is JSON, perhaps compressed; and every error has a code and a message.

mod body;
mod refusal;
mod send;
mod settings;
#[cfg(test)]
mod tests;

use crate::api::cross_origin::preflight;
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, Resource};
use refusal::Refusal;

/// The paths that take events, each with what an event is that does not say so itself.
const PATHS: [(&str, &str); 15] = [
    ("/batch", "track"),
    ("/b", "track"),
    ("/import", "track"),
    ("/track", "track"),
    ("/t", "track"),
    ("/identify", "identify"),
    ("/i", "identify"),
    ("/page", "page"),
    ("/p", "page"),
    ("/screen", "screen"),
    ("/s", "screen"),
    ("/alias", "alias"),
    ("/a", "alias"),
    ("/group", "group"),
    ("/g", "group"),
];

/// Every route of the protocol.
pub(crate) fn routes(config: &mut ServiceConfig) {
    let scope = PATHS.into_iter().fold(web::scope("/v1"), |scope, (path, default_type)| {
        let send = move |app, http, payload| send::send(app, http, payload, default_type);
        scope.service(resource(path, "POST, OPTIONS").post(send))
    });
    config.service(
        scope
            .service(resource("/m", "POST, OPTIONS").post(send::drop_telemetry))
            .service(resource("/projects/{write_key}/settings", "GET, OPTIONS").get(settings::read))
            .route("{path:.*}", preflight())
            .default_service(web::to(unknown_path)),
    );
}

/// A path that answers other methods in the protocol's shape.
fn resource(path: &str, methods: &'static str) -> Resource {
    let wrong_method =
        move |http: HttpRequest| async move { Err::<HttpResponse, _>(Refusal::wrong_method(&http, methods)) };
    web::resource(path).route(preflight()).default_service(web::to(wrong_method))
}

async fn unknown_path(http: HttpRequest) -> Result<HttpResponse, Refusal> {
    Err(Refusal::unknown_path(&http))
}
