//! Plans: how long an experiment would have to run.

use super::{by_hand, closed, object_of};
use utoipa::ToSchema;

/// How often data is looked at: `once`, when all units are there, or `always`, as often as one likes.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
enum Looks {
    Once,
    Always,
}

/// What is known of a metric and its traffic, and one question: give `lift`, `units_per_variant` or `days`.
#[derive(ToSchema)]
struct PlanFields {
    /// The control's rate, mean or ratio; a rate is above 0 and below 1.
    #[schema(examples(0.02))]
    baseline: f64,
    /// The standard deviation of a unit's value; the baseline is a rate if absent. Of a ratio, that of the unit's
    /// linearized value (y − R·d) / d̄.
    #[schema(exclusive_minimum = 0)]
    sd: Option<f64>,
    /// The relative difference to be found: how many units does it need?
    #[schema(examples(0.1))]
    lift: Option<f64>,
    /// How many units each variant gets: which lift do they find?
    #[schema(minimum = 0)]
    units_per_variant: Option<u64>,
    /// How many days it runs, with the window of the last unit; needs `units_per_day`: which lift do they find?
    #[schema(exclusive_minimum = 0)]
    days: Option<f64>,
    /// How many variants there are with the control, which share units evenly.
    #[schema(required = false, default = 2, minimum = 2, maximum = 128)]
    n_variants: u32,
    /// The chance that any variant is called different although none is.
    #[schema(required = false, default = 0.05, exclusive_minimum = 0, exclusive_maximum = 1)]
    alpha: f64,
    /// The chance that a variant with the difference is found.
    #[schema(required = false, default = 0.8, exclusive_minimum = 0, exclusive_maximum = 1)]
    power: f64,
    /// How often data is looked at.
    #[schema(required = false, default = "always")]
    looks: Looks,
    /// How many units come in a day, all variants together.
    #[schema(exclusive_minimum = 0)]
    units_per_day: Option<f64>,
    /// How long after its first exposure a unit's events count, in seconds.
    #[schema(required = false, default = 259_200, minimum = 0, maximum = 316_224_000)]
    window_s: i64,
}

/// What is known of a metric and its traffic, and one question.
pub(in crate::api::openapi) struct PlanRequest;

by_hand!(PlanRequest, closed(object_of::<PlanFields>()).into(), PlanFields::schemas);

/// What an experiment needs, or finds.
#[derive(ToSchema)]
pub(in crate::api::openapi) struct Plan {
    /// The relative difference that is found; null if none is large enough, or the baseline is not above 0.
    #[schema(required = true)]
    lift: Option<f64>,
    /// The same in the metric's unit.
    #[schema(required = true)]
    difference: Option<f64>,
    /// How many units each variant needs, or was given.
    units_per_variant: u64,
    /// How many all variants need together.
    units: u64,
    /// How many each would need if data were looked at once, at the end; null where units or days were given.
    #[schema(required = true)]
    units_per_variant_once: Option<u64>,
    /// How many days that takes, with the window of the last unit; null where the traffic is not known.
    #[schema(required = true)]
    days: Option<f64>,
}
