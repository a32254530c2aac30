//! Settings of channels.

use super::delivery::LATE_ARRIVAL_MAX;
use super::double::Does;
use super::{ChannelSubject, Checked, Double, Failed, broken};
use crate::channel_instance::ChannelCreateError;
use crate::conformance::config::{Settings, Unmade};
use std::thread;

impl ChannelSubject<'_> {
    pub(super) fn honest_config(&self) -> Checked {
        let watched = Double::start(self.trial.protocol, Does::Closes)?;
        drop(self.create(watched.address())?);
        thread::sleep(LATE_ARRIVAL_MAX);
        if watched.seen().n_connections() > 0 {
            return broken("making an instance connects to the provider, which may be down then");
        }
        let create = |config_json: &str| match self.try_create(config_json) {
            Ok(_) => Ok(()),
            Err(ChannelCreateError::Config { text }) => Err(Unmade::Config(text)),
            Err(error) => Err(Unmade::Otherwise(error.to_string())),
        };
        let (schema_json, good_json) = (&self.info.config_schema, &self.config(watched.address()));
        Settings { schema_json, good_json, create: &create }.are_honest().map_err(Failed::Broken)
    }
}
