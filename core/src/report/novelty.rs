//! Whether the lead of a variant wears off.

use super::compare::Compared;
use super::decided::Decided;
use super::figures::{Warning, WarningCode};
use super::input::ReportInput;
use super::prepared::Prepared;
use super::wording;
use crate::inference::sequence::{Difference, EntryConditions};
use crate::inference::strata::Stratum;
use crate::metric::Direction;

/// How many standard errors apart the earlier and the later difference are before anything is said: of a report read
/// once, 1 in 370 says it for nothing.
const APART: f64 = 3.0;

/// Warns if the variant in front was further in front at first than it is lately.
pub(super) fn warning(
    input: &ReportInput<'_>,
    prepared: &Prepared,
    (compared, decided): (&Compared, &Decided),
) -> Option<Warning> {
    let definition = &input.experiment.definition;
    let metric = input.metrics.first()?;
    let control_idx = definition.control_idx();
    let front_idx = compared.front_idx().filter(|front_idx| *front_idx != control_idx)?;
    decided.verdicts.against_control.get(front_idx)?.as_ref()?;
    let pair = [front_idx, control_idx];
    let at = middle(&prepared.strata, pair);
    let halves = [0..at, at..prepared.strata.len()].map(|half| {
        let denominators = prepared.denominators.get(half.clone()).unwrap_or_default();
        Difference::over(prepared.strata.get(half)?, denominators, pair)
    });
    let [earlier, later] = [halves[0]?, halves[1]?];
    let entry = EntryConditions::default();
    if !(earlier.meets(&entry) && later.meets(&entry)) {
        return None;
    }
    let (first, last) = (earlier.estimate(), later.estimate());
    let error = (earlier.variance() + later.variance()).sqrt();
    let fades = match metric.direction {
        Direction::Increase => last < first,
        Direction::Decrease => first < last,
    };
    if !fades || (first - last).abs() < APART * error {
        return None;
    }
    let part = |difference: &Difference| {
        difference.lift(prepared.level).map_or_else(String::new, wording::signed_percent)
    };
    let message = format!(
        "The difference of “{}” was {} in the first half and {} in the second: it may wear off. Let it run on.",
        definition.variants.get(front_idx)?.title(),
        part(&earlier),
        part(&later),
    );
    Some(Warning { code: WarningCode::Novelty, message })
}

/// Before which stratum half of what two variants are compared by has come.
fn middle(strata: &[Stratum], [k, j]: [usize; 2]) -> usize {
    let weight = |stratum: &Stratum| {
        let (own, other) = (stratum.cell(k).n, stratum.cell(j).n);
        if 0.0 < own + other { own * other / (own + other) } else { 0.0 }
    };
    let half = 0.5 * strata.iter().map(weight).sum::<f64>();
    let mut sum = 0.0;
    let passes = |stratum: &Stratum| {
        sum += weight(stratum);
        half < sum
    };
    strata.iter().position(passes).unwrap_or(strata.len())
}
