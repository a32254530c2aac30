//! From sums to posteriors, under a prior that is worth one unit and is taken from all variants together.

use crate::metric::{Direction, MetricKind, VariantSums};

use super::{Beta, Normal, Posterior, StudentT};

/// The most variants that are compared with each other.
pub const VARIANTS_MAX: usize = 128;

/// Squares whose sum is a smaller part than this of what they were taken from are rounding noise.
const ROUNDING: f64 = 1e-13;

/// What is believed about each of 1 to [`VARIANTS_MAX`] variants, in variant order.
#[derive(Clone, Debug, PartialEq)]
pub struct Posteriors {
    direction: Direction,
    posteriors: Vec<Posterior>,
}

/// Why nothing can be believed yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoPosteriors {
    /// Too few or too many variants.
    #[error("{n_variants} variants cannot be compared: there must be 1 to {VARIANTS_MAX}")]
    VariantCount {
        /// How many there are.
        n_variants: usize,
    },
    /// The scale of the metric is unknown: fewer than two units over all variants, or a denominator of zero.
    #[error(
        "the metric has no scale yet: {n_units} units in all variants, with a denominator of {denominator}"
    )]
    NoScale {
        /// Units over all variants.
        n_units: i64,
        /// Σ d over all variants.
        denominator: i128,
    },
    /// Sums that no data gives.
    #[error(
        "the sums of variant {variant_idx} contradict each other: {numerator} over {denominator} from {n_units} units"
    )]
    Contradiction {
        /// Which variant.
        variant_idx: usize,
        /// Its units.
        n_units: i64,
        /// Its Σ y.
        numerator: i128,
        /// Its Σ d.
        denominator: i128,
    },
}

impl Posteriors {
    /// Takes posteriors as they are, in variant order.
    ///
    /// # Errors
    ///
    /// [`NoPosteriors::VariantCount`] unless there are 1 to [`VARIANTS_MAX`].
    pub fn new(direction: Direction, posteriors: Vec<Posterior>) -> Result<Self, NoPosteriors> {
        if (1..=VARIANTS_MAX).contains(&posteriors.len()) {
            Ok(Self { direction, posteriors })
        } else {
            Err(NoPosteriors::VariantCount { n_variants: posteriors.len() })
        }
    }

    /// Computes what is believed after these sums, one for each variant.
    ///
    /// - Proportions: Beta(1 + Σy, 1 + n − Σy).
    /// - Means: normal–inverse-gamma, centered at the pooled mean μ₀, of the pooled variance σ₀², with
    ///   κ₀ = ν₀ = 1 pseudo-unit. The marginal of the mean is Student-t with 1 + n degrees of freedom.
    /// - Ratios: normal around the ratio, by the delta method, after adding one pseudo-unit of the pooled
    ///   ratio, mean denominator and residual variance. With a denominator of one for every unit it has the
    ///   location and scale of the row above.
    ///
    /// The prior of the last two has the scale of the data, so 100 times the data is 100 times the posterior,
    /// and verdicts do not depend on whether money is counted in cents.
    ///
    /// # Errors
    ///
    /// [`NoPosteriors`] if there are too few or too many variants, if the sums contradict each other, or
    /// (means and ratios) if all variants together do not tell the scale yet.
    ///
    /// # Source
    ///
    /// Gelman, Carlin, Stern, Dunson, Vehtari & Rubin (2013), *Bayesian Data Analysis*, 3rd ed., §3.3;
    /// Deng, Knoblich & Lu (2018), *Applying the delta method in metric analytics*, KDD.
    /// <https://doi.org/10.1145/3219819.3219919>. The empirical prior of weight one is ours.
    pub fn from_sums(
        kind: MetricKind,
        direction: Direction,
        sums: &[VariantSums],
    ) -> Result<Self, NoPosteriors> {
        if !(1..=VARIANTS_MAX).contains(&sums.len()) {
            return Err(NoPosteriors::VariantCount { n_variants: sums.len() });
        }
        for (variant_idx, sum) in sums.iter().enumerate() {
            check(kind, variant_idx, sum)?;
        }
        let posteriors = match kind {
            MetricKind::Proportion => sums.iter().map(rate).collect(),
            MetricKind::Mean => means(sums)?,
            MetricKind::Ratio => ratios(sums)?,
        };
        Ok(Self { direction, posteriors })
    }

    /// The posteriors, in variant order; never empty.
    pub fn as_slice(&self) -> &[Posterior] {
        &self.posteriors
    }

    /// Which way is better.
    pub fn direction(&self) -> Direction {
        self.direction
    }

    /// The posteriors of some of the variants, in the order of `variant_idxs`.
    ///
    /// # Errors
    ///
    /// [`NoPosteriors::VariantCount`] if none of the indices names a variant.
    pub fn subset(&self, variant_idxs: &[usize]) -> Result<Self, NoPosteriors> {
        let named = variant_idxs.iter().filter_map(|&variant_idx| self.posteriors.get(variant_idx).copied());
        Self::new(self.direction, named.collect())
    }
}

