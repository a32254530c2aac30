//! Deciding, and explaining it.

use super::super::endpoint::{Endpoint, JSON, in_path, none};
use super::super::examples;
use super::super::schema::{DecideRequest, Decisions, Explanation};
use super::{DECIDING, get, post};
use crate::auth::Scope;
use crate::problem::Kind;

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
