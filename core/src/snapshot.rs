//! Everything a decision needs, immutable, in memory; deciding is a pure function of it.

use crate::bucketing::{self, Arm, Seed, UniformSlice};
use crate::experiment::{Experiment, ExposureSource, Status, Stickiness};
use crate::id::{ChannelKey, ExperimentId, VariantKey};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use twox_hash::XxHash3_64;

/// One immutable set of weights, with all that assignments drawn under it depend on.
///
/// Two versions of an experiment never share a number, so `(version, unit)` explains an assignment for ever.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WeightsVersion {
    /// Counts from 1 in each experiment.
    pub version: u32,
    /// What the hashes begin with.
    pub salt: String,
    /// Share of the units that are in the experiment, 0 to 1.
    pub traffic: f64,
    /// The part of an exclusion group it may have.
    pub slot: Option<Slot>,
    /// Key and weight of each variant in the experiment's order; 0 for those taken out. `Σ w = 1`.
    pub weights: Vec<(String, f64)>,
}

/// A part of an exclusion group: the units whose draw lies in `start <= u < end`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Slot {
    /// Which group.
    pub group: String,
    /// Where it begins.
    pub start: f64,
    /// Where it ends.
    pub end: f64,
}

/// What a unit was assigned before.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Assignment {
    /// Position of the variant.
    pub variant_idx: u16,
    /// The weights version it was drawn under; of a unit in the uniform slice, the one that was current.
    pub version: u32,
    /// The probability with which it was drawn, `0 < p <= 1`; in the uniform slice an even one.
    pub propensity: f64,
}

/// Why a unit gets what it gets, in the words of the OpenFeature specification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub enum Reason {
    /// The experiment runs and the unit is in it.
    Split,
    /// Everyone gets this.
    Static,
    /// A condition of an experience holds for the unit.
    TargetingMatch,
    /// Draft, paused, or the unit is outside traffic or slot: the control.
    Disabled,
    /// Served although something is wrong: rules of an experience break its hit policy.
    Unknown,
    /// No such flag: the caller's default.
    Default,
}

/// One flag, ready to decide on.
#[derive(Clone, Debug)]
pub struct Flag {
    /// The experiment behind it.
    pub experiment: ExperimentId,
    /// Its key.
    pub experiment_key: Box<str>,
    /// Keys and contents, in the experiment's order.
    pub variants: Box<[FlagVariant]>,
    /// Whether the decision itself is the exposure.
    pub exposure: ExposureSource,
    /// What becomes of a unit's variant when weights move.
    pub stickiness: Stickiness,
    /// Whether only a server's key is told of it.
    pub server_only: bool,
    /// Whether it is the global holdout, and runs.
    pub is_holdout: bool,
    /// Position of the control.
    pub control_idx: usize,
    /// Whether units are assigned and all get the control.
    pub is_shadow: bool,
    /// Differs where a unit that has a variant already may be answered differently: new weights matter only if units
    /// follow them.
    pub fingerprint: u64,
    mode: Mode,
    arms: Box<[Arm]>,
    propensities: Box<[f64]>,
    slice: Option<(UniformSlice, Box<[Arm]>)>,
    version: u32,
    traffic: f64,
    traffic_seed: Seed,
    slot: Option<(Seed, f64, f64)>,
}

/// What a client gets of a variant.
#[derive(Clone, Debug)]
pub struct FlagVariant {
    /// The variant's key.
    pub key: Box<str>,
    /// Its content as JSON text, made once when it is published.
    pub content: Box<RawValue>,
    /// The same on channels that need another form of it.
    pub channels: Box<[(Box<str>, Box<RawValue>)]>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Split { control_idx: usize },
    Fixed { variant_idx: usize, reason: Reason },
}

/// Where a unit stands in what an experiment takes of all units.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Places {
    /// In its traffic.
    pub traffic: Place,
    /// In its exclusion group, if it has a part of one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slot: Option<Place>,
}

/// A place among all units, and the part that is inside: `start <= at < end`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Place {
    /// The unit's place, `0 <= at < 1`.
    pub at: f64,
    /// Where the part begins.
    pub start: f64,
    /// Where it ends.
    pub end: f64,
}

impl Place {
    /// Whether the unit is inside.
    pub fn is_inside(&self) -> bool {
        self.start <= self.at && self.at < self.end
    }
}

/// What a unit gets.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Decision {
    /// Position of the variant.
    pub variant_idx: usize,
    /// Why.
    pub reason: Reason,
    /// Present exactly if the unit is in the experiment.
    pub assignment: Option<Assignment>,
}

