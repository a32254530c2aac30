//! Experiments with many looks, on shoppers whose truth is known and whose level may move.

use podium_core::allocation::AllocatorConfig;
use podium_core::inference::evidence::{Question, Verdicts};
use podium_core::inference::moments::{Cell, Moments};
use podium_core::inference::sequence::{EntryConditions, Horizon};
use podium_core::inference::strata::Stratum;
use podium_core::metric::{Direction, MetricKind, VariantSums};
use podium_core::probability::Probability;
use podium_core::simulate::{Shoppers, Simulation, draw};
use std::fmt;

use crate::estimate::generator;

pub(crate) const ALPHA: f64 = 0.05;
const VERSION_UNITS: u64 = 500;
/// Units per variant between two looks.
const LOOK_UNITS: u64 = 500;
/// Looks in a stratum of a fixed split.
const LOOKS_A_DAY: usize = 4;
/// The standard normal quantile at 0.999, where amounts are capped.
const CAP_Z: f64 = 3.090_232_306_167_814;
const MEDIAN_ORDER: f64 = 5000.0;

/// What is measured, with the share of shoppers that order.
#[derive(Clone, Copy)]
pub(crate) enum Metric {
    Conversion(f64),
    /// Per visitor, of log-normal orders with a standard deviation of 1.5 in the log: a mean of three times the median.
    Revenue(f64),
    /// Per order, with a standard deviation of 1 in the log.
    OrderValue(f64),
}

/// How units come to their variants.
#[derive(Clone, Copy)]
pub(crate) enum Split {
    Fixed,
    Thompson,
    TopTwo,
}

/// How the level of all variants moves.
#[derive(Clone, Copy)]
pub(crate) enum Level {
    Constant,
    /// To three times where it was.
    Rising,
    /// Four weeks with half as much again on weekends.
    Weekly,
    /// Five short spikes of four times the level.
    Spiking,
}

/// An experiment whose first variants are alike.
#[derive(Clone, Copy)]
pub(crate) struct Shop {
    pub(crate) metric: Metric,
    pub(crate) n_variants: usize,
    pub(crate) split: Split,
    pub(crate) level: Level,
    /// How much better the last one is: 1 if it is like the others.
    pub(crate) factor: f64,
    /// How many times as often its shoppers order, where order value is measured.
    pub(crate) orders: f64,
    pub(crate) units_per_variant: u64,
    /// What it was planned for, as a part of what it becomes.
    pub(crate) planned: f64,
    /// Which way is better.
    pub(crate) direction: Direction,
}

/// What one sees at a look.
pub(crate) struct Look {
    pub(crate) kind: MetricKind,
    pub(crate) strata: Vec<Stratum>,
    /// The denominators, for ratios.
    denominators: Vec<Stratum>,
    /// The same strata with each unit at its true mean.
    truth: Vec<Vec<Moments>>,
    /// What was taken off all values.
    pub(crate) level: f64,
    pub(crate) sums: Vec<VariantSums>,
    planned_units: f64,
    direction: Direction,
}

impl Metric {
    fn kind(self) -> MetricKind {
        match self {
            Self::Conversion(_) => MetricKind::Proportion,
            Self::Revenue(_) => MetricKind::Mean,
            Self::OrderValue(_) => MetricKind::Ratio,
        }
    }

    /// Shoppers at a level, and the mean numerator and denominator of a unit.
    fn shoppers(self, level: f64, factor: f64, orders: f64) -> (Shoppers, [f64; 2]) {
        let rate = |rate: f64| Probability::new(rate).unwrap();
        let ordering = |share: f64, amount: f64, log_sd: f64| {
            let cap = (MEDIAN_ORDER * (CAP_Z * log_sd).exp()) as u32;
            Shoppers::ordering(rate(share), MEDIAN_ORDER * amount, log_sd).unwrap().capped(cap)
        };
        match self {
            Self::Conversion(share) => {
                (Shoppers::converting(rate(share * level * factor)), [share * level * factor, 1.0])
            }
            Self::Revenue(share) => {
                let shoppers = ordering(share * level, factor, 1.5);
                let mean = shoppers.mean();
                (shoppers, [mean, 1.0])
            }
            // A rising level is one of larger baskets too.
            Self::OrderValue(share) => {
                let share = share * level * orders;
                let shoppers = ordering(share, factor * level.sqrt(), 1.0).per_order();
                let mean = shoppers.mean();
                (shoppers, [share * mean, share])
            }
        }
    }
}

