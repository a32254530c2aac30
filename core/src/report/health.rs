//! Whether the figures can be trusted.

use super::compare::Compared;
use super::figures::{Health, Warning, WarningCode};
use super::input::ReportInput;
use super::wording::Words;
use crate::metric::{MetricKind, ValueUnit};
use crate::quotient::quotient;

/// More than one unit in so many seen in two variants is too many.
const QUARANTINE_PART: u64 = 100;
const QUARANTINE_MIN: u64 = 10;

pub(super) fn health(input: &ReportInput<'_>, compared: &[Compared], run_s: i64) -> Health {
    let units: u64 = input.exposures.iter().map(|exposures| exposures.observed).sum();
    let matured_units: u64 = input.exposures.iter().map(|exposures| exposures.matured).sum();
    let mut warnings = Vec::new();
    let mut warn = |code: WarningCode, message: String| warnings.push(Warning { code, message });
    for (metric, compared) in input.metrics.iter().zip(compared) {
        if !metric.available {
            let message =
                format!("No loaded plugin offers `{}`: its figures stand still.", metric.choice.metric);
            warn(WarningCode::MetricUnavailable, message);
        }
        if let Some(contradiction) = &compared.contradiction {
            let message = format!("{} cannot be compared: {contradiction}.", metric.title);
            warn(WarningCode::SumsContradict, message);
        }
    }
    let words = Words::of(input.experiment.definition.unit);
    let quarantined = input.quarantined_units;
    if QUARANTINE_MIN <= quarantined && units + quarantined < quarantined.saturating_mul(QUARANTINE_PART) {
        let message = format!(
            "{} were seen in two variants and count in none. More than 1 in {QUARANTINE_PART} is too many: \
             check how {} are identified.",
            words.counted(quarantined),
            words.many,
        );
        warn(WarningCode::Quarantine, message);
    }
    for metric in input.metrics.iter().filter(|metric| 0 < metric.unreadable_units) {
        let message = format!(
            "{} could not tell the value of {}; they are in none of its figures.",
            metric.title,
            words.counted(metric.unreadable_units),
        );
        warn(WarningCode::UnreadableUnits, message);
    }
    if ratio_stands_alone(input) {
        let message = format!(
            "A ratio alone does not say who earns more, because its denominator differs between variants too. Add \
             revenue per {} as a secondary metric.",
            words.one,
        );
        warn(WarningCode::RatioAlone, message);
    }
    Health {
        units,
        matured_units,
        matured_share: quotient(i128::from(matured_units), i128::from(units)),
        quarantined_units: quarantined,
        run_s,
        sample_ratio: None,
        warnings,
    }
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
