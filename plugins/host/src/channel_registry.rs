//! The channels of all plugins that were found.

use crate::callbacks::Callbacks;
use crate::channel_configured::Configured;
use crate::channel_descriptor::CheckedChannel;
use crate::channel_in_process::{InProcessChannel, LoadedChannel};
use crate::channel_info::ChannelInfo;
use crate::channel_instance::{ChannelCreateError, ChannelInstance};
use crate::channel_secrets::resolve_secrets;
use crate::registry::Registry;
use crate::supervised::{Plugin, SupervisedChannel};
use std::sync::Arc;

/// The channels of all loaded plugins.
#[derive(Default)]
pub(crate) struct Channels {
    infos: Vec<ChannelInfo>,
    sources: Vec<Source>,
}

/// Where instances of a channel come from.
enum Source {
    InProcess(LoadedChannel),
    Supervised(Arc<Plugin>),
}

impl Channels {
    pub(crate) fn add(&mut self, channel: CheckedChannel, callbacks: &'static Callbacks) {
        self.sources.push(Source::InProcess(LoadedChannel::new(&channel, callbacks)));
        self.infos.push(channel.info);
    }

    pub(crate) fn add_supervised(&mut self, channel: ChannelInfo, plugin: &Arc<Plugin>) {
        self.sources.push(Source::Supervised(Arc::clone(plugin)));
        self.infos.push(channel);
    }

    /// Finds the loaded channel whose id one of these has, too.
    pub(crate) fn same<'a>(&self, mut others: impl Iterator<Item = &'a ChannelInfo>) -> Option<&ChannelInfo> {
        others.find_map(|other| self.infos.iter().find(|info| info.id == other.id))
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

    /// Makes a configured instance of a channel. `secret` finds a secret by its name, if this plugin may see it; it is
    /// not asked for those that a `plugins.lock` does not let the plugin see.
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
        let (info, source) = self.channel(channel_id)?;
        let visible = |name: &str| self.may_see(&info.plugin_id, name).then(|| secret(name)).flatten();
        let config_json = resolve_secrets(&info.config_schema, config_json, &visible)?;
        Ok(match source {
            Source::InProcess(loaded) => Box::new(Configured::new(loaded.configure(config_json)?, info)),
            Source::Supervised(plugin) => {
                Box::new(Configured::new(SupervisedChannel::create(plugin, channel_id, config_json)?, info))
            }
        })
    }

    /// Makes the bare instance of a channel in this process. The configuration has its secrets.
    pub(crate) fn configure_channel(
        &self,
        channel_id: &str,
        config_json: String,
    ) -> Result<InProcessChannel, ChannelCreateError> {
        match self.channel(channel_id)? {
            (_, Source::InProcess(loaded)) => loaded.configure(config_json),
            (_, Source::Supervised(_)) => {
                Err(ChannelCreateError::Lost { text: "it runs in another process".to_owned() })
            }
        }
    }

    fn channel(&self, channel_id: &str) -> Result<(&ChannelInfo, &Source), ChannelCreateError> {
        let found =
            self.channels().iter().zip(&self.channels.sources).find(|(info, _)| info.id == channel_id);
        found.ok_or_else(|| {
            let ids: Vec<&str> = self.channels().iter().map(|channel| channel.id.as_str()).collect();
            ChannelCreateError::UnknownChannel { channel_id: channel_id.to_owned(), loaded: ids.join(", ") }
        })
    }
}
