//! Audiences: make, read, change, remove, count, who moved, and why somebody is in or not.

use super::super::endpoint::{Endpoint, HTML, JSON, etag, in_path, limit, none, query, text_header};
use super::super::examples;
use super::super::schema::{
    Audience, AudienceChange, AudienceExplanation, AudiencePreview, AudienceQuestion, Audiences, MovePage,
    NewAudience, SizeRequest,
};
use super::{AUDIENCES, get, post};
use crate::auth::Scope;
use crate::problem::Kind;
use utoipa::openapi::path::HttpMethod;
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, Type};

fn of_key(endpoint: Endpoint) -> Endpoint {
    let key = in_path("key", "The key of an audience.", "shoe-lovers");
    endpoint.tag(AUDIENCES).param(key).fails(&[Kind::NotFound]).stores()
}

/// Answers a page of moves.
pub(super) fn moves(endpoint: Endpoint) -> Endpoint {
    let cursor = ObjectBuilder::new()
        .schema_type(Type::Integer)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
        .minimum(Some(1))
        .maximum(Some(2_f64.powi(53)))
        .build();
    let next = text_header("The next page, as `rel=\"next\"`; absent on the last one.", "<…>; rel=\"next\"");
    endpoint
        .needs(Scope::Server)
        .param(limit(500))
        .param(query("cursor", cursor, "The `next_cursor` of the page before."))
        .answers::<MovePage>(200, "A page of moves, the newest first.", examples::moves)
        .with_header("Link", next)
        .fails(&[Kind::InvalidQuery])
}

/// The pages on which people make audiences.
pub(super) fn audience_pages() -> Vec<Endpoint> {
    let page = |endpoint: Endpoint| endpoint.tag(AUDIENCES).for_people().stores();
    vec![
        page(get("/audiences", "readAudiencesPage"))
            .says("Look at audiences on a page", "Every audience with its size, and its condition in words.")
            .needs(Scope::Server)
            .answers_text(200, "The page.", HTML),
        page(get("/audiences/new", "readAudienceForm"))
            .says("Build an audience by form", "An empty form; it needs no script.")
            .needs(Scope::Admin)
            .answers_text(200, "The form.", HTML),
        page(post("/audiences/new", "submitAudienceForm"))
            .says(
                "Count or save what the form says",
                "What the form on `GET /audiences/new` sends, `application/x-www-form-urlencoded`: by the button that was \
                 pressed there is a row more, or the number of people, or the audience is made.",
            )
            .needs(Scope::Admin)
            .takes_anything("The fields of the form.")
            .answers_text(200, "The form again, with the number of people or what is wrong.", HTML)
            .answers_nothing(303, "The audience is made, and in the list.")
            .with_header("Location", text_header("The list.", "/audiences"))
            .fails(&[Kind::InvalidField, Kind::Forbidden, Kind::BodyTooLarge]),
    ]
}

pub(super) fn audiences() -> Vec<Endpoint> {
    vec![
        get("/api/v1/audiences", "listAudiences")
            .tag(AUDIENCES)
            .says("List audiences", "In the order of their keys, with how many persons are in each.")
            .needs(Scope::Server)
            .answers::<Audiences>(200, "All audiences.", none)
            .stores(),
        post("/api/v1/audiences", "createAudience")
            .tag(AUDIENCES)
            .says(
                "Make an audience",
                "Everybody who is known is asked at once, with what they did before. Where that takes more than two \
                 seconds it goes on behind the answer.",
            )
            .needs(Scope::Admin)
            .takes::<NewAudience>(true, &[JSON], examples::new_audience)
            .answers::<Audience>(201, "The audience.", examples::audience)
            .with_header("ETag", etag())
            .with_header("Location", text_header("Where the audience is.", "/api/v1/audiences/shoe-lovers"))
            .leads_to("readAudience", "key", "/key")
            .leads_to("changeAudience", "key", "/key")
            .leads_to("explainAudience", "key", "/key")
            .fails(&[Kind::AudienceKeyTaken])
            .stores(),
        post("/api/v1/audiences/preview", "previewAudience")
            .tag(AUDIENCES)
            .says("Count who would be in an audience", "It changes nothing.")
            .needs(Scope::Server)
            .takes::<SizeRequest>(true, &[JSON], examples::size_request)
            .answers::<AudiencePreview>(200, "How many.", examples::size)
            .stores(),
    ]
}

pub(super) fn one_audience() -> Vec<Endpoint> {
    let unit = ObjectBuilder::new().schema_type(Type::String).min_length(Some(1)).max_length(Some(255));
    vec![
        of_key(get("/api/v1/audiences/{key}", "readAudience"))
            .says("Read an audience", "")
            .needs(Scope::Server)
            .answers::<Audience>(200, "The audience.", examples::audience)
            .with_header("ETag", etag()),
        of_key(Endpoint::new(HttpMethod::Put, "/api/v1/audiences/{key}", "changeAudience"))
            .says("Change an audience", "Everybody is asked again, as when it was made.")
            .needs(Scope::Admin)
            .guarded()
            .takes::<AudienceChange>(true, &[JSON], examples::audience_change)
            .answers::<Audience>(200, "The audience.", examples::audience)
            .with_header("ETag", etag()),
        of_key(Endpoint::new(HttpMethod::Delete, "/api/v1/audiences/{key}", "removeAudience"))
            .says(
                "Remove an audience",
                "With its moves. One that another audience, an experiment or an experience asks for stays.",
            )
            .needs(Scope::Admin)
            .guarded()
            .answers_nothing(204, "It is gone.")
            .fails(&[Kind::AudienceInUse]),
        moves(of_key(get("/api/v1/audiences/{key}/moves", "listAudienceMoves")).says(
            "List who entered and left",
            "Somebody moves in the request that brings the event, or when the time has come.",
        ))
        .param(query("unit", unit.build(), "Only the moves of this person, by any of their ids.")),
        of_key(post("/api/v1/audiences/{key}/explain", "explainAudience"))
            .says(
                "Explain why somebody is in an audience, or not",
                "Clause by clause, with what should be and what is. It changes nothing.",
            )
            .needs(Scope::Server)
            .takes::<AudienceQuestion>(true, &[JSON], examples::audience_question)
            .answers::<AudienceExplanation>(200, "The explanation.", examples::audience_explanation),
    ]
}
