//! A boundary that a sum crosses at no time, but with a stated probability.

use std::f64::consts::{SQRT_2, TAU};

use statrs::function::erf::erfc;

/// Below this the logarithm of the normal distribution function comes from its expansion far out in the tail.
const FAR_OUT: f64 = -20.0;

/// The two-sided normal mixture boundary at one error probability, tightest at one variance.
///
/// For a sum S of differences that are each zero on average given the past, and V the sum of their variances given
/// the past, `P(|S| < bound(V) at all times) >= 1 − α`: exactly for normal differences, and as V grows for all
/// others. Its inverse view is the e-value [`log_e`](Self::log_e): `|S| < bound(V)` just where it is below ln 1/α.
///
/// S and V may be in any unit, as long as V is in the square of S's.
///
/// # Source
///
/// Robbins (1970), *Statistical methods related to the law of the iterated logarithm*, Ann. Math. Statist. 41(5),
/// 1397–1409. <https://doi.org/10.1214/aoms/1177696786>; Howard, Ramdas, McAuliffe & Sekhon (2021), *Time-uniform,
/// nonparametric, nonasymptotic confidence sequences*, Ann. Statist. 49(2), 1055–1080, propositions 3 and 5.
/// <https://doi.org/10.1214/20-AOS1991>. The tuning is their equation for the best ρ in the closed form that takes the
/// lower branch of Lambert's W for its leading terms, `ρ = V* / (−2 ln α + ln(1 − 2 ln α))`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Boundary {
    alpha: f64,
    rho: f64,
}

impl Boundary {
    /// The boundary that is crossed with probability at most `alpha`, and is tightest at the variance `planned`.
    ///
    /// - `alpha`: `0 < alpha < 1`; taken to the nearest such number.
    /// - `planned`: V*, `> 0`; taken to the nearest such number. It must not be chosen by what S turned out to be.
    pub fn tuned(alpha: f64, planned: f64) -> Self {
        let alpha = alpha.clamp(f64::MIN_POSITIVE, 1.0 - f64::EPSILON);
        let twice = -2.0 * alpha.ln();
        Self { alpha, rho: (planned / (twice + twice.ln_1p())).clamp(f64::MIN_POSITIVE, f64::MAX) }
    }

    /// The probability with which it is crossed at most.
    pub fn alpha(self) -> f64 {
        self.alpha
    }

    /// How far from zero the sum may be: `√((V+ρ) ln((V+ρ)/(ρ α²)))`.
    pub fn bound(self, variance: f64) -> f64 {
        let grown = (variance / self.rho).ln_1p();
        ((variance + self.rho) * (grown - 2.0 * self.alpha.ln())).sqrt()
    }

    /// The logarithm of the e-value of "the differences are zero": `½ ln(ρ/(V+ρ)) + S²/(2(V+ρ))`.
    ///
    /// Its mean is at most 1 at any time one stops at, if that is true.
    pub fn log_e(self, sum: f64, variance: f64) -> f64 {
        0.5 * (sum * sum / (variance + self.rho) - (variance / self.rho).ln_1p())
    }

    /// The logarithm of the e-value of "the differences are not above zero": `log_e + ln 2Φ(S/√(V+ρ))`, where Φ is the
    /// normal distribution function.
    pub fn log_e_above(self, sum: f64, variance: f64) -> f64 {
        self.log_e(sum, variance) + 2_f64.ln() + log_normal_cdf(sum / (variance + self.rho).sqrt())
    }
}

/// ln Φ(z).
fn log_normal_cdf(z: f64) -> f64 {
    if z < FAR_OUT {
        let inverse = 1.0 / (z * z);
        let series = 1.0 - inverse * (1.0 - 3.0 * inverse * (1.0 - 5.0 * inverse * (1.0 - 7.0 * inverse)));
        -0.5 * z * z - (-z * TAU.sqrt()).ln() + series.ln()
    } else {
        (0.5 * erfc(-z / SQRT_2)).ln()
    }
}
