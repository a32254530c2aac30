//! Judging a policy on a log that another policy wrote.
//!
//! A log says of each row which variant was shown, at what probability, and what it brought. A [`Policy`] that would
//! have shown others is judged in two ways. [`Judge`] weighs each row by how much likelier the policy shows its
//! variant than the log did (IPS, SNIPS, and DR with a model of the rewards), and says nothing where few rows carry
//! all the weight ([`Evaluation`]). [`Replay`] needs a log whose variants were drawn evenly and lets a row count only
//! where the policy draws the same variant.

mod evaluation;
mod judge;
mod observed_rate;
mod policy;
mod rejection;
mod reward_model;

pub use evaluation::{
    EFFECTIVE_MIN, Estimate, Estimates, Evaluation, Judged, Resampling, TooLittle, WEIGHT_SHARE_MAX,
};
pub use judge::Judge;
pub use observed_rate::ObservedRate;
pub use policy::{Learner, Policy};
pub use rejection::{Accepted, Replay};

use crate::allocation::AllocationError;
use crate::metric::{UnitValue, ValueOutOfRange};

/// One row of a log.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LoggedRow {
    /// What was known before, as one of so many cases; 0 where nothing was.
    pub context_idx: usize,
    /// Which variant was shown, counted from 0.
    pub variant_idx: usize,
    /// The probability at which it was shown, given the context, `0 < propensity <= 1`.
    pub propensity: f64,
    /// What it brought.
    pub value: UnitValue,
}

/// Why a log cannot be judged on.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// There are no next weights.
    #[error(transparent)]
    Allocation(#[from] AllocationError),
    /// A reward that no metric may yield.
    #[error(transparent)]
    Value(#[from] ValueOutOfRange),
    /// The log shows a variant that the policy does not know.
    #[error("row {row} of the log shows variant {variant_idx} of {n_variants}")]
    Variant {
        /// Which row, from 1.
        row: u64,
        /// The variant it shows.
        variant_idx: usize,
        /// How many variants there are.
        n_variants: usize,
    },
    /// The policy has no weights for a row's context.
    #[error("row {row} of the log has context {context_idx} of {n_contexts}")]
    Context {
        /// Which row, from 1.
        row: u64,
        /// Its context.
        context_idx: usize,
        /// How many contexts there are.
        n_contexts: usize,
    },
    /// A row that cannot have been.
    #[error("row {row} of the log has propensity {propensity}: it must be above 0 and at most 1")]
    Propensity {
        /// Which row, from 1.
        row: u64,
        /// The probability as it was given.
        propensity: f64,
    },
}
