//! What an answer says: to clients, and to the log.

use super::answer::{Answer, From};
use super::logged::OfExperiment;
use podium_core::experiment::ExposureSource;
use podium_core::projection::StoredEvent;
use podium_core::snapshot::{Assignment, Flag, Reason};
use podium_core::time::Timestamp;
use serde_json::value::RawValue;

impl<'a> Answer<'a> {
    /// The global holdout, if one runs, and whether the unit gets no treatment because of it.
    pub(super) fn holdout(&self) -> Option<(&'a Flag, bool)> {
        self.held.as_ref().map(|held| (held.flag, held.is_out()))
    }

    /// Whether it hung on what another system says, and that could not be had.
    pub(crate) fn lacks_external(&self) -> bool {
        match &self.from {
            From::Experiment { is_met, .. } => is_met.is_none(),
            From::Experience(chosen) => chosen.lacks_external,
        }
    }

    /// The key of the variant; of several, their keys with `+` between them.
    pub(crate) fn variant(&self) -> Option<&str> {
        match &self.from {
            From::Experiment { flag, decision, .. } => Some(&flag.variants.get(decision.variant_idx)?.key),
            From::Experience(chosen) => Some(&chosen.content.variant),
        }
    }

    /// The content, as JSON.
    pub(crate) fn value(&self) -> Option<&RawValue> {
        match &self.from {
            From::Experiment { flag, decision, .. } => {
                Some(&flag.variants.get(decision.variant_idx)?.content)
            }
            From::Experience(chosen) => Some(&chosen.content.value),
        }
    }

    /// The content on a channel; of several variants, what they come to.
    pub(super) fn content_on(&self, channel: &str) -> Option<&RawValue> {
        match &self.from {
            From::Experiment { flag, decision, .. } => {
                Some(flag.variants.get(decision.variant_idx)?.content_on(channel))
            }
            From::Experience(chosen) => {
                let of_one = chosen.content.variant_idx.and_then(|idx| chosen.experience.variants.get(idx));
                Some(of_one.map_or(&chosen.content.value, |variant| variant.content_on(channel)))
            }
        }
    }

    /// The key of the experiment or experience.
    pub(super) fn owner(&self) -> &'a str {
        match &self.from {
            From::Experiment { flag, .. } => &flag.experiment_key,
            From::Experience(chosen) => &chosen.experience.key,
        }
    }

    /// Why.
    pub(crate) fn reason(&self) -> Reason {
        match &self.from {
            From::Experiment { decision, .. } => decision.reason,
            From::Experience(chosen) => chosen.reason,
        }
    }

    /// The experiment that the unit is in, and how it came into it.
    pub(crate) fn assignment(&self) -> Option<(&'a Flag, Assignment)> {
        match &self.from {
            From::Experiment { flag, decision, .. } => Some((flag, decision.assignment?)),
            From::Experience(_) => None,
        }
    }

    /// The decision as the log keeps it; none if a link wanted it.
    ///
    /// - `exposure`: whether it is an exposure, where decisions count as such.
    pub(crate) fn events(&self, exposure: bool, snapshot_version: u64, now: Timestamp) -> Vec<StoredEvent> {
        if self.is_forced {
            return Vec::new();
        }
        match &self.from {
            From::Experience(chosen) => {
                chosen.log_events((self.flag_key, self.unit, self.id), (exposure, snapshot_version), now)
            }
            From::Experiment { flag, decision, assigned, drawn, is_met, hit, .. } => {
                let is_shown = exposure && !flag.is_shadow;
                let exposed = is_shown && flag.exposure == ExposureSource::Decision;
                let made = OfExperiment {
                    flag,
                    flag_key: self.flag_key,
                    id: self.id,
                    unit: drawn.id(),
                    asked_as: (drawn.id() != self.unit).then_some(self.unit),
                    decision: *decision,
                    assigned: *assigned,
                    is_met: *is_met == Some(true),
                    is_out: self.holdout().is_some_and(|(_, is_out)| is_out),
                    hit: *hit,
                };
                let event = made.log_event((exposed, snapshot_version), now);
                let of_rule = hit.map(|hit| {
                    let served = (self.variant(), decision.reason);
                    hit.log_event((self.flag_key, self.unit), served, (exposure, snapshot_version), now)
                });
                std::iter::once(event).chain(of_rule).collect()
            }
        }
    }
}
