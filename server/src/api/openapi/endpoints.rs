//! Every operation, in the order of the document.

use super::endpoint::{Endpoint, HTML, JSON, etag, in_path, limit, none, query, text_header};
use super::examples;
use super::schema::{
    ApiKeys, Conclusion, DecideRequest, Decisions, EventsBody, Experiment, ExperimentPatch, Experiments,
    Explanation, Metrics, MintedKey, NewApiKey, NewExperiment, NewVariant, Readiness, Receipt,
    RejectedEvents, Report, ReportLink, Status, WeightsHistory,
};
use crate::auth::Scope;
use crate::problem::Kind;
use utoipa::ToSchema;
use utoipa::openapi::Ref;
use utoipa::openapi::path::HttpMethod;
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, Type};

pub(super) const DECIDING: &str = "Deciding";
pub(super) const EVENTS: &str = "Events";
pub(super) const EXPERIMENTS: &str = "Experiments";
pub(super) const REPORTS: &str = "Reports";
pub(super) const KEYS: &str = "Keys and metrics";
pub(super) const OPERATIONS: &str = "Operations";

const CSV: &str = "text/csv; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";
const MERGE_PATCH: &str = "application/merge-patch+json";
/// What checking a definition can find.
const DEFINING: [Kind; 4] =
    [Kind::FlagKeyTaken, Kind::UnknownMetric, Kind::MetricConfig, Kind::ExclusionGroupFull];

fn get(path: &'static str, id: &str) -> Endpoint {
    Endpoint::new(HttpMethod::Get, path, id)
}

fn post(path: &'static str, id: &str) -> Endpoint {
    Endpoint::new(HttpMethod::Post, path, id)
}

/// All of them.
pub(super) fn all() -> Vec<Endpoint> {
    let all = [
        deciding(),
        events(),
        experiments(),
        one_experiment(),
        lifecycle(),
        variants(),
        reports(),
        linked(),
        keys(),
        operations(),
    ];
    all.into_iter().flatten().collect()
}

fn deciding() -> Vec<Endpoint> {
    vec![
        post("/api/v1/decide", "decide")
            .tag(DECIDING)
            .says(
                "Decide flags for units",
                "Answers from memory, also while the database is away. A flag that does not exist is an entry with \
                 the caller's default, not a failure. Every decision is logged behind the answer.",
            )
            .needs(Scope::Publishable)
            .takes::<DecideRequest>(true, &[JSON], examples::decide)
            .answers::<Decisions>(200, "What the units get.", examples::decisions)
            .leads_to("explainDecision", "id", "/decisions/0/decision_id")
            .fails(&[Kind::Internal]),
        get("/api/v1/decisions/{id}/explain", "explainDecision")
            .tag(DECIDING)
            .says(
                "Explain a decision",
                "Takes a logged decision and computes it again from the weights version it was made under.",
            )
            .needs(Scope::Server)
            .param(in_path("id", "The `decision_id` of a decision.", "019ac4a1-7b1e-7c3a-9d2e-8f4b6a1c2d3e"))
            .answers::<Explanation>(200, "The decision, and the same one computed again.", none)
            .fails(&[Kind::NotFound])
            .stores(),
    ]
}

fn events() -> Vec<Endpoint> {
    let status = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(["rejected"])).build();
    let mut status = query("status", status, "Which events.");
    status.required = utoipa::openapi::Required::True;
    vec![
        post("/api/v1/events", "sendEvents")
            .tag(EVENTS)
            .says(
                "Send events",
                "Answers once they are on disk. A bad event never fails the others: it is listed in `rejected`. \
                 Sending the same events again is safe, because a `messageId` counts once.",
            )
            .needs(Scope::Publishable)
            .takes::<EventsBody>(true, &[JSON], examples::events)
            .answers::<Receipt>(200, "What became of the events.", examples::receipt)
            .fails(&[Kind::QueueFull])
            .stores(),
        get("/api/v1/events", "listRejectedEvents")
            .tag(EVENTS)
            .says("List the last events that were refused", "")
            .needs(Scope::Server)
            .param(status)
            .param(limit(500))
            .answers::<RejectedEvents>(200, "The events, newest first.", none)
            .fails(&[Kind::InvalidQuery])
            .stores(),
    ]
}

