//! What happened to experiments: written in the transaction of the change, for whoever asks later.

use super::App;
use crate::clock;
use crate::store::{StoreError, history, webhooks};
use crate::webhooks::Event;
use podium_core::experiment::{Experiment, Status};
use podium_core::id::{ExperimentId, VariantKey};
use podium_core::time::Timestamp;
use sea_orm::ConnectionTrait;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const SCHEDULE: &str = "schedule";
const PODIUM: &str = "podium";

/// Who does something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Actor {
    /// Whoever has a key: its name, or its id if the name is empty or that of another actor.
    Key(String),
    /// The schedule of the experiment.
    Schedule,
    /// The automation of the experiment, and the watch.
    Podium,
}

impl Actor {
    /// Whoever has the key of this id and name.
    pub(crate) fn of_key(id: &str, name: &str) -> Self {
        let name = name.trim();
        let is_taken = name.is_empty() || [SCHEDULE, PODIUM].contains(&name);
        Self::Key(if is_taken { id } else { name }.to_owned())
    }

    /// The actor as text.
    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::Key(name) => name,
            Self::Schedule => SCHEDULE,
            Self::Podium => PODIUM,
        }
    }
}

/// One thing that happened to an experiment.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    /// As the store numbers it.
    pub(crate) id: i64,
    /// To which experiment.
    pub(crate) experiment: ExperimentId,
    /// When.
    pub(crate) at: Timestamp,
    /// Who did it.
    pub(crate) actor: String,
    /// What happened.
    pub(crate) happening: Happening,
    /// The entry that took it back.
    pub(crate) undone_by: Option<i64>,
}

impl Entry {
    /// Whether no person did it.
    pub(crate) fn is_automatic(&self) -> bool {
        self.actor == PODIUM
    }

    /// Whether it is of the sort that can be taken back. Whoever pauses an experiment by hand starts it again.
    pub(crate) fn is_undoable(&self) -> bool {
        match self.happening {
            Happening::Concluded { .. } => true,
            Happening::VariantRemoved { from_draft, .. } => !from_draft,
            Happening::Paused { .. } => self.is_automatic(),
            _ => false,
        }
    }
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "detail", rename_all = "snake_case")]
pub(crate) enum Happening {
    /// It was registered as a draft.
    Registered { version: u32 },
    /// Its definition changed: what differs, by JSON pointers into it.
    Edited { changes: BTreeMap<String, Difference> },
    /// It began, or went on after a pause.
    Started {},
    /// It was paused; by the automation because of a variant that does harm.
    Paused { harming: Option<VariantKey> },
    /// It ended, and everyone gets a variant from then on.
    Concluded { served: VariantKey, reason: Option<String>, before: Status },
    /// It was put away.
    Archived {},
    /// A variant came in.
    VariantAdded { variant: VariantKey },
    /// A variant was taken out.
    VariantRemoved { variant: VariantKey, from_draft: bool },
    /// A variant won.
    Winner { variant: VariantKey },
    /// A variant was found to be worse than the control.
    Harmful { variant: VariantKey },
    /// A variant was found to breach a guardrail.
    GuardrailBreached { variant: VariantKey, metric: String },
    /// Variants were found not to get the units that their weights say.
    Imbalance {},
    /// A finding does not hold any more.
    Retracted(Finding),
    /// What the automation would have done.
    DryRun { would: Automatic },
    /// An entry was taken back.
    Undone {
        history_id: i64,
        kind: String,
        reason: Option<String>,
        /// The end that the schedule had, and has no more because it has passed.
        dropped_end_at: Option<Timestamp>,
    },
}

/// A value before and after.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Difference {
    /// Before; null if it was not there.
    pub(crate) from: Value,
    /// After; null if it is not there any more.
    pub(crate) to: Value,
}

/// What a verdict finds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "finding", rename_all = "snake_case")]
pub(crate) enum Finding {
    /// A variant won.
    Winner { variant: VariantKey },
    /// A variant is worse than the control.
    Harmful { variant: VariantKey },
    /// A variant breaches a guardrail.
    GuardrailBreached { variant: VariantKey, metric: String },
    /// Variants do not get the units that their weights say.
    Imbalance {},
}

