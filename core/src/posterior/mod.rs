//! What is believed about the variants.
//!
//! [`Posteriors`] come from the exact sums of a metric ([`Posteriors::from_sums`]), or from moments where the past
//! counts for less ([`Posteriors::from_moments`]): beta for proportions,
//! Student-t for means, normal for ratios, one file each. [`Posteriors::compare`] turns them into the chance to
//! be best, the expected loss and the chance to beat the control, by integration and not by drawing.

mod beta;
mod comparison;
mod curve;
mod family;
mod gamma;
mod inverse;
mod normal;
mod pooled;
mod quadrature;
mod student_t;
mod value_remaining;

pub use beta::Beta;
pub use comparison::Comparison;
pub use family::{NotAPosterior, Posterior};
pub use normal::Normal;
pub use pooled::{NoPosteriors, Posteriors, VARIANTS_MAX};
pub use student_t::StudentT;

pub(crate) use gamma::stirling_remainder;
pub(crate) use normal::standard_quantile;
pub(crate) use pooled::{check, unit_sd};
