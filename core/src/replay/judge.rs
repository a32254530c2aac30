//! Reading a log for a policy, row by row.

use super::reward_model::RewardModel;
use super::{Judged, LoggedRow, Policy, ReplayError};

/// A policy that is asked of each row how likely it would have shown the variant.
///
/// What it is asked of a row it knows from earlier rows alone: an allocator learns from a row, and so do the rewards
/// that are expected, after the row was judged. So the estimates are those of the allocator as it becomes while it
/// reads this log, in this log's order.
#[derive(Clone, Debug)]
pub struct Judge {
    policy: Policy,
    model: RewardModel,
    n_variants: usize,
    n_contexts: usize,
    rows: Vec<Judged>,
}

impl Judge {
    /// Starts with no row read.
    pub fn new(policy: Policy, n_variants: usize, n_contexts: usize) -> Self {
        let model = RewardModel::new(n_variants, n_contexts);
        Self { policy, model, n_variants, n_contexts, rows: Vec::new() }
    }

    /// Judges one row.
    ///
    /// # Errors
    ///
    /// [`ReplayError`] if the row shows an unknown variant or context, or cannot have been shown at all; or if there
    /// are no next weights.
    pub fn read(&mut self, row: &LoggedRow) -> Result<(), ReplayError> {
        let &LoggedRow { context_idx, variant_idx, propensity, value } = row;
        let (n_variants, n_contexts) = (self.n_variants, self.n_contexts);
        let row = self.rows.len() as u64 + 1;
        if n_variants <= variant_idx {
            return Err(ReplayError::Variant { row, variant_idx, n_variants });
        }
        if !(0.0 < propensity && propensity <= 1.0) {
            return Err(ReplayError::Propensity { row, propensity });
        }
        let weights = self.policy.weights(context_idx).filter(|_| context_idx < n_contexts);
        let weights = weights.ok_or(ReplayError::Context { row, context_idx, n_contexts })?;
        let (mut expected, mut expected_by_policy) = (0.0, 0.0);
        for (idx, reward) in self.model.expected(context_idx).enumerate() {
            expected_by_policy += weights.get(idx) * reward;
            if idx == variant_idx {
                expected = reward;
            }
        }
        let reward = value.numerator() as f64;
        let weight = weights.get(variant_idx) / propensity;
        self.rows.push(Judged { weight, reward, expected, expected_by_policy });
        self.model.learn(context_idx, variant_idx, reward);
        self.policy.learn(variant_idx, value)
    }

    /// The rows that were read, in their order.
    pub fn rows(&self) -> &[Judged] {
        &self.rows
    }
}
