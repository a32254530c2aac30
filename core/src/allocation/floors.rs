//! The least weight of each variant.

use crate::probability::Probability;

use super::weights::{FloorTooHigh, Weights};

/// The default floor is this, or [`DEFAULT_RESERVE`] of the even share where that is less.
const DEFAULT_FLOOR: f64 = 0.05;
/// The part of all assignments that default floors may take.
const DEFAULT_RESERVE: f64 = 0.5;
/// The control's floor, where no floor is configured.
const DEFAULT_CONTROL_FLOOR: f64 = 0.10;

/// The least weight of each variant, as configured.
///
/// - Nothing configured: `min(0.05, 0.5/K)` for each of K variants, and at least 0.10 for the control. These are
///   part of the guarantee of the verdict: with less the corrected figures of starved variants are not covered.
/// - `all` configured: that for every variant, the control included.
/// - `control` configured: that for the control, whatever holds for the others.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Floors {
    /// The floor of every variant.
    pub all: Option<Probability>,
    /// The floor of the control.
    pub control: Option<Probability>,
}

impl Floors {
    /// The floor of each of `n_variants`, in variant order.
    ///
    /// # Errors
    ///
    /// [`FloorTooHigh`] if they sum to more than 1.
    pub fn resolve(
        &self,
        n_variants: usize,
        control_idx: Option<usize>,
    ) -> Result<Vec<Probability>, FloorTooHigh> {
        let default = Probability::rounded(DEFAULT_FLOOR.min(DEFAULT_RESERVE / n_variants as f64));
        let mut floors = vec![self.all.unwrap_or(default); n_variants];
        if let Some(floor) = control_idx.and_then(|control_idx| floors.get_mut(control_idx)) {
            *floor = match (self.control, self.all) {
                (Some(control), _) => control,
                (None, Some(all)) => all,
                (None, None) => Probability::rounded(DEFAULT_CONTROL_FLOOR.max(default.get())),
            };
        }
        // A single variant gets everything, whatever its floor.
        let sum: f64 = floors.iter().map(|floor| floor.get()).sum();
        if 1.0 + 1e-12 < sum { Err(FloorTooHigh { n_variants, sum }) } else { Ok(floors) }
    }
}

/// Even weights, but for a variant whose floor is above the even share: it gets its floor, the others the rest.
pub(super) fn even_above(floors: &[Probability], even: Weights) -> Result<Weights, FloorTooHigh> {
    let share = 1.0 / floors.len() as f64;
    if floors.iter().all(|floor| floor.get() <= share) { Ok(even) } else { even.with_floors(floors) }
}

/// Takes weight from `favored_idx` until the leader has no less, as far as the floor of the former allows.
///
/// A higher floor for the control alone can lift it above the leader; nobody should see more of a variant than
/// of the one most likely to be best.
pub(super) fn level(weights: Weights, leader_idx: usize, favored_idx: usize, floor: Probability) -> Weights {
    let (leader, favored) = (weights.get(leader_idx), weights.get(favored_idx));
    if favored <= leader {
        return weights;
    }
    let level = f64::midpoint(leader, favored).max(floor.get());
    let mut leveled: Vec<f64> = weights.into();
    leveled[favored_idx] = level;
    leveled[leader_idx] = leader + (favored - level);
    Weights::trusted(leveled)
}
