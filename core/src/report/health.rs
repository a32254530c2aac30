//! Whether the figures can be trusted.

use super::compare::Compared;
use super::decided::Decided;
use super::figures::{Health, Warning, WarningCode};
use super::inferred::SampleRatio;
use super::input::{MetricFigures, ReportInput};
use super::prepared::Prepared;
use super::wording::{self, Words};
use crate::experiment::Status;
use crate::inference::sample_ratio::{self, Counted};
use crate::metric::{MetricKind, ValueUnit};
use crate::quotient::quotient;
use crate::time::Timestamp;

/// More than one unit in so many seen in two variants is too many.
const QUARANTINE_PART: u64 = 100;
const QUARANTINE_MIN: u64 = 10;
/// A goal of which nothing is heard for so long, in seconds, while units are exposed, is stale.
const STALE_S: i64 = 86_400;
/// A day with so many times the units of the middle one is a burst, if there are so many days and units.
const BURST_TIMES: u64 = 4;
const BURST_DAYS_MIN: usize = 5;
const BURST_UNITS_MIN: u64 = 1_000;

/// Whether variants got the units that their weights say; none where the weights of no unit are known.
pub(super) fn sample_ratio(input: &ReportInput<'_>) -> Option<SampleRatio> {
    let strata: Vec<_> = input
        .exposure_strata
        .iter()
        .map(|stratum| Counted { shares: stratum.shares.as_deref(), units: &stratum.units })
        .collect();
    let found = sample_ratio::sequential(&strata, sample_ratio::CONCENTRATION);
    let known = found.observed.iter().any(|units| 0 < *units);
    let flagged = found.is_alarming();
    known.then_some(SampleRatio { log_evidence: found.log_evidence, flagged })
}

/// Whether the figures can be trusted.
///
/// - `wears_off`: a warning of a lead that does.
pub(super) fn health(
    input: &ReportInput<'_>,
    (prepared, metrics): (&[Prepared], &[(Compared, Decided)]),
    (run_s, sample_ratio): (i64, Option<SampleRatio>),
    wears_off: Option<Warning>,
) -> Health {
    let units: u64 = input.exposures.iter().map(|exposures| exposures.observed).sum();
    let matured_units: u64 = input.exposures.iter().map(|exposures| exposures.matured).sum();
    let mut warnings = of_comparison(input, metrics);
    warnings.extend(of_traffic(input, sample_ratio));
    warnings.extend(of_values(input, prepared));
    warnings.extend(wears_off);
    Health {
        units,
        matured_units,
        matured_share: quotient(i128::from(matured_units), i128::from(units)),
        quarantined_units: input.quarantined_units,
        run_s,
        sample_ratio,
        warnings,
    }
}

/// Metrics that cannot be compared.
fn of_comparison(input: &ReportInput<'_>, metrics: &[(Compared, Decided)]) -> Vec<Warning> {
    let mut warnings = Vec::new();
    for (metric, (compared, _)) in input.metrics.iter().zip(metrics) {
        if !metric.available {
            let message =
                format!("No loaded plugin offers `{}`: its figures stand still.", metric.choice.metric);
            warnings.push(Warning { code: WarningCode::MetricUnavailable, message });
        }
        if let Some(contradiction) = &compared.contradiction {
            let message = format!("{} cannot be compared: {contradiction}.", metric.title);
            warnings.push(Warning { code: WarningCode::SumsContradict, message });
        }
    }
    warnings
}

/// Units that are missing, too many, or not who they seem.
fn of_traffic(input: &ReportInput<'_>, sample_ratio: Option<SampleRatio>) -> Vec<Warning> {
    let words = Words::of(input.experiment.definition.unit);
    let mut warnings = Vec::new();
    let mut warn = |code: WarningCode, message: String| warnings.push(Warning { code, message });
    if sample_ratio.is_some_and(|sample_ratio| sample_ratio.flagged) {
        let message = format!(
            "The variants did not get the {} that their weights say: something loses or adds {} of some variants. No \
             verdict is given until that is found.",
            words.many, words.many,
        );
        warn(WarningCode::SampleRatio, message);
    }
    if input.experiment.definition.shadow {
        let message = format!(
            "It runs in the shadow: all {} get the control and none counts. How they spread over the variants is told \
             apart.",
            words.many,
        );
        warn(WarningCode::Shadow, message);
    }
    if is_in_quarantine(input) {
        let message = format!(
            "{} were seen in two variants and count in none. More than 1 in {QUARANTINE_PART} is too many: \
             check how {} are identified.",
            words.counted(input.quarantined_units),
            words.many,
        );
        warn(WarningCode::Quarantine, message);
    }
    if let Some((day, units, usual)) = burst(&input.daily_units) {
        let message = format!(
            "{} came on {}, where {} are usual: a campaign, or machines. Compare the days before you rely on the \
             figures.",
            words.counted(units),
            wording::day(day),
            wording::count(i128::from(usual)),
        );
        warn(WarningCode::Burst, message);
    }
    warnings
}

