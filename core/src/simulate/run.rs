//! One experiment, one weights version after the other.

use rand::{Rng, RngExt};

use crate::allocation::{
    AllocationError, AllocationInput, AllocatorConfig, ArmState, ArmStratum, Weights, WeightsVersionDraft,
    next_weights,
};
use crate::metric::{Direction, MetricKind, ValueOutOfRange, VariantSums};

use super::Shoppers;

/// An experiment on simulated shoppers, whose rewards mature with the weights version they came under.
#[derive(Clone, Debug)]
pub struct Simulation {
    config: AllocatorConfig,
    kind: MetricKind,
    direction: Direction,
    control_idx: Option<usize>,
    variants: Vec<Variant>,
    strata: Vec<Stratum>,
    n_units: u64,
    units_a_day: f64,
}

#[derive(Clone, Debug)]
struct Variant {
    shoppers: Shoppers,
    sums: VariantSums,
    strata: u32,
    active: bool,
}

/// What happened under one weights version.
#[derive(Clone, Debug, PartialEq)]
pub struct Stratum {
    /// Units that came before.
    pub units_before: u64,
    /// The variants that could be assigned, ascending.
    pub variant_idxs: Vec<usize>,
    /// Their weights, and what was believed of them.
    pub draft: WeightsVersionDraft,
    /// The sums over the units that each of them got, in the same order.
    pub sums: Vec<VariantSums>,
}

/// One unit that is about to be assigned.
#[derive(Clone, Copy, Debug)]
pub struct Arrival<'a> {
    /// Which unit, counted from 0.
    pub unit_idx: u64,
    /// The variants that can be assigned, ascending.
    pub variant_idxs: &'a [usize],
    /// Their weights, in the same order.
    pub weights: &'a Weights,
}

