//! Registering: a new experiment, or a new version of one.

use super::history::{Actor, Happening};
use super::{App, TrackError, first_weights, now};
use crate::delivery::RenderError;
use crate::engine::{MetricUnusable, instantiate};
use crate::store::weights::StoredWeights;
use crate::store::{StoreError, experiments, weights};
use podium_core::experiment::{Definition, Experiment, Fault, METRICS_MAX, MetricChoice, Status, Variant};
use podium_core::id::{ChannelKey, ExperimentId, ExperimentKey};
use podium_core::money::Currency;
use podium_core::value_type::ValueType;
use sea_orm::ConnectionTrait;
use serde_json::Value;
use std::collections::BTreeMap;

/// Why an experiment was not registered.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RegisterError {
    /// Fields that cannot mean what they say.
    #[error("the definition has {} faults", .0.len())]
    Invalid(Vec<Fault>),
    /// A metric that no plugin offers, or settings it will not have.
    #[error("metric: {}", .0.detail)]
    Metric(Fault),
    /// A content for a channel that is not set up.
    #[error("{}: {}", .0.pointer, .0.detail)]
    UnknownChannel(Fault),
    /// A content that its channel cannot show or send.
    #[error("{}: {}", .0.pointer, .0.detail)]
    Content(Fault),
    /// A channel's plugin does not answer.
    #[error("{0}")]
    Away(String),
    /// The key is taken.
    #[error("there is an experiment `{0}` already; make a new version of it, or choose another key")]
    KeyTaken(String),
    /// The flag is taken.
    #[error("flag `{flag}` belongs to experiment `{owner}`")]
    FlagTaken { flag: String, owner: String },
    /// The exclusion group has no room.
    #[error("exclusion group `{group}` has no free slot of share {share}; the largest one has {largest}")]
    GroupFull { group: String, share: f64, largest: f64 },
    /// A slot that was asked for belongs to another.
    #[error("the slot overlaps that of `{owner}`")]
    SlotTaken { owner: String },
    /// The database or the writer.
    #[error(transparent)]
    Track(#[from] TrackError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl RegisterError {
    /// Points into the whole that what was registered is a part of.
    ///
    /// - `part`: where the part stands in it.
    pub(super) fn within(self, part: &str) -> Self {
        self.moved(|pointer| format!("{part}{pointer}"))
    }

    /// Points into the part that was sent, and not into the whole it became part of.
    pub(super) fn below(self, part: &str) -> Self {
        self.moved(|pointer| {
            let inner = pointer.strip_prefix(part).filter(|rest| rest.is_empty() || rest.starts_with('/'));
            inner.unwrap_or(pointer).to_owned()
        })
    }

    fn moved(self, pointer: impl Fn(&str) -> String) -> Self {
        let moved = |fault: Fault| Fault { pointer: pointer(&fault.pointer), ..fault };
        match self {
            Self::Invalid(faults) => Self::Invalid(faults.into_iter().map(moved).collect()),
            Self::Metric(fault) => Self::Metric(moved(fault)),
            Self::UnknownChannel(fault) => Self::UnknownChannel(moved(fault)),
            Self::Content(fault) => Self::Content(moved(fault)),
            error => error,
        }
    }
}

/// A typed client asks for one type of value on a flag, whoever answers.
///
/// - `others`: who else does, each with its type.
pub(super) fn one_type<'a>(
    flag: &str,
    own: ValueType,
    mut others: impl Iterator<Item = (&'a str, ValueType)>,
) -> Result<(), RegisterError> {
    let Some((key, other)) = others.find(|(_, value_type)| *value_type != own) else { return Ok(()) };
    let (other, own) = (other.as_str(), own.as_str());
    let detail = format!("flag `{flag}` is answered by `{key}` with values of type {other}, not {own}");
    Err(RegisterError::Invalid(vec![Fault { pointer: "/value_type".to_owned(), detail }]))
}

impl App {
    /// Registers a draft.
    pub(crate) async fn register(
        &self,
        key: ExperimentKey,
        definition: Definition,
        by: &Actor,
    ) -> Result<Experiment, RegisterError> {
        let _editing = self.edits.lock().await;
        let definition = self.with_beside(self.checked_draft(definition).await?).await;
        if experiments::find(self.store.writer(), key.as_str(), None).await?.is_some() {
            return Err(RegisterError::KeyTaken(key.to_string()));
        }
        self.insert((key, 1), definition, by).await
    }

    /// Registers a new version of an experiment as a draft, with figures of its own.
    pub(crate) async fn register_version(
        &self,
        former: &Experiment,
        definition: Definition,
        by: &Actor,
    ) -> Result<Experiment, RegisterError> {
        let _editing = self.edits.lock().await;
        let definition = self.with_beside(self.checked_draft(definition).await?).await;
        self.insert((former.key.clone(), former.version + 1), definition, by).await
    }

