//! A whole experiment as it would be run, day by day: traffic, delay, drift, and a look at the verdict every day.

use std::collections::VecDeque;

use rand::Rng;
use rand_distr::{Binomial, Distribution};

use super::{Shoppers, SimulationError};
use crate::allocation::{
    AllocationError, AllocationInput, Allocator, AllocatorConfig, ArmState, ArmStratum, SliceShare, Weights,
    next_weights, units_due,
};
use crate::inference::evidence::Question;
use crate::inference::sequence::{EntryConditions, Horizon};
use crate::inference::strata::{MetricStratum, Stratum};
use crate::metric::{Direction, MetricKind, VariantSums};
use crate::quotient::quotient;

const ALPHA: f64 = 0.05;

/// An experiment, and the truth about its shoppers.
#[derive(Clone, Debug)]
pub struct Trial {
    /// How weights follow from what is learned.
    pub config: AllocatorConfig,
    /// What sort of number the primary metric yields.
    pub kind: MetricKind,
    /// Which way is better.
    pub direction: Direction,
    /// Which variant is the control.
    pub control_idx: usize,
    /// The variants' shares under a fixed split.
    pub shares: Vec<f64>,
    /// The shoppers of each variant, as they are on the first day.
    pub shoppers: Vec<Shoppers>,
    /// How much the rate of each variant changes every day, relative to the day before.
    pub drift: Vec<f64>,
    /// Units that come in a day, at least 1.
    pub units_per_day: u64,
    /// How many days it runs, at least 1.
    pub n_days: u32,
    /// Units under one weights version, for an allocator that moves them; at least 1, and a hundredth of all so far
    /// where that is more, as in [`VersionAge`](crate::allocation::VersionAge). A day ends one, too. With a fixed split
    /// a stratum is a day, or as many days as bring 500 units.
    pub units_per_version: u64,
    /// How long after a unit came its reward is known, in days.
    pub window_days: f64,
    /// The first day at whose end a verdict may be announced.
    pub min_days: f64,
    /// For how many units it is planned, all variants together.
    pub planned_units: f64,
}

/// How one run of a trial went.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcome {
    /// What serving the best variant of each day to everyone would have brought beyond what was served, in expectation
    /// given who was served what; `>= 0`.
    pub regret: f64,
    /// The first winner that was announced, and the day at whose end it was.
    pub winner: Option<(u32, usize)>,
    /// Whether that winner was not better than every other over the days it was announced after.
    pub is_false: bool,
    /// The share of units that got the variant that is best over all days; of several, any of them.
    pub share_of_best: f64,
}

/// With a fixed split, strata are not smaller than this if days are.
const UNITS_PER_STRATUM: u64 = 500;

impl Trial {
    /// Runs it once.
    ///
    /// # Errors
    ///
    /// [`SimulationError`] if there are no weights, or a shopper ordered for more than can be counted.
    pub fn run(&self, rng: &mut impl Rng) -> Result<Outcome, SimulationError> {
        let mut run = Run::of(self);
        for day in 1..=self.n_days {
            run.day(day, rng)?;
        }
        Ok(run.outcome())
    }

    /// What an even split loses against the best variant of each day, in expectation.
    pub fn regret_of_even_split(&self) -> f64 {
        let lost = |day: u32| {
            let values = self.values(day);
            values.iter().map(|value| highest(&values) - value).sum::<f64>() / values.len() as f64
        };
        self.units_per_day as f64 * (1..=self.n_days).map(lost).sum::<f64>()
    }

    fn is_fixed(&self) -> bool {
        matches!(self.config.allocator, Allocator::Fixed(_))
    }

    /// How many of `n` units are in the uniform slice.
    fn in_slice(&self, n: u64, rng: &mut impl Rng) -> u64 {
        // A share is a probability, so that there is such a distribution.
        let sample = |share: SliceShare| Binomial::new(n, share.get()).map_or(0, |of| of.sample(rng));
        self.config.uniform_slice.map_or(0, sample)
    }

    /// How much more often the shoppers of a variant buy on a day than on the first.
    fn growth(&self, variant_idx: usize, day: u32) -> f64 {
        let drift = self.drift.get(variant_idx).copied().unwrap_or(0.0);
        (1.0 + drift).powf(f64::from(day - 1))
    }

    fn shoppers_on(&self, day: u32) -> Vec<Shoppers> {
        let on_day = |(idx, shoppers): (usize, &Shoppers)| shoppers.buying(self.growth(idx, day));
        self.shoppers.iter().enumerate().map(on_day).collect()
    }

