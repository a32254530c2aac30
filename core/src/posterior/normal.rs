//! The normal distribution: what is believed about a ratio.

use std::f64::consts::{FRAC_1_SQRT_2, SQRT_2, TAU};

use statrs::function::erf::{erfc, erfc_inv};

use super::family::{NotAPosterior, positive};

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
        0.5 * erfc((self.mean - x) / self.sd * FRAC_1_SQRT_2)
    }

    pub(super) fn quantile(self, p: f64) -> f64 {
        self.mean + self.sd * standard_quantile(p)
    }
}

/// The quantile of the standard normal distribution; infinite at 0 and 1.
pub(super) fn standard_quantile(p: f64) -> f64 {
    -SQRT_2 * erfc_inv(2.0 * p)
}
