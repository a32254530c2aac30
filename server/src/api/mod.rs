//! Our API, one file per resource, and what all handlers share.

pub(crate) mod decide;
pub(crate) mod events;
pub(crate) mod experiments;
pub(crate) mod keys;
pub(crate) mod measure;
pub(crate) mod openapi;
pub(crate) mod operations;
pub(crate) mod reports;
mod request;

use crate::app::App;
use crate::auth::{self, Scope};
use crate::problem::{Kind, Problem};
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};

/// The largest body, in bytes.
pub(crate) const BODY_MAX: usize = 1024 * 1024;

/// What handlers are given.
pub(crate) type Shared = web::Data<App>;

/// Lets in whoever has a key of at least this scope.
pub(crate) fn allow(app: &App, request: &HttpRequest, least: Scope) -> Result<Scope, Problem> {
    let Some(key) = auth::presented(request) else {
        let detail = "send a key as `Authorization: Bearer podium_…`, or as `X-API-Key`";
        return Err(Problem::new(Kind::Unauthorized, detail));
    };
    let Some(scope) = app.scope(&key) else {
        return Err(Problem::new(Kind::Unauthorized, "this key is unknown or was revoked"));
    };
    if least <= scope {
        Ok(scope)
    } else {
        let detail = format!("this needs a key of scope {}, this one has {}", least.as_str(), scope.as_str());
        Err(Problem::new(Kind::Forbidden, detail))
    }
}

async fn unknown_path(request: HttpRequest) -> Result<HttpResponse, Problem> {
    Err(Problem::new(Kind::NotFound, format!("there is nothing at {}", request.path())))
}

async fn wrong_method(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let detail =
        format!("{} {} does not exist; /openapi.json lists what does", request.method(), request.path());
    Err(Problem::new(Kind::MethodNotAllowed, detail))
}

/// Every route.
pub(crate) fn routes(config: &mut ServiceConfig) {
    let payload = web::PayloadConfig::new(BODY_MAX);
    config.app_data(payload).app_data(request::query_config()).app_data(request::path_config());
    let resource = |path: &str| web::resource(path).default_service(web::route().to(wrong_method));
    config
        .service(resource("/livez").get(operations::livez))
        .service(resource("/readyz").get(operations::readyz))
        .service(resource("/metrics").get(operations::metrics))
        .service(resource("/openapi.json").get(openapi::document))
        .service(resource("/problems/{slug}").get(operations::problem_page))
        .service(resource("/assets/podium.css").get(reports::stylesheet))
        .service(resource("/").get(reports::index))
        .service(resource("/r/{token}").get(reports::linked_page))
        .service(resource("/r/{token}/report.json").get(reports::linked_json))
        .service(resource("/r/{token}/report.csv").get(reports::linked_csv));
    config
        .service(resource("/api/v1/decide").post(decide::decide))
        .service(resource("/api/v1/decisions/{id}/explain").get(decide::explain))
        .service(resource("/api/v1/events").post(events::send).get(events::rejected))
        .service(resource("/api/v1/keys").get(keys::list).post(keys::create))
        .service(resource("/api/v1/keys/{id}").delete(keys::revoke))
        .service(resource("/api/v1/metrics").get(operations::goal_metrics));
    config
        .service(resource("/api/v1/experiments").get(experiments::list).post(experiments::create))
        .service(resource("/api/v1/experiments/{key}").get(experiments::read).patch(experiments::patch))
        .service(resource("/api/v1/experiments/{key}/variants").post(experiments::add_variant))
        .service(resource("/api/v1/experiments/{key}/variants/{variant}").delete(experiments::remove_variant))
        .service(resource("/api/v1/experiments/{key}/versions").post(experiments::new_version))
        .service(resource("/api/v1/experiments/{key}/weights").get(experiments::weights))
        .service(resource("/api/v1/experiments/{key}/report").get(reports::json))
        .service(resource("/api/v1/experiments/{key}/report.csv").get(reports::csv))
        .service(resource("/api/v1/experiments/{key}/report.html").get(reports::html))
        .service(resource("/api/v1/experiments/{key}/report-links").post(reports::link))
        .service(resource("/api/v1/experiments/{key}/{action}").post(experiments::act))
        .default_service(web::to(unknown_path));
}
