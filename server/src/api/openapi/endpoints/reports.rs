//! Reports as JSON, CSV and pages, with a key or by link.

use super::super::endpoint::{Endpoint, HTML, in_path, none, text_header};
use super::super::schema::{Report, ReportLink};
use super::{REPORTS, get, key, post};
use crate::auth::Scope;
use crate::problem::Kind;

const CSV: &str = "text/csv; charset=utf-8";

pub(super) fn reports() -> Vec<Endpoint> {
    let of = |endpoint: Endpoint| endpoint.tag(REPORTS).param(key()).of_version().stores();
    vec![
        of(get("/api/v1/experiments/{key}/report", "readReport"))
            .says("Read the report", "Made from what is committed, at the moment it is asked for.")
            .needs(Scope::Server)
            .answers::<Report>(200, "The report.", none),
        of(get("/api/v1/experiments/{key}/report.csv", "readReportCsv"))
            .says("Read the report as CSV", "A line for each variant of each metric, with the same figures.")
            .needs(Scope::Server)
            .answers_text(200, "The report.", CSV)
            .with_header("Content-Disposition", attachment()),
        of(get("/api/v1/experiments/{key}/report.html", "readReportPage"))
            .says("Read the report as a page", "With the same figures.")
            .needs(Scope::Server)
            .for_people()
            .answers_text(200, "The page.", HTML),
        of(post("/api/v1/experiments/{key}/report-links", "createReportLink"))
            .says("Make a link to the report", "Whoever has it reads this report without a key, for 30 days.")
            .needs(Scope::Admin)
            .answers::<ReportLink>(201, "The link.", none),
    ]
}

fn attachment() -> utoipa::openapi::Header {
    text_header("The name to save it under.", "attachment; filename=\"checkout-banner.csv\"")
}

pub(super) fn linked() -> Vec<Endpoint> {
    let token = || in_path("token", "What `POST …/report-links` gave.", "AAAA");
    vec![
        get("/r/{token}", "readLinkedReportPage")
            .tag(REPORTS)
            .says("Read a report's page by link", "Needs no key.")
            .param(token())
            .for_people()
            .answers_text(200, "The page.", HTML)
            .fails(&[Kind::NotFound])
            .stores(),
        get("/r/{token}/report.json", "readLinkedReport")
            .tag(REPORTS)
            .says("Read a report by link", "Needs no key.")
            .param(token())
            .answers::<Report>(200, "The report.", none)
            .fails(&[Kind::NotFound])
            .stores(),
        get("/r/{token}/report.csv", "readLinkedReportCsv")
            .tag(REPORTS)
            .says("Read a report as CSV by link", "Needs no key.")
            .param(token())
            .answers_text(200, "The report.", CSV)
            .with_header("Content-Disposition", attachment())
            .fails(&[Kind::NotFound])
            .stores(),
        get("/", "readIndexPage")
            .tag(REPORTS)
            .says("List experiments as a page", "Each with its state, its sentence and a link to its report.")
            .needs(Scope::Server)
            .for_people()
            .answers_text(200, "The page.", HTML)
            .stores(),
        get("/assets/podium.css", "readStylesheet")
            .tag(REPORTS)
            .says("Read the stylesheet of the pages", "")
            .answers_text(200, "The stylesheet.", "text/css; charset=utf-8"),
    ]
}
