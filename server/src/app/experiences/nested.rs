//! Experiments that rules have decide: registered with the experience, started and put away with it.

use super::{ExperienceError, invalid};
use crate::app::history::Actor;
use crate::app::{App, Change, Wish};
use crate::store::experiments;
use crate::store::weights::StoredWeights;
use crate::store::{StoreError, experiences};
use podium_core::experience::{Experience, Status};
use podium_core::experiment::{self, Definition, Experiment};
use podium_core::id::ExperimentKey;
use sea_orm::ConnectionTrait;
use std::collections::BTreeSet;

/// An experiment that is registered with a rule.
#[derive(Debug)]
pub(crate) struct Nested {
    /// Which rule has it decide.
    pub(crate) rule_idx: usize,
    /// Its name.
    pub(crate) key: ExperimentKey,
    /// What it asks.
    pub(crate) definition: Definition,
}

/// A draft with the weights that it starts with.
pub(super) type Draft = (Experiment, StoredWeights);

impl Nested {
    fn place(&self) -> String {
        format!("/rules/{}/experiment", self.rule_idx)
    }
}

impl App {
    /// Makes drafts of what is registered with the rules. Nothing is written yet.
    pub(super) async fn nested_drafts(
        &self,
        experience: &Experience,
        nested: Vec<Nested>,
    ) -> Result<Vec<Draft>, ExperienceError> {
        let mut drafts: Vec<Draft> = Vec::with_capacity(nested.len());
        for one in nested {
            let place = one.place();
            let taken = experiments::find(self.store.writer(), one.key.as_str(), None).await?.is_some();
            if taken || drafts.iter().any(|(other, _)| other.key == one.key) {
                let detail = format!("there is an experiment `{}` already; choose another key", one.key);
                return Err(invalid(&format!("{place}/key"), detail));
            }
            let Nested { key, definition, .. } = one;
            let elsewhere = [
                ("flag_key", definition.flag_key.is_some(), "it answers to the flag of the experience"),
                ("exclusion_group", definition.exclusion_group.is_some(), "the rules say who is in it"),
            ];
            if let Some((member, _, why)) = elsewhere.into_iter().find(|(_, is_there, _)| *is_there) {
                return Err(invalid(&format!("{place}/{member}"), format!("leave it out: {why}")));
            }
            let draft = match self.checked_draft(definition).await {
                Ok(definition) => self.draft((key, 1), self.with_beside(definition).await).await,
                Err(error) => Err(error),
            };
            drafts.push(draft.map_err(|error| error.within(&place))?);
        }
        for (rule_idx, rule) in experience.definition.rules.iter().enumerate() {
            let Some(key) = &rule.serve_experiment else { continue };
            let place = format!("/rules/{rule_idx}/serve_experiment");
            let catalog = self.published.catalog.load();
            let draft = drafts.iter().map(|(draft, _)| draft).find(|draft| draft.key == *key);
            let known = || catalog.named(key.as_str()).filter(|known| known.key == *key);
            let Some(experiment) = draft.or_else(known) else {
                return Err(invalid(&place, format!("there is no experiment `{key}`")));
            };
            check_served(experience, experiment).map_err(|detail| invalid(&place, detail))?;
        }
        Ok(drafts)
    }

    /// Writes the drafts that go with an experience.
    pub(super) async fn write_nested(
        &self,
        db: &impl ConnectionTrait,
        drafts: &mut [Draft],
        by: &Actor,
    ) -> Result<(), StoreError> {
        for (draft, stored) in drafts {
            self.write_draft(db, (draft, stored), by).await?;
        }
        Ok(())
    }

    /// Starts the drafts among the experiments that the rules of a live experience have decide.
    pub(super) async fn start_nested(
        &self,
        experience: &Experience,
        by: &Actor,
    ) -> Result<(), ExperienceError> {
        for experiment in self.nested(experience).await? {
            if experiment.status == experiment::Status::Draft {
                let place = (experiment.key.as_str(), Some(experiment.version));
                self.edit_alone(place, None, by, Change::Start).await?;
            }
        }
        Ok(())
    }

    /// Ends the experiments that the rules of an experience had decide, and puts them away: the report says what won. An
    /// experiment that another experience has decide goes on.
    pub(super) async fn archive_nested(
        &self,
        experience: &Experience,
        by: &Actor,
    ) -> Result<(), ExperienceError> {
        let all = experiences::all(self.store.writer()).await?;
        let others = all.iter().filter(|other| other.id != experience.id && other.status != Status::Archived);
        let kept: Vec<_> = others.flat_map(|other| &other.definition.rules).collect();
        for experiment in self.nested(experience).await? {
            if kept.iter().any(|rule| rule.serve_experiment.as_ref() == Some(&experiment.key)) {
                continue;
            }
            let place = (experiment.key.as_str(), Some(experiment.version));
            if matches!(experiment.status, experiment::Status::Running | experiment::Status::Paused) {
                let conclusion = self.conclusion(&experiment, None, Wish::default()).await?;
                self.edit_alone(place, None, by, Change::Conclude(conclusion)).await?;
            }
            if experiment.status != experiment::Status::Archived {
                self.edit_alone(place, None, by, Change::Archive).await?;
            }
        }
        Ok(())
    }

    async fn nested(&self, experience: &Experience) -> Result<Vec<Experiment>, StoreError> {
        // Several rules may have one experiment decide.
        let keys: BTreeSet<_> =
            experience.definition.rules.iter().filter_map(|rule| rule.serve_experiment.as_ref()).collect();
        let mut found = Vec::with_capacity(keys.len());
        for key in keys {
            found.extend(experiments::find(self.store.writer(), key.as_str(), None).await?);
        }
        Ok(found)
    }
}

/// Whether an experiment can decide for a rule: clients ask for one type on a flag, and the flag is not its own.
fn check_served(experience: &Experience, experiment: &Experiment) -> Result<(), String> {
    let (own, flag) = (experience.definition.answer_type(), experience.flag_key());
    if experiment.status == experiment::Status::Archived {
        return Err(format!("`{}` is put away", experiment.key));
    }
    if experiment.flag_key() == flag {
        let key = &experiment.key;
        return Err(format!("`{key}` answers to flag `{flag}` itself; an experiment of a rule has another"));
    }
    match experiment.definition.value_type() {
        Some(other) if other == own => Ok(()),
        Some(other) => {
            let (other, own) = (other.as_str(), own.as_str());
            Err(format!("its contents are of type {other}, those of the experience of type {own}"))
        }
        None => Err("its control has no content that could be shown".to_owned()),
    }
}
