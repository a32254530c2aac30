//! What moving the traffic earned.

use super::compare::Compared;
use super::estimate::Estimate;
use super::figures::Gain;
use super::input::{MetricFigures, ReportInput};
use crate::metric::{Direction, MetricKind};

impl Gain {
    /// What the units earned beyond what an equal split would have: Σ (nᵢ − eᵢ) μ̂ᵢ over variants, with nᵢ the units
    /// that variant i got, eᵢ those it would have got if every block of units under the same weights had been split
    /// equally among the variants in the test at the time, and μ̂ᵢ its mean over matured units. Positive is good,
    /// whichever way is better.
    ///
    /// None where weights do not move, for ratios (a share of a quotient is no sum), and where a variant that
    /// matters has no matured unit.
    pub(super) fn of(input: &ReportInput<'_>, metric: &MetricFigures, compared: &Compared) -> Option<Self> {
        if !input.experiment.definition.is_adaptive() || metric.kind == MetricKind::Ratio || !compared.usable
        {
            return None;
        }
        let mut terms = Vec::new();
        for (variant_idx, variant) in compared.variants.iter().enumerate() {
            let units = input.exposures.get(variant_idx).map_or(0, |exposures| exposures.observed) as f64;
            let shifted = units - input.equal_units.get(variant_idx).copied().unwrap_or(units);
            if shifted != 0.0 {
                let signed = if metric.direction == Direction::Decrease { -shifted } else { shifted };
                terms.push((signed, variant.estimate?));
            }
        }
        let (value, radius) = Estimate::weighted_sum(&terms);
        Some(Self {
            value,
            low: radius.map(|radius| value - radius),
            high: radius.map(|radius| value + radius),
            level: super::LEVEL,
        })
    }
}
