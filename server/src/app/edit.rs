//! Changing what is registered: edits, states, variants. What would break statistics is refused.

use super::history::{Actor, Happening};
use super::reweigh::next_weights_of_edit;
use super::{App, RegisterError, TrackError, now};
use crate::store::{StoreError, experiments, history, weights};
use podium_core::experiment::{Action, Definition, Experiment, Fault, IllegalTransition, Status, Variant};
use podium_core::id::VariantKey;
use sea_orm::ConnectionTrait;

/// What is to change.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// The definition.
    Define(Box<Definition>),
    /// Whether it runs: it begins, or goes on.
    Start,
    /// It stops for now; if the automation wants so, because of a variant.
    Pause { harming: Option<VariantKey> },
    /// It ends.
    Conclude(Conclusion),
    /// It is put away.
    Archive,
    /// One more variant.
    AddVariant(Box<Variant>),
    /// One variant less.
    RemoveVariant(VariantKey),
    /// What an entry of the history tells of is taken back.
    Undo(Undo),
}

/// How an experiment ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Conclusion {
    /// What everyone gets from then on.
    pub(crate) serve: VariantKey,
    /// Why.
    pub(crate) reason: Option<String>,
}

/// What is to be taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Undo {
    /// The entry of the history; the last one that can be taken back if `None`.
    pub(crate) history_id: Option<i64>,
    /// Why.
    pub(crate) reason: Option<String>,
}

