//! The beta distribution: what is believed about a rate.

use super::family::NotAPosterior;
use super::gamma::ln_beta_peak;
use super::inverse::{Monotone, solve};
use super::normal::standard_quantile;
use super::quadrature::integrate;

/// Density below `exp(−LOG_DROP)` of the peak is taken for zero: 1e-14.
pub(super) const LOG_DROP: f64 = 32.0;

/// The walk to where the density has dropped; an exponential tail, the longest, takes 22 steps.
const N_STEPS_MAX: usize = 64;

/// A beta posterior on [0, 1] whose density has no pole.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Beta {
    /// α − 1.
    successes: f64,
    /// β − 1.
    failures: f64,
    /// Where the density peaks, and one minus it, both to full relative precision.
    mode: f64,
    mode_complement: f64,
    log_peak: f64,
    sd: f64,
}

impl Beta {
    /// Checks the parameters.
    ///
    /// - `alpha`: successes plus the prior's 1, `>= 1`.
    /// - `beta`: failures plus the prior's 1, `>= 1`.
    ///
    /// # Errors
    ///
    /// [`NotAPosterior`] unless both are finite and at least 1.
    pub fn new(alpha: f64, beta: f64) -> Result<Self, NotAPosterior> {
        let in_range = |x: f64| x.is_finite() && 1.0 <= x;
        if in_range(alpha) && in_range(beta) {
            Ok(Self::from_counts(alpha - 1.0, beta - 1.0))
        } else {
            Err(NotAPosterior { family: "beta", first: alpha, second: beta })
        }
    }

    /// The posterior after these counts under the even prior Beta(1, 1).
    ///
    /// - `successes`, `failures`: `>= 0`; anything below is taken for 0.
    pub(super) fn from_counts(successes: f64, failures: f64) -> Self {
        let (successes, failures) = (successes.max(0.0), failures.max(0.0));
        let (alpha, beta, n) = (successes + 1.0, failures + 1.0, successes + failures);
        let sum = alpha + beta;
        let (mode, mode_complement) = if 0.0 < n { (successes / n, failures / n) } else { (0.5, 0.5) };
        let log_peak = ln_beta_peak(successes, failures);
        let sd = (alpha / sum * (beta / sum) / (sum + 1.0)).sqrt();
        Self { successes, failures, mode, mode_complement, log_peak, sd }
    }

    /// Successes plus the prior's 1.
    pub fn alpha(self) -> f64 {
        self.successes + 1.0
    }

    /// Failures plus the prior's 1.
    pub fn beta(self) -> f64 {
        self.failures + 1.0
    }

    /// The mean.
    pub fn mean(self) -> f64 {
        self.alpha() / (self.successes + self.failures + 2.0)
    }

    /// The standard deviation.
    pub fn sd(self) -> f64 {
        self.sd
    }

    pub(super) fn log_pdf(self, x: f64) -> f64 {
        if (0.0..=1.0).contains(&x) { self.log_peak + self.log_drop(x) } else { f64::NEG_INFINITY }
    }

    /// The log density at `x` in [0, 1], relative to the peak: small numbers, so no digits are lost.
    fn log_drop(self, x: f64) -> f64 {
        let away = x - self.mode;
        log_power(self.successes, x, self.mode, away)
            + log_power(self.failures, 1.0 - x, self.mode_complement, -away)
    }

    /// Below and above these two the density is taken for zero.
    pub(super) fn range(self) -> (f64, f64) {
        (self.walk(-self.sd), self.walk(self.sd))
    }

    fn walk(self, sd: f64) -> f64 {
        let step = 1.5 * sd;
        let mut x = self.mode;
        for _ in 0..N_STEPS_MAX {
            x = (x + step).clamp(0.0, 1.0);
            if x <= 0.0 || 1.0 <= x || self.log_drop(x) < -LOG_DROP {
                break;
            }
        }
        x
    }

    pub(super) fn cdf(self, x: f64) -> f64 {
        let (low, high) = self.range();
        let density = |t: f64| self.log_pdf(t).exp();
        if x <= low {
            0.0
        } else if high <= x {
            1.0
        } else if x < self.mean() {
            integrate(low, x, self.sd, density)
        } else {
            1.0 - integrate(x, high, self.sd, density)
        }
    }

    pub(super) fn quantile(self, p: f64) -> f64 {
        if p <= 0.0 {
            return 0.0;
        }
        if 1.0 <= p {
            return 1.0;
        }
        let (low, high) = self.range();
        solve(Monotone {
            low,
            high,
            start: self.mean() + self.sd * standard_quantile(p),
            value: |x: f64| self.cdf(x) - p,
            slope: |x: f64| self.log_pdf(x).exp(),
        })
    }
}

/// `count · ln(value / at_mode)`, where `away` is `value − at_mode` to full precision; `0 · ln 0` is 0.
fn log_power(count: f64, value: f64, at_mode: f64, away: f64) -> f64 {
    if count <= 0.0 {
        0.0
    } else if value < 0.5 * at_mode {
        count * (value / at_mode).ln()
    } else {
        count * (away / at_mode).ln_1p()
    }
}
