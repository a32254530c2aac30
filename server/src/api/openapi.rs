//! `/openapi.json`: this API, described for programs (OpenAPI 3.1).

mod endpoint;
mod endpoints;
mod examples;
mod problems;
mod schema;
#[cfg(test)]
mod tests;

use actix_web::HttpResponse;
use std::sync::LazyLock;
use utoipa::openapi::path::PathsBuilder;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{
    Components, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, PathItem, ServerBuilder, Tag,
};

/// The document, made once.
static DOCUMENT: LazyLock<String> = LazyLock::new(|| document_of().to_json().unwrap_or_default());

/// Describes this API: 200.
pub(crate) async fn document() -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(DOCUMENT.as_str())
}

const ABOUT: &str = "\
Podium decides which variant a shopper gets, learns from what the shopper does next, and tells which variant won.

**Keys.** Every call under `/api/v1` needs a key: as `Authorization: Bearer podium_…`, as `X-API-Key`, or as the user \
name of Basic. A publishable key may decide and send events; a server key may also read and \
send messages; an admin key may do everything.

**Errors** are `application/problem+json` (RFC 9457): `type` never changes, `detail` says what to do, and `errors` \
names fields by JSON pointer. Members of a request that are not known are refused, except in events.

**Edits.** What reads an experiment, an experience, an audience, a source or a channel gives an `ETag`; what changes it needs that \
in `If-Match`, or `*`. \
A path or method that is not listed here answers 404 or 405, also as a problem.

**Sending** needs an `Idempotency-Key`: a request that comes again with the same key sends nothing more.

**Times** are RFC 3339 in UTC; amounts are minor units of a currency, except in events, where they are major units \
as shops send them. A body has at most 1 MiB; its `Content-Type` is not looked at.";

/// Makes the document.
fn document_of() -> OpenApi {
    let mut components = Components::new();
    let mut problem = Vec::new();
    schema::add::<schema::Problem>(&mut problem);
    components.schemas.extend(problem);
    let mut paths = PathsBuilder::new();
    for endpoint in endpoints::all() {
        let (method, path, operation) = endpoint.build(&mut components);
        paths = paths.path(path, PathItem::new(method, operation));
    }
    let (method, name, operation) = endpoints::told().build(&mut components);
    let told = PathsBuilder::new().path(name, PathItem::new(method, operation)).build();
    add_security(&mut components);
    let license = LicenseBuilder::new()
        .name(env!("CARGO_PKG_LICENSE"))
        .identifier(Some(env!("CARGO_PKG_LICENSE")))
        .build();
    let info = InfoBuilder::new()
        .title("Podium")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(ABOUT))
        .license(Some(license));
    let server = ServerBuilder::new().url("/").description(Some("This server.")).build();
    OpenApiBuilder::new()
        .info(info.build())
        .servers(Some([server]))
        .paths(paths)
        .webhooks(Some(told))
        .components(Some(components))
        .tags(Some(tags()))
        .build()
}

fn add_security(components: &mut Components) {
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("podium_{adm|srv|pub}_<id>_<secret>")
        .description(Some("A key as the bearer token."))
        .build();
    let basic = HttpBuilder::new()
        .scheme(HttpAuthScheme::Basic)
        .description(Some("A key as the user name; the password is not looked at."))
        .build();
    let header = ApiKeyValue::with_description("X-API-Key", "A key in a header of its own.");
    let schemes = [
        SecurityScheme::Http(bearer),
        SecurityScheme::ApiKey(ApiKey::Header(header)),
        SecurityScheme::Http(basic),
    ];
    components.add_security_schemes_from_iter(endpoint::SCHEMES.into_iter().zip(schemes));
}

fn tags() -> Vec<Tag> {
    [
        (endpoints::DECIDING, "Which variant does this unit get, and why?"),
        (endpoints::EVENTS, "What units saw and did."),
        (endpoints::EXPERIMENTS, "Register, edit, start, pause, conclude, archive."),
        (endpoints::EXPERIENCES, "What is always on: contents by rules, and what becomes of a conclusion."),
        (endpoints::AUDIENCES, "Named conditions: who meets them, who moved, and why."),
        (endpoints::SOURCES, "Other systems that conditions may ask."),
        (endpoints::PROFILES, "What is known of a person, and which ids are theirs."),
        (endpoints::REPORTS, "Which variant is better, as JSON, CSV and pages with the same figures."),
        (endpoints::MESSAGES, "What is sent to whom, what became of it, and who must not be contacted."),
        (endpoints::CHANNELS, "What messages are sent on: email, phones, browsers, your own services."),
        (endpoints::WEBHOOKS, "Who is told when an experiment has a winner, does harm, ends."),
        (endpoints::KEYS, "Who may do what, and what can be measured."),
        (endpoints::OPERATIONS, "For balancers, Prometheus and programs that read this document."),
    ]
    .map(|(name, description)| TagBuilder::new().name(name).description(Some(description)).build())
    .into()
}
