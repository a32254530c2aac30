//! A number that is known to be a probability.

use serde::{Deserialize, Serialize};

/// A probability: a finite number with `0.0 <= p <= 1.0`.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Probability(f64);

/// A number that is no probability.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("{value} is not a probability: it must be between 0 and 1")]
pub struct NotAProbability {
    /// The number as it was given.
    pub value: f64,
}

impl Probability {
    /// What never happens.
    pub const ZERO: Self = Self(0.0);
    /// What always happens.
    pub const ONE: Self = Self(1.0);

    /// Checks `value` once; afterwards the type is the proof.
    ///
    /// # Errors
    ///
    /// [`NotAProbability`] unless `0.0 <= value <= 1.0`; NaN is none.
    pub const fn new(value: f64) -> Result<Self, NotAProbability> {
        if 0.0 <= value && value <= 1.0 { Ok(Self(value)) } else { Err(NotAProbability { value }) }
    }

    /// Takes a computed value that is a probability up to rounding; NaN becomes 0.
    pub(crate) fn rounded(value: f64) -> Self {
        Self(if value.is_nan() { 0.0 } else { value.clamp(0.0, 1.0) })
    }

    /// The number itself.
    pub const fn get(self) -> f64 {
        self.0
    }

    /// `1 - p`.
    #[must_use]
    pub fn complement(self) -> Self {
        Self(1.0 - self.0)
    }
}

impl TryFrom<f64> for Probability {
    type Error = NotAProbability;

    fn try_from(value: f64) -> Result<Self, Self::Error> {
        Self::new(value)
    }
}

impl From<Probability> for f64 {
    fn from(probability: Probability) -> Self {
        probability.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_numbers_from_zero_to_one_are_probabilities() {
        for value in [0.0, 1e-300, 0.5, 1.0] {
            assert_eq!(Probability::new(value).map(Probability::get), Ok(value));
        }
        for value in [-1e-300, 1.0 + f64::EPSILON, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert!(Probability::new(value).is_err(), "{value}");
        }
    }

    #[test]
    fn json_is_checked() {
        assert_eq!(serde_json::from_str("0.25").ok(), Probability::new(0.25).ok());
        let message = serde_json::from_str::<Probability>("1.5").unwrap_err().to_string();
        assert!(message.contains("1.5 is not a probability"), "{message}");
    }
}
