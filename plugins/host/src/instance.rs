//! A configured metric, wherever it runs.

use crate::batch::Batch;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// A configured metric, in this process or in another. Many threads may call it at a time.
///
/// Every answer was checked: contributions are whole and at most 2^53 in magnitude; values are whole, have a
/// denominator ≥ 0, 0 over 0 where it is 0, and fit the metric's kind.
pub trait MetricInstance: Send + Sync {
    /// Tells how many accumulators there are, 1 to 8.
    fn k(&self) -> usize;

    /// Tells what the metric reads, as JSON: `{"columns": […], "events": […]}`.
    fn fields_json(&self) -> &str;

    /// Turns each event by itself into k contributions: n·k whole numbers, row by row.
    ///
    /// # Errors
    ///
    /// [`MetricFault`]: none of the batch may be counted. The instance is ready for the next call.
    fn observe(&self, batch: &Batch) -> Result<Vec<i64>, MetricFault>;

    /// Turns the sums of n units (n·k, unit by unit) into numerators and denominators.
    ///
    /// # Errors
    ///
    /// [`MetricFault`]; [`MetricFault::BadSums`] if the sums are not n·k numbers of at most 2^53.
    fn value(&self, sums: &[i64]) -> Result<Vec<(f64, f64)>, MetricFault>;
}

/// What a metric did wrong.
#[derive(Clone, Debug, PartialEq, thiserror::Error, Serialize, Deserialize)]
#[non_exhaustive]
pub enum MetricFault {
    /// It panicked; a new instance is in its place.
    #[error("it panicked: {text}")]
    Panicked {
        /// The panic's text.
        text: String,
    },
    /// It answered with an error.
    #[error("it answered with code {code}: {text}")]
    Refused {
        /// The code of the contract.
        code: i32,
        /// Its text.
        text: String,
    },
    /// A contribution is NaN, infinite, a fraction or too large.
    #[error("row {row}: contribution {accumulator} is {found}, but must be a whole number of at most 2^53")]
    BadContribution {
        /// The row of the batch.
        row: usize,
        /// Which of the k accumulators.
        accumulator: usize,
        /// What it answered.
        #[serde(with = "bits")]
        found: f64,
    },
    /// A row was left without an answer.
    #[error("row {row}: it wrote no answer")]
    NotWritten {
        /// The row of the batch, or of the sums.
        row: usize,
    },
    /// A value breaks a rule.
    #[error("row {row}: value {numerator} over {denominator}, but {rule}")]
    BadValue {
        /// The row of the sums.
        row: usize,
        /// The numerator as answered.
        #[serde(with = "bits")]
        numerator: f64,
        /// The denominator as answered.
        #[serde(with = "bits")]
        denominator: f64,
        /// The rule.
        rule: Cow<'static, str>,
    },
    /// It wrote outside of the buffer it was given.
    #[error("it wrote outside of its buffer; the process may be damaged")]
    OutOfBounds,
    /// The same batch gave other numbers the second time.
    #[error("row {row}: the same event gave other numbers the second time")]
    Impure {
        /// The first row that differs.
        row: usize,
    },
    /// The caller's sums are not what this metric adds up.
    #[error("sum {idx} is {found}, but units have {k} sums each, of at most 2^53 in magnitude")]
    BadSums {
        /// The index of the first wrong sum, or their number if that is wrong.
        idx: usize,
        /// The wrong sum, or 0.
        found: i64,
        /// Sums per unit.
        k: usize,
    },
    /// Its process crashed, or was ended because it did not answer, however often the call was made.
    #[error("{text}")]
    Crashed {
        /// What it died of.
        text: String,
    },
    /// Its plugin crashed too often, or does not start, and cannot be called for now.
    #[error("{text}")]
    Away {
        /// Why.
        text: String,
    },
    /// The call is larger than a call may be.
    #[error("the call is too large: {text}")]
    TooLarge {
        /// How large.
        text: String,
    },
    /// After a panic, no new instance could be made; the next call tries again.
    #[error("after a panic, no new instance could be made: {text}")]
    Lost {
        /// Why not.
        text: String,
    },
}

impl MetricFault {
    /// Tells which row of the call it is about, if it is about one.
    pub fn row(&self) -> Option<usize> {
        match *self {
            Self::BadContribution { row, .. }
            | Self::NotWritten { row }
            | Self::BadValue { row, .. }
            | Self::Impure { row } => Some(row),
            Self::Panicked { .. }
            | Self::Refused { .. }
            | Self::OutOfBounds
            | Self::BadSums { .. }
            | Self::Crashed { .. }
            | Self::Away { .. }
            | Self::TooLarge { .. }
            | Self::Lost { .. } => None,
        }
    }

    /// Names the kind of fault, for counters. Never changes.
    pub fn slug(&self) -> &'static str {
        match self {
            Self::Panicked { .. } => "panicked",
            Self::Refused { .. } => "refused",
            Self::BadContribution { .. } => "bad-contribution",
            Self::NotWritten { .. } => "not-written",
            Self::BadValue { .. } => "bad-value",
            Self::OutOfBounds => "out-of-bounds",
            Self::Impure { .. } => "impure",
            Self::BadSums { .. } => "bad-sums",
            Self::Crashed { .. } => "crashed",
            Self::Away { .. } => "away",
            Self::TooLarge { .. } => "too-large",
            Self::Lost { .. } => "lost",
        }
    }
}

/// Why no instance could be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[non_exhaustive]
pub enum CreateError {
    /// No loaded plugin has this metric.
    #[error("there is no metric {metric_id:?}; the loaded ones are {loaded}")]
    UnknownMetric {
        /// What was asked for.
        metric_id: String,
        /// The ids there are, separated by commas.
        loaded: String,
    },
    /// The metric does not accept the configuration; the text is for whoever wrote it.
    #[error("{text}")]
    Config {
        /// The plugin's text.
        text: String,
    },
    /// The metric panicked.
    #[error("the metric panicked: {text}")]
    Panicked {
        /// The panic's text.
        text: String,
    },
    /// The metric failed in another way.
    #[error("the metric answered with code {code}: {text}")]
    Failed {
        /// The code of the contract.
        code: i32,
        /// Its text.
        text: String,
    },
    /// What the metric wants to read is not in the form of the contract.
    #[error("what the metric wants to read makes no sense: {text}")]
    BadFields {
        /// What is wrong.
        text: String,
    },
    /// Its process crashed, or is not there.
    #[error("the metric cannot be reached: {text}")]
    Lost {
        /// Why not.
        text: String,
    },
}

/// Doubles as their bits: JSON has no NaN.
mod bits {
    use serde::{Deserialize, Deserializer, Serializer};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
    pub(super) fn serialize<S: Serializer>(number: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(number.to_bits())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        u64::deserialize(deserializer).map(f64::from_bits)
    }
}
