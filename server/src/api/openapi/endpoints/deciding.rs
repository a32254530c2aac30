//! Deciding, and the events that say what came of it.

use super::super::endpoint::{Endpoint, JSON, in_path, limit, needed_query, none};
use super::super::examples;
use super::super::schema::{DecideRequest, Decisions, EventsBody, Explanation, Receipt, RejectedEvents};
use super::{DECIDING, EVENTS, get, post};
use crate::auth::Scope;
use crate::problem::Kind;
use utoipa::openapi::schema::{ObjectBuilder, Type};

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

pub(super) fn events() -> Vec<Endpoint> {
    let status = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(["rejected"])).build();
    let status = needed_query("status", status, "Which events.");
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
