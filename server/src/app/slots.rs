//! What pages are given: contents of variants as a channel rendered them when they were published. To decide asks no
//! plugin.

use super::App;
use crate::delivery::Configured;
use podium_core::experiment::{Experiment, Status};
use podium_core::id::ExperimentId;
use podium_plugin_host::{Escaping, Filled, Payload};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Rendered contents, by channel, experiment and position of the variant.
#[derive(Clone, Debug, Default)]
pub(crate) struct Slots(Arc<HashMap<Box<str>, HashMap<(ExperimentId, usize), Slot>>>);

/// The rendered content of a variant.
#[derive(Clone, Debug)]
enum Slot {
    /// The same for everybody.
    Fixed(Box<RawValue>),
    /// With placeholders.
    Template(Arc<Payload>),
}

impl Slots {
    /// What a page is given of a variant on a channel; `None` if the channel has not rendered it.
    ///
    /// - `value`: what placeholders are filled with.
    pub(crate) fn content<'v>(
        &self,
        channel: &str,
        variant: (ExperimentId, usize),
        value: impl Fn(&str) -> Option<&'v str>,
    ) -> Option<Box<RawValue>> {
        match self.0.get(channel)?.get(&variant)? {
            Slot::Fixed(content) => Some(content.clone()),
            Slot::Template(payload) => Some(content(payload, value)),
        }
    }
}

/// A payload as an object of its parts: JSON as it is, all else as text. `null`, the page's default, if a value may
/// not stand where its placeholder is.
fn content<'v>(payload: &Payload, value: impl Fn(&str) -> Option<&'v str>) -> Box<RawValue> {
    #[derive(Serialize)]
    #[serde(untagged)]
    enum Part<'a> {
        Json(Box<RawValue>),
        Text(&'a str),
    }
    let parts = |filled: &Filled| {
        let part = |escaping, text: &'_ str| match escaping {
            Escaping::Json => RawValue::from_string(text.to_owned()).ok(),
            _ => None,
        };
        let parts: BTreeMap<&str, Part<'_>> = filled
            .parts()
            .iter()
            .map(|text| {
                let json = part(text.escaping, &text.text);
                (text.name.as_str(), json.map_or(Part::Text(&text.text), Part::Json))
            })
            .collect();
        to_raw_value(&parts).ok()
    };
    let filled = payload.fill(value, |_, target| target.to_owned()).ok();
    filled.as_ref().and_then(parts).unwrap_or_else(|| RawValue::NULL.to_owned())
}

impl App {
    /// Has the contents of experiments rendered by every channel that pages ask.
    pub(super) async fn rendered(&self, experiments: impl Iterator<Item = &Experiment>) -> Slots {
        let channels = self.channels.all();
        let pulled: Vec<_> =
            channels.values().filter(|channel| channel.info.is_some() && !channel.is_push()).collect();
        let mut slots: HashMap<Box<str>, HashMap<_, _>> = HashMap::new();
        for experiment in experiments.filter(|experiment| experiment.status != Status::Archived) {
            for channel in &pulled {
                for (variant_idx, variant) in experiment.definition.variants.iter().enumerate() {
                    let key = channel.stored.key.as_str();
                    let Some(slot) = self.slot(channel, variant).await else { continue };
                    slots.entry(key.into()).or_default().insert((experiment.id, variant_idx), slot);
                }
            }
        }
        Slots(Arc::new(slots))
    }

    async fn slot(
        &self,
        channel: &Arc<Configured>,
        variant: &podium_core::experiment::Variant,
    ) -> Option<Slot> {
        let key = channel.stored.key.as_str();
        let content_on = variant.content_on(key);
        if content_on.is_null() {
            return None;
        }
        match self.channels.render(channel, &content_on.to_string()).await {
            Ok((_, payload)) if payload.placeholders().is_empty() => {
                Some(Slot::Fixed(content(&payload, |_| None)))
            }
            Ok((_, payload)) => Some(Slot::Template(payload)),
            // What was meant for the channel and cannot be shown is the page's default, and never raw.
            Err(error) if variant.channels.keys().any(|named| named.as_str() == key) => {
                tracing::error!(channel = key, variant = %variant.key, %error, "pages show their default");
                Some(Slot::Fixed(RawValue::NULL.to_owned()))
            }
            Err(_) => None,
        }
    }
}
