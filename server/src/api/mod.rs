//! Our API, one file per resource, and what all handlers share.

pub(crate) mod audience_form;
pub(crate) mod audiences;
pub(crate) mod audiences_page;
pub(crate) mod channels;
pub(crate) mod cross_origin;
pub(crate) mod decide;
pub(crate) mod events;
mod events_page;
pub(crate) mod experiences;
pub(crate) mod experiments;
mod exposures;
pub(crate) mod history;
pub(crate) mod keys;
pub(crate) mod measure;
pub(crate) mod messages;
pub(crate) mod openapi;
pub(crate) mod operations;
mod page;
pub(crate) mod plan;
pub(crate) mod plugins;
pub(crate) mod preview;
pub(crate) mod profiles;
pub(crate) mod rate;
pub(crate) mod reports;
pub(crate) mod request;
mod script;
pub(crate) mod sources;
pub(crate) mod suppressions;
pub(crate) mod tracking;
pub(crate) mod webhooks;

use crate::app::App;
use crate::app::history::Actor;
use crate::auth::{self, Refused, Scope};
use crate::ofrep;
use crate::problem::{Kind, Problem};
use crate::tracking_protocol;
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, Resource};

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
    let scope = cross_origin::scope(app, request, &key).map_err(|refused| match refused {
        Refused::Unknown => Problem::new(Kind::Unauthorized, "this key is unknown or was revoked"),
        Refused::Origin => Problem::new(
            Kind::Forbidden,
            "this key is for pages of other origins; its `origins` say of which",
        ),
    })?;
    if least <= scope {
        Ok(scope)
    } else {
        let detail = format!("this needs a key of scope {}, this one has {}", least.as_str(), scope.as_str());
        Err(Problem::new(Kind::Forbidden, detail))
    }
}

/// Lets in whoever has an admin key, and says who it is.
fn admin(app: &App, request: &HttpRequest) -> Result<Actor, Problem> {
    allow(app, request, Scope::Admin)?;
    let actor = auth::presented(request).and_then(|key| app.actor(&key));
    actor.ok_or_else(|| Problem::new(Kind::Unauthorized, "this key was revoked just now"))
}

async fn unknown_path(request: HttpRequest) -> Result<HttpResponse, Problem> {
    Err(Problem::new(Kind::NotFound, format!("there is nothing at {}", request.path())))
}

fn wrong_method(request: &HttpRequest, methods: &'static str) -> Problem {
    let detail = format!("{} does not go with {}; use {methods}", request.method(), request.path());
    Problem::new(Kind::MethodNotAllowed, detail).with_allow(methods)
}

/// A path that answers other methods with a problem.
fn resource(path: &str, methods: &'static str) -> Resource {
    web::resource(path).default_service(web::to(move |request: HttpRequest| async move {
        Err::<HttpResponse, _>(wrong_method(&request, methods))
    }))
}

