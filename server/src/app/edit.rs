//! Changing what is registered: edits, states, variants. What would break statistics is refused.

use super::{App, RegisterError, TrackError, first_weights, now};
use crate::store::weights::StoredWeights;
use crate::store::{StoreError, experiments, weights};
use podium_core::experiment::{Action, Definition, Experiment, Fault, IllegalTransition, Status, Variant};
use podium_core::id::VariantKey;
use podium_core::snapshot::WeightsVersion;

/// What is to change.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// The definition.
    Define(Box<Definition>),
    /// The state; concluding may name what everyone gets.
    Act(Action, Option<VariantKey>),
    /// One more variant.
    AddVariant(Box<Variant>),
    /// One variant less.
    RemoveVariant(VariantKey),
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

impl App {
    /// Changes the experiment that `key` names.
    ///
    /// - `version`: which version of it; the newest if `None`.
    /// - `revision`: what the client saw; `None` changes whatever is there.
    pub(crate) async fn edit(
        &self,
        (key, version): (&str, Option<u32>),
        revision: Option<i64>,
        change: impl FnOnce(&Experiment) -> Result<Change, EditError>,
    ) -> Result<Experiment, EditError> {
        let _editing = self.edits.lock().await;
        // What is decided before the edit is logged before it, under the weights it was drawn at.
        self.queue.barrier().await.map_err(TrackError::from)?;
        let transaction = self.store.begin().await?;
        let found = experiments::find(&transaction, key, version).await?;
        let mut experiment = found.ok_or_else(|| EditError::NotFound(key.to_owned()))?;
        if revision.is_some_and(|revision| revision != experiment.revision) {
            return Err(EditError::Stale { revision: experiment.revision });
        }
        let before = experiment.clone();
        self.apply(&mut experiment, change(&before)?).await?;
        experiment.updated_at = now();
        experiments::update(&transaction, &mut experiment).await?;
        if let Some(stored) = next_weights_of_edit(&transaction, &before, &experiment).await? {
            weights::insert(&transaction, experiment.id, &stored).await?;
        }
        let former =
            if experiment.status == Status::Running { experiment.version.checked_sub(1) } else { None };
        if let Some(version) = former.filter(|version| 0 < *version)
            && let Some(mut former) = experiments::find(&transaction, key, Some(version)).await?
            && former.apply(Action::Conclude, now()).is_ok()
        {
            experiments::update(&transaction, &mut former).await?;
        }
        transaction.commit().await.map_err(StoreError::from)?;
        self.track(&experiment).await?;
        self.publish().await?;
        tracing::info!(experiment.key = %experiment.key, status = %experiment.status, revision = experiment.revision, "experiment changed");
        Ok(experiment)
    }

    async fn apply(&self, experiment: &mut Experiment, change: Change) -> Result<(), EditError> {
        match change {
            Change::Define(definition) => self.define(experiment, *definition).await,
            Change::Act(action, served) => {
                experiment.apply(action, now())?;
                if let Some(key) = served {
                    if experiment.variant_idx(key.as_str()).is_none() {
                        return Err(fault("/serve", format!("`{key}` is no variant of it")));
                    }
                    experiment.served = Some(key);
                }
                Ok(())
            }
            Change::AddVariant(variant) => {
                changeable(experiment)?;
                if variant.control {
                    return Err(fault(
                        "/control",
                        "the control is chosen when the experiment is registered".to_owned(),
                    ));
                }
                let mut definition = experiment.definition.clone();
                let at = format!("/variants/{}", definition.variants.len());
                definition.variants.push(Variant { removed_at: None, ..*variant });
                experiment.definition = self.checked(definition).await.map_err(|error| below(&at, error))?;
                Ok(())
            }
            Change::RemoveVariant(key) => {
                changeable(experiment)?;
                remove_variant(experiment, &key)
            }
        }
    }

    async fn define(&self, experiment: &mut Experiment, definition: Definition) -> Result<(), EditError> {
        changeable(experiment)?;
        let is_draft = experiment.status == Status::Draft;
        let mut definition =
            if is_draft { self.checked_draft(definition).await? } else { self.checked(definition).await? };
        if is_draft {
            self.place_in_group(&experiment.key, &mut definition)?;
        } else if let Some(pointer) = breaking(&experiment.definition, &definition) {
            return Err(EditError::NeedsNewVersion { pointer, status: experiment.status });
        }
        experiment.definition = definition;
        Ok(())
    }
}

fn fault(pointer: &str, detail: String) -> EditError {
    EditError::Invalid(RegisterError::Invalid(vec![Fault { pointer: pointer.to_owned(), detail }]))
}

/// Points into the part that was sent, and not into the whole it became part of.
fn below(part: &str, error: RegisterError) -> RegisterError {
    let move_all = |faults: Vec<Fault>| faults.into_iter().map(|fault| moved(part, fault)).collect();
    match error {
        RegisterError::Invalid(faults) => RegisterError::Invalid(move_all(faults)),
        RegisterError::UnknownChannel(fault) => RegisterError::UnknownChannel(moved(part, fault)),
        RegisterError::Content(fault) => RegisterError::Content(moved(part, fault)),
        error => error,
    }
}

fn moved(part: &str, fault: Fault) -> Fault {
    let inner = fault.pointer.strip_prefix(part).filter(|rest| rest.is_empty() || rest.starts_with('/'));
    Fault { pointer: inner.map_or(fault.pointer.clone(), str::to_owned), ..fault }
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

/// A new weights version, if the edit changes what assignments depend on.
async fn next_weights_of_edit(
    db: &impl sea_orm::ConnectionTrait,
    before: &Experiment,
    after: &Experiment,
) -> Result<Option<StoredWeights>, StoreError> {
    let newest = weights::newest(db, after.id).await?;
    let current =
        newest.ok_or_else(|| StoreError::Corrupt(format!("no weights of `{}`", after.key)))?.weights;
    let mut next = first_weights(after, current.version + 1);
    if after.definition.is_adaptive() && before.status != Status::Draft {
        keep_proportions(&mut next, &current);
    }
    let unchanged = WeightsVersion { version: current.version, ..next.clone() } == current;
    Ok((!unchanged).then(|| StoredWeights {
        weights: next,
        created_at: now(),
        cause: "edited".to_owned(),
        beliefs: None,
    }))
}

/// Gives newcomers the even share, taken from the others in proportion; what was taken out goes to the others.
fn keep_proportions(next: &mut WeightsVersion, current: &WeightsVersion) {
    let n_active = next.weights.iter().filter(|(_, weight)| *weight > 0.0).count();
    let before =
        |key: &str| current.weights.iter().find(|(other, _)| other == key).map(|(_, weight)| *weight);
    let is_new = |key: &str| before(key).is_none();
    let n_new = next.weights.iter().filter(|(key, _)| is_new(key)).count();
    let kept: f64 =
        next.weights.iter().filter(|(_, weight)| *weight > 0.0).filter_map(|(key, _)| before(key)).sum();
    let left = 1.0 - n_new as f64 / n_active.max(1) as f64;
    if kept <= 0.0 {
        return;
    }
    for (key, weight) in &mut next.weights {
        if *weight > 0.0 {
            *weight = before(key).map_or(1.0 / n_active as f64, |earlier| left * earlier / kept);
        }
    }
}
