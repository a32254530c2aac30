//! Whether each variant got the units that its weights say: sample ratio mismatch.
//!
//! If not, units of some variant are lost or counted twice, and no comparison can be trusted. Each stratum is held
//! against the weights that were in force in it, so this serves bandits as it serves a fixed split; held against an
//! equal split, every healthy bandit looks broken.

use std::f64::consts::TAU;

use statrs::function::gamma::{gamma_ur, ln_gamma};

use crate::posterior::stirling_remainder;

/// How many units the prior is worth. A tenth of the units within which a mismatch should be found serves it best: with
/// this one a delivery of 60/40 for 50/50 is found within a thousand. One of 51/49 takes a seventh more units than with
/// a prior made for it.
pub const CONCENTRATION: f64 = 100.0;

/// How often a healthy experiment raises an alarm at any time, at most.
pub const ALARM: f64 = 0.001;

/// A part of the largest variance below which there is none.
const NO_VARIANCE: f64 = 1e-9;

/// The units of one stratum.
#[derive(Clone, Copy, Debug)]
pub struct Counted<'a> {
    /// The probability of each variant, 0 for one that was not in the test; none where it is not known.
    pub shares: Option<&'a [f64]>,
    /// The units of each variant, in the same order.
    pub units: &'a [u64],
}

/// What the units say of their delivery, however often one looks.
#[derive(Clone, Debug, PartialEq)]
pub struct SampleRatio {
    /// ln e: the log of how much more likely the units are if something is wrong. Infinite if a variant got units that
    /// it could not get.
    pub log_evidence: f64,
    /// The largest that it was at the end of a stratum.
    pub log_evidence_max: f64,
    /// The units of each variant in the strata that are used.
    pub observed: Vec<u64>,
    /// What each variant should have got of them.
    pub expected: Vec<f64>,
    /// Units in strata whose probabilities are not known.
    pub left_out: u64,
}

impl SampleRatio {
    /// The probability of so much evidence at any time so far, at most, in a healthy experiment.
    pub fn p_value(&self) -> f64 {
        (-self.log_evidence_max).exp().min(1.0)
    }

    /// Whether the delivery is broken: true in at most one of 1,000 healthy experiments, however often one looks.
    pub fn is_alarming(&self) -> bool {
        self.p_value() <= ALARM
    }
}

