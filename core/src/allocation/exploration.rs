//! Who is still explored, and what the others may be allocated.

use crate::metric::VariantSums;
use crate::probability::Probability;

use super::config::ExplorationMinimum;
use super::next::ArmState;
use super::weights::{FloorTooHigh, Weights};

/// Which variants the allocator may choose between.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Exploration {
    /// None yet: one of the first variants has not reached its minimum.
    Everyone,
    /// These, in ascending order and never empty; the others came later and are still explored.
    Newcomers { established: Vec<usize> },
}

impl Exploration {
    /// Sorts the variants by what they have.
    ///
    /// The variants that could be assigned under the most weights versions are the first ones: as long as one
    /// of them lacks its minimum, weights are even. A variant that came later holds up nobody.
    ///
    /// - `totals`: the sums over all units of each variant, however long ago: what is forgotten was explored.
    pub(super) fn of(arms: &[ArmState], totals: &[VariantSums], minimum: ExplorationMinimum) -> Self {
        let strata_max = arms.iter().map(|arm| arm.strata).max().unwrap_or(0);
        let reached = |(arm, total): &(&ArmState, &VariantSums)| {
            i64::from(minimum.units) <= total.n
                && i64::from(minimum.nonzero) <= total.n_nonzero
                && minimum.strata <= arm.strata
        };
        if arms.iter().zip(totals).all(|arm| arm.0.strata < strata_max || reached(&arm)) {
            let established = arms.iter().zip(totals).enumerate().filter(|(_, arm)| reached(arm));
            Self::Newcomers { established: established.map(|(arm_idx, _)| arm_idx).collect() }
        } else {
            Self::Everyone
        }
    }
}

/// Gives each newcomer the even share, and the established variants the rest by their weights, above the floors.
///
/// - `established`: variant index of each of `inner`'s weights, ascending.
/// - `floors`: of all variants.
///
/// With only established variants this is [`Weights::with_floors`]. Where the floors of the established need
/// more than newcomers leave (only with a high floor for the control), newcomers get less than the even share.
pub(super) fn place(
    inner: &Weights,
    established: &[usize],
    floors: &[Probability],
) -> Result<Weights, FloorTooHigh> {
    let n_variants = floors.len();
    let even = 1.0 / n_variants as f64;
    let mut base = vec![even; n_variants];
    let left = established.len() as f64 * even;
    for (weight, &variant_idx) in inner.as_slice().iter().zip(established) {
        base[variant_idx] = left * weight;
    }
    let is_newcomer = |variant_idx: &usize| established.binary_search(variant_idx).is_err();
    let reserved: f64 = established.iter().map(|&variant_idx| floors[variant_idx].get()).sum();
    let newcomers_fit =
        (0..n_variants).filter(is_newcomer).all(|variant_idx| floors[variant_idx].get() <= even);
    if established.len() == n_variants || left < reserved || !newcomers_fit {
        return Weights::trusted(base).with_floors(floors);
    }
    for (weight, &variant_idx) in inner.as_slice().iter().zip(established) {
        base[variant_idx] = floors[variant_idx].get() + (left - reserved) * weight;
    }
    Ok(Weights::trusted(base))
}
