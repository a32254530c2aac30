//! How two variants differ, with an interval that holds at all looks at once.

use super::boundary::Boundary;
use super::estimate::Interval;
use super::moments::Cell;
use super::strata::Stratum;

/// How many units the variance of a variant over all strata counts as in each stratum.
const PRIOR_UNITS: f64 = 100.0;
/// From how many rewards, all alike, a variant's own variance counts for half.
const PRIOR_REWARDS: f64 = 25.0;

/// How large an experiment is meant to become: where its intervals are tightest. To be named before the data is seen,
/// and never changed by what the variants do.
#[derive(Clone, Debug, PartialEq)]
pub struct Horizon {
    /// Units over all variants.
    pub units: f64,
    /// The share of each variant, in variant order; even where it is missing. For an allocator that moves weights:
    /// even.
    pub shares: Vec<f64>,
}

/// What a variant must have in the strata it shares with another before the two are compared: the boundary is exact
/// as the sample grows only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryConditions {
    /// Strata in which both have units.
    pub strata: usize,
    /// Units of each.
    pub units: u32,
    /// Of these, units of each whose reward is not zero.
    pub nonzero: u32,
}

/// The difference of two variants, k − j, from the strata in which both have units.
///
/// With n units, means ȳ and variances s² of one unit in stratum b:
///
/// - `D_b = ȳ_k − ȳ_j`, weighted by `w_b = n_k n_j / (n_k + n_j)`;
/// - the estimate is `Σ w D / Σ w`, and V is `Σ w² (s²_k/n_k + s²_j/n_j)`, where each variant has its own variance, or
///   lies between that and `Σ w s²`, where both share one, if the latter is larger;
/// - the radius is `bound(V)/Σ w` with a boundary that is tightest at the planned V.
///
/// `Σ w (D − τ)` is a martingale given the assignments, because weights follow from earlier strata only. So the
/// interval covers τ at all looks at once, whichever rule moves the weights; and a level that moves over time cancels
/// inside each stratum. Where the effect itself moves, τ is its mean over the strata by the weights w.
///
/// Neither of the two is right by itself. Large orders are rare: a variant that a bandit starves has few of them, then
/// both its mean and its own variance are too low, and it is called worse too often. The shared variance is that of the
/// favored variant, which is too low where less is better. How far V goes toward the shared one depends on how little
/// is known of the own: where all rewards are alike, as for rates, it follows from the mean, and counts for half at 25
/// rewards. The relative variance of s² is `E y⁴/(E y²)²/m` for m rewards y, which is `r⁴/m` for log-normal ones, with
/// `r = E y²/(E y)²`; so it takes r⁴ times as many. With even weights the two are the same.
///
/// A variance in a stratum is shrunk toward that over all strata, which counts as 100 units.
///
/// The clock of the boundary is Σ w, which depends on assignments only: V* is the planned Σ w times V/Σ w. So 150
/// times the data is 150 times the interval.
///
/// # Source
///
/// The boundary: see [`Boundary`]. Strata: Zhang, Janson & Murphy (2020), *Inference for batched bandits*, NeurIPS.
/// With estimated variances: Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas (2024), *Time-uniform central limit theory
/// and asymptotic confidence sequences*, Ann. Statist. 52(6). <https://doi.org/10.1214/24-AOS2408>. The composition is
/// ours; the simulations in `tests/stat` are what it rests on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Difference {
    strata: usize,
    weight: f64,
    sides: [Side; 2],
}

/// One of the two variants.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Side {
    n: f64,
    n_nonzero: f64,
    /// Σ w ȳ / Σ w.
    mean: f64,
    /// Its part of V / (Σ w)².
    variance: f64,
}

impl Default for EntryConditions {
    fn default() -> Self {
        Self { strata: 2, units: 100, nonzero: 25 }
    }
}

impl Horizon {
    /// `units` shared evenly.
    pub fn even(units: f64) -> Self {
        Self { units, shares: Vec::new() }
    }

    /// The boundary of the pair k, j at `alpha`, in the time that Σ w keeps.
    ///
    /// - `n_variants`: how many share the units.
    pub fn boundary(&self, alpha: f64, n_variants: usize, pair: [usize; 2]) -> Boundary {
        let even = 1.0 / n_variants.max(1) as f64;
        let share = |variant_idx: usize| self.shares.get(variant_idx).copied().unwrap_or(even);
        let [k, j] = pair.map(share);
        let harmonic = k * j / (k + j);
        let harmonic = if 0.0 < harmonic { harmonic } else { 0.5 * even };
        Boundary::tuned(alpha, self.units * harmonic)
    }
}

impl Difference {
    /// Compares variant k with variant j; none where no stratum has units of both.
    pub fn of(strata: &[Stratum], pair: [usize; 2]) -> Option<Self> {
        Self::over(strata, &[], pair)
    }

