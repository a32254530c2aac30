//! Experiences: registering, changing, publishing, and making one of a conclusion.

mod report;

pub(crate) use report::RulesReport;

use super::history::{Actor, Happening};
use super::{App, RegisterError, TrackError, now, track};
use crate::store::{StoreError, experiences, experiments, history};
use podium_core::experience::{
    Action, Compiled, Definition, Experience, IllegalTransition, Placement, Rule, Status, Variant,
};
use podium_core::experiment::{self, Experiment, Fault};
use podium_core::id::{ExperienceId, ExperienceKey, ExperimentId, FlagKey, RuleKey};
use sea_orm::ConnectionTrait;
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};

/// The name of the rule of an experience that was made of a conclusion for some only.
const WINNER: &str = "winner";

/// Why nothing changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExperienceError {
    /// There is no such experience.
    #[error("there is no experience `{0}`")]
    NotFound(String),
    /// There is no such experiment.
    #[error("there is no experiment `{0}`")]
    NoExperiment(String),
    /// The key is taken.
    #[error("there is an experience `{0}` already; choose another key")]
    KeyTaken(String),
    /// It is not at the revision that the client saw.
    #[error("the experience was changed meanwhile")]
    Stale { revision: i64 },
    /// The state does not allow it.
    #[error(transparent)]
    Illegal(#[from] IllegalTransition),
    /// It is put away.
    #[error("an experience that is archived does not change any more; register another")]
    Archived,
    /// Only what a conclusion serves becomes an experience.
    #[error("the experiment is {status}; conclude it first")]
    NotConcluded { status: experiment::Status },
    /// Fields that cannot mean what they say, a metric or channel that is not there, the database.
    #[error(transparent)]
    Invalid(#[from] RegisterError),
}

impl From<StoreError> for ExperienceError {
    fn from(error: StoreError) -> Self {
        Self::Invalid(error.into())
    }
}

impl From<TrackError> for ExperienceError {
    fn from(error: TrackError) -> Self {
        Self::Invalid(error.into())
    }
}

/// How what a conclusion serves is to go on. The experiment's own where nothing is said, for everyone.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Promotion {
    /// The key of the experience; that of the experiment if absent.
    #[serde(default)]
    pub(crate) key: Option<ExperienceKey>,
    /// Of several experiences on the flag the higher is asked first.
    #[serde(default)]
    pub(crate) priority: i32,
    /// Who gets it; the others get the control. Everyone if absent.
    #[serde(default)]
    pub(crate) when: Option<Value>,
}

/// What stands for an experience where the history, and rendered contents, go by the number of an experiment: the
/// negative of its own number, which no experiment has.
pub(crate) fn as_experiment(experience: ExperienceId) -> ExperimentId {
    ExperimentId(-experience.0)
}

impl App {
    /// Registers a draft.
    pub(crate) async fn register_experience(
        &self,
        key: ExperienceKey,
        definition: Definition,
        by: &Actor,
    ) -> Result<Experience, ExperienceError> {
        let _editing = self.edits.lock().await;
        self.insert_experience(draft(key, definition), by).await
    }

    /// Makes what a conclusion serves a live experience on the flag of the experiment. Nobody gets anything else for
    /// it, unless there is a condition.
    pub(crate) async fn promote(
        &self,
        experiment_key: &str,
        promotion: Promotion,
        by: &Actor,
    ) -> Result<Experience, ExperienceError> {
        let _editing = self.edits.lock().await;
        let found = experiments::find(self.store.writer(), experiment_key, None).await?;
        let experiment = found.ok_or_else(|| ExperienceError::NoExperiment(experiment_key.to_owned()))?;
        if experiment.status != experiment::Status::Concluded {
            return Err(ExperienceError::NotConcluded { status: experiment.status });
        }
        let mut experience = promoted(&experiment, promotion)?;
        experience.apply(Action::Publish, now())?;
        self.insert_experience(experience, by).await
    }

    /// Replaces the definition; what is live is so from the next decision on.
    ///
    /// - `revision`: what the client saw; `None` changes whatever is there.
    pub(crate) async fn define_experience(
        &self,
        key: &str,
        revision: Option<i64>,
        definition: Definition,
        by: &Actor,
    ) -> Result<Experience, ExperienceError> {
        let _editing = self.edits.lock().await;
        let mut experience = self.found_experience(key, revision).await?;
        if experience.status == Status::Archived {
            return Err(ExperienceError::Archived);
        }
        let before = std::mem::replace(&mut experience.definition, definition);
        self.check_experience(&mut experience).await?;
        experience.updated_at = now();
        let happening = Happening::edited(&before, &experience.definition);
        self.update_experience(experience, by, happening).await
    }

    /// Publishes, pauses or archives.
    ///
    /// - `revision`: what the client saw; `None` changes whatever is there.
    pub(crate) async fn act_on_experience(
        &self,
        key: &str,
        revision: Option<i64>,
        action: Action,
        by: &Actor,
    ) -> Result<Experience, ExperienceError> {
        let _editing = self.edits.lock().await;
        let mut experience = self.found_experience(key, revision).await?;
        experience.apply(action, now())?;
        self.update_experience(experience, by, Some(happening(action))).await
    }

