//! Experiments: register, read, edit, start, pause, conclude, archive.

use super::super::endpoint::{Endpoint, JSON, etag, in_path, limit, none, query, text_header};
use super::super::examples;
use super::super::schema::{
    Conclusion, Experiment, ExperimentPatch, Experiments, NewExperiment, NewVariant, Status, WeightsHistory,
};
use super::{EXPERIMENTS, get, key, post};
use crate::auth::Scope;
use crate::problem::Kind;
use serde_json::json;
use utoipa::ToSchema;
use utoipa::openapi::Ref;
use utoipa::openapi::path::HttpMethod;
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, Type};

const MERGE_PATCH: &str = "application/merge-patch+json";
/// What checking a definition can find.
const DEFINING: [Kind; 6] = [
    Kind::FlagKeyTaken,
    Kind::UnknownMetric,
    Kind::MetricConfig,
    Kind::ExclusionGroupFull,
    Kind::UnknownChannel,
    Kind::ContentRefused,
];

pub(super) fn experiments() -> Vec<Endpoint> {
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

pub(super) fn one_experiment() -> Vec<Endpoint> {
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

pub(super) fn of_experiment(endpoint: Endpoint) -> Endpoint {
    of_key(endpoint).of_version().stores()
}

pub(super) fn lifecycle() -> Vec<Endpoint> {
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
            "Everyone gets the variant named in `serve`: the winner or the control, or any other for a `reason`. Without \
             it everyone gets the winner, if there is one that does no harm, or else the control.",
        )
        .param(query(
            "dry_run",
            ObjectBuilder::new().schema_type(Type::Boolean).default(Some(json!(false))).build(),
            "Answers with the experiment as it would be, and changes nothing.",
        ))
        .takes::<Conclusion>(false, &[JSON], examples::conclusion),
        acts(
            "/api/v1/experiments/{key}/archive",
            "archiveExperiment",
            "Archive an experiment",
            "Puts it out of sight; its flag is unknown to clients.",
        ),
    ]
}

pub(super) fn variants() -> Vec<Endpoint> {
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
