//! The channels of all plugins that were found.

use crate::callbacks::Callbacks;
use crate::channel_descriptor::CheckedChannel;
use crate::channel_in_process::LoadedChannel;
use crate::channel_info::ChannelInfo;
use crate::channel_instance::{ChannelCreateError, ChannelInstance};
use crate::channel_secrets::resolve_secrets;
use crate::registry::Registry;

/// The channels of all loaded plugins.
#[derive(Default)]
pub(crate) struct Channels {
    infos: Vec<ChannelInfo>,
    loaded: Vec<LoadedChannel>,
}

impl Channels {
    pub(crate) fn add(&mut self, channel: CheckedChannel, callbacks: &'static Callbacks) {
        self.loaded.push(LoadedChannel::new(&channel, callbacks));
        self.infos.push(channel.info);
    }

    /// Finds the loaded channel whose id one of these has, too.
    pub(crate) fn same(&self, others: &[CheckedChannel]) -> Option<&ChannelInfo> {
        self.infos.iter().find(|info| others.iter().any(|other| other.info.id == info.id))
    }

    pub(crate) fn infos(&self) -> &[ChannelInfo] {
        &self.infos
    }
}

impl Registry {
    /// Lists the channels of all loaded plugins.
    pub fn channels(&self) -> &[ChannelInfo] {
        self.channels.infos()
    }

    /// Finds a channel by its id.
    pub fn find_channel(&self, channel_id: &str) -> Option<&ChannelInfo> {
        self.channels().iter().find(|channel| channel.id == channel_id)
    }

    /// Makes a configured instance of a channel that needs no secrets. An empty configuration is `{}`.
    ///
    /// # Errors
    ///
    /// [`ChannelCreateError`]; [`ChannelCreateError::Config`] if the configuration is the reason.
    pub fn create_channel(
        &self,
        channel_id: &str,
        config_json: &str,
    ) -> Result<Box<dyn ChannelInstance>, ChannelCreateError> {
        self.create_channel_with(channel_id, config_json, &|_| None)
    }

    /// Makes a configured instance of a channel. `secret` finds a secret by its name, if this plugin may see it.
    ///
    /// # Errors
    ///
    /// [`ChannelCreateError`]; [`ChannelCreateError::Config`] if the configuration is the reason, for example
    /// because it names a secret that is not there.
    pub fn create_channel_with(
        &self,
        channel_id: &str,
        config_json: &str,
        secret: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Box<dyn ChannelInstance>, ChannelCreateError> {
        let idx = self.channels().iter().position(|channel| channel.id == channel_id).ok_or_else(|| {
            let ids: Vec<&str> = self.channels().iter().map(|channel| channel.id.as_str()).collect();
            ChannelCreateError::UnknownChannel { channel_id: channel_id.to_owned(), loaded: ids.join(", ") }
        })?;
        let config_json = resolve_secrets(&self.channels()[idx].config_schema, config_json, secret)?;
        Ok(Box::new(self.channels.loaded[idx].configure(config_json)?))
    }
}