impl FlagVariant {
    /// Writes contents as JSON.
    pub(crate) fn new(key: &VariantKey, content: &Value, channels: &BTreeMap<ChannelKey, Value>) -> Self {
        let raw = |content: &Value| to_raw_value(content).unwrap_or_default();
        Self {
            key: key.as_str().into(),
            content: raw(content),
            channels: channels.iter().map(|(key, own)| (key.as_str().into(), raw(own))).collect(),
        }
    }

    /// The content on a channel.
    pub fn content_on(&self, channel: &str) -> &RawValue {
        let own = self.channels.iter().find(|(key, _)| &**key == channel);
        own.map_or(&self.content, |(_, content)| content)
    }
}

impl Flag {
    /// Compiles an experiment under one weights version; `None` once it is archived.
    pub fn new(experiment: &Experiment, weights: &WeightsVersion) -> Option<Self> {
        let definition = &experiment.definition;
        let control_idx = definition.control_idx();
        let mode = match experiment.status {
            Status::Archived => return None,
            Status::Running => Mode::Split { control_idx },
            Status::Draft | Status::Paused => {
                Mode::Fixed { variant_idx: control_idx, reason: Reason::Disabled }
            }
            Status::Concluded => {
                let served = experiment.served.as_ref().and_then(|key| experiment.variant_idx(key.as_str()));
                Mode::Fixed { variant_idx: served.unwrap_or(control_idx), reason: Reason::Static }
            }
        };
        let value_type = definition.value_type();
        let variants = definition.variants.iter().map(|variant| {
            let checked = value_type.and_then(|value_type| value_type.checked(variant.content.clone()).ok());
            let content = checked.as_ref().unwrap_or(&variant.content);
            FlagVariant::new(&variant.key, content, &variant.channels)
        });
        let salt = &weights.salt;
        let sum: f64 = weights.weights.iter().map(|(_, weight)| weight).sum();
        let arms: Box<[Arm]> = weights
            .weights
            .iter()
            .map(|(key, weight)| Arm { seed: Seed::of_variant(salt, key), weight: *weight })
            .collect();
        let even = |arm: &Arm| Arm { weight: if arm.weight > 0.0 { 1.0 } else { 0.0 }, ..*arm };
        let slice = experiment.uniform_slice().map(|slice| (slice, arms.iter().map(even).collect()));
        Some(Self {
            experiment: experiment.id,
            experiment_key: experiment.key.as_str().into(),
            variants: variants.collect(),
            exposure: definition.exposure,
            stickiness: definition.stickiness,
            server_only: definition.server_only,
            is_holdout: definition.holdout && experiment.status == Status::Running,
            control_idx,
            is_shadow: definition.shadow,
            fingerprint: fingerprint(experiment, weights),
            mode,
            arms,
            slice,
            propensities: weights.weights.iter().map(|(_, weight)| weight / sum).collect(),
            version: weights.version,
            traffic: weights.traffic,
            traffic_seed: Seed::of_traffic(salt),
            slot: weights.slot.as_ref().map(|slot| (Seed::of_group(&slot.group), slot.start, slot.end)),
        })
    }

    /// Whether an earlier assignment can differ from a fresh draw, so that it has to be looked up.
    pub fn remembers(&self) -> bool {
        self.stickiness == Stickiness::Sticky && self.is_running()
    }

    /// Whether units are assigned at all.
    pub fn is_running(&self) -> bool {
        matches!(self.mode, Mode::Split { .. })
    }

    /// The weights version that new assignments are drawn under.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// The probability of each variant outside the uniform slice, in the experiment's order.
    pub fn propensities(&self) -> &[f64] {
        &self.propensities
    }

    /// Where a unit stands, whatever becomes of it.
    pub fn places(&self, unit: &str) -> Places {
        Places {
            traffic: Place { at: self.traffic_seed.draw(unit), start: 0.0, end: self.traffic },
            slot: self.slot.map(|(seed, start, end)| Place { at: seed.draw(unit), start, end }),
        }
    }

    /// What a unit gets that is not in the experiment.
    pub fn outside(&self) -> Decision {
        let (variant_idx, reason) = match self.mode {
            Mode::Split { control_idx } => (control_idx, Reason::Disabled),
            Mode::Fixed { variant_idx, reason } => (variant_idx, reason),
        };
        Decision { variant_idx, reason, assignment: None }
    }

