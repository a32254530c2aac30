//! Checks a descriptor and copies what it says.

use crate::channel_descriptor::{self, CheckedChannel};
use crate::info::{Direction, MetricInfo, MetricKind, PluginInfo, Posterior, Skipped, Unit};
use crate::library::wrong_major;
use crate::refusal::{Failed, Slug};
use podium_plugin_abi::{
    self as abi, Component, CreateFn, DestroyFn, FieldsFn, Growable, InitFn, ObserveFn, Plugin, Str,
    Unreadable, ValueFn, codes,
};
use std::path::Path;
use std::{any, slice};

/// The most components of one plugin.
const COMPONENTS_MAX: u32 = 256;
const ID_LEN_MAX: usize = 64;
const TEXT_LEN_MAX: usize = 4096;
const SCHEMA_LEN_MAX: usize = 256 * 1024;
/// The longest window in seconds: 400 days.
const WINDOW_S_MAX: i64 = 400 * 86_400;

/// A descriptor that passed every check.
pub(crate) struct Checked {
    pub(crate) plugin: PluginInfo,
    pub(crate) init: Option<InitFn>,
    pub(crate) metrics: Vec<CheckedMetric>,
    pub(crate) channels: Vec<CheckedChannel>,
    pub(crate) skipped: Vec<Skipped>,
}

/// A metric that passed every check.
pub(crate) struct CheckedMetric {
    pub(crate) info: MetricInfo,
    pub(crate) functions: Functions,
}

/// What can be called of a metric. The library is never closed, so these stay valid.
#[derive(Clone, Copy)]
pub(crate) struct Functions {
    pub(crate) create: CreateFn,
    pub(crate) destroy: DestroyFn,
    pub(crate) fields: FieldsFn,
    pub(crate) observe: ObserveFn,
    pub(crate) value: ValueFn,
}

/// Checks the descriptor of `file`.
///
/// # Safety
///
/// `plugin` is null or misaligned, or points to what the entry function of a library calls a descriptor, whose
/// pointers stay valid as long as the process lives.
pub(crate) unsafe fn check(plugin: *const Plugin, file: &Path) -> Result<Checked, Failed> {
    // SAFETY: as the caller vouches.
    let plugin = unsafe { read_plugin(plugin) }?;
    if plugin.n_components == 0 || plugin.n_components > COMPONENTS_MAX || plugin.components.is_null() {
        return Err(bad(format!("1 to {COMPONENTS_MAX} components"), plugin.n_components.to_string()));
    }
    // SAFETY: the descriptor's texts are constant.
    let info = unsafe {
        PluginInfo {
            id: id(plugin.id, "plugin")?,
            version: text(plugin.version, "version of the plugin", TEXT_LEN_MAX)?,
            build: text(plugin.build, "build of the plugin", TEXT_LEN_MAX)?,
            abi_minor: plugin.abi_minor,
            file: file.to_owned(),
            locked: false,
            required: false,
        }
    };
    // SAFETY: the descriptor says that there are so many pointers.
    let pointers = unsafe { slice::from_raw_parts(plugin.components, plugin.n_components as usize) };
    let mut checked = Checked {
        plugin: info,
        init: plugin.init,
        metrics: Vec::new(),
        channels: Vec::new(),
        skipped: Vec::new(),
    };
    for &pointer in pointers {
        // SAFETY: null, or a component of the descriptor.
        unsafe { checked.add(pointer) }?;
    }
    Ok(checked)
}

