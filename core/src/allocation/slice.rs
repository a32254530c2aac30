//! The part of the units that no allocator touches.

use serde::{Deserialize, Serialize};

/// The largest part of the units that can be kept from the allocator.
const SHARE_MAX: f64 = 0.5;

/// The share of the units that are assigned evenly, whatever the weights: `0 < share <= 0.5`.
///
/// They are a fixed split inside a bandit: each active variant has the probability 1/K there, so their figures need no
/// correction, and a bandit that was wrong is seen to be. It costs the share of what the bandit could have earned.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct SliceShare(f64);

/// A number that is no share of a slice.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("a uniform slice of {value} is not possible: it must be above 0 and at most {SHARE_MAX}")]
pub struct NotSliceShare {
    /// The number as it was given.
    pub value: f64,
}

impl SliceShare {
    /// Checks `value` once; afterwards the type is the proof.
    ///
    /// # Errors
    ///
    /// [`NotSliceShare`] unless `0 < value <= 0.5`.
    pub fn new(value: f64) -> Result<Self, NotSliceShare> {
        if 0.0 < value && value <= SHARE_MAX { Ok(Self(value)) } else { Err(NotSliceShare { value }) }
    }

    /// The number itself.
    pub fn get(self) -> f64 {
        self.0
    }
}

impl TryFrom<f64> for SliceShare {
    type Error = NotSliceShare;

    fn try_from(value: f64) -> Result<Self, NotSliceShare> {
        Self::new(value)
    }
}

impl From<SliceShare> for f64 {
    fn from(share: SliceShare) -> Self {
        share.0
    }
}
