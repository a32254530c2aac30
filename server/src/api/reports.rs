//! Reports: JSON, CSV and page from one struct; and links that need no key.

use super::experiments::{VersionQuery, find};
use super::{Shared, allow};
use crate::app::App;
use crate::auth::Scope;
use crate::clock;
use crate::links;
use crate::problem::{Kind, Problem};
use crate::report_page::{self, Extras, IndexRow, Links, SharesAt};
use crate::store::{StoreError, experiments, weights};
use actix_web::http::StatusCode;
use actix_web::http::header;
use actix_web::web::{Path, Query};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use podium_core::experiment::{Experiment, Status};
use podium_core::report::Report;
use podium_core::snapshot::WeightsVersion;
use podium_core::time::Timestamp;

/// Experiments on the first page.
const INDEX_MAX: u64 = 200;

/// What a page may do: nothing but show itself and its stylesheet.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'none'; base-uri 'none'; frame-ancestors 'none'";

/// The same where it has a form.
const FORM_POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// A page with a form: 200.
pub(super) fn form_page(html: Result<String, askama::Error>) -> HttpResponse {
    let mut response = page(StatusCode::OK, html);
    let policy = header::HeaderValue::from_static(FORM_POLICY);
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    response
}

fn page(status: StatusCode, html: Result<String, askama::Error>) -> HttpResponse {
    let mut response = HttpResponse::build(status);
    guard(&mut response).content_type("text/html; charset=utf-8");
    match html {
        Ok(html) => response.body(html),
        Err(error) => {
            tracing::error!(%error, "page was not rendered");
            response.status(StatusCode::INTERNAL_SERVER_ERROR).finish()
        }
    }
}