/// Why a simulation stopped.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SimulationError {
    /// There are no next weights.
    #[error(transparent)]
    Allocation(#[from] AllocationError),
    /// A shopper ordered for more than can be counted.
    #[error(transparent)]
    Value(#[from] ValueOutOfRange),
    /// The assignment named no active variant.
    #[error("position {position} names none of {n_variants} active variants")]
    Assignment {
        /// What the assignment answered.
        position: usize,
        /// How many variants were active.
        n_variants: usize,
    },
}

/// Draws a position among the active variants with the probabilities that the weights say.
pub fn draw<R: Rng>(arrival: &Arrival<'_>, rng: &mut R) -> usize {
    let mut left: f64 = rng.random();
    let weights = arrival.weights.as_slice();
    for (position, weight) in weights.iter().enumerate() {
        left -= weight;
        if left < 0.0 {
            return position;
        }
    }
    weights.len() - 1
}

impl Simulation {
    /// Starts an experiment with these shoppers, the first of them seeing the control.
    pub fn new(config: AllocatorConfig, kind: MetricKind, shoppers: Vec<Shoppers>) -> Self {
        let variants = shoppers.into_iter().map(Variant::new).collect();
        Self {
            config,
            kind,
            direction: Direction::Increase,
            control_idx: Some(0),
            variants,
            strata: Vec::new(),
            n_units: 0,
            units_a_day: f64::INFINITY,
        }
    }

    /// Takes another direction; more is better by default.
    #[must_use]
    pub fn with_direction(self, direction: Direction) -> Self {
        Self { direction, ..self }
    }

    /// Takes another variant for the control, or none.
    #[must_use]
    pub fn with_control(self, control_idx: Option<usize>) -> Self {
        Self { control_idx, ..self }
    }

    /// Lets time pass: so many units come each day; by default all of them on one day.
    #[must_use]
    pub fn with_units_a_day(self, units_a_day: u32) -> Self {
        Self { units_a_day: f64::from(units_a_day), ..self }
    }

    /// Has other shoppers see a variant from now on; an index that names none changes nothing.
    pub fn change(&mut self, variant_idx: usize, shoppers: Shoppers) {
        if let Some(variant) = self.variants.get_mut(variant_idx) {
            variant.shoppers = shoppers;
        }
    }

    /// Adds a variant, which can be assigned from the next weights version on; returns its index.
    pub fn add(&mut self, shoppers: Shoppers) -> usize {
        self.variants.push(Variant::new(shoppers));
        self.variants.len() - 1
    }

    /// Removes a variant from the next weights version on; an index that names none removes none.
    pub fn remove(&mut self, variant_idx: usize) {
        if let Some(variant) = self.variants.get_mut(variant_idx) {
            variant.active = false;
        }
    }

    /// Runs one weights version of `n_units`.
    ///
    /// - `assign`: answers the position, among the active variants, of the one that the unit gets.
    ///
    /// # Errors
    ///
    /// [`SimulationError`] if there are no weights, or a unit got no variant or an impossible value.
    pub fn step<R: Rng>(
        &mut self,
        n_units: u32,
        rng: &mut R,
        mut assign: impl FnMut(&Arrival<'_>, &mut R) -> usize,
    ) -> Result<&Stratum, SimulationError> {
        let variant_idxs: Vec<usize> =
            (0..self.variants.len()).filter(|&idx| self.variants[idx].active).collect();
        let draft = self.next_draft(&variant_idxs)?;
        let units_before = self.n_units;
        let mut sums = vec![VariantSums::default(); variant_idxs.len()];
        for _ in 0..n_units {
            let arrival =
                Arrival { unit_idx: self.n_units, variant_idxs: &variant_idxs, weights: &draft.weights };
            let position = assign(&arrival, rng);
            let n_variants = variant_idxs.len();
            let variant_idx =
                *variant_idxs.get(position).ok_or(SimulationError::Assignment { position, n_variants })?;
            sums[position].add(self.variants[variant_idx].shoppers.value(rng)?);
            self.n_units += 1;
        }
        for (&variant_idx, sum) in variant_idxs.iter().zip(&sums) {
            let variant = &mut self.variants[variant_idx];
            variant.sums.merge(sum);
            variant.strata += 1;
        }
        let stratum_idx = self.strata.len();
        self.strata.push(Stratum { units_before, variant_idxs, draft, sums });
        Ok(&self.strata[stratum_idx])
    }

    /// Runs weights versions of `version_units` until `n_units` more were assigned.
    ///
    /// # Errors
    ///
    /// As [`Simulation::step`].
    pub fn run<R: Rng>(
        &mut self,
        n_units: u64,
        version_units: u32,
        rng: &mut R,
        mut assign: impl FnMut(&Arrival<'_>, &mut R) -> usize,
    ) -> Result<(), SimulationError> {
        let end = self.n_units + n_units;
        while self.n_units < end {
            let left = u32::try_from(end - self.n_units).unwrap_or(u32::MAX);
            self.step(left.min(version_units.max(1)), rng, &mut assign)?;
        }
        Ok(())
    }

    /// The next weights and beliefs from what has happened so far, without running them.
    ///
    /// # Errors
    ///
    /// [`AllocationError`] as [`next_weights`].
    pub fn draft(&self) -> Result<WeightsVersionDraft, AllocationError> {
        let active = (0..self.variants.len()).filter(|&idx| self.variants[idx].active);
        self.next_draft(&active.collect::<Vec<_>>())
    }

    fn next_draft(&self, variant_idxs: &[usize]) -> Result<WeightsVersionDraft, AllocationError> {
        let arm = |&variant_idx: &usize| ArmState { strata: self.variants[variant_idx].strata, share: 1.0 };
        let arms: Vec<ArmState> = variant_idxs.iter().map(arm).collect();
        let strata: Vec<ArmStratum> =
            self.strata.iter().map(|stratum| self.known(stratum, variant_idxs)).collect();
        let control_idx =
            self.control_idx.and_then(|control_idx| variant_idxs.binary_search(&control_idx).ok());
        let (kind, direction) = (self.kind, self.direction);
        next_weights(
            &self.config,
            &AllocationInput { kind, direction, control_idx, arms: &arms, strata: &strata },
        )
    }

    /// What a stratum tells of these variants by now.
    fn known(&self, stratum: &Stratum, variant_idxs: &[usize]) -> ArmStratum {
        let sums = |variant_idx: &usize| {
            let position = stratum.variant_idxs.binary_search(variant_idx);
            position.map_or_else(|_| VariantSums::default(), |position| stratum.sums[position])
        };
        let age_days = (self.n_units - stratum.units_before) as f64 / self.units_a_day;
        ArmStratum { age_days, sums: variant_idxs.iter().map(sums).collect() }
    }

    /// What happened under each weights version so far.
    pub fn strata(&self) -> &[Stratum] {
        &self.strata
    }

    /// The sums of a variant; empty for an index that names none.
    pub fn sums(&self, variant_idx: usize) -> VariantSums {
        self.variants.get(variant_idx).map_or_else(VariantSums::default, |variant| variant.sums)
    }

    /// The part of the units since `first_stratum` that got a variant; 0 if there was none.
    pub fn share_since(&self, variant_idx: usize, first_stratum: usize) -> f64 {
        let strata = self.strata.iter().skip(first_stratum);
        let (mut n, mut n_all) = (0, 0);
        for stratum in strata {
            for (&idx, sum) in stratum.variant_idxs.iter().zip(&stratum.sums) {
                n_all += sum.n;
                n += if idx == variant_idx { sum.n } else { 0 };
            }
        }
        if n_all == 0 { 0.0 } else { n as f64 / n_all as f64 }
    }

    /// Σ y over all units.
    pub fn total(&self) -> i128 {
        self.variants.iter().map(|variant| variant.sums.y).sum()
    }

    /// What serving the truly best active variant to every unit would have brought beyond what the served
    /// variants bring on average; for shoppers as they are now.
    pub fn regret(&self) -> f64 {
        let sign = match self.direction {
            Direction::Increase => 1.0,
            Direction::Decrease => -1.0,
        };
        let mean = |variant_idx: &usize| sign * self.variants[*variant_idx].shoppers.mean();
        let lost = |stratum: &Stratum| -> f64 {
            let best = stratum.variant_idxs.iter().map(mean).fold(f64::NEG_INFINITY, f64::max);
            stratum
                .variant_idxs
                .iter()
                .zip(&stratum.sums)
                .map(|(idx, sum)| sum.n as f64 * (best - mean(idx)))
                .sum()
        };
        self.strata.iter().map(lost).sum()
    }
}

impl Variant {
    fn new(shoppers: Shoppers) -> Self {
        Self { shoppers, sums: VariantSums::default(), strata: 0, active: true }
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::Xoshiro256PlusPlus;

    use crate::probability::Probability;

    use super::*;

    fn simulation() -> Simulation {
        let shoppers = [0.02, 0.03, 0.05].map(|rate| Shoppers::converting(Probability::rounded(rate)));
        Simulation::new(AllocatorConfig::default(), MetricKind::Proportion, shoppers.to_vec())
    }

    /// Another result here breaks every figure that was ever published from a seed: announce it.
    #[test]
    fn a_seed_gives_what_it_always_gave() {
        let mut simulation = simulation();
        simulation.run(3000, 500, &mut Xoshiro256PlusPlus::seed_from_u64(42), draw).unwrap();
        let counts = [0, 1, 2].map(|variant_idx| simulation.sums(variant_idx));
        assert_eq!(counts.map(|sums| (sums.n, sums.y)), [(498, 8), (448, 11), (2054, 123)]);
    }

    #[test]
    fn an_assignment_to_nobody_is_an_error() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
        let error = simulation().step(10, &mut rng, |_, _| 3).unwrap_err();
        assert_eq!(error, SimulationError::Assignment { position: 3, n_variants: 3 });
    }

    #[test]
    fn versions_end_where_they_should() {
        let mut simulation = simulation();
        simulation.run(1200, 500, &mut Xoshiro256PlusPlus::seed_from_u64(1), draw).unwrap();
        let sizes: Vec<i64> =
            simulation.strata().iter().map(|stratum| stratum.sums.iter().map(|sums| sums.n).sum()).collect();
        assert_eq!(sizes, [500, 500, 200]);
        assert_eq!(simulation.draft().unwrap().weights.len(), 3);
    }
}
