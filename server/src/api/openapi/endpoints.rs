//! Every operation, in the order of the document.

mod audiences;
mod channels;
mod deciding;
mod events;
mod experiences;
mod experiments;
mod history;
mod messages;
mod operations;
mod planning;
mod previewing;
mod profiles;
mod reports;
mod sources;

use super::endpoint::{Endpoint, in_path};
use utoipa::openapi::path::{HttpMethod, Parameter};

pub(super) const DECIDING: &str = "Deciding";
pub(super) const EVENTS: &str = "Events";
pub(super) const EXPERIMENTS: &str = "Experiments";
pub(super) const EXPERIENCES: &str = "Experiences";
pub(super) const AUDIENCES: &str = "Audiences";
pub(super) const SOURCES: &str = "Sources";
pub(super) const PROFILES: &str = "Profiles";
pub(super) const REPORTS: &str = "Reports";
pub(super) const MESSAGES: &str = "Messages";
pub(super) const CHANNELS: &str = "Channels";
pub(super) const WEBHOOKS: &str = "Webhooks";
pub(super) const KEYS: &str = "Keys and metrics";
pub(super) const OPERATIONS: &str = "Operations";

/// All of them.
pub(super) fn all() -> Vec<Endpoint> {
    let all = [
        deciding::deciding(),
        previewing::previewing(),
        events::events(),
        planning::planning(),
        experiments::experiments(),
        experiments::one_experiment(),
        experiments::lifecycle(),
        experiments::variants(),
        history::history(),
        experiences::experiences(),
        experiences::one_experience(),
        experiences::lifecycle(),
        experiences::told(),
        audiences::audiences(),
        audiences::audience_pages(),
        audiences::one_audience(),
        sources::sources(),
        profiles::profiles(),
        reports::reports(),
        reports::linked(),
        messages::messages(),
        messages::suppressions(),
        messages::links(),
        channels::channels(),
        channels::one_channel(),
        history::webhooks(),
        operations::keys(),
        operations::plugins(),
        operations::operations(),
    ];
    all.into_iter().flatten().collect()
}

/// What the server posts to others.
pub(super) fn told() -> Endpoint {
    history::told()
}

fn get(path: &'static str, id: &str) -> Endpoint {
    Endpoint::new(HttpMethod::Get, path, id)
}

fn post(path: &'static str, id: &str) -> Endpoint {
    Endpoint::new(HttpMethod::Post, path, id)
}

fn key() -> Parameter {
    in_path("key", "The key of an experiment.", "checkout-banner")
}
