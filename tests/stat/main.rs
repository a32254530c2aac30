//! Whether the statistics keep what they promise, on shoppers whose truth is known.
//!
//! Every run is seeded, so a figure that is printed is the figure that anyone gets. A quick part runs with the
//! other tests; with `PODIUM_STAT=full` in the environment there are ten times as many repetitions:
//! `PODIUM_STAT=full cargo test --release -p podium-core --test stat -- --nocapture`. `PODIUM_STAT_SEED=7` beside it takes
//! other shoppers, for who suspects that ours were chosen.

#![expect(clippy::unwrap_used, reason = "a simulation that cannot be built should stop")]
#![expect(clippy::print_stdout, reason = "the figures are what one runs this for")]

mod adaptive;
mod bandits;
mod coverage;
mod delivery;
mod drift;
mod earning;
mod estimate;
mod shop;
mod winners;
