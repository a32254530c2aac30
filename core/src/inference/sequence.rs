//! Differences between variants, with an interval that holds at all looks.
//!
//! In each stratum the two variants are compared with each other alone, and the strata are put together with weights
//! that depend on how many units each got and on nothing else. Given those numbers a stratum's difference is unbiased,
//! whatever rule made the weights, and a level that moves over time is in both variants alike. So the weighted sum of
//! (difference − truth) is a martingale, and stays within the normal mixture boundary at all times at once.

use super::boundary::{boundary, log_evidence, planned_rho};
use super::estimate::Interval;
use super::moments::Cell;
use super::power::Progress;
use super::strata::Stratum;
use crate::metric::Direction;

/// A stratum's own spread counts like its units, the spread over all strata like so many.
const SHRINK_UNITS: f64 = 50.0;
/// How far a relative difference is looked for, in terms of the figure that is compared with.
const RATIO_MAX: f64 = 1e6;
const N_HALVINGS: usize = 200;

/// What must be there before the first look. The boundary is that of a normal sum, which sums of few units are not.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Entry {
    /// Strata with units of both variants.
    pub strata: usize,
    /// Units of each.
    pub units: f64,
    /// Units of each whose numerator is not zero.
    pub nonzero: f64,
}

impl Default for Entry {
    fn default() -> Self {
        Self { strata: 2, units: 100.0, nonzero: 25.0 }
    }
}

/// The difference of two variants, stratum by stratum.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Difference {
    /// Σ w (ȳ − ȳ₀) / Σ w, with w = n n₀ / (n + n₀).
    pub value: f64,
    /// Σ w² v, the variance of the weighted sum, with v = s²/n + s₀²/n₀.
    pub variance: f64,
    /// Σ w.
    pub weight: f64,
    /// ρ of the boundary at each alpha is that of this variance: what the sum will have at the planned end.
    pub planned_variance: f64,
    /// Units of all variants in the strata that both are in.
    pub n_units: f64,
    /// Whether [`Entry`] is met.
    pub is_ready: bool,
    own: Side,
    other: Side,
}

/// One of the two variants in the weighted sum.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Side {
    /// Σ w ȳ.
    sum: f64,
    /// Σ w² s²/n.
    variance: f64,
}

impl Difference {
    /// Compares the variant at `own_idx` with the one at `other_idx`.
    ///
    /// - `planned_units`: units of all variants at the planned end, where the interval is tightest; chosen beforehand.
    /// - returns: none where no stratum has units of both.
    ///
    /// # Source
    ///
    /// Zhang, Janson & Murphy (2020), *Inference for batched bandits*, NeurIPS 33, for the strata; see
    /// [`boundary`] for the interval. The composition is ours: `tests/stat` is what it rests on.
    pub fn of(
        strata: &[Stratum],
        (own_idx, other_idx): (usize, usize),
        planned_units: f64,
        entry: &Entry,
    ) -> Option<Self> {
        let both = || {
            let pairs =
                strata.iter().map(|stratum| (stratum, stratum.cell(own_idx), stratum.cell(other_idx)));
            pairs.filter(|(_, own, other)| 0.0 < own.n && 0.0 < other.n)
        };
        let spreads = [spread(both().map(|(_, own, _)| own)), spread(both().map(|(_, _, other)| other))];
        let (mut own_side, mut other_side) = (Side::default(), Side::default());
        let (mut weight, mut n_units, mut n_strata) = (0.0, 0.0, 0);
        let (mut own_all, mut other_all) = (Cell::default(), Cell::default());
        for (stratum, own, other) in both() {
            let w = own.n * other.n / (own.n + other.n);
            own_side.add(w, &own, spreads[0]);
            other_side.add(w, &other, spreads[1]);
            weight += w;
            n_units += stratum.n();
            n_strata += 1;
            own_all = own_all.merged(&own);
            other_all = other_all.merged(&other);
        }
        if n_strata == 0 {
            return None;
        }
        let variance = own_side.variance + other_side.variance;
        let enough = |cell: &Cell| entry.units <= cell.n && entry.nonzero <= cell.n_nonzero;
        let is_ready = entry.strata <= n_strata
            && enough(&own_all)
            && enough(&other_all)
            && 0.0 < variance
            && variance.is_finite();
        Some(Self {
            value: (own_side.sum - other_side.sum) / weight,
            variance,
            weight,
            planned_variance: variance * planned_units / n_units,
            n_units,
            is_ready,
            own: own_side,
            other: other_side,
        })
    }

