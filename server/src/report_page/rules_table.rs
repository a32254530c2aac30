//! The report of an experience as CSV: one row for each rule, and one for the fallback.

use super::metric_view::digits;
use super::table::{guarded, optional, word};
use crate::app::RulesReport;
use csv::{Error, Terminator, WriterBuilder};

const COLUMNS: [&str; 21] = [
    "experience",
    "generated_at",
    "metric",
    "kind",
    "unit",
    "currency",
    "window_s",
    "rule",
    "name",
    "serve",
    "units",
    "conversions",
    "numerator",
    "denominator",
    "value",
    "matured_units",
    "matured_value",
    "interval_low",
    "interval_high",
    "interval_level",
    "serve_experiment",
];

/// The report as CSV.
pub(crate) fn rules_csv(report: &RulesReport) -> Result<Vec<u8>, Error> {
    let mut writer = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(Vec::new());
    writer.write_record(COLUMNS)?;
    for rule in &report.rules {
        let interval = rule.interval;
        writer.write_record([
            guarded(report.experience.as_str()),
            report.generated_at.to_string(),
            guarded(report.metric.as_deref().unwrap_or_default()),
            report.kind.as_ref().map(word).unwrap_or_default(),
            report.unit.as_ref().map(word).unwrap_or_default(),
            report.currency.map(|currency| currency.to_string()).unwrap_or_default(),
            report.window_s.map(|window_s| window_s.to_string()).unwrap_or_default(),
            guarded(rule.rule.as_ref().map_or("", |rule| rule.as_str())),
            guarded(rule.name.as_deref().unwrap_or_default()),
            guarded(rule.serve.as_ref().map_or("", |serve| serve.as_str())),
            rule.units.to_string(),
            rule.conversions.to_string(),
            rule.numerator.to_string(),
            rule.denominator.to_string(),
            optional(rule.value),
            rule.matured_units.to_string(),
            optional(rule.matured_value),
            optional(interval.map(|interval| interval.low)),
            optional(interval.map(|interval| interval.high)),
            interval.map(|interval| digits(interval.level)).unwrap_or_default(),
            guarded(rule.serve_experiment.as_ref().map_or("", |key| key.as_str())),
        ])?;
    }
    writer.into_inner().map_err(|error| Error::from(error.into_error()))
}