/// The standard deviation of one unit's value (ratios: of its linearised value), over all these units, in the
/// metric's unit; none where they do not tell it.
pub(crate) fn unit_sd(kind: MetricKind, pooled: &VariantSums) -> Option<f64> {
    if pooled.n < 2 {
        return None;
    }
    let n = pooled.n as f64;
    match kind {
        MetricKind::Proportion | MetricKind::Mean => Some((squared_deviations(pooled) / (n - 1.0)).sqrt()),
        MetricKind::Ratio if pooled.d <= 0 => None,
        MetricKind::Ratio => {
            let denominator = pooled.d as f64;
            let variance = squared_residuals(pooled, pooled.y as f64 / denominator) / (n - 1.0);
            Some(variance.sqrt() * n / denominator)
        }
    }
}

fn check(kind: MetricKind, variant_idx: usize, sum: &VariantSums) -> Result<(), NoPosteriors> {
    let counts = 0 <= sum.n && 0 <= sum.d && 0 <= sum.yy && 0 <= sum.dd;
    let possible = match kind {
        MetricKind::Proportion => counts && (0..=i128::from(sum.n)).contains(&sum.y),
        MetricKind::Mean | MetricKind::Ratio => {
            counts && (0 < sum.n || (sum.y == 0 && sum.yy == 0 && sum.d == 0))
        }
    };
    if possible {
        Ok(())
    } else {
        Err(NoPosteriors::Contradiction { variant_idx, n_units: sum.n, numerator: sum.y, denominator: sum.d })
    }
}

fn total(sums: &[VariantSums]) -> VariantSums {
    sums.iter().fold(VariantSums::default(), |mut total, sum| {
        total.merge(sum);
        total
    })
}

fn rate(sum: &VariantSums) -> Posterior {
    Posterior::Beta(Beta::from_counts(sum.y as f64, (i128::from(sum.n) - sum.y) as f64))
}

fn means(sums: &[VariantSums]) -> Result<Vec<Posterior>, NoPosteriors> {
    let pooled = total(sums);
    if pooled.n < 2 {
        return Err(NoPosteriors::NoScale { n_units: pooled.n, denominator: pooled.d });
    }
    let n_pooled = pooled.n as f64;
    let prior_mean = pooled.y as f64 / n_pooled;
    let prior_variance = squared_deviations(&pooled) / (n_pooled - 1.0);
    Ok(sums.iter().map(|sum| mean(sum, prior_mean, prior_variance)).collect())
}

fn mean(sum: &VariantSums, prior_mean: f64, prior_variance: f64) -> Posterior {
    let n = sum.n as f64;
    let weight = 1.0 + n;
    let location = (prior_mean + sum.y as f64) / weight;
    let distance = if sum.n == 0 { 0.0 } else { sum.y as f64 / n - prior_mean };
    let squares = prior_variance + squared_deviations(sum) + n / weight * distance * distance;
    let scale = squares.sqrt() / weight;
    StudentT::new(weight, location, scale).map_or(Posterior::Point(location), Posterior::StudentT)
}

/// Σ (y − ȳ)², without the cancellation of Σy² − (Σy)²/n.
fn squared_deviations(sum: &VariantSums) -> f64 {
    if sum.n == 0 {
        return 0.0;
    }
    let n = i128::from(sum.n);
    let near = sum.y.div_euclid(n);
    let rest = sum.y.rem_euclid(n);
    // Around the whole number next to the mean: exact, since the result fits even if a term wraps.
    let around = sum
        .yy
        .wrapping_sub(near.wrapping_mul(sum.y).wrapping_mul(2))
        .wrapping_add(near.wrapping_mul(near).wrapping_mul(n));
    let squares = match around.checked_mul(n) {
        Some(scaled) => (scaled - rest * rest) as f64 / n as f64,
        None => around as f64 - rest as f64 * rest as f64 / n as f64,
    };
    squares.max(0.0)
}

fn ratios(sums: &[VariantSums]) -> Result<Vec<Posterior>, NoPosteriors> {
    let pooled = total(sums);
    if pooled.n < 2 || pooled.d == 0 {
        return Err(NoPosteriors::NoScale { n_units: pooled.n, denominator: pooled.d });
    }
    let n_pooled = pooled.n as f64;
    let prior_ratio = pooled.y as f64 / pooled.d as f64;
    let prior_denominator = pooled.d as f64 / n_pooled;
    let prior_variance = squared_residuals(&pooled, prior_ratio) / (n_pooled - 1.0);
    let posterior = |sum: &VariantSums| {
        let denominator = prior_denominator + sum.d as f64;
        let location = (prior_ratio * prior_denominator + sum.y as f64) / denominator;
        let pull = (prior_ratio - location) * prior_denominator;
        let squares = prior_variance + squared_residuals(sum, location) + pull * pull;
        Normal::new(location, squares.sqrt() / denominator)
            .map_or(Posterior::Point(location), Posterior::Normal)
    };
    Ok(sums.iter().map(posterior).collect())
}

/// Σ (y − R·d)².
fn squared_residuals(sum: &VariantSums, ratio: f64) -> f64 {
    let (yy, yd, dd) = (sum.yy as f64, sum.yd as f64, sum.dd as f64);
    let squares = yy - 2.0 * ratio * yd + ratio * ratio * dd;
    if squares <= ROUNDING * (yy + ratio * ratio * dd) { 0.0 } else { squares }
}
