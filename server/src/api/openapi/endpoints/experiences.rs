//! Experiences: register, read, replace, publish, pause, archive, and what came of their rules.

use super::super::endpoint::{Endpoint, JSON, etag, in_path, limit, none, query, text_header};
use super::super::examples;
use super::super::schema::{
    Conflicts, Experience, ExperienceDefinition, ExperienceStatus, Experiences, HistoryPage, NewExperience,
    Promotion, RulesReport,
};
use super::{EXPERIENCES, get, key, post};
use crate::auth::Scope;
use crate::problem::Kind;
use utoipa::ToSchema;
use utoipa::openapi::path::HttpMethod;
use utoipa::openapi::schema::{KnownFormat, Object, ObjectBuilder, SchemaFormat, Type};
use utoipa::openapi::{Header, Ref};

const CSV: &str = "text/csv; charset=utf-8";
/// What checking a definition can find.
const DEFINING: [Kind; 4] =
    [Kind::UnknownMetric, Kind::MetricConfig, Kind::UnknownChannel, Kind::ContentRefused];

fn cursor(least: u32) -> Object {
    ObjectBuilder::new()
        .schema_type(Type::Integer)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
        .minimum(Some(least))
        .maximum(Some(2_f64.powi(53)))
        .build()
}

fn next() -> Header {
    text_header("The next page, as `rel=\"next\"`; absent on the last one.", "<…>; rel=\"next\"")
}

fn location() -> Header {
    text_header("Where the experience is.", "/api/v1/experiences/returns-banner")
}

fn of_key(endpoint: Endpoint) -> Endpoint {
    let key = in_path("key", "The key of an experience.", "returns-banner");
    endpoint.tag(EXPERIENCES).param(key).fails(&[Kind::NotFound]).stores()
}

pub(super) fn experiences() -> Vec<Endpoint> {
    vec![
        get("/api/v1/experiences", "listExperiences")
            .tag(EXPERIENCES)
            .says("List experiences", "In the order they were registered.")
            .needs(Scope::Server)
            .param(limit(500))
            .param(query("cursor", cursor(0), "The `next_cursor` of the page before."))
            .param(query(
                "status",
                Ref::from_schema_name(ExperienceStatus::name()),
                "Only experiences that stand here.",
            ))
            .answers::<Experiences>(200, "A page of experiences.", none)
            .with_header("Link", next())
            .fails(&[Kind::InvalidQuery])
            .stores(),
        post("/api/v1/experiences", "createExperience")
            .tag(EXPERIENCES)
            .says("Register an experience", "It is a draft: it is not shown until it is published.")
            .needs(Scope::Admin)
            .takes::<NewExperience>(true, &[JSON], examples::new_experience)
            .answers::<Experience>(201, "The experience.", none)
            .with_header("ETag", etag())
            .with_header("Location", location())
            .leads_to("readExperience", "key", "/key")
            .leads_to("replaceExperience", "key", "/key")
            .leads_to("publishExperience", "key", "/key")
            .leads_to("readRulesReport", "key", "/key")
            .fails(&[Kind::ExperienceKeyTaken])
            .fails(&DEFINING)
            .stores(),
        get("/api/v1/experiences/conflicts", "listConflicts")
            .tag(EXPERIENCES)
            .says(
                "List conflicts",
                "Pairs of live experiences of equal priority on one flag: the older is asked first, which nobody said.",
            )
            .needs(Scope::Server)
            .answers::<Conflicts>(200, "The conflicts.", none)
            .stores(),
        post("/api/v1/experiments/{key}/experience", "promoteConclusion")
            .tag(EXPERIENCES)
            .param(key())
            .says(
                "Make an experience of a conclusion",
                "What the conclusion serves is a live experience on the flag of the experiment from now on, with its \
                 primary metric as the goal. Without a condition it has no rule: the next experiment on the flag runs \
                 over it.",
            )
            .needs(Scope::Admin)
            .takes::<Promotion>(false, &[JSON], examples::promotion)
            .answers::<Experience>(201, "The experience.", none)
            .with_header("ETag", etag())
            .with_header("Location", location())
            .fails(&[Kind::NotFound, Kind::IllegalTransition, Kind::ExperienceKeyTaken])
            .fails(&DEFINING)
            .stores(),
    ]
}

pub(super) fn one_experience() -> Vec<Endpoint> {
    vec![
        of_key(get("/api/v1/experiences/{key}", "readExperience"))
            .says("Read an experience", "")
            .needs(Scope::Server)
            .answers::<Experience>(200, "The experience.", none)
            .with_header("ETag", etag()),
        of_key(Endpoint::new(HttpMethod::Put, "/api/v1/experiences/{key}", "replaceExperience"))
            .says(
                "Replace an experience",
                "What is live is shown so from the next decision on. A rule keeps its figures as long as it keeps its \
                 key and the goal stays the same.",
            )
            .needs(Scope::Admin)
            .guarded()
            .takes::<ExperienceDefinition>(true, &[JSON], examples::new_experience)
            .answers::<Experience>(200, "The experience.", none)
            .with_header("ETag", etag())
            .fails(&[Kind::IllegalTransition])
            .fails(&DEFINING),
        acts(
            Endpoint::new(HttpMethod::Delete, "/api/v1/experiences/{key}", "removeExperience"),
            "Remove an experience",
            "Archives it: its figures and history stay.",
        ),
    ]
}

fn acts(endpoint: Endpoint, summary: &str, description: &str) -> Endpoint {
    of_key(endpoint)
        .says(summary, description)
        .needs(Scope::Admin)
        .guarded()
        .answers::<Experience>(200, "The experience.", none)
        .with_header("ETag", etag())
        .fails(&[Kind::IllegalTransition])
}

pub(super) fn lifecycle() -> Vec<Endpoint> {
    vec![
        acts(
            post("/api/v1/experiences/{key}/publish", "publishExperience"),
            "Publish an experience",
            "Or go on after a pause. It is live in the next decision, within its schedule.",
        ),
        acts(
            post("/api/v1/experiences/{key}/pause", "pauseExperience"),
            "Pause an experience",
            "It is off for now; what units do that have met it still counts.",
        ),
        acts(
            post("/api/v1/experiences/{key}/archive", "archiveExperience"),
            "Archive an experience",
            "Puts it out of sight; it does not answer to its flag any more.",
        ),
    ]
}

pub(super) fn told() -> Vec<Endpoint> {
    vec![
        of_key(get("/api/v1/experiences/{key}/report", "readRulesReport"))
            .says(
                "Read what came of each rule",
                "Made from what is committed, at the moment it is asked for.",
            )
            .needs(Scope::Server)
            .answers::<RulesReport>(200, "The report.", none),
        of_key(get("/api/v1/experiences/{key}/report.csv", "readRulesReportCsv"))
            .says("Read what came of each rule as CSV", "A line for each rule, with the same figures.")
            .needs(Scope::Server)
            .answers_text(200, "The report.", CSV)
            .with_header(
                "Content-Disposition",
                text_header("The name to save it under.", "attachment; filename=\"returns-banner.csv\""),
            ),
        of_key(get("/api/v1/experiences/{key}/history", "listExperienceHistory"))
            .says(
                "List what happened to an experience",
                "The newest first: who changed what. `started` is what publishing is called there.",
            )
            .needs(Scope::Server)
            .param(limit(500))
            .param(query("cursor", cursor(1), "The `next_cursor` of the page before."))
            .answers::<HistoryPage>(200, "A page of the history.", none)
            .with_header("Link", next())
            .fails(&[Kind::InvalidQuery]),
    ]
}
