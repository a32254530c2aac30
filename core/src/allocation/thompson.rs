//! Thompson sampling as weights.

use crate::posterior::Comparison;

use super::weights::Weights;

/// Serves each variant with the probability that it is the best one.
///
/// # Source
///
/// Thompson (1933), *On the likelihood that one unknown probability exceeds another in view of the
/// evidence of two samples*, Biometrika 25(3/4), 285–294. <https://doi.org/10.1093/biomet/25.3-4.285>.
/// We depart from drawing: all assignments of a weights version share one exact probability.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Thompson;

impl Thompson {
    pub(super) fn weights(comparison: &Comparison) -> Weights {
        Weights::trusted(comparison.p_best().iter().map(|chance| chance.get()).collect())
    }
}
