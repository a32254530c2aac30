//! The fixed split.

use super::next::{AllocationError, ArmState};
use super::weights::Weights;

/// Serves the shares that were registered, whatever the data says; neither floors nor minimum apply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fixed;

impl Fixed {
    /// The registered shares of the active variants, as weights.
    pub(super) fn weights(arms: &[ArmState]) -> Result<Weights, AllocationError> {
        Ok(Weights::normalized(arms.iter().map(|arm| arm.share).collect())?)
    }
}
