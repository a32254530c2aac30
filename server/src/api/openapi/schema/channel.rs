//! Channels that are set up, and those that plugins offer.

use super::{Key, Time, by_hand, closed, object_of, plain};
use crate::delivery::promise;
use podium_plugin_host::ProviderClass as Class;
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa::openapi::schema::{AdditionalProperties, ObjectBuilder, Type};

/// The settings of a channel.
struct ChannelSettings;

by_hand!(
    ChannelSettings,
    plain(Type::Object)
        .description(Some(
            "What the channel's `settings_schema` says. A secret is named, as `{\"secret\": \"NAME\"}`, and looked up \
             where the server runs.",
        ))
        .additional_properties(Some(AdditionalProperties::FreeForm(true)))
        .examples([json!({"host": "smtp.example.com", "from": "Shop <news@shop.example>"})])
        .into()
);

/// A channel to be set up.
#[derive(ToSchema)]
struct NewChannelFields {
    /// Which of those that plugins offer.
    #[schema(examples("email"))]
    channel: String,
    /// Its settings; empty if absent.
    #[schema(required = false)]
    settings: ChannelSettings,
}

/// A channel to be set up.
pub(in crate::api::openapi) struct NewChannel;

by_hand!(NewChannel, closed(object_of::<NewChannelFields>()).into(), NewChannelFields::schemas);

/// Whether messages are sent on a channel. `paused`: the provider does not let us in; it goes on once it is told to, or
/// set up anew. `down`: its plugin is not there, or will not have the settings any more.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
enum ChannelState {
    Running,
    Paused,
    Down,
}

/// What is promised of each message.
struct Promise;

by_hand!(
    Promise,
    ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some("What is promised of each message."))
        .enum_values(Some(
            [Class::Keyed { key_ttl_s: 0 }, Class::Coalescing, Class::Blind, Class::Pull].map(promise),
        ))
        .into()
);

/// A channel that is set up.
#[derive(ToSchema)]
pub(in crate::api::openapi) struct Channel {
    /// Its name.
    key: Key,
    /// Which of those that plugins offer.
    #[schema(examples("email"))]
    channel: String,
    /// Its settings, as they were sent: secrets are names.
    settings: ChannelSettings,
    /// Whether messages are sent on it.
    state: ChannelState,
    /// Why not.
    #[schema(required = true)]
    why: Option<String>,
    /// What is promised of each message; null if no plugin offers the channel.
    #[schema(required = true)]
    promise: Option<Promise>,
    /// Counts its changes.
    #[schema(minimum = 1)]
    revision: i64,
    /// When it was set up.
    created_at: Time,
    /// When it was changed last.
    updated_at: Time,
}

/// What a provider can do against a message sent twice: it knows our key, replaces the earlier one, or nothing. `pull`:
/// nothing is sent, pages ask.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
enum ProviderClass {
    Keyed,
    Coalescing,
    Blind,
    Pull,
}

/// A channel that a plugin offers.
#[derive(ToSchema)]
struct OfferedChannel {
    /// What to set it up by.
    #[schema(examples("email"))]
    channel: String,
    /// What people read.
    title: String,
    /// What it does.
    description: String,
    /// The plugin's id.
    plugin: String,
    /// The plugin's version.
    plugin_version: String,
    /// What its provider can do.
    class: ProviderClass,
    /// What is promised of each message.
    promise: Promise,
    /// Whether it takes webhooks of its provider.
    takes_webhooks: bool,
    /// The JSON Schema of its settings.
    #[schema(required = true)]
    settings_schema: Value,
}

/// The channels that are set up, and those that plugins offer.
#[derive(ToSchema)]
pub(in crate::api::openapi) struct Channels {
    /// The channels, by their names.
    data: Vec<Channel>,
    /// Those that can be set up.
    offered: Vec<OfferedChannel>,
}

/// Whether messages could be delivered.
#[derive(ToSchema)]
pub(in crate::api::openapi) struct ChannelHealth {
    /// Whether they could.
    healthy: bool,
    /// What is wrong.
    #[schema(required = true)]
    detail: Option<String>,
}
