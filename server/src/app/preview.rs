//! What a unit would get and why: decided as always, and noted nowhere.

use super::answer::From;
use super::asker::{Asker, Asking};
use super::choose::Behind;
use super::decide::{DecisionBody, Shown};
use super::{App, schedule};
use crate::auth::Scope;
use crate::catalog::Catalog;
use crate::store::{StoreError, weights};
use podium_core::audience::Clause;
use podium_core::experience::{self, Compiled, Outcome, Violation, Visitor};
use podium_core::experiment::{Action, Experiment, Status};
use podium_core::snapshot::{Assignment, Flag, Places};
use podium_core::time::Timestamp;
use serde::Serialize;
use serde_json::Value;
use serde_json::value::to_raw_value;
use std::sync::Arc;

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PreviewAsked<'a> {
    /// For whom.
    pub(crate) unit: &'a str,
    /// Which flags; all there are if `None`.
    pub(crate) flags: Option<&'a [String]>,
    /// What the client would say of the unit: an object, or null.
    pub(crate) context: &'a Value,
    /// The channel that would show it.
    pub(crate) channel: Option<&'a str>,
    /// At which moment.
    pub(crate) at: Timestamp,
}

/// What a unit would get.
#[derive(Debug, Serialize)]
pub(crate) struct PreviewBody<'a> {
    unit: &'a str,
    person: &'a str,
    at: Timestamp,
    flags: Vec<FlagBody<'a>>,
    snapshot_version: u64,
}

#[derive(Debug, Serialize)]
struct FlagBody<'a> {
    answer: DecisionBody<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    holdout: Option<HoldoutBody<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    experiment: Option<ExperimentBody<'a>>,
    experiences: Vec<ExperienceBody<'a>>,
}

/// The global holdout.
#[derive(Debug, Serialize)]
struct HoldoutBody<'a> {
    experiment: &'a str,
    /// Whether it keeps the unit from every treatment.
    held_out: bool,
}

/// The experiment that answers; the one behind the flag where an experience does.
#[derive(Debug, Serialize)]
struct ExperimentBody<'a> {
    key: &'a str,
    running: bool,
    shadow: bool,
    server_only: bool,
    condition: Option<Clause>,
    /// The id that it is drawn for.
    drawn_for: String,
    places: Places,
    earlier: Option<AssignedBody<'a>>,
    assigned: Option<AssignedBody<'a>>,
    weights_version: u32,
    weights: Vec<WeightBody<'a>>,
}

#[derive(Debug, Serialize)]
struct AssignedBody<'a> {
    variant: Option<&'a str>,
    propensity: f64,
    weights_version: u32,
}

#[derive(Debug, Serialize)]
struct WeightBody<'a> {
    variant: &'a str,
    weight: f64,
}

/// An experience on the flag, the first to be asked first.
#[derive(Debug, Serialize)]
struct ExperienceBody<'a> {
    key: &'a str,
    status: experience::Status,
    priority: i32,
    server_only: bool,
    /// Whether its schedule is on.
    in_time: bool,
    /// Whether the visitor closed it, and does not see it yet again.
    dismissed: bool,
    violation: Option<Violation>,
    rules: Vec<RuleBody<'a>>,
}

#[derive(Debug, Serialize)]
struct RuleBody<'a> {
    key: &'a str,
    serve: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    experiment: Option<&'a str>,
    /// `None` if that hangs on what another system says, and it could not be had.
    hits: Option<bool>,
    condition: Option<Clause>,
}

