//! The strata of a metric, made ready to be compared.

use super::LEVEL;
use super::inferred::{Cap, Corrected, History};
use super::input::MetricFigures;
use crate::inference::strata::{MetricStratum, Stratum};
use crate::inference::{aipw, cap, history, period};
use crate::metric::{MetricKind, VariantSums};
use crate::quotient::quotient;

/// The strata of one metric, with what was done to them.
#[derive(Clone, Debug, Default)]
pub(super) struct Prepared {
    /// The matured sums of each variant, capped.
    pub(super) sums: Vec<VariantSums>,
    /// Whether values should be cut off and could not be: the largest ones are too many, or do not fit the sums.
    pub(super) is_uncapped: bool,
    /// Where values were cut off.
    pub(super) cap: Option<Cap>,
    /// What the units' past took off the noise.
    pub(super) history: Option<History>,
    /// What all values lie above those in `plain` and `strata`: the ratio that they were linearized around; 0 for means.
    pub(super) level: f64,
    /// The strata themselves, capped.
    capped: Vec<MetricStratum>,
    /// One value a unit, for figures of single variants; ratios are linearized around the control's.
    plain: Vec<Stratum>,
    /// One value a unit, for differences between variants: adjusted by the past where that is worth something.
    pub(super) strata: Vec<Stratum>,
    /// The denominators of the same units, for ratios; empty for means.
    pub(super) denominators: Vec<Stratum>,
}

impl Prepared {
    /// Caps, linearizes and adjusts.
    pub(super) fn of(metric: &MetricFigures, control_idx: usize) -> Self {
        let mut strata = metric.strata.clone();
        let quantile = metric.cap_quantile;
        let caps = metric.kind != MetricKind::Proportion;
        // A tail that does not fit leaves the sums as they are; a reader is warned.
        let capped = caps.then(|| cap::cap(&mut strata, &metric.tail, metric.n_nonzero, quantile));
        let (is_uncapped, cap) = match capped.transpose() {
            Ok(cap) => (false, cap.flatten()),
            Err(_) => (true, None),
        };
        let mut sums = vec![VariantSums::default(); metric.variants.len()];
        for stratum in &strata {
            for (sum, own) in sums.iter_mut().zip(&stratum.sums) {
                sum.merge(own);
            }
        }
        let level = level(metric.kind, &sums, control_idx);
        let is_ratio = metric.kind == MetricKind::Ratio;
        let one_value = |own: &MetricStratum| if is_ratio { own.linearized(level) } else { own.numerators() };
        let plain: Vec<Stratum> = strata.iter().map(one_value).collect();
        let denominators =
            if is_ratio { strata.iter().map(MetricStratum::denominators).collect() } else { Vec::new() };
        let adjusts = !is_ratio && 0 < metric.choice.history_span_s();
        let adjusted = adjusts.then(|| history::adjust(&strata)).flatten();
        let adjusted = adjusted.filter(history::Adjusted::is_worth_mentioning);
        let n_history: i64 =
            strata.iter().flat_map(|stratum| &stratum.history).map(|history| history.n).sum();
        Self {
            is_uncapped,
            cap: cap.map(|cap| Cap { quantile, value: cap.value, units: cap.n_capped }),
            history: adjusted.as_ref().map(|adjusted| History {
                span_s: metric.choice.history_span_s(),
                units: n_history.unsigned_abs(),
                variance_removed: adjusted.removed,
            }),
            strata: adjusted.map_or_else(|| plain.clone(), |adjusted| adjusted.strata),
            capped: strata,
            denominators,
            level,
            sums,
            plain,
        }
    }

    /// A variant's mean with the effect of moving weights taken out.
    pub(super) fn corrected(&self, kind: MetricKind, variant_idx: usize) -> Option<Corrected> {
        // A linearized value is a difference from the control's, and no figure of the variant.
        let found = aipw::mean(&self.plain, variant_idx).filter(|_| kind != MetricKind::Ratio)?;
        let interval = found.estimate.interval(1.0 - LEVEL);
        let left_out_units = (found.left_out * self.plain.iter().map(Stratum::n).sum::<f64>()).round() as u64;
        let value = found.estimate.value;
        let finite = [value, interval.low, interval.high].iter().all(|number| number.is_finite());
        finite.then_some(Corrected {
            value,
            low: interval.low,
            high: interval.high,
            level: LEVEL,
            left_out_units,
        })
    }

    /// The means of the variants with units, with every period weighted alike.
    pub(super) fn period_values(&self, kind: MetricKind) -> Vec<Option<f64>> {
        let n_variants = self.sums.len();
        let compared: Vec<usize> = (0..n_variants).filter(|&idx| 0 < self.sums[idx].n).collect();
        let means = |of: fn(&MetricStratum) -> Stratum| {
            let strata: Vec<Stratum> = self.capped.iter().map(of).collect();
            period::period_weighted(&strata, &compared).map(|weighted| weighted.means)
        };
        let mut values = vec![None; n_variants];
        let Some(numerators) = means(MetricStratum::numerators) else { return values };
        let denominators = if kind == MetricKind::Ratio { means(MetricStratum::denominators) } else { None };
        for (at, (&variant_idx, numerator)) in compared.iter().zip(&numerators).enumerate() {
            let denominator = denominators.as_ref().map_or(1.0, |means| means[at].value);
            values[variant_idx] = Some(numerator.value / denominator).filter(|value| value.is_finite());
        }
        values
    }
}

/// What values are linearized around: the control's ratio, or that of all where it has none; 0 for means.
fn level(kind: MetricKind, sums: &[VariantSums], control_idx: usize) -> f64 {
    if kind != MetricKind::Ratio {
        return 0.0;
    }
    let of_control = sums.get(control_idx).and_then(|own| quotient(own.y, own.d));
    let of_all = || {
        let mut pooled = VariantSums::default();
        for own in sums {
            pooled.merge(own);
        }
        quotient(pooled.y, pooled.d)
    };
    of_control.or_else(of_all).unwrap_or(0.0)
}