    /// Decides for one unit.
    ///
    /// - `unit`: the unit's id; the decision's own id where every decision is drawn anew.
    /// - `earlier`: the unit's first assignment, if it had one; kept unless its variant was taken out.
    pub fn decide(&self, unit: &str, earlier: Option<Assignment>) -> Decision {
        let outside = self.outside();
        if !self.is_running() {
            return outside;
        }
        if let Some((seed, start, end)) = self.slot
            && !(Place { at: seed.draw(unit), start, end }).is_inside()
        {
            return outside;
        }
        if self.traffic < 1.0 && self.traffic <= self.traffic_seed.draw(unit) {
            return outside;
        }
        let kept = earlier.filter(|assignment| {
            self.arms.get(usize::from(assignment.variant_idx)).is_some_and(|arm| arm.weight > 0.0)
        });
        let Some(assignment) = kept.or_else(|| self.draw(unit)) else { return outside };
        let variant_idx = usize::from(assignment.variant_idx);
        Decision { variant_idx, reason: Reason::Split, assignment: Some(assignment) }
    }

    fn draw(&self, unit: &str) -> Option<Assignment> {
        if let Some((slice, arms)) = &self.slice
            && slice.contains(unit)
        {
            let variant_idx = bucketing::choose(unit, arms)?;
            let propensity = 1.0 / arms.iter().map(|arm| arm.weight).sum::<f64>();
            return Some(Assignment { variant_idx: variant_idx as u16, version: self.version, propensity });
        }
        let variant_idx = bucketing::choose(unit, &self.arms)?;
        let propensity = *self.propensities.get(variant_idx)?;
        Some(Assignment { variant_idx: variant_idx as u16, version: self.version, propensity })
    }
}

fn fingerprint(experiment: &Experiment, weights: &WeightsVersion) -> u64 {
    let definition = &experiment.definition;
    let follows = definition.stickiness == Stickiness::Rebalance;
    let arms: Vec<_> = weights
        .weights
        .iter()
        .map(|(key, weight)| (key, if follows { *weight } else { f64::from(u8::from(*weight > 0.0)) }))
        .collect();
    let contents: Vec<_> = definition.variants.iter().map(|variant| &variant.content).collect();
    let all = (
        (experiment.id, &experiment.key, experiment.flag_key(), experiment.status, &experiment.served),
        (definition.value_type(), definition.server_only, definition.stickiness, contents, arms),
        (definition.shadow, definition.control_idx()),
        (&weights.salt, weights.traffic, &weights.slot),
    );
    XxHash3_64::oneshot(&serde_json::to_vec(&all).unwrap_or_default())
}

/// All flags, as of one moment.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Counts every publication.
    pub version: u64,
    flags: HashMap<Box<str>, Arc<Flag>>,
}

impl Snapshot {
    /// Gathers flags under their keys.
    pub fn new(version: u64, flags: impl IntoIterator<Item = (Box<str>, Arc<Flag>)>) -> Self {
        Self { version, flags: flags.into_iter().collect() }
    }

    /// The flag that `key` names.
    pub fn flag(&self, key: &str) -> Option<&Flag> {
        self.flags.get(key).map(|flag| &**flag)
    }

    /// The same on every node that decides on the same flags; see [`Flag::fingerprint`].
    pub fn fingerprint(&self) -> u64 {
        let mut all: Vec<_> = self.flags().map(|(key, flag)| (key, flag.fingerprint)).collect();
        all.sort_unstable();
        XxHash3_64::oneshot(&serde_json::to_vec(&all).unwrap_or_default())
    }

    /// Every flag with its key, in no order.
    pub fn flags(&self) -> impl Iterator<Item = (&str, &Arc<Flag>)> {
        self.flags.iter().map(|(key, flag)| (&**key, flag))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::Definition;
    use crate::id::ExperimentKey;
    use crate::time::Timestamp;
    use serde_json::json;

    /// The flag of a draft with two variants, of which one is the control.
    fn draft(control: &str) -> Flag {
        let variant = |key: &str| json!({"key": key, "content": key, "control": key == control});
        let definition = json!({"variants": [variant("a"), variant("b")], "primary_metric": "conversion"});
        let definition: Definition = serde_json::from_value(definition).unwrap();
        let now = Timestamp::default();
        let experiment = Experiment {
            id: ExperimentId(1),
            key: ExperimentKey::new("hero").unwrap(),
            version: 1,
            definition: definition.checked().unwrap(),
            status: Status::Draft,
            served: None,
            revision: 1,
            created_at: now,
            updated_at: now,
            started_at: None,
            concluded_at: None,
        };
        let weights = ["a", "b"].map(|key| (key.to_owned(), 0.5)).into();
        let weights = WeightsVersion { version: 1, salt: "hero".into(), traffic: 1.0, slot: None, weights };
        Flag::new(&experiment, &weights).unwrap()
    }

    #[test]
    fn what_pages_were_told_changes_with_the_control() {
        let (one, other) = (draft("a"), draft("b"));
        assert_ne!(one.outside().variant_idx, other.outside().variant_idx);
        assert_ne!(one.fingerprint, other.fingerprint);
        assert_eq!(one.fingerprint, draft("a").fingerprint);
    }
}
