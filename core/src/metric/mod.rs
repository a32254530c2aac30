//! How events become one number per unit, and the exact sums that statistics are computed from.

pub mod extract;
pub mod fields;
pub mod json;
mod kind;
mod sums;

pub use kind::{Direction, MetricKind, PosteriorHint, ValueUnit};
pub use sums::{UnitValue, ValueOutOfRange, VariantSums};
