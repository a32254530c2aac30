//! Top-two Thompson sampling as weights.

use crate::posterior::{Comparison, Posterior, Posteriors};

use super::weights::Weights;

/// Below this chance of anyone but the leader to be best, quadrature no longer tells the challengers apart.
const CHALLENGED_MIN: f64 = 1e-11;

/// Serves the variant that seems best with probability β, and otherwise the best of the rest.
///
/// With pᵢ the chance to be best, in the limit of redrawing until another variant comes out:
/// `ψᵢ = pᵢ (β + (1 − β) Σⱼ≠ᵢ pⱼ / (1 − pⱼ))`. For learning which variant is best, not for earning: the
/// leader never gets much more than β.
///
/// # Source
///
/// Russo (2020), *Simple Bayesian algorithms for best-arm identification*, Oper. Res. 68(6), 1625–1647,
/// §4.3 (top-two Thompson sampling). <https://doi.org/10.1287/opre.2019.1911>
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TopTwo {
    beta: f64,
}

/// A β that is none.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error(
    "beta is {beta}: it must be at least 0.5 and below 1, or the leader would get less than a challenger"
)]
pub struct BetaOutOfRange {
    /// The number as it was given.
    pub beta: f64,
}

impl Default for TopTwo {
    fn default() -> Self {
        Self { beta: 0.5 }
    }
}

impl TopTwo {
    /// Checks the leader's share.
    ///
    /// # Errors
    ///
    /// [`BetaOutOfRange`] unless `0.5 <= beta < 1.0`.
    pub fn new(beta: f64) -> Result<Self, BetaOutOfRange> {
        if (0.5..1.0).contains(&beta) { Ok(Self { beta }) } else { Err(BetaOutOfRange { beta }) }
    }

    /// The share of the variant that seems best.
    pub fn beta(self) -> f64 {
        self.beta
    }

    pub(super) fn weights(self, comparison: &Comparison, posteriors: &Posteriors) -> Weights {
        let p: Vec<f64> = comparison.p_best().iter().map(|chance| chance.get()).collect();
        if p.len() == 1 {
            return Weights::trusted(p);
        }
        // 1 − pⱼ as the sum of the others keeps its digits where pⱼ is nearly 1.
        let rest = |variant_idx: usize| -> f64 {
            let others = p.iter().enumerate().filter(|(other_idx, _)| *other_idx != variant_idx);
            others.map(|(_, chance)| chance).sum()
        };
        let leader_idx = comparison.leader_idx();
        if rest(leader_idx) < CHALLENGED_MIN {
            return self.against_challengers(leader_idx, posteriors);
        }
        let odds: Vec<f64> = (0..p.len()).map(|variant_idx| p[variant_idx] / rest(variant_idx)).collect();
        let odds_sum: f64 = odds.iter().sum();
        let psi = |(chance, own): (&f64, &f64)| {
            chance * (self.beta + (1.0 - self.beta) * (odds_sum - own).max(0.0))
        };
        let mut psi: Vec<f64> = p.iter().zip(&odds).map(psi).collect();
        // The leader's own odds dwarf the others', so their sum is taken without it.
        let others: f64 =
            odds.iter().enumerate().filter(|(idx, _)| *idx != leader_idx).map(|(_, odds)| odds).sum();
        psi[leader_idx] = p[leader_idx] * (self.beta + (1.0 - self.beta) * others);
        let sum: f64 = psi.iter().sum();
        Weights::trusted(psi.into_iter().map(|weight| weight / sum).collect())
    }

    /// β to the leader, the rest to the others by how likely each would beat it, to leading order:
    /// `exp(−½ (mᵢ − m)² / (sᵢ² + s²))`, the exponent that governs the exact chances far out in the tail.
    fn against_challengers(self, leader_idx: usize, posteriors: &Posteriors) -> Weights {
        let leader = &posteriors.as_slice()[leader_idx];
        let exponent = |(variant_idx, other): (usize, &Posterior)| {
            if variant_idx == leader_idx { f64::NEG_INFINITY } else { -separation(leader, other) }
        };
        let exponents: Vec<f64> = posteriors.as_slice().iter().enumerate().map(exponent).collect();
        let highest = exponents.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let likelihoods: Vec<f64> = exponents.iter().map(|exponent| (exponent - highest).exp()).collect();
        let sum: f64 = likelihoods.iter().sum();
        let mut weights: Vec<f64> = likelihoods.iter().map(|other| (1.0 - self.beta) * other / sum).collect();
        weights[leader_idx] = self.beta;
        Weights::trusted(weights)
    }
}

/// Half the squared distance of the centers in units of their joint standard deviation; finite.
fn separation(a: &Posterior, b: &Posterior) -> f64 {
    let variance = |posterior: &Posterior| posterior.sd().unwrap_or(f64::MAX.sqrt()).powi(2);
    let distance = a.center() - b.center();
    let joint = (variance(a) + variance(b)).max(f64::MIN_POSITIVE);
    (0.5 * distance * distance / joint).min(f64::MAX)
}