fn guard(response: &mut HttpResponseBuilder) -> &mut HttpResponseBuilder {
    response
        .insert_header((header::CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header(("x-robots-tag", "noindex"))
}

/// A problem as people read it; without a key the browser asks for one, as the user name.
pub(super) fn problem_page(problem: &Problem) -> HttpResponse {
    let (status, _, title) = problem.kind().row();
    let mut response = page(status, report_page::error(status.as_u16(), title, &problem.to_string()));
    if status == StatusCode::UNAUTHORIZED {
        let ask = header::HeaderValue::from_static(
            "Basic realm=\"Podium: an API key as the user name\", charset=\"UTF-8\"",
        );
        response.headers_mut().insert(header::WWW_AUTHENTICATE, ask);
    }
    response
}

async fn render(app: &App, experiment: &Experiment, links: Links) -> Result<HttpResponse, Problem> {
    let report = app.report_of(experiment).await?;
    let is_adaptive = experiment.definition.is_adaptive();
    let shares_over_time = if is_adaptive { shares_over_time(app, experiment).await? } else { Vec::new() };
    Ok(page(StatusCode::OK, report_page::html(&report, &Extras { links, shares_over_time })))
}

async fn shares_over_time(app: &App, experiment: &Experiment) -> Result<Vec<SharesAt>, StoreError> {
    let share_of = |weights: &WeightsVersion, key: &str| {
        weights.weights.iter().find(|(other, _)| other == key).map_or(0.0, |(_, weight)| *weight)
    };
    let variants = &experiment.definition.variants;
    let shares = |(at, weights): (Timestamp, WeightsVersion)| SharesAt {
        at,
        shares: variants.iter().map(|variant| share_of(&weights, variant.key.as_str())).collect(),
    };
    let versions = weights::plan(app.store.reader(), experiment.id).await?;
    Ok(versions.into_iter().map(shares).collect())
}

/// Answers with a table, which browsers save as `{key}.csv`.
pub(super) fn csv_of(key: &str, table: Result<Vec<u8>, csv::Error>) -> Result<HttpResponse, Problem> {
    let csv = table.map_err(|error| Problem::new(Kind::Internal, error.to_string()))?;
    let name = format!("attachment; filename=\"{key}.csv\"");
    let mut response = HttpResponse::Ok();
    response.content_type("text/csv; charset=utf-8").insert_header((header::CONTENT_DISPOSITION, name));
    Ok(response.body(csv))
}

fn table_of(report: &Report) -> Result<HttpResponse, Problem> {
    csv_of(report.experiment.as_str(), report_page::csv(report))
}

/// The report as JSON: 200; 404.
pub(crate) async fn json(
    app: Shared,
    http: HttpRequest,
    key: Path<String>,
    query: Query<VersionQuery>,
) -> Result<HttpResponse, Problem> {
    allow(&app, &http, Scope::Server)?;
    let (_, report) = app.report(&key, query.version).await?;
    Ok(HttpResponse::Ok().json(report))
}

/// The report as CSV: 200; 404.
pub(crate) async fn csv(
    app: Shared,
    http: HttpRequest,
    key: Path<String>,
    query: Query<VersionQuery>,
) -> Result<HttpResponse, Problem> {
    allow(&app, &http, Scope::Server)?;
    let (_, report) = app.report(&key, query.version).await?;
    table_of(&report)
}

/// The report as a page: 200; 404.
pub(crate) async fn html(
    app: Shared,
    http: HttpRequest,
    key: Path<String>,
    query: Query<VersionQuery>,
) -> HttpResponse {
    let shown = async {
        allow(&app, &http, Scope::Server)?;
        let experiment = find(&app, &key, query.version).await?;
        let api = format!("/api/v1/experiments/{key}/report");
        let version = query.version.map(|version| format!("?version={version}")).unwrap_or_default();
        let (json, csv) = (format!("{api}{version}"), format!("{api}.csv{version}"));
        render(&app, &experiment, Links { index: "/".to_owned(), json, csv }).await
    };
    shown.await.unwrap_or_else(|problem| problem_page(&problem))
}

/// The list of experiments as a page: 200.
pub(crate) async fn index(app: Shared, http: HttpRequest) -> HttpResponse {
    let shown = async {
        allow(&app, &http, Scope::Server)?;
        let mut rows = Vec::new();
        for experiment in experiments::page(app.store.reader(), 0, INDEX_MAX, None).await? {
            if experiment.status == Status::Archived {
                continue;
            }
            let report = app.report_of(&experiment).await?;
            rows.push(IndexRow {
                key: experiment.key.to_string(),
                name: report.name,
                status: experiment.status,
                state: report.state,
                sentence: report.sentence,
                source_note: report.source_note,
                href: format!(
                    "/api/v1/experiments/{}/report.html?version={}",
                    experiment.key, experiment.version
                ),
            });
        }
        Ok::<_, Problem>(page(StatusCode::OK, report_page::index(&rows)))
    };
    shown.await.unwrap_or_else(|problem| problem_page(&problem))
}

/// Makes a link to the report's page that needs no key for 30 days: 201; 404.
pub(crate) async fn link(
    app: Shared,
    http: HttpRequest,
    key: Path<String>,
    query: Query<VersionQuery>,
) -> Result<HttpResponse, Problem> {
    allow(&app, &http, Scope::Admin)?;
    let experiment = find(&app, &key, query.version).await?;
    let expires_at = clock::now().plus_seconds(links::LINK_S);
    let token = links::sign(&app.links.secret, experiment.id, expires_at);
    let url = format!("{}/r/{token}", app.links.public_url);
    Ok(HttpResponse::Created().json(serde_json::json!({ "url": url, "expires_at": expires_at })))
}

async fn linked(app: &App, token: &str) -> Result<Experiment, Problem> {
    let gone = || Problem::new(Kind::NotFound, "this link is not valid, or no longer");
    let id = links::verify(&app.links.secret, token, clock::now()).ok_or_else(gone)?;
    experiments::by_id(app.store.reader(), id).await?.ok_or_else(gone)
}

/// A report's page by link: 200; 404.
pub(crate) async fn linked_page(app: Shared, token: Path<String>) -> HttpResponse {
    let shown = async {
        let experiment = linked(&app, &token).await?;
        let (json, csv) = (format!("/r/{token}/report.json"), format!("/r/{token}/report.csv"));
        render(&app, &experiment, Links { index: String::new(), json, csv }).await
    };
    shown.await.unwrap_or_else(|problem| problem_page(&problem))
}

/// A report as JSON by link: 200; 404.
pub(crate) async fn linked_json(app: Shared, token: Path<String>) -> Result<HttpResponse, Problem> {
    let experiment = linked(&app, &token).await?;
    Ok(HttpResponse::Ok().json(app.report_of(&experiment).await?))
}

/// A report as CSV by link: 200; 404.
pub(crate) async fn linked_csv(app: Shared, token: Path<String>) -> Result<HttpResponse, Problem> {
    let experiment = linked(&app, &token).await?;
    table_of(&app.report_of(&experiment).await?)
}

/// The stylesheet: 200.
pub(crate) async fn stylesheet() -> HttpResponse {
    let mut response = HttpResponse::Ok();
    response.content_type("text/css; charset=utf-8").insert_header((header::CACHE_CONTROL, "max-age=300"));
    response.body(report_page::STYLESHEET)
}
