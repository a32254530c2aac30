//! What each variant brings, without the level that moves for all of them.

use crate::inference::moments::Moments;
use crate::metric::{MetricKind, VariantSums};

use super::memory::Memory;

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
/// that is drift. The pooled difference gets the weight `w = min(1, σ² v / d²)`, which makes the expected squared
/// error least, `σ² (1/nᵢ + 1/n₀ + (1 − w) v)`, so the variant counts as the number of units whose mean has that
/// error. Drift therefore moves a comparison by one of its standard errors at most, the less the clearer it is, and
/// while the level stays next to nothing is lost. The pooled level of all variants is added back.
///
/// Variants that never shared a stratum with the reference are compared by their means.
///
/// # Source
///
/// Hausman (1978), *Specification tests in econometrics*, Econometrica 46(6), 1251–1271, for the variance of d;
/// <https://doi.org/10.2307/1913827>. Green & Strawderman (1991), *A James–Stein type estimator for combining
/// unbiased and possibly biased estimators*, J. Am. Stat. Assoc. 86(416), 1001–1006, for the idea;
/// <https://doi.org/10.1080/01621459.1991.10475144>. We weight each comparison by itself.
pub(super) fn without_drift(
    kind: MetricKind,
    memory: Memory,
    strata: &[ArmStratum],
    n_arms: usize,
) -> Vec<Moments> {
    let mut pooled = vec![Moments::default(); n_arms];
    let mut within = Within::new(n_arms);
    for stratum in strata {
        let weight = memory.weight(stratum.age_days);
        let cells: Vec<Moments> = (0..n_arms)
            .map(|arm_idx| stratum.sums.get(arm_idx).map_or_else(Moments::default, Moments::of))
            .map(|cell| counting(&cell, weight * cell.n))
            .collect();
        for (pooled, cell) in pooled.iter_mut().zip(&cells) {
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

/// A numerator and a denominator.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Pair {
    y: f64,
    d: f64,
}

impl Pair {
    fn of(moments: &Moments) -> Self {
        Self { y: moments.y, d: moments.d }
    }

    fn plus(self, part: f64, other: Self) -> Self {
        Self { y: self.y + part * other.y, d: self.d + part * other.d }
    }
}

/// How a variant compares with the reference.
#[derive(Clone, Copy, Debug)]
struct Effect {
    /// What it brings beyond the reference.
    beyond: Pair,
    /// How many units it counts as.
    n: f64,
    /// How far drift moved what it seemed to bring: 0 not at all, 1 all that strata say.
    moved: f64,
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
    let effect = |(moments, fit): (&Moments, Option<Fit>)| {
        let fit = fit?;
        let plain = Pair::of(moments).plus(-1.0, Pair::of(reference));
        let apart = plain.plus(-1.0, fit.beyond);
        let drift = (apart.y - ratio * apart.d).powi(2);
        let added = (fit.resistance - 1.0 / moments.n - 1.0 / reference.n).max(0.0);
        let trust = if drift <= variance * added { 1.0 } else { variance * added / drift };
        let n = 1.0 / (1.0 / moments.n + (1.0 - trust) * added);
        Some(Effect { beyond: fit.beyond.plus(trust, apart), n, moved: 1.0 - trust })
    };
    let mut effects: Vec<Option<Effect>> =
        pooled.iter().zip(within.fits(reference_idx)).map(effect).collect();
    if effects.iter().flatten().all(|effect| effect.moved <= 0.0) {
        return pooled.to_vec();
    }
    effects[reference_idx] = Some(Effect { beyond: Pair::default(), n: reference.n, moved: 0.0 });
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

/// The least squares of the cells on stratum and variant.
struct Within {
    n_arms: usize,
    /// `−L` off its diagonal: how many pairs of units are compared, row after row.
    shared: Vec<f64>,
    /// For each variant `Σ_b nᵢ_b (ȳᵢ_b − ȳ̄_b)`.
    sides: Vec<Pair>,
}

/// How a variant compares with the reference within strata.
#[derive(Clone, Copy, Debug)]
struct Fit {
    beyond: Pair,
    /// The variance of that, of units with a variance of one.
    resistance: f64,
}

impl Within {
    fn new(n_arms: usize) -> Self {
        Self { n_arms, shared: vec![0.0; n_arms * n_arms], sides: vec![Pair::default(); n_arms] }
    }

    fn add(&mut self, cells: &[Moments]) {
        let n: f64 = cells.iter().map(|cell| cell.n).sum();
        if n <= 0.0 {
            return;
        }
        let center =
            cells.iter().fold(Pair::default(), |center, cell| center.plus(cell.n / n, Pair::of(cell)));
        for (arm_idx, cell) in cells.iter().enumerate().filter(|(_, cell)| 0.0 < cell.n) {
            self.sides[arm_idx] = self.sides[arm_idx].plus(cell.n, Pair::of(cell).plus(-1.0, center));
            for (other_idx, other) in cells.iter().enumerate().filter(|(other_idx, _)| *other_idx != arm_idx)
            {
                self.shared[arm_idx * self.n_arms + other_idx] += cell.n * other.n / n;
            }
        }
    }

    fn shared(&self, arm_idx: usize, other_idx: usize) -> f64 {
        self.shared[arm_idx * self.n_arms + other_idx]
    }

    /// For each variant how it compares with the reference; none for the reference itself, and for those that cannot
    /// be compared with it, not even by way of others.
    fn fits(&self, reference_idx: usize) -> Vec<Option<Fit>> {
        let arms = self.connected(reference_idx);
        let entry = |row: usize, column: usize| {
            if row == column {
                // As a sum, not as a difference: so no digits are lost where one variant has nearly all units.
                (0..self.n_arms).map(|other_idx| self.shared(arms[row], other_idx)).sum()
            } else {
                -self.shared(arms[row], arms[column])
            }
        };
        let mut fits = vec![None; self.n_arms];
        let inverse = inverse(arms.len(), entry);
        for (row, &arm_idx) in arms.iter().enumerate() {
            let coefficients = &inverse[row * arms.len()..(row + 1) * arms.len()];
            let beyond = coefficients
                .iter()
                .zip(&arms)
                .fold(Pair::default(), |sum, (part, other_idx)| sum.plus(*part, self.sides[*other_idx]));
            fits[arm_idx] = Some(Fit { beyond, resistance: coefficients[row] });
        }
        fits
    }

    /// The variants that share strata with the reference, or with others that do, ascending and without it.
    fn connected(&self, reference_idx: usize) -> Vec<usize> {
        let mut is_connected = vec![false; self.n_arms];
        is_connected[reference_idx] = true;
        let mut reached = vec![reference_idx];
        while let Some(arm_idx) = reached.pop() {
            for (other_idx, is_connected) in is_connected.iter_mut().enumerate() {
                if !*is_connected && 0.0 < self.shared(arm_idx, other_idx) {
                    *is_connected = true;
                    reached.push(other_idx);
                }
            }
        }
        (0..self.n_arms).filter(|&arm_idx| is_connected[arm_idx] && arm_idx != reference_idx).collect()
    }
}

/// The inverse of a symmetric positive definite matrix, row after row, by sweeping out one row after the other.
fn inverse(size: usize, entry: impl Fn(usize, usize) -> f64) -> Vec<f64> {
    let mut a: Vec<f64> = (0..size * size).map(|at| entry(at / size, at % size)).collect();
    for pivot in 0..size {
        let scale = 1.0 / a[pivot * size + pivot];
        let pivots: Vec<f64> = a[pivot * size..(pivot + 1) * size].to_vec();
        for row in (0..size).filter(|&row| row != pivot) {
            let part = a[row * size + pivot] * scale;
            for column in 0..size {
                let own = if column == pivot { 0.0 } else { a[row * size + column] };
                a[row * size + column] = own - part * if column == pivot { 1.0 } else { pivots[column] };
            }
        }
        for column in 0..size {
            a[pivot * size + column] = if column == pivot { scale } else { scale * pivots[column] };
        }
    }
    a
}
