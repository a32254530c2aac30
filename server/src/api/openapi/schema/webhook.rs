//! Who is told what happens to experiments.

use super::experiment::Status;
use super::history::HistoryDetail;
use super::{Key, Time, by_hand, closed, object_of};
use utoipa::ToSchema;

/// What a webhook can be told. `stopped`: a variant was taken out, or the experiment paused. `retracted`: a winner,
/// harm, breach or imbalance does not hold any more.
#[derive(ToSchema)]
enum WebhookEvent {
    #[schema(rename = "experiment.winner")]
    Winner,
    #[schema(rename = "experiment.harmful")]
    Harmful,
    #[schema(rename = "experiment.guardrail_breached")]
    GuardrailBreached,
    #[schema(rename = "experiment.imbalance")]
    Imbalance,
    #[schema(rename = "experiment.retracted")]
    Retracted,
    #[schema(rename = "experiment.stopped")]
    Stopped,
    #[schema(rename = "experiment.concluded")]
    Concluded,
    #[schema(rename = "experiment.undone")]
    Undone,
}

/// A webhook to be made.
#[derive(ToSchema)]
struct NewWebhookFields {
    /// Where it is posted: an address of the public internet, on port 80 or 443, unless the server allows others. `https`
    /// needs a certificate from an authority that browsers trust.
    #[schema(max_length = 2000, examples("https://shop.example/hooks"))]
    url: String,
    /// The name of the secret that it is signed with, looked up where the server runs: `whsec_` and 24 to 64 bytes in
    /// Base64.
    #[schema(examples("HOOK"))]
    secret: String,
    /// What it is told.
    #[schema(min_items = 1)]
    events: Vec<WebhookEvent>,
}

/// A webhook to be made.
pub(in crate::api::openapi) struct NewWebhook;

by_hand!(NewWebhook, closed(object_of::<NewWebhookFields>()).into(), NewWebhookFields::schemas);

/// A webhook, and how it does.
#[derive(ToSchema)]
pub(in crate::api::openapi) struct Webhook {
    /// What to remove it by.
    #[schema(format = "uuid")]
    id: String,
    /// Where it is posted.
    url: String,
    /// The name of the secret that it is signed with.
    secret: String,
    /// What it is told.
    events: Vec<WebhookEvent>,
    /// Since when.
    created_at: Time,
    /// When it was asked last.
    #[schema(required = true)]
    attempted_at: Option<Time>,
    /// The status that it answered then; null if there was no answer.
    #[schema(required = true)]
    status: Option<u16>,
    /// Why that was no success.
    #[schema(required = true)]
    error: Option<String>,
    /// Since when it is not asked any more.
    #[schema(required = true)]
    disabled_at: Option<Time>,
    /// Why not: it answered 410, or took nothing for a day.
    #[schema(required = true)]
    disabled_why: Option<String>,
    /// How many things it is still to be told.
    #[schema(minimum = 0)]
    pending: i64,
}

/// Webhooks, in the order they were made.
#[derive(ToSchema)]
pub(in crate::api::openapi) struct Webhooks {
    /// The webhooks.
    data: Vec<Webhook>,
}

/// Where to read on, with a key.
#[derive(ToSchema)]
struct WebhookLinks {
    /// The experiment.
    experiment: String,
    /// Its report, as a page.
    report: String,
}

/// What happened to which experiment.
#[derive(ToSchema)]
struct WebhookData {
    /// The experiment.
    experiment: Key,
    /// Which version of it.
    version: u32,
    /// Where it stands now.
    status: Status,
    /// Who: the name of a key, `schedule`, or `podium` for what no person did.
    actor: String,
    /// The entry of the history.
    history_id: i64,
    /// What else there is to say, as the history has it.
    detail: HistoryDetail,
    /// Where to read on.
    links: WebhookLinks,
}

/// What a webhook is told.
#[derive(ToSchema)]
pub(in crate::api::openapi) struct WebhookMessage {
    /// What it is.
    #[schema(rename = "type")]
    event: WebhookEvent,
    /// When it happened.
    timestamp: Time,
    /// What happened.
    data: WebhookData,
}