    /// What a unit of each variant is worth on a day, more being better.
    fn values(&self, day: u32) -> Vec<f64> {
        let sign = match self.direction {
            Direction::Increase => 1.0,
            Direction::Decrease => -1.0,
        };
        self.shoppers_on(day).iter().map(|shoppers| sign * shoppers.mean_of(self.kind)).collect()
    }
}

/// Units that came together under one set of weights.
struct Cohort {
    /// When the reward of the last of them is known, in days.
    known_at: f64,
    sums: Vec<VariantSums>,
    origin: Origin,
}

/// How the units of a stratum came.
struct Origin {
    /// When the first of them came, in days.
    came_at: f64,
    weights: Weights,
    /// The day, of those in the uniform slice: they are one stratum, under whatever versions they came.
    slice_day: Option<u32>,
}

struct Run<'a> {
    trial: &'a Trial,
    arms: Vec<ArmState>,
    waiting: VecDeque<Cohort>,
    /// What is known, by stratum.
    known: Vec<ArmStratum>,
    /// How the units of each of these came.
    origins: Vec<Origin>,
    units: Vec<u64>,
    regret: f64,
    /// Σ over days of what a unit of each variant is worth.
    worth: Vec<f64>,
    winner: Option<(u32, usize)>,
    is_false: bool,
}

impl<'a> Run<'a> {
    fn of(trial: &'a Trial) -> Self {
        let n_variants = trial.shoppers.len();
        let arm = |&share: &f64| ArmState { strata: 0, share };
        Self {
            trial,
            arms: trial.shares.iter().map(arm).collect(),
            waiting: VecDeque::new(),
            known: Vec::new(),
            origins: Vec::new(),
            units: vec![0; n_variants],
            regret: 0.0,
            worth: vec![0.0; n_variants],
            winner: None,
            is_false: false,
        }
    }

    fn day(&mut self, day: u32, rng: &mut impl Rng) -> Result<(), SimulationError> {
        let trial = self.trial;
        let shoppers = trial.shoppers_on(day);
        let values = trial.values(day);
        let at = |units: u64| f64::from(day - 1) + units as f64 / trial.units_per_day as f64;
        let mut came = 0;
        while came < trial.units_per_day {
            let came_at = at(came);
            self.mature(came_at);
            let weights = self.next_weights(came_at)?;
            let n = self.version_units().min(trial.units_per_day - came);
            came += n;
            let known_at = at(came) + trial.window_days;
            let n_slice = trial.in_slice(n, rng);
            let origin = Origin { came_at, weights, slice_day: None };
            self.serve((n - n_slice, &shoppers, &values), known_at, origin, rng)?;
            if 0 < n_slice {
                let weights = Weights::uniform(shoppers.len()).map_err(AllocationError::from)?;
                let origin = Origin { came_at, weights, slice_day: Some(day) };
                self.serve((n_slice, &shoppers, &values), known_at, origin, rng)?;
            }
        }
        for (worth, value) in self.worth.iter_mut().zip(&values) {
            *worth += value;
        }
        self.mature(f64::from(day));
        if self.winner.is_none() && trial.min_days <= f64::from(day) {
            self.look(day);
        }
        Ok(())
    }

    /// How many units the next version gets, if the day has so many.
    fn version_units(&self) -> u64 {
        if self.trial.is_fixed() {
            return self.trial.units_per_day;
        }
        units_due(self.trial.units_per_version, self.units.iter().sum()).max(1)
    }

    /// Has `n` units come together, worth `values` each by variant.
    fn serve(
        &mut self,
        (n, shoppers, values): (u64, &[Shoppers], &[f64]),
        known_at: f64,
        origin: Origin,
        rng: &mut impl Rng,
    ) -> Result<(), SimulationError> {
        let best = highest(values);
        let served = split(n, &origin.weights, rng);
        let mut sums = Vec::with_capacity(served.len());
        for (idx, (&n, shoppers)) in served.iter().zip(shoppers).enumerate() {
            sums.push(shoppers.sums(self.trial.kind, n, rng)?);
            self.units[idx] += n;
            self.regret += n as f64 * (best - values[idx]);
        }
        self.waiting.push_back(Cohort { known_at, sums, origin });
        Ok(())
    }

    /// Learns what has become known until now.
    fn mature(&mut self, now: f64) {
        while let Some(cohort) = self.waiting.pop_front_if(|cohort| cohort.known_at <= now) {
            if cohort.origin.slice_day.is_none() {
                self.arms.iter_mut().for_each(|arm| arm.strata += 1);
            }
            if let Some(known) = self.stratum_of(&cohort.origin).and_then(|idx| self.known.get_mut(idx)) {
                known.sums.iter_mut().zip(&cohort.sums).for_each(|(known, sums)| known.merge(sums));
            } else {
                self.known.push(ArmStratum { age_days: 0.0, sums: cohort.sums });
                self.origins.push(cohort.origin);
            }
        }
    }

