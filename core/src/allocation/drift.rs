//! What each variant brings, without the level that moves for all of them.

use std::iter::repeat;

use crate::inference::moments::Moments;
use crate::metric::{MetricKind, VariantSums};

use super::memory::Memory;
use super::within::{Fit, Pair, Within};

/// Matured units that were assigned under the same weights, at about the same time.
#[derive(Clone, Debug, PartialEq)]
pub struct ArmStratum {
    /// How long ago its units were first exposed, in days.
    pub age_days: f64,
    /// The sums over the units of each active variant, in the order of the arms. They may be capped.
    pub sums: Vec<VariantSums>,
}

/// What is to be believed of each of `n_arms`: units, mean and squares around it, without the drift of the level.
///
/// While weights move, a level that moves too (a sale, a weekend, a rising trend) favors the variant that had more
/// of its traffic in the better time. Comparing within strata is free of that, but wastes what is known as long as
/// the level stays: units of different strata are not compared at all. So both are computed for each variant, in
/// comparison with the one that has the most units:
///
/// - within strata: θ of the least squares `ȳᵢ_b = a_b + θᵢ`, weighted by units. With the strata eliminated that is
///   `L θ = Σ_b n_b (ȳ_b − ȳ̄_b)`, `L = Σ_b (diag n_b − n_b n_bᵀ / N_b)`, K by K; its error has the variance `σ² R`.
/// - pooled: the difference of the plain means, with the variance `σ² (1/nᵢ + 1/n₀)`, which is never more.
///
/// Where the level stays, the two differ by d with the variance `σ² v`, `v = R − (1/nᵢ + 1/n₀)`; what d² is beyond
/// that is drift. The pooled difference gets the weight `w = min(1, (σ² v / d²)²)`. Drift therefore moves a comparison
/// by one standard error of d at most, the less the clearer it is, and while the level stays little is lost: three
/// variants at 2, 2 and 3 % in `tests/stat` get the shares that plain means give them; one that came later gets 95
/// instead of 96 % once it is found. The variant counts as the number of units whose mean has the error that is
/// left, `σ² (1/nᵢ + (1 − w)² v) + w² (d² − σ² v)`. The pooled level of all variants is added back.
///
/// Variants that never shared a stratum with the reference are compared by their means.
///
/// # Source
///
/// Hausman (1978), *Specification tests in econometrics*, Econometrica 46(6), 1251–1271, for the variance of d;
/// <https://doi.org/10.2307/1913827>. Green & Strawderman (1991), *A James–Stein type estimator for combining
/// unbiased and possibly biased estimators*, J. Am. Stat. Assoc. 86(416), 1001–1006, for the idea;
/// <https://doi.org/10.1080/01621459.1991.10475144>. We weight each comparison by itself, and square the weight: the
/// one that makes the squared error least keeps more of a clear drift, which is an error that does not average out.
pub(super) fn without_drift(
    kind: MetricKind,
    memory: Memory,
    strata: &[ArmStratum],
    n_arms: usize,
) -> Vec<Moments> {
    let mut pooled = vec![Moments::default(); n_arms];
    let mut within = Within::new(n_arms);
    let mut cells = vec![Moments::default(); n_arms];
    for stratum in strata {
        let weight = memory.weight(stratum.age_days);
        for (cell, sums) in cells.iter_mut().zip(stratum.sums.iter().map(Some).chain(repeat(None))) {
            let exact = sums.map_or_else(Moments::default, Moments::of);
            *cell = counting(&exact, weight * exact.n);
        }
        for (pooled, cell) in pooled.iter_mut().zip(&cells).filter(|(_, cell)| 0.0 < cell.n) {
            *pooled = pooled.merged(cell);
        }
        within.add(&cells);
    }
    combined(kind, &pooled, &within)
}

/// The same mean and spread, from `n` units.
fn counting(moments: &Moments, n: f64) -> Moments {
    let part = if 0.0 < moments.n { n / moments.n } else { 0.0 };
    Moments {
        n,
        n_nonzero: part * moments.n_nonzero,
        yy: part * moments.yy,
        yd: part * moments.yd,
        dd: part * moments.dd,
        ..*moments
    }
}

/// How a variant compares with the reference.
#[derive(Clone, Copy, Debug)]
struct Effect {
    /// What it brings beyond the reference.
    beyond: Pair,
    /// How many units it counts as.
    n: f64,
    /// Whether that is not what the plain means say.
    is_moved: bool,
}

