//! One metric as the page shows it: rounded for the eye, with the exact digits in every cell.

use super::interval_chart::IntervalChart;
use podium_core::metric::{Direction, MetricKind};
use podium_core::report::wording::{self, Style, Words};
use podium_core::report::{Effect, Gain, MetricReport, Report, Role, VariantReport};

/// A figure as it is read, and as JSON writes it.
pub(super) struct Cell {
    pub(super) text: String,
    pub(super) exact: String,
}

/// Two ends of an interval.
pub(super) struct Ends {
    pub(super) low: Cell,
    pub(super) high: Cell,
}

pub(super) struct MetricView {
    pub(super) id: String,
    pub(super) title: String,
    pub(super) role: String,
    pub(super) reading: String,
    pub(super) total_label: String,
    /// Whether the total is divided by something else than the units.
    pub(super) is_ratio: bool,
    pub(super) primary: bool,
    pub(super) any_immature: bool,
    /// What to think of figures in italics; none if there are none.
    pub(super) early_note: Option<String>,
    pub(super) chart: Option<IntervalChart>,
    /// What moving the traffic earned.
    pub(super) gain: Option<Cell>,
    pub(super) gain_ends: Option<Ends>,
    /// What all units earned beyond what the control would have earned.
    pub(super) over_control: Option<Cell>,
    pub(super) over_control_ends: Option<Ends>,
    /// How the figures were made less noisy.
    pub(super) notes: Vec<String>,
    /// Effects of factors, with their intervals.
    pub(super) effects: Vec<EffectRow>,
    /// Which effects cannot be told from which.
    pub(super) aliased: Vec<String>,
    pub(super) rows: Vec<Row>,
}

/// A word beside a name.
pub(super) struct Tag {
    pub(super) class: &'static str,
    pub(super) text: &'static str,
}

/// The effect of a level, or of two together.
pub(super) struct EffectRow {
    pub(super) levels: String,
    pub(super) value: Cell,
    pub(super) ends: Ends,
}

/// One variant.
pub(super) struct Row {
    pub(super) class: &'static str,
    pub(super) key: String,
    pub(super) name: String,
    pub(super) tags: Vec<Tag>,
    /// Whether its chances rest on too little.
    pub(super) early: bool,
    pub(super) units: Cell,
    pub(super) matured: Cell,
    pub(super) total: Cell,
    pub(super) denominator: Cell,
    pub(super) value: Option<Cell>,
    pub(super) matured_value: Option<Cell>,
    pub(super) interval: Option<Ends>,
    pub(super) lift: Option<Cell>,
    pub(super) lift_ends: Option<Ends>,
    /// Whether the interval of the lift holds at all looks.
    pub(super) at_all_looks: bool,
    pub(super) capped: Option<Cell>,
    pub(super) corrected: Option<Cell>,
    pub(super) corrected_ends: Option<Ends>,
    pub(super) beats_control: Option<Cell>,
    pub(super) chance: Option<Cell>,
    pub(super) chance_width: String,
    pub(super) loss: Option<Cell>,
    pub(super) weight: Option<Cell>,
}

/// Writes a number as JSON does: the fewest digits that read back as the same number.
pub(super) fn digits(number: f64) -> String {
    serde_json::Number::from_f64(number).map(|number| number.to_string()).unwrap_or_default()
}

impl MetricView {
    /// Whether weights moved, and figures without their effect stand beside.
    pub(super) fn any_corrected(&self) -> bool {
        self.rows.iter().any(|row| row.corrected.is_some())
    }