    /// The position of the known stratum that units belong to; none if they begin one.
    fn stratum_of(&self, origin: &Origin) -> Option<usize> {
        if origin.slice_day.is_some() {
            return self.origins.iter().rposition(|other| other.slice_day == origin.slice_day);
        }
        let last = self.known.last().filter(|_| self.trial.is_fixed())?;
        (n_of(&last.sums) < UNITS_PER_STRATUM).then(|| self.known.len() - 1)
    }

    fn next_weights(&mut self, now: f64) -> Result<Weights, SimulationError> {
        let Trial { config, kind, direction, control_idx, shares, .. } = self.trial;
        if self.trial.is_fixed() {
            return Ok(Weights::normalized(shares.clone()).map_err(AllocationError::from)?);
        }
        for (stratum, origin) in self.known.iter_mut().zip(&self.origins) {
            stratum.age_days = now - origin.came_at;
        }
        let input = AllocationInput {
            kind: *kind,
            direction: *direction,
            control_idx: Some(*control_idx),
            arms: &self.arms,
            strata: &self.known,
        };
        Ok(next_weights(config, &input)?.weights)
    }

    /// Announces a winner if there is one.
    fn look(&mut self, day: u32) {
        let trial = self.trial;
        let (strata, denominators, level) = self.strata();
        let competes = vec![true; trial.shoppers.len()];
        let question = Question {
            strata: &strata,
            denominators: &denominators,
            direction: trial.direction,
            control_idx: trial.control_idx,
            competes: &competes,
            alpha: ALPHA,
            horizon: &Horizon::even(trial.planned_units),
            entry: EntryConditions::default(),
            level,
        };
        let Some(winner_idx) = question.verdicts().winner_idx else { return };
        let better = |idx: usize| idx == winner_idx || self.worth[idx] < self.worth[winner_idx];
        self.is_false = !(0..self.worth.len()).all(better);
        self.winner = Some((day, winner_idx));
    }

    /// What is known, ready to be compared; for ratios the denominators, and what values were linearized around.
    fn strata(&self) -> (Vec<Stratum>, Vec<Stratum>, f64) {
        let known = self.known.iter().zip(&self.origins).map(|(known, origin)| MetricStratum {
            shares: Some(origin.weights.as_slice().to_vec()),
            sums: known.sums.clone(),
            ..MetricStratum::default()
        });
        if self.trial.kind != MetricKind::Ratio {
            return (known.map(|stratum| stratum.numerators()).collect(), Vec::new(), 0.0);
        }
        let mut control = VariantSums::default();
        self.known.iter().for_each(|stratum| control.merge(&stratum.sums[self.trial.control_idx]));
        let ratio = quotient(control.y, control.d).unwrap_or(0.0);
        let (strata, denominators) =
            known.map(|stratum| (stratum.linearized(ratio), stratum.denominators())).unzip();
        (strata, denominators, ratio)
    }

    fn outcome(&self) -> Outcome {
        let best = highest(&self.worth);
        let n_best: u64 =
            self.units.iter().zip(&self.worth).filter(|(_, worth)| best <= **worth).map(|(n, _)| n).sum();
        let n: u64 = self.units.iter().sum();
        Outcome {
            regret: self.regret,
            winner: self.winner,
            is_false: self.is_false,
            share_of_best: n_best as f64 / n.max(1) as f64,
        }
    }
}

fn highest(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::NEG_INFINITY, f64::max)
}

fn n_of(sums: &[VariantSums]) -> u64 {
    sums.iter().map(|sums| sums.n.unsigned_abs()).sum()
}

/// How many of `n` units each variant gets.
fn split(n: u64, weights: &Weights, rng: &mut impl Rng) -> Vec<u64> {
    let (mut left, mut share_left) = (n, 1.0);
    let mut served = Vec::with_capacity(weights.len());
    for (idx, &weight) in weights.as_slice().iter().enumerate() {
        let is_last = idx + 1 == weights.len();
        let share = if is_last || share_left <= weight { 1.0 } else { weight / share_left };
        // A share is a probability, so that there is such a distribution.
        let got = Binomial::new(left, share).map_or(0, |binomial| binomial.sample(rng));
        served.push(got);
        left -= got;
        share_left -= weight;
    }
    served
}

#[cfg(test)]
mod tests;