impl App {
    /// Decides flags for a unit as a server would be answered, and changes nothing.
    ///
    /// - `answer`: called while the snapshot is held.
    pub(crate) async fn preview_flags<T>(
        &self,
        asked: PreviewAsked<'_>,
        answer: impl FnOnce(&PreviewBody<'_>) -> T,
    ) -> Result<T, StoreError> {
        let PreviewAsked { unit, context, at, .. } = asked;
        let catalog = self.catalog_at(at).await?;
        let (person, known) = self.known(unit).await?;
        let mut asker = Asker::new(unit, Scope::Server).with_context(context);
        asker.know(Some(known));
        let raw = to_raw_value(context).ok();
        let shown = asked.channel.map(|channel| Shown::new(&catalog.slots, channel, raw.as_deref()));
        let flags = match asked.flags {
            Some(flags) => flags.iter().map(String::as_str).collect(),
            None => catalog.flag_keys().into_iter().collect::<Vec<_>>(),
        };
        let sources = catalog.all_sources(flags.iter().copied());
        if let Some(external) = self.external.ask(&sources, &[unit]).await.pop() {
            asker.hear(external);
        }
        let flags =
            flags.into_iter().map(|flag| self.preview_flag(&catalog, flag, &asker, (at, shown.as_ref())));
        let (flags, person) = (flags.collect(), person.id.as_str());
        let snapshot_version = catalog.snapshot.version;
        Ok(answer(&PreviewBody { unit, person, at, flags, snapshot_version }))
    }

    fn preview_flag<'a>(
        &self,
        catalog: &'a Catalog,
        flag_key: &'a str,
        asker: &Asker<'a>,
        (at, shown): (Timestamp, Option<&Shown<'_>>),
    ) -> FlagBody<'a> {
        let behind = Behind::of(catalog, flag_key);
        let mut asking = Asking::new(asker, behind.book(), at);
        let experiences =
            behind.experiences().iter().map(|experience| ExperienceBody::of(experience, &mut asking, at));
        let experiences = experiences.collect();
        let Some(answer) = self.answer(&behind, flag_key, asker, at) else {
            return FlagBody {
                answer: DecisionBody::unknown(flag_key, asker.unit, None),
                holdout: None,
                experiment: None,
                experiences,
            };
        };
        let (flag, assigned) = match &answer.from {
            From::Experiment { flag, assigned, .. } => (Some(*flag), *assigned),
            From::Experience(_) => (catalog.snapshot.flag(flag_key), None),
        };
        let experiment = flag.map(|flag| {
            let (drawn, earlier) = self.drawn(flag, asker);
            ExperimentBody::of(flag, drawn.id(), (earlier, assigned), asking.explain(flag.experiment))
        });
        let holdout = answer.holdout();
        let holdout =
            holdout.map(|(flag, held_out)| HoldoutBody { experiment: &flag.experiment_key, held_out });
        let rendered = shown.and_then(|shown| shown.content(&answer));
        let answer = DecisionBody::of(answer, rendered).unlogged();
        FlagBody { answer, holdout, experiment, experiences }
    }

    /// What will be published at a moment, as far as schedules say.
    async fn catalog_at(&self, at: Timestamp) -> Result<Arc<Catalog>, StoreError> {
        let catalog = self.published.catalog.load_full();
        if catalog.experiments().all(|experiment| schedule::due(experiment, at).is_none()) {
            return Ok(catalog);
        }
        let mut experiments: Vec<_> = catalog.experiments().cloned().collect();
        experiments.sort_by_key(|experiment| experiment.id);
        let mut all = Vec::with_capacity(experiments.len());
        for experiment in experiments {
            let newest = weights::newest(self.store.reader(), experiment.id).await?;
            let gone = || StoreError::Corrupt(format!("no weights of `{}`", experiment.key));
            let newest = newest.ok_or_else(gone)?;
            let status = match schedule::due(&experiment, at) {
                Some(Action::Start) => Status::Running,
                Some(Action::Conclude) => Status::Concluded,
                _ => experiment.status,
            };
            all.push((Experiment { status, ..Experiment::clone(&experiment) }, newest.weights));
        }
        Ok(Arc::new(catalog.with_experiments(all)))
    }
}

impl<'a> ExperimentBody<'a> {
    fn of(
        flag: &'a Flag,
        drawn_for: &str,
        (earlier, assigned): (Option<Assignment>, Option<Assignment>),
        condition: Option<Clause>,
    ) -> Self {
        let body = |assignment: Assignment| AssignedBody {
            variant: flag.variants.get(usize::from(assignment.variant_idx)).map(|variant| &*variant.key),
            propensity: assignment.propensity,
            weights_version: assignment.version,
        };
        let weights = flag.variants.iter().zip(flag.propensities());
        Self {
            key: &flag.experiment_key,
            running: flag.is_running(),
            shadow: flag.is_shadow,
            server_only: flag.server_only,
            condition,
            places: flag.places(drawn_for),
            drawn_for: drawn_for.to_owned(),
            earlier: earlier.map(body),
            assigned: assigned.map(body),
            weights_version: flag.version(),
            weights: weights
                .map(|(variant, weight)| WeightBody { variant: &variant.key, weight: *weight })
                .collect(),
        }
    }
}

impl<'a> ExperienceBody<'a> {
    fn of(experience: &'a Compiled, asking: &mut Asking<'_, '_>, at: Timestamp) -> Self {
        let violation = match experience.outcome(|rule| asking.meets(rule)) {
            Outcome::Violated(violation) => Some(violation),
            Outcome::NoHit | Outcome::Hit(_) | Outcome::Unknown => None,
        };
        let rules = experience.rules.iter().map(|rule| RuleBody {
            key: &rule.key,
            serve: experience.served(rule),
            experiment: rule.experiment.as_deref(),
            hits: asking.meets(rule),
            condition: asking.explain(rule.figures),
        });
        let rules = rules.collect();
        Self {
            key: &experience.key,
            status: experience.status,
            priority: experience.priority,
            server_only: experience.server_only,
            in_time: experience.is_in_time(at),
            dismissed: experience.is_hidden(|key| asking.dismissed_at(key), at),
            violation,
            rules,
        }
    }
}