    async fn found_experience(&self, key: &str, seen: Option<i64>) -> Result<Experience, ExperienceError> {
        let found = experiences::find(self.store.writer(), key).await?;
        let experience = found.ok_or_else(|| ExperienceError::NotFound(key.to_owned()))?;
        let revision = experience.revision;
        let is_stale = seen.is_some_and(|seen| seen != revision);
        if is_stale { Err(ExperienceError::Stale { revision }) } else { Ok(experience) }
    }

    async fn insert_experience(
        &self,
        mut experience: Experience,
        by: &Actor,
    ) -> Result<Experience, ExperienceError> {
        self.check_experience(&mut experience).await?;
        if experiences::find(self.store.writer(), experience.key.as_str()).await?.is_some() {
            return Err(ExperienceError::KeyTaken(experience.key.to_string()));
        }
        let transaction = self.store.begin().await?;
        experiences::insert(&transaction, &mut experience).await?;
        note(&transaction, &experience, by, &Happening::Registered { version: 1 }).await?;
        if experience.status == Status::Live {
            note(&transaction, &experience, by, &happening(Action::Publish)).await?;
        }
        experiences::number_rules(&transaction, &experience).await?;
        transaction.commit().await.map_err(StoreError::from)?;
        self.experience_changed(&experience, by).await?;
        Ok(experience)
    }

    async fn update_experience(
        &self,
        mut experience: Experience,
        by: &Actor,
        happening: Option<Happening>,
    ) -> Result<Experience, ExperienceError> {
        let transaction = self.store.begin().await?;
        experiences::update(&transaction, &mut experience).await?;
        if let Some(happening) = &happening {
            note(&transaction, &experience, by, happening).await?;
        }
        experiences::number_rules(&transaction, &experience).await?;
        transaction.commit().await.map_err(StoreError::from)?;
        self.experience_changed(&experience, by).await?;
        Ok(experience)
    }

    /// Has the units of its rules counted, and publishes it.
    async fn experience_changed(&self, experience: &Experience, by: &Actor) -> Result<(), ExperienceError> {
        for figures in experiences::figures(self.store.writer(), experience.id).await? {
            self.track_rule(&figures).await?;
        }
        self.publish().await?;
        tracing::info!(experience.key = %experience.key, status = %experience.status, revision = experience.revision, by = by.as_str(), "experience changed");
        Ok(())
    }

    /// Checks a definition by itself, against the plugins, and against what else answers to its flag.
    async fn check_experience(&self, experience: &mut Experience) -> Result<(), ExperienceError> {
        let definition = experience.definition.clone().checked().map_err(RegisterError::Invalid)?;
        for (rule_idx, rule) in definition.rules.iter().enumerate() {
            self.check_when(&format!("/rules/{rule_idx}"), rule.when.as_ref())?;
        }
        if let Some(goal) = &definition.goal {
            self.check_metric_at("/goal", goal, definition.currency).await?;
        }
        self.check_channels(definition.variants.iter().map(|variant| &variant.channels)).await?;
        experience.definition = definition;
        self.check_type(experience).await
    }

    /// A typed client asks for one type of value on a flag, whoever answers.
    async fn check_type(&self, experience: &Experience) -> Result<(), ExperienceError> {
        let (flag, own) = (experience.flag_key(), experience.definition.answer_type());
        let all = experiences::all(self.store.writer()).await?;
        let others = all.iter().filter(|other| {
            other.status != Status::Archived && other.key != experience.key && other.flag_key() == flag
        });
        let others = others.map(|other| (other.key.to_string(), other.definition.answer_type()));
        let catalog = self.published.catalog.load();
        let experiments = catalog.experiments().filter(|experiment| {
            experiment.status != experiment::Status::Archived && experiment.flag_key() == flag
        });
        let experiments = experiments
            .filter_map(|experiment| Some((experiment.key.to_string(), experiment.definition.value_type()?)));
        let other = others.chain(experiments).find(|(_, value_type)| *value_type != own);
        other.map_or(Ok(()), |(key, other)| {
            let (other, own) = (other.as_str(), own.as_str());
            let detail =
                format!("flag `{flag}` is answered by `{key}` with values of type {other}, not {own}");
            Err(invalid("/value_type", detail))
        })
    }

    async fn track_rule(&self, figures: &experiences::RuleFigures) -> Result<(), TrackError> {
        let (tracked, metrics) = track::tracked_rule(&self.store, &self.published.registry, figures).await?;
        Ok(self.queue.track(tracked, metrics).await?)
    }

    /// Has the units of all rules counted, as far as their metrics are loaded.
    pub(super) async fn track_all_rules(&self) -> Result<(), StoreError> {
        for figures in experiences::all_figures(self.store.reader()).await? {
            if let Err(error) = self.track_rule(&figures).await {
                tracing::error!(experience.id = figures.experience.0, %error, "no figures are kept for now");
            }
        }
        Ok(())
    }

