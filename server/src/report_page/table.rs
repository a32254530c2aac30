//! The report as CSV: one row for each metric and variant.

use super::metric_view::digits;
use csv::{Error, Terminator, WriterBuilder};
use podium_core::report::{
    Breach, Gain, Lift, Method, MetricReport, Report, Role, Sequence, VariantReport, VariantSummary,
};
use serde::Serialize;

const COLUMNS: [&str; 77] = [
    "experiment",
    "version",
    "name",
    "source_note",
    "status",
    "state",
    "as_of",
    "generated_at",
    "weights_version",
    "metric",
    "title",
    "role",
    "kind",
    "unit",
    "currency",
    "direction",
    "window_s",
    "variant",
    "variant_name",
    "control",
    "removed",
    "weight",
    "units",
    "nonzero_units",
    "numerator",
    "denominator",
    "value",
    "matured_units",
    "matured_nonzero_units",
    "enough",
    "matured_numerator",
    "matured_denominator",
    "matured_value",
    "interval_low",
    "interval_high",
    "interval_level",
    "interval_method",
    "chance_best",
    "expected_loss",
    "chance_to_beat_control",
    "lift_relative",
    "lift_low",
    "lift_high",
    "lift_method",
    "lift_absolute",
    "lift_absolute_low",
    "lift_absolute_high",
    "lift_absolute_method",
    "gain_value",
    "gain_low",
    "gain_high",
    "gain_level",
    "verdict",
    "sequence_absolute",
    "sequence_absolute_low",
    "sequence_absolute_high",
    "sequence_relative",
    "sequence_low",
    "sequence_high",
    "sequence_level",
    "sequence_holds",
    "capped_value",
    "period_value",
    "corrected_value",
    "corrected_low",
    "corrected_high",
    "corrected_level",
    "corrected_left_out_units",
    "cap_quantile",
    "cap_value",
    "cap_units",
    "history_span_s",
    "history_units",
    "history_variance_removed",
    "gain_over_control_value",
    "gain_over_control_low",
    "gain_over_control_high",
];

/// Writes the report as CSV (RFC 4180, UTF-8), with the digits that its JSON has.
///
/// Text that a spreadsheet would take for a formula gets a quote in front; numbers stay numbers. What is absent is
/// an empty cell.
///
/// # Errors
///
/// [`csv::Error`] if the rows differ in length, which they don't, or memory ends.
pub(crate) fn csv(report: &Report) -> Result<Vec<u8>, Error> {
    let mut writer = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(Vec::new());
    writer.write_record(COLUMNS)?;
    for metric in &report.metrics {
        for (variant, summary) in metric.variants.iter().zip(&report.variants) {
            writer.write_record(row(report, metric, summary, variant))?;
        }
    }
    writer.into_inner().map_err(|error| Error::from(error.into_error()))
}

fn row(
    report: &Report,
    metric: &MetricReport,
    summary: &VariantSummary,
    variant: &VariantReport,
) -> Vec<String> {
    let mut row = vec![
        guarded(report.experiment.as_str()),
        report.version.to_string(),
        guarded(&report.name),
        guarded(report.source_note.as_deref().unwrap_or_default()),
        report.status.to_string(),
        report.state.to_string(),
        report.as_of.map(|at| at.to_string()).unwrap_or_default(),
        report.generated_at.to_string(),
        report.weights_version.map(|version| version.to_string()).unwrap_or_default(),
        guarded(&metric.metric),
        guarded(&metric.title),
        metric.role.as_str().to_owned(),
        word(&metric.kind),
        word(&metric.unit),
        metric.currency.map(|currency| currency.to_string()).unwrap_or_default(),
        word(&metric.direction),
        metric.window_s.to_string(),
        guarded(summary.key.as_str()),
        guarded(&summary.name),
        summary.control.to_string(),
        summary.removed.to_string(),
        optional(summary.weight),
        variant.units.to_string(),
        variant.nonzero_units.to_string(),
        variant.numerator.to_string(),
        variant.denominator.to_string(),
        optional(variant.value),
        variant.matured_units.to_string(),
        variant.matured_nonzero_units.to_string(),
        variant.enough.to_string(),
        variant.matured_numerator.to_string(),
        variant.matured_denominator.to_string(),
        optional(variant.matured_value),
        optional(variant.interval.map(|interval| interval.low)),
        optional(variant.interval.map(|interval| interval.high)),
        optional(variant.interval.map(|interval| interval.level)),
        method(variant.interval.map(|interval| interval.method)),
        optional(variant.chance_best),
        optional(variant.expected_loss),
        optional(variant.chance_to_beat_control),
    ];
    row.extend(lift(variant.lift.as_ref()));
    row.extend(gain(metric.gain.as_ref()));
    row.push(optional(metric.gain.map(|gain| gain.level)));
    row.push(verdict(report, metric, variant).to_owned());
    row.extend(sequence(variant.sequence.as_ref()));
    let corrected = variant.corrected;
    let cap = metric.cap;
    let history = metric.history;
    row.extend([
        optional(variant.capped_value),
        optional(variant.period_value),
        optional(corrected.map(|corrected| corrected.value)),
        optional(corrected.map(|corrected| corrected.low)),
        optional(corrected.map(|corrected| corrected.high)),
        optional(corrected.map(|corrected| corrected.level)),
        whole(corrected.map(|corrected| corrected.left_out_units)),
        optional(cap.map(|cap| cap.quantile)),
        whole(cap.map(|cap| cap.value)),
        whole(cap.map(|cap| cap.units)),
        whole(history.map(|history| history.span_s)),
        whole(history.map(|history| history.units)),
        optional(history.map(|history| history.variance_removed)),
    ]);
    row.extend(gain(metric.gain_over_control.as_ref()));
    row
}

