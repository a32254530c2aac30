//! What the data says of the variants, with an error that is stated: intervals that hold however often one looks,
//! figures that hold when weights move, and what can be learned about the data itself.
//!
//! Everything here is computed from sums per variant and **stratum**: the units assigned under one weights version
//! (for a fixed split: first exposed on one day), within which weights were constant. So the cost of a report does
//! not depend on the number of events.
//!
//! In reading order: [`moments`] (sums become means and squares around them), [`strata`] (what is compared); what is
//! done to the data first: [`cap`] (a few huge orders), [`history`] (what units did before); what decides:
//! [`boundary`] (what a sum stays within), [`sequence`] (how two variants differ, at all looks), [`evidence`] (what may
//! be announced); what each variant's figure is: [`estimate`] (a value and its error), [`aipw`] (valid when weights
//! move), [`period`] (the same mix of periods for all), [`fixed_horizon`] (for those who look once), [`factorial`]
//! (what factors do); about the data itself: [`sample_ratio`]; and ahead: [`power`] (how many units it takes).

pub mod aipw;
pub mod boundary;
pub mod cap;
pub mod estimate;
pub mod evidence;
pub mod factorial;
pub mod fixed_horizon;
pub mod history;
pub mod moments;
pub mod period;
pub mod power;
pub mod sample_ratio;
pub mod sequence;
pub mod strata;