fn combined(kind: MetricKind, pooled: &[Moments], within: &Within) -> Vec<Moments> {
    let most = pooled.iter().enumerate().max_by(|(_, a), (_, b)| a.n.total_cmp(&b.n));
    let Some((reference_idx, reference)) = most.filter(|(_, reference)| 0.0 < reference.n) else {
        return pooled.to_vec();
    };
    let all = pooled.iter().fold(Moments::default(), |all, moments| all.merged(moments));
    // Of a ratio, y − R·d is compared: to first order the difference of ratios.
    let ratio = if kind == MetricKind::Ratio && 0.0 < all.d { all.y / all.d } else { 0.0 };
    let squares: f64 = pooled.iter().map(|moments| moments.linearized(ratio, 1.0).squares).sum();
    let variance = squares / (all.n - pooled.len() as f64).max(1.0);
    if variance <= 0.0 {
        // Nothing varies, so nothing drifts: what the two ways of comparing differ by is rounding.
        return pooled.to_vec();
    }
    let effect = |(moments, fit): (&Moments, Option<Fit>)| {
        let fit = fit?;
        let plain = Pair::of(moments).plus(-1.0, Pair::of(reference));
        let apart = plain.plus(-1.0, fit.beyond);
        let squared = (apart.y - ratio * apart.d).powi(2);
        let by_chance = variance * (fit.resistance - 1.0 / moments.n - 1.0 / reference.n).max(0.0);
        if squared <= by_chance {
            return Some(Effect { beyond: plain, n: moments.n, is_moved: false });
        }
        let trust = (by_chance / squared).powi(2);
        let left = (1.0 - trust).powi(2) * by_chance + trust.powi(2) * (squared - by_chance);
        let n = variance / (variance / moments.n + left);
        Some(Effect { beyond: fit.beyond.plus(trust, apart), n, is_moved: true })
    };
    let mut effects: Vec<Option<Effect>> =
        pooled.iter().zip(within.fits(reference_idx)).map(effect).collect();
    if !effects.iter().flatten().any(|effect| effect.is_moved) {
        return pooled.to_vec();
    }
    effects[reference_idx] = Some(Effect { beyond: Pair::default(), n: reference.n, is_moved: false });
    with_level(kind, pooled, &effects)
}