fn experiments() -> Vec<Endpoint> {
    let cursor = ObjectBuilder::new()
        .schema_type(Type::Integer)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
        .minimum(Some(0))
        .maximum(Some(2_f64.powi(53)))
        .build();
    let next = text_header("The next page, as `rel=\"next\"`; absent on the last one.", "<…>; rel=\"next\"");
    vec![
        get("/api/v1/experiments", "listExperiments")
            .tag(EXPERIMENTS)
            .says("List experiments", "In the order they were registered; each version is an entry.")
            .needs(Scope::Server)
            .param(limit(500))
            .param(query("cursor", cursor, "The `next_cursor` of the page before."))
            .param(query(
                "status",
                Ref::from_schema_name(Status::name()),
                "Only experiments that stand here.",
            ))
            .answers::<Experiments>(200, "A page of experiments.", none)
            .with_header("Link", next)
            .fails(&[Kind::InvalidQuery])
            .stores(),
        post("/api/v1/experiments", "createExperiment")
            .tag(EXPERIMENTS)
            .says("Register an experiment", "It is a draft: everyone gets the control until it is started.")
            .needs(Scope::Admin)
            .takes::<NewExperiment>(true, &[JSON], examples::new_experiment)
            .answers::<Experiment>(201, "The experiment.", none)
            .with_header("ETag", etag())
            .with_header(
                "Location",
                text_header("Where the experiment is.", "/api/v1/experiments/checkout-banner"),
            )
            .leads_to("readExperiment", "key", "/key")
            .leads_to("editExperiment", "key", "/key")
            .leads_to("startExperiment", "key", "/key")
            .leads_to("addVariant", "key", "/key")
            .leads_to("readReport", "key", "/key")
            .fails(&[Kind::ExperimentKeyTaken])
            .fails(&DEFINING)
            .stores(),
    ]
}

fn one_experiment() -> Vec<Endpoint> {
    vec![
        of_experiment(get("/api/v1/experiments/{key}", "readExperiment"))
            .says("Read an experiment", "")
            .needs(Scope::Server)
            .answers::<Experiment>(200, "The experiment.", none)
            .with_header("ETag", etag()),
        of_experiment(Endpoint::new(HttpMethod::Patch, "/api/v1/experiments/{key}", "editExperiment"))
            .says(
                "Edit an experiment",
                "In a draft everything but the key may change. While it runs or is paused: name, description, \
                 traffic, schedule and the allocator's limits; anything else would mix two questions in one set of \
                 figures and needs a new version.",
            )
            .needs(Scope::Admin)
            .guarded()
            .takes::<ExperimentPatch>(true, &[MERGE_PATCH, JSON], examples::patch)
            .answers::<Experiment>(200, "The experiment.", none)
            .with_header("ETag", etag())
            .fails(&[Kind::NeedsNewVersion])
            .fails(&DEFINING),
        of_key(post("/api/v1/experiments/{key}/versions", "createVersion"))
            .says(
                "Register a new version",
                "Takes the newest version and a merge patch over it. The new version is a draft with figures of its \
                 own and re-randomizes everyone; starting it concludes the former one.",
            )
            .needs(Scope::Admin)
            .takes::<ExperimentPatch>(true, &[MERGE_PATCH, JSON], examples::patch)
            .answers::<Experiment>(201, "The new version.", none)
            .with_header("ETag", etag())
            .fails(&[Kind::IllegalTransition])
            .fails(&DEFINING)
            .stores(),
        of_experiment(get("/api/v1/experiments/{key}/weights", "listWeights"))
            .says("List weights versions", "Newest first, with what was believed when each was made.")
            .needs(Scope::Server)
            .param(limit(1_000))
            .answers::<WeightsHistory>(200, "The weights versions.", none),
    ]
}

fn of_key(endpoint: Endpoint) -> Endpoint {
    endpoint.tag(EXPERIMENTS).param(key()).fails(&[Kind::NotFound])
}

fn of_experiment(endpoint: Endpoint) -> Endpoint {
    of_key(endpoint).of_version().stores()
}

fn key() -> utoipa::openapi::path::Parameter {
    in_path("key", "The key of an experiment.", "checkout-banner")
}

fn lifecycle() -> Vec<Endpoint> {
    let acts = |path, id, summary, description| {
        of_experiment(post(path, id))
            .says(summary, description)
            .needs(Scope::Admin)
            .guarded()
            .answers::<Experiment>(200, "The experiment.", none)
            .with_header("ETag", etag())
            .fails(&[Kind::IllegalTransition])
    };
    vec![
        acts(
            "/api/v1/experiments/{key}/start",
            "startExperiment",
            "Start an experiment",
            "Or go on after a pause. Starting a new version concludes the former one.",
        ),
        acts(
            "/api/v1/experiments/{key}/pause",
            "pauseExperiment",
            "Pause an experiment",
            "Everyone gets the control for now; events of units that were exposed before still count.",
        ),
        acts(
            "/api/v1/experiments/{key}/conclude",
            "concludeExperiment",
            "Conclude an experiment",
            "Ends it for good; everyone gets the variant named in `serve`, or the control.",
        )
        .takes::<Conclusion>(false, &[JSON], examples::conclusion),
        acts(
            "/api/v1/experiments/{key}/archive",
            "archiveExperiment",
            "Archive an experiment",
            "Puts it out of sight; its flag is unknown to clients.",
        ),
    ]
}

