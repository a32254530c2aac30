//! From the strata of a metric to what is decided, at an error that holds at all looks.

use super::compare::Compared;
use super::figures::Sequence;
use super::input::{MetricFigures, ReportInput};
use super::prepared::Prepared;
use crate::inference::sequence::{Decision, Difference, Entry, Question};
use crate::metric::MetricKind;
use crate::quotient::quotient;

/// The chance that anything is ever decided by a metric though all variants are equal.
pub(super) const ALPHA: f64 = 0.05;
/// A ratio stands for its linearized differences as long as it is this many standard errors from nothing.
const RATIO_CERTAIN: f64 = 10.0;

/// What is decided by one metric.
#[derive(Clone, Debug)]
pub(super) struct Decided {
    pub(super) decision: Decision,
    /// How each variant differs from the control; none for the control and before there is enough.
    pub(super) sequences: Vec<Option<Sequence>>,
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
        let competing: Vec<bool> = compared.variants.iter().map(|variant| variant.competes).collect();
        let of_control = prepared.sums.get(control_idx);
        let control = of_control.and_then(|sums| match metric.kind {
            MetricKind::Ratio => quotient(sums.y, sums.d),
            MetricKind::Proportion | MetricKind::Mean => quotient(sums.y, i128::from(sums.n)),
        });
        let margin = metric.choice.margin.zip(control).map(|(margin, control)| margin * control.abs());
        let question = Question {
            control_idx,
            direction: metric.direction,
            competing: &competing,
            alpha: ALPHA,
            planned_units: planned_units as f64,
            margin: margin.filter(|margin| 0.0 < *margin),
            entry: Entry {
                units: input.rules.units_min as f64,
                nonzero: input.rules.nonzero_min as f64,
                ..Entry::default()
            },
        };
        let strata = if compared.usable { &prepared.strata[..] } else { &[] };
        let decision = question.decide(strata);
        let part_of = match (metric.kind, control) {
            (MetricKind::Proportion | MetricKind::Mean, _) => PartOf::Sums,
            (MetricKind::Ratio, Some(ratio)) if 0.0 < ratio && is_certain(compared, control_idx) => {
                PartOf::Ratio(ratio)
            }
            (MetricKind::Ratio, _) => PartOf::Nothing,
        };
        let sequence = |difference: &Option<Difference>| {
            difference.as_ref().and_then(|difference| sequence(difference, decision.alpha, part_of))
        };
        let sequences = decision.differences.iter().map(sequence);
        Self { sequences: sequences.collect(), decision }
    }
}

/// Whether the control's figure is known so well that a part of it is as good as a part of the truth.
fn is_certain(compared: &Compared, control_idx: usize) -> bool {
    let control = compared.variants.get(control_idx).and_then(|control| control.estimate);
    control.and_then(|control| control.standard_errors()).is_some_and(|errors| RATIO_CERTAIN <= errors)
}

/// What a difference is a part of.
#[derive(Clone, Copy, Debug)]
enum PartOf {
    /// What the sums say of the control.
    Sums,
    /// The control's ratio; the sums are of linearized values.
    Ratio(f64),
    /// Nothing that is known well enough.
    Nothing,
}

fn sequence(difference: &Difference, alpha: f64, part_of: PartOf) -> Option<Sequence> {
    let interval = difference.interval(alpha)?;
    let (relative, ends) = match part_of {
        PartOf::Ratio(ratio) => {
            (Some(difference.value / ratio), Some((interval.low / ratio, interval.high / ratio)))
        }
        PartOf::Sums => (
            difference.relative_value(),
            difference.relative(alpha).map(|relative| (relative.low, relative.high)),
        ),
        PartOf::Nothing => (None, None),
    };
    let relative = relative.filter(|value| value.is_finite());
    let ends = ends.filter(|(low, high)| relative.is_some() && low.is_finite() && high.is_finite());
    let finite = [difference.value, interval.low, interval.high].iter().all(|number| number.is_finite());
    finite.then_some(Sequence {
        absolute: difference.value,
        absolute_low: interval.low,
        absolute_high: interval.high,
        relative,
        low: ends.map(|(low, _)| low),
        high: ends.map(|(_, high)| high),
        level: 1.0 - alpha,
    })
}
