//! What bodies look like: mirrors of what serde reads and writes, with ranges and examples.
//!
//! `core` knows nothing of OpenAPI, so its types are mirrored here; the tests hold each mirror against the real type.
#![expect(dead_code, reason = "these types are read by a derive and never made")]
#![expect(clippy::struct_field_names, reason = "members are named as they are on the wire")]

mod allocator;
mod audience;
mod automation;
mod channel;
mod choices;
mod condition;
mod decision;
mod evaluation;
mod event;
mod experience;
mod experiment;
mod history;
mod inferred;
mod key;
mod message;
mod op;
mod operations;
mod patch;
mod plan;
mod preview;
mod profile;
mod report;
mod source;
mod suppression;
mod webhook;
mod weights;

pub(super) use audience::{
    Audience, AudienceChange, AudienceExplanation, AudiencePreview, AudienceQuestion, Audiences, MovePage,
    NewAudience, SizeRequest,
};
pub(super) use channel::{Channel, ChannelHealth, Channels, NewChannel};
pub(super) use decision::{DecideRequest, Decisions, Explanation};
pub(super) use evaluation::{Evaluation, EvaluationError};
pub(super) use event::{EventsBody, EventsPage, Exposures, Receipt};
pub(super) use experience::{
    Conflicts, Experience, ExperienceDefinition, ExperienceStatus, Experiences, NewExperience, Promotion,
    RulesReport,
};
pub(super) use experiment::{Experiment, Experiments, NewExperiment, NewVariant, Status};
pub(super) use history::{Conclusion, HistoryPage, Undoing};
pub(super) use key::{ApiKey, ApiKeys, KeyOrigins, MintedKey, NewApiKey};
pub(super) use message::{MessagePage, MessageState, MessageWithHistory, Messages, NewMessages};
pub(super) use operations::{Document, Metrics, Plugin, Plugins, Problem, Readiness, Reloads, ReportLink};
pub(super) use patch::ExperimentPatch;
pub(super) use plan::{Plan, PlanRequest};
pub(super) use preview::{NewPreviewLink, Preview, PreviewLink, PreviewRequest, Spread};
pub(super) use profile::{NewAlias, Person, Profile};
pub(super) use report::Report;
pub(super) use source::{NewSource, Source, SourceChange, Sources};
pub(super) use suppression::{NewSuppression, Suppression, SuppressionPage};
pub(super) use webhook::{NewWebhook, Webhook, WebhookMessage, Webhooks};
pub(super) use weights::WeightsHistory;

use utoipa::openapi::schema::{
    AdditionalProperties, AnyOfBuilder, Object, ObjectBuilder, OneOfBuilder, Schema, SchemaType, Type,
};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};

/// Schemas by name, as the document lists them.
pub(super) type Named = Vec<(String, RefOr<Schema>)>;

/// A name that people type. Clients put it into URLs unescaped.
#[derive(ToSchema)]
#[schema(
    value_type = String,
    pattern = "^[A-Za-z0-9][A-Za-z0-9._-]*$",
    min_length = 1,
    max_length = 100,
    examples("checkout-banner")
)]
struct Key(String);

/// An instant: RFC 3339, always written in UTC.
#[derive(ToSchema)]
#[schema(value_type = String, format = DateTime, examples("2026-11-27T09:30:00Z"))]
struct Time(String);

/// An ISO 4217 currency, read in either case.
#[derive(ToSchema)]
#[schema(value_type = String, pattern = "^[A-Za-z]{3}$", examples("USD", "EUR"))]
struct Currency(String);

/// Whom we randomize: a user, device, session or request id, 1 to 255 bytes, none of them NUL.
#[derive(ToSchema)]
#[schema(value_type = String, min_length = 1, max_length = 255, examples("u-1"))]
struct UnitId(String);

/// A number between 0 and 1.
#[derive(ToSchema)]
#[schema(value_type = f64, minimum = 0, maximum = 1)]
struct Share(f64);

/// Which way is better.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
enum Direction {
    Increase,
    Decrease,
}

/// The object that a derive made.
fn object_of<T: PartialSchema>() -> Object {
    match T::schema() {
        RefOr::T(Schema::Object(object)) => object,
        _ => Object::new(),
    }
}

/// Refuses members that are not declared, as the server does in what it reads.
fn closed(mut object: Object) -> Object {
    object.additional_properties = Some(Box::new(AdditionalProperties::FreeForm(false)));
    object
}

fn reference<T: ToSchema>() -> RefOr<Schema> {
    Ref::from_schema_name(T::name()).into()
}

fn one_of(description: &str, items: impl IntoIterator<Item = RefOr<Schema>>) -> RefOr<Schema> {
    let builder = OneOfBuilder::new().description(Some(description));
    items.into_iter().fold(builder, OneOfBuilder::item).into()
}

fn any_of(description: &str, items: impl IntoIterator<Item = RefOr<Schema>>) -> RefOr<Schema> {
    let builder = AnyOfBuilder::new().description(Some(description));
    items.into_iter().fold(builder, AnyOfBuilder::item).into()
}

/// Gives a type a schema that is written by hand; the last argument adds the schemas that it refers to.
macro_rules! by_hand {
    ($name:ident, $schema:expr) => {
        by_hand!($name, $schema, |_| ());
    };
    ($name:ident, $schema:expr, $parts:expr) => {
        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                $schema
            }
        }

        impl utoipa::ToSchema for $name {
            fn schemas(schemas: &mut crate::api::openapi::schema::Named) {
                let parts: fn(&mut crate::api::openapi::schema::Named) = $parts;
                parts(schemas);
            }
        }
    };
}
use by_hand;

/// Adds the schema of a type, and all it refers to.
pub(super) fn add<T: ToSchema>(schemas: &mut Named) {
    schemas.push((T::name().into_owned(), T::schema()));
    T::schemas(schemas);
}

/// A schema of one type without further rules.
fn plain(kind: Type) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(SchemaType::Type(kind))
}