fn variants() -> Vec<Endpoint> {
    let remove = "/api/v1/experiments/{key}/variants/{variant}";
    vec![
        of_experiment(post("/api/v1/experiments/{key}/variants", "addVariant"))
            .says("Add a variant", "Also while it runs: from the next decision on units get it.")
            .needs(Scope::Admin)
            .guarded()
            .takes::<NewVariant>(true, &[JSON], examples::new_variant)
            .answers::<Experiment>(201, "The experiment.", none)
            .with_header("ETag", etag())
            .fails(&[Kind::NeedsNewVersion, Kind::UnknownMetric, Kind::MetricConfig]),
        of_experiment(Endpoint::new(HttpMethod::Delete, remove, "removeVariant"))
            .says("Take a variant out", "From the next decision on no unit gets it; its figures stay.")
            .param(in_path("variant", "The key of a variant.", "banner"))
            .needs(Scope::Admin)
            .guarded()
            .answers::<Experiment>(200, "The experiment.", none)
            .with_header("ETag", etag())
            .fails(&[Kind::InvalidField, Kind::NeedsNewVersion]),
    ]
}

fn reports() -> Vec<Endpoint> {
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

fn linked() -> Vec<Endpoint> {
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

fn keys() -> Vec<Endpoint> {
    vec![
        get("/api/v1/keys", "listKeys")
            .tag(KEYS)
            .says("List keys", "Without secrets.")
            .needs(Scope::Admin)
            .answers::<ApiKeys>(200, "The keys.", none)
            .stores(),
        post("/api/v1/keys", "createKey")
            .tag(KEYS)
            .says("Make a key", "The answer holds the key itself, which is not shown again.")
            .needs(Scope::Admin)
            .takes::<NewApiKey>(true, &[JSON], examples::new_key)
            .answers::<MintedKey>(201, "The key.", none)
            .leads_to("revokeKey", "id", "/id")
            .stores(),
        Endpoint::new(HttpMethod::Delete, "/api/v1/keys/{id}", "revokeKey")
            .tag(KEYS)
            .says("Revoke a key", "From now on it lets nobody in.")
            .needs(Scope::Admin)
            .param(in_path("id", "The public part of a key.", "9f86d081884c"))
            .answers_nothing(204, "It is revoked.")
            .fails(&[Kind::NotFound])
            .stores(),
        get("/api/v1/metrics", "listMetrics")
            .tag(KEYS)
            .says(
                "List the metrics that plugins offer",
                "And the plugin files that were refused, with the reason.",
            )
            .needs(Scope::Server)
            .answers::<Metrics>(200, "The metrics.", none),
    ]
}

fn operations() -> Vec<Endpoint> {
    let store = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(["store"])).build();
    let require = query("require", store, "`store` asks for the database too.");
    vec![
        get("/livez", "livez")
            .tag(OPERATIONS)
            .says("Is the process alive?", "")
            .answers_text(200, "It is.", TEXT),
        get("/readyz", "readyz")
            .tag(OPERATIONS)
            .says(
                "Can the server decide?",
                "It can without the database; ask for `require=store` where events are routed apart.",
            )
            .param(require)
            .answers::<Readiness>(200, "It can.", none)
            .answers::<Readiness>(503, "It cannot: it is stopping, or lacks what was asked for.", none),
        get("/metrics", "metrics")
            .tag(OPERATIONS)
            .says("Counters and gauges for Prometheus", "")
            .answers_text(200, "In the text format.", "text/plain; version=0.0.4"),
        get("/openapi.json", "openapi")
            .tag(OPERATIONS)
            .says("Read this document", "")
            .answers::<super::schema::Document>(200, "This document.", none),
        get("/problems/{slug}", "readProblem")
            .tag(OPERATIONS)
            .says("Read about a problem", "Where the `type` of a problem leads.")
            .param(in_path("slug", "The last part of a problem's `type`.", "edit-conflict"))
            .answers_text(200, "What it means.", TEXT)
            .fails(&[Kind::NotFound]),
    ]
}
