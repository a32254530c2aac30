//! Decisions, asked for, answered and explained.

use super::{Key, Share, Time, UnitId, by_hand, closed, object_of, one_of, plain};
use serde_json::Value;
use std::collections::BTreeMap;
use utoipa::ToSchema;
use utoipa::openapi::schema::Type;

/// A flag with what to answer if there is none.
#[derive(ToSchema)]
struct FlagWithDefault {
    /// The name of the flag.
    #[schema(examples("checkout-banner"))]
    key: String,
    /// What to answer if there is no such flag: any JSON, null if absent.
    #[schema(required = false)]
    default: Value,
}

/// A flag by its key, perhaps with what to answer if there is none.
struct FlagAsked;

by_hand!(
    FlagAsked,
    one_of(
        "A flag by its key, perhaps with what to answer if there is none.",
        [
            plain(Type::String).examples(["checkout-banner"]).into(),
            closed(object_of::<FlagWithDefault>()).into(),
        ],
    )
);

/// Which flags to decide for which units. Give `unit` or `units`, and at most 10,000 decisions: units times flags.
#[derive(ToSchema)]
struct DecideFields {
    /// One unit …
    unit: Option<UnitId>,
    /// … or many: 1 to 1,000.
    #[schema(required = false, max_items = 1000)]
    units: Vec<UnitId>,
    /// What to decide.
    #[schema(min_items = 1, max_items = 100)]
    flags: Vec<FlagAsked>,
    /// Whether the answer is an exposure, where the experiment counts decisions as such; `false` for previews.
    #[schema(required = false, default = true)]
    exposure: bool,
    /// What is known of the unit: texts and numbers fill the placeholders of a rendered content, and `podium_preview` has
    /// the tokens of links that show one variant.
    context: Option<BTreeMap<String, Value>>,
    /// The channel that shows it: where it has rendered the content of a variant, the answer has it as it was
    /// rendered, by the names of its parts.
    #[schema(examples("web"))]
    channel: Option<String>,
}

/// Which flags to decide for which units.
pub(in crate::api::openapi) struct DecideRequest;

by_hand!(DecideRequest, closed(object_of::<DecideFields>()).into(), DecideFields::schemas);

/// Why a unit gets what it gets. `SPLIT`: it is in a running experiment. `STATIC`: everyone gets this.
/// `TARGETING_MATCH`: a condition of an experience holds. `DISABLED`: the control or the fallback, because what is asked
/// for is not on or the unit is outside. `UNKNOWN`: the control or the fallback, because rules that hit break their hit
/// policy, or what is known of the unit, here or in another system, could not be had in time. `DEFAULT`: there is
/// no such flag.
#[derive(ToSchema)]
#[schema(rename_all = "SCREAMING_SNAKE_CASE")]
enum Reason {
    Split,
    Static,
    TargetingMatch,
    Disabled,
    Unknown,
    Default,
}

/// Why a flag was not decided.
#[derive(ToSchema)]
#[schema(rename_all = "SCREAMING_SNAKE_CASE")]
enum ErrorCode {
    FlagNotFound,
}

/// How rules that hit break the hit policy: several where one may, or different contents where they must be the same.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(super) enum Violation {
    SeveralHits,
    DifferentOutputs,
}

/// What one unit gets for one flag.
#[derive(ToSchema)]
pub(super) struct Decision {
    /// The flag as it was asked for.
    flag: String,
    /// The unit as it was asked for.
    unit: String,
    /// The experiment behind the flag; absent if there is none.
    #[schema(nullable = false)]
    experiment: Option<Key>,
    /// The experience that answers; absent if an experiment does, or nothing.
    #[schema(nullable = false)]
    experience: Option<Key>,
    /// The rules of the experience that the value is of; absent if it is the fallback.
    #[schema(nullable = false)]
    rules: Option<Vec<Key>>,
    /// The variant, or the variants that the value is made of with `+` between them; null if there is no such flag.
    #[schema(required = true, examples("banner"))]
    variant: Option<String>,
    /// The content of the variant, what is made of several, or the caller's default: any JSON.
    #[schema(required = true)]
    value: Value,
    /// Why.
    reason: Reason,
    /// What is wrong with the rules that hit; absent if nothing is.
    #[schema(nullable = false)]
    violation: Option<Violation>,
    /// The probability at which the unit was assigned its variant; only where it was assigned.
    #[schema(nullable = false, exclusive_minimum = 0, maximum = 1)]
    propensity: Option<f64>,
    /// The weights version that the unit was assigned under; only where it was assigned.
    #[schema(nullable = false, minimum = 1)]
    weights_version: Option<u32>,
    /// What the log calls this decision; `GET /api/v1/decisions/{id}/explain` explains it.
    #[schema(nullable = false, format = "uuid")]
    decision_id: Option<String>,
    /// Whether a link wanted it: nothing is logged, and it counts nowhere; absent if not.
    #[schema(nullable = false)]
    forced: Option<bool>,
    /// Whether it was decided without all that should have been known of the unit, here or in another system; absent if
    /// not.
    #[schema(nullable = false)]
    degraded: Option<bool>,
    /// Why it was not decided; absent if it was.
    #[schema(nullable = false)]
    error_code: Option<ErrorCode>,
}

/// What the units get: flags in the order they were asked for, and under each flag the units in theirs.
#[derive(ToSchema)]
pub(in crate::api::openapi) struct Decisions {
    /// One for each flag and unit.
    decisions: Vec<Decision>,
    /// Counts every change of what decisions are made on, since the server started.
    snapshot_version: u64,
}

/// What the decision comes to when it is computed again.
#[derive(ToSchema)]
struct Recomputed {
    /// The variant.
    #[schema(required = true)]
    variant: Option<Key>,
    /// The probability of the assignment.
    #[schema(required = true)]
    propensity: Option<Share>,
}

/// A logged decision; of an experiment with the same one computed again.
#[derive(ToSchema)]
pub(in crate::api::openapi) struct Explanation {
    /// What the log calls it.
    decision_id: String,
    /// When it was made.
    decided_at: Time,
    /// The flag that was asked for.
    flag: String,
    /// The experiment behind it; absent if an experience answered.
    #[schema(nullable = false)]
    experiment: Option<Key>,
    /// The version of the experiment.
    #[schema(nullable = false, minimum = 1)]
    experiment_version: Option<u32>,
    /// The experience that answered; absent if an experiment did.
    #[schema(nullable = false)]
    experience: Option<Key>,
    /// The rules of the experience that hit.
    #[schema(nullable = false)]
    rules: Option<Vec<Key>>,
    /// The unit; where every decision is drawn anew, the decision's own id.
    unit: String,
    /// The id that asked, if it is another one of the unit's person.
    #[schema(nullable = false)]
    asked_as: Option<String>,
    /// The variant it got, or several with `+` between them.
    #[schema(required = true)]
    variant: Option<String>,
    /// Why.
    reason: Reason,
    /// The probability at which it was assigned; none if it was not.
    #[schema(required = true)]
    propensity: Option<Share>,
    /// The weights version that it was assigned under; none if it was not.
    #[schema(required = true)]
    weights_version: Option<u32>,
    /// The weights version that was in force when it was asked.
    #[schema(nullable = false)]
    asked_under_version: Option<u32>,
    /// What it comes to when it is computed again; only of an experiment.
    #[schema(nullable = false)]
    recomputed: Option<Recomputed>,
    /// Whether both are the same; only of an experiment.
    #[schema(nullable = false)]
    agrees: Option<bool>,
    /// How it comes to that, for people.
    steps: Vec<String>,
}
