//! How far a sum of independent noise strays at any time: the normal mixture boundary.

/// ρ for which the boundary is tightest where the variance is `v_planned`.
///
/// - `v_planned`: variance of the sum at the planned end, `> 0`.
/// - `alpha`: the chance to ever leave the boundary on either side, `0 < alpha < 1`.
///
/// # Source
///
/// Howard, Ramdas, McAuliffe & Sekhon (2021), *Time-uniform, nonparametric, nonasymptotic confidence sequences*, Ann.
/// Statist. 49(2), 1055–1080, §3.5. <https://doi.org/10.1214/20-AOS1991>
pub fn planned_rho(v_planned: f64, alpha: f64) -> f64 {
    let log = -2.0 * alpha.ln();
    v_planned / (log + log.ln_1p())
}

/// The boundary √((v + ρ) ln((v + ρ) / (ρ α²))): a martingale with normal increments and variance process v stays
/// within ± this at all times with probability `1 − alpha`.
///
/// - `v`: variance of the sum so far, `>= 0`.
/// - `rho`: see [`planned_rho`], `> 0`.
///
/// # Source
///
/// Robbins (1970), *Statistical methods related to the law of the iterated logarithm*, Ann. Math. Statist. 41(5),
/// 1397–1409. <https://doi.org/10.1214/aoms/1177696786>
pub fn boundary(v: f64, rho: f64, alpha: f64) -> f64 {
    ((v + rho) * ((v / rho).ln_1p() - 2.0 * alpha.ln())).sqrt()
}

/// The log of the evidence against a sum of noise alone: ln of √(ρ / (v + ρ)) exp(s² / (2 (v + ρ))), which under noise
/// alone is a martingale that starts at 0. It passes −ln α where |s| passes [`boundary`].
pub fn log_evidence(sum: f64, v: f64, rho: f64) -> f64 {
    0.5 * (sum * sum / (v + rho) - (v / rho).ln_1p())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evidence_and_boundary_say_the_same() {
        for (v, rho, alpha) in [(1.0, 0.1, 0.05), (250.0, 40.0, 0.001), (1e-9, 1e-10, 0.3)] {
            let edge = boundary(v, rho, alpha);
            assert!((log_evidence(edge, v, rho) + f64::ln(alpha)).abs() < 1e-12, "{v} {rho} {alpha}");
        }
    }

    #[test]
    fn the_boundary_is_tightest_where_it_is_planned() {
        let relative = |planned: f64| boundary(7.0, planned_rho(planned, 0.05), 0.05);
        let best = relative(7.0);
        assert!([3.0, 5.0, 6.5, 7.5, 10.0, 20.0].iter().all(|planned| best < relative(*planned)));
    }
}
