//! What is done without a person.

use super::{by_hand, closed, object_of};
use utoipa::ToSchema;

/// What is done when a variant wins: it is reported, or the experiment is concluded and everyone gets the winner.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(super) enum OnWinner {
    Report,
    Conclude,
}

/// What is done when a variant does harm: it is reported, or the variant is taken out (the experiment paused, if only
/// the control would be left).
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(super) enum OnHarm {
    Report,
    Stop,
}

/// What is done without a person once there is a verdict. Everything done so is in the history, and can be undone.
#[derive(ToSchema)]
pub(super) struct AutomationFields {
    /// When a variant wins.
    #[schema(required = false, default = "report")]
    on_winner: OnWinner,
    /// When a variant is worse than the control, or breaches a guardrail.
    #[schema(required = false, default = "stop")]
    on_harm: OnHarm,
    /// Whether what would be done is only written down.
    #[schema(required = false, default = false)]
    dry_run: bool,
}

/// What is done without a person once there is a verdict.
pub(super) struct Automation;

by_hand!(Automation, closed(object_of::<AutomationFields>()).into(), AutomationFields::schemas);