/// What is decided of a variant: by the primary metric, and of guardrails by each.
fn verdict(report: &Report, metric: &MetricReport, variant: &VariantReport) -> &'static str {
    let verdict = &report.verdict;
    let breaches = |breach: &Breach| breach.variant == variant.key && breach.metric == metric.metric;
    match metric.role {
        Role::Primary if verdict.winner.as_ref() == Some(&variant.key) => "winner",
        Role::Primary if verdict.harmful.contains(&variant.key) => "harmful",
        Role::Primary if verdict.better.contains(&variant.key) => "better",
        Role::Guardrail if verdict.breaches.iter().any(breaches) => "breach",
        Role::Primary | Role::Secondary | Role::Guardrail => "",
    }
}

fn gain(gain: Option<&Gain>) -> [String; 3] {
    [
        optional(gain.map(|gain| gain.value)),
        optional(gain.and_then(|gain| gain.low)),
        optional(gain.and_then(|gain| gain.high)),
    ]
}

fn sequence(sequence: Option<&Sequence>) -> [String; 8] {
    let Some(sequence) = sequence else {
        return Default::default();
    };
    [
        digits(sequence.absolute),
        digits(sequence.absolute_low),
        digits(sequence.absolute_high),
        optional(sequence.relative),
        optional(sequence.low),
        optional(sequence.high),
        digits(sequence.level),
        sequence.holds.to_string(),
    ]
}

fn lift(lift: Option<&Lift>) -> [String; 8] {
    let Some(lift) = lift else {
        return Default::default();
    };
    [
        optional(lift.relative),
        optional(lift.low),
        optional(lift.high),
        method(lift.method),
        digits(lift.absolute),
        optional(lift.absolute_low),
        optional(lift.absolute_high),
        method(lift.absolute_method),
    ]
}

/// Puts a quote before text that a spreadsheet would run; leading blanks don't hide it.
pub(super) fn guarded(text: &str) -> String {
    let begins = |letter: char| {
        matches!(letter, '=' | '+' | '-' | '@' | '\t' | '\r' | '\n' | '＝' | '＋' | '－' | '＠')
    };
    if text.starts_with(begins) || text.trim_start().starts_with(begins) {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}

pub(super) fn optional(number: Option<f64>) -> String {
    number.map(digits).unwrap_or_default()
}

fn whole(number: Option<impl ToString>) -> String {
    number.map(|number| number.to_string()).unwrap_or_default()
}

fn method(method: Option<Method>) -> String {
    method.map(|method| method.as_str().to_owned()).unwrap_or_default()
}

/// The word that JSON has for a value without fields.
pub(super) fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_disarmed_and_other_text_is_left_alone() {
        for armed in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "＝1", "=cmd|' /C calc'!A0"] {
            assert_eq!(guarded(armed), format!("'{armed}"));
        }
        for harmless in ["", "Average order value", "a=b", "50 % off", "\u{201c}quoted\u{201d}", "'=1"] {
            assert_eq!(guarded(harmless), harmless);
        }
    }
}
