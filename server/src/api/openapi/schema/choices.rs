//! What is chosen for an experiment, each by a word.

use utoipa::ToSchema;

/// Whom we randomize.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(super) enum UnitKind {
    User,
    Device,
    Session,
    Request,
}

/// What becomes of a unit's variant when weights move: `sticky` keeps the first one, `rebalance` follows the weights
/// and moves as few units as it must, `per_decision` draws every decision anew.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(super) enum Stickiness {
    Sticky,
    Rebalance,
    PerDecision,
}

/// What makes an assignment an exposure: the decision itself, or only the event `Experiment Viewed`.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(super) enum ExposureSource {
    Decision,
    Event,
}

/// What sort of value every content of a flag is. An integer lies within ±2^53; a float is always written with its point,
/// such as `8.0`; an object may be a list.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(super) enum ValueType {
    Boolean,
    String,
    Integer,
    Float,
    Object,
}
