//! Deciding: memory in, answer out; what was decided goes to the queue behind the answer.

use super::{App, Slots};
use crate::ingest::event::{DEPTH_MAX, depth};
use metrics::Counter;
use podium_core::experiment::{ExposureSource, Stickiness};
use podium_core::id::{ExperimentId, UNIT_LENGTH_MAX};
use podium_core::metric::json::{Object, plain_text};
use podium_core::projection::{DECISION, Sighting, StoredEvent, Trust};
use podium_core::snapshot::{Assignment, Decision, Flag, Reason};
use podium_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::LazyLock;
use twox_hash::XxHash3_64;
use uuid::Uuid;

/// Found once: to look a counter up by its name takes longer than to decide.
pub(super) static DECISIONS: LazyLock<Counter> =
    LazyLock::new(|| metrics::counter!("podium_decisions_total"));

/// The most units in one call.
pub(crate) const UNITS_MAX: usize = 1_000;
/// The most flags in one call.
pub(crate) const FLAGS_MAX: usize = 100;
/// The most decisions in one call.
pub(crate) const DECISIONS_MAX: usize = 10_000;

/// What a client asks.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DecideRequest<'a> {
    /// One unit …
    #[serde(borrow, default)]
    pub(crate) unit: Option<Cow<'a, str>>,
    /// … or many.
    #[serde(borrow, default)]
    pub(crate) units: Vec<Cow<'a, str>>,
    /// What to decide.
    #[serde(borrow)]
    pub(crate) flags: Vec<FlagAsked<'a>>,
    /// Whether the answer is an exposure, where the experiment counts decisions as such.
    #[serde(default = "yes")]
    pub(crate) exposure: bool,
    /// What is known of the unit: what placeholders of contents are filled with.
    #[serde(borrow, default)]
    pub(crate) context: Option<&'a RawValue>,
    /// The channel that shows it, if it has rendered the contents.
    #[serde(borrow, default)]
    pub(crate) channel: Option<Cow<'a, str>>,
}

fn yes() -> bool {
    true
}

/// A flag by its key, perhaps with what to answer if there is none.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum FlagAsked<'a> {
    /// The key alone.
    Key(#[serde(borrow)] Cow<'a, str>),
    /// With a default.
    WithDefault(#[serde(borrow)] FlagWithDefault<'a>),
}

/// A flag with what to answer if there is none.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FlagWithDefault<'a> {
    #[serde(borrow)]
    key: Cow<'a, str>,
    #[serde(default)]
    default: Option<serde_json::Value>,
}

/// One answer.
#[derive(Debug, Serialize)]
pub(crate) struct DecisionBody<'a> {
    flag: &'a str,
    unit: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    experiment: Option<&'a str>,
    variant: Option<&'a str>,
    value: Value<'a>,
    reason: Reason,
    #[serde(skip_serializing_if = "Option::is_none")]
    propensity: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    weights_version: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    decision_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_code: Option<&'static str>,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Value<'a> {
    Content(&'a RawValue),
    Rendered(Box<RawValue>),
    Default(Option<&'a serde_json::Value>),
}

/// A field of the request that cannot be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BadDecide {
    pub(crate) pointer: String,
    pub(crate) detail: String,
}

impl DecideRequest<'_> {
    /// The units that are asked for.
    ///
    /// # Errors
    ///
    /// [`BadDecide`] if there are none, too many, or one that cannot be.
    pub(crate) fn checked_units(&self) -> Result<Vec<&str>, BadDecide> {
        let bad = |pointer: &str, detail: String| Err(BadDecide { pointer: pointer.to_owned(), detail });
        let units: Vec<&str> = match &self.unit {
            Some(_) if !self.units.is_empty() => {
                return bad("/units", "give `unit` or `units`, not both".into());
            }
            Some(unit) => vec![unit],
            None => self.units.iter().map(|unit| &**unit).collect(),
        };
        if units.is_empty() || UNITS_MAX < units.len() {
            let pointer = if units.is_empty() { "/unit" } else { "/units" };
            return bad(pointer, format!("one `unit`, or 1 to {UNITS_MAX} `units`"));
        }
        if let Some(context) = self.context.map(RawValue::get)
            && (!context.starts_with('{') || DEPTH_MAX < depth(context))
        {
            return bad("/context", format!("an object, nested at most {DEPTH_MAX} deep"));
        }
        if self.flags.is_empty() || FLAGS_MAX < self.flags.len() {
            return bad("/flags", format!("1 to {FLAGS_MAX} flags"));
        }
        if DECISIONS_MAX < units.len() * self.flags.len() {
            return bad(
                "/units",
                format!("at most {DECISIONS_MAX} decisions in one call: units times flags"),
            );
        }
        let is_unit = |unit: &str| (1..=UNIT_LENGTH_MAX).contains(&unit.len()) && !unit.contains('\0');
        let wrong = units.iter().position(|unit| !is_unit(unit));
        match wrong {
            None => Ok(units),
            Some(unit_idx) => {
                let pointer = if self.unit.is_some() { "/unit".into() } else { format!("/units/{unit_idx}") };
                bad(&pointer, format!("a unit id has 1 to {UNIT_LENGTH_MAX} bytes, none of them NUL"))
            }
        }
    }
}

