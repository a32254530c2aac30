//! What going on could still earn.

use crate::metric::Direction;
use crate::probability::Probability;

use super::curve::{Curve, curves};
use super::quadrature::{AtNodes, Panel};
use super::{Posterior, Posteriors};

/// Halvings of the bracket: to 1e-6 of it.
const N_HALVINGS: usize = 20;

/// A remaining value of more times the leader's is no longer told from this one.
const VALUE_MAX: f64 = 1024.0;

impl Posteriors {
    /// The potential value remaining: what the best variant may still bring over the variant
    /// `leader_idx`, relative to it, exceeded with probability `1 - level` only.
    ///
    /// The `level` quantile of `(θ* − θ_leader)/θ_leader`, where θ* is the best of all variants (the leader
    /// included, so it is never negative); with less being better, of `(θ_leader − θ*)/θ_leader`.
    ///
    /// - `level`: Scott uses 0.95 and stops below 0.01.
    /// - returns: to a thousandth of itself; none if the leader is not known to be above zero, or if `leader_idx` names no variant.
    ///
    /// # Source
    ///
    /// Scott (2015), *Multi-armed bandit experiments in the online service economy*, Appl. Stoch. Models
    /// Bus. Ind. 31(1), 37–45, §4. <https://doi.org/10.1002/asmb.2104>
    pub fn value_remaining(&self, leader_idx: usize, level: Probability) -> Option<f64> {
        let leader = self.as_slice().get(leader_idx)?;
        let positive = 0.0 <= leader.quantile(Probability::rounded(1e-9)) && 0.0 < leader.center();
        if !positive {
            return None;
        }
        let mut others = self.as_slice().to_vec();
        others.remove(leader_idx);
        let belief = Belief::of(&curves(self)[leader_idx]);
        let exceeds = |value: f64| self.chance_within(&belief, &others, value) < level.get();
        if !exceeds(0.0) {
            return Some(0.0);
        }
        let (mut low, mut high) = (0.0, 1.0);
        while self.direction() == Direction::Increase && high < VALUE_MAX && exceeds(high) {
            low = high;
            high *= 2.0;
        }
        for _ in 0..N_HALVINGS {
            let middle = f64::midpoint(low, high);
            if exceeds(middle) {
                low = middle;
            } else {
                high = middle;
            }
        }
        Some(high)
    }

    /// The chance that no other variant is better than the leader by more than `value` of the leader.
    fn chance_within(&self, leader: &Belief, others: &[Posterior], value: f64) -> f64 {
        let none_better = |level: f64| -> f64 {
            let chance = |other: &Posterior| match self.direction() {
                Direction::Increase => other.cdf(level * (1.0 + value)).get(),
                Direction::Decrease => 1.0 - other.cdf(level * (1.0 - value)).get(),
            };
            others.iter().map(chance).product()
        };
        leader
            .panels
            .iter()
            .map(|(panel, levels, densities)| {
                let integrand =
                    std::array::from_fn(|node_idx| densities[node_idx] * none_better(levels[node_idx]));
                panel.integral(&integrand)
            })
            .sum()
    }
}

/// The leader's density, tabulated.
struct Belief {
    /// Each panel with the leader's values at its nodes, and their densities.
    panels: Vec<(Panel, AtNodes, AtNodes)>,
}

impl Belief {
    fn of(curve: &Curve) -> Self {
        let panels = curve.panels().map(|panel| {
            let nodes = panel.nodes();
            (panel, curve.values(&nodes), curve.densities(&nodes))
        });
        Self { panels: panels.collect() }
    }
}