/// Every route.
pub(crate) fn routes(config: &mut ServiceConfig) {
    let payload = web::PayloadConfig::new(BODY_MAX);
    config.app_data(payload).app_data(request::query_config()).app_data(request::path_config());
    // Routes are tried in their order: those that shoppers wait for come first, and need no pattern.
    config
        .service(
            resource("/api/v1/decide", "POST, OPTIONS").post(decide::decide).route(cross_origin::preflight()),
        )
        .service(
            resource("/api/v1/events", "POST, GET, OPTIONS")
                .post(events::send)
                .get(events::list)
                .route(cross_origin::preflight()),
        )
        .configure(ofrep::routes)
        .service(resource("/api/v1/decide/{flag}", "GET").get(ofrep::email::decide))
        .configure(tracking_protocol::routes)
        .service(resource("/podium.js", "GET, HEAD").get(script::podium_js).head(script::podium_js))
        .service(resource("/livez", "GET").get(operations::livez))
        .service(resource("/readyz", "GET").get(operations::readyz))
        .service(resource("/metrics", "GET").get(operations::metrics))
        .service(resource("/openapi.json", "GET").get(openapi::document))
        .service(resource("/problems/{slug}", "GET").get(operations::problem_page));
    pages(config);
    config
        .service(resource("/api/v1/decisions/{id}/explain", "GET").get(decide::explain))
        .service(resource("/api/v1/exposures", "POST").post(exposures::send))
        .service(resource("/api/v1/keys", "GET, POST").get(keys::list).post(keys::create))
        .service(resource("/api/v1/keys/{id}", "DELETE").delete(keys::revoke))
        .service(resource("/api/v1/keys/{id}/origins", "PUT").put(keys::set_origins))
        .service(resource("/api/v1/metrics", "GET").get(operations::goal_metrics))
        .service(resource("/api/v1/preview", "POST").post(preview::preview))
        .service(resource("/api/v1/previews/links", "POST").post(preview::link))
        .service(resource("/api/v1/plan", "POST").post(plan::plan))
        .service(resource("/api/v1/plugins", "GET").get(plugins::list))
        .service(resource("/api/v1/plugins/reload", "POST").post(plugins::reload))
        .service(resource("/api/v1/plugins/{id}/rollback", "POST").post(plugins::rollback))
        .service(resource("/api/v1/plugins/{id}/release", "POST").post(plugins::release));
    shoppers(config);
    delivery(config);
    always_on(config);
    config
        .service(
            resource("/api/v1/experiments", "GET, POST").get(experiments::list).post(experiments::create),
        )
        .service(
            resource("/api/v1/experiments/{key}", "GET, PATCH")
                .get(experiments::read)
                .patch(experiments::patch),
        )
        .service(resource("/api/v1/experiments/{key}/variants", "POST").post(experiments::add_variant))
        .service(
            resource("/api/v1/experiments/{key}/variants/{variant}", "DELETE")
                .delete(experiments::remove_variant),
        )
        .service(resource("/api/v1/experiments/{key}/versions", "POST").post(experiments::new_version))
        .service(resource("/api/v1/experiments/{key}/weights", "GET").get(experiments::weights))
        .service(resource("/api/v1/experiments/{key}/report", "GET").get(reports::json))
        .service(resource("/api/v1/experiments/{key}/report.csv", "GET").get(reports::csv))
        .service(resource("/api/v1/experiments/{key}/report.html", "GET").get(reports::html))
        .service(resource("/api/v1/experiments/{key}/shadow", "GET").get(preview::spread))
        .service(resource("/api/v1/experiments/{key}/report-links", "POST").post(reports::link))
        .service(resource("/api/v1/experiments/{key}/history", "GET").get(history::list))
        .service(resource("/api/v1/experiments/{key}/undo", "POST").post(history::undo))
        .service(resource("/api/v1/experiments/{key}/{action}", "POST").post(experiments::act))
        .service(resource("/api/v1/webhooks", "GET, POST").get(webhooks::list).post(webhooks::create))
        .service(resource("/api/v1/webhooks/{id}", "DELETE").delete(webhooks::remove))
        .default_service(web::to(unknown_path));
}

/// The pages that people read.
fn pages(config: &mut ServiceConfig) {
    config
        .service(resource("/assets/podium.css", "GET").get(reports::stylesheet))
        .service(resource("/", "GET").get(reports::index))
        .service(resource("/events", "GET").get(events_page::show))
        .service(resource("/audiences", "GET").get(audiences_page::list))
        .service(
            resource("/audiences/new", "GET, POST").get(audiences_page::form).post(audiences_page::submit),
        )
        .service(resource("/r/{token}", "GET").get(reports::linked_page))
        .service(resource("/r/{token}/report.json", "GET").get(reports::linked_json))
        .service(resource("/r/{token}/report.csv", "GET").get(reports::linked_csv));
}

