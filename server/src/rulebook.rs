//! Every condition there is, ready to be asked: those of audiences, of experiments and of the rules of experiences.

use crate::external::Source;
use podium_core::audience::{Audiences, Clause, CompiledCondition, External, RfmCuts, Shopper, Watched};
use podium_core::id::{AudienceId, ExperimentId, LeafId, SourceKey};
use podium_core::money::Currency;
use podium_core::profile::Profile;
use podium_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// The currency of amounts that name none.
pub(crate) const CURRENCY: Currency = Currency::USD;

/// What other systems say of whom they are not asked about.
static UNASKED: External = External::new();

/// What everybody has been asked between requests, or is to be asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Asked {
    /// The last question about past events that what is known of persons answers; they are numbered from 1.
    pub(crate) leaf: LeafId,
    /// Other for every other state of the audiences and of where the fifths of all customers meet.
    pub(crate) audiences: u64,
}

/// Conditions with all that they refer to; replaced whole.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rulebook {
    /// The past events to keep up with.
    pub(crate) watched: Arc<Watched>,
    /// The audiences.
    pub(crate) audiences: Arc<Audiences>,
    /// The conditions of experiments, and of rules by what their units are counted under.
    pub(crate) conditions: Arc<HashMap<ExperimentId, CompiledCondition>>,
    /// The sources of external data.
    pub(crate) sources: Arc<BTreeMap<SourceKey, Arc<Source>>>,
    /// Where the fifths of all customers meet.
    pub(crate) rfm: Option<Arc<RfmCuts>>,
    /// What everybody is to be asked because of it.
    pub(crate) asked: Asked,
}

impl Rulebook {
    /// A person as conditions see them, of whom no other system is asked.
    ///
    /// - `context`: what the request brings; null between requests.
    pub(crate) fn shopper<'a>(&'a self, profile: &'a Profile, context: &'a Value) -> Shopper<'a> {
        Shopper { profile, context, external: &UNASKED, currency: CURRENCY, rfm: self.rfm.as_deref() }
    }

    /// Whether an experiment or a rule has a condition.
    pub(crate) fn is_targeted(&self, id: ExperimentId) -> bool {
        self.conditions.contains_key(&id)
    }

    /// Whether the condition of an experiment or of a rule holds, `None` if that cannot be told; everyone meets one that
    /// is not there.
    pub(crate) fn meets(&self, id: ExperimentId, shopper: &Shopper<'_>, now: Timestamp) -> Option<bool> {
        let Some(condition) = self.conditions.get(&id) else { return Some(true) };
        self.audiences.answer(condition, shopper, now)
    }

    /// What became of each part of the condition of an experiment or of a rule.
    pub(crate) fn explain(&self, id: ExperimentId, shopper: &Shopper<'_>, now: Timestamp) -> Option<Clause> {
        self.conditions.get(&id).map(|condition| self.audiences.explain(condition, shopper, now))
    }

    /// The sources that the condition of an experiment or of a rule reads.
    pub(crate) fn sources_of(&self, id: ExperimentId) -> impl Iterator<Item = &Arc<Source>> {
        let keys = self.conditions.get(&id).into_iter().flat_map(CompiledCondition::sources);
        keys.filter_map(|key| self.sources.get(key))
    }

    /// Whether some condition asks how customers compare with all others.
    pub(crate) fn asks_for_rfm(&self) -> bool {
        let all = self.audiences.iter().map(|(_, condition)| condition).chain(self.conditions.values());
        all.into_iter().any(CompiledCondition::asks_for_rfm)
    }

    /// The audiences that somebody can be in between requests.
    pub(crate) fn standing(&self) -> impl Iterator<Item = (AudienceId, &CompiledCondition)> {
        self.audiences.iter().filter(|(_, condition)| !condition.needs_context())
    }
}