impl Split {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Fixed => "fixed",
            Self::Thompson => "thompson",
            Self::TopTwo => "top_two",
        }
    }
}

impl Level {
    pub(crate) const ALL: [Self; 4] = [Self::Constant, Self::Rising, Self::Weekly, Self::Spiking];

    /// Relative to the level that is named, after this part of the run.
    fn at(self, part: f64) -> f64 {
        match self {
            Self::Constant => 1.0,
            Self::Rising => 0.5 + part,
            Self::Weekly if (4.0 * part).fract() < 5.0 / 7.0 => 1.0,
            Self::Weekly => 1.5,
            Self::Spiking if (5.0 * part).fract() < 0.9 => 1.0,
            Self::Spiking => 4.0,
        }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conversion(share) => write!(f, "conversion {:2.0} %", 100.0 * share),
            Self::Revenue(share) => write!(f, "revenue, {:2.0} % order", 100.0 * share),
            Self::OrderValue(share) => write!(f, "AOV, {:2.0} % order", 100.0 * share),
        }
    }
}

impl fmt::Display for Shop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            Level::Constant => "constant",
            Level::Rising => "rising",
            Level::Weekly => "weekly",
            Level::Spiking => "spiking",
        };
        let metric = self.metric.to_string();
        write!(f, "{metric:<19} | {level:<8} | {:<8} | {:>2}", self.split.name(), self.n_variants)
    }
}

impl Shop {
    /// One whose variants are all alike, at a level that stays.
    pub(crate) fn alike(metric: Metric, split: Split, n_variants: usize) -> Self {
        let (level, direction) = (Level::Constant, Direction::Increase);
        Self {
            metric,
            n_variants,
            split,
            level,
            factor: 1.0,
            orders: 1.0,
            units_per_variant: 10_000,
            planned: 1.0,
            direction,
        }
    }

