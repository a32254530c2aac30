//! UCB1 as weights.

use crate::inference::moments::Moments;
use crate::metric::{Direction, MetricKind};
use crate::posterior::unit_sd;

use super::epsilon_greedy::highest;
use super::weights::Weights;

/// Serves the variant with the highest upper confidence bound: `x̄ᵢ + 2σ·√(2 ln n / nᵢ)`.
///
/// For rewards in [0, 1], which are ½-sub-Gaussian, 2σ is 1 and the bound is the published one. Means and
/// ratios have no such range: there σ is the pooled standard deviation of one unit, so that the choice does
/// not depend on the metric's scale. With less being better the lowest `x̄ᵢ − …` is served. Variants without a
/// unit come first; equals share.
///
/// All assignments of a weights version go to one variant (but for the floors), so it is a batched UCB1.
///
/// # Source
///
/// Auer, Cesa-Bianchi & Fischer (2002), *Finite-time analysis of the multiarmed bandit problem*, Mach. Learn.
/// 47, 235–256, figure 1. <https://doi.org/10.1023/A:1013689704352>
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ucb1;

impl Ucb1 {
    pub(super) fn weights(kind: MetricKind, direction: Direction, known: &[Moments]) -> Weights {
        let pooled = known.iter().fold(Moments::default(), |pooled, moments| pooled.merged(moments));
        let width = 2.0 * bound_sd(kind, &pooled);
        let log_units = pooled.n.max(1.0).ln();
        let sign = match direction {
            Direction::Increase => 1.0,
            Direction::Decrease => -1.0,
        };
        let index = |moments: &Moments| {
            let value = match kind {
                MetricKind::Proportion | MetricKind::Mean => moments.y,
                MetricKind::Ratio => moments.y / moments.d,
            };
            if moments.n <= 0.0 || !value.is_finite() {
                return f64::INFINITY;
            }
            sign * value + width * (2.0 * log_units / moments.n).sqrt()
        };
        let indices: Vec<f64> = known.iter().map(index).collect();
        Weights::trusted(highest(&indices))
    }
}

/// The standard deviation of one unit, as the bound needs it, in the metric's unit.
fn bound_sd(kind: MetricKind, pooled: &Moments) -> f64 {
    match kind {
        MetricKind::Proportion => 0.5,
        MetricKind::Mean | MetricKind::Ratio => unit_sd(kind, pooled).unwrap_or(0.0),
    }
}
