//! What is said of a verdict, and of how long it still takes to one.

use super::super::figures::MetricReport;
use super::super::inferred::Sequence;
use super::super::input::Role;
use super::super::wording::{self, Style};
use super::{Tale, Withheld, lower_first};
use crate::id::VariantKey;
use crate::metric::{Direction, MetricKind, ValueUnit};

impl Tale<'_> {
    /// Tells of the verdict, if there is one.
    pub(super) fn of_verdict(&self) -> Option<String> {
        let verdict = self.telling.verdict;
        if let Some(winner_idx) = verdict.winner.as_ref().and_then(|key| self.idx(key)) {
            return Some(self.of_winner(winner_idx));
        }
        let served = |key: &VariantKey| {
            self.idx(key)
                .filter(|idx| self.telling.variants.get(*idx).is_some_and(|variant| !variant.removed))
        };
        if let Some((variant_idx, breach)) =
            verdict.breaches.iter().find_map(|breach| Some((served(&breach.variant)?, breach)))
        {
            return Some(self.of_breach(variant_idx, &breach.metric));
        }
        verdict.harmful.iter().find_map(served).map(|variant_idx| self.of_harm(variant_idx))
    }

    /// Says how long it still takes, or why nothing is decided.
    pub(super) fn of_the_rest(&self) -> String {
        if self.telling.ended() {
            return String::new();
        }
        let withheld = &self.telling.verdict.withheld;
        if withheld.contains(&Withheld::SampleRatio) {
            return " No verdict is given: the variants did not get the traffic that was meant for them."
                .to_owned();
        }
        if withheld.contains(&Withheld::Quarantine) {
            return format!(" No verdict is given: too many {} were seen in two variants.", self.words.many);
        }
        self.telling
            .outlook
            .days_left
            .map_or_else(String::new, |days| format!(" No winner yet: about {} more.", days_text(days)))
    }

    fn idx(&self, key: &VariantKey) -> Option<usize> {
        self.telling.variants.iter().position(|variant| variant.key == *key)
    }

    fn of_winner(&self, winner_idx: usize) -> String {
        let control_idx = self.telling.control_idx();
        if winner_idx == control_idx {
            let other_idx = self.runner_up(winner_idx);
            let better = match self.primary.direction {
                Direction::Increase => "",
                Direction::Decrease => " (less is better)",
            };
            return format!(
                "{} wins on {}{better}: nothing else is as good. {}{}",
                self.name(winner_idx),
                self.metric(),
                self.difference(self.primary, other_idx, &self.name(other_idx)),
                self.counted_over(),
            );
        }
        let bring = self.telling.monthly.map_or_else(String::new, |monthly| {
            let currency = Style::of(self.primary);
            let style = self
                .telling
                .metrics
                .iter()
                .find(|metric| metric.metric == monthly.metric)
                .map_or(currency, Style::of);
            format!(
                "; keeping it should bring about {} a month (between {} and {})",
                style.round_amount(monthly.value),
                style.round_amount(monthly.low),
                style.round_amount(monthly.high),
            )
        });
        let text = self.difference(self.primary, winner_idx, &self.name(winner_idx));
        let text = text.trim_end_matches('.');
        format!("{text}{bring}.{}{}", self.beside(winner_idx, control_idx), self.counted_over())
    }

    fn of_harm(&self, variant_idx: usize) -> String {
        format!(
            "{} does harm: {}{}",
            self.name(variant_idx),
            self.difference(self.primary, variant_idx, "it"),
            self.counted_over(),
        )
    }

    fn of_breach(&self, variant_idx: usize, metric: &str) -> String {
        let guardrail = self.telling.metrics.iter().find(|m| m.role == Role::Guardrail && m.metric == metric);
        let Some(guardrail) = guardrail else {
            return format!("{} breaches the guardrail `{metric}`.", self.name(variant_idx));
        };
        format!(
            "{} breaches the guardrail on {}: {}",
            self.name(variant_idx),
            lower_first(&guardrail.title),
            self.difference(guardrail, variant_idx, "it"),
        )
    }

    /// `“B” earns 4.2% more per visitor than “A” (between 1.1% and 7.5%).`
    fn difference(&self, metric: &MetricReport, variant_idx: usize, name: &str) -> String {
        let control = self.name(self.telling.control_idx());
        let Some(sequence) = metric.variants.get(variant_idx).and_then(|variant| variant.sequence) else {
            return format!("{name} differs from {control}.");
        };
        let is_more = 0.0 <= sequence.absolute;
        let (amount, range) = amount_and_range(Style::of(metric), &sequence, is_more);
        // What should be less is a cost.
        let is_earned = metric.kind == MetricKind::Mean
            && metric.unit == ValueUnit::CurrencyMinor
            && metric.direction == Direction::Increase;
        let compared = if is_earned {
            let more = if is_more { "more" } else { "less" };
            format!("{name} earns {amount} {more} per {} than {control}", self.words.one)
        } else {
            let higher = if is_more { "higher" } else { "lower" };
            format!("{name} has a {amount} {higher} {} than {control}", lower_first(&metric.title))
        };
        format!("{compared} ({range}).")
    }
}

/// The size of a difference and its range, both seen in the direction of the difference.
fn amount_and_range(style: Style, sequence: &Sequence, is_more: bool) -> (String, String) {
    let turned = |value: f64| if is_more { value } else { -value };
    let ordered = |low: f64, high: f64| if is_more { (low, high) } else { (-high, -low) };
    if let (Some(relative), Some(low), Some(high)) = (sequence.relative, sequence.low, sequence.high) {
        let (low, high) = ordered(low, high);
        return (
            wording::plain_percent(turned(relative)),
            format!("between {} and {}", wording::plain_percent(low), wording::plain_percent(high)),
        );
    }
    let (low, high) = ordered(sequence.absolute_low, sequence.absolute_high);
    let text = |value: f64| if value < 0.0 { style.difference(value) } else { style.gap(value) };
    let low_text = text(low);
    (
        style.gap(sequence.absolute),
        format!("between {} and {}", low_text.trim_end_matches(" points"), text(high)),
    )
}

/// Days as people plan: `1 day`, `6 days`, `3 weeks`.
fn days_text(days: f64) -> String {
    const WEEKS_FROM: f64 = 21.0;
    match days.ceil().max(1.0) {
        1.0 => "1 day".to_owned(),
        whole if whole < WEEKS_FROM => format!("{whole:.0} days"),
        whole => format!("{:.0} weeks", (whole / 7.0).ceil()),
    }
}
