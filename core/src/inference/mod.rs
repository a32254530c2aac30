//! What the data says of the variants, with an error that is stated: intervals that hold however often one looks,
//! figures that hold when weights move, and what can be learned about the data itself.
//!
//! Everything here is computed from sums per variant and **stratum**: the units assigned under one weights version
//! (for a fixed split: first exposed on one day), within which weights were constant. So the cost of a report does
//! not depend on the number of events.
//!
//! In reading order: [`moments`] (sums become means and squares around them), [`strata`] (what is compared),
//! [`boundary`] (what a sum stays within), [`sequence`] (how two variants differ, at all looks), [`evidence`] (what
//! may be announced), [`power`] (how many units that takes), [`factorial`] (what factors do).

pub mod boundary;
pub mod evidence;
pub mod factorial;
pub mod moments;
pub mod power;
pub mod sequence;
pub mod strata;
