//! Taking back: a conclusion, a variant that was taken out, a pause by the automation.

use super::conclude::check_reason;
use super::edit::{Done, Undo, fault};
use super::history::{Entry, Happening};
use super::{App, EditError, now};
use crate::store::history;
use podium_core::experiment::{Action, Experiment, Status, Variant};
use podium_core::id::VariantKey;
use sea_orm::ConnectionTrait;

/// The kinds of entries that can be taken back.
const UNDOABLE: [&str; 3] = ["concluded", "variant_removed", "paused"];
/// The kinds of entries that tell of another state.
const STATES: [&str; 4] = ["started", "paused", "concluded", "archived"];

impl App {
    /// Takes back what an entry tells of, if nothing newer stands in the way.
    pub(super) async fn undo(
        &self,
        db: &impl ConnectionTrait,
        experiment: &mut Experiment,
        undo: Undo,
    ) -> Result<Done, EditError> {
        check_reason(undo.reason.as_deref())?;
        let entry = entry_of(db, experiment, undo.history_id).await?;
        if let Some(by) = entry.undone_by {
            return Err(EditError::CannotUndo(format!(
                "entry {} was undone already, by entry {by}",
                entry.id
            )));
        }
        let mut dropped_end_at = None;
        match &entry.happening {
            Happening::Concluded { before, .. } => {
                self.check_nothing_newer(experiment)?;
                let reopened = experiment.reopen(*before, now());
                dropped_end_at = reopened.map_err(|status| in_the_way(experiment, status))?;
            }
            Happening::VariantRemoved { variant, from_draft: false } => restore(experiment, variant)?,
            Happening::Paused { .. } if entry.is_automatic() => {
                let newest = history::of_kinds(db, experiment.id, &STATES).await?;
                let newest = newest.iter().find(|one| one.undone_by.is_none());
                if let Some(newer) = newest.filter(|newest| newest.id != entry.id) {
                    let (id, kind) = (newer.id, newer.happening.kind());
                    return Err(EditError::CannotUndo(format!("entry {id}, `{kind}`, is newer")));
                }
                experiment.apply(Action::Start, now())?;
            }
            other => {
                let kind = other.kind();
                let text = format!(
                    "entry {} is `{kind}`; what can be undone is a conclusion, a variant that was taken out, and a \
                     pause by the automation",
                    entry.id
                );
                return Err(EditError::CannotUndo(text));
            }
        }
        let kind = entry.happening.kind().to_owned();
        let happening = Happening::Undone { history_id: entry.id, kind, reason: undo.reason, dropped_end_at };
        Ok(Done { happening: Some(happening), undoes: Some(entry.id) })
    }

    /// Checks that the flag and the slot of a concluded experiment were not given to another.
    fn check_nothing_newer(&self, experiment: &Experiment) -> Result<(), EditError> {
        let catalog = self.published.catalog.load();
        let is_newer = |other: &&std::sync::Arc<Experiment>| {
            other.key == experiment.key && experiment.version < other.version && other.status != Status::Draft
        };
        if let Some(newer) = catalog.experiments().find(is_newer) {
            let text = format!("version {} of it is {}", newer.version, newer.status);
            return Err(EditError::CannotUndo(text));
        }
        let placed = self.place_in_group(&experiment.key, &mut experiment.definition.clone());
        placed.map_err(|error| EditError::CannotUndo(error.to_string()))
    }
}

/// The entry that is asked for, or the last one that can be taken back.
async fn entry_of(
    db: &impl ConnectionTrait,
    experiment: &Experiment,
    history_id: Option<i64>,
) -> Result<Entry, EditError> {
    if let Some(id) = history_id {
        let found = history::find(db, experiment.id, id).await?;
        let missing = || fault("/history_id", format!("there is no entry {id} in its history"));
        return found.ok_or_else(missing);
    }
    let entries = history::of_kinds(db, experiment.id, &UNDOABLE).await?;
    let last = entries.into_iter().find(|entry| entry.is_undoable() && entry.undone_by.is_none());
    last.ok_or_else(|| EditError::CannotUndo("there is nothing to undo".to_owned()))
}

/// Takes a variant in again that was taken out. It gets its share under a fixed split, else an even one.
fn restore(experiment: &mut Experiment, key: &VariantKey) -> Result<(), EditError> {
    let status = experiment.status;
    if !matches!(status, Status::Running | Status::Paused) {
        return Err(in_the_way(experiment, status));
    }
    let of_key = |variant: &&mut Variant| variant.key == *key && !variant.is_active();
    let Some(variant) = experiment.definition.variants.iter_mut().find(of_key) else {
        return Err(EditError::CannotUndo(format!("`{key}` is in it")));
    };
    variant.removed_at = None;
    Ok(())
}

fn in_the_way(experiment: &Experiment, status: Status) -> EditError {
    EditError::CannotUndo(format!("the experiment `{}` is {status} now", experiment.key))
}
