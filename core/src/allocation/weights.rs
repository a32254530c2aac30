//! The shares of assignments that the variants get.

use serde::{Deserialize, Serialize};

use crate::posterior::VARIANTS_MAX;
use crate::probability::Probability;

/// How far a sum of weights may be from 1.
const SUM_TOLERANCE: f64 = 1e-12;

/// How far floors may add up to more than 1, for K floors of exactly `1/K`.
const FLOOR_TOLERANCE: f64 = 1e-12;

/// The weights of 1 to [`VARIANTS_MAX`] variants, in variant order: probabilities that sum to 1 within 1e-12.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Vec<f64>", into = "Vec<f64>")]
pub struct Weights(Vec<f64>);

/// Numbers that are no weights.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum NotWeights {
    /// Too few or too many.
    #[error("{n_variants} weights are not possible: there must be 1 to {VARIANTS_MAX}")]
    Count {
        /// How many there are.
        n_variants: usize,
    },
    /// A number below zero, or none at all.
    #[error("weight {variant_idx} is {value}: it must be a number of at least 0")]
    Negative {
        /// Which weight.
        variant_idx: usize,
        /// The number as it was given.
        value: f64,
    },
    /// They do not sum to 1, or (shares) not to anything.
    #[error("the weights sum to {sum}: they must sum to 1")]
    Sum {
        /// Their sum.
        sum: f64,
    },
}

/// Floors that leave nothing to allocate, or not even that.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("the floors of {n_variants} variants sum to {sum}: they must sum to at most 1")]
pub struct FloorTooHigh {
    /// How many variants there are.
    pub n_variants: usize,
    /// The sum of their floors.
    pub sum: f64,
}

impl Weights {
    /// Checks weights that sum to 1.
    ///
    /// # Errors
    ///
    /// [`NotWeights`] unless there are 1 to [`VARIANTS_MAX`], all at least 0, with a sum of 1 within 1e-12.
    pub fn new(weights: Vec<f64>) -> Result<Self, NotWeights> {
        let sum = checked_sum(&weights)?;
        if (sum - 1.0).abs() <= SUM_TOLERANCE { Ok(Self(weights)) } else { Err(NotWeights::Sum { sum }) }
    }

    /// Divides shares by their sum.
    ///
    /// # Errors
    ///
    /// [`NotWeights`] unless there are 1 to [`VARIANTS_MAX`], all at least 0, with a finite sum above 0.
    pub fn normalized(shares: Vec<f64>) -> Result<Self, NotWeights> {
        let sum = checked_sum(&shares)?;
        if 0.0 < sum && sum.is_finite() {
            Ok(Self(shares.into_iter().map(|share| share / sum).collect()))
        } else {
            Err(NotWeights::Sum { sum })
        }
    }

    /// Gives each of `n_variants` the same weight.
    ///
    /// # Errors
    ///
    /// [`NotWeights::Count`] unless there are 1 to [`VARIANTS_MAX`].
    pub fn uniform(n_variants: usize) -> Result<Self, NotWeights> {
        Self::normalized(vec![1.0; n_variants])
    }

    /// Mixes in the uniform distribution so that no variant's weight falls below `floor`.
    ///
    /// With K variants and floor f: `w'ᵢ = f + (1 − K·f)·wᵢ`. Clipping and renormalizing would not do,
    /// because dividing by the sum takes a clipped weight below the floor again.
    ///
    /// - `floor`: least probability per assignment of each variant, `f <= 1/K`.
    /// - returns: K weights in variant order, each `>= f`.
    ///
    /// # Errors
    ///
    /// [`FloorTooHigh`] if `K·f > 1`.
    ///
    /// # Source
    ///
    /// Auer, Cesa-Bianchi, Freund & Schapire (2002), *The nonstochastic multiarmed bandit problem*,
    /// SIAM J. Comput. 32(1), 48–77: the mixing step of Exp3 with `γ = K·f`.
    /// <https://doi.org/10.1137/S0097539701398375>
    pub fn with_floor(&self, floor: Probability) -> Result<Self, FloorTooHigh> {
        self.with_floors(&vec![floor; self.len()])
    }

    /// Mixes in a floor for each variant: `w'ᵢ = fᵢ + (1 − Σf)·wᵢ`.
    ///
    /// A missing floor is zero, a surplus one is ignored.
    ///
    /// # Errors
    ///
    /// [`FloorTooHigh`] if the floors sum to more than 1.
    pub fn with_floors(&self, floors: &[Probability]) -> Result<Self, FloorTooHigh> {
        let floor = |variant_idx: usize| floors.get(variant_idx).map_or(0.0, |floor| floor.get());
        let sum: f64 = (0..self.len()).map(floor).sum();
        if 1.0 + FLOOR_TOLERANCE < sum {
            return Err(FloorTooHigh { n_variants: self.len(), sum });
        }
        let rest = (1.0 - sum).max(0.0);
        let floored = |(variant_idx, weight): (usize, &f64)| floor(variant_idx) + rest * weight;
        Ok(Self(self.0.iter().enumerate().map(floored).collect()))
    }