    /// The interval that holds the truth at all looks with probability `1 − alpha`; none before it is ready.
    pub fn interval(&self, alpha: f64) -> Option<Interval> {
        let rho = planned_rho(self.planned_variance, alpha);
        self.is_ready.then(|| Interval::around(self.value, boundary(self.variance, rho, alpha) / self.weight))
    }

    /// The interval of own / other − 1 that holds the truth at all looks, if the variants differ by the same factor
    /// in all strata. It holds 0 if and only if [`Self::interval`] does.
    ///
    /// It is the set of all factors R for which Σ w (ȳ − R ȳ₀) is within the boundary.
    ///
    /// - returns: none before it is ready, unless both sums are positive, and where an end is not found.
    pub fn relative(&self, alpha: f64) -> Option<Interval> {
        if !(self.is_ready && 0.0 < self.own.sum && 0.0 < self.other.sum) {
            return None;
        }
        let rho = planned_rho(self.planned_variance, alpha);
        let estimate = self.own.sum / self.other.sum;
        let is_outside = |ratio: f64| {
            let variance = self.own.variance + ratio * ratio * self.other.variance;
            boundary(variance, rho, alpha) < (self.own.sum - ratio * self.other.sum).abs()
        };
        let low = edge(estimate, 0.0, is_outside)?;
        let high = edge(estimate, RATIO_MAX * estimate, is_outside)?;
        Some(Interval { low: low - 1.0, high: high - 1.0 })
    }

    /// own / other − 1; none unless both sums are positive.
    pub fn relative_value(&self) -> Option<f64> {
        let positive = 0.0 < self.own.sum && 0.0 < self.other.sum;
        positive.then(|| (self.own.sum - self.other.sum) / self.other.sum)
    }

    /// The natural log of the evidence that there is a difference, for [`super::discovery`]; none before it is ready.
    ///
    /// - `alpha`: for which the boundary is tightest at the planned end.
    pub fn log_evidence(&self, alpha: f64) -> Option<f64> {
        let rho = planned_rho(self.planned_variance, alpha);
        self.is_ready.then(|| log_evidence(self.value * self.weight, self.variance, rho))
    }

    /// How far the comparison has come.
    pub fn progress(&self, alpha: f64) -> Progress {
        Progress {
            variance: self.variance,
            weight: self.weight,
            rho: planned_rho(self.planned_variance, alpha),
            alpha,
            n_units: self.n_units,
        }
    }
}

impl Side {
    fn add(&mut self, weight: f64, cell: &Cell, spread: f64) {
        // A stratum of few units says little of its own spread.
        let own = (cell.squares + SHRINK_UNITS * spread) / ((cell.n - 1.0).max(0.0) + SHRINK_UNITS);
        self.sum += weight * cell.mean;
        self.variance += weight * weight * own / cell.n;
    }
}

/// The variance of a unit's value within strata, over all of them.
fn spread(cells: impl Iterator<Item = Cell>) -> f64 {
    let add = |(squares, freedom): (f64, f64), cell: Cell| {
        (squares + cell.squares, freedom + (cell.n - 1.0).max(0.0))
    };
    let (squares, freedom) = cells.fold((0.0, 0.0), add);
    if 0.0 < freedom { squares / freedom } else { 0.0 }
}

/// The place between `inside` and `outside` where something turns; none if it does not.
fn edge(mut inside: f64, mut outside: f64, is_outside: impl Fn(f64) -> bool) -> Option<f64> {
    if !is_outside(outside) {
        return None;
    }
    for _ in 0..N_HALVINGS {
        let middle = f64::midpoint(inside, outside);
        if is_outside(middle) { outside = middle } else { inside = middle }
    }
    Some(f64::midpoint(inside, outside))
}

