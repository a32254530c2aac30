//! Events that say what came of decisions, and what became of them.

use super::super::endpoint::{Endpoint, HTML, JSON, limit, needed_query, none, query, text_header};
use super::super::examples;
use super::super::schema::{EventsBody, EventsPage, Exposures, Receipt};
use super::{EVENTS, get, post};
use crate::auth::Scope;
use crate::problem::Kind;
use utoipa::openapi::schema::{KnownFormat, Object, ObjectBuilder, SchemaFormat, Type};

pub(super) fn events() -> Vec<Endpoint> {
    let cursor = ObjectBuilder::new()
        .schema_type(Type::Integer)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
        .minimum(Some(1))
        .maximum(Some(2_f64.powi(53)))
        .build();
    let next = text_header("The next page, as `rel=\"next\"`; absent on the last one.", "<…>; rel=\"next\"");
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
            .fails(&[Kind::QueueFull, Kind::RateLimited])
            .stores(),
        post("/api/v1/exposures", "sendExposures")
            .tag(EVENTS)
            .says(
                "Send exposures",
                "Each is the event `Experiment Viewed` in other words: with either, a unit counts once, from the \
                 earliest on. Answers once they are on disk; a bad one never fails the others.",
            )
            .needs(Scope::Publishable)
            .takes::<Exposures>(true, &[JSON], examples::exposures)
            .answers::<Receipt>(200, "What became of the exposures.", none)
            .fails(&[Kind::QueueFull, Kind::RateLimited])
            .stores(),
        get("/api/v1/events", "listEvents")
            .tag(EVENTS)
            .says(
                "List the last events",
                "Those that were taken, or those that were rejected, with the reason: the last 1,000 of each.",
            )
            .needs(Scope::Server)
            .param(needed_query("status", outcome(), "Which events."))
            .param(query("name", text(), "Only those with this name, or of this type."))
            .param(limit(500))
            .param(query("cursor", cursor, "The `next_cursor` of the page before."))
            .answers::<EventsPage>(200, "The events, newest first.", none)
            .with_header("Link", next)
            .fails(&[Kind::InvalidQuery])
            .stores(),
        get("/events", "readEventsPage")
            .tag(EVENTS)
            .says("Look at the last events on a page", "The last 100 that were taken, or rejected, with the reason.")
            .needs(Scope::Server)
            .param(query("status", outcome(), "Which events: rejected ones if absent."))
            .param(query("name", text(), "Only those with this name, or of this type."))
            .for_people()
            .answers_text(200, "The page.", HTML)
            .stores(),
    ]
}

fn outcome() -> Object {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(["accepted", "rejected"])).build()
}

fn text() -> Object {
    ObjectBuilder::new().schema_type(Type::String).build()
}
