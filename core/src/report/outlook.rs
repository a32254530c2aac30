//! How far the run is, how long it still takes, and what its winner should bring.

use super::compare::Compared;
use super::decided::{ALPHA, Decided};
use super::figures::MetricReport;
use super::inferred::{Monthly, Outlook};
use super::input::ReportInput;
use super::verdict::Verdict;
use crate::experiment::{Status, Variant};
use crate::inference::power::{Aim, Baseline, Looks};
use crate::metric::{Direction, MetricKind, ValueUnit};
use crate::probability::Probability;

/// Units of each variant that a run is planned for where nothing is said of what matters.
const UNITS_PER_VARIANT: u64 = 20_000;
/// Whole days over which the traffic is counted.
const TRAFFIC_DAYS: i64 = 7;
/// A day, and a month of 365.25 / 12 days.
const DAY_S: f64 = 86_400.0;
const MONTH_DAYS: f64 = 30.4375;
/// After so many days without a unit none are expected.
const SILENT_DAYS: i64 = 2;
/// After so many times its planned length a run is over.
const OVERTIME: f64 = 1.5;
/// Beyond so many days nobody plans.
const DAYS_MAX: f64 = 3_650.0;

/// For how many units the run is planned, all variants together: as it was registered, or what it takes to find the
/// margin of the primary metric with a power of 80 %, or a default.
///
/// The baseline is what the control has shown so far, from the first look at which anything may be announced. It moves a
/// little at first, and so does the plan, though it is rounded to one digit; and a variant that is taken out makes it
/// smaller. That costs nothing: near the planned length the boundary hardly depends on it, and even a plan that were at
/// each look the one within half and twice the right one that announces most would keep the 5 % (`tests/stat`).
pub(super) fn planned_units(input: &ReportInput<'_>, compared: Option<&Compared>) -> u64 {
    let definition = &input.experiment.definition;
    let n_variants = definition.variants.iter().filter(|variant| Variant::is_active(variant)).count().max(2);
    let by_margin = || {
        let metric = input.metrics.first()?;
        let margin = metric.choice.margin?;
        let control = compared?.variants.get(definition.control_idx())?;
        let estimate = control.estimate.filter(|_| input.rules.are_met_by(&control.matured))?;
        let baseline = match metric.kind {
            MetricKind::Proportion => Baseline::rate(estimate.value).ok()?,
            MetricKind::Mean | MetricKind::Ratio => {
                Baseline::value(estimate.value, estimate.variance? * control.matured.n as f64).ok()?
            }
        };
        let aim = Aim {
            alpha: Probability::rounded(ALPHA),
            power: Probability::rounded(0.8),
            n_variants,
            looks: Looks::Always,
        };
        let units = aim.units_per_variant(&baseline, margin * estimate.value).ok()?;
        Some(one_digit(units.saturating_mul(n_variants as u64)))
    };
    definition.planned_units.or_else(by_margin).unwrap_or(UNITS_PER_VARIANT * n_variants as u64)
}

/// Rounded up to one digit: 31,870 becomes 40,000.
fn one_digit(units: u64) -> u64 {
    let step = 10_u64.saturating_pow(units.max(1).ilog10());
    units.div_ceil(step).saturating_mul(step)
}

impl Outlook {
    /// Looks ahead from the primary metric.
    pub(super) fn of(input: &ReportInput<'_>, decided: &Decided, run_s: i64, verdict: &Verdict) -> Self {
        let units_per_day = units_per_day(input, run_s);
        let days_left = units_per_day
            .filter(|units_per_day| 0.0 < *units_per_day && verdict.winner.is_none() && still_comes(input))
            .and_then(|units_per_day| days_left(input, decided, run_s, units_per_day))
            .filter(|days| *days <= DAYS_MAX);
        Self { planned_units: decided.planned_units, units_per_day, days_left }
    }

    /// Whether nothing worth having is left to be found: every variant is within the margin of the control, or the run
    /// has had half as many units again as it was planned for.
    pub(super) fn is_over(&self, decided: &Decided, matured_units: u64) -> bool {
        decided.is_equivalent || OVERTIME * self.planned_units as f64 <= matured_units as f64
    }
}

/// Units a day over the whole days before the last unit came, without the first day where there are others.
fn units_per_day(input: &ReportInput<'_>, run_s: i64) -> Option<f64> {
    let (first, last) = (input.daily_units.first()?.0, input.daily_units.last()?.0);
    let whole = first + 1..last;
    if whole.is_empty() {
        let units: u64 = input.daily_units.iter().map(|(_, units)| units).sum();
        let days = run_s as f64 / DAY_S;
        return (0.0 < days).then(|| units as f64 / days);
    }
    let counted = whole.start.max(last - TRAFFIC_DAYS)..whole.end;
    let n_days = (counted.end - counted.start) as f64;
    let units: u64 =
        input.daily_units.iter().filter(|(day, _)| counted.contains(day)).map(|(_, units)| units).sum();
    Some(units as f64 / n_days)
}

/// Whether units come: the run goes on, and there was one within the last whole days.
fn still_comes(input: &ReportInput<'_>) -> bool {
    let last = input.daily_units.last().map(|(day, _)| *day);
    let goes_on = input.experiment.status == Status::Running;
    goes_on && last.is_some_and(|last| input.now.day() <= last + SILENT_DAYS)
}

/// Days until the variant in front would be a winner, if it stays as far in front, and until the shortest run is over.
///
/// The window takes no days of its own: each day as many units mature as come.
fn days_left(input: &ReportInput<'_>, decided: &Decided, run_s: i64, units_per_day: f64) -> Option<f64> {
    let days = decided.units_left? / units_per_day;
    let run_left = (input.rules.run_s_min - run_s).max(0) as f64 / DAY_S;
    Some(days.max(run_left)).filter(|left| 0.0 < *left)
}

impl Monthly {
    /// What the winner should bring: by the primary metric if that counts money per unit, else by the first metric
    /// that does, if its interval is above nothing. Where less of it is better, what is saved is what it brings.
    pub(super) fn of(
        input: &ReportInput<'_>,
        metrics: &[MetricReport],
        (verdict, outlook): (&Verdict, &Outlook),
    ) -> Option<Self> {
        let definition = &input.experiment.definition;
        let winner = verdict.winner.as_ref()?;
        let winner_idx = definition.variants.iter().position(|variant| variant.key == *winner)?;
        let is_money = |metric: &&MetricReport| {
            metric.kind == MetricKind::Mean && metric.unit == ValueUnit::CurrencyMinor
        };
        let (metric_idx, metric) = metrics.iter().enumerate().find(|(_, metric)| is_money(metric))?;
        let sequence = metric.variants.get(winner_idx)?.sequence?;
        let (value, low, high) = match metric.direction {
            Direction::Increase => (sequence.absolute, sequence.absolute_low, sequence.absolute_high),
            Direction::Decrease => (-sequence.absolute, -sequence.absolute_high, -sequence.absolute_low),
        };
        // Someone else's metric need not have moved.
        let is_known = metric_idx == 0 || 0.0 < low;
        let served = definition.traffic;
        let units = outlook.units_per_day? * MONTH_DAYS / if 0.0 < served { served } else { 1.0 };
        is_known.then(|| Self {
            variant: winner.clone(),
            metric: metric.metric.clone(),
            units,
            value: units * value,
            low: units * low,
            high: units * high,
        })
    }
}
