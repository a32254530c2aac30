//! Plugins in processes of their own: a crash, an endless loop or a leak is theirs alone.
//!
//! A plugin's child is this program again, started with the arguments of a [`Launcher`]. It loads the one library and
//! answers calls that come through the socket at descriptor 3 ([`serve`]). The parent sees that it lives, ends it when
//! an answer is late, starts it anew and makes the call again; after too many crashes it leaves the plugin alone until
//! an operator releases it.
//!
//! Metrics answer in microseconds, one call at a time, and what they need stands in shared memory. Channels take their
//! time, so their calls run side by side, in another child of the plugin: what one kind does to its process does not
//! concern the other. A call of a channel that died is not made again, for a message may have left.
//!
//! A child starts with no environment, no descriptor but its own, limits, and a session of its own; it dies with its
//! parent, and whatever it started dies with it. Once its plugin is loaded, the kernel keeps it from what its kind
//! need not do, as far as the kernel can ([`Confinement`]). This is isolation of faults, not a sandbox against malice:
//! run only code you trust.

mod asked;
mod channel;
mod child;
mod child_channels;
mod confine;
mod edition;
mod family;
mod metric;
mod plugin;
mod process;
mod record;
mod shared;
mod switchboard;
mod system;
mod upgrade;
mod watch;
mod wire;

pub use child::serve;
pub use confine::Confinement;
pub use record::{PluginState, PluginStatus};

pub(crate) use channel::SupervisedChannel;
pub(crate) use confine::system_calls;
pub(crate) use edition::Library;
pub(crate) use metric::Supervised;
pub(crate) use plugin::Plugin;
pub(crate) use system::how;

use std::ffi::OsString;
use std::path::PathBuf;

/// How the program starts itself as the host of one plugin. The library's path is added as the last argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launcher {
    /// The program.
    pub program: PathBuf,
    /// Its arguments before the library.
    pub arguments: Vec<OsString>,
    /// Where copies of plugins are kept, each under the hash of its bytes.
    pub staging: PathBuf,
}
