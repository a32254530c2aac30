//! Shoppers whose truth is known.
//!
//! A [`Simulation`] runs an experiment step by step, one weights version a step, through the same allocation
//! code as the server. Randomness is an argument, and so is the assignment: a test may draw from the weights
//! ([`draw`]) or plug in the real bucketing. A [`Trial`] is a whole experiment with traffic, delay, drift and verdicts, to
//! be run many times ([`Summary`]).

mod run;
mod shoppers;
mod summary;
mod trial;

pub use run::{Arrival, Simulation, SimulationError, Stratum, draw};
pub use shoppers::{NotShoppers, Shoppers};
pub use summary::{Figure, MedianDay, Summary};
pub use trial::{Outcome, Trial};