    /// The weights, in variant order.
    pub fn as_slice(&self) -> &[f64] {
        &self.0
    }

    /// The weight of a variant; 0 for an index that names none.
    pub fn get(&self, variant_idx: usize) -> f64 {
        self.0.get(variant_idx).copied().unwrap_or(0.0)
    }

    /// How many variants there are; never 0.
    #[expect(clippy::len_without_is_empty, reason = "weights are never empty")]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Gives those that have nothing so little that it changes nothing.
    pub(super) fn all_positive(self) -> Self {
        const LEAST: f64 = 1e-300;
        Self(self.0.into_iter().map(|weight| weight.max(LEAST)).collect())
    }

    /// Takes weights that are known to be such.
    pub(super) fn trusted(weights: Vec<f64>) -> Self {
        debug_assert!(Self::new(weights.clone()).is_ok(), "{weights:?}");
        Self(weights)
    }
}

fn checked_sum(values: &[f64]) -> Result<f64, NotWeights> {
    if !(1..=VARIANTS_MAX).contains(&values.len()) {
        return Err(NotWeights::Count { n_variants: values.len() });
    }
    match values.iter().enumerate().find(|(_, value)| value.is_nan() || **value < 0.0) {
        Some((variant_idx, &value)) => Err(NotWeights::Negative { variant_idx, value }),
        None => Ok(values.iter().sum()),
    }
}

impl TryFrom<Vec<f64>> for Weights {
    type Error = NotWeights;

    fn try_from(weights: Vec<f64>) -> Result<Self, Self::Error> {
        Self::new(weights)
    }
}

impl From<Weights> for Vec<f64> {
    fn from(weights: Weights) -> Self {
        weights.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shares() -> impl Strategy<Value = Vec<f64>> {
        prop::collection::vec(0.0..1e6_f64, 1..=VARIANTS_MAX)
            .prop_filter("some share", |shares| 0.0 < shares.iter().sum())
    }

    proptest! {
        #[test]
        fn floored_weights_are_a_distribution(shares in shares(), reserved in 0.0..=1.0_f64) {
            let floor = reserved / shares.len() as f64;
            let weights = Weights::normalized(shares).unwrap().with_floor(Probability::new(floor).unwrap()).unwrap();
            let sum: f64 = weights.as_slice().iter().sum();
            prop_assert!((sum - 1.0).abs() < 1e-12, "sum is {sum}");
            prop_assert!(weights.as_slice().iter().all(|&weight| floor <= weight));
        }

        #[test]
        fn floors_keep_the_order(shares in shares(), reserved in 0.0..0.999_f64) {
            let before = Weights::normalized(shares).unwrap();
            let floor = Probability::new(reserved / before.len() as f64).unwrap();
            let after = before.with_floor(floor).unwrap();
            for (i, j) in (0..before.len()).zip(1..before.len()) {
                prop_assert!(before.get(i) < before.get(j) || after.get(j) <= after.get(i));
            }
        }

        #[test]
        fn weights_survive_json(shares in shares()) {
            let weights = Weights::normalized(shares).unwrap();
            let json = serde_json::to_string(&weights).unwrap();
            prop_assert_eq!(serde_json::from_str::<Weights>(&json).unwrap(), weights);
        }
    }

    #[test]
    fn numbers_that_are_no_weights_are_refused_by_name() {
        assert_eq!(Weights::new(vec![]), Err(NotWeights::Count { n_variants: 0 }));
        assert_eq!(Weights::uniform(129), Err(NotWeights::Count { n_variants: 129 }));
        assert_eq!(Weights::new(vec![1.5, -0.5]), Err(NotWeights::Negative { variant_idx: 1, value: -0.5 }));
        assert!(matches!(Weights::new(vec![f64::NAN]), Err(NotWeights::Negative { variant_idx: 0, .. })));
        assert_eq!(Weights::new(vec![0.5, 0.4]), Err(NotWeights::Sum { sum: 0.9 }));
        assert_eq!(Weights::normalized(vec![0.0, 0.0]), Err(NotWeights::Sum { sum: 0.0 }));
        assert!(matches!(Weights::normalized(vec![f64::INFINITY, 1.0]), Err(NotWeights::Sum { .. })));
    }

    #[test]
    fn a_floor_of_more_than_the_even_share_is_refused() {
        let weights = Weights::uniform(3).unwrap();
        let error = weights.with_floor(Probability::new(0.34).unwrap()).unwrap_err();
        assert_eq!(error.n_variants, 3);
        assert!(error.to_string().starts_with("the floors of 3 variants sum to 1.02"), "{error}");
    }
}
