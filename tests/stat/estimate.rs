//! Means over seeded repetitions, with their standard errors.

use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;

/// The mean of a figure over repetitions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Estimate {
    pub(crate) mean: f64,
    pub(crate) standard_error: f64,
}

impl std::fmt::Display for Estimate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.4} ± {:.4}", self.mean, self.standard_error)
    }
}

/// Whether the full suite was asked for.
pub(crate) fn is_full() -> bool {
    std::env::var("PODIUM_STAT").is_ok_and(|value| value == "full")
}

/// `quick` repetitions, or ten times as many where the full suite was asked for.
pub(crate) fn n_repetitions(quick: u64) -> u64 {
    if is_full() { 10 * quick } else { quick }
}

/// The generator of a repetition: a named algorithm, so that figures survive new releases of `rand`. With
/// `PODIUM_STAT_SEED` in the environment, a number up to 2^32, all repetitions have other shoppers.
pub(crate) fn generator(seed: u64) -> Xoshiro256PlusPlus {
    let others = std::env::var("PODIUM_STAT_SEED").map_or(0, |number| number.parse::<u32>().unwrap());
    Xoshiro256PlusPlus::seed_from_u64(seed ^ u64::from(others) << 32)
}

/// Repeats an experiment that yields N figures, and averages each of them.
pub(crate) fn repeat<const N: usize>(
    n_repetitions: u64,
    experiment: impl Fn(u64) -> [f64; N],
) -> [Estimate; N] {
    let (mut sums, mut squares) = ([0.0; N], [0.0; N]);
    for seed in 0..n_repetitions {
        for (figure_idx, figure) in experiment(seed).into_iter().enumerate() {
            sums[figure_idx] += figure;
            squares[figure_idx] += figure * figure;
        }
    }
    let n = n_repetitions as f64;
    std::array::from_fn(|figure_idx| {
        let mean = sums[figure_idx] / n;
        let variance = (squares[figure_idx] / n - mean * mean).max(0.0) * n / (n - 1.0);
        Estimate { mean, standard_error: (variance / n).sqrt() }
    })
}
