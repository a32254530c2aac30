//! What is compared: the cells of each stratum.

use super::moments::{Cell, Moments};
use crate::metric::VariantSums;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// The units of one stratum for one metric, by variant in the order of the definition.
///
/// Only matured units are in it: those whose attribution window has passed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MetricStratum {
    /// When its first unit was exposed (to within a bucket).
    pub began_at: Timestamp,
    /// The probability of each variant under the stratum's weights, 0 for one that was not in the test; none where
    /// it is not known, as for assignments that were made elsewhere.
    pub shares: Option<Vec<f64>>,
    /// The sums of each variant.
    pub sums: Vec<VariantSums>,
    /// What the units of each variant did before their first exposure; empty where it is not known.
    pub history: Vec<HistorySums>,
}

/// What the units of a variant that have a history did before and after their first exposure: x is the metric's
/// numerator over a span that ends with the first exposure, y the numerator in the attribution window. Units without
/// a history are not in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct HistorySums {
    /// Units with a history.
    pub n: i64,
    /// Σ x.
    pub x: i128,
    /// Σ y over the same units.
    pub y: i128,
    /// Σ x².
    pub xx: i128,
    /// Σ x·y.
    pub xy: i128,
    /// Σ y² over the same units.
    pub yy: i128,
}

/// A unit with one of the largest values of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TailUnit {
    /// Position of its stratum among those of the metric; none if its window has not passed, so that it is in no sum.
    pub stratum_idx: Option<usize>,
    /// Position of its variant.
    pub variant_idx: usize,
    /// Its numerator, not zero.
    pub numerator: i64,
    /// Its denominator.
    pub denominator: i64,
    /// What it did before its first exposure.
    pub past: Past,
}

/// What a unit did before its first exposure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Past {
    /// It is not known whether the unit is in the history of its stratum.
    #[default]
    Unknown,
    /// The unit has no history.
    Empty,
    /// The unit is in the history of its stratum, with this x.
    Was(i64),
}

/// One stratum, ready to be compared: one value a unit.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stratum {
    /// The probability of each variant, in variant order; none where it is not known.
    pub shares: Option<Vec<f64>>,
    /// The units of each variant, in the same order.
    pub cells: Vec<Cell>,
}

impl MetricStratum {
    /// The numerators, for proportions and means.
    pub fn numerators(&self) -> Stratum {
        self.with_cells(Moments::numerators)
    }

    /// The denominators, for ratios.
    pub fn denominators(&self) -> Stratum {
        self.with_cells(Moments::denominators)
    }

    /// The values y − R d, for ratios: see [`Moments::linearized`].
    ///
    /// - `ratio`: R.
    pub fn linearized(&self, ratio: f64) -> Stratum {
        self.with_cells(|moments| moments.linearized(ratio, 1.0))
    }

    fn with_cells(&self, cell: impl Fn(&Moments) -> Cell) -> Stratum {
        let cells = self.sums.iter().map(|sums| cell(&Moments::of(sums)));
        Stratum { shares: self.shares.clone(), cells: cells.collect() }
    }
}

impl Stratum {
    /// The units of one variant; none for an index that names no variant.
    pub fn cell(&self, variant_idx: usize) -> Cell {
        self.cells.get(variant_idx).copied().unwrap_or_default()
    }

    /// The probability of one variant; none where it is not known or 0.
    pub fn share(&self, variant_idx: usize) -> Option<f64> {
        self.shares.as_ref()?.get(variant_idx).copied().filter(|share| 0.0 < *share)
    }

    /// Units over all variants.
    pub fn n(&self) -> f64 {
        self.cells.iter().map(|cell| cell.n).sum()
    }
}