/// # Safety
///
/// As for [`check`].
unsafe fn read_plugin(plugin: *const Plugin) -> Result<Plugin, Failed> {
    let bad_magic = |found: String| Failed::new(Slug::BadMagic, format!("{:#010x}", abi::MAGIC), found);
    if plugin.is_null() || !plugin.is_aligned() {
        return Err(bad_magic(
            if plugin.is_null() { "no descriptor" } else { "a misaligned pointer" }.into(),
        ));
    }
    // The head of a descriptor is the same in every version, so these may be read before anything is known.
    // SAFETY: not null, aligned, and by the caller's word a descriptor.
    let (magic, major, minor) = unsafe { ((*plugin).magic, (*plugin).abi_major, (*plugin).abi_minor) };
    if magic != abi::MAGIC {
        return Err(bad_magic(format!("{magic:#010x}")));
    }
    if major != abi::ABI_MAJOR {
        return Err(wrong_major(major, minor));
    }
    // SAFETY: as before, and of our major.
    unsafe { read(plugin) }
}

impl Checked {
    /// # Safety
    ///
    /// `component` is null or points to a component whose pointers stay valid as long as the process lives.
    unsafe fn add(&mut self, component: *const Component) -> Result<(), Failed> {
        // SAFETY: as the caller vouches.
        let component = unsafe { read(component) }?;
        // SAFETY: the component's texts are constant.
        let component_id = unsafe { id(component.id, "component") }?;
        let ids = self.metrics.iter().map(|metric| metric.info.id.as_str());
        if ids
            .chain(self.channels.iter().map(|channel| channel.info.id.as_str()))
            .chain(self.skipped.iter().map(|skipped| skipped.component_id.as_str()))
            .any(|id| id == component_id)
        {
            return Err(Failed::new(
                Slug::DuplicateId,
                "each component once",
                format!("{component_id} twice"),
            ));
        }
        if component.kind == codes::KIND_METRIC {
            // SAFETY: as the caller vouches.
            self.metrics.push(unsafe { metric(&component, component_id, &self.plugin) }?);
        } else if component.kind == codes::KIND_CHANNEL {
            // SAFETY: as the caller vouches.
            let channel = unsafe { channel_descriptor::check(&component, component_id, &self.plugin) }?;
            self.channels.push(channel);
        } else {
            let plugin_id = self.plugin.id.clone();
            self.skipped.push(Skipped { plugin_id, component_id, kind: component.kind });
        }
        Ok(())
    }
}

/// # Safety
///
/// The component's pointers are null or valid as long as the process lives.
unsafe fn metric(component: &Component, id: String, plugin: &PluginInfo) -> Result<CheckedMetric, Failed> {
    // SAFETY: null, or a metric of the descriptor.
    let metric = unsafe { read(component.metric) }?;
    let wrong = |what: &str, found: String| bad(format!("{what} of {id}"), found);
    if metric.k == 0 || metric.k as usize > abi::K_MAX {
        return Err(wrong("1 <= k <= 8", metric.k.to_string()));
    }
    if !(1..=WINDOW_S_MAX).contains(&metric.window_s) {
        return Err(wrong("a window of 1 s to 400 days", format!("{} s", metric.window_s)));
    }
    let cap = metric.cap_quantile;
    if cap != 0.0 && !(0.5 < cap && cap <= 1.0) {
        return Err(wrong("a cap of 0 or above 0.5 and at most 1", cap.to_string()));
    }
    let kind = MetricKind::from_code(metric.kind)
        .ok_or_else(|| wrong("a kind of 1, 2 or 3", metric.kind.to_string()))?;
    let missing = |name: &str| wrong(&format!("the function `{name}`"), "null".into());
    let functions = Functions {
        create: component.create.ok_or_else(|| missing("create"))?,
        destroy: component.destroy.ok_or_else(|| missing("destroy"))?,
        fields: metric.fields.ok_or_else(|| missing("fields"))?,
        observe: metric.observe.ok_or_else(|| missing("observe"))?,
        value: metric.value.ok_or_else(|| missing("value"))?,
    };
    // SAFETY: the component's texts are constant.
    let [title, description, config_schema] = unsafe { texts(component, &id) }?;
    // SAFETY: constant, too, or empty in a plugin of minor version 0.
    let beside = unsafe { text(metric.beside, "list of metrics to show beside", TEXT_LEN_MAX) }?;
    let info = MetricInfo {
        id,
        title,
        description,
        plugin_id: plugin.id.clone(),
        plugin_version: plugin.version.clone(),
        file: plugin.file.clone(),
        config_schema,
        kind,
        unit: Unit::from_code(metric.unit),
        direction: Direction::from_code(metric.direction),
        posterior: Posterior::from_code(metric.posterior),
        window_s: metric.window_s,
        cap_quantile: (cap != 0.0).then_some(cap),
        beside: beside.split(',').map(str::trim).filter(|id| !id.is_empty()).map(str::to_owned).collect(),
        revision: metric.revision,
        k: metric.k as usize,
    };
    Ok(CheckedMetric { info, functions })
}

