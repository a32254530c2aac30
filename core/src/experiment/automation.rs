//! What is done without a person.

use serde::{Deserialize, Serialize};

/// What is done without a person once there is a verdict. Everything done so is in the history, and can be undone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Automation {
    /// When a variant wins.
    #[serde(default)]
    pub on_winner: OnWinner,
    /// When a variant does harm: it is worse than the control, or it breaches a guardrail.
    #[serde(default)]
    pub on_harm: OnHarm,
    /// Whether what would be done is only written down.
    #[serde(default)]
    pub dry_run: bool,
}

/// What is done when a variant wins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum OnWinner {
    /// It is reported.
    #[default]
    Report,
    /// The experiment is concluded, and everyone gets the winner.
    Conclude,
}

/// What is done when a variant does harm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum OnHarm {
    /// It is reported.
    Report,
    /// The variant is taken out; if only the control would be left, the experiment is paused, so that everyone gets
    /// the control.
    #[default]
    Stop,
}
