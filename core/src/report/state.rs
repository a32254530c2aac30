//! How far the evidence goes.

use super::compare::{Compared, ComparedVariant};
use super::input::Rules;
use super::verdict::Verdict;
use crate::metric::VariantSums;
use serde::{Deserialize, Serialize};
use std::fmt;

/// How far the evidence goes.
///
/// `winner` and `harmful` are verdicts, by intervals that hold however often one looks; `leading` is a belief.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum State {
    /// Too early to say, or nothing stands out.
    Collecting,
    /// One variant is likely to be the best one; no verdict.
    Leading,
    /// One variant is better than every other.
    Winner,
    /// One variant that may still be served is worse than the control, or in breach of a guardrail.
    Harmful,
    /// It ended and nothing stood out, no difference that matters is left, or it ran half as long again as planned.
    Inconclusive,
}

impl State {
    /// The state as text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Collecting => "collecting",
            Self::Leading => "leading",
            Self::Winner => "winner",
            Self::Harmful => "harmful",
            Self::Inconclusive => "inconclusive",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What keeps the variants from being compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lack {
    /// Nobody was exposed.
    Exposures,
    /// No figures: the metric is not loaded, or its sums contradict each other.
    Metric,
    /// Units are there, but their windows have not passed.
    Maturity,
    /// Some active variant has too few units or too few rewards.
    Rewards,
    /// The run is too short.
    Time,
}

/// What the state is, and what it follows from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) state: State,
    /// The variant most likely to be best, if the variants can be compared.
    pub(super) front_idx: Option<usize>,
    pub(super) lack: Option<Lack>,
}

/// Decides the state from the comparison of the primary metric.
///
/// - `harms`: whether a variant that may still be served does harm.
/// - `is_over`: whether nothing worth having is left to be found.
/// - `ended`: whether a person or the schedule ended it.
pub(super) fn standing(
    (compared, verdict): (&Compared, &Verdict),
    run_s: i64,
    rules: &Rules,
    (harms, is_over, ended): (bool, bool, bool),
) -> Standing {
    let lack = lack(compared, run_s, rules);
    let front_idx = compared.front_idx().filter(|_| lack.is_none());
    let leads = front_idx
        .and_then(|front_idx| compared.variants[front_idx].chance_best)
        .is_some_and(|chance| rules.leading_chance <= chance.get());
    let state = if verdict.winner.is_some() {
        State::Winner
    } else if harms {
        State::Harmful
    } else if is_over && lack.is_none() {
        State::Inconclusive
    } else if leads {
        State::Leading
    } else if ended {
        State::Inconclusive
    } else {
        State::Collecting
    };
    Standing { state, front_idx, lack }
}

/// Whether some variant that competes has too few matured units or rewards.
pub(super) fn has_too_few(compared: &Compared, rules: &Rules) -> bool {
    compared
        .variants
        .iter()
        .filter(|variant| variant.competes)
        .any(|variant| !rules.are_met_by(&variant.matured))
}

fn lack(compared: &Compared, run_s: i64, rules: &Rules) -> Option<Lack> {
    let competing: Vec<_> = compared.variants.iter().filter(|variant| variant.competes).collect();
    let all_reach = |sums_of: fn(&ComparedVariant) -> &VariantSums| {
        competing.iter().all(|variant| rules.are_met_by(sums_of(variant)))
    };
    if !compared.usable {
        Some(Lack::Metric)
    } else if compared.variants.iter().all(|variant| variant.observed.n == 0) {
        Some(Lack::Exposures)
    } else if all_reach(|variant| &variant.matured) {
        (run_s < rules.run_s_min).then_some(Lack::Time)
    } else if all_reach(|variant| &variant.observed) {
        Some(Lack::Maturity)
    } else {
        Some(Lack::Rewards)
    }
}
