//! What is judged: which variant it would show, row by row.

use super::ReplayError;
use crate::allocation::{
    AllocationInput, AllocatorConfig, ArmState, ArmStratum, Weights, WeightsVersionDraft, next_weights,
    units_due,
};
use crate::metric::{Direction, MetricKind, UnitValue, VariantSums};

/// A way to choose variants.
#[derive(Clone, Debug)]
pub enum Policy {
    /// Weights that never move, for each context in turn.
    Fixed(Vec<Weights>),
    /// An allocator that learns from the rows it is given, whatever their context.
    Learning(Box<Learner>),
}

/// An allocator that learns row by row, one weights version after the other.
#[derive(Clone, Debug)]
pub struct Learner {
    config: AllocatorConfig,
    kind: MetricKind,
    version_rows: u32,
    arms: Vec<ArmState>,
    /// What the rows under earlier versions brought.
    learned: Vec<ArmStratum>,
    /// What the rows under the present version brought; learned from when it ends.
    pending: Vec<VariantSums>,
    n_pending: u64,
    n_rows: u64,
    draft: WeightsVersionDraft,
    version: u32,
}

impl Policy {
    /// An allocator that knows nothing yet, with no control among the variants; more is better.
    ///
    /// - `version_rows`: how many rows it learns from at a time, at least 1; a hundredth of all so far where that is
    ///   more, as in [`VersionAge`](crate::allocation::VersionAge).
    ///
    /// # Errors
    ///
    /// [`ReplayError::Allocation`] if so many variants have no weights.
    pub fn learning(
        config: AllocatorConfig,
        kind: MetricKind,
        n_variants: usize,
        version_rows: u32,
    ) -> Result<Self, ReplayError> {
        let arms = vec![ArmState { strata: 0, share: 1.0 }; n_variants];
        let pending = vec![VariantSums::default(); n_variants];
        let draft = next(&config, kind, &arms, &[])?;
        let learner = Learner {
            config,
            kind,
            version_rows: version_rows.max(1),
            arms,
            learned: Vec::new(),
            pending,
            n_pending: 0,
            n_rows: 0,
            draft,
            version: 1,
        };
        Ok(Self::Learning(Box::new(learner)))
    }

    /// The weights that the next row is drawn with; none for a context it does not know.
    pub fn weights(&self, context_idx: usize) -> Option<&Weights> {
        match self {
            Self::Fixed(weights) => weights.get(context_idx),
            Self::Learning(learner) => Some(&learner.draft.weights),
        }
    }

    /// How many contexts it tells apart; none if it looks at no context.
    pub fn n_contexts(&self) -> Option<usize> {
        match self {
            Self::Fixed(weights) => Some(weights.len()),
            Self::Learning(_) => None,
        }
    }

    /// Which weights version it is at, from 1.
    pub fn version(&self) -> u32 {
        match self {
            Self::Fixed(_) => 1,
            Self::Learning(learner) => learner.version,
        }
    }

    /// Lets it know what a variant brought; one it does not know teaches nothing.
    ///
    /// # Errors
    ///
    /// [`ReplayError::Allocation`] if there are no next weights.
    pub fn learn(&mut self, variant_idx: usize, value: UnitValue) -> Result<(), ReplayError> {
        match self {
            Self::Fixed(_) => Ok(()),
            Self::Learning(learner) => learner.learn(variant_idx, value),
        }
    }
}

impl Learner {
    fn learn(&mut self, variant_idx: usize, value: UnitValue) -> Result<(), ReplayError> {
        let Some(sums) = self.pending.get_mut(variant_idx) else { return Ok(()) };
        sums.add(value);
        self.n_pending += 1;
        self.n_rows += 1;
        if units_due(self.version_rows.into(), self.n_rows) <= self.n_pending {
            self.publish()?;
        }
        Ok(())
    }

    /// Ends the weights version: learns from its rows and makes the next weights.
    fn publish(&mut self) -> Result<(), ReplayError> {
        let sums = self.pending.iter_mut().map(std::mem::take).collect();
        self.learned.push(ArmStratum { age_days: 0.0, sums });
        self.arms.iter_mut().for_each(|arm| arm.strata += 1);
        self.draft = next(&self.config, self.kind, &self.arms, &self.learned)?;
        self.n_pending = 0;
        self.version += 1;
        Ok(())
    }
}

fn next(
    config: &AllocatorConfig,
    kind: MetricKind,
    arms: &[ArmState],
    strata: &[ArmStratum],
) -> Result<WeightsVersionDraft, ReplayError> {
    let input = AllocationInput { kind, direction: Direction::Increase, control_idx: None, arms, strata };
    Ok(next_weights(config, &input)?)
}
