//! Point estimates with their uncertainty, from exact sums.

use crate::metric::{MetricKind, VariantSums};
use crate::quotient::quotient;
use serde::{Deserialize, Serialize};

/// The share of belief, or of repetitions, that every interval of a report holds.
pub const LEVEL: f64 = 0.95;

/// The normal quantile at `(1 + LEVEL) / 2`.
const Z: f64 = 1.959_963_984_540_054;

/// Below so many rewards a normal approximation is not to be trusted.
const NONZERO_MIN: i64 = 10;

/// Squares whose sum is a smaller part than this of what they were taken from are rounding noise.
const ROUNDING: f64 = 1e-14;

/// How an interval was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Method {
    /// Equal tails of a beta posterior.
    CredibleBeta,
    /// Equal tails of a Student-t posterior.
    CredibleStudentT,
    /// Equal tails of a normal posterior.
    CredibleNormal,
    /// A single point: every unit had the same value.
    Point,
    /// Normal interval of the log of the ratio of two figures, by the delta method.
    LogRatioDelta,
    /// Normal interval of the difference of two figures (ratios: by the delta method).
    NormalDifference,
    /// Newcombe's hybrid of two Wilson score intervals.
    Newcombe,
}

impl Method {
    /// The method as text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CredibleBeta => "credible_beta",
            Self::CredibleStudentT => "credible_student_t",
            Self::CredibleNormal => "credible_normal",
            Self::Point => "point",
            Self::LogRatioDelta => "log_ratio_delta",
            Self::NormalDifference => "normal_difference",
            Self::Newcombe => "newcombe",
        }
    }
}

/// A figure with the variance of its estimate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Estimate {
    kind: MetricKind,
    sums: VariantSums,
    /// The rate, mean or ratio, in the metric's unit.
    pub(super) value: f64,
    /// The variance of `value`, in the metric's unit squared; none for fewer than two units.
    pub(super) variance: Option<f64>,
}

/// The two ends of an interval and how it was made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Range {
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) method: Method,
}

/// The numerator and denominator whose quotient is the figure of `kind`.
///
/// Ratios divide by Σd; proportions and means by the units, whatever their metric says.
pub fn fraction(kind: MetricKind, sums: &VariantSums) -> (i128, i128) {
    match kind {
        MetricKind::Proportion | MetricKind::Mean => (sums.y, i128::from(sums.n)),
        MetricKind::Ratio => (sums.y, sums.d),
    }
}

impl Estimate {
    /// Computes the figure; none where nothing is in the denominator.
    ///
    /// The variance is
    ///
    /// - proportions: p(1 − p)/n;
    /// - means: s²/n, with s² over n − 1;
    /// - ratios R = Σy/Σd: Σ(y − R d)²/(n − 1) · n/(Σd)², the delta method.
    ///
    /// # Source
    ///
    /// Deng, Knoblich & Lu (2018), *Applying the delta method in metric analytics*, KDD.
    /// <https://doi.org/10.1145/3219819.3219919>
    pub(super) fn of(kind: MetricKind, sums: &VariantSums) -> Option<Self> {
        let (numerator, denominator) = fraction(kind, sums);
        let value = quotient(numerator, denominator)?;
        let n = sums.n as f64;
        let variance = match kind {
            MetricKind::Proportion => Some(value * (1.0 - value) / n),
            MetricKind::Mean => {
                residual_squares(sums, MetricKind::Mean).map(|squares| squares / (n - 1.0) / n)
            }
            MetricKind::Ratio => {
                let mean_denominator = quotient(sums.d, i128::from(sums.n))?;
                let squares = residual_squares(sums, MetricKind::Ratio);
                squares.map(|squares| squares / (n - 1.0) / n / mean_denominator / mean_denominator)
            }
        };
        Some(Self { kind, sums: *sums, value, variance })
    }

    /// The interval of `self / control − 1`: exp(ln(m₁/m₀) ± z √(v₁/m₁² + v₀/m₀²)) − 1.
    ///
    /// None where a figure is not positive, where one has fewer than ten rewards (for proportions also fewer than
    /// ten units without), and where neither varies.
    ///
    /// # Source
    ///
    /// Katz, Baptista, Azen & Pike (1978), *Obtaining confidence intervals for the risk ratio in cohort studies*,
    /// Biometrics 34(3), 469–474. <https://doi.org/10.2307/2530610>. Means and ratios follow by the delta method.
    pub(super) fn relative_to(&self, control: &Self) -> Option<Range> {
        let relative = |estimate: &Self| {
            let variance = estimate.variance.filter(|_| estimate.is_approximately_normal())?;
            (0.0 < estimate.value).then(|| variance / (estimate.value * estimate.value))
        };
        let radius = Z * (relative(self)? + relative(control)?).sqrt();
        // Not the difference of two logs, which would lose the digits of a small lift.
        let center = (self.minus(control) / control.value).ln_1p();
        (0.0 < radius).then(|| Range {
            low: (center - radius).exp_m1(),
            high: (center + radius).exp_m1(),
            method: Method::LogRatioDelta,
        })
    }

