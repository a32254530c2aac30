//! From sums to posteriors, under a prior that is worth one unit and is taken from all variants together.

use crate::inference::moments::Moments;
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
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
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
        /// Units over all variants; not whole where the past counts for less.
        n_units: f64,
        /// Σ d over all variants.
        denominator: f64,
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
        for (variant_idx, sum) in sums.iter().enumerate() {
            check(kind, variant_idx, sum)?;
        }
        let pooled = sums.iter().fold(VariantSums::default(), |mut pooled, sum| {
            pooled.merge(sum);
            pooled
        });
        let moments: Vec<Moments> = sums.iter().map(Moments::of).collect();
        Self::of(kind, direction, &moments, &Moments::of(&pooled))
    }

    /// Computes what is believed after these moments, one for each variant: as [`Posteriors::from_sums`], for units
    /// that need not count as a whole one each.
    ///
    /// - `moments`: `n >= 0`, denominators `>= 0`, sums of squares `>= 0`; proportions `0 <= y <= 1`.
    ///
    /// # Errors
    ///
    /// As [`Posteriors::from_sums`]; that moments contradict each other is not looked for.
    pub fn from_moments(
        kind: MetricKind,
        direction: Direction,
        moments: &[Moments],
    ) -> Result<Self, NoPosteriors> {
        let pooled = moments.iter().fold(Moments::default(), |pooled, moments| pooled.merged(moments));
        Self::of(kind, direction, moments, &pooled)
    }

    fn of(
        kind: MetricKind,
        direction: Direction,
        moments: &[Moments],
        pooled: &Moments,
    ) -> Result<Self, NoPosteriors> {
        if !(1..=VARIANTS_MAX).contains(&moments.len()) {
            return Err(NoPosteriors::VariantCount { n_variants: moments.len() });
        }
        let posteriors = match kind {
            MetricKind::Proportion => moments.iter().map(rate).collect(),
            MetricKind::Mean => means(moments, pooled)?,
            MetricKind::Ratio => ratios(moments, pooled)?,
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
pub(crate) fn unit_sd(kind: MetricKind, pooled: &Moments) -> Option<f64> {
    if pooled.n < 2.0 {
        return None;
    }
    match kind {
        MetricKind::Proportion | MetricKind::Mean => Some((pooled.yy / (pooled.n - 1.0)).sqrt()),
        MetricKind::Ratio if pooled.d <= 0.0 => None,
        MetricKind::Ratio => {
            let variance = squared_residuals(pooled, pooled.y / pooled.d) / (pooled.n - 1.0);
            Some(variance.sqrt() / pooled.d)
        }
    }
}

/// Whether data can have these sums.
pub(crate) fn check(kind: MetricKind, variant_idx: usize, sum: &VariantSums) -> Result<(), NoPosteriors> {
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

fn rate(moments: &Moments) -> Posterior {
    let successes = whole(moments.n * moments.y);
    Posterior::Beta(Beta::from_counts(successes, moments.n - successes))
}

/// The whole number that rounding has moved; others stay as they are.
fn whole(count: f64) -> f64 {
    let nearest = count.round();
    if (count - nearest).abs() <= ROUNDING * nearest { nearest } else { count }
}

fn means(moments: &[Moments], pooled: &Moments) -> Result<Vec<Posterior>, NoPosteriors> {
    if pooled.n < 2.0 {
        return Err(NoPosteriors::NoScale { n_units: pooled.n, denominator: pooled.n * pooled.d });
    }
    let prior_variance = pooled.yy / (pooled.n - 1.0);
    Ok(moments.iter().map(|moments| mean(moments, pooled.y, prior_variance)).collect())
}

fn mean(moments: &Moments, prior_mean: f64, prior_variance: f64) -> Posterior {
    let n = moments.n;
    let weight = 1.0 + n;
    let distance = if n <= 0.0 { 0.0 } else { moments.y - prior_mean };
    let location = prior_mean + n / weight * distance;
    let squares = prior_variance + moments.yy + n / weight * distance * distance;
    let scale = squares.sqrt() / weight;
    StudentT::new(weight, location, scale).map_or(Posterior::Point(location), Posterior::StudentT)
}

fn ratios(moments: &[Moments], pooled: &Moments) -> Result<Vec<Posterior>, NoPosteriors> {
    if pooled.n < 2.0 || pooled.d <= 0.0 {
        return Err(NoPosteriors::NoScale { n_units: pooled.n, denominator: pooled.n * pooled.d });
    }
    let prior_ratio = pooled.y / pooled.d;
    let prior_variance = squared_residuals(pooled, prior_ratio) / (pooled.n - 1.0);
    let posterior = |moments: &Moments| {
        let denominator = pooled.d + moments.n * moments.d;
        let location = (prior_ratio * pooled.d + moments.n * moments.y) / denominator;
        let pull = (prior_ratio - location) * pooled.d;
        let squares = prior_variance + squared_residuals(moments, location) + pull * pull;
        Normal::new(location, squares.sqrt() / denominator)
            .map_or(Posterior::Point(location), Posterior::Normal)
    };
    Ok(moments.iter().map(posterior).collect())
}

/// Σ (y − R·d)².
fn squared_residuals(moments: &Moments, ratio: f64) -> f64 {
    let off = moments.y - ratio * moments.d;
    let around = moments.yy - 2.0 * ratio * moments.yd + ratio * ratio * moments.dd;
    let squares = around + moments.n * off * off;
    let of_what = moments.yy
        + moments.n * moments.y * moments.y
        + ratio * ratio * (moments.dd + moments.n * moments.d * moments.d);
    if squares <= ROUNDING * of_what { 0.0 } else { squares }
}