    pub(super) fn of(report: &Report, metric: &MetricReport, metric_idx: usize) -> Self {
        let words = Words::of(report.unit);
        let rows: Vec<_> = (0..metric.variants.len()).map(|idx| Row::of(report, metric, idx)).collect();
        let id = format!("metric-{metric_idx}");
        let better = match metric.direction {
            Direction::Increase => "More is better",
            Direction::Decrease => "Less is better",
        };
        let kind = match metric.kind {
            MetricKind::Proportion => format!("share of {} with a result", words.many),
            MetricKind::Mean => format!("total divided by {}", words.many),
            _ => "total divided by count".to_owned(),
        };
        Self {
            title: metric.title.clone(),
            role: role(metric),
            reading: format!(
                "{better} · {kind} · within {} of first exposure",
                wording::span(metric.window_s)
            ),
            total_label: match metric.kind {
                MetricKind::Proportion => "With a result".to_owned(),
                _ => metric
                    .currency
                    .map_or_else(|| "Total".to_owned(), |currency| format!("Total, {currency}")),
            },
            is_ratio: metric.kind == MetricKind::Ratio,
            primary: metric.role == Role::Primary,
            any_immature: metric.variants.iter().any(|variant| variant.matured_units != variant.units),
            early_note: rows.iter().any(|row| row.early).then(|| early_note(report, words)),
            gain: metric.gain.map(|gain| gain_cell(Style::of(metric), gain.value)),
            gain_ends: metric.gain.and_then(|gain| gain_ends(Style::of(metric), &gain)),
            over_control: metric.gain_over_control.map(|gain| gain_cell(Style::of(metric), gain.value)),
            over_control_ends: metric.gain_over_control.and_then(|gain| gain_ends(Style::of(metric), &gain)),
            notes: notes(metric, words),
            effects: effects(metric),
            aliased: metric.factors.iter().flat_map(|factors| factors.aliased.clone()).collect(),
            chart: IntervalChart::of(report, metric, id.clone()),
            rows,
            id,
        }
    }
}

impl Row {
    fn of(report: &Report, metric: &MetricReport, idx: usize) -> Self {
        let (variant, summary) = (&metric.variants[idx], &report.variants[idx]);
        let style = Style::of(metric);
        let leads = metric.role == Role::Primary && report.leader.as_ref() == Some(&variant.key);
        let verdict = &report.verdict;
        let wins = metric.role == Role::Primary && verdict.winner.as_ref() == Some(&variant.key);
        let harms = match metric.role {
            Role::Primary => verdict.harmful.contains(&variant.key),
            Role::Secondary => false,
            Role::Guardrail => verdict
                .breaches
                .iter()
                .any(|breach| breach.variant == variant.key && breach.metric == metric.metric),
        };
        let value = |value: f64| Cell { text: style.value(value), exact: digits(value) };
        Self {
            class: match (leads || wins, summary.removed) {
                (true, _) => "leads",
                (_, true) => "removed",
                (false, false) => "",
            },
            key: summary.key.to_string(),
            name: summary.name.clone(),
            tags: tags((summary.control, summary.removed), (leads, wins, harms)),
            early: !variant.enough && variant.chance_best.is_some(),
            units: counted(variant.units.into()),
            matured: counted(variant.matured_units.into()),
            total: Cell { text: style.total(variant.numerator), exact: variant.numerator.to_string() },
            denominator: counted(variant.denominator),
            value: variant.value.map(value),
            matured_value: variant.matured_value.map(value),
            interval: variant
                .interval
                .map(|interval| Ends { low: value(interval.low), high: value(interval.high) }),
            lift: match (&variant.sequence, &variant.lift) {
                (Some(sequence), _) => Some(lift_cell(style, sequence.relative, sequence.absolute)),
                (None, lift) => lift.as_ref().map(|lift| lift_cell(style, lift.relative, lift.absolute)),
            },
            lift_ends: match (&variant.sequence, &variant.lift) {
                (Some(sequence), _) => lift_ends(
                    style,
                    sequence.low.zip(sequence.high),
                    Some((sequence.absolute_low, sequence.absolute_high)),
                ),
                (None, lift) => lift.and_then(|lift| {
                    lift_ends(style, lift.low.zip(lift.high), lift.absolute_low.zip(lift.absolute_high))
                }),
            },
            at_all_looks: variant.sequence.is_some(),
            capped: variant.capped_value.map(value),
            corrected: variant.corrected.map(|corrected| value(corrected.value)),
            corrected_ends: variant
                .corrected
                .map(|corrected| Ends { low: value(corrected.low), high: value(corrected.high) }),
            beats_control: variant.chance_to_beat_control.map(chance_cell),
            chance: variant.chance_best.map(chance_cell),
            chance_width: super::scale::percent(variant.chance_best.unwrap_or(0.0) * 100.0),
            loss: loss_cell(style, variant),
            weight: summary
                .weight
                .map(|weight| Cell { text: wording::percent(weight), exact: digits(weight) }),
        }
    }
}

fn gain_cell(style: Style, value: f64) -> Cell {
    Cell { text: style.amount(value), exact: digits(value) }
}

