//! Events in the Segment vocabulary, and what became of them.

use super::key::Scope;
use super::{Time, add, any_of, by_hand, reference};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use utoipa::ToSchema;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, SchemaType, Type};

/// What sort of event it is.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
enum EventType {
    Track,
    Identify,
    Page,
    Screen,
    Group,
    Alias,
}

/// An id: a text, or a number that is read as one; null counts as absent. At most 255 bytes, none of them NUL.
struct AnyId;

by_hand!(
    AnyId,
    either(&[Type::String, Type::Number, Type::Null])
        .description(Some(
            "An id: a text, or a number that is read as one; null counts as absent. At most 255 bytes, none of them NUL.",
        ))
        .max_length(Some(255))
        .examples(["u-1"])
        .into()
);

/// An amount in major units of its currency.
struct Amount;

by_hand!(
    Amount,
    either(&[Type::String, Type::Number, Type::Null])
        .description(Some(
            "An amount in major units of its currency, as a number or a text; at most 2^53 minor units either way.",
        ))
        .examples([json!(89.9), json!("89.90")])
        .into()
);

fn either(types: &[Type]) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(SchemaType::Array(types.to_vec()))
}

/// What an event says; members that are not listed are kept.
#[derive(ToSchema)]
struct Properties {
    /// Of `Experiment Viewed`: the experiment, by key or id.
    experiment_id: Option<String>,
    /// Of `Experiment Viewed`: the variant that was shown, by key.
    variation_id: Option<String>,
    /// Of `Experiment Viewed`: the probability at which it was assigned, if it was assigned elsewhere.
    #[schema(exclusive_minimum = 0, maximum = 1)]
    propensity: Option<f64>,
    /// Names an order; what it gives counts once.
    #[schema(required = false)]
    order_id: AnyId,
    /// An ISO 4217 code.
    currency: Option<String>,
    /// What the order earns, without shipping and tax.
    #[schema(required = false)]
    revenue: Amount,
    /// What the customer pays.
    #[schema(required = false)]
    total: Amount,
    /// The price of the products after discounts.
    #[schema(required = false)]
    subtotal: Amount,
    /// What shipping costs.
    #[schema(required = false)]
    shipping: Amount,
    /// What taxes are in it.
    #[schema(required = false)]
    tax: Amount,
    /// What was taken off.
    #[schema(required = false)]
    discount: Amount,
    /// Where an order has not been placed yet, what it comes to.
    #[schema(required = false)]
    value: Amount,
}

/// One event, in the Segment vocabulary. It names its unit by `userId` or, without one, `anonymousId`; a `track` event
/// has a name in `event`. Members that are not listed are ignored. At most 32 KiB, nested at most 32 deep.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
struct Event {
    /// What sort of event it is; `track` if absent.
    r#type: Option<EventType>,
    /// What happened, of `track`; does not begin with `$`.
    #[schema(max_length = 255, examples("Order Completed"))]
    event: Option<String>,
    /// The unit: a customer the shop knows.
    #[schema(required = false)]
    user_id: AnyId,
    /// The unit: a visitor.
    #[schema(required = false)]
    anonymous_id: AnyId,
    /// Of `alias`: who the user was until now; the `anonymousId` if absent.
    #[schema(required = false)]
    previous_id: AnyId,
    /// Of `group`: which group.
    #[schema(required = false)]
    group_id: AnyId,
    /// Of `page` and `screen`: which one.
    name: Option<String>,
    /// Of `page` and `screen`: what sort of one.
    category: Option<String>,
    /// Names the event: what is sent again under the same id counts once. We make one if absent.
    #[schema(required = false)]
    message_id: AnyId,
    /// When it happened, by the client's clock; when it arrives if absent.
    timestamp: Option<Time>,
    /// When it happened, if there is no `timestamp`.
    original_timestamp: Option<Time>,
    /// When it was sent, by the same clock: how far that is from our clock corrects `timestamp`.
    sent_at: Option<Time>,
    /// What it says.
    properties: Option<Properties>,
    /// Of `identify` and `group`, instead of `properties`.
    traits: Option<BTreeMap<String, Value>>,
    /// Where it came from.
    context: Option<BTreeMap<String, Value>>,
}

/// Events that are sent together.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
struct EventBatch {
    /// The events; what exceeds 2,500 is refused.
    #[schema(max_items = 2500)]
    batch: Vec<Event>,
    /// When it was sent, for events that do not say; if that is no time, those with a `timestamp` are rejected.
    sent_at: Option<Time>,
}

