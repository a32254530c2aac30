//! What may be announced of the variants, at whatever time one looks.

use super::estimate::Interval;
use super::power::Progress;
use super::sequence::{Difference, EntryConditions, Horizon};
use super::strata::Stratum;
use crate::metric::Direction;

/// What is asked of one metric.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The units, in strata.
    pub strata: &'a [Stratum],
    /// Of values that were linearized, the denominators of the same units; empty for means.
    pub denominators: &'a [Stratum],
    /// Which way is better.
    pub direction: Direction,
    /// The variant that the others are held against.
    pub control_idx: usize,
    /// For each variant, whether it may still win.
    pub competes: &'a [bool],
    /// The share of experiments with equal variants that may ever announce anything; 0.05 by custom.
    pub alpha: f64,
    /// How large the experiment is meant to become.
    pub horizon: &'a Horizon,
    /// What two variants must have before they are compared.
    pub entry: EntryConditions,
    /// What all values lie above those given: 0 for means, the ratio R for values that were linearized around R.
    pub level: f64,
}

/// What may be announced of one metric.
///
/// Of experiments whose variants are equal, at most a share α ever announces a winner, a variant that is better than
/// the control or one that is worse. For each of the K variants is held against the control at α/(K−1), both sides
/// together, and a winner is always among these: it is better than the control, or it is the control and all others
/// are worse. Where variants differ, at most a share α ever names a winner that is not one, since such a one would have
/// to beat the truly best at α/(K−1).
///
/// K counts the variants that compete, the control, and every other that ever had a unit, so that dropping a variant for
/// its data sharpens nothing. A variant that joins later makes K larger from then on; what was announced before at a
/// smaller K adds to the share α: where two variants become three, about half of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdicts {
    /// The error probability of each interval.
    pub alpha_each: f64,
    /// The variant that is better than every other that competes, and than the control.
    pub winner_idx: Option<usize>,
    /// Each variant against the control, in variant order; none for the control, and until there is enough to compare.
    pub against_control: Vec<Option<Pair>>,
}

/// A variant against the control. The interval leaves out the truth at no look, but with the stated probability.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pair {
    /// The estimated difference, variant − control, in the metric's unit.
    pub estimate: f64,
    /// Its interval.
    pub interval: Interval,
    /// The estimated relative difference; none where the control's mean is not positive.
    pub lift: Option<f64>,
    /// Its interval: leaves out 0 just where `interval` does. None while the control's own mean may be zero.
    pub lift_interval: Option<Interval>,
    /// The logarithm of the e-value of "there is no difference".
    pub log_e: f64,
    /// The logarithm of the e-value of "the variant is not better".
    pub log_e_better: f64,
    direction: Direction,
}

impl Question<'_> {
    /// Answers it from what is known now.
    pub fn verdicts(&self) -> Verdicts {
        let n_variants = self.n_variants();
        let alpha_each = self.alpha_each(n_variants);
        let compare = |variant_idx: usize| self.against_control(variant_idx, alpha_each, n_variants);
        Verdicts {
            alpha_each,
            winner_idx: self.winner_idx(alpha_each, n_variants),
            against_control: (0..self.competes.len()).map(compare).collect(),
        }
    }

    /// How many units more, all variants together, until a variant is a winner if its differences stay as they are: the
    /// most that any comparison with the others takes. 0 if it is one; none where there is not enough to compare it, or
    /// where it is behind one of them.
    pub fn units_until_winner(&self, variant_idx: usize) -> Option<f64> {
        let n_variants = self.n_variants();
        let units_until = |rival_idx: usize| {
            let progress =
                self.progress([variant_idx, rival_idx], self.alpha_each(n_variants), n_variants)?;
            let estimate = progress.difference.estimate();
            progress.units_until(if self.direction == Direction::Increase { estimate } else { -estimate })
        };
        self.rivals(variant_idx).map(units_until).try_fold(0.0, |most: f64, units| Some(most.max(units?)))
    }

    fn alpha_each(&self, n_variants: usize) -> f64 {
        self.alpha / n_variants.saturating_sub(1).max(1) as f64
    }

    /// How many variants are or were in it.
    fn n_variants(&self) -> usize {
        let has_units =
            |variant_idx: usize| self.strata.iter().any(|stratum| 0.0 < stratum.cell(variant_idx).n);
        let takes_part = |&variant_idx: &usize| {
            self.competes[variant_idx] || variant_idx == self.control_idx || has_units(variant_idx)
        };
        (0..self.competes.len()).filter(takes_part).count()
    }

    fn against_control(&self, variant_idx: usize, alpha_each: f64, n_variants: usize) -> Option<Pair> {
        if variant_idx == self.control_idx {
            return None;
        }
        let Progress { difference, boundary, .. } =
            self.progress([variant_idx, self.control_idx], alpha_each, n_variants)?;
        let better = match self.direction {
            Direction::Increase => difference,
            Direction::Decrease => difference.reversed(),
        };
        Some(Pair {
            estimate: difference.estimate(),
            interval: difference.interval(&boundary),
            lift: difference.lift(self.level),
            lift_interval: difference.lift_interval(&boundary, self.level),
            log_e: difference.log_e(&boundary),
            log_e_better: better.log_e_above(&boundary),
            direction: self.direction,
        })
    }

    fn winner_idx(&self, alpha_each: f64, n_variants: usize) -> Option<usize> {
        let beats = |pair: [usize; 2]| {
            self.progress(pair, alpha_each, n_variants).is_some_and(
                |Progress { difference, boundary, .. }| {
                    toward_better(self.direction, difference.interval(&boundary)).is_above_zero()
                },
            )
        };
        let competing = || (0..self.competes.len()).filter(|&variant_idx| self.competes[variant_idx]);
        let contested = 1 < competing().count();
        competing().find(|&k| self.rivals(k).all(|j| beats([k, j]))).filter(|_| contested)
    }

    /// The variants that one must beat to win: the others that compete, and the control even where it was taken out.
    fn rivals(&self, variant_idx: usize) -> impl Iterator<Item = usize> {
        let counts = move |idx: &usize| *idx == self.control_idx || self.competes[*idx];
        (0..self.competes.len()).filter(counts).filter(move |idx| *idx != variant_idx)
    }

    fn progress(&self, pair: [usize; 2], alpha_each: f64, n_variants: usize) -> Option<Progress> {
        let difference = Difference::over(self.strata, self.denominators, pair)?;
        let boundary = self.horizon.boundary(alpha_each, n_variants, pair);
        let n_units = self.strata.iter().map(Stratum::n).sum();
        difference.meets(&self.entry).then_some(Progress { difference, boundary, n_units })
    }
}

