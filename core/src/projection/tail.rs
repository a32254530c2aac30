//! The largest values of units. A sum does not say what one unit brought into it; capping has to know.

use super::unit::Stratum;
use crate::id::ExperimentId;
use crate::time::Timestamp;
use std::sync::Arc;

/// Names one row of the tail, ordered by numerator within a metric.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TailKey {
    /// The experiment.
    pub experiment: ExperimentId,
    /// Position of the metric in it.
    pub metric_idx: u16,
    /// The unit's numerator, not zero.
    pub numerator: i64,
    /// The unit.
    pub unit: Arc<str>,
}

/// Where a unit with a value that is not zero counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TailRow {
    /// The unit's stratum.
    pub stratum: Stratum,
    /// When the bucket of its first exposure begins.
    pub bucket: Timestamp,
    /// Position of its variant.
    pub variant_idx: u16,
    /// Its denominator.
    pub denominator: i64,
    /// What came before its exposure, as in [`UnitMetric::history`](super::UnitMetric::history).
    pub history: Option<i64>,
}