/// Names what a unit was assigned first in an experiment.
pub(super) fn sticky_key(experiment: ExperimentId, unit: &str) -> u64 {
    XxHash3_64::oneshot_with_seed(experiment.0 as u64, unit.as_bytes())
}

impl App {
    /// Decides every flag for every unit and hands the decisions to the log.
    ///
    /// - `answer`: called with the decisions and the snapshot's version while the snapshot is held.
    pub(crate) fn decide<T>(
        &self,
        request: &DecideRequest<'_>,
        units: &[&str],
        now: Timestamp,
        answer: impl FnOnce(&[DecisionBody<'_>], u64) -> T,
    ) -> T {
        let catalog = self.published.catalog.load();
        let snapshot = &catalog.snapshot;
        let n_decisions = units.len() * request.flags.len();
        let shown =
            request.channel.as_deref().map(|channel| Shown::new(&catalog.slots, channel, request.context));
        let mut bodies = Vec::with_capacity(n_decisions);
        let mut logged = Vec::with_capacity(n_decisions);
        for asked in &request.flags {
            let (key, default) = match asked {
                FlagAsked::Key(key) => (&**key, None),
                FlagAsked::WithDefault(asked) => (&*asked.key, asked.default.as_ref()),
            };
            let flag = snapshot.flag(key);
            for unit in units {
                let Some(flag) = flag else {
                    bodies.push(DecisionBody::unknown(key, unit, default));
                    continue;
                };
                let id = Uuid::now_v7();
                let decision = self.decide_one(flag, unit, id, || None);
                let exposed = request.exposure && flag.exposure == ExposureSource::Decision;
                logged.push(log_event(flag, (key, unit, id), &decision, (exposed, snapshot.version), now));
                let rendered = shown.as_ref().and_then(|shown| shown.content(flag, &decision));
                bodies.push(DecisionBody::known((key, unit, id), flag, &decision, rendered));
            }
        }
        DECISIONS.increment(n_decisions as u64);
        if !logged.is_empty() {
            let n_logged = logged.len() as u64;
            if self.queue.decisions(logged).is_err() {
                metrics::counter!("podium_decisions_unlogged_total").increment(n_logged);
            }
        }
        answer(&bodies, snapshot.version)
    }

    /// Decides what a message to a unit has as its content. The decision is not logged yet, and is no exposure: the
    /// message has to be sent first. `None`: there is no such flag.
    pub(crate) fn decide_message(
        &self,
        (flag_key, channel): (&str, &str),
        unit: &str,
        now: Timestamp,
    ) -> Option<Decided> {
        let catalog = self.published.catalog.load();
        let flag = catalog.snapshot.flag(flag_key)?;
        let id = Uuid::now_v7();
        let decision = self.decide_one(flag, unit, id, || None);
        let variant = flag.variants.get(decision.variant_idx)?;
        let event = log_event(flag, (flag_key, unit, id), &decision, (false, catalog.snapshot.version), now);
        DECISIONS.increment(1);
        Some(Decided {
            id,
            experiment: flag.experiment_key.to_string(),
            variant: variant.key.to_string(),
            content: variant.content_on(channel).get().to_owned(),
            event,
        })
    }

    /// Decides one flag for one unit.
    ///
    /// - `claimed`: what the client can prove that the unit was assigned, should nothing be known of it here.
    pub(super) fn decide_one(
        &self,
        flag: &Flag,
        unit: &str,
        id: Uuid,
        claimed: impl FnOnce() -> Option<Assignment>,
    ) -> Decision {
        if flag.stickiness == Stickiness::PerDecision {
            let mut text = Uuid::encode_buffer();
            return flag.decide(id.hyphenated().encode_lower(&mut text), None);
        }
        if !flag.remembers() {
            return flag.decide(unit, None);
        }
        let key = sticky_key(flag.experiment, unit);
        let sticky = self.sticky.pin();
        let earlier = sticky.get(&key).copied();
        let decision = flag.decide(unit, earlier.or_else(claimed));
        if let Some(assignment) = decision.assignment.filter(|assignment| Some(*assignment) != earlier) {
            sticky.insert(key, assignment);
        }
        decision
    }
}

/// The channel that shows decisions, and what it fills placeholders with.
struct Shown<'a> {
    slots: &'a Slots,
    channel: &'a str,
    values: HashMap<String, Cow<'a, str>>,
}

impl<'a> Shown<'a> {
    fn new(slots: &'a Slots, channel: &'a str, context: Option<&'a RawValue>) -> Self {
        let members = context.map(|context| Object::parse(context.get()));
        let members = members.iter().flat_map(Object::members);
        let values = members.filter_map(|(name, json)| Some((name.to_owned(), plain_text(json)?))).collect();
        Self { slots, channel, values }
    }