/// Weighs the hypothesis that the units follow the shares against all others.
///
/// In a stratum of n units, nᵢ of variant i with share θᵢ > 0:
///
/// ```text
/// ln e = ln Γ(Σα) − ln Γ(Σα + n) + Σ [ln Γ(αᵢ + nᵢ) − ln Γ(αᵢ)] − Σ nᵢ ln θᵢ
/// ```
///
/// and strata add up. With α = cθ in the first stratum, and c + n in place of c for each unit counted since, that is
/// the published test of a fixed split. Here shares change, so a stratum takes over what earlier ones told about the
/// **tilt** of each variant: the units it got, Oᵢ, over those it should have got, Eᵢ.
///
/// ```text
/// αᵢ = C qᵢ     qᵢ ∝ θᵢ (cθᵢ + Oᵢ) / (cθᵢ + Eᵢ)     C = Σ 1/θᵢ / Σ 1/(cθᵢ + Eᵢ)
/// ```
///
/// q is what to expect if the same part of each variant's units goes on being lost. C is such that the logs of q
/// vary as much as the logs of the estimated tilts do. Where shares never change, αᵢ = cθᵢ + Oᵢ: the published test,
/// whatever the strata. A product of tests that each begin anew would learn nothing from one stratum to the next, and
/// in strata of 500 units never notice that a tenth of a variant's units are missing.
///
/// It is a test martingale for any q and C that come from earlier strata: given those, the first three terms are the
/// log of a probability of the units in their order (a Pólya urn's), the last one of that under the hypothesis, and
/// a quotient of two probabilities has expectation 1 under the lower one. So e reaches 1/α with probability at most α
/// (Ville). A unit that is counted late, in a stratum before the last one, changes what later ones started with; e then
/// still has expectation 1 at each look.
///
/// - `concentration`: c, the units that the prior is worth, `> 0`: [`CONCENTRATION`].
///
/// # Source
///
/// Lindon & Malek (2022), *Anytime-valid inference for multinomial count data*, Advances in Neural
/// Information Processing Systems 35. The tilt is ours.
pub fn sequential(strata: &[Counted<'_>], concentration: f64) -> SampleRatio {
    let n_variants = strata.iter().map(|stratum| stratum.units.len()).max().unwrap_or(0);
    let mut found = SampleRatio {
        log_evidence: 0.0,
        log_evidence_max: 0.0,
        observed: vec![0; n_variants],
        expected: vec![0.0; n_variants],
        left_out: 0,
    };
    for stratum in strata {
        let n: u64 = stratum.units.iter().sum();
        let Some(shares) = normalized(stratum) else {
            found.left_out += n;
            continue;
        };
        found.log_evidence += log_evidence(&shares, stratum.units, &found, concentration);
        found.log_evidence_max = found.log_evidence_max.max(found.log_evidence);
        for (variant_idx, (&units, share)) in stratum.units.iter().zip(&shares).enumerate() {
            found.observed[variant_idx] += units;
            found.expected[variant_idx] += n as f64 * share;
        }
    }
    found
}

/// The shares over their sum; none where they are not known, or are none.
fn normalized(stratum: &Counted<'_>) -> Option<Vec<f64>> {
    let shares = stratum.shares.filter(|shares| shares.len() == stratum.units.len())?;
    let total: f64 = shares.iter().sum();
    let usable = shares.iter().all(|share| 0.0 <= *share) && 0.0 < total && total.is_finite();
    usable.then(|| shares.iter().map(|share| share / total).collect())
}

/// ln e of one stratum after the ones before.
fn log_evidence(shares: &[f64], units: &[u64], before: &SampleRatio, concentration: f64) -> f64 {
    let (mut precision, mut variance, mut total) = (0.0, 0.0, 0.0);
    let mut variants = Vec::with_capacity(shares.len());
    for (variant_idx, (&share, &n)) in shares.iter().zip(units).enumerate() {
        if share <= 0.0 {
            if 0 < n {
                return f64::INFINITY;
            }
            continue;
        }
        let prior = concentration * share;
        let (observed, expected) =
            (prior + before.observed[variant_idx] as f64, prior + before.expected[variant_idx]);
        precision += share.recip();
        variance += expected.recip();
        total += share * observed / expected;
        variants.push((share, n as f64, observed / expected));
    }
    let worth = precision / variance;
    let n: f64 = variants.iter().map(|(_, n, _)| n).sum();
    // The Stirling series is subtracted term by term, or ten million units would leave eight digits.
    let grown = (n / worth).ln_1p();
    let mut log = 0.5 * grown - remainder(worth + n) + remainder(worth);
    for (share, own_n, tilt) in variants {
        let tilt = tilt / total;
        let alpha = worth * share * tilt;
        // ln (1 + nᵢ/αᵢ) − ln (1 + n/C), whose terms are nearly equal.
        let apart = ((own_n / alpha - n / worth) / (1.0 + n / worth)).ln_1p();
        log += (alpha + own_n) * apart + own_n * tilt.ln() - 0.5 * (apart + grown);
        log += remainder(alpha + own_n) - remainder(alpha);
    }
    log
}

/// `ln Γ(a) − [(a − ½) ln a − a + ½ ln 2π]` for `a > 0`.
fn remainder(a: f64) -> f64 {
    const STIRLING_MIN: f64 = 10.0;
    if STIRLING_MIN <= a {
        stirling_remainder(a)
    } else {
        ln_gamma(a) - ((a - 0.5) * a.ln() - a + 0.5 * TAU.ln())
    }
}

/// A chi-square test, for those who look once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ChiSquare {
    /// Sᵀ V⁻ S.
    pub statistic: f64,
    /// The rank of V: one less than the variants, if all were in the test together.
    pub degrees: usize,
    /// The probability of a statistic this large if the delivery is healthy.
    pub p_value: f64,
}