    /// Checks a definition by itself and against the plugins.
    pub(super) async fn checked(&self, definition: Definition) -> Result<Definition, RegisterError> {
        let definition = definition.checked().map_err(RegisterError::Invalid)?;
        self.check_when("", definition.when.as_ref())?;
        self.check_metrics(&definition).await?;
        self.check_channels(definition.variants.iter().map(|variant| &variant.channels)).await?;
        Ok(definition)
    }

    /// Checks a condition and that the audiences it names are there.
    ///
    /// - `owner`: where what has it in `when` stands.
    pub(super) fn check_when(&self, owner: &str, when: Option<&Value>) -> Result<(), RegisterError> {
        let checked = when.map_or(Ok(()), |when| self.checked_condition(when).map(drop));
        checked.map_err(|faults| {
            let at = format!("{owner}/when");
            RegisterError::Invalid(faults.into_iter().map(|fault| fault.below(&at)).collect())
        })
    }

    /// The same for one that never ran: no variant of it was taken out.
    pub(super) async fn checked_draft(&self, definition: Definition) -> Result<Definition, RegisterError> {
        let removed_idx = definition.variants.iter().position(|variant| !variant.was_always_in());
        if let Some(variant_idx) = removed_idx {
            let is_active = definition.variants.get(variant_idx).is_some_and(Variant::is_active);
            let member = if is_active { "absences" } else { "removed_at" };
            let pointer = format!("/variants/{variant_idx}/{member}");
            let detail = "a new variant was never taken out".to_owned();
            return Err(RegisterError::Invalid(vec![Fault { pointer, detail }]));
        }
        self.checked(definition).await
    }

    async fn insert(
        &self,
        named: (ExperimentKey, u32),
        definition: Definition,
        by: &Actor,
    ) -> Result<Experiment, RegisterError> {
        let (mut experiment, stored) = self.draft(named, definition).await?;
        let transaction = self.store.begin().await?;
        self.write_draft(&transaction, (&mut experiment, &stored), by).await?;
        transaction.commit().await.map_err(StoreError::from)?;
        self.track(&experiment).await?;
        self.publish().await?;
        Ok(experiment)
    }

    /// A draft, with the weights that it starts with. Nothing is written yet.
    pub(super) async fn draft(
        &self,
        (key, version): (ExperimentKey, u32),
        mut definition: Definition,
    ) -> Result<(Experiment, StoredWeights), RegisterError> {
        self.check_flag(&key, &definition).await?;
        self.place_in_group(&key, &mut definition)?;
        let now = now();
        let experiment = Experiment {
            id: ExperimentId(0),
            key,
            version,
            definition,
            status: Status::Draft,
            served: None,
            revision: 1,
            created_at: now,
            updated_at: now,
            started_at: None,
            concluded_at: None,
        };
        let stored = StoredWeights {
            weights: first_weights(&experiment, 1),
            created_at: now,
            cause: "registered".to_owned(),
            beliefs: None,
        };
        Ok((experiment, stored))
    }

    /// Writes a draft and gives it its id.
    pub(super) async fn write_draft(
        &self,
        db: &impl ConnectionTrait,
        (experiment, stored): (&mut Experiment, &StoredWeights),
        by: &Actor,
    ) -> Result<(), StoreError> {
        experiments::insert(db, experiment).await?;
        weights::insert(db, experiment.id, stored).await?;
        let version = experiment.version;
        self.note(db, experiment, by, &Happening::Registered { version }).await?;
        Ok(())
    }

    /// Adds what the primary metric wants to be shown beside it. What is added has the same settings over the same
    /// window, as far as it has such settings.
    pub(super) async fn with_beside(&self, mut definition: Definition) -> Definition {
        let primary = definition.primary_metric.clone();
        let info = self.published.registry.find(&primary.metric);
        for id in info.into_iter().flat_map(|info| &info.beside) {
            if METRICS_MAX <= definition.secondary_metrics.len()
                || definition.metrics().any(|choice| choice.metric == *id)
            {
                continue;
            }
            let same = MetricChoice { metric: id.clone(), margin: None, direction: None, ..primary.clone() };
            let plain = MetricChoice { config: serde_json::Map::new(), ..same.clone() };
            for choice in [same, plain] {
                if self.check_metric(&choice, definition.currency).await.is_ok() {
                    definition.secondary_metrics.push(choice);
                    break;
                }
            }
        }
        definition
    }

    async fn check_metrics(&self, definition: &Definition) -> Result<(), RegisterError> {
        let secondary = |list: &'static str| move |idx: usize| format!("/{list}/{idx}");
        let pointers = std::iter::once("/primary_metric".to_owned())
            .chain((0..definition.secondary_metrics.len()).map(secondary("secondary_metrics")))
            .chain((0..definition.guardrail_metrics.len()).map(secondary("guardrail_metrics")));
        for (choice, pointer) in definition.metrics().zip(pointers) {
            self.check_metric_at(&pointer, choice, definition.currency).await?;
        }
        Ok(())
    }

