//! What a report infers, beyond counts and beliefs.

use crate::id::VariantKey;
use serde::{Deserialize, Serialize};

/// How far a run is, and how long it still takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Outlook {
    /// Units the run is planned for, all variants together.
    pub planned_units: u64,
    /// Units a day, over the seven whole days before the last unit came; over the run where it is shorter.
    pub units_per_day: Option<f64>,
    /// Days until the variant in front wins if it stays as far in front, the shortest run included; none where there is
    /// a winner, where the run does not go on or no unit has come for two days, before there is enough to compare, and
    /// where no end is in sight.
    pub days_left: Option<f64>,
}

/// What serving one variant to everyone should bring a month of 30.44 days, beyond what the control brings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Monthly {
    /// The variant.
    pub variant: VariantKey,
    /// The metric that counts the money.
    pub metric: String,
    /// Units a month, by the traffic of the run, if all were served.
    pub units: f64,
    /// The amount, in minor units. Positive is good: where less is better, it is what is saved.
    pub value: f64,
    /// The lower end, by the interval that holds at all looks.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// Whether variants got the units that their weights say.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SampleRatio {
    /// The natural log of the evidence against the weights; by how much it is more likely that something is wrong. It
    /// may be looked at as often as one likes.
    pub log_evidence: f64,
    /// Whether that is more than 1,000 to 1.
    pub flagged: bool,
}

/// How a variant differs from the control, at an error that holds at all looks.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sequence {
    /// The difference, in the metric's unit, stratum by stratum.
    pub absolute: f64,
    /// Its lower end.
    pub absolute_low: f64,
    /// Its upper end.
    pub absolute_high: f64,
    /// The difference as a part of the control's figure; none unless that is positive.
    pub relative: Option<f64>,
    /// Its lower end.
    pub low: Option<f64>,
    /// Its upper end.
    pub high: Option<f64>,
    /// The share of runs in which the interval holds the truth at all looks, this variant's alone.
    pub level: f64,
    /// Whether the difference may be announced: by the interval for the primary metric and for guardrails; for secondary
    /// metrics such that of all of them that are announced, at most 5 % do not hold.
    pub holds: bool,
}

/// A figure that does not depend on when a variant got how many units: each unit counts by the exact probability of
/// its assignment.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Corrected {
    /// The mean, in the metric's unit.
    pub value: f64,
    /// The lower end of its interval.
    pub low: f64,
    /// The upper end.
    pub high: f64,
    /// The share of repetitions whose interval holds the truth, for one look planned beforehand.
    pub level: f64,
    /// Matured units that are left out, because the probability of their assignment is not known.
    pub left_out_units: u64,
}

/// Where values are cut off.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cap {
    /// The quantile of the values that are not zero.
    pub quantile: f64,
    /// The value at it, in the metric's unit; larger ones count as this.
    pub value: i64,
    /// Matured units whose value is larger.
    pub units: u64,
}

/// What the units' own past takes off the noise.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct History {
    /// How far back it goes, in seconds.
    pub span_s: i64,
    /// Matured units that have one.
    pub units: u64,
    /// The part of the variance that it explains, 0 to 1.
    pub variance_removed: f64,
}

/// What the levels of factors do, in the metric's unit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Factors {
    /// The effects: of each level, then of each pair of levels of two factors.
    pub effects: Vec<Effect>,
    /// Effects that the variants cannot tell apart from others.
    pub aliased: Vec<String>,
}

/// How far a level, or a pair of levels, is from the mean of all.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Effect {
    /// The factors and their levels, `headline=short`; two for a two-way effect.
    pub levels: Vec<String>,
    /// The effect.
    pub value: f64,
    /// The lower end of its interval, for one look planned beforehand.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}
