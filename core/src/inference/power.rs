//! How many units an experiment needs before it starts, and how many more while it runs.
//!
//! An [`Aim`] says how surely a difference is to be found, a [`Baseline`] how noisy the metric is, a [`Traffic`] how
//! fast units come. A [`Progress`] goes on from what a running experiment has seen.

use super::boundary::Boundary;
use super::sequence::Difference;
use crate::metric::Direction;
use crate::posterior::standard_quantile;
use crate::probability::Probability;
use serde::{Deserialize, Serialize};

const DAY_S: f64 = 86_400.0;
/// How often an interval is halved to find a difference or a number of units: to the last bit.
const N_HALVINGS: usize = 200;
/// How many times its present size an experiment may grow before "never" is the better answer.
const GROWTH_MAX: f64 = 1e6;

/// How often the data may be looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Looks {
    /// Once, when all units are there: the size that textbooks give.
    Once,
    /// As often as one likes: the verdict is that of the confidence sequence.
    #[default]
    Always,
}

/// How surely a difference from the control is to be found, with traffic split evenly.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Aim {
    /// The chance that any of the variants is called different although none is, `0 < alpha < 1`.
    pub alpha: Probability,
    /// The chance that a variant with the difference is found, `0 < power < 1`.
    pub power: Probability,
    /// How many variants there are with the control, at least 2; each of the others has `alpha / (n − 1)`.
    pub n_variants: usize,
    /// How often the data may be looked at.
    pub looks: Looks,
}

impl Default for Aim {
    fn default() -> Self {
        let [alpha, power] = [0.05, 0.8].map(Probability::rounded);
        Self { alpha, power, n_variants: 2, looks: Looks::Always }
    }
}

/// What one unit of the control is expected to bring.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Baseline(Kind);

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Rate(f64),
    Value { mean: f64, variance: f64 },
}

/// Why there is no number of units.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum NoPlan {
    /// A rate at which everyone or nobody converts has no variance.
    #[error("a rate is above 0 and below 1, not {rate}")]
    Rate {
        /// The rate as it was given, or as the difference makes it.
        rate: f64,
    },
    /// A value that is none, or never varies.
    #[error("a mean is a number and a variance a number above 0, not {mean} and {variance}")]
    Value {
        /// The mean as it was given.
        mean: f64,
        /// The variance as it was given.
        variance: f64,
    },
    /// No difference is never found.
    #[error("a difference to be found is a number other than 0, not {difference}")]
    Difference {
        /// The difference as it was given.
        difference: f64,
    },
    /// An aim that nothing meets, or everything.
    #[error("alpha {alpha} and power {power} are above 0 and below 1, and {n_variants} variants at least 2")]
    Aim {
        /// The chance of a false alarm.
        alpha: f64,
        /// The chance of a find.
        power: f64,
        /// How many variants there are.
        n_variants: usize,
    },
}

impl Baseline {
    /// Units that convert at `rate`.
    ///
    /// # Errors
    ///
    /// [`NoPlan::Rate`] unless `0 < rate < 1`.
    pub fn rate(rate: f64) -> Result<Self, NoPlan> {
        if 0.0 < rate && rate < 1.0 { Ok(Self(Kind::Rate(rate))) } else { Err(NoPlan::Rate { rate }) }
    }

    /// Units whose values have this mean and variance. For a ratio it is the ratio, with the variance of a unit's
    /// linearized value ([`Moments::linearized`](super::moments::Moments::linearized)).
    ///
    /// # Errors
    ///
    /// [`NoPlan::Value`] unless both are finite and `variance > 0`.
    pub fn value(mean: f64, variance: f64) -> Result<Self, NoPlan> {
        if mean.is_finite() && 0.0 < variance && variance.is_finite() {
            Ok(Self(Kind::Value { mean, variance }))
        } else {
            Err(NoPlan::Value { mean, variance })
        }
    }

    /// The rate, mean or ratio.
    pub fn mean(&self) -> f64 {
        match self.0 {
            Kind::Rate(mean) | Kind::Value { mean, .. } => mean,
        }
    }

    /// The variance of the difference of one unit each: if they are equal, and if they differ by `difference`.
    fn variances(&self, difference: f64) -> Result<(f64, f64), NoPlan> {
        match self.0 {
            Kind::Value { variance, .. } => Ok((2.0 * variance, 2.0 * variance)),
            Kind::Rate(rate) => {
                let other = Self::rate(rate + difference)?.mean();
                let pooled = 0.5 * (rate + other);
                let of = |rate: f64| rate * (1.0 - rate);
                Ok((2.0 * of(pooled), of(rate) + of(other)))
            }
        }
    }

    /// The largest difference in a direction that is one.
    fn difference_max(&self, direction: Direction) -> f64 {
        match (self.0, direction) {
            (Kind::Rate(rate), Direction::Increase) => 1.0 - rate,
            (Kind::Rate(rate), Direction::Decrease) => rate,
            (Kind::Value { mean, variance }, _) => GROWTH_MAX * (variance.sqrt() + mean.abs()),
        }
    }
}

impl Aim {
    /// The same aim with data that is looked at so often.
    #[must_use]
    pub fn looking(self, looks: Looks) -> Self {
        Self { looks, ..self }
    }

    /// The same aim for so many variants.
    #[must_use]
    pub fn among(self, n_variants: usize) -> Self {
        Self { n_variants, ..self }
    }