    /// The interval of `self − control`, in the metric's unit.
    ///
    /// Proportions: Newcombe's method 10, at any count. Means and ratios: m₁ − m₀ ± z √(v₁ + v₀), none where one
    /// has fewer than ten rewards.
    ///
    /// # Source
    ///
    /// Newcombe (1998), *Interval estimation for the difference between independent proportions: comparison of
    /// eleven methods*, Statistics in Medicine 17(8), 873–890.
    pub(super) fn difference_from(&self, control: &Self) -> Option<Range> {
        let difference = self.minus(control);
        if self.kind == MetricKind::Proportion {
            let ((low_1, high_1), (low_0, high_0)) = (self.wilson(), control.wilson());
            let below = (self.value - low_1).hypot(high_0 - control.value);
            let above = (high_1 - self.value).hypot(control.value - low_0);
            let method = Method::Newcombe;
            return Some(Range { low: difference - below, high: difference + above, method });
        }
        if !(self.is_approximately_normal() && control.is_approximately_normal()) {
            return None;
        }
        let radius = Z * (self.variance? + control.variance?).sqrt();
        let method = Method::NormalDifference;
        (0.0 < radius).then_some(Range { low: difference - radius, high: difference + radius, method })
    }

    /// `self − control`, rounded once where the products fit.
    pub(super) fn minus(&self, control: &Self) -> f64 {
        let ((y_1, d_1), (y_0, d_0)) =
            (fraction(self.kind, &self.sums), fraction(control.kind, &control.sums));
        let exact =
            || quotient(y_1.checked_mul(d_0)?.checked_sub(y_0.checked_mul(d_1)?)?, d_1.checked_mul(d_0)?);
        exact().unwrap_or(self.value - control.value)
    }

    /// Σ cᵢ mᵢ, and the radius of its normal interval, z √(Σ cᵢ² vᵢ); none where a figure has fewer than ten rewards
    /// or no variance.
    pub(super) fn weighted_sum(terms: &[(f64, Self)]) -> (f64, Option<f64>) {
        let value = terms.iter().map(|(weight, estimate)| weight * estimate.value).sum();
        let variance = terms.iter().map(|(weight, estimate)| {
            let variance = estimate.variance.filter(|_| estimate.is_approximately_normal())?;
            Some(weight * weight * variance)
        });
        let radius = variance.sum::<Option<f64>>().map(|variance| Z * variance.sqrt());
        (value, radius.filter(|radius| 0.0 < *radius))
    }

    /// Wilson's score interval of a proportion.
    fn wilson(&self) -> (f64, f64) {
        let (p, n) = (self.value, self.sums.n as f64);
        let shrink = 1.0 + Z * Z / n;
        let center = (p + Z * Z / (2.0 * n)) / shrink;
        let radius = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt() / shrink;
        ((center - radius).clamp(0.0, p), (center + radius).clamp(p, 1.0))
    }

    fn is_approximately_normal(&self) -> bool {
        let zeros = self.sums.n - self.sums.n_nonzero;
        NONZERO_MIN <= self.sums.n_nonzero && (self.kind != MetricKind::Proportion || NONZERO_MIN <= zeros)
    }
}

/// Σ (y − R d)² with R = Σy/Σd (for means d = 1), at least two units.
///
/// Every y is first moved by the whole number next to R times d, exactly; what floats then subtract is small, so
/// amounts near 2^53 lose nothing.
fn residual_squares(sums: &VariantSums, kind: MetricKind) -> Option<f64> {
    let n = i128::from(sums.n);
    if n < 2 {
        return None;
    }
    let (d, yd, dd) = match kind {
        MetricKind::Proportion | MetricKind::Mean => (n, sums.y, n),
        MetricKind::Ratio => (sums.d, sums.yd, sums.dd),
    };
    let near = sums.y.checked_div_euclid(d)?;
    let rest = quotient(sums.y.wrapping_sub(near.wrapping_mul(d)), d)?;
    let moved_yd = yd.wrapping_sub(near.wrapping_mul(dd));
    let moved_yy = sums
        .yy
        .wrapping_sub(near.wrapping_mul(yd).wrapping_mul(2))
        .wrapping_add(near.wrapping_mul(near).wrapping_mul(dd));
    let (moved_yy, all) = (moved_yy as f64, rest * rest * dd as f64);
    let squares = moved_yy - 2.0 * rest * moved_yd as f64 + all;
    Some(if squares <= ROUNDING * (moved_yy + all) { 0.0 } else { squares })
}
