//! What a child says of the library it loaded.

use crate::channel_info::ChannelInfo;
use crate::info::{MetricInfo, PluginInfo, Skipped};
use crate::refusal::{Failed, Slug};
use crate::registry::Registry;
use serde::{Deserialize, Serialize};

/// What a child says of the library it loaded.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Manifest {
    plugin: Option<PluginInfo>,
    pub(crate) metrics: Vec<MetricInfo>,
    pub(crate) channels: Vec<ChannelInfo>,
    pub(crate) skipped: Vec<Skipped>,
    /// The slug, what was expected and what was found, if the library was refused.
    refused: Option<(String, String, String)>,
}

impl Manifest {
    pub(crate) fn of(registry: &Registry) -> Self {
        let refused = registry.refusals().first().map(|refusal| {
            (refusal.slug.as_str().to_owned(), refusal.expected.clone(), refusal.found.clone())
        });
        Self {
            plugin: registry.plugins().first().cloned(),
            metrics: registry.metrics().to_vec(),
            channels: registry.channels().to_vec(),
            skipped: registry.skipped().to_vec(),
            refused,
        }
    }

    pub(crate) fn has_only_channels(&self) -> bool {
        self.metrics.is_empty() && !self.channels.is_empty()
    }

    /// The plugin, unless it was refused.
    pub(crate) fn plugin(&self) -> Result<&PluginInfo, Failed> {
        if let Some((slug, expected, found)) = &self.refused {
            let slug = Slug::ALL.into_iter().find(|known| known.as_str() == slug).unwrap_or(Slug::InitFailed);
            return Err(Failed::new(slug, expected, found));
        }
        let nothing = || Failed::new(Slug::InitFailed, "a plugin that starts in its own process", "nothing");
        self.plugin.as_ref().ok_or_else(nothing)
    }
}
