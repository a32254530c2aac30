//! Messages, whom not to send any, and the links in them.

use super::super::endpoint::{Endpoint, HTML, JSON, in_path, limit, needed_query, none, query, text_header};
use super::super::examples;
use super::super::schema::{
    MessagePage, MessageState, MessageWithHistory, Messages, NewMessages, NewSuppression, Suppression,
    SuppressionPage,
};
use super::{MESSAGES, get, post};
use crate::auth::Scope;
use crate::problem::Kind;
use utoipa::ToSchema;
use utoipa::openapi::path::{HttpMethod, Parameter};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{Header, Ref};

fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

fn cursor() -> Parameter {
    query("cursor", text(), "The `next_cursor` of the page before.")
}

fn next() -> Header {
    text_header("The next page, as `rel=\"next\"`; absent on the last one.", "<…>; rel=\"next\"")
}

pub(super) fn messages() -> Vec<Endpoint> {
    vec![
        post("/api/v1/messages", "sendMessages")
            .tag(MESSAGES)
            .says(
                "Send messages",
                "Answers once they are on disk, with an entry for each recipient in their order; then they are sent. \
                 All are taken, or none. A recipient whose variant has no content gets nothing, and counts as having \
                 got that. The same request again gives the same messages, as they stand then.",
            )
            .needs(Scope::Server)
            .idempotent()
            .takes::<NewMessages>(true, &[JSON], examples::new_messages)
            .answers::<Messages>(202, "The messages.", none)
            .with_header(
                "Idempotency-Replayed",
                text_header("`true` if they were there already; else absent.", "true"),
            )
            .leads_to("readMessage", "id", "/data/0/id")
            .fails(&[Kind::UnknownChannel, Kind::UnknownFlag, Kind::ContentRefused, Kind::QueueFull])
            .stores(),
        get("/api/v1/messages", "listMessages")
            .tag(MESSAGES)
            .says("List messages", "The newest first.")
            .needs(Scope::Server)
            .param(query("unit", text(), "Only those to this person."))
            .param(query("channel", text(), "Only those on this channel."))
            .param(query("state", Ref::from_schema_name(MessageState::name()), "Only those that stand here."))
            .param(limit(500))
            .param(cursor())
            .answers::<MessagePage>(200, "A page of messages.", none)
            .with_header("Link", next())
            .fails(&[Kind::InvalidQuery])
            .stores(),
        get("/api/v1/messages/{id}", "readMessage")
            .tag(MESSAGES)
            .says("Read a message", "With all attempts to send it.")
            .needs(Scope::Server)
            .param(in_path("id", "The id of a message.", "8f14e45f-ceea-8f7a-9d2e-8f4b6a1c2d3e"))
            .answers::<MessageWithHistory>(200, "The message.", none)
            .fails(&[Kind::NotFound])
            .stores(),
    ]
}

pub(super) fn suppressions() -> Vec<Endpoint> {
    let of_channel = || needed_query("channel", text(), "The channel.");
    vec![
        get("/api/v1/suppressions", "listSuppressions")
            .tag(MESSAGES)
            .says("List who must not be contacted", "On one channel, in the order of their addresses.")
            .needs(Scope::Server)
            .param(of_channel())
            .param(query("address", text(), "Only this address, in any spelling."))
            .param(limit(500))
            .param(cursor())
            .answers::<SuppressionPage>(200, "A page of addresses.", none)
            .with_header("Link", next())
            .fails(&[Kind::InvalidQuery])
            .stores(),
        post("/api/v1/suppressions", "addSuppression")
            .tag(MESSAGES)
            .says(
                "Suppress an address",
                "From now on it is not sent any marketing, or anything. A narrower scope than there is changes nothing.",
            )
            .needs(Scope::Server)
            .takes::<NewSuppression>(true, &[JSON], examples::new_suppression)
            .answers::<Suppression>(201, "What holds now.", none)
            .fails(&[Kind::QueueFull])
            .stores(),
        Endpoint::new(HttpMethod::Delete, "/api/v1/suppressions", "liftSuppression")
            .tag(MESSAGES)
            .says("Lift a suppression", "For a person who wants messages again.")
            .needs(Scope::Admin)
            .param(of_channel())
            .param(needed_query("address", text(), "The address, in any spelling."))
            .answers_nothing(204, "It may be contacted.")
            .fails(&[Kind::InvalidQuery, Kind::NotFound])
            .stores(),
    ]
}

pub(super) fn links() -> Vec<Endpoint> {
    let of = |endpoint: Endpoint| {
        let token = in_path("token", "What a link in a message has.", "AAAA");
        endpoint.tag(MESSAGES).param(token).fails(&[Kind::NotFound])
    };
    let target = query("u", text(), "Where it leads; the token fits no other page.");
    vec![
        of(get("/l/{token}", "followLink"))
            .says("Follow a link in a message", "Notes `Message Clicked`; `HEAD` does not. Needs no key.")
            .param(target)
            .answers_nothing(302, "To the page.")
            .with_header("Location", text_header("The page.", "https://shop.example/sale"))
            .fails(&[Kind::InvalidQuery]),
        of(get("/o/{token}", "readOpenPicture"))
            .says("Read the picture in a message", "Notes `Message Opened`; `HEAD` does not. Needs no key.")
            .answers_bytes(200, "A picture of one pixel.", "image/gif"),
        of(get("/u/{token}", "askUnsubscribe"))
            .says("Ask whether such messages are to end", "Changes nothing. Needs no key.")
            .for_people()
            .answers_text(200, "A page that asks.", HTML)
            .stores(),
        of(post("/u/{token}", "unsubscribe"))
            .says(
                "End such messages",
                "Suppresses marketing to the address at once, as often as it is asked; mailboxes do so with one click \
                 (RFC 8058). Needs no key.",
            )
            .for_people()
            .answers_text(200, "A page that says so.", HTML)
            .fails(&[Kind::QueueFull])
            .stores(),
    ]
}
