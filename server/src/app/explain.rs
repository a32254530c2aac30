//! Why a unit got what it got: a logged decision, of an experiment computed again.

use super::App;
use crate::store::{StoreError, experiments, log, weights};
use podium_core::bucketing::Seed;
use podium_core::experience::Violation;
use podium_core::experiment::{Experiment, Status, Stickiness};
use podium_core::id::ExperimentId;
use podium_core::projection::{DECISION, StoredEvent};
use podium_core::snapshot::{Flag, WeightsVersion};
use podium_core::time::Timestamp;
use serde::{Deserialize, Serialize};

/// What no explanation can compute again.
const NOT_KEPT: &str = "what was known of the unit then is not kept: which conditions held is as the log has it, and \
                        `POST /api/v1/preview` says what holds now";

/// A logged decision; of an experiment with the same one computed again.
#[derive(Debug, Serialize)]
pub(crate) struct Explanation {
    decision_id: String,
    decided_at: Timestamp,
    flag: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    experiment: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    experiment_version: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    experience: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    rules: Vec<String>,
    unit: String,
    /// The id that asked, if it is another one of theirs.
    #[serde(skip_serializing_if = "Option::is_none")]
    asked_as: Option<String>,
    variant: Option<String>,
    reason: String,
    propensity: Option<f64>,
    /// The version that the unit was assigned under.
    weights_version: Option<u32>,
    /// The version that was current when it was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    asked_under_version: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recomputed: Option<Recomputed>,
    #[serde(skip_serializing_if = "Option::is_none")]
    agrees: Option<bool>,
    steps: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Recomputed {
    variant: Option<String>,
    propensity: Option<f64>,
}

/// A decision as the log has it: whose it was shows in its members.
#[derive(Deserialize)]
#[serde(untagged)]
enum Logged {
    Experiment(OfExperiment),
    Experience(OfExperience),
}

#[derive(Deserialize)]
struct OfExperience {
    flag: String,
    experience: String,
    rules: Vec<String>,
    variant: String,
    reason: String,
    violation: Option<Violation>,
}

#[derive(Deserialize)]
struct OfExperiment {
    flag: String,
    experiment: i64,
    variant: usize,
    reason: String,
    running: bool,
    version: u32,
    /// Whether the unit met the condition.
    #[serde(default = "yes")]
    met: bool,
    /// Whether the global holdout kept it from every treatment.
    #[serde(default)]
    held_out: bool,
    /// The id that asked, if it is another one of the unit's person.
    #[serde(default)]
    asked_as: Option<String>,
    /// Whose rule had the experiment decide.
    #[serde(default)]
    experience: Option<String>,
    #[serde(default)]
    rules: Vec<String>,
}

fn yes() -> bool {
    true
}

impl App {
    /// Computes a logged decision again from the weights version it was drawn under.
    pub(crate) async fn explain(&self, decision_id: &str) -> Result<Option<Explanation>, StoreError> {
        self.queue.barrier().await.map_err(|error| StoreError::Unavailable(error.to_string()))?;
        let db = self.store.reader();
        let found = log::find(db, decision_id).await?.filter(|(event, _)| &*event.name == DECISION);
        let Some((event, _)) = found else { return Ok(None) };
        let corrupt = |what: &str| StoreError::Corrupt(format!("decision {decision_id}: {what}"));
        let logged = serde_json::from_str(&event.body).map_err(|error| corrupt(&error.to_string()))?;
        let logged = match logged {
            Logged::Experiment(logged) => logged,
            Logged::Experience(logged) => return Ok(Some(logged.explained(decision_id, &event))),
        };
        let experiment = experiments::by_id(db, ExperimentId(logged.experiment)).await?;
        let experiment = experiment.ok_or_else(|| corrupt("its experiment is gone"))?;
        let assigned_under = event.sighting.and_then(|sighting| sighting.version);
        let version = assigned_under.unwrap_or(logged.version);
        let stored = weights::find(db, experiment.id, version).await?;
        let weights = stored.ok_or_else(|| corrupt("its weights version is gone"))?.weights;
        let key = |variant_idx: usize| weights.weights.get(variant_idx).map(|(key, _)| key.clone());
        let (mut steps, again) = logged.again(&experiment, &weights, &event);
        let variant = key(logged.variant);
        let propensity = event.sighting.and_then(|sighting| sighting.propensity);
        let agrees = again.variant == variant && again.propensity == propensity;
        if assigned_under.is_some_and(|assigned| assigned != logged.version) {
            let current = logged.version;
            steps.push(format!(
                "version {current} was current; the unit kept what it got under version {version}"
            ));
        }
        Ok(Some(Explanation {
            decision_id: decision_id.to_owned(),
            decided_at: event.time,
            flag: logged.flag,
            experiment: Some(experiment.key.to_string()),
            experiment_version: Some(experiment.version),
            experience: logged.experience,
            rules: logged.rules,
            unit: event.unit.to_string(),
            asked_as: logged.asked_as,
            variant,
            reason: logged.reason,
            propensity,
            weights_version: assigned_under,
            asked_under_version: Some(logged.version),
            recomputed: Some(again),
            agrees: Some(agrees),
            steps,
        }))
    }
}

impl OfExperiment {
    /// How it came to that, and what it comes to when it is computed again.
    fn again(
        &self,
        experiment: &Experiment,
        weights: &WeightsVersion,
        event: &StoredEvent,
    ) -> (Vec<String>, Recomputed) {
        let (unit, mut steps) = (&event.unit, Vec::new());
        let key = |variant_idx: usize| weights.weights.get(variant_idx).map(|(key, _)| key.clone());
        if let Some(experience) = &self.experience {
            let (rules, key) = (self.rules.join(", "), &experiment.key);
            steps.push(format!("of `{experience}` the rule {rules} hit, which has `{key}` decide"));
        }
        if let Some(asked_as) = &self.asked_as {
            steps.push(format!("`{asked_as}` asked, which is another id of `{unit}`: it is drawn for them"));
        }
        let Some(assigned) = event.sighting else {
            let (is_out, step) = why_not_in(self, weights, unit);
            steps.push(step);
            return (steps, Recomputed { variant: key(self.variant).filter(|_| is_out), propensity: None });
        };
        if experiment.definition.when.is_some() {
            steps.push(format!("the unit met the condition of the experiment; {NOT_KEPT}"));
        }
        let drawn = recompute(experiment, weights, unit, &mut steps);
        if self.reason == "SPLIT" {
            return (steps, drawn);
        }
        let would = drawn.variant.as_deref().unwrap_or("nothing");
        steps.push(format!("it ran in the shadow: the unit is assigned `{would}` and got the control"));
        let is_same = drawn.variant == key(usize::from(assigned.variant_idx));
        (steps, Recomputed { variant: key(self.variant).filter(|_| is_same), ..drawn })
    }
}

impl OfExperience {
    /// What the log says. What was known of the unit then is not kept, so that nothing is computed again.
    fn explained(self, decision_id: &str, event: &StoredEvent) -> Explanation {
        let Self { flag, experience, rules, variant, reason, violation } = self;
        let why = match (violation, reason.as_str()) {
            (Some(violation), _) => {
                format!("rules of `{experience}` that hit broke its hit policy ({violation:?}): the fallback")
            }
            (None, "UNKNOWN") if rules.is_empty() => {
                format!("a rule of `{experience}` hung on what could not be had in time: the fallback")
            }
            (None, "DISABLED") => format!("`{experience}` was not shown then: the fallback"),
            (None, _) if rules.is_empty() => format!("no rule of `{experience}` hit: the fallback"),
            (None, _) => format!("of `{experience}` these rules hit: {}", rules.join(", ")),
        };
        Explanation {
            decision_id: decision_id.to_owned(),
            decided_at: event.time,
            flag,
            experiment: None,
            experiment_version: None,
            experience: Some(experience),
            rules,
            unit: event.unit.to_string(),
            asked_as: None,
            variant: Some(variant),
            reason,
            propensity: None,
            weights_version: None,
            asked_under_version: None,
            recomputed: None,
            agrees: None,
            steps: vec![why, NOT_KEPT.to_owned()],
        }
    }
}

/// Draws again, as if the experiment ran under `weights`.
fn recompute(
    experiment: &Experiment,
    weights: &WeightsVersion,
    unit: &str,
    steps: &mut Vec<String>,
) -> Recomputed {
    let mut running = experiment.clone();
    running.status = Status::Running;
    running.definition.variants.truncate(weights.weights.len());
    if let Some(slot) = &weights.slot {
        let place = Seed::of_group(&slot.group).draw(unit);
        let (group, start, end) = (&slot.group, slot.start, slot.end);
        steps.push(format!("its place in group `{group}` is {place:.6}; the slot is {start}..{end}"));
    }
    let place = Seed::of_traffic(&weights.salt).draw(unit);
    steps.push(format!("its place in traffic is {place:.6}; below {} is in", weights.traffic));
    let slice = experiment.definition.allocator.uniform_slice;
    let is_in_slice = slice.is_some_and(|share| {
        let place = Seed::of_slice(&weights.salt).draw(unit);
        let share = share.get();
        steps.push(format!("its place for the uniform slice is {place:.6}; below {share} weights are even"));
        place < share
    });
    for (key, weight) in weights.weights.iter().filter(|(_, weight)| *weight > 0.0) {
        let weight = if is_in_slice { 1.0 } else { *weight };
        let score = -Seed::of_variant(&weights.salt, key).draw(unit).ln() / weight;
        steps.push(format!("`{key}` has weight {weight} and score {score:.6}; the smallest score is chosen"));
    }
    // Whether the unit was inside was settled when it was first assigned; traffic may have moved since.
    let everyone = WeightsVersion { traffic: 1.0, slot: None, ..weights.clone() };
    if experiment.definition.stickiness == Stickiness::PerDecision {
        steps.push("every decision is drawn anew, with its own id as the unit".to_owned());
    }
    let decision = Flag::new(&running, &everyone).map(|flag| flag.decide(unit, None));
    let assignment = decision.and_then(|decision| decision.assignment);
    Recomputed {
        variant: assignment.and_then(|assignment| {
            weights.weights.get(usize::from(assignment.variant_idx)).map(|(key, _)| key.clone())
        }),
        propensity: assignment.map(|assignment| assignment.propensity),
    }
}

/// Whether the unit was rightly left out, and why.
fn why_not_in(logged: &OfExperiment, weights: &WeightsVersion, unit: &str) -> (bool, String) {
    if logged.held_out {
        return (true, "the global holdout keeps the unit from every treatment: the control".to_owned());
    }
    if logged.reason == "STATIC" {
        return (
            !logged.running,
            "the experiment was concluded; everyone gets the served variant".to_owned(),
        );
    }
    if !logged.running {
        return (true, "the experiment did not run: the control".to_owned());
    }
    if !logged.met {
        let why = if logged.reason == "UNKNOWN" {
            "what is known of the unit, here or in another system, could not be had in time, so that its condition \
             was not met: the control"
        } else {
            "the unit did not meet the condition of the experiment: the control"
        };
        return (true, format!("{why}; {NOT_KEPT}"));
    }
    if let Some(slot) = &weights.slot {
        let place = Seed::of_group(&slot.group).draw(unit);
        if !(slot.start <= place && place < slot.end) {
            let (group, start, end) = (&slot.group, slot.start, slot.end);
            let step =
                format!("its place in group `{group}` is {place:.6}, outside of {start}..{end}: the control");
            return (true, step);
        }
    }
    let place = Seed::of_traffic(&weights.salt).draw(unit);
    let step = format!("its place in traffic is {place:.6}; from {} on it is the control", weights.traffic);
    (weights.traffic <= place, step)
}