/// The routes of who shoppers are, and of what they have in common.
fn shoppers(config: &mut ServiceConfig) {
    config
        .service(resource("/api/v1/audiences", "GET, POST").get(audiences::list).post(audiences::create))
        .service(resource("/api/v1/audiences/preview", "POST").post(audiences::preview))
        .service(
            resource("/api/v1/audiences/{key}", "GET, PUT, DELETE")
                .get(audiences::read)
                .put(audiences::put)
                .delete(audiences::remove),
        )
        .service(resource("/api/v1/audiences/{key}/moves", "GET").get(audiences::moves))
        .service(resource("/api/v1/audiences/{key}/explain", "POST").post(audiences::explain))
        .service(resource("/api/v1/sources", "GET, POST").get(sources::list).post(sources::create))
        .service(
            resource("/api/v1/sources/{key}", "GET, PUT, DELETE")
                .get(sources::read)
                .put(sources::put)
                .delete(sources::remove),
        )
        .service(resource("/api/v1/profiles/{id}", "GET").get(profiles::read))
        .service(resource("/api/v1/profiles/{id}/moves", "GET").get(profiles::moves))
        .service(resource("/api/v1/profiles/{id}/aliases", "POST").post(profiles::join))
        .service(resource("/api/v1/profiles/{id}/aliases/{other}", "DELETE").delete(profiles::part));
}

/// The routes of experiences.
fn always_on(config: &mut ServiceConfig) {
    config
        .service(
            resource("/api/v1/experiences", "GET, POST").get(experiences::list).post(experiences::create),
        )
        .service(resource("/api/v1/experiences/conflicts", "GET").get(experiences::list_conflicts))
        .service(
            resource("/api/v1/experiences/{key}", "GET, PUT, DELETE")
                .get(experiences::read)
                .put(experiences::replace)
                .delete(experiences::archive),
        )
        .service(resource("/api/v1/experiences/{key}/publish", "POST").post(experiences::publish))
        .service(resource("/api/v1/experiences/{key}/pause", "POST").post(experiences::pause))
        .service(resource("/api/v1/experiences/{key}/archive", "POST").post(experiences::archive))
        .service(resource("/api/v1/experiences/{key}/report", "GET").get(experiences::report))
        .service(resource("/api/v1/experiences/{key}/report.csv", "GET").get(experiences::report_csv))
        .service(resource("/api/v1/experiences/{key}/history", "GET").get(experiences::list_history))
        .service(resource("/api/v1/experiments/{key}/experience", "POST").post(experiences::promote));
}

/// The routes of messages, and of what they are sent on.
fn delivery(config: &mut ServiceConfig) {
    config
        .service(resource("/l/{token}", "GET, HEAD").get(tracking::click).head(tracking::click))
        .service(resource("/o/{token}", "GET, HEAD").get(tracking::open).head(tracking::open))
        .service(
            resource("/u/{token}", "GET, POST").get(tracking::ask_unsubscribe).post(tracking::unsubscribe),
        )
        .service(resource("/api/v1/channels", "GET").get(channels::list))
        .service(
            resource("/api/v1/channels/{key}", "GET, PUT, DELETE")
                .get(channels::read)
                .put(channels::put)
                .delete(channels::remove),
        )
        .service(resource("/api/v1/channels/{key}/health", "GET").get(channels::health))
        .service(resource("/api/v1/channels/{key}/resume", "POST").post(channels::resume))
        .service(resource("/api/v1/channels/{key}/webhook", "POST").post(channels::webhook))
        .service(resource("/api/v1/messages", "GET, POST").get(messages::list).post(messages::send))
        .service(resource("/api/v1/messages/{id}", "GET").get(messages::read))
        .service(
            resource("/api/v1/suppressions", "GET, POST, DELETE")
                .get(suppressions::list)
                .post(suppressions::add)
                .delete(suppressions::lift),
        );
}
