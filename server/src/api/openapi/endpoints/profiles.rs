//! Persons: what is known of them, where they moved, and which ids are theirs.

use super::super::endpoint::{Endpoint, JSON, in_path, none};
use super::super::examples;
use super::super::schema::{NewAlias, Person, Profile};
use super::audiences::moves;
use super::{PROFILES, get, post};
use crate::auth::Scope;
use crate::problem::Kind;
use utoipa::openapi::path::HttpMethod;

fn of_id(endpoint: Endpoint, description: &str) -> Endpoint {
    endpoint.tag(PROFILES).param(in_path("id", description, "ann")).fails(&[Kind::NotFound]).stores()
}

pub(super) fn profiles() -> Vec<Endpoint> {
    const ANY: &str = "Any id of the person.";
    const USER: &str = "The id of a user.";
    vec![
        of_id(get("/api/v1/profiles/{id}", "readProfile"), ANY)
            .says(
                "Read what is known of a person",
                "From the events of all their ids, the last one that was answered included. An id that no event came \
                 from is a person of whom nothing is known.",
            )
            .needs(Scope::Server)
            .answers::<Profile>(200, "The profile.", examples::profile),
        moves(of_id(get("/api/v1/profiles/{id}/moves", "listProfileMoves"), ANY).says(
            "List which audiences a person entered and left",
            "What the person did while they were known by another id stands under that one.",
        )),
        of_id(post("/api/v1/profiles/{id}/aliases", "joinProfiles"), USER)
            .says(
                "Make one person of a user and another id",
                "Figures, profiles and audiences are as if they had been one from the beginning.",
            )
            .needs(Scope::Server)
            .takes::<NewAlias>(true, &[JSON], examples::new_alias)
            .answers::<Person>(200, "The person.", none)
            .fails(&[Kind::QueueFull]),
        of_id(
            Endpoint::new(HttpMethod::Delete, "/api/v1/profiles/{id}/aliases/{other}", "partProfiles"),
            USER,
        )
        .param(in_path("other", "The id that is not theirs.", "phone-1"))
        .says(
            "Take back that an id is a person's",
            "Whatever was said of the two until now counts no more, and each has its own history again.",
        )
        .needs(Scope::Server)
        .answers_nothing(204, "They are two persons.")
        .fails(&[Kind::QueueFull]),
    ]
}
