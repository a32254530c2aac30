//! The sentence a marketer may quote: plain, and never more than the evidence.

mod decided;

use super::figures::{MetricReport, VariantReport, VariantSummary};
use super::inferred::{Monthly, Outlook};
use super::input::ReportInput;
use super::state::{Lack, Standing, State};
use super::verdict::{Verdict, Withheld};
use super::wording::{self, Style, Words};
use crate::experiment::Status;
use crate::metric::{Direction, MetricKind, ValueUnit};
use std::cmp::Ordering;

/// What a sentence tells of.
pub(super) struct Telling<'a> {
    pub(super) input: &'a ReportInput<'a>,
    pub(super) variants: &'a [VariantSummary],
    pub(super) metrics: &'a [MetricReport],
    pub(super) run_s: i64,
    pub(super) verdict: &'a Verdict,
    pub(super) outlook: Outlook,
    pub(super) monthly: Option<&'a Monthly>,
}

/// Tells how the experiment stands.
pub(super) fn sentence(telling: &Telling<'_>, standing: Option<&Standing>) -> String {
    let (Some(standing), Some(primary)) = (standing, telling.metrics.first()) else {
        return "There is no metric to compare by.".to_owned();
    };
    let tale = Tale { telling, primary, style: Style::of(primary), words: telling.words() };
    if let Some(decided) = tale.of_verdict() {
        return decided;
    }
    match (standing.lack, standing.front_idx) {
        (Some(lack), _) => tale.of_lack(lack),
        (None, Some(front_idx)) if standing.state == State::Leading => {
            format!("{}{}", tale.of_leader(front_idx), tale.of_the_rest())
        }
        (None, Some(front_idx)) => format!("{}{}", tale.of_front(front_idx), tale.of_the_rest()),
        (None, None) => format!("The variants cannot be compared on {} yet.", tale.metric()),
    }
}

impl Telling<'_> {
    fn words(&self) -> Words {
        Words::of(self.input.experiment.definition.unit)
    }

    fn control_idx(&self) -> usize {
        self.input.experiment.definition.control_idx()
    }

    fn ended(&self) -> bool {
        matches!(self.input.experiment.status, Status::Concluded | Status::Archived)
    }

    fn n_competing(&self) -> usize {
        self.variants.iter().filter(|variant| !variant.removed).count()
    }
}

struct Tale<'a> {
    telling: &'a Telling<'a>,
    primary: &'a MetricReport,
    style: Style,
    words: Words,
}