impl From<Finding> for Happening {
    fn from(finding: Finding) -> Self {
        match finding {
            Finding::Winner { variant } => Self::Winner { variant },
            Finding::Harmful { variant } => Self::Harmful { variant },
            Finding::GuardrailBreached { variant, metric } => Self::GuardrailBreached { variant, metric },
            Finding::Imbalance {} => Self::Imbalance {},
        }
    }
}

/// What the automation does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub(crate) enum Automatic {
    /// Concludes the experiment; everyone gets the winner.
    Conclude { serve: VariantKey },
    /// Takes a variant out that does harm.
    RemoveVariant { variant: VariantKey },
    /// Pauses the experiment because of a variant that does harm.
    Pause { variant: VariantKey },
}

impl Happening {
    /// What it is called.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Registered { .. } => "registered",
            Self::Edited { .. } => "edited",
            Self::Started {} => "started",
            Self::Paused { .. } => "paused",
            Self::Concluded { .. } => "concluded",
            Self::Archived {} => "archived",
            Self::VariantAdded { .. } => "variant_added",
            Self::VariantRemoved { .. } => "variant_removed",
            Self::Winner { .. } => "winner",
            Self::Harmful { .. } => "harmful",
            Self::GuardrailBreached { .. } => "guardrail_breached",
            Self::Imbalance {} => "imbalance",
            Self::Retracted(_) => "retracted",
            Self::DryRun { .. } => "dry_run",
            Self::Undone { .. } => "undone",
        }
    }

    /// What webhooks call it, if they are told.
    pub(crate) fn event(&self) -> Option<Event> {
        match self {
            Self::Winner { .. } => Some(Event::Winner),
            Self::Harmful { .. } => Some(Event::Harmful),
            Self::GuardrailBreached { .. } => Some(Event::GuardrailBreached),
            Self::Imbalance {} => Some(Event::Imbalance),
            Self::Retracted(_) => Some(Event::Retracted),
            Self::VariantRemoved { from_draft: false, .. } | Self::Paused { .. } => Some(Event::Stopped),
            Self::Concluded { .. } => Some(Event::Concluded),
            Self::Undone { .. } => Some(Event::Undone),
            Self::Registered { .. }
            | Self::Edited { .. }
            | Self::Started {}
            | Self::Archived {}
            | Self::VariantAdded { .. }
            | Self::VariantRemoved { .. }
            | Self::DryRun { .. } => None,
        }
    }

    /// What changed in a definition; `None` if nothing did.
    pub(super) fn edited<T: Serialize>(before: &T, after: &T) -> Option<Self> {
        let (before, after) = (serde_json::to_value(before).ok()?, serde_json::to_value(after).ok()?);
        let mut changes = BTreeMap::new();
        compare(&before, &after, String::new(), &mut changes);
        (!changes.is_empty()).then_some(Self::Edited { changes })
    }
}

/// Gathers what differs, as far inside as objects, and lists of one length, go.
fn compare(before: &Value, after: &Value, at: String, changes: &mut BTreeMap<String, Difference>) {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => {
            let added = after.keys().filter(|name| !before.contains_key(*name));
            for name in before.keys().chain(added) {
                let of =
                    |members: &serde_json::Map<String, Value>| members.get(name).cloned().unwrap_or_default();
                let name = name.replace('~', "~0").replace('/', "~1");
                compare(&of(before), &of(after), format!("{at}/{name}"), changes);
            }
        }
        (Value::Array(before), Value::Array(after)) if before.len() == after.len() => {
            for (item_idx, (before, after)) in before.iter().zip(after).enumerate() {
                compare(before, after, format!("{at}/{item_idx}"), changes);
            }
        }
        _ if before != after => {
            changes.insert(at, Difference { from: before.clone(), to: after.clone() });
        }
        _ => {}
    }
}

