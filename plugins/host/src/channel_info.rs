//! What channels say of themselves, checked and copied.

use podium_plugin_abi::{self as abi, codes};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What the provider does with a message that comes twice: what may be done when an outcome is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ProviderClass {
    /// It knows the idempotency key and sends once.
    Keyed {
        /// How long it remembers a key, in seconds.
        key_ttl_s: u32,
    },
    /// It replaces an earlier message with the same collapse key.
    Coalescing,
    /// It sends again.
    Blind,
    /// Nothing is sent: the page asks.
    Pull,
}

impl ProviderClass {
    pub(crate) fn from_abi(channel: &abi::Channel) -> Self {
        match channel.provider_class {
            codes::PROVIDER_KEYED => Self::Keyed { key_ttl_s: channel.key_ttl_s },
            codes::PROVIDER_COALESCING => Self::Coalescing,
            codes::PROVIDER_PULL => Self::Pull,
            _ => Self::Blind,
        }
    }
}

/// A channel of a loaded plugin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelInfo {
    /// The id that it is asked for by; unique among loaded channels.
    pub id: String,
    /// A few words for people.
    pub title: String,
    /// A sentence or two for people; may be empty.
    pub description: String,
    /// The plugin it belongs to.
    pub plugin_id: String,
    /// The version of the plugin.
    pub plugin_version: String,
    /// The file of the plugin.
    pub file: PathBuf,
    /// The JSON Schema of its configuration. Where a secret goes, it says `"x-podium-secret": true`.
    pub config_schema: String,
    /// What may be done when an outcome is unknown.
    pub class: ProviderClass,
    /// Messages per call, at least 1.
    pub batch_max: usize,
    /// Calls at a time, at least 1; `render` is not among them.
    pub parallel_max: usize,
    /// The most bytes that the texts of a payload may have together; `None`: 1 MiB, as for all.
    pub payload_limit: Option<usize>,
    /// Whether it takes webhooks.
    pub takes_webhooks: bool,
}
