//! What pages are given: contents of variants as a channel rendered them when they were published. To decide asks no
//! plugin.

use super::{App, as_experiment};
use crate::delivery::{Configured, RenderError};
use podium_core::experience::Experience;
use podium_core::experiment::Experiment;
use podium_core::id::{ChannelKey, ExperimentId};
use podium_plugin_host::{Escaping, Filled, Payload};
use serde::Serialize;
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Rendered contents, by channel, experiment and position of the variant.
#[derive(Clone, Debug, Default)]
pub(crate) struct Slots(Arc<HashMap<Box<str>, OfChannel>>);

/// The content of a variant, and those that are for channels, by whose it is and the position.
type Contents<'a> = ((ExperimentId, usize), (&'a Value, &'a BTreeMap<ChannelKey, Value>));

/// Rendered contents by experiment and position of the variant.
type OfChannel = HashMap<(ExperimentId, usize), Slot>;

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
    /// Has contents rendered by every channel that pages ask, and says whether all of them answered. One that does not
    /// answer is not asked again this time: nobody waits for a plugin twice.
    pub(super) async fn rendered(
        &self,
        experiments: &[&Experiment],
        experiences: &[Experience],
    ) -> (Slots, bool) {
        let of_experiments = experiments.iter().flat_map(|experiment| {
            let variants = experiment.definition.variants.iter().enumerate();
            variants.map(|(idx, variant)| ((experiment.id, idx), (&variant.content, &variant.channels)))
        });
        let of_experiences = experiences.iter().flat_map(|experience| {
            let (id, variants) = (as_experiment(experience.id), experience.definition.variants.iter());
            variants.enumerate().map(move |(idx, variant)| ((id, idx), (&variant.content, &variant.channels)))
        });
        let contents: Vec<_> = of_experiments.chain(of_experiences).collect();
        let channels = self.channels.all();
        let is_pulled = |channel: &&Arc<Configured>| channel.info.is_some() && !channel.is_push();
        let (mut slots, mut all_answered) = (HashMap::new(), true);
        for channel in channels.values().filter(is_pulled) {
            let (of_channel, answered) = self.rendered_by(channel, &contents).await;
            slots.insert(channel.stored.key.as_str().into(), of_channel);
            all_answered &= answered;
        }
        (Slots(Arc::new(slots)), all_answered)
    }

    async fn rendered_by(&self, channel: &Arc<Configured>, contents: &[Contents<'_>]) -> (OfChannel, bool) {
        let key = channel.stored.key.as_str();
        let (mut slots, mut answers) = (OfChannel::new(), true);
        for (variant, (content, channels)) in contents {
            let own = channels.iter().find(|(named, _)| named.as_str() == key).map(|(_, own)| own);
            let content_on = own.unwrap_or(content);
            if content_on.is_null() {
                continue;
            }
            let rendered = if answers {
                self.channels.render(channel, &content_on.to_string()).await
            } else {
                Err(RenderError::Away("it did not answer before".to_owned()))
            };
            answers &= !matches!(rendered, Err(RenderError::Away(_)));
            if let Some(slot) = slot(rendered, own.is_some()) {
                slots.insert(*variant, slot);
            }
        }
        if !answers {
            tracing::error!(channel = key, "the plugin does not answer: pages show their defaults for now");
        }
        (slots, answers)
    }
}

/// What pages are given; `None`: the content as it was written.
///
/// - `is_meant`: whether the content is for this channel alone. Then it is never given as it was written.
fn slot(rendered: Result<(String, Arc<Payload>), RenderError>, is_meant: bool) -> Option<Slot> {
    match rendered {
        Ok((_, payload)) if payload.placeholders().is_empty() => {
            Some(Slot::Fixed(content(&payload, |_| None)))
        }
        Ok((_, payload)) => Some(Slot::Template(payload)),
        Err(RenderError::Content(_)) if !is_meant => None,
        Err(_) => Some(Slot::Fixed(RawValue::NULL.to_owned())),
    }
}