/// The chi-square test of the units n against the shares e of each stratum, with m units in all: Sᵀ V⁻ S with
/// S = Σ (n − m e) and V = Σ m (diag e − e eᵀ) over strata. With one stratum it is Pearson's.
///
/// - returns: none where nothing could vary.
pub fn chi_square(strata: &[Counted<'_>]) -> Option<ChiSquare> {
    let n_variants = strata.iter().map(|stratum| stratum.units.len()).max().unwrap_or(0);
    let mut excess = vec![0.0; n_variants];
    let mut variances = vec![vec![0.0; n_variants]; n_variants];
    for stratum in strata {
        let Some(shares) = normalized(stratum) else { continue };
        let n = stratum.units.iter().sum::<u64>() as f64;
        for (i, (&units, share)) in stratum.units.iter().zip(&shares).enumerate() {
            if *share <= 0.0 && 0 < units {
                return Some(ChiSquare { statistic: f64::INFINITY, degrees: 1, p_value: 0.0 });
            }
            excess[i] += units as f64 - n * share;
            for (j, other) in shares.iter().enumerate() {
                variances[i][j] += n * share * (if i == j { 1.0 - other } else { -other });
            }
        }
    }
    let (statistic, degrees) = quadratic_form(excess, variances);
    let p_value = if 0.0 < statistic { gamma_ur(0.5 * degrees as f64, 0.5 * statistic) } else { 1.0 };
    (0 < degrees).then_some(ChiSquare { statistic, degrees, p_value })
}

/// Sᵀ V⁻ S and the rank of V, by elimination with the largest variance first.
fn quadratic_form(mut s: Vec<f64>, mut v: Vec<Vec<f64>>) -> (f64, usize) {
    let mut left: Vec<usize> = (0..s.len()).collect();
    let largest = left.iter().map(|&i| v[i][i]).fold(0.0, f64::max);
    let (mut form, mut rank) = (0.0, 0);
    while let Some(position) =
        (0..left.len()).max_by(|&a, &b| v[left[a]][left[a]].total_cmp(&v[left[b]][left[b]]))
    {
        let pivot = left.swap_remove(position);
        let variance = v[pivot][pivot];
        if variance <= NO_VARIANCE * largest {
            break;
        }
        form += s[pivot] * s[pivot] / variance;
        rank += 1;
        let row = v[pivot].clone();
        for &i in &left {
            let factor = row[i] / variance;
            s[i] -= factor * s[pivot];
            for &j in &left {
                v[i][j] -= factor * row[j];
            }
        }
    }
    (form, rank)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many units it takes to see 51/49.
    fn n_to_see(concentration: f64) -> u64 {
        let is_seen = |n: &u64| {
            let units = [51 * n, 49 * n];
            let stratum = Counted { shares: Some(&[0.5, 0.5]), units: &units };
            sequential(&[stratum], concentration).is_alarming()
        };
        (1..2000).find(is_seen).map_or(u64::MAX, |n| 100 * n)
    }

    #[test]
    fn a_small_mismatch_takes_a_seventh_more_than_it_could() {
        let best = [1000.0, 3000.0, 5000.0, 10_000.0].map(n_to_see).into_iter().min().unwrap();
        let found = n_to_see(CONCENTRATION);
        assert!(7 * found <= 8 * best, "{found}, {best} at best");
    }

    #[test]
    fn how_strata_are_cut_does_not_matter_where_shares_stay() {
        let shares: Option<&[f64]> = Some(&[0.2, 0.3, 0.5]);
        let cut = [[20, 31, 49], [0, 2, 1], [70, 80, 160]].map(|units: [u64; 3]| units);
        let cut: Vec<_> = cut.iter().map(|units| Counted { shares, units }).collect();
        let found = sequential(&cut, CONCENTRATION).log_evidence;
        let whole = sequential(&[Counted { shares, units: &[90, 113, 210] }], CONCENTRATION).log_evidence;
        assert!((found - whole).abs() < 1e-12, "{found}, {whole}");
    }

    #[test]
    fn variants_that_never_met_are_not_compared() {
        let strata = [
            Counted { shares: Some(&[0.5, 0.5, 0.0, 0.0]), units: &[60, 40, 0, 0] },
            Counted { shares: Some(&[0.0, 0.0, 0.5, 0.5]), units: &[0, 0, 45, 55] },
        ];
        let found = chi_square(&strata).unwrap();
        assert_eq!(found.degrees, 2);
        assert!((found.statistic - 5.0).abs() < 1e-12, "{found:?}");
    }

    #[test]
    fn nothing_counted_is_no_evidence() {
        let found = sequential(&[], CONCENTRATION);
        assert!(found.log_evidence.abs() < f64::MIN_POSITIVE && !found.is_alarming());
        assert!((found.p_value() - 1.0).abs() < f64::EPSILON);
        assert_eq!(chi_square(&[]), None);
    }
}
