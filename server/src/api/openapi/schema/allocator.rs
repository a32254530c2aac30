//! Allocators: one schema for each type, because each has fields of its own.

use super::{by_hand, closed, object_of, one_of, plain};
use serde_json::json;
use utoipa::ToSchema;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{Object, ObjectBuilder, Schema, SchemaType, Type};

/// What every allocator that moves weights has.
#[derive(ToSchema)]
struct Limits {
    /// The least weight of every active variant; 0.05 or less where there are many if absent.
    #[schema(minimum = 0, maximum = 1)]
    floor: Option<f64>,
    /// The least weight of the control; `floor` if that is given, else 0.1.
    #[schema(minimum = 0, maximum = 1)]
    control_floor: Option<f64>,
    /// Matured units that each variant gets under even weights first; 100 if absent.
    #[schema(minimum = 0, maximum = 4_294_967_295_u32)]
    min_units: Option<i64>,
    /// Of these, units with a reward; 5 if absent.
    #[schema(minimum = 0, maximum = 4_294_967_295_u32)]
    min_nonzero: Option<i64>,
    /// Weights versions that each variant is seen under first; 2 if absent.
    #[schema(minimum = 0, maximum = 4_294_967_295_u32)]
    min_strata: Option<i64>,
    /// In how many days what was learned counts for half; not with `window_days`.
    #[schema(exclusive_minimum = 0, maximum = 3650)]
    half_life_days: Option<f64>,
    /// How many days what was learned counts at all; not with `half_life_days`.
    #[schema(exclusive_minimum = 0, maximum = 3650)]
    window_days: Option<f64>,
    /// The share of units that are assigned evenly, whatever the weights; it stays while the experiment runs.
    #[schema(exclusive_minimum = 0, maximum = 0.5)]
    uniform_slice: Option<f64>,
}

/// How weights follow from what is learned.
pub(super) struct Allocator;

by_hand!(Allocator, allocator());

/// The types, in the order of the document.
const TYPES: [(&str, &str); 5] = [
    ("fixed", "The variants' weights as they are registered."),
    ("thompson", "Each variant as often as it is likely to be the best one."),
    ("top_two", "The leader and its challengers, to find the best variant soon."),
    ("epsilon_greedy", "The leader, but for a part that is spread evenly."),
    ("ucb1", "The variant with the highest upper confidence bound, above the floors."),
];

fn allocator() -> RefOr<Schema> {
    one_of(
        "How weights follow from what is learned.",
        TYPES.map(|(name, description)| RefOr::T(of_type(name, description).into())),
    )
}

fn of_type(name: &str, description: &str) -> Object {
    let mut object = if name == "fixed" { Object::new() } else { object_of::<Limits>() };
    object.schema_type = Type::Object.into();
    object.description = Some(description.to_owned());
    object.required = vec!["type".to_owned()];
    let tag = plain(Type::String).enum_values(Some([name]));
    object.properties.insert("type".to_owned(), tag.into());
    match name {
        "top_two" => {
            let beta = maybe_number()
                .description(Some("The leader's part of what the leader and a challenger get."))
                .minimum(Some(0.5))
                .exclusive_maximum(Some(1.0))
                .default(Some(json!(0.5)));
            object.properties.insert("beta".to_owned(), beta.into());
        }
        "epsilon_greedy" => {
            let epsilon = maybe_number()
                .description(Some("The part of units that is spread evenly."))
                .minimum(Some(0.0))
                .maximum(Some(1.0))
                .default(Some(json!(0.1)));
            object.properties.insert("epsilon".to_owned(), epsilon.into());
        }
        _ => {}
    }
    closed(object)
}

fn maybe_number() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(SchemaType::Array(vec![Type::Number, Type::Null]))
}

/// What a merge patch may change of an allocator: the limits, and in a draft the type with its own fields.
#[derive(ToSchema)]
pub(super) struct AllocatorChange {
    /// Only in a draft.
    r#type: Option<AllocatorType>,
    /// Only of `top_two`.
    #[schema(minimum = 0.5, exclusive_maximum = 1)]
    beta: Option<f64>,
    /// Only of `epsilon_greedy`.
    #[schema(minimum = 0, maximum = 1)]
    epsilon: Option<f64>,
    /// The least weight of every active variant.
    #[schema(minimum = 0, maximum = 1)]
    floor: Option<f64>,
    /// The least weight of the control.
    #[schema(minimum = 0, maximum = 1)]
    control_floor: Option<f64>,
    /// Matured units that each variant gets under even weights first.
    #[schema(minimum = 0, maximum = 4_294_967_295_u32)]
    min_units: Option<i64>,
    /// Of these, units with a reward.
    #[schema(minimum = 0, maximum = 4_294_967_295_u32)]
    min_nonzero: Option<i64>,
    /// Weights versions that each variant is seen under first.
    #[schema(minimum = 0, maximum = 4_294_967_295_u32)]
    min_strata: Option<i64>,
    /// In how many days what was learned counts for half; not with `window_days`.
    #[schema(exclusive_minimum = 0, maximum = 3650)]
    half_life_days: Option<f64>,
    /// How many days what was learned counts at all; not with `half_life_days`.
    #[schema(exclusive_minimum = 0, maximum = 3650)]
    window_days: Option<f64>,
    /// The share of units that are assigned evenly, whatever the weights. Only in a draft.
    #[schema(exclusive_minimum = 0, maximum = 0.5)]
    uniform_slice: Option<f64>,
}

/// How weights follow from what is learned.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(super) enum AllocatorType {
    Fixed,
    Thompson,
    TopTwo,
    EpsilonGreedy,
    Ucb1,
}
