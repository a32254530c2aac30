//! How conditions compare, and with what.

use super::{by_hand, plain};
use serde_json::json;
use utoipa::ToSchema;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, OneOfBuilder, SchemaType, Type};

/// How whatever a client sent is compared. Texts and numbers are compared as they are sent: `7` and `"7"` are equal.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(super) enum Op {
    Eq,
    Ne,
    Gt,
    Gte,
    Lt,
    Lte,
    In,
    NotIn,
    Contains,
    StartsWith,
    EndsWith,
    Matches,
    Exists,
    Absent,
    Before,
    After,
    Within,
    NotWithin,
}

/// How a number is compared.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(super) enum NumberOp {
    Eq,
    Ne,
    Gt,
    Gte,
    Lt,
    Lte,
    In,
    NotIn,
    Exists,
    Absent,
}

/// How a count or a sum is compared.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(super) enum TotalOp {
    Eq,
    Ne,
    Gt,
    Gte,
    Lt,
    Lte,
}

/// How an instant is compared: with another one, or with the span that ends now.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(super) enum TimeOp {
    Before,
    After,
    Within,
    NotWithin,
    Exists,
    Absent,
}

/// How a yes or no is compared.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(super) enum FlagOp {
    Eq,
    Ne,
    Exists,
    Absent,
}

/// How a word of a fixed list is compared.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(super) enum WordOp {
    Eq,
    Ne,
    In,
    NotIn,
    Exists,
    Absent,
}

/// How several texts are compared, of which one has to satisfy.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(super) enum TextsOp {
    Eq,
    In,
    Contains,
    StartsWith,
    EndsWith,
    Matches,
    Exists,
    Absent,
}

/// How long something has lasted.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(super) enum AgeOp {
    Gt,
    Gte,
    Lt,
    Lte,
    Exists,
    Absent,
}

/// A span of time.
pub(super) struct Span;

by_hand!(
    Span,
    plain(Type::String)
        .description(Some(
            "A whole number from 1 of seconds, minutes, hours, days or weeks, at most 3,650 days: `90s`, `30m`, `12h`, \
             `7d`, `2w`.",
        ))
        .pattern(Some("^[0-9]+[smhdw]$"))
        .examples([json!("30d")])
        .into()
);

/// What a value is compared with.
pub(super) struct Wanted;

by_hand!(Wanted, wanted().into());

fn wanted() -> OneOfBuilder {
    let scalar = ObjectBuilder::new()
        .schema_type(SchemaType::Array(vec![Type::Boolean, Type::Number, Type::String, Type::Null]))
        .max_length(Some(1_000));
    let items = ObjectBuilder::new()
        .schema_type(SchemaType::Array(vec![Type::Boolean, Type::Number, Type::String]))
        .max_length(Some(1_000));
    let list = ArrayBuilder::new().items(items.build()).min_items(Some(1)).max_items(Some(1_000));
    OneOfBuilder::new()
        .description(Some(
            "What a value is compared with, by `op`: nothing for `exists` and `absent`; a list of 1 to 1,000 for `in` and \
             `not_in`; a number, or the text of one, for `gt`, `gte`, `lt` and `lte`; an RFC 3339 time for `before` and \
             `after`; a span such as `\"30d\"` for `within` and `not_within`, and for how long something has lasted; a \
             regular expression without look-around for `matches`; else a text, a number, true or false.",
        ))
        .examples([json!(3), json!("89.90"), json!(["DE", "AT"]), json!("30d")])
        .item(scalar.build())
        .item(list.build())
}
