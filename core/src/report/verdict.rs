//! What the data decides.

use super::compare::Compared;
use super::decided::Decided;
use super::inferred::SampleRatio;
use super::input::{ReportInput, Role};
use super::{health, state};
use crate::id::VariantKey;
use crate::inference::evidence::Pair;
use serde::{Deserialize, Serialize};

/// What the data decides, at an error that holds however often one looks: with all variants equal, at most 5 % of
/// experiments ever have a winner, or a variant that is better or worse than the control.
///
/// A verdict is a function of the data at hand. It is taken back when the evidence turns.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// The variant that is better than every other one that may still be served.
    pub winner: Option<VariantKey>,
    /// Variants that are better than the control.
    pub better: Vec<VariantKey>,
    /// Variants that are worse than the control.
    pub harmful: Vec<VariantKey>,
    /// Guardrails that are breached, each by one variant: of experiments whose variants are equal, at most 5 % for each
    /// guardrail that there is, and fewer where it has a margin.
    pub breaches: Vec<Breach>,
    /// What keeps a verdict from being spoken; with any of these all else is empty, but for breaches, which only
    /// [`Withheld::SampleRatio`] keeps back.
    pub withheld: Vec<Withheld>,
}

/// A guardrail whose metric is worse under a variant than under the control, by more than its margin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Breach {
    /// The variant.
    pub variant: VariantKey,
    /// The guardrail's metric.
    pub metric: String,
}

/// Why no verdict is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Withheld {
    /// The primary metric has no figures: it is not loaded, or its sums contradict each other.
    Metric,
    /// Some variant that may still be served, or the control, has too few matured units or rewards, or they share too
    /// few strata.
    TooFew,
    /// The run is shorter than it must be, from the first exposure to the latest event of those exposed.
    ShortRun,
    /// Variants did not get the units that their weights say.
    SampleRatio,
    /// Too many units were seen in two variants.
    Quarantine,
}

impl Withheld {
    /// The reason as text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Metric => "metric",
            Self::TooFew => "too_few",
            Self::ShortRun => "short_run",
            Self::SampleRatio => "sample_ratio",
            Self::Quarantine => "quarantine",
        }
    }
}

impl Verdict {
    /// Puts together what the metrics decide.
    pub(super) fn of(
        input: &ReportInput<'_>,
        metrics: &[(Compared, Decided)],
        run_s: i64,
        sample_ratio: Option<SampleRatio>,
    ) -> Self {
        let variants = &input.experiment.definition.variants;
        let key = |variant_idx: &usize| variants.get(*variant_idx).map(|variant| variant.key.clone());
        let keys = |idxs: &[usize]| idxs.iter().filter_map(key).collect();
        let mut verdict = Self::default();
        let is_imbalanced = sample_ratio.is_some_and(|sample_ratio| sample_ratio.flagged);
        let guardrails =
            input.metrics.iter().zip(metrics).filter(|(metric, _)| metric.role == Role::Guardrail);
        for (metric, (_, decided)) in guardrails.filter(|_| !is_imbalanced) {
            let breaching = decided.breaching.iter().filter_map(key);
            let metric = &metric.choice.metric;
            verdict.breaches.extend(breaching.map(|variant| Breach { variant, metric: metric.clone() }));
        }
        let Some((compared, primary)) = metrics.first() else {
            verdict.withheld.push(Withheld::Metric);
            return verdict;
        };
        let too_few = !primary.is_ready || state::has_too_few(compared, &input.rules);
        let reasons = [
            (!compared.usable, Withheld::Metric),
            (compared.usable && too_few, Withheld::TooFew),
            (run_s < input.rules.run_s_min, Withheld::ShortRun),
            (is_imbalanced, Withheld::SampleRatio),
            (health::is_in_quarantine(input), Withheld::Quarantine),
        ];
        verdict.withheld =
            reasons.into_iter().filter_map(|(holds, reason)| holds.then_some(reason)).collect();
        if verdict.withheld.is_empty() {
            verdict.winner = primary.verdicts.winner_idx.as_ref().and_then(key);
            verdict.better = keys(&primary.which(Pair::is_better));
            verdict.harmful = keys(&primary.which(Pair::is_worse));
        }
        verdict
    }

    /// Variants that do harm: worse than the control, or in breach of a guardrail; each once.
    pub fn harming(&self) -> Vec<&VariantKey> {
        let mut harming: Vec<&VariantKey> = Vec::new();
        for key in self.harmful.iter().chain(self.breaches.iter().map(|breach| &breach.variant)) {
            if !harming.contains(&key) {
                harming.push(key);
            }
        }
        harming
    }
}
