//! Deciding: memory in, answer out; what was decided goes to the queue behind the answer.

use super::answer::{Answer, From};
use super::asker::Asker;
use super::choose::Behind;
use super::{App, Slots, as_experiment, forced};
use crate::auth::Scope;
use crate::ingest::event::{DEPTH_MAX, depth};
use podium_core::experience::Violation;
use podium_core::id::UNIT_LENGTH_MAX;
use podium_core::metric::json::{Object, plain_text};
use podium_core::projection::StoredEvent;
use podium_core::snapshot::Reason;
use podium_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::HashMap;
use uuid::Uuid;

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

impl FlagAsked<'_> {
    fn key(&self) -> &str {
        match self {
            Self::Key(key) => key,
            Self::WithDefault(asked) => &asked.key,
        }
    }

    fn default(&self) -> Option<&serde_json::Value> {
        match self {
            Self::Key(_) => None,
            Self::WithDefault(asked) => asked.default.as_ref(),
        }
    }
}

/// One answer.
#[derive(Debug, Serialize)]
pub(crate) struct DecisionBody<'a> {
    flag: &'a str,
    unit: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    experiment: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    experience: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    rules: Vec<&'a str>,
    variant: Option<Cow<'a, str>>,
    value: Value<'a>,
    reason: Reason,
    #[serde(skip_serializing_if = "Option::is_none")]
    violation: Option<Violation>,
    #[serde(skip_serializing_if = "Option::is_none")]
    propensity: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    weights_version: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    decision_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_code: Option<&'static str>,
    /// Whether a link wanted it, so that it counts nowhere.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    forced: bool,
    /// Whether what is known of the unit, here or in another system, could not be had in time.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    degraded: bool,
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

impl App {
    /// Decides every flag for every unit and hands the decisions to the log.
    ///
    /// - `scope`: what the key of the caller may do.
    /// - `answer`: called with the decisions and the snapshot's version while the snapshot is held.
    pub(crate) async fn decide<T>(
        &self,
        request: &DecideRequest<'_>,
        units: &[&str],
        (now, scope): (Timestamp, Scope),
        answer: impl FnOnce(&[DecisionBody<'_>], u64) -> T,
    ) -> T {
        let catalog = self.published.catalog.load_full();
        let snapshot = &catalog.snapshot;
        let behind: Vec<_> = request.flags.iter().map(|asked| Behind::of(&catalog, asked.key())).collect();
        let targeted = behind.iter().filter(|behind| behind.is_targeted());
        let needs = catalog.needs(targeted.map(|behind| behind.flag_key), scope);
        let reads = |context: &&RawValue| needs.is_targeted || context.get().contains(forced::ATTRIBUTE);
        let context = request.context.filter(reads);
        let context =
            context.and_then(|context| serde_json::from_str(context.get()).ok()).unwrap_or_default();
        let mut askers: Vec<_> =
            units.iter().map(|unit| Asker::new(unit, scope).with_context(&context)).collect();
        self.acquaint(&mut askers, &needs).await;
        let shown =
            request.channel.as_deref().map(|channel| Shown::new(&catalog.slots, channel, request.context));
        let n_decisions = units.len() * request.flags.len();
        let mut bodies = Vec::with_capacity(n_decisions);
        let mut logged = Vec::with_capacity(n_decisions);
        for (asked, behind) in request.flags.iter().zip(&behind) {
            let (key, default) = (asked.key(), asked.default());
            for (unit, asker) in units.iter().zip(&askers) {
                let Some(answer) = self.answer(behind, key, asker, now) else {
                    bodies.push(DecisionBody::unknown(key, unit, default));
                    continue;
                };
                self.settle(&answer);
                logged.extend(self.events(&answer, request.exposure, snapshot.version, now));
                let rendered = shown.as_ref().and_then(|shown| shown.content(&answer));
                let body = DecisionBody::of(answer, rendered);
                let degraded = body.degraded || behind.is_targeted() && asker.is_blind();
                bodies.push(DecisionBody { degraded, ..body });
            }
        }
        self.log(logged);
        answer(&bodies, snapshot.version)
    }

    /// Decides what a message to a unit has as its content. The decision is not logged yet, and is no exposure: the
    /// message has to be sent first. `None`: there is no such flag.
    pub(crate) async fn decide_message(
        &self,
        (flag_key, channel): (&str, &str),
        unit: &str,
        now: Timestamp,
    ) -> Option<Decided> {
        let catalog = self.published.catalog.load_full();
        let behind = Behind::of(&catalog, flag_key);
        let mut askers = [Asker::new(unit, Scope::Server)];
        let needs = catalog.needs(behind.is_targeted().then_some(flag_key), Scope::Server);
        self.acquaint(&mut askers, &needs).await;
        let [asker] = askers;
        let answer = self.answer(&behind, flag_key, &asker, now)?;
        self.settle(&answer);
        Some(Decided {
            id: answer.id,
            experiment: answer.owner().to_owned(),
            variant: answer.variant()?.to_owned(),
            content: answer.content_on(channel)?.get().to_owned(),
            is_shadow: matches!(answer.from, From::Experiment { flag, .. } if flag.is_shadow),
            events: answer.events(false, catalog.snapshot.version, now),
        })
    }
}

/// The channel that shows decisions, and what it fills placeholders with.
pub(super) struct Shown<'a> {
    slots: &'a Slots,
    channel: &'a str,
    values: HashMap<String, Cow<'a, str>>,
}

impl<'a> Shown<'a> {
    pub(super) fn new(slots: &'a Slots, channel: &'a str, context: Option<&'a RawValue>) -> Self {
        let members = context.map(|context| Object::parse(context.get()));
        let members = members.iter().flat_map(Object::members);
        let values = members.filter_map(|(name, json)| Some((name.to_owned(), plain_text(json)?))).collect();
        Self { slots, channel, values }
    }

