//! Each variant's figure with its interval, on one axis.

use super::scale::{Scale, percent};
use podium_core::report::wording::Style;
use podium_core::report::{MetricReport, Report, Role, VariantReport};

/// From so many variants on, names stand beside the lines instead of above them.
const COMPACT_FROM: usize = 11;
const ROW_HEIGHT: u32 = 48;
/// Fifty rows fit on a printed page.
const ROW_HEIGHT_COMPACT: u32 = 16;
const AXIS_HEIGHT: u32 = 34;
const N_TICKS: u32 = 5;

/// An interval is drawn no farther from its figure than so many times the usual length.
const REACH: f64 = 3.0;

/// What the template draws. Lengths are pixels down and percentages across, so that it fits every screen without
/// squeezing its text.
pub(super) struct IntervalChart {
    pub(super) id: String,
    pub(super) title: String,
    pub(super) description: String,
    pub(super) height: u32,
    pub(super) axis_y: u32,
    pub(super) compact: bool,
    /// Half the height of the stroke that ends an interval.
    pub(super) end_half: u32,
    pub(super) ticks: Vec<Tick>,
    pub(super) control: Option<String>,
    pub(super) bars: Vec<Bar>,
}

pub(super) struct Tick {
    pub(super) x: String,
    pub(super) label: String,
    /// Whether its label makes room on a narrow screen.
    pub(super) spare: bool,
}

/// One variant.
pub(super) struct Bar {
    pub(super) class: &'static str,
    pub(super) short_name: String,
    pub(super) value: String,
    pub(super) told: String,
    pub(super) label_y: u32,
    pub(super) y: u32,
    pub(super) line: Option<Line>,
    pub(super) point: Option<String>,
}

pub(super) struct Line {
    pub(super) low: String,
    pub(super) high: String,
    /// Whether it goes on beyond the axis.
    pub(super) cut_low: bool,
    pub(super) cut_high: bool,
}

impl IntervalChart {
    /// Lays out the chart; none where no variant has a figure.
    pub(super) fn of(report: &Report, metric: &MetricReport, id: String) -> Option<Self> {
        let compact = COMPACT_FROM <= metric.variants.len();
        let scale = if compact { (26.0, 88.0) } else { (0.8, 99.2) };
        let scale = Scale::new(ends(&metric.variants)?, scale.0, scale.1);
        let style = Style::of(metric);
        let row_height = if compact { ROW_HEIGHT_COMPACT } else { ROW_HEIGHT };
        let axis_y = row_height * metric.variants.len() as u32 + 8;
        let bars = (0..metric.variants.len()).map(|idx| Bar::of(report, metric, &scale, idx));
        let tick = |(tick_idx, value): (usize, f64)| Tick {
            x: percent(scale.position(value)),
            label: style.value(value),
            spare: tick_idx % 2 == 1,
        };
        let control = report.variants.iter().position(|variant| variant.control);
        let control = control.and_then(|idx| metric.variants[idx].matured_value);
        Some(Self {
            id,
            title: format!("{} by variant", metric.title),
            description:
                "The point is the figure, the line its 95% interval; the dashed line is the control."
                    .to_owned(),
            height: axis_y + AXIS_HEIGHT,
            axis_y,
            compact,
            end_half: if compact { 3 } else { 5 },
            ticks: scale.ticks(N_TICKS).into_iter().enumerate().map(tick).collect(),
            control: control.filter(|&value| scale.holds(value)).map(|value| percent(scale.position(value))),
            bars: bars.collect(),
        })
    }
}

impl Bar {
    fn of(report: &Report, metric: &MetricReport, scale: &Scale, idx: usize) -> Self {
        let (variant, summary) = (&metric.variants[idx], &report.variants[idx]);
        let compact = COMPACT_FROM <= metric.variants.len();
        let style = Style::of(metric);
        let top = idx as u32 * if compact { ROW_HEIGHT_COMPACT } else { ROW_HEIGHT };
        let value =
            variant.matured_value.map_or_else(|| "no value yet".to_owned(), |value| style.value(value));
        let interval = variant.interval.map(|interval| {
            (
                interval,
                format!(", 95% interval {} to {}", style.value(interval.low), style.value(interval.high)),
            )
        });
        let told = interval.as_ref().map_or("", |(_, text)| text.as_str());
        let front = report.verdict.winner.as_ref().or(report.leader.as_ref());
        let leads = metric.role == Role::Primary && front == Some(&variant.key);
        Self {
            class: match (leads, summary.control, summary.removed) {
                (true, _, _) => "bar leads",
                (_, _, true) => "bar removed",
                (_, true, _) => "bar control",
                (false, false, false) => "bar",
            },
            short_name: shortened(&summary.name, if compact { 14 } else { 24 }),
            told: format!("{}: {value}{told}", summary.name),
            value,
            label_y: top + if compact { 12 } else { 18 },
            y: top + if compact { 8 } else { 34 },
            line: interval.map(|(interval, _)| Line {
                low: percent(scale.position(interval.low)),
                high: percent(scale.position(interval.high)),
                cut_low: !scale.holds(interval.low),
                cut_high: !scale.holds(interval.high),
            }),
            point: variant.matured_value.map(|value| percent(scale.position(value))),
        }
    }
}

/// The ends of the axis: all figures and their intervals, but for intervals that are far longer than usual.
fn ends(variants: &[VariantReport]) -> Option<(f64, f64)> {
    let mut lengths: Vec<f64> = variants
        .iter()
        .filter_map(|variant| variant.interval.map(|interval| interval.high - interval.low))
        .collect();
    lengths.sort_by(f64::total_cmp);
    let usual = lengths.get(lengths.len() / 2).copied().unwrap_or(0.0);
    let ends = variants.iter().filter_map(|variant| {
        let value = variant.matured_value?;
        let (low, high) = variant.interval.map_or((value, value), |interval| (interval.low, interval.high));
        Some((low.max(value - REACH * usual).min(value), high.min(value + REACH * usual).max(value)))
    });
    ends.reduce(|all, ends| (all.0.min(ends.0), all.1.max(ends.1)))
}

/// A name cut to so many letters, with an ellipsis for the rest.
fn shortened(name: &str, letters_max: usize) -> String {
    if name.chars().count() <= letters_max {
        return name.to_owned();
    }
    name.chars().take(letters_max - 1).chain(['…']).collect()
}
