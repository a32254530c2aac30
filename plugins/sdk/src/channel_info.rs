//! What a channel says of itself.

use podium_plugin_abi::codes;

const HOUR_S: u32 = 3_600;

/// What the provider does with a message that comes twice. It decides what happens when nobody knows whether a
/// message left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// It knows the idempotency key and sends once: asked again with the same key.
    Keyed {
        /// How long it remembers a key, in hours.
        ttl_h: u32,
    },
    /// It replaces an earlier message with the same collapse key: asked again, seen once.
    Coalescing,
    /// It sends again: asked again only for transactional messages.
    Blind,
    /// Nothing is sent: the page asks.
    Pull,
}

/// What a channel says of itself: identity, class of the provider, and limits.
///
/// Unless said otherwise: one message a call, one call at a time, payloads of any size.
#[derive(Clone, Copy, Debug)]
pub struct ChannelInfo {
    pub(crate) id: &'static str,
    pub(crate) title: &'static str,
    pub(crate) description: &'static str,
    pub(crate) class: Class,
    pub(crate) batch_max: u32,
    pub(crate) parallel_max: u32,
    pub(crate) payload_limit: u32,
}

impl ChannelInfo {
    /// Describes a channel.
    pub const fn new(id: &'static str, title: &'static str, class: Class) -> Self {
        Self { id, title, description: "", class, batch_max: 1, parallel_max: 1, payload_limit: 0 }
    }

    /// Says in a sentence or two whom it reaches, and how.
    #[must_use]
    pub const fn description(self, description: &'static str) -> Self {
        Self { description, ..self }
    }

    /// Says how many messages one call takes, at least 1.
    #[must_use]
    pub const fn batch(self, n_messages: u32) -> Self {
        Self { batch_max: n_messages, ..self }
    }

    /// Says how many calls may run at a time, at least 1.
    #[must_use]
    pub const fn parallel(self, n_calls: u32) -> Self {
        Self { parallel_max: n_calls, ..self }
    }

    /// Says how many bytes the texts of a payload may have together; larger messages never get here.
    #[must_use]
    pub const fn payload_limit(self, n_bytes: u32) -> Self {
        Self { payload_limit: n_bytes, ..self }
    }
}

impl Class {
    pub(crate) const fn code(self) -> u32 {
        match self {
            Self::Keyed { .. } => codes::PROVIDER_KEYED,
            Self::Coalescing => codes::PROVIDER_COALESCING,
            Self::Blind => codes::PROVIDER_BLIND,
            Self::Pull => codes::PROVIDER_PULL,
        }
    }

    pub(crate) const fn key_ttl_s(self) -> u32 {
        match self {
            Self::Keyed { ttl_h } => ttl_h.saturating_mul(HOUR_S),
            Self::Coalescing | Self::Blind | Self::Pull => 0,
        }
    }
}
