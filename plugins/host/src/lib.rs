//! Finds, checks and loads plugins, and stands between them and the server.
//!
//! [`Registry::load`] looks through folders for shared libraries. A file that does not keep the contract is
//! refused with one clear line, and the others are loaded. [`Registry::create`] makes a configured
//! [`MetricInstance`], which answers in whole numbers that were checked one by one: what comes back from a
//! plugin is input.
//!
//! What the crate promises: no error, panic or nonsense of a plugin becomes ours; a plugin that panicked works
//! again at the next call. With [`Isolation::Child`] that holds for crashes and endless loops too.
#![expect(unsafe_code, reason = "this crate is where raw pointers of the contract become safe types")]

mod answer;
mod batch;
mod callbacks;
pub mod conformance;
mod descriptor;
mod elf;
mod fields;
mod in_process;
mod info;
mod instance;
mod library;
mod log;
mod raw;
mod refusal;
mod registry;
mod staged;
mod supervised;

pub use batch::{Batch, ColumnType, PushError, Value};
pub use info::{Direction, MetricInfo, MetricKind, PluginInfo, Posterior, Skipped, Unit};
pub use instance::{CreateError, MetricFault, MetricInstance};
pub use log::{HostLog, Level, LogLine};
pub use refusal::{Refusal, Slug};
pub use registry::{Isolation, Registry};
pub use supervised::{Launcher, PluginState, PluginStatus, serve};
