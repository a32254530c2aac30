//! A plugin written against the bare contract, without the SDK and without a note, to be spoiled in one place.

use podium_plugin_abi::{
    self as abi, ABI_MAJOR, ABI_MINOR, Batch, Component, ErrorText, Host, MAGIC, Metric, Plugin, Str, codes,
};
use std::ffi::c_void;
use std::mem::size_of;
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicPtr, Ordering};

static HOST: AtomicPtr<Host> = AtomicPtr::new(ptr::null_mut());
static DESCRIPTOR: OnceLock<usize> = OnceLock::new();

/// What makes up a descriptor with one metric.
pub(crate) struct Parts {
    pub(crate) plugin: Plugin,
    pub(crate) component: Component,
    pub(crate) metric: Metric,
    /// How often the component is listed.
    pub(crate) n_listed: usize,
}

/// Returns a descriptor that counts orders, spoiled by `spoil`.
pub(crate) fn descriptor(id: &'static str, spoil: fn(&mut Parts)) -> *const Plugin {
    *DESCRIPTOR.get_or_init(|| {
        let mut parts = Parts::new(id);
        spoil(&mut parts);
        ptr::from_ref(parts.leak()).expose_provenance()
    }) as *const Plugin
}

impl Parts {
    fn new(id: &'static str) -> Self {
        let metric = Metric {
            struct_size: size_of::<Metric>() as u32,
            revision: 1,
            k: 1,
            kind: codes::METRIC_MEAN,
            unit: codes::UNIT_COUNT,
            direction: codes::DIRECTION_INCREASE,
            posterior: codes::POSTERIOR_NORMAL,
            reserved: 0,
            window_s: 7 * 86_400,
            cap_quantile: 0.0,
            fields: Some(fields),
            observe: Some(observe),
            value: Some(value),
            beside: Str::EMPTY,
        };
        let component = Component {
            struct_size: size_of::<Component>() as u32,
            kind: codes::KIND_METRIC,
            id: Str::from_static(id),
            title: Str::from_static("Orders"),
            description: Str::EMPTY,
            config_schema: Str::from_static(r#"{"type": "object", "additionalProperties": false}"#),
            metric: ptr::null(),
            channel: ptr::null(),
            create: Some(create),
            destroy: Some(destroy),
        };
        let plugin = Plugin {
            magic: MAGIC,
            abi_major: ABI_MAJOR,
            abi_minor: ABI_MINOR,
            struct_size: size_of::<Plugin>() as u32,
            n_components: 1,
            id: Str::from_static(id),
            version: Str::from_static("1.0.0"),
            build: Str::from_static("by hand"),
            components: ptr::null(),
            init: Some(init),
            quiesce: None,
            extension: None,
        };
        Self { plugin, component, metric, n_listed: 1 }
    }

    fn leak(self) -> &'static Plugin {
        let Self { mut plugin, mut component, metric, n_listed } = self;
        component.metric = Box::leak(Box::new(metric));
        let component: *const Component = Box::leak(Box::new(component));
        plugin.components = vec![component; n_listed].leak().as_ptr();
        plugin.n_components = n_listed as u32;
        Box::leak(Box::new(plugin))
    }
}

unsafe extern "C" fn init(host: *const Host, _error: *mut ErrorText) -> i32 {
    HOST.store(host.cast_mut(), Ordering::Release);
    codes::OK
}

unsafe extern "C" fn create(_config: Str, this: *mut *mut c_void, _error: *mut ErrorText) -> i32 {
    // SAFETY: the host passes the place that it wants the instance in; one without state may be null.
    unsafe { *this = ptr::null_mut() };
    codes::OK
}

unsafe extern "C" fn destroy(_this: *mut c_void) {}

unsafe extern "C" fn fields(_this: *mut c_void, call: u64, _error: *mut ErrorText) -> i32 {
    let json = r#"{"columns": [], "events": [{"name": "Order Completed", "read": {}}]}"#;
    // SAFETY: `init` was called with the host's table, which lives as long as the process.
    let host = unsafe { abi::read(HOST.load(Ordering::Acquire).cast_const()) };
    let write = host.ok().and_then(|host| Some((host.write?, host.ctx)));
    // SAFETY: the host's function takes the host's context.
    write.map_or(codes::E_INTERNAL, |(write, ctx)| unsafe { write(ctx, call, Str::from_static(json)) })
}

unsafe extern "C" fn observe(
    _this: *mut c_void,
    batch: *const Batch,
    out: *mut f64,
    _error: *mut ErrorText,
) -> i32 {
    // SAFETY: the host passes a batch and room for a double a row.
    unsafe {
        for row in 0..(*batch).n {
            *out.add(row) = if *(*batch).event.add(row) == 0 { 1.0 } else { 0.0 };
        }
    }
    codes::OK
}

unsafe extern "C" fn value(
    _this: *mut c_void,
    sums: *const f64,
    n: usize,
    numerators: *mut f64,
    denominators: *mut f64,
    _error: *mut ErrorText,
) -> i32 {
    // SAFETY: the host passes a sum and room for two doubles a unit.
    unsafe {
        for unit in 0..n {
            *numerators.add(unit) = *sums.add(unit);
            *denominators.add(unit) = 1.0;
        }
    }
    codes::OK
}
