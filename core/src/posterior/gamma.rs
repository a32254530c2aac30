//! Differences of log-gamma functions that keep their digits at ten million observations.
//!
//! `ln Γ(10⁷)` is 1.5·10⁸: taking two of them from each other leaves eight digits. The Stirling series is
//! therefore subtracted term by term.
//!
//! # Source
//!
//! Didonato & Morris (1992), *Algorithm 708: Significant digit computation of the incomplete beta function
//! ratios*, ACM Trans. Math. Softw. 18(3), 360–373, for the decomposition. <https://doi.org/10.1145/131766.131776>

use std::f64::consts::TAU;

use statrs::function::gamma::ln_gamma;

/// From here on the truncated Stirling series is exact to double precision.
const STIRLING_MIN: f64 = 10.0;

/// `ln Γ(a) − [(a − ½) ln a − a + ½ ln 2π]` for `a >= 10`.
pub(crate) fn stirling_remainder(a: f64) -> f64 {
    let r = 1.0 / (a * a);
    (1.0 / 12.0
        - r * (1.0 / 360.0
            - r * (1.0 / 1260.0 - r * (1.0 / 1680.0 - r * (1.0 / 1188.0 - r * 691.0 / 360_360.0)))))
        / a
}

/// `ln Γ(a + ½) − ln Γ(a)`.
pub(super) fn ln_gamma_half_step(a: f64) -> f64 {
    if a < STIRLING_MIN {
        return ln_gamma(a + 0.5) - ln_gamma(a);
    }
    a * (0.5 / a).ln_1p() + 0.5 * a.ln() - 0.5 + stirling_remainder(a + 0.5) - stirling_remainder(a)
}

/// The log of the peak of the beta density with this many successes and failures beyond the even prior.
///
/// - `successes`, `failures`: α − 1 and β − 1, `>= 0`.
pub(super) fn ln_beta_peak(successes: f64, failures: f64) -> f64 {
    let (alpha, beta, n) = (successes + 1.0, failures + 1.0, successes + failures);
    let sum = n + 2.0;
    if STIRLING_MIN <= alpha && STIRLING_MIN <= beta {
        // The powers of the mode over those of the mean: both terms are below 1, while ln B has seven digits
        // before the point at ten million.
        let skew = (successes - failures) / n;
        let powers = successes * (skew / alpha).ln_1p() + failures * (-skew / beta).ln_1p();
        let width = 1.5 * sum.ln() - 0.5 * (alpha.ln() + beta.ln() + TAU.ln());
        return powers + width + stirling_remainder(sum)
            - stirling_remainder(alpha)
            - stirling_remainder(beta);
    }
    // `count · ln(count / n)`, by the complement where the quotient is near 1.
    let power = |count: f64, other: f64| {
        if count <= 0.0 {
            0.0
        } else if other < count {
            count * (-other / n).ln_1p()
        } else {
            count * (count / n).ln()
        }
    };
    power(successes, failures) + power(failures, successes)
        - ln_beta_of_small(alpha.min(beta), alpha.max(beta))
}

/// `ln B(small, large)` for `small <= 10`.
fn ln_beta_of_small(small: f64, large: f64) -> f64 {
    let sum = small + large;
    if large < STIRLING_MIN {
        return ln_gamma(small) + ln_gamma(large) - ln_gamma(sum);
    }
    let remainders = stirling_remainder(large) - stirling_remainder(sum);
    ln_gamma(small) + small - (large - 0.5) * (small / large).ln_1p() - small * sum.ln() + remainders
}

#[cfg(test)]
mod tests {
    use std::f64::consts::PI;

    use super::*;

    #[test]
    fn small_arguments_have_their_closed_forms() {
        assert!((ln_beta_peak(0.0, 0.0)).abs() < 1e-14);
        assert!((ln_beta_peak(1.0, 1.0) - 1.5_f64.ln()).abs() < 1e-14);
        assert!((ln_beta_peak(0.0, 1e7) - (1e7_f64 + 1.0).ln()).abs() < 1e-12);
        assert!((ln_gamma_half_step(0.5) + 0.5 * PI.ln()).abs() < 1e-14);
    }

    #[test]
    fn half_steps_add_up_across_the_switch_of_method() {
        for a in [1.0, 9.7, 10.0, 1e3, 5e6] {
            let steps = ln_gamma_half_step(a) + ln_gamma_half_step(a + 0.5);
            assert!((steps - f64::ln(a)).abs() < 1e-12, "{a}: {steps}");
        }
    }
}
