//! Unit → variant, without memory: weighted rendezvous hashing over xxh3, pinned by golden vectors.
//!
//! For variant i with weight wᵢ the unit draws Uᵢ ∈ (0, 1) from a hash that only this unit, experiment and
//! variant have, and gets the variant with the smallest `−ln(Uᵢ)/wᵢ`. Those are exponential draws with rates
//! wᵢ, so `P(i) = wᵢ/Σw` exactly. When weights move only the units that must move do; adding or dropping a
//! variant disturbs nobody else.
//!
//! # Source
//!
//! Thaler & Ravishankar (1998), *Using name-based mappings to increase hit rates*, IEEE/ACM Trans. Netw.
//! 6(1), 1–14, <https://doi.org/10.1109/90.663936>; the weighted form by exponential draws: Schindelhauer &
//! Schomaker (2005), *Weighted distributed hash tables*, SPAA, <https://doi.org/10.1145/1073970.1074008>.

use crate::allocation::SliceShare;
use twox_hash::XxHash3_64;

/// Where a family of draws begins: the same seed and unit give the same draw on every machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seed(u64);

impl Seed {
    /// The seed of a variant's draws: `XxHash3_64::oneshot("<salt>/<variant key>")`.
    pub fn of_variant(salt: &str, variant: &str) -> Self {
        Self(XxHash3_64::oneshot(format!("{salt}/{variant}").as_bytes()))
    }

    /// The seed that decides whether a unit is in the experiment's traffic: `XxHash3_64::oneshot("<salt>#traffic")`.
    pub fn of_traffic(salt: &str) -> Self {
        Self(XxHash3_64::oneshot(format!("{salt}#traffic").as_bytes()))
    }

    /// The seed that decides whether a unit is in the uniform slice: `XxHash3_64::oneshot("<salt>#slice")`.
    pub fn of_slice(salt: &str) -> Self {
        Self(XxHash3_64::oneshot(format!("{salt}#slice").as_bytes()))
    }

    /// The seed that places a unit in an exclusion group: `XxHash3_64::oneshot("<group>#group")`.
    pub fn of_group(group: &str) -> Self {
        Self(XxHash3_64::oneshot(format!("{group}#group").as_bytes()))
    }

    /// The unit's draw: uniform on (0, 1), never 0 and never 1.
    ///
    /// The upper 53 bits of `XxHash3_64::oneshot(unit, seed)`, plus a half, times 2⁻⁵³.
    pub fn draw(self, unit: &str) -> f64 {
        const TWO_POW_MINUS_53: f64 = 1.0 / 9_007_199_254_740_992.0;
        let hash = XxHash3_64::oneshot_with_seed(self.0, unit.as_bytes());
        ((hash >> 11) as f64 + 0.5) * TWO_POW_MINUS_53
    }
}

/// The units that are assigned evenly whatever the weights: those whose draw lies below a share.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct UniformSlice {
    seed: Seed,
    share: SliceShare,
}

impl UniformSlice {
    /// The slice of the experiment whose hashes begin with `salt`.
    pub fn new(salt: &str, share: SliceShare) -> Self {
        Self { seed: Seed::of_slice(salt), share }
    }

    /// Whether the unit is in it; so it is as long as the experiment lives.
    pub fn contains(&self, unit: &str) -> bool {
        self.seed.draw(unit) < self.share.get()
    }
}

/// One variant as bucketing sees it.
#[derive(Clone, Copy, Debug)]
pub struct Arm {
    /// Where its draws begin.
    pub seed: Seed,
    /// Its weight, finite and `>= 0`; 0 is never chosen.
    pub weight: f64,
}

/// Chooses an arm for `unit`: arm i with probability `wᵢ/Σw`; `None` if no arm has a positive weight.
pub fn choose(unit: &str, arms: &[Arm]) -> Option<usize> {
    let mut best: Option<(usize, f64)> = None;
    for (arm_idx, arm) in arms.iter().enumerate().filter(|(_, arm)| arm.weight > 0.0) {
        let score = -arm.seed.draw(unit).ln() / arm.weight;
        if best.is_none_or(|(_, least)| score < least) {
            best = Some((arm_idx, score));
        }
    }
    best.map(|(arm_idx, _)| arm_idx)
}