/// One event, a list of events, or a batch.
pub(in crate::api::openapi) struct EventsBody;

by_hand!(
    EventsBody,
    any_of(
        "A batch, a list of events, or one event.",
        [
            reference::<EventBatch>(),
            ArrayBuilder::new().items(reference::<Event>()).max_items(Some(2_500)).into(),
            reference::<Event>(),
        ],
    ),
    |schemas| {
        add::<EventBatch>(schemas);
        add::<Event>(schemas);
    }
);

/// Who saw which variant of an experiment. Members that are not listed are ignored.
#[derive(ToSchema)]
struct Exposure {
    /// The experiment, by key or id.
    #[schema(examples("checkout-banner"))]
    experiment: String,
    /// Who saw it.
    unit: AnyId,
    /// The variant that was shown, by key.
    #[schema(examples("banner"))]
    variant: String,
    /// When it was seen, also long ago; when it arrives if absent.
    timestamp: Option<Time>,
    /// Names the exposure: what is sent again under the same id counts once. We make one if absent.
    #[schema(required = false)]
    message_id: AnyId,
    /// The decision that led to it.
    decision_id: Option<String>,
}

/// A list of exposures.
pub(in crate::api::openapi) struct Exposures;

by_hand!(
    Exposures,
    ArrayBuilder::new()
        .items(reference::<Exposure>())
        .max_items(Some(2_500))
        .description(Some("A list of exposures; what exceeds 2,500 is refused."))
        .into(),
    add::<Exposure>
);

/// Why an event is not taken.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(super) enum RejectionReason {
    BadAmount,
    BadId,
    BadPropensity,
    BadTimestamp,
    EventTooLarge,
    ExperimentEnded,
    ExperimentNotStarted,
    MergeRefused,
    MissingEventName,
    NoUserOrAnonymousId,
    NotAnObject,
    OlderThanRetention,
    TooDeep,
    TooManyEvents,
    UnknownCurrency,
    UnknownExperiment,
    UnknownType,
    VariantNotAssigned,
}

/// An event of the request that is not taken.
#[derive(ToSchema)]
struct Rejected {
    /// Its position in the request, from 0.
    index: u64,
    /// Its id, if it has one.
    #[schema(required = true)]
    message_id: Option<String>,
    /// Why.
    reason: RejectionReason,
    /// Where, as a JSON pointer into the request.
    #[schema(examples("/batch/3/properties/revenue"))]
    pointer: String,
    /// What is wrong and what would be right.
    detail: String,
}

/// What became of the events. Those that were accepted are on disk.
#[derive(ToSchema)]
pub(in crate::api::openapi) struct Receipt {
    /// How many are new.
    accepted: u64,
    /// How many had been taken before.
    duplicate: u64,
    /// Which ones are not taken. A bad event never fails the others.
    rejected: Vec<Rejected>,
}

/// What became of an event.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(super) enum Outcome {
    Accepted,
    Rejected,
}

/// An event that was taken or rejected; null is what could not be read, or has no place there.
#[derive(ToSchema)]
struct SentEvent {
    /// What became of it.
    status: Outcome,
    /// When it came.
    received_at: Time,
    /// When it happened.
    #[schema(required = true)]
    time: Option<Time>,
    /// What it says it is, or was sent as.
    r#type: String,
    /// What happened, of a track event.
    #[schema(required = true)]
    name: Option<String>,
    /// Whose it is.
    #[schema(required = true)]
    unit: Option<String>,
    /// Another id of the same person.
    #[schema(required = true)]
    other_id: Option<String>,
    /// Its id.
    #[schema(required = true)]
    message_id: Option<String>,
    /// What sort of key it was sent with; an admin key is believed like a server's.
    scope: Scope,
    /// Why it was rejected.
    #[schema(required = true)]
    reason: Option<RejectionReason>,
    /// Where, as a JSON pointer into the request.
    #[schema(required = true)]
    pointer: Option<String>,
    /// What is wrong and what would be right.
    #[schema(required = true)]
    detail: Option<String>,
}

/// The last events, newest first.
#[derive(ToSchema)]
pub(in crate::api::openapi) struct EventsPage {
    /// The events.
    data: Vec<SentEvent>,
    /// What to give as `cursor` for the next page; none on the last one.
    #[schema(required = true)]
    next_cursor: Option<i64>,
}
