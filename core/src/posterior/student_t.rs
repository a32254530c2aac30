//! Student's t with location and scale: what is believed about a mean whose variance is unknown.

use std::f64::consts::{FRAC_PI_2, PI};

use super::family::{NotAPosterior, positive};
use super::gamma::ln_gamma_half_step;
use super::inverse::{Monotone, solve};
use super::normal::standard_quantile;
use super::quadrature::integrate;

/// Beyond so many standard deviations of the angle nothing is left to integrate.
const ANGLE_SDS: f64 = 9.0;

/// A Student-t posterior: `location + scale·T` with T of `degrees` degrees of freedom.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StudentT {
    degrees: f64,
    location: f64,
    scale: f64,
    /// Log of the standard density at 0.
    log_peak: f64,
}

impl StudentT {
    /// Checks the parameters.
    ///
    /// - `degrees`: degrees of freedom, `>= 1`.
    /// - `location`, `scale`: in the metric's unit, `scale > 0`.
    ///
    /// # Errors
    ///
    /// [`NotAPosterior`] unless all are finite, `degrees >= 1` and `scale > 0`.
    pub fn new(degrees: f64, location: f64, scale: f64) -> Result<Self, NotAPosterior> {
        if degrees.is_finite() && 1.0 <= degrees && location.is_finite() && positive(scale) {
            let log_peak = ln_gamma_half_step(0.5 * degrees) - 0.5 * (degrees * PI).ln();
            Ok(Self { degrees, location, scale, log_peak })
        } else {
            Err(NotAPosterior { family: "student_t", first: degrees, second: scale })
        }
    }

    /// Degrees of freedom.
    pub fn degrees(self) -> f64 {
        self.degrees
    }

    /// Where it is centered, in the metric's unit; also the mean where there is one.
    pub fn location(self) -> f64 {
        self.location
    }

    /// How wide it is, in the metric's unit; not the standard deviation.
    pub fn scale(self) -> f64 {
        self.scale
    }

    /// The mean; none with one degree of freedom.
    pub fn mean(self) -> Option<f64> {
        (1.0 < self.degrees).then_some(self.location)
    }

    /// The standard deviation; none with two degrees of freedom or fewer.
    pub fn sd(self) -> Option<f64> {
        (2.0 < self.degrees).then(|| self.scale * (self.degrees / (self.degrees - 2.0)).sqrt())
    }

    pub(super) fn log_pdf(self, x: f64) -> f64 {
        let z = (x - self.location) / self.scale;
        self.log_peak - self.scale.ln() - 0.5 * (self.degrees + 1.0) * (z * z / self.degrees).ln_1p()
    }

    pub(super) fn cdf(self, x: f64) -> f64 {
        let z = (x - self.location) / self.scale;
        let upper = self.upper_tail(z.abs());
        if 0.0 <= z { 1.0 - upper } else { upper }
    }

    /// P(T > z) for `z >= 0`, by the substitution `z = √ν·tan φ`, which makes the range finite and the
    /// integrand `cos^(ν−1) φ`, smooth for any ν.
    fn upper_tail(self, z: f64) -> f64 {
        let angle = (z / self.degrees.sqrt()).atan();
        let angle_sd = 1.0 / self.degrees.sqrt();
        let power = self.degrees - 1.0;
        let density = |phi: f64| {
            let ln_cos = if phi < 0.8 {
                0.5 * (-phi.sin().powi(2)).ln_1p()
            } else {
                phi.cos().max(f64::MIN_POSITIVE).ln()
            };
            (self.log_peak + power * ln_cos).exp() * self.degrees.sqrt()
        };
        if angle < angle_sd {
            return 0.5 - integrate(0.0, angle, angle_sd, density);
        }
        let end =
            if 1.0 < self.degrees { (angle + ANGLE_SDS / power.sqrt()).min(FRAC_PI_2) } else { FRAC_PI_2 };
        integrate(angle, end, angle_sd.min(0.25), density)
    }

    pub(super) fn quantile(self, p: f64) -> f64 {
        if p <= 0.0 {
            return f64::NEG_INFINITY;
        }
        if 1.0 <= p {
            return f64::INFINITY;
        }
        let standard = Self { location: 0.0, scale: 1.0, ..self };
        let tail = p.min(1.0 - p);
        // The first term of the power-law tail bounds the quantile where the normal one is too near.
        let far = (self.degrees.sqrt() * tail.powf(-1.0 / self.degrees))
            .max(-2.0 * standard_quantile(tail))
            .max(1.0);
        let z = solve(Monotone {
            low: 0.0,
            high: far,
            start: -standard_quantile(tail),
            value: |z: f64| tail - standard.upper_tail(z),
            slope: |z: f64| standard.log_pdf(z).exp(),
        });
        self.location + self.scale * if p < 0.5 { -z } else { z }
    }
}
