//! One flag for one unit, as OFREP answers it.

use super::Key;
use serde_json::Value;
use utoipa::ToSchema;

/// Why a unit gets what it gets. `SPLIT`: it is in a running experiment. `STATIC`: everyone gets this.
/// `TARGETING_MATCH`: a condition of a rule holds. `DISABLED`: the control or the fallback, because what answers is not on
/// or the unit is outside or held out. `UNKNOWN`: the same, because something failed.
#[derive(ToSchema)]
#[schema(rename_all = "SCREAMING_SNAKE_CASE")]
enum EvaluationReason {
    Split,
    Static,
    TargetingMatch,
    Disabled,
    Unknown,
}

/// How it came to that.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
struct EvaluationMetadata {
    /// The experiment that the unit is in; absent if it is in none.
    #[schema(nullable = false)]
    experiment_id: Option<Key>,
    /// The weights version that the unit was assigned under.
    #[schema(nullable = false, minimum = 1)]
    version: Option<u32>,
    /// The probability at which it was assigned its variant.
    #[schema(nullable = false, exclusive_minimum = 0, maximum = 1)]
    propensity: Option<f64>,
    /// Proves the assignment: given back as the attribute `podium_sticky`, the unit keeps its variant even where the store
    /// has lost it.
    #[schema(nullable = false)]
    sticky: Option<String>,
    /// What traces call the unit (`feature_flag.context.id`): always the same, and nobody can tell from it who it is.
    #[schema(nullable = false, examples("5f3a0c1d9e8b7a6f5e4d3c2b1a099887"))]
    context_id: Option<String>,
    /// What the log calls this decision; `GET /api/v1/decisions/{id}/explain` explains it.
    #[schema(nullable = false, format = "uuid")]
    decision_id: Option<String>,
    /// Whether a link wanted it: nothing is logged, and it counts nowhere; absent if not.
    #[schema(nullable = false)]
    forced: Option<bool>,
    /// Whether it was decided, but without all that should have been known, or the log could not be told.
    degraded: bool,
}

/// What a unit gets for a flag.
#[derive(ToSchema)]
pub(in crate::api::openapi) struct Evaluation {
    /// The flag as it was asked for.
    key: String,
    /// The content of the variant: any JSON.
    #[schema(required = true)]
    value: Value,
    /// Why.
    reason: EvaluationReason,
    /// The variant.
    variant: Key,
    /// How it came to that.
    metadata: EvaluationMetadata,
}

/// Why a flag was not evaluated.
#[derive(ToSchema)]
#[schema(rename_all = "SCREAMING_SNAKE_CASE")]
enum EvaluationErrorCode {
    TargetingKeyMissing,
    InvalidContext,
    FlagNotFound,
    General,
}

/// That a flag was not evaluated.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(in crate::api::openapi) struct EvaluationError {
    /// The flag as it was asked for; absent if it has no part in it.
    #[schema(nullable = false)]
    key: Option<String>,
    /// Why, for programs; absent if it is our fault.
    #[schema(nullable = false)]
    error_code: Option<EvaluationErrorCode>,
    /// Why, for people.
    error_details: String,
}