impl Tale<'_> {
    fn metric(&self) -> String {
        lower_first(&self.primary.title)
    }

    fn name(&self, variant_idx: usize) -> String {
        format!("“{}”", self.telling.variants[variant_idx].name)
    }

    fn value(&self, variant_idx: usize) -> String {
        value_text(self.style, &self.primary.variants[variant_idx])
    }

    fn of_lack(&self, lack: Lack) -> String {
        let units: u64 = self.telling.variants.iter().map(|variant| variant.units).sum();
        match lack {
            Lack::Exposures if self.telling.input.experiment.status == Status::Draft => {
                format!("This experiment has not started: no {} has seen it yet.", self.words.one)
            }
            Lack::Exposures => {
                format!("No {} has been exposed yet, so there is nothing to compare.", self.words.one)
            }
            Lack::Metric => format!(
                "{} cannot be compared at the moment: its plugin is not loaded, or its figures contradict each other.",
                self.primary.title
            ),
            Lack::Maturity => {
                let matured = sum(self.primary, |variant| variant.matured_units);
                format!(
                    "Too early to compare on {}: {} of {} have had their full {}.",
                    self.metric(),
                    wording::count(i128::from(matured)),
                    self.words.counted(units),
                    wording::span(self.primary.window_s),
                )
            }
            Lack::Rewards => self.of_few_rewards(),
            Lack::Time => format!(
                "Too early to compare on {}: the test has run for {} of at least {}, so that every day of the week \
                 counts. So far: {}.",
                self.metric(),
                wording::span(self.telling.run_s),
                wording::span(self.telling.input.rules.run_s_min),
                self.values(),
            ),
        }
    }

    /// Says that there is too little, by counts and not by values, which would look like a ranking.
    fn of_few_rewards(&self) -> String {
        let rules = &self.telling.input.rules;
        let active = || {
            self.primary.variants.iter().zip(self.telling.variants).filter(|(_, variant)| !variant.removed)
        };
        let nonzero: i64 = active().map(|(figures, _)| figures.nonzero_units).sum();
        let units: i64 = active().map(|(figures, _)| figures.units).sum();
        let fewest = active().map(|(figures, _)| figures.nonzero_units).min().unwrap_or(0);
        let (one, many) = match self.primary.kind {
            MetricKind::Proportion => ("positive result", "positive results"),
            MetricKind::Mean | MetricKind::Ratio => ("result above zero", "results above zero"),
        };
        let (rewards, verb) = if nonzero == 1 { (one, "is") } else { (many, "are") };
        let ending = if self.telling.ended() { " It ended before there was enough." } else { "" };
        format!(
            "{}: {} {rewards} in {} over {} variants {verb} too few to compare. Each variant needs at least {}, out of \
             at least {} that have had their full {}; the one with the fewest has {}.{ending}",
            self.primary.title,
            wording::count(i128::from(nonzero)),
            self.words.counted(units.unsigned_abs()),
            self.telling.n_competing(),
            wording::count(i128::from(rules.nonzero_min)),
            self.words.counted(rules.units_min.unsigned_abs()),
            wording::span(self.primary.window_s),
            wording::count(i128::from(fewest)),
        )
    }

    fn of_leader(&self, leader_idx: usize) -> String {
        let control_idx = self.telling.control_idx();
        // Where the control leads, it is compared with the one that comes closest.
        let other_idx = if leader_idx == control_idx { self.runner_up(leader_idx) } else { control_idx };
        let compared_idx = if leader_idx == control_idx { other_idx } else { leader_idx };
        let chance = self.primary.variants[leader_idx].chance_best.unwrap_or(0.0);
        let better = match self.primary.direction {
            Direction::Increase => "",
            Direction::Decrease => " (less is better)",
        };
        format!(
            "{} leads on {}{better}: {} against {} for {}{}, with a chance of {} to be the best of {}. This is a \
             lead, not a verdict: {}.{}{}",
            self.name(leader_idx),
            self.metric(),
            self.value(leader_idx),
            self.value(other_idx),
            self.name(other_idx),
            lift_text(self.style, self.primary, compared_idx),
            wording::chance(chance),
            self.telling.n_competing(),
            self.doubt(compared_idx, chance),
            self.beside(leader_idx, other_idx),
            self.counted_over(),
        )
    }

    /// Says why a lead is no verdict.
    fn doubt(&self, compared_idx: usize, chance: f64) -> String {
        const WORTH_SAYING: f64 = 0.05;
        let mut doubts = Vec::new();
        let interval = self.primary.variants[compared_idx]
            .lift
            .and_then(|lift| lift.low.zip(lift.high).or_else(|| lift.absolute_low.zip(lift.absolute_high)));
        if interval.is_some_and(|(low, high)| low <= 0.0 && 0.0 <= high) {
            doubts.push("the interval still allows for no difference".to_owned());
        }
        // Of two identical variants each chance to be best is uniform, and the larger one exceeds this one so often.
        let identical = 2.0 * (1.0 - chance);
        if self.telling.n_competing() == 2 && WORTH_SAYING <= identical {
            doubts.push(format!(
                "two identical variants show as clear a lead in {:.0}% of tests",
                100.0 * identical
            ));
        }
        if doubts.is_empty() { "it can still turn".to_owned() } else { doubts.join(", and ") }
    }

    fn of_front(&self, front_idx: usize) -> String {
        let chance = wording::chance(self.primary.variants[front_idx].chance_best.unwrap_or(0.0));
        let (opening, verb) = if self.telling.ended() {
            ("The test ended, and no variant stood out", "had")
        } else {
            ("No variant stands out", "has")
        };
        format!(
            "{opening} on {}: {}. The likeliest to be best, {}, {verb} a chance of {chance}.{}",
            self.metric(),
            self.values(),
            self.name(front_idx),
            self.counted_over(),
        )
    }

    /// The values of all variants if they are few, else their range.
    fn values(&self) -> String {
        const NAMED_MAX: usize = 4;
        let active = || (0..self.telling.variants.len()).filter(|&idx| !self.telling.variants[idx].removed);
        if active().count() <= NAMED_MAX {
            let texts: Vec<_> =
                active().map(|idx| format!("{} {}", self.name(idx), self.value(idx))).collect();
            return texts.join(", ");
        }
        let values = || active().filter_map(|idx| self.primary.variants[idx].matured_value);
        let low = values().fold(f64::INFINITY, f64::min);
        let high = values().fold(f64::NEG_INFINITY, f64::max);
        let n = active().count();
        if low <= high {
            format!("{n} variants from {} to {}", self.style.value(low), self.style.value(high))
        } else {
            format!("{n} variants without a value")
        }
    }

    fn runner_up(&self, leader_idx: usize) -> usize {
        let others = (0..self.primary.variants.len()).rev().filter(|&idx| idx != leader_idx);
        let chance = |idx: usize| self.primary.variants[idx].chance_best.unwrap_or(-1.0);
        others.max_by(|&a, &b| chance(a).total_cmp(&chance(b))).unwrap_or(leader_idx)
    }

    /// Puts money per unit beside money per something else, which alone does not say who earns more.
    fn beside(&self, variant_idx: usize, other_idx: usize) -> String {
        let money = |metric: &MetricReport| metric.unit == ValueUnit::CurrencyMinor;
        if self.primary.kind != MetricKind::Ratio || !money(self.primary) {
            return String::new();
        }
        let mean =
            self.telling.metrics.iter().find(|metric| metric.kind == MetricKind::Mean && money(metric));
        let Some(mean) = mean.filter(|_| variant_idx != other_idx) else {
            return String::new();
        };
        let (variant, other) = (&mean.variants[variant_idx], &mean.variants[other_idx]);
        let Some((value, against)) = variant.matured_value.zip(other.matured_value) else {
            return String::new();
        };
        let style = Style::of(mean);
        let opening = match value.total_cmp(&against) {
            Ordering::Less => format!("But {} is lower so far", lower_first(&mean.title)),
            Ordering::Equal => format!("{} is the same", mean.title),
            Ordering::Greater => format!("{} is higher so far too", mean.title),
        };
        let compared_idx = if variant_idx == self.telling.control_idx() { other_idx } else { variant_idx };
        let lift = lift_text(style, mean, compared_idx);
        format!(" {opening}: {} against {}{lift}.", style.value(value), style.value(against))
    }

    /// Says whom the figures are of, unless they are of everyone.
    fn counted_over(&self) -> String {
        let matured = sum(self.primary, |variant| variant.matured_units);
        let units = sum(self.primary, |variant| variant.units);
        if matured == units {
            return String::new();
        }
        format!(
            " Compared are the {} of {} who have had their full {}.",
            wording::count(i128::from(matured)),
            self.words.counted(units.unsigned_abs()),
            wording::span(self.primary.window_s),
        )
    }
}

