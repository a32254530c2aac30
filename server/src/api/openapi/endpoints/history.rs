//! What happened to experiments, taking it back, and who is told.

use super::super::endpoint::{Endpoint, JSON, etag, in_header, in_path, limit, none, query, text_header};
use super::super::examples;
use super::super::schema::{Experiment, HistoryPage, NewWebhook, Undoing, Webhook, WebhookMessage, Webhooks};
use super::experiments::of_experiment;
use super::{WEBHOOKS, get, post};
use crate::auth::Scope;
use crate::problem::Kind;
use utoipa::openapi::path::HttpMethod;
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, Type};

pub(super) fn history() -> Vec<Endpoint> {
    let cursor = ObjectBuilder::new()
        .schema_type(Type::Integer)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
        .minimum(Some(1))
        .maximum(Some(2_f64.powi(53)))
        .build();
    let next = text_header("The next page, as `rel=\"next\"`; absent on the last one.", "<…>; rel=\"next\"");
    vec![
        of_experiment(get("/api/v1/experiments/{key}/history", "listHistory"))
            .says(
                "List what happened to an experiment",
                "The newest first: who changed what, what the verdict turned to, what was done without a person, and \
                 what was undone.",
            )
            .needs(Scope::Server)
            .param(limit(500))
            .param(query("cursor", cursor, "The `next_cursor` of the page before."))
            .answers::<HistoryPage>(200, "A page of the history.", none)
            .with_header("Link", next),
        of_experiment(post("/api/v1/experiments/{key}/undo", "undo"))
            .says(
                "Undo something",
                "Takes back a conclusion (the experiment goes on as it was, without an end of its schedule that has \
                 passed), a variant that was taken out (it gets its share of a fixed split, else an even one), or a \
                 pause by the automation. The automation does not do the same again for the same variant.",
            )
            .needs(Scope::Admin)
            .guarded()
            .takes::<Undoing>(false, &[JSON], examples::undoing)
            .answers::<Experiment>(200, "The experiment.", none)
            .with_header("ETag", etag())
            .fails(&[Kind::CannotUndo]),
    ]
}

pub(super) fn webhooks() -> Vec<Endpoint> {
    vec![
        get("/api/v1/webhooks", "listWebhooks")
            .tag(WEBHOOKS)
            .says("List webhooks", "And how each does.")
            .needs(Scope::Admin)
            .answers::<Webhooks>(200, "The webhooks.", none)
            .stores(),
        post("/api/v1/webhooks", "createWebhook")
            .tag(WEBHOOKS)
            .says(
                "Make a webhook",
                "From now on it is told what happens to experiments, signed by Standard Webhooks, at least once each, \
                 and under the same `webhook-id` when it comes again. An endpoint that does not answer 2xx is asked \
                 again for a day, and then not any more; 410 ends it at once.",
            )
            .needs(Scope::Admin)
            .takes::<NewWebhook>(true, &[JSON], examples::new_webhook)
            .answers::<Webhook>(201, "The webhook.", none)
            .leads_to("removeWebhook", "id", "/id")
            .fails(&[Kind::TooManyWebhooks])
            .stores(),
        Endpoint::new(HttpMethod::Delete, "/api/v1/webhooks/{id}", "removeWebhook")
            .tag(WEBHOOKS)
            .says("Remove a webhook", "What it was still to be told is forgotten.")
            .needs(Scope::Admin)
            .param(in_path("id", "The id of a webhook.", "019ac4a1-7b1e-7c3a-9d2e-8f4b6a1c2d3e"))
            .answers_nothing(204, "It is gone.")
            .fails(&[Kind::NotFound])
            .stores(),
    ]
}

/// What is posted to webhooks.
pub(in super::super) fn told() -> Endpoint {
    post("experiment", "tellOfExperiment")
        .tag(WEBHOOKS)
        .says(
            "Something happened to an experiment",
            "Posted to webhooks that asked for it, at least once and in no certain order. Check the signature before \
             anything else, and forget what has an id that came before. Redirects are not followed, an answer is waited \
             for 15 seconds, and `Retry-After` is heeded up to a day.",
        )
        .param(in_header("webhook-id", "The same if it comes again.", "019ac4a1-7b1e-7c3a-9d2e-8f4b6a1c2d3e"))
        .param(in_header("webhook-timestamp", "When it was posted: seconds since 1970.", "1795771800"))
        .param(in_header(
            "webhook-signature",
            "`v1,` and in Base64 the HMAC-SHA256 of id, time and body with a dot between them.",
            "v1,/XmLTYarbOsfC7Y2X0gJa5lJy/QMw/V12raFOc+VMxs=",
        ))
        .brings::<WebhookMessage>(true, &[JSON], examples::told)
        .answers_nothing(200, "It is taken, as by any other 2xx.")
        .answers_nothing(410, "Nothing more is wanted.")
}