    /// Compares the ratios of variant k and variant j, whose values were linearized around a ratio R: each side counts
    /// per its own mean denominator `Σ w d̄ / Σ w`, so that the estimate is `Σ w ȳ_k / Σ w d̄_k − Σ w ȳ_j / Σ w d̄_j`,
    /// whatever R was, with the variance of the delta method.
    ///
    /// Over a denominator that both share, a variant with more orders would be held against the control's error as if
    /// the control had as many: its order value would be called different too often, and by too much.
    ///
    /// - `denominators`: the denominators of the same units; empty for values that count per unit.
    /// - returns: none also where the denominators of a side are not positive.
    pub fn over(strata: &[Stratum], denominators: &[Stratum], pair: [usize; 2]) -> Option<Self> {
        let scales = scales(strata, denominators, pair)?;
        let cells = |stratum: &Stratum| [0, 1].map(|at: usize| stratum.cell(pair[at]).times(scales[at]));
        Self::between(&strata.iter().map(cells).collect::<Vec<_>>())
    }

    fn between(strata: &[[Cell; 2]]) -> Option<Self> {
        let overall = [0, 1].map(|side_idx| within_strata(strata, side_idx));
        let together = Variance::of_both(overall);
        let mut difference = Self { strata: 0, weight: 0.0, sides: [Side::default(); 2] };
        let mut pooled = 0.0;
        for cells in strata {
            let weight = weight(cells);
            if weight <= 0.0 {
                continue;
            }
            difference.strata += 1;
            difference.weight += weight;
            let own = cells.map(|cell| Variance::of(&cell));
            pooled += weight * Variance::of_both(own).shrunk(&together);
            for side_idx in 0..2 {
                let (side, cell) = (&mut difference.sides[side_idx], &cells[side_idx]);
                side.n += cell.n;
                side.n_nonzero += cell.n_nonzero;
                side.mean += weight * (cell.mean - side.mean) / difference.weight;
                side.variance += weight * weight * own[side_idx].shrunk(&overall[side_idx]) / cell.n;
            }
        }
        let total = difference.weight;
        let separate = difference.variance();
        let doubt = [0, 1].map(|side_idx| doubt(strata, side_idx)).into_iter().fold(0.0, f64::max);
        let larger = if 0.0 < separate { (pooled / separate).max(1.0) } else { 1.0 };
        let widened = 1.0 + doubt * (larger - 1.0);
        difference.sides.iter_mut().for_each(|side| side.variance *= widened / (total * total));
        let varies = 0.0 < difference.variance();
        (0 < difference.strata && varies).then_some(difference)
    }

    /// Whether there is enough for an interval that holds.
    pub fn meets(&self, entry: &EntryConditions) -> bool {
        let enough =
            |side: &Side| f64::from(entry.units) <= side.n && f64::from(entry.nonzero) <= side.n_nonzero;
        entry.strata <= self.strata && self.sides.iter().all(enough)
    }

    /// The estimate, in the metric's unit.
    pub fn estimate(&self) -> f64 {
        self.sides[0].mean - self.sides[1].mean
    }

    /// The variance of the estimate given the assignments, V/(Σ w)².
    pub fn variance(&self) -> f64 {
        self.sides[0].variance + self.sides[1].variance
    }

    /// Σ w: half the units of each variant, where both have the same number.
    pub fn weight(&self) -> f64 {
        self.weight
    }

    /// Half the width of the interval, in the metric's unit.
    pub fn radius(&self, boundary: &Boundary) -> f64 {
        (self.variance() / self.weight).sqrt() * boundary.bound(self.weight)
    }

    /// The interval of the difference, in the metric's unit.
    pub fn interval(&self, boundary: &Boundary) -> Interval {
        let (estimate, radius) = (self.estimate(), self.radius(boundary));
        Interval { low: estimate - radius, high: estimate + radius }
    }

    /// The relative difference k/j − 1; none where j's mean is not positive.
    ///
    /// - `level`: what the values of both variants lie above those given; 0 for means, and the ratio R for values
    ///   that were linearized around R.
    pub fn lift(&self, level: f64) -> Option<f64> {
        let [k, j] = self.sides.map(|side| side.mean + level);
        (0.0 < j).then(|| k / j - 1.0)
    }