/// Why nothing changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EditError {
    /// There is no such experiment.
    #[error("there is no experiment `{0}`")]
    NotFound(String),
    /// It is not at the revision that the client saw.
    #[error("the experiment was changed meanwhile")]
    Stale { revision: i64 },
    /// The state does not allow it.
    #[error(transparent)]
    Illegal(#[from] IllegalTransition),
    /// It would break statistics.
    #[error("`{}` cannot change while the experiment is {status}: its figures would mix two questions", .pointer)]
    NeedsNewVersion { pointer: String, status: Status },
    /// Nothing can be taken back, or something newer stands in the way.
    #[error("{0}")]
    CannotUndo(String),
    /// The same rules as for a new one.
    #[error(transparent)]
    Invalid(#[from] RegisterError),
}

impl From<StoreError> for EditError {
    fn from(error: StoreError) -> Self {
        Self::Invalid(error.into())
    }
}

impl From<TrackError> for EditError {
    fn from(error: TrackError) -> Self {
        Self::Invalid(error.into())
    }
}

/// What happened in an edit.
pub(super) struct Done {
    /// What is written down; `None` if nothing differs.
    pub(super) happening: Option<Happening>,
    /// The entry that was taken back.
    pub(super) undoes: Option<i64>,
}

impl From<Happening> for Done {
    fn from(happening: Happening) -> Self {
        Self { happening: Some(happening), undoes: None }
    }
}

/// Checks that an experiment is as the client saw it.
///
/// - `seen`: the revision; `None` takes whatever is there.
pub(super) fn check_revision(experiment: &Experiment, seen: Option<i64>) -> Result<(), EditError> {
    let revision = experiment.revision;
    if seen.is_some_and(|seen| seen != revision) { Err(EditError::Stale { revision }) } else { Ok(()) }
}

impl App {
    /// Changes the experiment that `key` names, and writes down who did.
    ///
    /// - `version`: which version of it; the newest if `None`.
    /// - `revision`: what the client saw; `None` changes whatever is there.
    pub(crate) async fn edit(
        &self,
        (key, version): (&str, Option<u32>),
        revision: Option<i64>,
        by: &Actor,
        change: Change,
    ) -> Result<Experiment, EditError> {
        let _editing = self.edits.lock().await;
        self.edit_alone((key, version), revision, by, change).await
    }

    /// The same for who sees to it that nobody else edits.
    pub(super) async fn edit_alone(
        &self,
        (key, version): (&str, Option<u32>),
        revision: Option<i64>,
        by: &Actor,
        change: Change,
    ) -> Result<Experiment, EditError> {
        // What is decided before the edit is logged before it, under the weights it was drawn at.
        self.queue.barrier().await.map_err(TrackError::from)?;
        let transaction = self.store.begin().await?;
        let found = experiments::find(&transaction, key, version).await?;
        let mut experiment = found.ok_or_else(|| EditError::NotFound(key.to_owned()))?;
        check_revision(&experiment, revision)?;
        let before = experiment.clone();
        let done = self.apply(&transaction, &mut experiment, change).await?;
        experiment.updated_at = now();
        experiments::update(&transaction, &mut experiment).await?;
        if let Some(happening) = &done.happening {
            let id = self.note(&transaction, &experiment, by, happening).await?;
            if let Some(undone) = done.undoes {
                history::set_undone(&transaction, undone, id).await?;
            }
        }
        if let Some(stored) = next_weights_of_edit(&transaction, &before, &experiment).await? {
            weights::insert(&transaction, experiment.id, &stored).await?;
        }
        self.conclude_former(&transaction, &experiment, by).await?;
        transaction.commit().await.map_err(StoreError::from)?;
        self.webhooks.ring();
        if before.status == Status::Concluded {
            self.load_assignments(&experiment).await?;
        }
        self.track(&experiment).await?;
        self.publish().await?;
        tracing::info!(experiment.key = %experiment.key, status = %experiment.status, revision = experiment.revision, by = by.as_str(), "experiment changed");
        Ok(experiment)
    }

    /// Ends the version before one that runs.
    async fn conclude_former(
        &self,
        db: &impl ConnectionTrait,
        experiment: &Experiment,
        by: &Actor,
    ) -> Result<(), EditError> {
        let number = experiment.version - 1;
        if experiment.status != Status::Running || number == 0 {
            return Ok(());
        }
        let Some(mut former) = experiments::find(db, experiment.key.as_str(), Some(number)).await? else {
            return Ok(());
        };
        let reason = Some(format!("version {} was started", experiment.version));
        let conclusion = Conclusion { serve: control(&former)?.clone(), reason };
        if let Ok(happening) = conclusion.apply(&mut former) {
            experiments::update(db, &mut former).await?;
            self.note(db, &former, by, &happening).await?;
        }
        Ok(())
    }

    async fn apply(
        &self,
        db: &impl ConnectionTrait,
        experiment: &mut Experiment,
        change: Change,
    ) -> Result<Done, EditError> {
        let happening = match change {
            Change::Define(definition) => {
                let before = experiment.definition.clone();
                self.define(experiment, *definition).await?;
                let happening = Happening::edited(&before, &experiment.definition);
                return Ok(Done { happening, undoes: None });
            }
            Change::Start => {
                experiment.apply(Action::Start, now())?;
                Happening::Started {}
            }
            Change::Pause { harming } => {
                experiment.apply(Action::Pause, now())?;
                Happening::Paused { harming }
            }
            Change::Conclude(conclusion) => conclusion.apply(experiment)?,
            Change::Archive => {
                experiment.apply(Action::Archive, now())?;
                Happening::Archived {}
            }
            Change::AddVariant(variant) => {
                let key = variant.key.clone();
                self.add_variant(experiment, *variant).await?;
                Happening::VariantAdded { variant: key }
            }
            Change::RemoveVariant(key) => {
                changeable(experiment)?;
                let from_draft = experiment.status == Status::Draft;
                remove_variant(experiment, &key)?;
                Happening::VariantRemoved { variant: key, from_draft }
            }
            Change::Undo(undo) => return self.undo(db, experiment, undo).await,
        };
        Ok(happening.into())
    }

    async fn add_variant(&self, experiment: &mut Experiment, variant: Variant) -> Result<(), EditError> {
        changeable(experiment)?;
        if variant.control {
            let detail = "the control is chosen when the experiment is registered".to_owned();
            return Err(fault("/control", detail));
        }
        let mut definition = experiment.definition.clone();
        let at = format!("/variants/{}", definition.variants.len());
        definition.variants.push(Variant { removed_at: None, absences: Vec::new(), ..variant });
        let definition = self.checked(definition).await.map_err(|error| error.below(&at))?;
        self.check_flag(&experiment.key, &definition).await?;
        experiment.definition = definition;
        Ok(())
    }

    async fn define(&self, experiment: &mut Experiment, definition: Definition) -> Result<(), EditError> {
        changeable(experiment)?;
        let is_draft = experiment.status == Status::Draft;
        let mut definition =
            if is_draft { self.checked_draft(definition).await? } else { self.checked(definition).await? };
        self.check_flag(&experiment.key, &definition).await?;
        if is_draft {
            self.place_in_group(&experiment.key, &mut definition)?;
        } else if let Some(pointer) = breaking(&experiment.definition, &definition) {
            return Err(EditError::NeedsNewVersion { pointer, status: experiment.status });
        }
        experiment.definition = definition;
        Ok(())
    }
}

/// The key of what the other variants are compared with.
pub(super) fn control(experiment: &Experiment) -> Result<&VariantKey, StoreError> {
    let definition = &experiment.definition;
    let control = definition.variants.get(definition.control_idx());
    let missing = || StoreError::Corrupt(format!("experiment `{}` has no variants", experiment.key));
    control.map(|variant| &variant.key).ok_or_else(missing)
}

pub(super) fn fault(pointer: &str, detail: String) -> EditError {
    EditError::Invalid(RegisterError::Invalid(vec![Fault { pointer: pointer.to_owned(), detail }]))
}

fn changeable(experiment: &Experiment) -> Result<(), EditError> {
    match experiment.status {
        Status::Draft | Status::Running | Status::Paused => Ok(()),
        status @ (Status::Concluded | Status::Archived) => {
            Err(EditError::NeedsNewVersion { pointer: String::new(), status })
        }
    }
}

fn remove_variant(experiment: &mut Experiment, key: &VariantKey) -> Result<(), EditError> {
    let is_draft = experiment.status == Status::Draft;
    let variants = &mut experiment.definition.variants;
    let n_active = variants.iter().filter(|variant| variant.is_active()).count();
    let Some(variant_idx) = variants.iter().position(|variant| variant.key == *key && variant.is_active())
    else {
        return Err(EditError::NotFound(format!("{} with variant {key}", experiment.key)));
    };
    if n_active <= 2 {
        return Err(fault(
            "/variants",
            "an experiment keeps at least two variants; conclude it instead".to_owned(),
        ));
    }
    if let Some(variant) = variants.get_mut(variant_idx) {
        if variant.control {
            return Err(fault("/variants", "the control stays, or nothing could be compared".to_owned()));
        }
        variant.removed_at = Some(now());
    }
    if is_draft {
        variants.remove(variant_idx);
    }
    Ok(())
}

/// The first field whose change would mix two questions in one set of figures.
fn breaking(before: &Definition, after: &Definition) -> Option<String> {
    let fixed = Definition {
        name: None,
        description: None,
        server_only: after.server_only,
        // Out of the shadow, never back: what was exposed cannot be taken back.
        shadow: before.shadow && after.shadow,
        traffic: 1.0,
        schedule: podium_core::experiment::Schedule::default(),
        automation: podium_core::experiment::Automation::default(),
        allocator: after.allocator.clone(),
        ..before.clone()
    };
    let wanted = Definition {
        name: None,
        description: None,
        traffic: 1.0,
        schedule: fixed.schedule,
        automation: fixed.automation,
        ..after.clone()
    };
    if before.allocator.allocator.name() != after.allocator.allocator.name() {
        return Some("/allocator/type".to_owned());
    }
    if before.allocator.uniform_slice != after.allocator.uniform_slice {
        return Some("/allocator/uniform_slice".to_owned());
    }
    let (fixed, wanted) = (serde_json::to_value(fixed).ok()?, serde_json::to_value(wanted).ok()?);
    let (fixed, wanted) = (fixed.as_object()?, wanted.as_object()?);
    let names = fixed.keys().chain(wanted.keys());
    names.into_iter().find(|name| fixed.get(*name) != wanted.get(*name)).map(|name| format!("/{name}"))
}
