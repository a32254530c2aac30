//! The normal distribution: what is believed about a ratio.

use std::f64::consts::{SQRT_2, TAU};

use statrs::function::erf::erfc_inv;

use super::family::{NotAPosterior, positive};
use super::quadrature::integrate;

/// From `z` on, the normal density falls by more than 1e-17 within so many standard deviations.
const REACH_SDS: f64 = 9.0;

/// A normal posterior.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Normal {
    mean: f64,
    sd: f64,
}

impl Normal {
    /// Checks the parameters.
    ///
    /// - `mean`: in the metric's unit.
    /// - `sd`: in the metric's unit, `> 0`.
    ///
    /// # Errors
    ///
    /// [`NotAPosterior`] unless both are finite and `sd > 0`.
    pub fn new(mean: f64, sd: f64) -> Result<Self, NotAPosterior> {
        if mean.is_finite() && positive(sd) {
            Ok(Self { mean, sd })
        } else {
            Err(NotAPosterior { family: "normal", first: mean, second: sd })
        }
    }

    /// The mean, in the metric's unit.
    pub fn mean(self) -> f64 {
        self.mean
    }

    /// The standard deviation, in the metric's unit.
    pub fn sd(self) -> f64 {
        self.sd
    }

    pub(super) fn log_pdf(self, x: f64) -> f64 {
        let z = (x - self.mean) / self.sd;
        -0.5 * z * z - 0.5 * TAU.ln() - self.sd.ln()
    }

    pub(super) fn cdf(self, x: f64) -> f64 {
        let z = (x - self.mean) / self.sd;
        if 0.0 <= z { 1.0 - upper_tail(z) } else { upper_tail(-z) }
    }

    pub(super) fn quantile(self, p: f64) -> f64 {
        self.mean + self.sd * standard_quantile(p)
    }
}

/// P(Z > z) of the standard normal distribution, for `z >= 0`, to full precision.
fn upper_tail(z: f64) -> f64 {
    if z < f64::MAX.sqrt() { integrate(z, z + REACH_SDS, 1.0, standard_density) } else { 0.0 }
}

fn standard_density(z: f64) -> f64 {
    (-0.5 * z * z).exp() / TAU.sqrt()
}

/// The quantile of the standard normal distribution; infinite at 0 and 1.
pub(crate) fn standard_quantile(p: f64) -> f64 {
    let tail = p.min(1.0 - p);
    let z = SQRT_2 * erfc_inv(2.0 * tail);
    // The library's inverse is good to 1e-11; one step of Newton's method doubles the digits.
    let step = (upper_tail(z) - tail) / standard_density(z);
    let z = if step.is_finite() { z + step } else { z };
    if p < 0.5 { -z } else { z }
}
