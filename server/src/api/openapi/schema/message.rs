//! Messages to be sent, and what became of them.

use super::{Key, Time, UnitId, add, any_of, by_hand, closed, object_of, one_of, plain, reference};
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{AdditionalProperties, ArrayBuilder, ObjectBuilder, Schema, SchemaType, Type};

/// Why a message is sent. Marketing can be left with one click, and is never sent twice where nobody knows whether it
/// was sent; transactional messages are sent again then.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
enum Purpose {
    Marketing,
    Transactional,
}

/// Where a message goes.
struct Address;

by_hand!(
    Address,
    any_of(
        "Where a message goes, as its channel has it: a text, or an object such as `{\"email\"}` or `{\"fcm\": \
         {\"token\"}}`. At most 4,096 bytes, without NUL.",
        [
            plain(Type::String).min_length(Some(1)).examples(["ann@example.com"]).into(),
            RefOr::T(Schema::Object(open_object(1))),
        ],
    )
);

/// An object with any members, at least so many.
fn open_object(min_properties: usize) -> utoipa::openapi::Object {
    plain(Type::Object)
        .min_properties(Some(min_properties))
        .additional_properties(Some(AdditionalProperties::FreeForm(true)))
        .build()
}

/// A value for a placeholder.
struct FieldValue;

by_hand!(
    FieldValue,
    ObjectBuilder::new()
        .schema_type(SchemaType::Array(vec![Type::String, Type::Number, Type::Boolean, Type::Null]))
        .description(Some(
            "A value for a placeholder; null counts as absent. At most 4,096 bytes, without NUL.",
        ))
        .max_length(Some(4_096))
        .examples([json!("Ann"), json!(3)])
        .into()
);

/// Values for the placeholders of the content, by their names.
struct Fields;

by_hand!(
    Fields,
    plain(Type::Object)
        .description(Some(
            "Values for the placeholders of the content, by their names; those that begin with `podium.` are ours.",
        ))
        .max_properties(Some(64))
        .additional_properties(Some(reference::<FieldValue>()))
        .into(),
    |schemas| add::<FieldValue>(schemas)
);

/// One recipient.
#[derive(ToSchema)]
struct RecipientFields {
    /// The person: who gets the variant, and whose events tell what came of it.
    unit: UnitId,
    /// Where the message goes.
    address: Address,
    /// Values for placeholders.
    #[schema(required = false)]
    fields: Fields,
}

/// One recipient.
struct Recipient;

by_hand!(Recipient, closed(object_of::<RecipientFields>()).into(), RecipientFields::schemas);

/// One recipient, or a list.
struct Recipients;

by_hand!(
    Recipients,
    one_of(
        "One recipient, or a list; no address twice.",
        [
            reference::<Recipient>(),
            ArrayBuilder::new()
                .items(reference::<Recipient>())
                .min_items(Some(1))
                .max_items(Some(1_000))
                .into(),
        ],
    ),
    |schemas| add::<Recipient>(schemas)
);

/// What to send, and to whom. Give `flag` or `content`.
#[derive(ToSchema)]
struct NewMessagesFields {
    /// The channel, as it was set up.
    channel: Key,
    /// The flag that decides the content of each person …
    flag: Option<Key>,
    /// … or one content for all, as the channel has it.
    #[schema(required = false)]
    content: Value,
    /// To whom.
    to: Recipients,
    /// Why.
    #[schema(required = false, default = "marketing")]
    purpose: Purpose,
    /// Where the provider can, a message takes the place of an earlier one with the same; at most 255 bytes, without NUL.
    #[schema(required = false, default = "", max_length = 255)]
    collapse_key: String,
    /// When to send it, at most a year ahead; at once if absent or past.
    send_at: Option<Time>,
    /// How long after that it is worth sending, in seconds; three days if absent.
    #[schema(minimum = 1, maximum = 2_592_000)]
    expires_in_s: Option<i64>,
}

/// What to send, and to whom.
pub(in crate::api::openapi) struct NewMessages;

by_hand!(NewMessages, closed(object_of::<NewMessagesFields>()).into(), NewMessagesFields::schemas);

/// Where a message is on its way. `queued`: it waits until it is due. `claimed`: a sender has it, and it cannot have
/// left. `begun`: it may have left. `sent`: the provider took it. `failed`: it will never be sent. `skipped`: it was
/// not sent, on purpose. `unknown`: nobody knows whether it left, and it is not sent again.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(in crate::api::openapi) enum MessageState {
    Queued,
    Claimed,
    Begun,
    Sent,
    Failed,
    Skipped,
    Unknown,
}

/// A message to one recipient.
#[derive(ToSchema)]
struct Message {
    /// Its id.
    #[schema(format = "uuid")]
    id: String,
    /// The person.
    unit: UnitId,
    /// The channel, as it was set up.
    channel: Key,
    /// Why it is sent.
    purpose: Purpose,
    /// The flag that decided its content.
    #[schema(required = true)]
    flag: Option<String>,
    /// The experiment behind the flag.
    #[schema(required = true)]
    experiment: Option<String>,
    /// The variant that was decided.
    #[schema(required = true)]
    variant: Option<String>,
    /// The decision.
    #[schema(required = true)]
    decision_id: Option<String>,
    /// Where it goes, as it was sent.
    address: Address,
    /// Where it is on its way.
    state: MessageState,
    /// Why it is there, as a slug and perhaps more; may be empty.
    #[schema(examples("no_content"))]
    reason: String,
    /// How often it was begun.
    attempts: u32,
    /// When it was asked for.
    created_at: Time,
    /// When it is to be sent.
    due_at: Time,
    /// When it is no longer worth sending.
    expires_at: Time,
    /// When its state changed last.
    updated_at: Time,
    /// The provider's id of it.
    #[schema(required = true)]
    provider_id: Option<String>,
}

/// The messages of a request, in the order of its recipients, as they stand now.
#[derive(ToSchema)]
pub(in crate::api::openapi) struct Messages {
    /// The messages.
    data: Vec<Message>,
}

/// Messages, the newest first.
#[derive(ToSchema)]
pub(in crate::api::openapi) struct MessagePage {
    /// The messages.
    data: Vec<Message>,
    /// What to ask for the next page with; null on the last one.
    #[schema(required = true)]
    next_cursor: Option<String>,
}

/// One try to send a message.
#[derive(ToSchema)]
struct Attempt {
    /// When a sender took it.
    started_at: Time,
    /// When the message may have left.
    #[schema(required = true)]
    begun_at: Option<Time>,
    /// When its outcome was known.
    #[schema(required = true)]
    ended_at: Option<Time>,
    /// What became of it.
    #[schema(required = true, examples("accepted"))]
    outcome: Option<String>,
    /// What the channel said.
    #[schema(required = true)]
    detail: Option<String>,
}

/// A message with its attempts.
pub(in crate::api::openapi) struct MessageWithHistory;

by_hand!(
    MessageWithHistory,
    {
        let mut object = object_of::<Message>();
        object.description = Some("A message with its attempts.".to_owned());
        let attempts = ArrayBuilder::new()
            .items(reference::<Attempt>())
            .description(Some("Its attempts, in their order."));
        object.properties.insert("history".to_owned(), attempts.into());
        object.required.push("history".to_owned());
        object.into()
    },
    |schemas| {
        Message::schemas(schemas);
        add::<Attempt>(schemas);
    }
);
