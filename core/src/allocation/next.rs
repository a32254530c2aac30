//! From the sums of the active variants to the next weights version.

use serde::{Deserialize, Serialize};

use crate::inference::moments::Moments;
use crate::metric::{Direction, MetricKind, VariantSums};
use crate::posterior::{Comparison, NoPosteriors, Posteriors, check};
use crate::probability::Probability;

use super::config::{Allocator, AllocatorConfig};
use super::drift::{ArmStratum, without_drift};
use super::exploration::{Exploration, place};
use super::fixed::Fixed;
use super::floors::{even_above, level};
use super::thompson::Thompson;
use super::ucb1::Ucb1;
use super::weights::{FloorTooHigh, NotWeights, Weights};

/// What is known of the active variants. A removed variant is not among them: it gets nothing.
#[derive(Clone, Copy, Debug)]
pub struct AllocationInput<'a> {
    /// What sort of number the primary metric yields.
    pub kind: MetricKind,
    /// Which way is better.
    pub direction: Direction,
    /// Which of `arms` is the control, if it is still active.
    pub control_idx: Option<usize>,
    /// The active variants, 1 to [`VARIANTS_MAX`](crate::posterior::VARIANTS_MAX).
    pub arms: &'a [ArmState],
    /// The matured units of these, in any order.
    pub strata: &'a [ArmStratum],
}

/// What is known of one active variant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ArmState {
    /// Weights versions so far under which it could be assigned. A variant with fewer than another came later.
    pub strata: u32,
    /// Its registered share, for a fixed split; shares need not sum to 1.
    pub share: f64,
}

/// Weights with the beliefs behind them, to be published as the next weights version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WeightsVersionDraft {
    /// The weights, in the order of the active variants.
    pub weights: Weights,
    /// Why they are what they are.
    pub phase: Phase,
    /// What is believed of each active variant, in the same order.
    pub beliefs: Vec<VariantBelief>,
}

/// Why weights are what they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// The registered split.
    Fixed,
    /// Even, until each of the first variants has its minimum.
    Exploring,
    /// By the allocator.
    Allocating,
}

/// What is believed of one variant.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct VariantBelief {
    /// The chance that it is the best one.
    pub p_best: Probability,
    /// The chance that it is better than the control; none for the control, and without one.
    pub beats_control: Option<Probability>,
    /// What serving it loses per unit if another is better, in the metric's unit; none while infinite.
    pub expected_loss: Option<f64>,
    /// The posterior mean, in the metric's unit; none as long as there is none.
    pub mean: Option<f64>,
    /// The posterior standard deviation, in the metric's unit; none as long as there is none.
    pub sd: Option<f64>,
}

