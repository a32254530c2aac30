//! How far the evidence goes.

use super::compare::{Compared, ComparedVariant};
use super::input::Rules;
use crate::experiment::Status;
use crate::metric::VariantSums;
use serde::{Deserialize, Serialize};
use std::fmt;

/// How far the evidence goes.
///
/// A report says `collecting`, `leading` or `inconclusive`. `winner` and `harmful` are verdicts, which need an
/// interval that holds however often one looks.
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
    /// One variant is worse than the control.
    Harmful,
    /// It ended, and nothing stood out.
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
pub(super) fn standing(compared: &Compared, run_s: i64, status: Status, rules: &Rules) -> Standing {
    let lack = lack(compared, run_s, rules);
    let ended = matches!(status, Status::Concluded | Status::Archived);
    let open = if ended { State::Inconclusive } else { State::Collecting };
    let front_idx = compared.front_idx().filter(|_| lack.is_none());
    let leads = front_idx
        .and_then(|front_idx| compared.variants[front_idx].chance_best)
        .is_some_and(|chance| rules.leading_chance <= chance.get());
    Standing { state: if leads { State::Leading } else { open }, front_idx, lack }
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