/// What is asked of the differences between all variants.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// What the others are compared with.
    pub control_idx: usize,
    /// Which way is better.
    pub direction: Direction,
    /// Which variants may still be served, and so can win; the others can do harm.
    pub competing: &'a [bool],
    /// The chance that anything is ever decided though all variants are equal.
    pub alpha: f64,
    /// Units of all variants at the planned end.
    pub planned_units: f64,
    /// The difference that matters, in the metric's unit, `> 0`.
    pub margin: Option<f64>,
    /// What must be there before the first look.
    pub entry: Entry,
}

/// What the differences decide.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decision {
    /// How each variant differs from the control; none for the control, and without units.
    pub differences: Vec<Option<Difference>>,
    /// The alpha of each of them.
    pub alpha: f64,
    /// Whether every variant that competes can be compared with every other one.
    pub is_ready: bool,
    /// The variant that is better than every other one that competes.
    pub winner_idx: Option<usize>,
    /// Variants that are better than the control.
    pub better: Vec<usize>,
    /// Variants that are worse than the control.
    pub harmful: Vec<usize>,
    /// Variants that are worse than the control by more than the margin.
    pub breaching: Vec<usize>,
    /// Whether every variant that competes is within the margin of the control.
    pub is_equivalent: bool,
}

impl Question<'_> {
    /// Decides what can be decided.
    ///
    /// Each variant's interval against the control has `alpha / (K − 1)`, so that all of them hold at all looks with
    /// `1 − alpha`. A winner has one above zero against every other variant; against the control that is one of these.
    /// So if all are equal, the chance that anything is ever decided is at most `alpha`.
    pub fn decide(&self, strata: &[Stratum]) -> Decision {
        let n_variants = self.competing.len();
        let alpha = self.alpha / n_variants.saturating_sub(1).max(1) as f64;
        let difference = |own_idx, other_idx| {
            Difference::of(strata, (own_idx, other_idx), self.planned_units, &self.entry)
        };
        // Where something is better, by how much at least and at most.
        let range = |difference: &Difference| {
            let interval = difference.interval(alpha)?;
            Some(match self.direction {
                Direction::Increase => (interval.low, interval.high),
                Direction::Decrease => (-interval.high, -interval.low),
            })
        };
        let differences: Vec<Option<Difference>> = (0..n_variants)
            .map(|idx| if idx == self.control_idx { None } else { difference(idx, self.control_idx) })
            .collect();
        let ranges: Vec<_> = differences.iter().map(|found| found.as_ref().and_then(range)).collect();
        let which = |is: &dyn Fn((f64, f64)) -> bool| -> Vec<usize> {
            let found = ranges.iter().enumerate().filter(|(_, range)| range.is_some_and(is));
            found.map(|(idx, _)| idx).collect()
        };
        let competing: Vec<usize> = (0..n_variants).filter(|idx| self.competing[*idx]).collect();
        let beats = |own_idx: usize, other_idx: usize| {
            let found = if other_idx == self.control_idx {
                ranges[own_idx]
            } else {
                difference(own_idx, other_idx).as_ref().and_then(range)
            };
            found.is_some_and(|(low, _)| 0.0 < low)
        };
        let is_best = |own_idx: &usize| {
            competing.iter().all(|other_idx| own_idx == other_idx || beats(*own_idx, *other_idx))
        };
        let others = || competing.iter().filter(|idx| **idx != self.control_idx);
        let margin = self.margin.unwrap_or(f64::INFINITY);
        Decision {
            alpha,
            is_ready: 1 < competing.len() && others().all(|idx| ranges[*idx].is_some()),
            winner_idx: competing.iter().copied().find(is_best).filter(|_| 1 < competing.len()),
            better: which(&|(low, _)| 0.0 < low),
            harmful: which(&|(_, high)| high < 0.0),
            breaching: which(&|(_, high)| high < if margin.is_finite() { -margin } else { 0.0 }),
            is_equivalent: margin.is_finite()
                && others().all(|idx| ranges[*idx].is_some_and(|(low, high)| -margin < low && high < margin)),
            differences,
        }
    }
}
