//! What all calls to the systems of others have in common: each address is checked as it is connected to, no redirect is
//! followed, no proxy of the environment asked, nothing waited for long.

mod address;
mod guard;
mod reach;

pub(crate) use address::{BadAddress, check};
pub(crate) use reach::Reach;

use guard::Guard;
use std::time::Duration;
use ureq::Agent;
use ureq::unversioned::transport::DefaultConnector;

/// How far calls of each sort may reach.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allowed {
    /// Webhooks.
    pub(crate) webhooks: Reach,
    /// Calls for external data; `None` if there are none.
    pub(crate) external: Option<Reach>,
}

/// What makes calls that reach no further than `reach` and take no longer than `timeout`.
pub(crate) fn agent(reach: Reach, timeout: Duration) -> Agent {
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .max_idle_connections(0)
        .proxy(None)
        .timeout_global(Some(timeout))
        .user_agent("podium")
        .build();
    Agent::with_parts(config, DefaultConnector::default(), Guard::new(reach))
}