impl App {
    /// Writes down what happened, and what webhooks are to be told of it; the number of the entry.
    ///
    /// - `db`: the transaction of what happened.
    pub(super) async fn note(
        &self,
        db: &impl ConnectionTrait,
        experiment: &Experiment,
        by: &Actor,
        happening: &Happening,
    ) -> Result<i64, StoreError> {
        let at = clock::now();
        let id = history::insert(db, experiment.id, (at, by.as_str()), happening).await?;
        if let Some(event) = happening.event() {
            let entry = Entry {
                id,
                experiment: experiment.id,
                at,
                actor: by.as_str().to_owned(),
                happening: happening.clone(),
                undone_by: None,
            };
            let message = message(event, experiment, &entry, &self.links.public_url)?;
            webhooks::queue(db, event, &message.to_string(), at).await?;
        }
        Ok(id)
    }
}

/// What webhooks are posted of an entry.
pub(crate) fn message(
    event: Event,
    experiment: &Experiment,
    entry: &Entry,
    public_url: &str,
) -> Result<Value, StoreError> {
    let detail = serde_json::to_value(&entry.happening).map(|mut whole| whole["detail"].take());
    let detail = detail.map_err(|error| StoreError::Corrupt(error.to_string()))?;
    let path = format!("{public_url}/api/v1/experiments/{}", experiment.key);
    let version = experiment.version;
    Ok(json!({
        "type": event.as_str(),
        "timestamp": entry.at,
        "data": {
            "experiment": experiment.key,
            "version": version,
            "status": experiment.status,
            "actor": entry.actor,
            "history_id": entry.id,
            "detail": detail,
            "links": {
                "experiment": format!("{path}?version={version}"),
                "report": format!("{path}/report.html?version={version}"),
            },
        },
    }))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    #[test]
    fn nobody_is_taken_for_the_automation() {
        for (name, actor) in
            [("Ann", "Ann"), ("", "k1"), (" podium ", "k1"), ("schedule", "k1"), ("Podium", "Podium")]
        {
            assert_eq!(Actor::of_key("k1", name), Actor::Key(actor.to_owned()), "{name}");
        }
    }

    #[test]
    fn an_edit_is_told_by_what_differs() {
        let before = json!({"name": "a", "n": [1, 2], "list": [1], "in": {"a/b": 1}, "same": {"x": [1]}});
        let after = json!({"n": [1, 3], "list": [1, 2], "in": {"a/b": 2, "new": true}, "same": {"x": [1]}});
        let mut changes = BTreeMap::new();
        compare(&before, &after, String::new(), &mut changes);
        let changes: Vec<_> = changes.into_iter().map(|(at, one)| (at, one.from, one.to)).collect();
        let expected = [
            ("/in/a~1b", json!(1), json!(2)),
            ("/in/new", json!(null), json!(true)),
            ("/list", json!([1]), json!([1, 2])),
            ("/n/1", json!(2), json!(3)),
            ("/name", json!("a"), json!(null)),
        ];
        assert_eq!(changes, expected.map(|(at, from, to)| (at.to_owned(), from, to)));
    }

    /// One happening of each kind.
    pub(crate) fn each() -> Vec<Happening> {
        let variant = || VariantKey::new("b").unwrap();
        vec![
            Happening::Registered { version: 1 },
            Happening::Edited { changes: BTreeMap::new() },
            Happening::Started {},
            Happening::Paused { harming: Some(variant()) },
            Happening::Concluded { served: variant(), reason: None, before: Status::Running },
            Happening::Archived {},
            Happening::VariantAdded { variant: variant() },
            Happening::VariantRemoved { variant: variant(), from_draft: false },
            Finding::Winner { variant: variant() }.into(),
            Finding::Harmful { variant: variant() }.into(),
            Finding::GuardrailBreached { variant: variant(), metric: "aov".to_owned() }.into(),
            Finding::Imbalance {}.into(),
            Happening::Retracted(Finding::Imbalance {}),
            Happening::DryRun { would: Automatic::Pause { variant: variant() } },
            Happening::Undone {
                history_id: 1,
                kind: "paused".to_owned(),
                reason: None,
                dropped_end_at: None,
            },
        ]
    }

    #[test]
    fn the_kind_is_the_tag_that_is_stored() {
        for happening in each() {
            let stored = serde_json::to_value(&happening).unwrap();
            assert_eq!(stored["kind"], happening.kind());
            assert!(stored["detail"].is_object(), "{stored}");
            assert_eq!(serde_json::from_value::<Happening>(stored).unwrap(), happening);
        }
    }
}
