//! What the units earned beyond what they would have earned otherwise.

use super::compare::Compared;
use super::estimate::Estimate;
use super::figures::Gain;
use super::input::{MetricFigures, ReportInput};
use crate::metric::{Direction, MetricKind};

impl Gain {
    /// What moving the traffic earned: what the units earned beyond what an equal split would have, Σ (nᵢ − eᵢ) μ̂ᵢ over
    /// variants, with nᵢ the units that variant i got, eᵢ those it would have got if every block of units under the
    /// same weights had been split equally among the variants in the test at the time, and μ̂ᵢ its mean over matured
    /// units. Positive is good, whichever way is better.
    ///
    /// None where weights do not move, for ratios (a share of a quotient is no sum), and where a variant that
    /// matters has no matured unit.
    pub(super) fn of(input: &ReportInput<'_>, metric: &MetricFigures, compared: &Compared) -> Option<Self> {
        if !input.experiment.definition.is_adaptive() {
            return None;
        }
        let units = units(input, compared);
        let equal = |variant_idx: usize| input.equal_units.get(variant_idx).copied();
        let shifted = units.iter().enumerate().map(|(idx, units)| units - equal(idx).unwrap_or(*units));
        Self::of_shift(metric, compared, &shifted.collect::<Vec<_>>())
    }

    /// What the units earned beyond what the control would have, had all got it: Σ nᵢ (μ̂ᵢ − μ̂₀).
    ///
    /// None for ratios, and where a variant with units has no matured unit.
    pub(super) fn over_control(
        input: &ReportInput<'_>,
        metric: &MetricFigures,
        compared: &Compared,
    ) -> Option<Self> {
        let mut shifted = units(input, compared);
        let all: f64 = shifted.iter().sum();
        *shifted.get_mut(input.experiment.definition.control_idx())? -= all;
        Self::of_shift(metric, compared, &shifted)
    }

    /// What so many more units of each variant bring.
    fn of_shift(metric: &MetricFigures, compared: &Compared, shifted: &[f64]) -> Option<Self> {
        if metric.kind == MetricKind::Ratio || !compared.usable {
            return None;
        }
        let mut terms = Vec::new();
        for (variant, &shifted) in compared.variants.iter().zip(shifted) {
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

/// The units that each variant got.
fn units(input: &ReportInput<'_>, compared: &Compared) -> Vec<f64> {
    let observed = |idx: usize| input.exposures.get(idx).map_or(0, |exposures| exposures.observed) as f64;
    (0..compared.variants.len()).map(observed).collect()
}