fn sum(metric: &MetricReport, of: impl Fn(&VariantReport) -> i64) -> i64 {
    metric.variants.iter().map(of).sum()
}

fn value_text(style: Style, variant: &VariantReport) -> String {
    variant.matured_value.map_or_else(|| "no value".to_owned(), |value| style.value(value))
}

/// The lift over the control in brackets; nothing for the control itself.
fn lift_text(style: Style, metric: &MetricReport, variant_idx: usize) -> String {
    let Some(lift) = metric.variants[variant_idx].lift else {
        return String::new();
    };
    let interval = |low: String, high: String| format!(", 95% interval {low} to {high}");
    match (lift.relative, lift.low.zip(lift.high), lift.absolute_low.zip(lift.absolute_high)) {
        (Some(relative), Some((low, high)), _) => {
            let interval = interval(wording::signed_percent(low), wording::signed_percent(high));
            format!(" ({}{interval})", wording::signed_percent(relative))
        }
        (_, None, Some((low, high))) => {
            // The word for percentage points stands once, after both ends.
            let low = style.difference(low).trim_end_matches(" points").to_owned();
            let interval = interval(low, style.difference(high));
            format!(" ({}{interval})", style.difference(lift.absolute))
        }
        _ => format!(" ({})", style.difference(lift.absolute)),
    }
}

/// The title as it stands inside a sentence; an abbreviation stays as it is.
fn lower_first(title: &str) -> String {
    let mut letters = title.chars();
    match (letters.next(), letters.next()) {
        (Some(first), Some(second)) if first.is_uppercase() && !second.is_uppercase() => {
            first.to_lowercase().chain(title.chars().skip(1)).collect()
        }
        _ => title.to_owned(),
    }
}
