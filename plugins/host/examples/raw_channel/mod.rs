//! A channel written against the bare contract, without the SDK and without a note, to be spoiled in one place.

use podium_plugin_abi::{
    ABI_MAJOR, ABI_MINOR, Call, Channel, Component, ErrorText, MAGIC, Message, Plugin, Str, codes,
};
use std::ffi::c_void;
use std::mem::size_of;
use std::ptr;
use std::sync::OnceLock;

static DESCRIPTOR: OnceLock<usize> = OnceLock::new();

/// Returns a descriptor of a channel that does nothing, spoiled by `spoil`.
pub(crate) fn descriptor(id: &'static str, spoil: fn(&mut Channel)) -> *const Plugin {
    *DESCRIPTOR.get_or_init(|| {
        let mut channel = Channel {
            struct_size: size_of::<Channel>() as u32,
            provider_class: codes::PROVIDER_BLIND,
            key_ttl_s: 0,
            max_batch: 1,
            max_parallel: 1,
            payload_limit: 0,
            render: Some(render),
            deliver: Some(deliver),
            ingest: None,
            health: None,
        };
        spoil(&mut channel);
        ptr::from_ref(leak(id, channel)).expose_provenance()
    }) as *const Plugin
}

fn leak(id: &'static str, channel: Channel) -> &'static Plugin {
    let component: *const Component = Box::leak(Box::new(Component {
        struct_size: size_of::<Component>() as u32,
        kind: codes::KIND_CHANNEL,
        id: Str::from_static(id),
        title: Str::from_static("Nothing"),
        description: Str::EMPTY,
        config_schema: Str::from_static(r#"{"type": "object"}"#),
        metric: ptr::null(),
        channel: Box::leak(Box::new(channel)),
        create: Some(create),
        destroy: Some(destroy),
    }));
    Box::leak(Box::new(Plugin {
        magic: MAGIC,
        abi_major: ABI_MAJOR,
        abi_minor: ABI_MINOR,
        struct_size: size_of::<Plugin>() as u32,
        n_components: 1,
        id: Str::from_static(id),
        version: Str::from_static("1.0.0"),
        build: Str::from_static("by hand"),
        components: vec![component].leak().as_ptr(),
        init: None,
        quiesce: None,
        extension: None,
    }))
}

unsafe extern "C" fn create(_config: Str, this: *mut *mut c_void, _error: *mut ErrorText) -> i32 {
    // SAFETY: the host passes the place that it wants the instance in; one without state may be null.
    unsafe { *this = ptr::null_mut() };
    codes::OK
}

unsafe extern "C" fn destroy(_this: *mut c_void) {}

unsafe extern "C" fn render(
    _this: *mut c_void,
    _call: *const Call,
    _content: Str,
    _error: *mut ErrorText,
) -> i32 {
    codes::OK
}

unsafe extern "C" fn deliver(
    _this: *mut c_void,
    _call: *const Call,
    _messages: *const *const Message,
    _n: usize,
    _error: *mut ErrorText,
) -> i32 {
    // A code that no version of the contract has.
    -77
}