fn role(metric: &MetricReport) -> String {
    let role = match metric.role {
        Role::Primary => "Primary metric",
        Role::Secondary => "Secondary metric",
        Role::Guardrail => "Guardrail",
    };
    let note = if metric.available { "" } else { " · not loaded, figures stand still" };
    format!("{role}{note}")
}

fn early_note(report: &Report, words: Words) -> String {
    format!(
        "Figures in italics rest on too little: fewer than {} results, or than {} with complete results.",
        wording::count(report.rules.nonzero_min.into()),
        words.counted(report.rules.units_min.unsigned_abs()),
    )
}

fn tags((control, removed): (bool, bool), (leads, wins, harms): (bool, bool, bool)) -> Vec<Tag> {
    let tags = [
        (control, Tag { class: "tag", text: "control" }),
        (wins, Tag { class: "tag lead", text: "winner" }),
        (leads && !wins, Tag { class: "tag lead", text: "leads" }),
        (harms, Tag { class: "tag harm", text: "does harm" }),
        (removed, Tag { class: "tag", text: "removed" }),
    ];
    tags.into_iter().filter_map(|(holds, tag)| holds.then_some(tag)).collect()
}

fn counted(n: i128) -> Cell {
    Cell { text: wording::count(n), exact: n.to_string() }
}

/// A chance to one decimal, never rounded up to certainty.
fn chance_cell(chance: f64) -> Cell {
    let text = match chance {
        p if 0.0 < p && p < 0.001 => "< 0.1%".to_owned(),
        p if 0.999 < p && p < 1.0 => "> 99.9%".to_owned(),
        p => format!("{:.1}%", p * 100.0),
    };
    Cell { text, exact: digits(chance) }
}

fn lift_cell(style: Style, relative: Option<f64>, absolute: f64) -> Cell {
    match relative {
        Some(relative) => Cell { text: wording::signed_percent(relative), exact: digits(relative) },
        None => difference_cell(style, absolute),
    }
}

fn gain_ends(style: Style, gain: &Gain) -> Option<Ends> {
    Some(Ends { low: gain_cell(style, gain.low?), high: gain_cell(style, gain.high?) })
}

fn notes(metric: &MetricReport, words: Words) -> Vec<String> {
    let style = Style::of(metric);
    let mut notes = Vec::new();
    if let Some(cap) = metric.cap {
        notes.push(format!(
            "For intervals and chances, values above {} count as that: the {} quantile of those that are not zero. It \
             concerns {}.",
            style.value(cap.value as f64),
            digits(cap.quantile),
            words.counted(cap.units),
        ));
    }
    if let Some(history) = metric.history {
        notes.push(format!(
            "What {} did in the {} before they came takes {} off the noise.",
            words.counted(history.units),
            wording::span(history.span_s),
            wording::percent(history.variance_removed),
        ));
    }
    notes
}

fn effects(metric: &MetricReport) -> Vec<EffectRow> {
    let style = Style::of(metric);
    let row = |effect: &Effect| EffectRow {
        levels: effect.levels.join(" × "),
        value: difference_cell(style, effect.value),
        ends: difference_ends(style, effect.low, effect.high),
    };
    metric.factors.iter().flat_map(|factors| &factors.effects).map(row).collect()
}

/// The interval of what [`lift_cell`] shows; for a relative lift without one, that of the absolute difference.
fn lift_ends(style: Style, relative: Option<(f64, f64)>, absolute: Option<(f64, f64)>) -> Option<Ends> {
    if let Some((low, high)) = relative {
        let cell = |end: f64| Cell { text: wording::signed_percent(end), exact: digits(end) };
        return Some(Ends { low: cell(low), high: cell(high) });
    }
    absolute.map(|(low, high)| difference_ends(style, low, high))
}

fn difference_cell(style: Style, difference: f64) -> Cell {
    Cell { text: style.difference(difference), exact: digits(difference) }
}

fn difference_ends(style: Style, low: f64, high: f64) -> Ends {
    // The word stands once, after both ends.
    let low_text = style.difference(low).trim_end_matches(" points").to_owned();
    Ends { low: Cell { text: low_text, exact: digits(low) }, high: difference_cell(style, high) }
}

fn loss_cell(style: Style, variant: &VariantReport) -> Option<Cell> {
    variant.expected_loss.map(|loss| Cell { text: style.gap(loss), exact: digits(loss) })
}
