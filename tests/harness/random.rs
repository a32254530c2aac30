//! Randomness that a seed reproduces on every machine.

/// Draws the same numbers from the same seed, for ever.
///
/// # Source
///
/// Steele, Lea & Flood (2014), *Fast splittable pseudorandom number generators*, OOPSLA, 453–472: `SplitMix64`.
/// <https://doi.org/10.1145/2660193.2660195>
#[derive(Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Draws from `low..=high`; the bias of the remainder is below 2^-40 for the spans used here.
    pub(crate) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.next() % (high - low + 1)
    }

    /// Draws a position in a list of `length`.
    pub(crate) fn below(&mut self, length: usize) -> usize {
        self.between(0, length as u64 - 1) as usize
    }

    /// Draws a number, `0 <= u < 1`.
    pub(crate) fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / 9_007_199_254_740_992.0
    }

    /// Says yes with probability `p`.
    pub(crate) fn chance(&mut self, p: f64) -> bool {
        self.share() < p
    }

    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}