/// # Safety
///
/// `pointer` is null or points to a struct of this kind with as many bytes as it says.
pub(crate) unsafe fn read<T: Growable>(pointer: *const T) -> Result<T, Failed> {
    let kind = any::type_name::<T>().rsplit("::").next().unwrap_or_default().to_lowercase();
    // SAFETY: as the caller vouches.
    unsafe { abi::read(pointer) }.map_err(|unreadable| match unreadable {
        Unreadable::Null => bad(format!("a podium_{kind}"), "null"),
        Unreadable::Misaligned => bad(format!("a podium_{kind}"), "a misaligned pointer"),
        Unreadable::TooSmall { expected, found } => {
            let expected = format!("a podium_{kind} of at least {expected} bytes");
            Failed::new(Slug::AbiSize, expected, format!("{found} bytes"))
        }
    })
}

/// The title, the description and the schema of the configuration.
///
/// # Safety
///
/// The texts are null or readable.
pub(crate) unsafe fn texts(component: &Component, id: &str) -> Result<[String; 3], Failed> {
    // SAFETY: as the caller vouches.
    unsafe {
        Ok([
            text(component.title, "title", TEXT_LEN_MAX)?,
            text(component.description, "description", TEXT_LEN_MAX)?,
            schema(component.config_schema, id)?,
        ])
    }
}

/// # Safety
///
/// The text is null or readable.
unsafe fn text(text: Str, what: &str, len_max: usize) -> Result<String, Failed> {
    if text.len > len_max {
        return Err(bad(format!("a {what} of at most {len_max} bytes"), format!("{} bytes", text.len)));
    }
    // SAFETY: as the caller vouches.
    let utf8 = unsafe { text.text() }.ok_or_else(|| bad(format!("a {what} in UTF-8"), "other bytes"))?;
    Ok(utf8.to_owned())
}

/// # Safety
///
/// The text is null or readable.
unsafe fn id(id: Str, what: &str) -> Result<String, Failed> {
    // SAFETY: as the caller vouches.
    let id = unsafe { text(id, &format!("{what} id"), ID_LEN_MAX) }?;
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if !id.is_empty() && id.chars().all(is_allowed) {
        return Ok(id);
    }
    Err(bad(format!("a {what} id of letters, digits, `.`, `_`, `-`"), format!("{id:?}")))
}

/// # Safety
///
/// The text is null or readable.
unsafe fn schema(schema: Str, id: &str) -> Result<String, Failed> {
    // SAFETY: as the caller vouches.
    let schema = unsafe { text(schema, "configuration schema", SCHEMA_LEN_MAX) }?;
    let bad = |found: String| Failed::new(Slug::BadSchema, format!("a JSON Schema for {id}"), found);
    match serde_json::from_str::<serde_json::Value>(&schema) {
        // A schema is an object; `true` would do by the standard, but nobody can make a form from it.
        Ok(document) if document.is_object() => Ok(schema),
        Ok(document) => Err(bad(format!("the JSON {document}"))),
        Err(error) => Err(bad(format!("no JSON: {error}"))),
    }
}

pub(crate) fn bad(expected: impl Into<String>, found: impl Into<String>) -> Failed {
    Failed::new(Slug::BadComponent, expected, found)
}
