//! What going on could still earn.

use crate::metric::Direction;
use crate::probability::Probability;

use super::quadrature::{AtNodes, Panel};
use super::{Posterior, Posteriors};

/// Panels over the leader's belief, in equal shares of probability.
const N_PANELS: u32 = 8;

/// Halvings of the bracket: to 1e-6 of it.
const N_HALVINGS: usize = 20;

/// A remaining value above 100,000 % is no longer searched.
const VALUE_MAX: f64 = 1000.0;

impl Posteriors {
    /// The potential value remaining: what the best variant may still bring over the variant
    /// `leader_idx`, relative to it, exceeded with probability `1 - level` only.
    ///
    /// The `level` quantile of `(θ* − θ_leader)/θ_leader`, where θ* is the best of all variants (the leader
    /// included, so it is never negative); with less being better, of `(θ_leader − θ*)/θ_leader`.
    ///
    /// - `level`: Scott uses 0.95 and stops below 0.01.
    /// - returns: none if the leader is not known to be above zero, or if `leader_idx` names no variant.
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
        let leader_levels = levels(leader);
        let exceeds = |value: f64| self.chance_within(&leader_levels, &others, value) < level.get();
        if !exceeds(0.0) {
            return Some(0.0);
        }
        let far = match self.direction() {
            Direction::Increase => VALUE_MAX,
            Direction::Decrease => 1.0,
        };
        let (mut low, mut high) = (0.0, if exceeds(1.0) { far } else { 1.0 });
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
    fn chance_within(&self, leader_levels: &[(Panel, AtNodes)], others: &[Posterior], value: f64) -> f64 {
        let none_better = |level: f64| -> f64 {
            let chance = |other: &Posterior| match self.direction() {
                Direction::Increase => other.cdf(level * (1.0 + value)).get(),
                Direction::Decrease => 1.0 - other.cdf(level * (1.0 - value)).get(),
            };
            others.iter().map(chance).product()
        };
        leader_levels.iter().map(|(panel, levels)| panel.integral(&levels.map(none_better))).sum()
    }
}

/// The leader's quantiles at the nodes of equal panels of probability.
fn levels(leader: &Posterior) -> Vec<(Panel, AtNodes)> {
    let share = |panel_idx: u32| f64::from(panel_idx) / f64::from(N_PANELS);
    (0..N_PANELS)
        .map(|panel_idx| {
            let panel = Panel { start: share(panel_idx), end: share(panel_idx + 1) };
            (panel, panel.nodes().map(|p| leader.quantile(Probability::rounded(p))))
        })
        .collect()
}
