//! What sort of number a metric yields.

use serde::{Deserialize, Serialize};

/// How the value of a unit is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum MetricKind {
    /// 0 or 1 over 1: the share of units that did something.
    Proportion,
    /// Any whole number over 1: an amount per unit.
    Mean,
    /// A whole number over a whole number ≥ 0; 0 over 0 means that the unit is not in the population.
    Ratio,
}

/// Which way is better.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// More is better.
    #[default]
    Increase,
    /// Less is better.
    Decrease,
}

/// What a metric counts in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ValueUnit {
    /// A plain number.
    #[default]
    Plain,
    /// Minor units of the experiment's currency (cents for USD, yen for JPY).
    CurrencyMinor,
    /// Things counted.
    Count,
    /// A share between 0 and 1.
    Proportion,
    /// Milliseconds.
    Milliseconds,
}

/// The family of posterior that a metric's author recommends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PosteriorHint {
    /// Normal, by the central limit theorem (ratios: by the delta method).
    #[default]
    Normal,
    /// Beta, for values that are 0 or 1.
    Beta,
    /// Hurdle for amounts ≥ 0 with many zeros.
    LognormalHurdle,
    /// Gamma–Poisson, for counts.
    GammaPoisson,
}