/// Values that are missing, or do not say what one would read into them.
fn of_values(input: &ReportInput<'_>, prepared: &[Prepared]) -> Vec<Warning> {
    let words = Words::of(input.experiment.definition.unit);
    let mut warnings = Vec::new();
    let mut warn = |code: WarningCode, message: String| warnings.push(Warning { code, message });
    for metric in input.metrics.iter().filter(|metric| is_stale(input, metric)) {
        let message = match metric.last_event_at {
            Some(_) => format!(
                "No event that {} reads has come for more than a day, though {} still come: check whether the shop \
                 still sends it.",
                metric.title, words.many,
            ),
            None => format!(
                "No event that {} reads has ever come: check whether the shop sends it.",
                metric.title
            ),
        };
        warn(WarningCode::StaleGoal, message);
    }
    for metric in input.metrics.iter().filter(|metric| 0 < metric.unreadable_units) {
        let message = format!(
            "{} could not tell the value of {}; they are in none of its figures.",
            metric.title,
            words.counted(metric.unreadable_units),
        );
        warn(WarningCode::UnreadableUnits, message);
    }
    for (metric, _) in input.metrics.iter().zip(prepared).filter(|(_, prepared)| prepared.is_uncapped) {
        let message = format!(
            "The largest values of {} could not be cut off: they are too many, or do not fit its sums. A few huge ones \
             may decide.",
            metric.title,
        );
        warn(WarningCode::NotCapped, message);
    }
    if ratio_stands_alone(input) {
        let message = format!(
            "A ratio alone does not say who earns more, because its denominator differs between variants too. Add \
             revenue per {} as a secondary metric.",
            words.one,
        );
        warn(WarningCode::RatioAlone, message);
    }
    warnings
}

/// Too many units were seen in two variants for a verdict.
pub(super) fn is_in_quarantine(input: &ReportInput<'_>) -> bool {
    let units: u64 = input.exposures.iter().map(|exposures| exposures.observed).sum();
    let quarantined = input.quarantined_units;
    QUARANTINE_MIN <= quarantined && units + quarantined < quarantined.saturating_mul(QUARANTINE_PART)
}

/// Whether units have come for longer than [`STALE_S`] since the metric last heard of anything.
fn is_stale(input: &ReportInput<'_>, metric: &MetricFigures) -> bool {
    let heard_at = metric.last_event_at.or(input.first_exposed_at);
    let still_comes = input.experiment.status == Status::Running && metric.available;
    let silent = |(heard_at, exposed_at): (Timestamp, Timestamp)| {
        heard_at.plus_seconds(STALE_S) < exposed_at && heard_at.plus_seconds(STALE_S) < input.now
    };
    still_comes && heard_at.zip(input.last_exposed_at).is_some_and(silent)
}

/// The day with by far the most units, with its units and those of the middle day.
fn burst(daily: &[(i64, u64)]) -> Option<(i64, u64, u64)> {
    if daily.len() < BURST_DAYS_MIN {
        return None;
    }
    let mut units: Vec<u64> = daily.iter().map(|(_, units)| *units).collect();
    let middle = units.len() / 2;
    let usual = *units.select_nth_unstable(middle).1;
    let (day, most) = daily.iter().copied().max_by_key(|(_, units)| *units)?;
    (BURST_UNITS_MIN <= most && usual.saturating_mul(BURST_TIMES) < most).then_some((day, most, usual))
}

/// Whether money over something decides, and no money per unit stands beside it.
fn ratio_stands_alone(input: &ReportInput<'_>) -> bool {
    let is_money = |unit| unit == ValueUnit::CurrencyMinor;
    let beside = input.metrics.iter().any(|metric| metric.kind == MetricKind::Mean && is_money(metric.unit));
    input
        .metrics
        .first()
        .is_some_and(|primary| primary.kind == MetricKind::Ratio && is_money(primary.unit) && !beside)
}
