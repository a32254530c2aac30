//! ε-greedy as weights.

use crate::metric::Direction;
use crate::posterior::Posteriors;
use crate::probability::Probability;

use super::weights::Weights;

/// Serves the variant with the best posterior mean, and with probability ε any variant, evenly.
///
/// Variants with equal means share the greedy part.
///
/// # Source
///
/// Auer, Cesa-Bianchi & Fischer (2002), *Finite-time analysis of the multiarmed bandit problem*, Mach. Learn.
/// 47, 235–256, §1. <https://doi.org/10.1023/A:1013689704352>; ε stays constant here.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EpsilonGreedy {
    /// The probability to explore; 0.1 by default.
    pub epsilon: Probability,
}

impl Default for EpsilonGreedy {
    fn default() -> Self {
        Self { epsilon: Probability::rounded(0.1) }
    }
}

impl EpsilonGreedy {
    pub(super) fn weights(self, posteriors: &Posteriors) -> Weights {
        let sign = match posteriors.direction() {
            Direction::Increase => 1.0,
            Direction::Decrease => -1.0,
        };
        let values: Vec<f64> =
            posteriors.as_slice().iter().map(|posterior| sign * posterior.center()).collect();
        let even = self.epsilon.get() / values.len() as f64;
        let greedy = self.epsilon.complement().get();
        let best = highest(&values);
        Weights::trusted(best.into_iter().map(|share| even + greedy * share).collect())
    }
}

/// 1 on the highest value, shared evenly between equals.
pub(super) fn highest(values: &[f64]) -> Vec<f64> {
    let highest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let n_highest = values.iter().filter(|value| value.total_cmp(&highest).is_eq()).count();
    let share = 1.0 / n_highest.max(1) as f64;
    values.iter().map(|value| if value.total_cmp(&highest).is_eq() { share } else { 0.0 }).collect()
}