    /// The interval of the relative difference: all θ − 1 for which `Σ w (ȳ_k − θ ȳ_j)` is within its boundary.
    ///
    /// It is Fieller's interval with the boundary of the sequence in place of a quantile, and the variances of the two
    /// sides as for the difference. It holds at all looks at once where variants differ by a constant factor, whatever
    /// the level does from stratum to stratum; where the factor moves, it is that of the means over the strata by the
    /// weights w. And 0 lies in it just where it lies in [`interval`](Self::interval), so both always say the same. None
    /// while j's own mean is not yet known to be above 0.
    ///
    /// - `level`: as for [`lift`](Self::lift).
    ///
    /// # Source
    ///
    /// Fieller (1954), *Some problems in interval estimation*, JRSS-B 16(2), 175–185.
    /// <https://doi.org/10.1111/j.2517-6161.1954.tb00159.x>. Unlike the interval on the log scale it is exact for the
    /// martingale, and it needs no small standard error of k's mean.
    pub fn lift_interval(&self, boundary: &Boundary, level: f64) -> Option<Interval> {
        let [k, j] = self.sides;
        let (a, b) = (k.mean + level, j.mean + level);
        let squared = boundary.bound(self.weight).powi(2) / self.weight;
        let (spread_k, spread_j) = (squared * k.variance, squared * j.variance);
        let leading = b * b - spread_j;
        if !(0.0 < b && 0.0 < leading) {
            return None;
        }
        let root = (a * a * spread_j + spread_k * leading).sqrt();
        Some(Interval { low: (a * b - root) / leading - 1.0, high: (a * b + root) / leading - 1.0 })
    }

    /// The logarithm of the e-value of "there is no difference"; at least ln 1/α just where the interval leaves out 0.
    pub fn log_e(&self, boundary: &Boundary) -> f64 {
        boundary.log_e(self.standardized(), self.weight)
    }

    /// The logarithm of the e-value of "the difference is not above 0".
    pub fn log_e_above(&self, boundary: &Boundary) -> f64 {
        boundary.log_e_above(self.standardized(), self.weight)
    }

    /// Σ w D for values whose variance is one.
    fn standardized(&self) -> f64 {
        self.estimate() * (self.weight / self.variance()).sqrt()
    }

    /// The same difference seen from the other side.
    #[must_use]
    pub fn reversed(&self) -> Self {
        let [k, j] = self.sides;
        Self { sides: [j, k], ..*self }
    }
}

/// Squares around means, and from how many units beyond those that the means took.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Variance {
    squares: f64,
    freedom: f64,
}

impl Variance {
    fn of(cell: &Cell) -> Self {
        Self { squares: cell.squares, freedom: (cell.n - 1.0).max(0.0) }
    }

    fn of_both([a, b]: [Self; 2]) -> Self {
        Self { squares: a.squares + b.squares, freedom: a.freedom + b.freedom }
    }

    /// The variance of one unit, to which that over all strata contributes like so many units.
    fn shrunk(&self, overall: &Self) -> f64 {
        let prior = if 0.0 < overall.freedom { overall.squares / overall.freedom } else { 0.0 };
        (self.squares + PRIOR_UNITS * prior) / (self.freedom + PRIOR_UNITS)
    }
}

/// `n_k n_j / (n_k + n_j)`; 0 where one has no units.
fn weight([k, j]: &[Cell; 2]) -> f64 {
    if 0.0 < k.n && 0.0 < j.n { k.n * j.n / (k.n + j.n) } else { 0.0 }
}

/// What makes a value of each side count per its mean denominator; none where that is not positive.
fn scales(strata: &[Stratum], denominators: &[Stratum], pair: [usize; 2]) -> Option<[f64; 2]> {
    if denominators.is_empty() {
        return Some([1.0; 2]);
    }
    let (mut total, mut sums) = (0.0, [0.0; 2]);
    for (stratum, denominators) in strata.iter().zip(denominators) {
        let weight = weight(&pair.map(|variant_idx| stratum.cell(variant_idx)));
        total += weight;
        for (sum, variant_idx) in sums.iter_mut().zip(pair) {
            *sum += weight * denominators.cell(variant_idx).mean;
        }
    }
    sums.iter().all(|sum| 0.0 < *sum).then(|| sums.map(|sum| total / sum))
}

/// The variance of one unit of a side around the mean of its stratum, over all strata.
fn within_strata(strata: &[[Cell; 2]], side_idx: usize) -> Variance {
    let cells = strata.iter().map(|cells| Variance::of(&cells[side_idx]));
    cells.fold(Variance::default(), |all, own| Variance::of_both([all, own]))
}

/// How little is known of a side's own variance, from 0 to 1.
fn doubt(strata: &[[Cell; 2]], side_idx: usize) -> f64 {
    let all = strata.iter().fold(Cell::default(), |all, cells| all.merged(&cells[side_idx]));
    let total = all.n * all.mean;
    let spread = all.n_nonzero * (all.squares + total * all.mean) / (total * total);
    let needed = PRIOR_REWARDS * spread.max(1.0).powi(4);
    if needed.is_finite() { needed / (needed + all.n_nonzero) } else { 1.0 }
}
