//! What the data decides.

use crate::id::VariantKey;
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
    /// Guardrails that are breached, each by one variant.
    pub breaches: Vec<Breach>,
    /// What keeps a verdict from being spoken; with any of these all else is empty, but for breaches.
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
    /// Some variant has too few matured units or rewards, or there are too few strata.
    TooFew,
    /// The run is shorter than it must be.
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
