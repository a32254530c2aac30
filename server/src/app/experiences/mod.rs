//! Experiences: registering, changing, publishing, and making one of a conclusion.

mod nested;
mod promote;
mod report;

pub(crate) use nested::Nested;
pub(crate) use promote::Promotion;
pub(crate) use report::RulesReport;

use super::history::{Actor, Happening};
use super::register::one_type;
use super::{App, EditError, RegisterError, TrackError, now, track};
use crate::store::{StoreError, experiences, history};
use podium_core::experience::{
    Action, Compiled, Definition, Experience, IllegalTransition, Placement, Status,
};
use podium_core::experiment::{self, Fault};
use podium_core::id::{ExperienceId, ExperienceKey, ExperimentId, VariantKey};
use sea_orm::ConnectionTrait;
use std::collections::HashMap;

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
    /// There is nothing that an experience could show.
    #[error("variant `{0}` has no content that an experience could show; register one that has")]
    NoContent(VariantKey),
    /// What a rule has decide does not start, or end.
    #[error(transparent)]
    Nested(#[from] EditError),
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

/// What stands for an experience where the history, and rendered contents, go by the number of an experiment: the
/// negative of its own number, which no experiment has.
pub(crate) fn as_experiment(experience: ExperienceId) -> ExperimentId {
    ExperimentId(-experience.0)
}

impl App {
    /// Registers a draft, with the experiments that its rules have decide.
    pub(crate) async fn register_experience(
        &self,
        key: ExperienceKey,
        (definition, nested): (Definition, Vec<Nested>),
        by: &Actor,
    ) -> Result<Experience, ExperienceError> {
        let _editing = self.edits.lock().await;
        self.insert_experience(draft(key, definition), nested, by).await
    }

    /// Replaces the definition; what is live is so from the next decision on.
    ///
    /// - `revision`: what the client saw; `None` changes whatever is there.
    pub(crate) async fn define_experience(
        &self,
        key: &str,
        revision: Option<i64>,
        (definition, nested): (Definition, Vec<Nested>),
        by: &Actor,
    ) -> Result<Experience, ExperienceError> {
        let _editing = self.edits.lock().await;
        let mut experience = self.found_experience(key, revision).await?;
        if experience.status == Status::Archived {
            return Err(ExperienceError::Archived);
        }
        let before = std::mem::replace(&mut experience.definition, definition);
        let drafts = self.check_experience(&mut experience, nested).await?;
        experience.updated_at = now();
        let happening = Happening::edited(&before, &experience.definition);
        let experience = self.update_experience(experience, drafts, (by, happening)).await?;
        if experience.status == Status::Live {
            self.start_nested(&experience, by).await?;
        }
        Ok(experience)
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
        if action == Action::Publish {
            self.start_nested(&experience, by).await?;
        }
        let experience =
            self.update_experience(experience, Vec::new(), (by, Some(happening(action)))).await?;
        if action == Action::Archive {
            self.archive_nested(&experience, by).await?;
        }
        Ok(experience)
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
        nested: Vec<Nested>,
        by: &Actor,
    ) -> Result<Experience, ExperienceError> {
        let mut drafts = self.check_experience(&mut experience, nested).await?;
        if experiences::find(self.store.writer(), experience.key.as_str()).await?.is_some() {
            return Err(ExperienceError::KeyTaken(experience.key.to_string()));
        }
        let transaction = self.store.begin().await?;
        self.write_nested(&transaction, &mut drafts, by).await?;
        experiences::insert(&transaction, &mut experience).await?;
        note(&transaction, &experience, by, &Happening::Registered { version: 1 }).await?;
        if experience.status == Status::Live {
            note(&transaction, &experience, by, &happening(Action::Publish)).await?;
        }
        experiences::number_rules(&transaction, &experience).await?;
        transaction.commit().await.map_err(StoreError::from)?;
        self.experience_changed(&experience, &drafts, by).await?;
        Ok(experience)
    }

    async fn update_experience(
        &self,
        mut experience: Experience,
        mut drafts: Vec<nested::Draft>,
        (by, happening): (&Actor, Option<Happening>),
    ) -> Result<Experience, ExperienceError> {
        let transaction = self.store.begin().await?;
        self.write_nested(&transaction, &mut drafts, by).await?;
        experiences::update(&transaction, &mut experience).await?;
        if let Some(happening) = &happening {
            note(&transaction, &experience, by, happening).await?;
        }
        experiences::number_rules(&transaction, &experience).await?;
        transaction.commit().await.map_err(StoreError::from)?;
        self.experience_changed(&experience, &drafts, by).await?;
        Ok(experience)
    }

    /// Has the units of its rules counted, and those of what was registered with them, and publishes it.
    async fn experience_changed(
        &self,
        experience: &Experience,
        drafts: &[nested::Draft],
        by: &Actor,
    ) -> Result<(), ExperienceError> {
        for (draft, _) in drafts {
            self.track(draft).await?;
        }
        for figures in experiences::figures(self.store.writer(), experience.id).await? {
            self.track_rule(&figures).await?;
        }
        self.publish().await?;
        tracing::info!(experience.key = %experience.key, status = %experience.status, revision = experience.revision, by = by.as_str(), "experience changed");
        Ok(())
    }

    /// Checks a definition by itself, against the plugins, and against what else answers to its flag; the drafts of what
    /// is registered with its rules.
    async fn check_experience(
        &self,
        experience: &mut Experience,
        nested: Vec<Nested>,
    ) -> Result<Vec<nested::Draft>, ExperienceError> {
        let definition = experience.definition.clone().checked().map_err(RegisterError::Invalid)?;
        for (rule_idx, rule) in definition.rules.iter().enumerate() {
            self.check_when(&format!("/rules/{rule_idx}"), rule.when.as_ref())?;
        }
        if let Some(goal) = &definition.goal {
            self.check_metric_at("/goal", goal, definition.currency).await?;
        }
        self.check_channels(definition.variants.iter().map(|variant| &variant.channels)).await?;
        experience.definition = definition;
        self.check_type(experience).await?;
        self.nested_drafts(experience, nested).await
    }

    /// Checks that whoever else answers on the flag gives the same type of value.
    async fn check_type(&self, experience: &Experience) -> Result<(), ExperienceError> {
        let flag = experience.flag_key();
        let shown = self.experiences_shown().await?;
        let others = shown.iter().filter(|other| other.key != experience.key && other.flag_key() == flag);
        let others = others.map(|other| (other.key.as_str(), other.definition.answer_type()));
        let catalog = self.published.catalog.load_full();
        let experiments = catalog.experiments().filter(|experiment| {
            experiment.status != experiment::Status::Archived && experiment.flag_key() == flag
        });
        let experiments = experiments
            .filter_map(|experiment| Some((experiment.key.as_str(), experiment.definition.value_type()?)));
        Ok(one_type(flag, experience.definition.answer_type(), others.chain(experiments))?)
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
        let all = experiences::all(self.store.reader()).await?;
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