impl Pair {
    /// Whether the variant is better than the control.
    pub fn is_better(&self) -> bool {
        toward_better(self.direction, self.interval).is_above_zero()
    }

    /// Whether the variant is worse than the control.
    pub fn is_worse(&self) -> bool {
        toward_better(self.direction, self.interval).is_below_zero()
    }

    /// Whether the difference is too small to matter: the whole interval of the relative difference lies within
    /// ± `margin`.
    pub fn is_within(&self, margin: f64) -> bool {
        self.lift_interval.is_some_and(|lift| -margin < lift.low && lift.high < margin)
    }

    /// Whether the variant is worse than the control by more than `margin` of the control's mean: a guardrail is
    /// breached.
    pub fn is_worse_by(&self, margin: f64) -> bool {
        self.lift_toward_better().is_some_and(|lift| lift.high < -margin)
    }

    /// Whether the variant is worse than the control by less than `margin` of the control's mean, if at all: a
    /// guardrail is kept.
    pub fn is_not_worse_by(&self, margin: f64) -> bool {
        self.lift_toward_better().is_some_and(|lift| -margin < lift.low)
    }

    fn lift_toward_better(&self) -> Option<Interval> {
        self.lift_interval.map(|lift| toward_better(self.direction, lift))
    }
}

/// The interval with its sign such that above zero is better.
fn toward_better(direction: Direction, interval: Interval) -> Interval {
    match direction {
        Direction::Increase => interval,
        Direction::Decrease => interval.negated(),
    }
}

/// Which hypotheses are rejected at once, such that of those rejected on average at most a share `alpha` is true,
/// however the e-values depend on each other: e-BH.
///
/// - `log_e`: the logarithm of the e-value of each hypothesis, such as [`Pair::log_e`] of each secondary metric.
/// - returns: for each of them whether it is rejected. The k largest are, for the largest k with
///   `e₍ₖ₎ ≥ m/(k α)` of m hypotheses.
///
/// # Source
///
/// Wang & Ramdas (2022), *False discovery rate control with e-values*, JRSS-B 84(3), 822–852.
/// <https://doi.org/10.1111/rssb.12489>
pub fn discoveries(log_e: &[f64], alpha: f64) -> Vec<bool> {
    let mut descending: Vec<f64> = log_e.to_vec();
    descending.sort_by(|a, b| b.total_cmp(a));
    let needed = |rank: usize| (log_e.len() as f64 / (rank as f64 * alpha)).ln();
    let last = (1..=descending.len()).rev().find(|&rank| needed(rank) <= descending[rank - 1]);
    let least = last.map(|rank| descending[rank - 1]);
    log_e.iter().map(|log_e| least.is_some_and(|least| least <= *log_e)).collect()
}
