//! The families of posterior behind one type.

use crate::probability::Probability;

use super::{Beta, Normal, StudentT};

/// What is believed about one variant's mean, rate or ratio.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Posterior {
    /// A rate.
    Beta(Beta),
    /// A mean.
    StudentT(StudentT),
    /// A ratio.
    Normal(Normal),
    /// A value that nothing has contradicted: every unit of every variant had it.
    Point(f64),
}

/// Parameters that describe no posterior of the family.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error(
    "{first} and {second} are no parameters of a {family} posterior: they must be finite and in its range"
)]
pub struct NotAPosterior {
    /// The family that was asked for.
    pub family: &'static str,
    /// Beta: successes plus one; Student-t: degrees of freedom; normal: the mean.
    pub first: f64,
    /// Beta: failures plus one; Student-t: the scale; normal: the standard deviation.
    pub second: f64,
}

impl Posterior {
    /// The posterior mean, in the metric's unit.
    ///
    /// None where there is none: a mean whose variant has no unit yet follows a Cauchy distribution.
    pub fn mean(&self) -> Option<f64> {
        match self {
            Self::Beta(beta) => Some(beta.mean()),
            Self::StudentT(student) => student.mean(),
            Self::Normal(normal) => Some(normal.mean()),
            Self::Point(value) => Some(*value),
        }
    }

    /// Where the posterior is centered, in the metric's unit: its mean, or its median where there is no mean.
    pub fn center(&self) -> f64 {
        match self {
            Self::Beta(beta) => beta.mean(),
            Self::StudentT(student) => student.location(),
            Self::Normal(normal) => normal.mean(),
            Self::Point(value) => *value,
        }
    }

    /// The posterior standard deviation, in the metric's unit.
    ///
    /// None where there is none: a mean whose variant has fewer than two units.
    pub fn sd(&self) -> Option<f64> {
        match self {
            Self::Beta(beta) => Some(beta.sd()),
            Self::StudentT(student) => student.sd(),
            Self::Normal(normal) => Some(normal.sd()),
            Self::Point(_) => Some(0.0),
        }
    }

    /// The log of the density at `x`; minus infinity where there is none, infinite at a point.
    pub fn log_pdf(&self, x: f64) -> f64 {
        match self {
            Self::Beta(beta) => beta.log_pdf(x),
            Self::StudentT(student) => student.log_pdf(x),
            Self::Normal(normal) => normal.log_pdf(x),
            Self::Point(value) if x.total_cmp(value).is_eq() => f64::INFINITY,
            Self::Point(_) => f64::NEG_INFINITY,
        }
    }

    /// The density at `x`, per unit of the metric.
    pub fn pdf(&self, x: f64) -> f64 {
        self.log_pdf(x).exp()
    }

    /// The probability of a value of at most `x`: to 2e-12 absolute up to ten million units (beta posteriors whose
    /// parameters are not whole: 1e-5).
    pub fn cdf(&self, x: f64) -> Probability {
        Probability::rounded(match self {
            Self::Beta(beta) => beta.cdf(x),
            Self::StudentT(student) => student.cdf(x),
            Self::Normal(normal) => normal.cdf(x),
            Self::Point(value) => f64::from(u8::from(*value <= x)),
        })
    }

    /// The value that is not exceeded with probability `p`; infinite at 0 and 1 where the range is.
    pub fn quantile(&self, p: Probability) -> f64 {
        match self {
            Self::Beta(beta) => beta.quantile(p.get()),
            Self::StudentT(student) => student.quantile(p.get()),
            Self::Normal(normal) => normal.quantile(p.get()),
            Self::Point(value) => *value,
        }
    }

    /// The two ends of the credible interval with equal tails that holds the given share of belief.
    pub fn credible_interval(&self, mass: Probability) -> (f64, f64) {
        let tail = Probability::rounded(0.5 * (1.0 - mass.get()));
        (self.quantile(tail), self.quantile(tail.complement()))
    }
}

pub(super) fn positive(x: f64) -> bool {
    x.is_finite() && 0.0 < x
}