    /// Every experience that is not archived.
    pub(super) async fn experiences_shown(&self) -> Result<Vec<Experience>, StoreError> {
        let all = experiences::all(self.store.writer()).await?;
        Ok(all.into_iter().filter(|experience| experience.status != Status::Archived).collect())
    }

    /// Experiences made ready to decide on, by the flag that they answer to.
    pub(super) async fn placements(
        &self,
        shown: &[Experience],
    ) -> Result<HashMap<Box<str>, Placement>, StoreError> {
        let known = experiences::all_figures(self.store.writer()).await?;
        let mut by_flag: HashMap<Box<str>, Vec<Compiled>> = HashMap::new();
        for experience in shown {
            let figures = experiences::parts(&experience.definition)
                .map(|rule| {
                    let figures = experiences::current(&known, experience, rule);
                    let missing = || format!("a rule of experience `{}` has no number", experience.key);
                    figures.map(|figures| figures.id).ok_or_else(|| StoreError::Corrupt(missing()))
                })
                .collect::<Result<Vec<_>, _>>()?;
            let compiled = Compiled::new(experience, &figures);
            by_flag.entry(experience.flag_key().into()).or_default().push(compiled);
        }
        Ok(by_flag.into_iter().map(|(flag, all)| (flag, Placement::new(all))).collect())
    }
}

async fn note(
    db: &impl ConnectionTrait,
    experience: &Experience,
    by: &Actor,
    happening: &Happening,
) -> Result<(), StoreError> {
    history::insert(db, as_experiment(experience.id), (now(), by.as_str()), happening).await.map(|_| ())
}

fn happening(action: Action) -> Happening {
    match action {
        Action::Publish => Happening::Started {},
        Action::Pause => Happening::Paused { harming: None },
        Action::Archive => Happening::Archived {},
    }
}

fn draft(key: ExperienceKey, definition: Definition) -> Experience {
    let now = now();
    Experience {
        id: ExperienceId(0),
        key,
        definition,
        status: Status::Draft,
        revision: 1,
        created_at: now,
        updated_at: now,
        published_at: None,
    }
}

fn invalid(pointer: &str, detail: String) -> ExperienceError {
    RegisterError::Invalid(vec![Fault { pointer: pointer.to_owned(), detail }]).into()
}

/// The served variant as the only content, or with the control for those who do not meet the condition.
///
/// Without a condition it has no rule but a fallback, so that the next experiment on the flag runs over it.
fn promoted(experiment: &Experiment, promotion: Promotion) -> Result<Experience, ExperienceError> {
    let Promotion { key, priority, when } = promotion;
    if when.as_ref().is_some_and(|when| !when.is_object()) {
        return Err(invalid("/when", "a condition is an object".to_owned()));
    }
    let of = &experiment.definition;
    let corrupt = |_| StoreError::Corrupt(format!("experiment `{}` has a bad key", experiment.key));
    let variant = |variant_idx: usize| {
        let variant = of.variants.get(variant_idx);
        let variant =
            variant.ok_or_else(|| StoreError::Corrupt(format!("`{}` has no variants", experiment.key)))?;
        if variant.content.is_null() {
            let detail = format!("variant `{}` has no content that could be shown", variant.key);
            return Err(invalid("", detail));
        }
        let (name, channels) = (variant.name.clone(), BTreeMap::clone(&variant.channels));
        Ok(Variant { key: variant.key.clone(), name, content: variant.content.clone(), channels })
    };
    let served = experiment.served.as_ref().and_then(|served| experiment.variant_idx(served.as_str()));
    let (control_idx, served_idx) = (of.control_idx(), served.unwrap_or(of.control_idx()));
    let served = variant(served_idx)?;
    let (variants, rules, fallback) = match when {
        Some(when) => {
            let control = variant(control_idx)?;
            let key = RuleKey::new(WINNER).map_err(corrupt)?;
            let rules = vec![Rule { key, name: None, when: Some(when), serve: served.key.clone() }];
            let fallback = control.key.clone();
            let both = if served_idx == control_idx { vec![served] } else { vec![served, control] };
            (both, rules, fallback)
        }
        None => (vec![served.clone()], Vec::new(), served.key),
    };
    let key = match key {
        Some(key) => key,
        None => ExperienceKey::new(experiment.key.as_str()).map_err(corrupt)?,
    };
    let definition = Definition {
        name: of.name.clone(),
        flag_key: Some(FlagKey::new(experiment.flag_key()).map_err(corrupt)?),
        value_type: of.value_type(),
        variants,
        rules,
        fallback,
        hit_policy: podium_core::experience::HitPolicy::default(),
        aggregator: None,
        priority,
        starts_at: None,
        ends_at: None,
        dismiss_days: None,
        goal: Some(of.primary_metric.clone()),
        currency: of.currency,
        server_only: of.server_only,
    };
    Ok(draft(key, definition))
}
