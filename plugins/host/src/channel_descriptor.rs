//! Checks the channels of a descriptor and copies what they say.

use crate::channel_info::{ChannelInfo, ProviderClass};
use crate::descriptor::{bad, read, texts};
use crate::info::PluginInfo;
use crate::refusal::Failed;
use podium_plugin_abi::{Component, CreateFn, DeliverFn, DestroyFn, HealthFn, IngestFn, RenderFn};

/// No call takes more messages, whatever a channel says.
const BATCH_MAX: u32 = 10_000;
/// No channel has more calls at a time, whatever it says.
const PARALLEL_MAX: u32 = 1_024;

/// A channel that passed every check.
pub(crate) struct CheckedChannel {
    pub(crate) info: ChannelInfo,
    pub(crate) functions: ChannelFunctions,
}

/// What can be called of a channel. The library is never closed, so these stay valid.
#[derive(Clone, Copy)]
pub(crate) struct ChannelFunctions {
    pub(crate) create: CreateFn,
    pub(crate) destroy: DestroyFn,
    pub(crate) render: RenderFn,
    pub(crate) deliver: Option<DeliverFn>,
    pub(crate) ingest: Option<IngestFn>,
    pub(crate) health: Option<HealthFn>,
}

/// Checks one channel.
///
/// # Safety
///
/// The component's pointers are null or valid as long as the process lives.
pub(crate) unsafe fn check(
    component: &Component,
    id: String,
    plugin: &PluginInfo,
) -> Result<CheckedChannel, Failed> {
    // SAFETY: null, or a channel of the descriptor.
    let channel = unsafe { read(component.channel) }?;
    let wrong = |what: &str, found: String| bad(format!("{what} of {id}"), found);
    let missing = |name: &str| wrong(&format!("the function `{name}`"), "null".into());
    let class = ProviderClass::from_abi(&channel);
    if class == (ProviderClass::Keyed { key_ttl_s: 0 }) {
        return Err(wrong("a key_ttl_s of at least 1", "0".into()));
    }
    if class != ProviderClass::Pull && channel.deliver.is_none() {
        return Err(missing("deliver"));
    }
    for (what, found) in [("max_batch", channel.max_batch), ("max_parallel", channel.max_parallel)] {
        if found == 0 {
            return Err(wrong(&format!("a {what} of at least 1"), "0".into()));
        }
    }
    let functions = ChannelFunctions {
        create: component.create.ok_or_else(|| missing("create"))?,
        destroy: component.destroy.ok_or_else(|| missing("destroy"))?,
        render: channel.render.ok_or_else(|| missing("render"))?,
        deliver: channel.deliver,
        ingest: channel.ingest,
        health: channel.health,
    };
    // SAFETY: the component's texts are constant.
    let [title, description, config_schema] = unsafe { texts(component, &id) }?;
    let info = ChannelInfo {
        id,
        title,
        description,
        plugin_id: plugin.id.clone(),
        plugin_version: plugin.version.clone(),
        file: plugin.file.clone(),
        config_schema,
        class,
        batch_max: channel.max_batch.min(BATCH_MAX) as usize,
        parallel_max: channel.max_parallel.min(PARALLEL_MAX) as usize,
        payload_limit: (channel.payload_limit != 0).then_some(channel.payload_limit as usize),
        takes_webhooks: channel.ingest.is_some(),
    };
    Ok(CheckedChannel { info, functions })
}
