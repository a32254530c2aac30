//! What plugins say of themselves, checked and copied.

use podium_plugin_abi::codes;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// A loaded plugin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginInfo {
    /// The name it gives itself.
    pub id: String,
    /// Its version.
    pub version: String,
    /// What it was built with, for people.
    pub build: String,
    /// The minor version of the contract it was built with.
    pub abi_minor: u16,
    /// Where it was loaded from.
    pub file: PathBuf,
    /// Whether a `plugins.lock` says that this file, and no other, is to be loaded.
    pub locked: bool,
    /// Whether that says that the server is not ready without it.
    pub required: bool,
}

/// A component of a loaded plugin that this server has no use for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// The plugin.
    pub plugin_id: String,
    /// The component.
    pub component_id: String,
    /// The number of its kind.
    pub kind: u32,
}

/// How the value of a unit is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum MetricKind {
    /// 0 or 1, over 1.
    Proportion,
    /// Any whole number, over 1.
    Mean,
    /// A whole number over a whole number ≥ 0; 0 over 0 is not in the population.
    Ratio,
}

impl MetricKind {
    pub(crate) fn from_code(code: u32) -> Option<Self> {
        Some(match code {
            codes::METRIC_PROPORTION => Self::Proportion,
            codes::METRIC_MEAN => Self::Mean,
            codes::METRIC_RATIO => Self::Ratio,
            _ => return None,
        })
    }
}

/// What the numerator counts in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Unit {
    /// A plain number.
    Plain,
    /// Minor units of a currency.
    CurrencyMinor,
    /// Things counted.
    Count,
    /// A share between 0 and 1.
    Proportion,
    /// Milliseconds.
    Milliseconds,
}

impl Unit {
    pub(crate) fn from_code(code: u32) -> Self {
        match code {
            codes::UNIT_CURRENCY_MINOR => Self::CurrencyMinor,
            codes::UNIT_COUNT => Self::Count,
            codes::UNIT_PROPORTION => Self::Proportion,
            codes::UNIT_MILLISECONDS => Self::Milliseconds,
            _ => Self::Plain,
        }
    }
}

/// Which way is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Direction {
    /// More is better.
    Increase,
    /// Less is better.
    Decrease,
}

impl Direction {
    pub(crate) fn from_code(code: u32) -> Self {
        if code == codes::DIRECTION_DECREASE { Self::Decrease } else { Self::Increase }
    }
}

/// The family of distributions that fits the values, by the author's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Posterior {
    /// Normal; for ratios by the delta method.
    Normal,
    /// Beta, for values that are 0 or 1.
    Beta,
    /// A hurdle at zero and a lognormal above.
    LognormalHurdle,
    /// Gamma–Poisson, for counts.
    GammaPoisson,
}

impl Posterior {
    pub(crate) fn from_code(code: u32) -> Self {
        match code {
            codes::POSTERIOR_BETA => Self::Beta,
            codes::POSTERIOR_LOGNORMAL_HURDLE => Self::LognormalHurdle,
            codes::POSTERIOR_GAMMA_POISSON => Self::GammaPoisson,
            _ => Self::Normal,
        }
    }
}

/// A metric of a loaded plugin.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MetricInfo {
    /// The id that experiments name; unique among loaded metrics.
    pub id: String,
    /// A few words for people.
    pub title: String,
    /// A sentence or two for people; may be empty.
    pub description: String,
    /// The plugin it belongs to.
    pub plugin_id: String,
    /// The version of the plugin.
    pub plugin_version: String,
    /// The file of the plugin.
    pub file: PathBuf,
    /// The JSON Schema of its configuration.
    pub config_schema: String,
    /// How its values are to be read.
    pub kind: MetricKind,
    /// What its numerator counts in.
    pub unit: Unit,
    /// Which way is better, unless an experiment says otherwise.
    pub direction: Direction,
    /// Which posterior fits, by the author's word.
    pub posterior: Posterior,
    /// How long after exposure a unit's events count, in seconds, unless an experiment says otherwise.
    pub window_s: i64,
    /// At which quantile unit sums are capped, above 0.5 and at most 1; `None`: not capped.
    pub cap_quantile: Option<f64>,
    /// Metrics that are shown beside it where it decides, because it does not say by itself who is better.
    pub beside: Vec<String>,
    /// Goes up when the same event gives other numbers.
    pub revision: u32,
    /// Accumulators per unit, 1 to 8.
    pub k: usize,
}
