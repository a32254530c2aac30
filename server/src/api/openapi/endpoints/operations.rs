//! Keys, metrics, and what operators and programs ask.

use super::super::endpoint::{Endpoint, JSON, in_path, none, query, text_header};
use super::super::examples;
use super::super::schema::{
    ApiKey, ApiKeys, Document, KeyOrigins, Metrics, MintedKey, NewApiKey, Plugin, Plugins, Readiness, Reloads,
};
use super::{KEYS, OPERATIONS, get, post};
use crate::auth::Scope;
use crate::problem::Kind;
use utoipa::openapi::path::HttpMethod;
use utoipa::openapi::schema::{ObjectBuilder, Type};

const TEXT: &str = "text/plain; charset=utf-8";

pub(super) fn keys() -> Vec<Endpoint> {
    vec![
        get("/api/v1/keys", "listKeys")
            .tag(KEYS)
            .says("List keys", "Without secrets.")
            .needs(Scope::Admin)
            .answers::<ApiKeys>(200, "The keys.", none)
            .stores(),
        post("/api/v1/keys", "createKey")
            .tag(KEYS)
            .says("Make a key", "The answer holds the key itself, which is not shown again.")
            .needs(Scope::Admin)
            .takes::<NewApiKey>(true, &[JSON], examples::new_key)
            .answers::<MintedKey>(201, "The key.", none)
            .leads_to("revokeKey", "id", "/id")
            .leads_to("setKeyOrigins", "id", "/id")
            .stores(),
        Endpoint::new(HttpMethod::Put, "/api/v1/keys/{id}/origins", "setKeyOrigins")
            .tag(KEYS)
            .says(
                "Say which pages a publishable key is for",
                "Instead of those before. A request from a page of another origin is answered with 403, and its \
                 browser keeps the answer from it. A request that says no origin is from no page, and let in.",
            )
            .needs(Scope::Admin)
            .param(in_path("id", "The public part of a key.", "9f86d081884c"))
            .takes::<KeyOrigins>(true, &[JSON], examples::key_origins)
            .answers::<ApiKey>(200, "The key.", none)
            .fails(&[Kind::NotFound])
            .stores(),
        Endpoint::new(HttpMethod::Delete, "/api/v1/keys/{id}", "revokeKey")
            .tag(KEYS)
            .says("Revoke a key", "From now on it lets nobody in.")
            .needs(Scope::Admin)
            .param(in_path("id", "The public part of a key.", "9f86d081884c"))
            .answers_nothing(204, "It is revoked.")
            .fails(&[Kind::NotFound])
            .stores(),
    ]
}

pub(super) fn plugins() -> Vec<Endpoint> {
    vec![
        get("/api/v1/metrics", "listMetrics")
            .tag(KEYS)
            .says(
                "List the metrics that plugins offer",
                "And the plugin files that were refused, with the reason.",
            )
            .needs(Scope::Server)
            .answers::<Metrics>(200, "The metrics.", none),
        get("/api/v1/plugins", "listPlugins")
            .tag(KEYS)
            .says("List the plugins", "How each does, and the files that were refused, with the reason, or are missing.")
            .needs(Scope::Admin)
            .answers::<Plugins>(200, "The plugins.", none),
        post("/api/v1/plugins/reload", "reloadPlugins")
            .tag(KEYS)
            .says(
                "Have changed lists of plugins taken over",
                "Each `plugins.lock` is read again, as it is every second if it has changed, and the files it says run \
                 from now on, without a restart. Answers what became of each plugin; one that is refused runs on as it \
                 was.",
            )
            .needs(Scope::Admin)
            .answers::<Reloads>(200, "What became of each plugin.", none),
        post("/api/v1/plugins/{id}/rollback", "rollBackPlugin")
            .tag(KEYS)
            .says(
                "Roll a plugin back",
                "What ran before its last upgrade takes over. Put the old entry back into `plugins.lock` too, or the \
                 next start loads the new file again; `podium plugin rollback` does both.",
            )
            .needs(Scope::Admin)
            .param(in_path("id", "The plugin's id.", "podium.commerce-metrics"))
            .answers::<Plugin>(200, "How it does now.", none)
            .fails(&[Kind::NotFound, Kind::NothingToRollBack, Kind::IllegalTransition]),
        post("/api/v1/plugins/{id}/release", "releasePlugin")
            .tag(KEYS)
            .says(
                "Release a plugin",
                "A plugin that crashed too often may try again. What its metrics missed is folded from the log.",
            )
            .needs(Scope::Admin)
            .param(in_path("id", "The plugin's id.", "podium.commerce-metrics"))
            .answers_nothing(204, "It may be called.")
            .fails(&[Kind::NotFound]),
    ]
}

pub(super) fn operations() -> Vec<Endpoint> {
    let store = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(["store"])).build();
    let require = query("require", store, "`store` asks for the database too.");
    vec![
        get("/livez", "livez")
            .tag(OPERATIONS)
            .says("Is the process alive?", "")
            .answers_text(200, "It is.", TEXT),
        get("/readyz", "readyz")
            .tag(OPERATIONS)
            .says(
                "Can the server decide?",
                "It can without the database; ask for `require=store` where events are routed apart. It cannot while a \
                 plugin that `plugins.lock` requires is missing or in quarantine.",
            )
            .param(require)
            .answers::<Readiness>(200, "It can.", none)
            .answers::<Readiness>(503, "It cannot: it is stopping, or lacks what is required or was asked for.", none),
        get("/metrics", "metrics")
            .tag(OPERATIONS)
            .says("Counters and gauges for Prometheus", "")
            .answers_text(200, "In the text format.", "text/plain; version=0.0.4"),
        get("/openapi.json", "openapi").tag(OPERATIONS).says("Read this document", "").answers::<Document>(
            200,
            "This document.",
            none,
        ),
        get("/podium.js", "readScript")
            .tag(OPERATIONS)
            .says(
                "Read the client for web pages",
                "A script that fills the slots of a page and reports what was shown.",
            )
            .answers_text(200, "The script.", "text/javascript; charset=utf-8")
            .with_header(
                "ETag",
                text_header("Another one for another script.", "\"9f86d081884c7d659a2feaa0c55ad015\""),
            )
            .answers_nothing(304, "The script is the one of `If-None-Match`."),
        get("/problems/{slug}", "readProblem")
            .tag(OPERATIONS)
            .says("Read about a problem", "Where the `type` of a problem leads.")
            .param(in_path("slug", "The last part of a problem's `type`.", "edit-conflict"))
            .answers_text(200, "What it means.", TEXT)
            .fails(&[Kind::NotFound]),
    ]
}