/// Why there are no next weights.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AllocationError {
    /// The number of variants, or sums that contradict each other.
    #[error(transparent)]
    Posteriors(#[from] NoPosteriors),
    /// The floors leave less than nothing.
    #[error(transparent)]
    FloorTooHigh(#[from] FloorTooHigh),
    /// The registered shares are no weights.
    #[error(transparent)]
    Shares(#[from] NotWeights),
}

/// Computes the next weights, and what is believed, from the matured sums of the active variants in each stratum.
///
/// - What is believed is free of a level that moves for all variants, and forgets as configured.
/// - A fixed split keeps the registered shares.
/// - Otherwise weights are even until each of the first variants has its exploration minimum, then the
///   allocator's above the floors. A variant that came later gets the even share, taken proportionally from
///   the others, until it has its own minimum.
/// - Every weight is at least its floor, and above zero: a weight of zero says that a variant was taken out.
///   Under Thompson and top-two no variant gets more than the one most likely to be best, unless a floor or a
///   newcomer's even share is more.
///
/// # Errors
///
/// [`AllocationError`] if there are too few or too many variants, floors that sum to more than 1, shares that
/// are no weights, or sums that no data gives. Too little data is no error: weights are even then.
pub fn next_weights(
    config: &AllocatorConfig,
    input: &AllocationInput<'_>,
) -> Result<WeightsVersionDraft, AllocationError> {
    let even = Weights::uniform(input.arms.len())?;
    let totals = input.totals();
    for (arm_idx, total) in totals.iter().enumerate() {
        check(input.kind, arm_idx, total)?;
    }
    let known = without_drift(input.kind, config.memory, input.strata, input.arms.len());
    let posteriors = match Posteriors::from_moments(input.kind, input.direction, &known) {
        Ok(posteriors) => Some(posteriors),
        Err(NoPosteriors::NoScale { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    let compared = posteriors.map(|posteriors| {
        let comparison = posteriors.compare(input.control_idx.unwrap_or(0));
        (posteriors, comparison)
    });
    let (weights, phase) = if let Allocator::Fixed(Fixed) = config.allocator {
        (Fixed::weights(input.arms)?, Phase::Fixed)
    } else {
        let floors = config.floors.resolve(input.arms.len(), input.control_idx)?;
        match (Exploration::of(input.arms, &totals, config.exploration), &compared) {
            (Exploration::Newcomers { established }, Some(compared)) => (
                Allocation { config, input, known: &known, established, floors }
                    .weights(compared)?
                    .all_positive(),
                Phase::Allocating,
            ),
            _ => (even_above(&floors, even)?, Phase::Exploring),
        }
    };
    let beliefs = beliefs(input, compared.as_ref());
    Ok(WeightsVersionDraft { weights, phase, beliefs })
}

/// One allocation among variants that have their minimum.
struct Allocation<'a> {
    config: &'a AllocatorConfig,
    input: &'a AllocationInput<'a>,
    /// What is known of each of the arms.
    known: &'a [Moments],
    /// The variants that have it, ascending.
    established: Vec<usize>,
    floors: Vec<Probability>,
}

impl Allocation<'_> {
    fn weights(
        &self,
        (posteriors, comparison): &(Posteriors, Comparison),
    ) -> Result<Weights, AllocationError> {
        if self.established.len() == self.input.arms.len() {
            return self.among(posteriors, comparison);
        }
        let posteriors = posteriors.subset(&self.established)?;
        let comparison = posteriors.compare(0);
        self.among(&posteriors, &comparison)
    }

    /// The weights of all variants, from what is believed of the established ones.
    fn among(&self, posteriors: &Posteriors, comparison: &Comparison) -> Result<Weights, AllocationError> {
        let (inner, levels) = match self.config.allocator {
            Allocator::Fixed(Fixed) => return Fixed::weights(self.input.arms),
            Allocator::Thompson(Thompson) => (Thompson::weights(comparison), true),
            Allocator::TopTwo(top_two) => (top_two.weights(comparison, posteriors), true),
            Allocator::EpsilonGreedy(epsilon_greedy) => (epsilon_greedy.weights(posteriors), false),
            Allocator::Ucb1(Ucb1) => {
                let known: Vec<_> =
                    self.established.iter().map(|&variant_idx| self.known[variant_idx]).collect();
                (Ucb1::weights(self.input.kind, self.input.direction, &known), false)
            }
        };
        let weights = place(&inner, &self.established, &self.floors)?;
        let leader_idx = self.established[comparison.leader_idx()];
        Ok(match self.input.control_idx {
            Some(control_idx) if levels && self.established.contains(&control_idx) => {
                level(weights, leader_idx, control_idx, self.floors[control_idx])
            }
            _ => weights,
        })
    }
}

impl AllocationInput<'_> {
    /// The sums of each variant over all strata.
    fn totals(&self) -> Vec<VariantSums> {
        let mut totals = vec![VariantSums::default(); self.arms.len()];
        for stratum in self.strata {
            totals.iter_mut().zip(&stratum.sums).for_each(|(total, sums)| total.merge(sums));
        }
        totals
    }
}

fn beliefs(input: &AllocationInput<'_>, compared: Option<&(Posteriors, Comparison)>) -> Vec<VariantBelief> {
    let even = Probability::rounded(1.0 / input.arms.len() as f64);
    let belief = |variant_idx: usize| match compared {
        None => {
            VariantBelief { p_best: even, beats_control: None, expected_loss: None, mean: None, sd: None }
        }
        Some((posteriors, comparison)) => {
            let posterior = &posteriors.as_slice()[variant_idx];
            let compared = input.control_idx.is_some_and(|control_idx| control_idx != variant_idx);
            VariantBelief {
                p_best: comparison.p_best()[variant_idx],
                beats_control: compared.then(|| comparison.beats_reference()[variant_idx]),
                expected_loss: comparison.expected_loss()[variant_idx],
                mean: posterior.mean(),
                sd: posterior.sd(),
            }
        }
    };
    (0..input.arms.len()).map(belief).collect()
}
