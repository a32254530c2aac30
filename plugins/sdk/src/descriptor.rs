//! Builds the descriptor, once, when the host asks for it.

use crate::channel::Channel;
use crate::channel_entry;
use crate::channel_info::Class;
use crate::entry;
use crate::metric::{Metric, Sums};
use podium_plugin_abi::{self as abi, Component, Plugin, Str, codes};
use std::mem::size_of;
use std::panic::catch_unwind;
use std::ptr;
use std::sync::OnceLock;

/// Builds one component of the descriptor.
pub type Part = fn() -> Component;

/// The descriptor of a library, built when first asked for and then constant.
pub struct Descriptor {
    id: &'static str,
    version: &'static str,
    parts: &'static [Part],
    built: OnceLock<Option<Built>>,
}

/// A descriptor whose pointers stay valid: everything behind them is leaked, once for a process.
struct Built(&'static Plugin);

// SAFETY: the descriptor is never written again, and everything it points to is as constant.
unsafe impl Send for Built {}
// SAFETY: as above.
unsafe impl Sync for Built {}

impl Descriptor {
    /// Prepares the descriptor of a library.
    pub const fn new(id: &'static str, version: &'static str, parts: &'static [Part]) -> Self {
        Self { id, version, parts, built: OnceLock::new() }
    }

    /// Returns the descriptor, always the same; null if building it panicked.
    pub fn get(&'static self) -> *const Plugin {
        // The parts are functions of constants: nothing is left half done by a panic.
        let built = self.built.get_or_init(|| catch_unwind(|| self.build()).ok());
        built.as_ref().map_or(ptr::null(), |built| ptr::from_ref(built.0))
    }

    fn build(&self) -> Built {
        let components: Vec<*const Component> =
            self.parts.iter().map(|part| ptr::from_ref(leak(part()))).collect();
        Built(leak(Plugin {
            magic: abi::MAGIC,
            abi_major: abi::ABI_MAJOR,
            abi_minor: abi::ABI_MINOR,
            struct_size: size_of::<Plugin>() as u32,
            n_components: components.len() as u32,
            id: Str::from_static(self.id),
            version: Str::from_static(self.version),
            build: Str::from_static(concat!("podium-plugin ", env!("CARGO_PKG_VERSION"))),
            components: components.leak().as_ptr(),
            init: Some(entry::init),
            quiesce: None,
            extension: None,
        }))
    }
}

/// Builds the component of a metric.
pub fn metric<M: Metric>() -> Component {
    let info = M::INFO;
    let schema = schemars::schema_for!(M::Config).to_value().to_string();
    let metric = abi::Metric {
        struct_size: size_of::<abi::Metric>() as u32,
        revision: info.revision,
        k: M::Sums::K as u32,
        kind: info.kind,
        unit: info.unit as u32,
        direction: info.direction as u32,
        posterior: info.posterior as u32,
        reserved: 0,
        window_s: info.window_s,
        cap_quantile: info.cap_quantile,
        fields: Some(entry::fields::<M>),
        observe: Some(entry::observe::<M>),
        value: Some(entry::value::<M>),
        beside: Str::from_static(info.beside),
    };
    Component {
        struct_size: size_of::<Component>() as u32,
        kind: codes::KIND_METRIC,
        id: Str::from_static(info.id),
        title: Str::from_static(info.title),
        description: Str::from_static(info.description),
        config_schema: Str::from_static(schema.leak()),
        metric: leak(metric),
        channel: ptr::null(),
        create: Some(entry::create::<M>),
        destroy: Some(entry::destroy::<M>),
    }
}

/// Builds the component of a channel.
pub fn channel<C: Channel>() -> Component {
    let info = C::INFO;
    let schema = schemars::schema_for!(C::Config).to_value().to_string();
    let pushes = info.class != Class::Pull;
    let channel = abi::Channel {
        struct_size: size_of::<abi::Channel>() as u32,
        provider_class: info.class.code(),
        key_ttl_s: info.class.key_ttl_s(),
        max_batch: info.batch_max,
        max_parallel: info.parallel_max,
        payload_limit: info.payload_limit,
        render: Some(channel_entry::render::<C>),
        deliver: if pushes { Some(channel_entry::deliver::<C>) } else { None },
        ingest: Some(channel_entry::ingest::<C>),
        health: Some(channel_entry::health::<C>),
    };
    Component {
        struct_size: size_of::<Component>() as u32,
        kind: codes::KIND_CHANNEL,
        id: Str::from_static(info.id),
        title: Str::from_static(info.title),
        description: Str::from_static(info.description),
        config_schema: Str::from_static(schema.leak()),
        metric: ptr::null(),
        channel: leak(channel),
        create: Some(channel_entry::create::<C>),
        destroy: Some(channel_entry::destroy::<C>),
    }
}

fn leak<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}