/// Adds the pooled level of those that were compared back to their effects.
fn with_level(kind: MetricKind, pooled: &[Moments], effects: &[Option<Effect>]) -> Vec<Moments> {
    let compared = || pooled.iter().zip(effects).filter_map(|(moments, effect)| Some((moments, (*effect)?)));
    let n: f64 = compared().map(|(moments, _)| moments.n).sum();
    let level = compared().fold(Pair::default(), |level, (moments, effect)| {
        level.plus(moments.n / n, Pair::of(moments).plus(-1.0, effect.beyond))
    });
    let free = |(moments, effect): (&Moments, &Option<Effect>)| {
        let Some(effect) = effect else { return *moments };
        let Pair { y, d } = level.plus(1.0, effect.beyond);
        let free = Moments { y, d, ..counting(moments, effect.n) };
        match kind {
            MetricKind::Proportion => Moments { y: y.clamp(0.0, 1.0), d: 1.0, ..free },
            MetricKind::Mean => Moments { d: 1.0, ..free },
            MetricKind::Ratio if 0.0 < d => free,
            MetricKind::Ratio => *moments,
        }
    };
    pooled.iter().zip(effects).map(free).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::allocation::Days;

    fn rates(of: &[(i64, i64)]) -> Vec<VariantSums> {
        let sums = |&(n, successes): &(i64, i64)| {
            let (y, d) = (i128::from(successes), i128::from(n));
            VariantSums { n, n_nonzero: successes, y, d, yy: y, yd: y, dd: d }
        };
        of.iter().map(sums).collect()
    }

    fn stratum(age_days: f64, of: &[(i64, i64)]) -> ArmStratum {
        ArmStratum { age_days, sums: rates(of) }
    }

    #[track_caller]
    fn close(got: f64, expected: f64) {
        assert!((got - expected).abs() <= 1e-9 * expected.abs(), "{got} for {expected}");
    }

    #[test]
    fn what_one_stratum_says_is_what_the_means_say() {
        let strata = [stratum(3.0, &[(900, 20), (90, 3), (0, 0)])];
        let free = without_drift(MetricKind::Proportion, Memory::Everything, &strata, 3);
        assert_eq!(free, rates(&[(900, 20), (90, 3), (0, 0)]).iter().map(Moments::of).collect::<Vec<_>>());
    }

    #[test]
    fn a_level_that_clearly_moves_is_removed_and_its_mean_added_back() {
        // Alike in each stratum; the second variant has its traffic in the better one.
        let strata =
            [stratum(2.0, &[(90_000, 1800), (10_000, 200)]), stratum(1.0, &[(10_000, 1000), (90_000, 9000)])];
        let free = without_drift(MetricKind::Proportion, Memory::Everything, &strata, 2);
        for variant in &free {
            assert!((variant.y - 0.06).abs() < 1e-3, "{variant:?}");
        }
        // Known as well as within strata: 2 · 90,000 · 10,000 / 100,000.
        let n_pairs = 1.0 / (1.0 / free[0].n + 1.0 / free[1].n);
        assert!((n_pairs - 18_000.0).abs() < 1.0, "{n_pairs}");
    }

    #[test]
    fn a_ratio_is_freed_in_numerator_and_denominator() {
        // Orders twice as large in the second stratum, whoever sells them; one order a unit in half of the cases.
        let cell = |n: i64, amount: i64| {
            let (n, amount) = (i128::from(n), i128::from(amount));
            let (y, d) = (n / 2 * amount, n / 2);
            VariantSums { n: n as i64, n_nonzero: d as i64, y, d, yy: y * amount, yd: y, dd: d }
        };
        let strata = [[(9000, 100), (1000, 100)], [(1000, 200), (9000, 200)]].map(|cells| ArmStratum {
            age_days: 0.0,
            sums: cells.map(|(n, amount)| cell(n, amount)).to_vec(),
        });
        let free = without_drift(MetricKind::Ratio, Memory::Everything, &strata, 2);
        for variant in &free {
            assert!((variant.y / variant.d - 150.0).abs() < 3.0, "{variant:?}");
        }
    }

    #[test]
    fn variants_that_never_met_are_compared_by_their_means() {
        let strata = [
            stratum(1.0, &[(90_000, 1800), (10_000, 200), (0, 0)]),
            stratum(1.0, &[(10_000, 1000), (90_000, 9000), (0, 0)]),
            stratum(1.0, &[(0, 0), (0, 0), (500, 300)]),
        ];
        let free = without_drift(MetricKind::Proportion, Memory::Everything, &strata, 3);
        assert_eq!(free[2], Moments::of(&rates(&[(500, 300)])[0]));
        assert!((free[0].y - free[1].y).abs() < 1e-3, "{free:?}");
    }

    #[test]
    fn values_that_never_vary_have_no_drift() {
        // In numbers that sums of doubles do not hit exactly.
        for (value, sizes) in [(1, [[867, 518, 403], [70, 10, 330]]), (333, [[27, 13, 12], [13, 1, 9]])] {
            let cell = |n: i64| {
                let (units, y) = (i128::from(n), i128::from(n * value));
                let yy = y * i128::from(value);
                VariantSums { n, n_nonzero: n, y, d: units, yy, yd: y, dd: units }
            };
            let strata: Vec<_> = sizes
                .iter()
                .map(|sizes| ArmStratum { age_days: 1.0, sums: sizes.iter().copied().map(cell).collect() })
                .collect();
            let kind = if value == 1 { MetricKind::Proportion } else { MetricKind::Mean };
            let free = without_drift(kind, Memory::Everything, &strata, 3);
            for (arm_idx, variant) in free.iter().enumerate() {
                close(variant.n, sizes.iter().map(|sizes| sizes[arm_idx] as f64).sum());
                close(variant.y, value as f64);
            }
        }
    }

    #[test]
    fn what_is_old_counts_for_less() {
        let days = |value| Days::new(value).unwrap();
        let strata = [stratum(7.0, &[(1000, 20), (1000, 30)]), stratum(0.0, &[(1000, 20), (1000, 30)])];
        for (memory, expected) in [
            (Memory::Everything, 2000.0),
            (Memory::HalfLife(days(7.0)), 1500.0),
            (Memory::Window(days(6.9)), 1000.0),
        ] {
            let free = without_drift(MetricKind::Proportion, memory, &strata, 2);
            for (variant, rate) in free.iter().zip([0.02, 0.03]) {
                close(variant.n, expected);
                close(variant.y, rate);
            }
        }
    }
}
