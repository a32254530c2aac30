//! Responses that are problems.

use super::endpoint::{HTML, text_header};
use super::schema::Problem;
use crate::problem::Kind;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use utoipa::ToSchema;
use utoipa::openapi::example::ExampleBuilder;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{Content, ContentBuilder, Ref};

const PROBLEM: &str = "application/problem+json";

/// Kinds by their status, each in the order of the table.
pub(super) fn by_status(kinds: &[Kind]) -> BTreeMap<u16, Vec<Kind>> {
    let mut by_status: BTreeMap<u16, Vec<Kind>> = BTreeMap::new();
    for kind in Kind::ALL.into_iter().filter(|kind| kinds.contains(kind)) {
        by_status.entry(kind.row().0.as_u16()).or_default().push(kind);
    }
    by_status
}

/// What a response is called among the components.
pub(super) fn component_name(kinds: &[Kind], is_page: bool) -> String {
    let slugs: Vec<_> = kinds.iter().map(|kind| kind.row().1).collect();
    let page = if is_page { ".page" } else { "" };
    format!("{}{page}", slugs.join("-or-"))
}

/// The response that says any of these.
pub(super) fn problem_response(kinds: &[Kind], is_page: bool) -> Response {
    let lines: Vec<_> = kinds.iter().map(|kind| format!("`{}`: {}.", kind.row().1, kind.row().2)).collect();
    let mut response = ResponseBuilder::new().description(lines.join(" "));
    response = if is_page {
        let text = ObjectBuilder::new().schema_type(Type::String).build();
        response.content(HTML, Content::new(Some(text)))
    } else {
        let examples = kinds.iter().map(|kind| {
            let value = problem_example(*kind);
            (kind.row().1, ExampleBuilder::new().value(Some(value)).build())
        });
        let schema = Ref::from_schema_name(Problem::name());
        let content = ContentBuilder::new().schema(Some(schema)).examples_from_iter(examples);
        response.content(PROBLEM, content.build())
    };
    for kind in kinds {
        response = match kind {
            Kind::QueueFull | Kind::RateLimited | Kind::Unavailable => {
                let seconds = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1)).build();
                let header = HeaderBuilder::new()
                    .schema(Some(seconds))
                    .description(Some("How long to wait before the next try, in seconds."));
                response.header("Retry-After", header.build())
            }
            Kind::Unauthorized => {
                response.header("WWW-Authenticate", text_header("How to present a key.", "Bearer"))
            }
            Kind::EditConflict => response
                .header("ETag", text_header("The state that it is in now; absent if it is gone.", "\"2\"")),
            _ => response,
        };
    }
    response.build()
}

fn problem_example(kind: Kind) -> Value {
    let (status, slug, title) = kind.row();
    let (pointer, detail) = told(kind);
    let mut body = json!({
        "type": format!("/problems/{slug}"),
        "title": title,
        "status": status.as_u16(),
        "instance": "/api/v1/experiments/checkout-banner",
        "detail": pointer.map_or_else(|| detail.to_owned(), |pointer| {
            format!("{}: {detail}", if pointer.is_empty() { "/" } else { pointer })
        }),
    });
    if let Some(pointer) = pointer {
        body["errors"] = json!([{ "pointer": pointer, "detail": detail }]);
    }
    body
}

/// Where something is wrong, and what.
fn told(kind: Kind) -> (Option<&'static str>, &'static str) {
    match kind {
        Kind::BadJson => (Some(""), "EOF while parsing an object at line 1 column 17"),
        Kind::InvalidField => (Some("/variants/0/weight"), "a weight is a number >= 0"),
        Kind::InvalidQuery => (None, "Query deserialize error: invalid digit found in string"),
        Kind::Unauthorized => (None, "this key is unknown or was revoked"),
        Kind::Forbidden => (None, "this needs a key of scope admin, this one has server"),
        Kind::NotFound => (None, "there is no experiment `checkout-banner`"),
        Kind::MethodNotAllowed => (None, "PUT /api/v1/keys does not exist; /openapi.json lists what does"),
        Kind::ExperimentKeyTaken => (
            Some("/key"),
            "there is an experiment `checkout-banner` already; make a new version of it, or choose another key",
        ),
        Kind::ExperienceKeyTaken => {
            (Some("/key"), "there is an experience `returns-banner` already; choose another key")
        }
        Kind::AudienceKeyTaken => (Some("/key"), "there is an audience `vips` already; choose another key"),
        Kind::AudienceInUse => (None, "`returns-banner` asks for this audience; change that first"),
        Kind::SourceKeyTaken => (Some("/key"), "there is a source `erp` already; choose another key"),
        Kind::SourceInUse => (None, "`vips` asks for this source; change that first"),
        Kind::TooManySources => (None, "there are 10 sources, which is all there can be; remove one"),
        Kind::ExternalDataOff => {
            (None, "this server asks no other systems: it was started without `--external-data`")
        }
        Kind::FlagKeyTaken => (Some("/flag_key"), "flag `banner` belongs to experiment `summer-banner`"),
        Kind::IllegalTransition => {
            (None, "cannot pause an experiment that is draft; it allows: start, archive")
        }
        Kind::NothingToRollBack => (None, "there is nothing that plugin \"com.example.aov\" can go back to"),
        Kind::CannotUndo => (None, "the experiment `checkout-banner` is archived now"),
        Kind::TooManyWebhooks => (None, "there are 20 webhooks, which is all there can be; remove one"),
        Kind::NeedsNewVersion => (
            Some("/variants"),
            "`/variants` cannot change while the experiment is running: its figures would mix two questions",
        ),
        Kind::EditConflict => (None, "the experiment was changed meanwhile"),
        Kind::BodyTooLarge => (None, "a body has at most 1048576 bytes"),
        Kind::UnknownMetric => (Some("/primary_metric/metric"), "no plugin offers `conversions`"),
        Kind::MetricConfig => (Some("/primary_metric/config"), "unknown field `amout`, expected `amount`"),
        Kind::ExclusionGroupFull => (
            Some("/exclusion_group/share"),
            "exclusion group `checkout` has no free slot of share 0.5; the largest one has 0.25",
        ),
        Kind::UnknownChannel => {
            (Some("/channel"), "no channel `mail` is set up; PUT /api/v1/channels/mail sets one up")
        }
        Kind::ChannelSettings => (Some("/settings"), "missing field `host`"),
        Kind::UnknownFlag => (Some("/flag"), "there is no flag `winter-mail`"),
        Kind::ContentRefused => (Some("/flag"), "variant `short`: `subject`: missing"),
        Kind::IdempotencyKeyMissing => (
            None,
            "send `Idempotency-Key` with 1 to 255 characters: the same key is the same request, however often it comes",
        ),
        Kind::IdempotencyKeyReused => {
            (None, "this `Idempotency-Key` was used for another request; use a new one")
        }
        Kind::WebhookRefused => (None, "the signature is not the provider's"),
        Kind::IfMatchMissing => (None, "send `If-Match` with the ETag that a GET gives, or `*`"),
        Kind::QueueFull => (None, "the queue is full; send the same events again later"),
        Kind::RateLimited => (None, "too many requests at once; send the same again after `Retry-After`"),
        Kind::Internal => (None, "something is wrong on our side; the operator's log says what"),
        Kind::Unavailable => (None, "the database is not available; try again in a moment"),
    }
}