    pub(super) fn content(&self, answer: &Answer<'_>) -> Option<Box<RawValue>> {
        let variant = match &answer.from {
            From::Experiment { flag, decision, .. } => (flag.experiment, decision.variant_idx),
            From::Experience(chosen) => (as_experiment(chosen.experience.id), chosen.content.variant_idx?),
        };
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
    /// Whether what was assigned is not shown.
    pub(crate) is_shadow: bool,
    /// The decision as the log keeps it: what is counted once the message is sent comes first.
    pub(crate) events: Vec<StoredEvent>,
}

impl<'a> DecisionBody<'a> {
    /// - `rendered`: the content as the channel has rendered it, if it has.
    pub(super) fn of(answer: Answer<'a>, rendered: Option<Box<RawValue>>) -> Self {
        let degraded = answer.lacks_external();
        let Answer { flag_key, unit, id, from, is_forced: forced, .. } = answer;
        let nothing = Self::unknown(flag_key, unit, None);
        let known =
            Self { decision_id: (!forced).then_some(id), error_code: None, forced, degraded, ..nothing };
        match from {
            From::Experiment { flag, decision, hit, .. } => {
                let variant = flag.variants.get(decision.variant_idx);
                let own = variant.map_or(Value::Default(None), |variant| Value::Content(&variant.content));
                Self {
                    experiment: Some(&flag.experiment_key),
                    experience: hit.map(|hit| &*hit.experience.key),
                    rules: hit.iter().map(|hit| &*hit.rule.key).collect(),
                    variant: variant.map(|variant| Cow::Borrowed(&*variant.key)),
                    value: rendered.map_or(own, Value::Rendered),
                    reason: decision.reason,
                    propensity: decision.assignment.map(|assignment| assignment.propensity),
                    weights_version: decision.assignment.map(|assignment| assignment.version),
                    ..known
                }
            }
            From::Experience(chosen) => Self {
                experience: Some(&chosen.experience.key),
                rules: chosen.rules.iter().map(|rule| &*rule.key).collect(),
                variant: Some(chosen.content.variant),
                value: match (rendered, chosen.content.value) {
                    (Some(content), _) | (None, Cow::Owned(content)) => Value::Rendered(content),
                    (None, Cow::Borrowed(content)) => Value::Content(content),
                },
                reason: chosen.reason,
                violation: chosen.violation,
                ..known
            },
        }
    }

    /// The same as nobody has logged it.
    pub(super) fn unlogged(self) -> Self {
        Self { decision_id: None, ..self }
    }

    pub(super) fn unknown(key: &'a str, unit: &'a str, default: Option<&'a serde_json::Value>) -> Self {
        Self {
            flag: key,
            unit,
            experiment: None,
            experience: None,
            rules: Vec::new(),
            variant: None,
            value: Value::Default(default),
            reason: Reason::Default,
            violation: None,
            propensity: None,
            weights_version: None,
            decision_id: None,
            error_code: Some("FLAG_NOT_FOUND"),
            forced: false,
            degraded: false,
        }
    }
}
