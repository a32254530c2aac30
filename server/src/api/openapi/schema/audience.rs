//! Audiences, who is in them, and why.

use super::condition::Condition;
use super::{Key, Time, UnitId, by_hand, closed, object_of, plain, reference};
use serde_json::Value;
use std::collections::BTreeMap;
use utoipa::ToSchema;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, SchemaType, Type};

/// What an audience is to be.
#[derive(ToSchema)]
struct AudienceFields {
    /// What people read; the key if absent.
    #[schema(max_length = 200)]
    name: Option<String>,
    /// Who is in it.
    condition: Condition,
}

/// What an audience is to be.
pub(in crate::api::openapi) struct AudienceChange;

by_hand!(AudienceChange, closed(object_of::<AudienceFields>()).into(), AudienceFields::schemas);

/// A new audience.
#[derive(ToSchema)]
struct NewAudienceFields {
    /// Its name in conditions; all but `preview`.
    key: Key,
    /// What people read; the key if absent.
    #[schema(max_length = 200)]
    name: Option<String>,
    /// Who is in it.
    condition: Condition,
}

/// A new audience.
pub(in crate::api::openapi) struct NewAudience;

by_hand!(NewAudience, closed(object_of::<NewAudienceFields>()).into(), NewAudienceFields::schemas);

/// A named condition.
#[derive(ToSchema)]
pub(in crate::api::openapi) struct Audience {
    /// Its name in conditions.
    key: Key,
    /// What people read; the key if absent.
    #[schema(required = true)]
    name: Option<String>,
    /// Who is in it.
    condition: Condition,
    /// How many persons are in it; null where only a request can tell.
    #[schema(required = true, minimum = 0)]
    size: Option<i64>,
    /// When it was made.
    created_at: Time,
    /// When it was changed last.
    updated_at: Time,
}

/// Audiences in the order of their keys.
#[derive(ToSchema)]
pub(in crate::api::openapi) struct Audiences {
    /// The audiences.
    data: Vec<Audience>,
    /// Always null: all of them are on one page.
    #[schema(required = true)]
    next_cursor: Option<String>,
}

/// Who would be in an audience?
#[derive(ToSchema)]
struct SizeFields {
    /// The condition to try.
    condition: Condition,
}

/// Who would be in an audience?
pub(in crate::api::openapi) struct SizeRequest;

by_hand!(SizeRequest, closed(object_of::<SizeFields>()).into(), SizeFields::schemas);

/// How many persons meet a condition.
#[derive(ToSchema)]
pub(in crate::api::openapi) struct AudiencePreview {
    /// How many do.
    size: u64,
    /// Of how many that were asked.
    of: u64,
    /// Whether those were all there are: of more than 100,000 only the first are asked.
    is_whole: bool,
    /// Whether it reads what only a request brings, so that nobody meets it between requests.
    needs_context: bool,
}

/// Which way somebody moved.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
enum MoveKind {
    Entered,
    Left,
}

/// That somebody entered an audience or left it.
#[derive(ToSchema)]
struct Move {
    /// Which audience.
    audience: Key,
    /// Who, by the id that all of theirs were known by then.
    person: UnitId,
    /// Which way.
    r#move: MoveKind,
    /// When.
    at: Time,
}

/// Who entered and left, the newest first.
#[derive(ToSchema)]
pub(in crate::api::openapi) struct MovePage {
    /// The moves.
    data: Vec<Move>,
    /// What to give as `cursor` for the next page; none on the last one.
    #[schema(required = true)]
    next_cursor: Option<i64>,
}

/// Why is somebody in an audience, or not?
#[derive(ToSchema)]
struct AudienceQuestionFields {
    /// Any id of the person.
    unit: UnitId,
    /// What a request would bring.
    context: Option<BTreeMap<String, Value>>,
    /// The moment that is asked about; now if absent. What is known of the person is as it is now.
    at: Option<Time>,
}

/// Why is somebody in an audience, or not?
pub(in crate::api::openapi) struct AudienceQuestion;

by_hand!(
    AudienceQuestion,
    closed(object_of::<AudienceQuestionFields>()).into(),
    AudienceQuestionFields::schemas
);

/// What became of one condition, and of those in it.
pub(in crate::api::openapi) struct Clause;

by_hand!(
    Clause,
    ObjectBuilder::new()
        .description(Some("What became of one condition, and of those in it."))
        .property(
            "pointer",
            plain(Type::String)
                .description(Some("Where it stands in the condition, or in that of the audience that it belongs to."))
                .examples(["/all/0"]),
        )
        .property(
            "holds",
            ObjectBuilder::new().schema_type(SchemaType::from_iter([Type::Boolean, Type::Null])).description(Some(
                "Whether it holds; null if that hangs on what another system says, and it could not be had.",
            )),
        )
        .property("wanted", plain(Type::String).description(Some("What should be, in words.")))
        .property("found", plain(Type::String).description(Some("What is, in words.")))
        .property(
            "clauses",
            ArrayBuilder::new().items(reference::<Clause>()).description(Some(
                "The conditions in it; for an audience, what became of its condition. Absent where there are none.",
            )),
        )
        .required("pointer")
        .required("holds")
        .required("wanted")
        .required("found")
        .into()
);

/// Why somebody is in an audience, or not.
#[derive(ToSchema)]
pub(in crate::api::openapi) struct AudienceExplanation {
    /// The audience.
    audience: Key,
    /// The id that was asked about.
    unit: UnitId,
    /// The id by which all of the person's are known.
    person: UnitId,
    /// Whether the person is in it; null if that hangs on what another system says, and it could not be had.
    #[schema(required = true)]
    holds: Option<bool>,
    /// The moment that the answer is about.
    at: Time,
    /// When the answer may be another though nothing happens.
    #[schema(required = true)]
    next_change: Option<Time>,
    /// Clause by clause.
    condition: Clause,
}
