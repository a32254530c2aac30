//! Finds, checks and loads plugins, and stands between them and the server.
//!
//! [`Registry::load`] looks through folders for shared libraries. A file that does not keep the contract is
//! refused with one clear line, and the others are loaded. [`Registry::create`] makes a configured
//! [`MetricInstance`], which answers in whole numbers that were checked one by one: what comes back from a
//! plugin is input. [`Registry::create_channel`] makes a configured [`ChannelInstance`], which says of every
//! message what became of it, and whether it can have left when nobody knows.
//!
//! What the crate promises: no error, panic or nonsense of a plugin becomes ours; a plugin that panicked works
//! again at the next call. With [`Isolation::Child`] that holds for crashes and endless loops too, and the kernel keeps
//! metrics from all but computing, and channels from files and programs, as far as it can ([`Confinement`]).
//!
//! What it does not promise: safety from a plugin that means harm. Run only code you trust.
#![expect(unsafe_code, reason = "this crate is where raw pointers of the contract become safe types")]

mod answer;
mod batch;
mod callbacks;
mod channel_calls;
mod channel_configured;
mod channel_descriptor;
mod channel_event;
mod channel_in_process;
mod channel_info;
mod channel_instance;
mod channel_messages;
mod channel_permits;
mod channel_registry;
mod channel_secrets;
pub mod conformance;
mod descriptor;
mod elf;
mod escape;
mod fields;
mod handle;
mod in_process;
mod info;
mod instance;
mod library;
mod lock;
mod log;
mod manifest;
mod outcome;
mod payload;
mod raw;
mod refusal;
mod registry;
mod registry_reload;
mod registry_upgrade;
mod staged;
mod supervised;
mod template;

pub use batch::{Batch, ColumnType, PushError, Value};
pub use channel_event::{ChannelEvent, Feedback, FeedbackKind, Track};
pub use channel_info::{ChannelInfo, ProviderClass};
pub use channel_instance::{
    ChannelCall, ChannelCreateError, ChannelFault, ChannelInstance, ChannelMessage, Delivered, DeliveryWatch,
    Purpose, WebhookRequest,
};
pub use channel_secrets::resolve_secrets;
pub use escape::Escaping;
pub use info::{Direction, MetricInfo, MetricKind, PluginInfo, Posterior, Skipped, Unit};
pub use instance::{CreateError, MetricFault, MetricInstance};
pub use lock::{Lock, Locked};
pub use log::{HostLog, Level, LogLine};
pub use outcome::{Delivery, Outcome, OutcomeStatus};
pub use payload::{BadPayload, Filled, Payload, Text, Unfillable};
pub use refusal::{Refusal, Slug};
pub use registry::{Isolation, Registry};
pub use registry_reload::{Look, Outcome as ReloadOutcome, Reloaded, Reloads};
pub use registry_upgrade::UpgradeError;
pub use supervised::{Confinement, Launcher, PluginState, PluginStatus, serve};
