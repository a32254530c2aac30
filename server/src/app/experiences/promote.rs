//! What a conclusion serves becomes a live experience.

use super::{ExperienceError, draft, invalid};
use crate::app::App;
use crate::app::history::Actor;
use crate::app::now;
use crate::store::{StoreError, experiments};
use podium_core::experience::{Action, Definition, Experience, Rule, Variant};
use podium_core::experiment::{self, Experiment};
use podium_core::id::{ExperienceKey, FlagKey, RuleKey};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// The name of the rule of an experience that was made of a conclusion for some only.
const WINNER: &str = "winner";

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

impl App {
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
        self.insert_experience(experience, Vec::new(), by).await
    }
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
            return Err(ExperienceError::NoContent(variant.key.clone()));
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
            let rules = vec![Rule {
                key,
                name: None,
                when: Some(when),
                serve: Some(served.key.clone()),
                serve_experiment: None,
            }];
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
