//! The fold over the log: events become placements of units and sums of variants.
//!
//! Any order, any duplication and any batching of the same events gives the same state, because everything is
//! a function of the *set* of events: first exposures and counting orders are minima, sums are exact integers,
//! and what changes is taken back before it is added anew.
//!
//! The projector does no I/O. Its caller asks [`Projector::missing_units`] what it has to read, hands it over
//! with [`Projector::load`], applies new events with [`Projector::apply`], writes the [`Changes`], and calls
//! [`Projector::forget`] if writing failed.

mod event;
mod history;
mod metrics;
mod pending;
mod placing;
mod projector;
mod rows;
mod tail;
mod tracked;
mod unit;
mod units;

#[cfg(test)]
mod tests;

pub use event::{DECISION, OrderBook, Sighting, StoredEvent, Trust};
pub use history::history_sums;
pub use projector::{Changes, Projector, TakenOut};
pub use rows::{MetricSpec, ORDER_ID, Row};
pub use tail::{TailKey, TailRow};
pub use tracked::{MetricSlot, StatKey, Tracked, TrackedMetric, bucket_width_us, has_matured};
pub use unit::{Accumulators, Exposure, Placement, Stratum, UnitMetric};

use crate::id::MetricId;
use crate::metric::UnitValue;

/// What plugins compute. The implementation handles faults: a row no metric can read counts as zeros, a value
/// it cannot tell is `None`. A metric that cannot be reached at all gives nothing: its figures stay as they are,
/// and have to be folded anew once it is back.
pub trait MetricEngine {
    /// Turns each row by itself into k numbers, row after row; `None` if the metric cannot be reached.
    fn observe(&mut self, metric: MetricId, rows: &[Row]) -> Option<Vec<i64>>;

    /// Turns the sums of n units, k each, into n values; `None` if the metric cannot be reached.
    fn value(&mut self, metric: MetricId, sums: &[i64], k: usize) -> Option<Vec<Option<UnitValue>>>;
}