    /// How many units each variant needs.
    ///
    /// `n = (c·s₀ + z_power·s₁)² / δ²` rounded up, where s₀² is the variance of the difference of one unit each if
    /// there is no difference (rates: at the pooled rate), s₁² if there is, and c is `z_{1−a/2}` with
    /// `a = alpha / (K − 1)` for one look. For any number of looks c is what the confidence sequence has at the
    /// planned length in its place; an earlier look may find the difference too, so that the power is more than
    /// what was asked for.
    ///
    /// - `difference`: δ, in the metric's unit, with its sign.
    ///
    /// # Errors
    ///
    /// [`NoPlan`] if the difference is none, leaves no rate, or the aim is out of range.
    ///
    /// # Source
    ///
    /// Fleiss, Levin & Paik (2003), *Statistical Methods for Rates and Proportions*, 3rd ed., ch. 4, without the
    /// correction for continuity. <https://doi.org/10.1002/0471445428>
    pub fn units_per_variant(&self, baseline: &Baseline, difference: f64) -> Result<u64, NoPlan> {
        if difference == 0.0 || !difference.is_finite() {
            return Err(NoPlan::Difference { difference });
        }
        Ok(units(self.quantiles()?, baseline, difference)?.ceil() as u64)
    }

    /// The smallest difference in a direction that so many units a variant find, with its sign; none if no
    /// difference is large enough.
    ///
    /// # Errors
    ///
    /// [`NoPlan::Aim`] if the aim is out of range.
    pub fn detectable(
        &self,
        baseline: &Baseline,
        units_per_variant: u64,
        direction: Direction,
    ) -> Result<Option<f64>, NoPlan> {
        let quantiles = self.quantiles()?;
        let sign = match direction {
            Direction::Increase => 1.0,
            Direction::Decrease => -1.0,
        };
        let found = |size: f64| {
            let units = units(quantiles, baseline, sign * size);
            units.is_ok_and(|units| units <= units_per_variant as f64)
        };
        // The end itself is no rate any more, but so little less is one.
        let largest = baseline.difference_max(direction) * (1.0 - f64::EPSILON);
        let (mut small, mut large) = (0.0, largest);
        if !found(large) {
            return Ok(None);
        }
        for _ in 0..N_HALVINGS {
            let middle = 0.5 * (small + large);
            if found(middle) { large = middle } else { small = middle }
        }
        Ok(Some(sign * large))
    }

    /// How many standard errors a difference must be away from none, and how many more it is with the power.
    fn quantiles(&self) -> Result<(f64, f64), NoPlan> {
        let Self { n_variants, looks, .. } = *self;
        let (alpha, power) = (self.alpha.get(), self.power.get());
        let inside = |probability: f64| 0.0 < probability && probability < 1.0;
        if n_variants < 2 || !inside(alpha) || !inside(power) {
            return Err(NoPlan::Aim { alpha, power, n_variants });
        }
        let alpha = alpha / (n_variants - 1) as f64;
        let c = match looks {
            Looks::Once => -standard_quantile(0.5 * alpha),
            Looks::Always => Boundary::tuned(alpha, 1.0).bound(1.0),
        };
        Ok((c, standard_quantile(power)))
    }
}

/// The units as a number that need not be whole, `difference` being other than 0.
fn units((c, z): (f64, f64), baseline: &Baseline, difference: f64) -> Result<f64, NoPlan> {
    let (equal, different) = baseline.variances(difference)?;
    let apart = (c * equal.sqrt() + z * different.sqrt()).max(0.0);
    Ok((apart / difference).powi(2).max(2.0))
}

/// How fast units come, and how long each takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Traffic {
    /// Units that enter the experiment in a day, all variants together, `> 0`.
    pub units_per_day: f64,
    /// How long after its first exposure a unit's events count, in seconds.
    pub window_s: i64,
}

impl Traffic {
    /// The days until so many units, all variants together, have come and their windows have passed; none if
    /// nobody comes.
    pub fn days(&self, n_units: u64) -> Option<f64> {
        let days = n_units as f64 / self.units_per_day + self.window_s as f64 / DAY_S;
        (0.0 < self.units_per_day && days.is_finite()).then_some(days)
    }
}

/// How far the comparison of two variants has come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// Their difference at the last look.
    pub difference: Difference,
    /// The boundary of its interval.
    pub boundary: Boundary,
    /// Matured units behind it, all variants together.
    pub n_units: f64,
}

impl Progress {
    /// How many units more, all variants together, until half the width of the interval is at most `radius`, if
    /// variance and shares stay as they are: 0 if it is already, none if a million times the units would not do.
    ///
    /// - `radius`: the observed difference, for when a verdict is due if it stays; the margin that matters, for when
    ///   it is settled whether there is one that large.
    pub fn units_until(&self, radius: f64) -> Option<f64> {
        if self.radius_after(1.0) <= radius {
            return Some(0.0);
        }
        let (mut small, mut large) = (0.0, GROWTH_MAX.ln());
        let narrow = |log_growth: f64| self.radius_after(log_growth.exp()) <= radius;
        if !(0.0 < self.n_units && narrow(large)) {
            return None;
        }
        for _ in 0..N_HALVINGS {
            let middle = 0.5 * (small + large);
            if narrow(middle) { large = middle } else { small = middle }
        }
        Some(self.n_units * large.exp_m1())
    }

    /// Half the width of the interval once there are so many times the units.
    fn radius_after(&self, growth: f64) -> f64 {
        let (variance, weight) = (self.difference.variance(), self.difference.weight());
        (variance / weight).sqrt() * self.boundary.bound(growth * weight) / growth
    }
}

#[cfg(test)]
mod tests;