    /// Runs it, and shows each look until one has seen enough.
    ///
    /// - `look`: answers whether to go on.
    pub(crate) fn run(&self, seed: u64, mut look: impl FnMut(&Look) -> bool) {
        let config = format!(r#"{{"type": "{}"}}"#, self.split.name());
        let config: AllocatorConfig = serde_json::from_str(&config).unwrap();
        let n_variants = self.n_variants as u64;
        let (end, between) = (n_variants * self.units_per_variant, n_variants * LOOK_UNITS);
        let mut rng = generator(seed);
        let mut simulation =
            Simulation::new(config, self.metric.kind(), self.shoppers(0.0).0).with_direction(self.direction);
        let (mut seen, mut truth): (Vec<Vec<Moments>>, Vec<Vec<Moments>>) = Default::default();
        let (mut units, mut looks) = (0, 0_usize);
        while units < end {
            let (shoppers, means) = self.shoppers(units as f64 / end as f64);
            for (variant_idx, shoppers) in shoppers.into_iter().enumerate() {
                simulation.change(variant_idx, shoppers);
            }
            let version = match self.split {
                Split::Fixed => between,
                Split::Thompson | Split::TopTwo => VERSION_UNITS.max(units / 100),
            };
            let stratum = simulation.step(u32::try_from(version).unwrap(), &mut rng, draw).unwrap();
            units += version;
            let cells: Vec<Moments> = stratum.sums.iter().map(Moments::of).collect();
            let at_truth = cells.iter().zip(means).map(|(cell, [y, d])| Moments { y, d, ..*cell }).collect();
            let within = matches!(self.split, Split::Fixed) && !looks.is_multiple_of(LOOKS_A_DAY);
            add(&mut seen, cells, within);
            add(&mut truth, at_truth, within);
            if (looks as u64 + 1) * between <= units {
                looks += 1;
                let sums: Vec<_> = (0..self.n_variants).map(|idx| simulation.sums(idx)).collect();
                if !look(&self.look(&seen, &truth, sums)) {
                    return;
                }
            }
        }
    }

    fn shoppers(&self, part: f64) -> (Vec<Shoppers>, Vec<[f64; 2]>) {
        let level = self.level.at(part);
        let shoppers = |variant_idx: usize| {
            let is_last = variant_idx + 1 == self.n_variants;
            let (factor, orders) = if is_last { (self.factor, self.orders) } else { (1.0, 1.0) };
            self.metric.shoppers(level, factor, orders)
        };
        (0..self.n_variants).map(shoppers).unzip()
    }

    fn look(&self, seen: &[Vec<Moments>], truth: &[Vec<Moments>], sums: Vec<VariantSums>) -> Look {
        let kind = self.metric.kind();
        let is_ratio = kind == MetricKind::Ratio;
        let ratio = |sums: &VariantSums| if sums.d == 0 { 0.0 } else { sums.y as f64 / sums.d as f64 };
        let level = if is_ratio { ratio(&sums[0]) } else { 0.0 };
        let strata = |cell: &dyn Fn(&Moments) -> Cell| {
            let stratum =
                |cells: &Vec<Moments>| Stratum { shares: None, cells: cells.iter().map(cell).collect() };
            seen.iter().map(stratum).collect()
        };
        let value =
            |moments: &Moments| if is_ratio { moments.linearized(level, 1.0) } else { moments.numerators() };
        let planned_units = self.planned * (self.units_per_variant * self.n_variants as u64) as f64;
        let direction = self.direction;
        Look {
            kind,
            strata: strata(&value),
            denominators: if is_ratio { strata(&Moments::denominators) } else { Vec::new() },
            truth: truth.to_vec(),
            level,
            sums,
            planned_units,
            direction,
        }
    }
}

/// Adds a stratum, or more units to the last one.
fn add(strata: &mut Vec<Vec<Moments>>, cells: Vec<Moments>, within: bool) {
    match strata.last_mut().filter(|_| within) {
        Some(last) => last.iter_mut().zip(cells).for_each(|(all, more)| *all = all.merged(&more)),
        None => strata.push(cells),
    }
}

impl Look {
    /// What the sequence says.
    pub(crate) fn verdicts(&self) -> Verdicts {
        self.verdicts_over(&self.denominators)
    }

    /// What it would say if all ratios were held against one denominator, that of all variants.
    pub(crate) fn verdicts_over_one(&self) -> Verdicts {
        self.verdicts_over(&[])
    }

    fn verdicts_over(&self, denominators: &[Stratum]) -> Verdicts {
        Question {
            strata: &self.strata,
            denominators,
            direction: self.direction,
            control_idx: 0,
            competes: &vec![true; self.sums.len()],
            alpha: ALPHA,
            horizon: &Horizon::even(self.planned_units),
            entry: EntryConditions::default(),
            level: self.level,
        }
        .verdicts()
    }

    /// Whether each variant has what is asked before anything is said.
    pub(crate) fn is_ready(&self) -> bool {
        let entry = EntryConditions::default();
        let enough = |sums: &VariantSums| {
            i64::from(entry.units) <= sums.n && i64::from(entry.nonzero) <= sums.n_nonzero
        };
        entry.strata <= self.strata.len() && self.sums.iter().all(enough)
    }

    /// The true mean of a variant and of the control, over the strata as the sequence weighs them.
    pub(crate) fn true_means(&self, variant_idx: usize) -> [f64; 2] {
        let mut sums = [[0.0; 2]; 2];
        for stratum in &self.truth {
            let sides = [stratum[variant_idx], stratum[0]];
            let weight = sides[0].n * sides[1].n / (sides[0].n + sides[1].n);
            if 0.0 < weight {
                for ([y, d], side) in sums.iter_mut().zip(sides) {
                    *y += weight * side.y;
                    *d += weight * side.d;
                }
            }
        }
        sums.map(|[y, d]| y / d)
    }

    /// All units of a variant together, as if the level never moved.
    pub(crate) fn pooled(&self, variant_idx: usize) -> Cell {
        let cells = self.strata.iter().map(|stratum| stratum.cell(variant_idx));
        cells.fold(Cell::default(), |all, cell| all.merged(&cell))
    }
}
