//! Deciding, and explaining it.

use super::super::endpoint::{Endpoint, JSON, in_path, needed_query, none, query};
use super::super::examples;
use super::super::schema::{DecideRequest, Decisions, Evaluation, EvaluationError, Explanation};
use super::{DECIDING, get, post};
use crate::auth::Scope;
use crate::problem::Kind;
use serde_json::json;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};

pub(super) fn deciding() -> Vec<Endpoint> {
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
        decide_by_address(),
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

/// For tools that fetch an address while they send.
fn decide_by_address() -> Endpoint {
    let unit = ObjectBuilder::new().schema_type(Type::String).min_length(Some(1)).max_length(Some(255));
    let exposure = ObjectBuilder::new().schema_type(Type::Boolean).default(Some(json!(true))).build();
    let text = ObjectBuilder::new().schema_type(Type::String).build();
    let attributes = ObjectBuilder::new().additional_properties(Some(RefOr::T(Schema::from(text)))).build();
    get("/api/v1/decide/{flag}", "decideByAddress")
        .tag(DECIDING)
        .says(
            "Decide one flag by its address",
            "For e-mail tools that can fetch an address while they send: the answers, and the errors but for a wrong \
             key, are those of OFREP. Put the recipient into the address, since such tools ask for the same address \
             once. A recipient that nobody knows is a new unit.",
        )
        .needs(Scope::Publishable)
        .param(in_path("flag", "The name of the flag.", "checkout-banner"))
        .param(needed_query("targetingKey", unit.build(), "For whom."))
        .param(query("exposure", exposure, "`false`: the answer is no exposure, as in a preview."))
        .param(query("attributes", attributes, "Every other parameter is an attribute of the unit, by its name."))
        .answers::<Evaluation>(200, "What the unit gets.", none)
        .answers::<EvaluationError>(400, "The unit is missing, or cannot be one.", none)
        .answers::<EvaluationError>(404, "There is no such flag, or none for this key.", none)
        .answers::<EvaluationError>(429, "Too many at once; `Retry-After` says when to come again.", none)
        .answers::<EvaluationError>(500, "Our fault.", none)
}