    fn content(&self, flag: &Flag, decision: &Decision) -> Option<Box<RawValue>> {
        let variant = (flag.experiment, decision.variant_idx);
        self.slots.content(self.channel, variant, |name| self.values.get(name).map(|value| &**value))
    }
}

/// What was decided for a message.
#[derive(Clone, Debug)]
pub(crate) struct Decided {
    /// The decision.
    pub(crate) id: Uuid,
    /// The key of the experiment.
    pub(crate) experiment: String,
    /// The key of the variant.
    pub(crate) variant: String,
    /// The variant's content on the channel, as JSON.
    pub(crate) content: String,
    /// The decision as the log keeps it.
    pub(crate) event: StoredEvent,
}

/// The decision as the log keeps it.
pub(super) fn log_event(
    flag: &Flag,
    (key, unit, id): (&str, &str, Uuid),
    decision: &Decision,
    (exposed, snapshot_version): (bool, u64),
    now: Timestamp,
) -> StoredEvent {
    let reason = match decision.reason {
        Reason::Split => "SPLIT",
        Reason::Static => "STATIC",
        _ => "DISABLED",
    };
    let (experiment, variant_idx, asked_version) = (flag.experiment.0, decision.variant_idx, flag.version());
    let running = flag.is_running();
    let body = format!(
        r#"{{"flag":"{key}","experiment":{experiment},"variant":{variant_idx},"reason":"{reason}","running":{running},"version":{asked_version},"snapshot":{snapshot_version}}}"#
    );
    let sighting = decision.assignment.map(|assignment| Sighting {
        experiment: flag.experiment,
        variant_idx: assignment.variant_idx,
        exposed,
        version: Some(assignment.version),
        propensity: Some(assignment.propensity),
    });
    // Where every decision is drawn anew the decision itself is the unit.
    let unit: Box<str> =
        if flag.stickiness == Stickiness::PerDecision { id.to_string().into() } else { unit.into() };
    StoredEvent {
        message_id: id.to_string().into(),
        name: DECISION.into(),
        unit,
        order_id: None,
        trust: Trust::Server,
        time: now,
        sighting,
        body: body.into(),
    }
}

impl<'a> DecisionBody<'a> {
    fn known(
        (key, unit, id): (&'a str, &'a str, Uuid),
        flag: &'a Flag,
        decision: &Decision,
        rendered: Option<Box<RawValue>>,
    ) -> Self {
        let variant = flag.variants.get(decision.variant_idx);
        let value = match rendered {
            Some(rendered) => Value::Rendered(rendered),
            None => variant.map_or(Value::Default(None), |variant| Value::Content(&variant.content)),
        };
        Self {
            flag: key,
            unit,
            experiment: Some(&flag.experiment_key),
            variant: variant.map(|variant| &*variant.key),
            value,
            reason: decision.reason,
            propensity: decision.assignment.map(|assignment| assignment.propensity),
            weights_version: decision.assignment.map(|assignment| assignment.version),
            decision_id: Some(id),
            error_code: None,
        }
    }

    fn unknown(key: &'a str, unit: &'a str, default: Option<&'a serde_json::Value>) -> Self {
        Self {
            flag: key,
            unit,
            experiment: None,
            variant: None,
            value: Value::Default(default),
            reason: Reason::Default,
            propensity: None,
            weights_version: None,
            decision_id: None,
            error_code: Some("FLAG_NOT_FOUND"),
        }
    }
}
