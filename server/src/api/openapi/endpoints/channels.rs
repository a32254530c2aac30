//! Channels: set up, change, try, remove; and the webhooks of their providers.

use super::super::endpoint::{Endpoint, JSON, etag, in_path, none};
use super::super::examples;
use super::super::schema::{Channel, ChannelHealth, Channels, NewChannel};
use super::{CHANNELS, get, post};
use crate::auth::Scope;
use crate::problem::Kind;
use utoipa::openapi::path::HttpMethod;

const ONE: &str = "/api/v1/channels/{key}";

fn of_channel(endpoint: Endpoint) -> Endpoint {
    endpoint.tag(CHANNELS).param(in_path("key", "The name of a channel.", "mail")).fails(&[Kind::NotFound])
}

pub(super) fn channels() -> Vec<Endpoint> {
    vec![
        get("/api/v1/channels", "listChannels")
            .tag(CHANNELS)
            .says("List channels", "Those that are set up, and those that plugins offer.")
            .needs(Scope::Server)
            .answers::<Channels>(200, "The channels.", none),
        of_channel(get(ONE, "readChannel"))
            .says("Read a channel", "")
            .needs(Scope::Server)
            .answers::<Channel>(200, "The channel.", none)
            .with_header("ETag", etag()),
        of_channel(Endpoint::new(HttpMethod::Put, ONE, "putChannel"))
            .says(
                "Set up a channel, or change it",
                "A new name needs no `If-Match`. A channel that was paused goes on.",
            )
            .needs(Scope::Admin)
            .guarded_if_there()
            .takes::<NewChannel>(true, &[JSON], examples::new_channel)
            .answers::<Channel>(201, "The channel, which is new.", none)
            .with_header("ETag", etag())
            .answers::<Channel>(200, "The channel, which was there.", none)
            .with_header("ETag", etag())
            .fails(&[Kind::UnknownChannel, Kind::ChannelSettings])
            .stores(),
        of_channel(Endpoint::new(HttpMethod::Delete, ONE, "removeChannel"))
            .says("Remove a channel", "What waits for it is not sent.")
            .needs(Scope::Admin)
            .guarded()
            .answers_nothing(204, "It is gone.")
            .stores(),
    ]
}

pub(super) fn one_channel() -> Vec<Endpoint> {
    vec![
        of_channel(get("/api/v1/channels/{key}/health", "checkChannel"))
            .says(
                "Try a channel",
                "Whether messages could be delivered; none is. 200 whatever comes of it.",
            )
            .needs(Scope::Server)
            .answers::<ChannelHealth>(200, "What came of it.", none),
        of_channel(post("/api/v1/channels/{key}/resume", "resumeChannel"))
            .says("Let a paused channel go on", "One that is not paused stays as it is.")
            .needs(Scope::Admin)
            .answers_nothing(204, "It goes on.")
            .stores(),
        of_channel(post("/api/v1/channels/{key}/webhook", "receiveWebhook"))
            .says(
                "Take a provider's webhook",
                "Needs no key: the channel's plugin checks that it is the provider's. What it tells of messages \
                 becomes events, and addresses that bounce or complain are suppressed.",
            )
            .takes_anything("What the provider sends.")
            .answers_nothing(204, "It counts.")
            .fails(&[Kind::WebhookRefused, Kind::QueueFull])
            .stores(),
    ]
}