    /// Tries whether a plugin offers the metric that stands at `pointer`.
    pub(super) async fn check_metric_at(
        &self,
        pointer: &str,
        choice: &MetricChoice,
        currency: Currency,
    ) -> Result<(), RegisterError> {
        let Err(unusable) = self.check_metric(choice, currency).await else { return Ok(()) };
        let member = match unusable {
            MetricUnusable::Create(podium_plugin_host::CreateError::UnknownMetric { .. }) => "metric",
            _ => "config",
        };
        let pointer = format!("{pointer}/{member}");
        Err(RegisterError::Metric(Fault { pointer, detail: unusable.to_string() }))
    }

    /// Tries whether a plugin offers the metric with these settings.
    async fn check_metric(&self, choice: &MetricChoice, currency: Currency) -> Result<(), MetricUnusable> {
        let config = serde_json::Value::Object(choice.config.clone()).to_string();
        let made = instantiate(&self.published.registry, &choice.metric, &config, currency).await;
        // To end an instance is a call, too.
        made.map(|made| drop(tokio::task::spawn_blocking(move || drop(made))))
    }

    /// Has every content that is meant for a channel rendered by it.
    ///
    /// - `variants`: the contents of each variant that are for channels.
    pub(super) async fn check_channels(
        &self,
        variants: impl Iterator<Item = &BTreeMap<ChannelKey, Value>>,
    ) -> Result<(), RegisterError> {
        for (variant_idx, channels) in variants.enumerate() {
            for (key, content) in channels.iter().filter(|(_, content)| !content.is_null()) {
                let pointer = format!("/variants/{variant_idx}/channels/{key}");
                let Some(channel) = self.channels.find(key.as_str()) else {
                    let detail = format!("no channel `{key}` is set up");
                    return Err(RegisterError::UnknownChannel(Fault { pointer, detail }));
                };
                if let Err(error) = self.channels.render(&channel, &content.to_string()).await {
                    return Err(match error {
                        RenderError::Content(detail) => RegisterError::Content(Fault { pointer, detail }),
                        error @ RenderError::Away(_) => RegisterError::Away(error.to_string()),
                    });
                }
            }
        }
        Ok(())
    }

    /// Checks that no other experiment answers on the flag, and that whoever else does gives the same type of value.
    pub(super) async fn check_flag(
        &self,
        key: &ExperimentKey,
        definition: &Definition,
    ) -> Result<(), RegisterError> {
        let flag = definition.flag_key.as_ref().map_or(key.as_str(), |flag| flag.as_str());
        let catalog = self.published.catalog.load_full();
        let owner = catalog
            .experiments()
            .find(|other| other.status != Status::Archived && other.key != *key && other.flag_key() == flag);
        if let Some(owner) = owner {
            return Err(RegisterError::FlagTaken { flag: flag.to_owned(), owner: owner.key.to_string() });
        }
        let Some(own) = definition.value_type() else { return Ok(()) };
        let shown = self.experiences_shown().await?;
        let others = shown.iter().filter(|other| other.flag_key() == flag);
        one_type(flag, own, others.map(|other| (other.key.as_str(), other.definition.answer_type())))
    }

    /// Finds the experiment a free slot in its exclusion group.
    pub(super) fn place_in_group(
        &self,
        key: &ExperimentKey,
        definition: &mut Definition,
    ) -> Result<(), RegisterError> {
        const SLACK: f64 = 1e-9;
        let Some(group) = &mut definition.exclusion_group else { return Ok(()) };
        let catalog = self.published.catalog.load();
        let mut taken: Vec<(f64, f64, String)> = catalog
            .experiments()
            .filter(|other| {
                other.key != *key && matches!(other.status, Status::Draft | Status::Running | Status::Paused)
            })
            .filter_map(|other| {
                let slot = other.definition.exclusion_group.as_ref().filter(|slot| slot.key == group.key)?;
                let start = slot.start.unwrap_or(0.0);
                Some((start, start + slot.share, other.key.to_string()))
            })
            .collect();
        taken.sort_by(|a, b| a.0.total_cmp(&b.0));
        if let Some(start) = group.start {
            let end = start + group.share;
            let overlap = taken.into_iter().find(|(from, to, _)| *from + SLACK < end && start + SLACK < *to);
            return overlap.map_or(Ok(()), |(_, _, owner)| Err(RegisterError::SlotTaken { owner }));
        }
        let (mut free_from, mut largest) = (0.0_f64, 0.0_f64);
        let ends = taken.into_iter().map(|(from, to, _)| (from, to)).chain([(1.0, 1.0)]);
        for (from, to) in ends {
            largest = largest.max(from - free_from);
            if group.share <= from - free_from + SLACK {
                group.start = Some(free_from);
                return Ok(());
            }
            free_from = free_from.max(to);
        }
        Err(RegisterError::GroupFull { group: group.key.to_string(), share: group.share, largest })
    }
}
