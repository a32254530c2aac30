//! Sources of external data: register, read, change, remove.

use super::super::endpoint::{Endpoint, JSON, etag, in_path, none, text_header};
use super::super::examples;
use super::super::schema::{NewSource, Source, SourceChange, Sources};
use super::{SOURCES, get, post};
use crate::auth::Scope;
use crate::problem::Kind;
use utoipa::openapi::path::HttpMethod;

fn of_key(endpoint: Endpoint) -> Endpoint {
    let key = in_path("key", "The key of a source.", "erp");
    endpoint.tag(SOURCES).param(key).needs(Scope::Admin).fails(&[Kind::NotFound]).stores()
}

pub(super) fn sources() -> Vec<Endpoint> {
    vec![
        get("/api/v1/sources", "listSources")
            .tag(SOURCES)
            .says("List sources", "In the order of their keys.")
            .needs(Scope::Admin)
            .answers::<Sources>(200, "All sources.", none)
            .stores(),
        post("/api/v1/sources", "createSource")
            .tag(SOURCES)
            .says(
                "Register a source",
                "From now on conditions can read what it says of a unit, as `external`: members of the JSON object that \
                 it answers to `GET` with 200, of at most 64 KiB. A decision waits for it no longer than `timeout_ms`; a \
                 call takes at most two seconds, and what comes later is there for the next decision. After five failures \
                 in a row the source is left alone for ten seconds. What could not be had decides nothing: where that \
                 matters, the control or the fallback is served, with the reason `UNKNOWN`.",
            )
            .needs(Scope::Admin)
            .takes::<NewSource>(true, &[JSON], examples::new_source)
            .answers::<Source>(201, "The source.", examples::source)
            .with_header("ETag", etag())
            .with_header("Location", text_header("Where the source is.", "/api/v1/sources/erp"))
            .leads_to("readSource", "key", "/key")
            .leads_to("changeSource", "key", "/key")
            .fails(&[Kind::SourceKeyTaken, Kind::TooManySources, Kind::ExternalDataOff])
            .stores(),
        of_key(get("/api/v1/sources/{key}", "readSource"))
            .says("Read a source", "")
            .answers::<Source>(200, "The source.", examples::source)
            .with_header("ETag", etag()),
        of_key(Endpoint::new(HttpMethod::Put, "/api/v1/sources/{key}", "changeSource"))
            .says("Change a source", "What it said before is forgotten.")
            .guarded()
            .takes::<SourceChange>(true, &[JSON], examples::source_change)
            .answers::<Source>(200, "The source.", examples::source)
            .with_header("ETag", etag())
            .fails(&[Kind::ExternalDataOff]),
        of_key(Endpoint::new(HttpMethod::Delete, "/api/v1/sources/{key}", "removeSource"))
            .says(
                "Remove a source",
                "One that an audience, an experiment or an experience asks for stays.",
            )
            .guarded()
            .answers_nothing(204, "It is gone.")
            .fails(&[Kind::SourceInUse]),
    ]
}
