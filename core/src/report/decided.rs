//! From the strata of a metric to what is decided, at an error that holds at all looks.

use super::compare::Compared;
use super::inferred::Sequence;
use super::input::{MetricFigures, ReportInput, Role};
use super::prepared::Prepared;
use crate::inference::evidence::{Pair, Question, Verdicts};
use crate::inference::sequence::{EntryConditions, Horizon};

/// The chance that anything is ever decided by a metric though all variants are equal.
pub(super) const ALPHA: f64 = 0.05;

/// What is decided by one metric.
#[derive(Clone, Debug)]
pub(super) struct Decided {
    /// Units it was planned for, all variants together.
    pub(super) planned_units: u64,
    /// What may be announced.
    pub(super) verdicts: Verdicts,
    /// How each variant differs from the control; none for the control and before there is enough.
    pub(super) sequences: Vec<Option<Sequence>>,
    /// Variants that are worse than the control by more than the margin.
    pub(super) breaching: Vec<usize>,
    /// Whether every variant that competes is within the margin of the control.
    pub(super) is_equivalent: bool,
    /// Whether every variant that competes can be compared with the control.
    pub(super) is_ready: bool,
    /// Matured units more until the variant in front wins, if it stays as far in front; none where that is not known, or
    /// of no interest because the metric does not decide.
    pub(super) units_left: Option<f64>,
}

impl Decided {
    /// Decides by one metric.
    pub(super) fn of(
        input: &ReportInput<'_>,
        metric: &MetricFigures,
        (prepared, compared): (&Prepared, &Compared),
        planned_units: u64,
    ) -> Self {
        let control_idx = input.experiment.definition.control_idx();
        let competes: Vec<bool> = compared.variants.iter().map(|variant| variant.competes).collect();
        let count = |n: i64| u32::try_from(n.max(0)).unwrap_or(u32::MAX);
        let question = Question {
            strata: if compared.usable { &prepared.strata } else { &[] },
            denominators: &prepared.denominators,
            direction: metric.direction,
            control_idx,
            competes: &competes,
            alpha: ALPHA,
            horizon: &Horizon::even(planned_units as f64),
            entry: EntryConditions {
                units: count(input.rules.units_min),
                nonzero: count(input.rules.nonzero_min),
                ..EntryConditions::default()
            },
            level: prepared.level,
        };
        let verdicts = question.verdicts();
        let pairs = || verdicts.against_control.iter().enumerate();
        let margin = metric.choice.margin;
        let decides = metric.role == Role::Primary;
        let is_breach =
            |pair: &Pair| margin.map_or_else(|| pair.is_worse(), |margin| pair.is_worse_by(margin));
        let others =
            || pairs().filter(|(idx, _)| *idx != control_idx && competes[*idx]).map(|(_, pair)| pair);
        let breaching = pairs().filter(|(_, pair)| pair.as_ref().is_some_and(is_breach));
        let is_within =
            |margin: f64| others().all(|pair| pair.as_ref().is_some_and(|pair| pair.is_within(margin)));
        Self {
            planned_units,
            units_left: decides
                .then(|| compared.front_idx())
                .flatten()
                .and_then(|front_idx| question.units_until_winner(front_idx)),
            sequences: pairs()
                .map(|(_, pair)| pair.as_ref().and_then(|pair| sequence(pair, verdicts.alpha_each)))
                .collect(),
            breaching: breaching.map(|(idx, _)| idx).collect(),
            is_ready: others().count() != 0 && others().all(Option::is_some),
            is_equivalent: others().count() != 0 && margin.is_some_and(is_within),
            verdicts,
        }
    }

    /// The variants of which something holds against the control.
    pub(super) fn which(&self, holds: fn(&Pair) -> bool) -> Vec<usize> {
        let pairs = self.verdicts.against_control.iter().enumerate();
        pairs.filter(|(_, pair)| pair.as_ref().is_some_and(holds)).map(|(idx, _)| idx).collect()
    }
}

fn sequence(pair: &Pair, alpha: f64) -> Option<Sequence> {
    let ends = pair.lift_interval.filter(|lift| lift.low.is_finite() && lift.high.is_finite());
    let finite = [pair.estimate, pair.interval.low, pair.interval.high].iter().all(|end| end.is_finite());
    finite.then_some(Sequence {
        absolute: pair.estimate,
        absolute_low: pair.interval.low,
        absolute_high: pair.interval.high,
        relative: pair.lift.filter(|lift| lift.is_finite() && ends.is_some()),
        low: ends.map(|ends| ends.low),
        high: ends.map(|ends| ends.high),
        level: 1.0 - alpha,
        holds: pair.is_better() || pair.is_worse(),
    })
}
