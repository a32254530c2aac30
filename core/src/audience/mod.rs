//! Conditions on shoppers: a closed tree over profile, cart, request, clock, past events and what other systems say, and
//! the audiences made of them.
//!
//! [`Condition::parse`] reads and checks what somebody wrote. [`Watched`] tells [`Profile`](crate::profile::Profile)
//! which past events to keep up with. [`Audiences`] resolves what conditions name and answers: [`Audiences::holds`]
//! whether, [`Audiences::next_change`] until when, [`Audiences::explain`] why. A condition on what another system says
//! has no answer while that cannot be had, and nor has whatever hangs on it: see [`Audiences::answer`].

mod condition;
mod evaluate;
mod external;
mod found;
mod leaf;
mod leaf_state;
mod members;
mod op;
mod rfm;
mod schedule;
mod set;
mod span;
mod subject;
mod test;
mod watched;

#[cfg(test)]
#[expect(clippy::needless_pass_by_value, reason = "a JSON literal is handed over where it stands")]
mod tests;

pub use crate::fault::Fault;
pub use condition::{Condition, DEPTH_MAX, NODES_MAX};
pub use evaluate::{Clause, Shopper};
pub use external::External;
pub use leaf::{EventLeaf, Measure};
pub use leaf_state::LeafState;
pub use op::Op;
pub use rfm::{RfmCuts, RfmGroup, RfmPoint, RfmScores};
pub use schedule::{Schedule, Weekly};
pub use set::{Audiences, BadAudience, CompiledCondition};
pub use span::Span;
pub use subject::{Fact, Subject};
pub use test::Test;
pub use watched::Watched;

pub(crate) use subject::find;
