//! How beliefs become weights.
//!
//! [`next_weights`] is all that an allocation loop calls, each time a version has ended ([`VersionAge::has_ended`]):
//! from the matured sums of the active variants, stratum by stratum, it makes the next weights and the beliefs behind
//! them. One file per allocator; [`AllocatorConfig`] chooses it and
//! carries the limits that every adaptive allocator keeps to: floors and the exploration minimum.

mod config;
mod drift;
mod epsilon_greedy;
mod exploration;
mod fixed;
mod floors;
mod memory;
mod next;
mod slice;
mod thompson;
mod top_two;
mod ucb1;
mod version;
mod weights;
mod within;

pub use config::{Allocator, AllocatorConfig, ExplorationMinimum, NotAllocatorConfig};
pub use drift::ArmStratum;
pub use epsilon_greedy::EpsilonGreedy;
pub use fixed::Fixed;
pub use floors::Floors;
pub use memory::{Days, Memory, NotDays};
pub use next::{
    AllocationError, AllocationInput, ArmState, Phase, VariantBelief, WeightsVersionDraft, next_weights,
};
pub use slice::{NotSliceShare, SliceShare};
pub use thompson::Thompson;
pub use top_two::{BetaOutOfRange, TopTwo};
pub use ucb1::Ucb1;
pub use version::VersionAge;
pub use weights::{FloorTooHigh, NotWeights, Weights};

pub(crate) use version::units_due;
