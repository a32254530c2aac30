//! Write a goal metric or a channel for Podium: implement [`Metric`] or [`Channel`], name it in
//! [`export_plugin!`].
//!
//! A metric turns each event by itself into a few whole numbers; the server adds them up per shopper and asks
//! for the shopper's value. So there is no state to keep, and late, repeated, refunded and moved events come
//! out right by themselves.
//!
//! ```toml
//! [lib]
//! crate-type = ["cdylib"]
//!
//! [dependencies]
//! podium-plugin = "0.1"
//! serde = "1" # the derived code of `Deserialize` names the crate
//! ```
//!
//! ```
//! use podium_plugin::prelude::*;
//!
//! #[derive(Deserialize, JsonSchema)]
//! struct Config {
//!     /// The list whose products count; all of them if absent.
//!     list_id: Option<String>,
//! }
//!
//! struct Saved(Config);
//!
//! impl Metric for Saved {
//!     type Config = Config;
//!     type Sums = [f64; 1]; // products saved
//!     const INFO: MetricInfo = MetricInfo::proportion("saved", "Saved something").window_days(7);
//!
//!     fn create(config: Config) -> Result<Self> {
//!         if config.list_id.as_deref() == Some("") {
//!             return Err(Error::config("`list_id` is empty; leave it out to count every list"));
//!         }
//!         Ok(Self(config))
//!     }
//!
//!     fn fields(&self) -> Fields {
//!         Fields::new()
//!             .column("list", Column::Text)
//!             .read(Read::event("Product Added to Wishlist").property("list", "wishlist_id"))
//!     }
//!
//!     fn observe(&self, event: &Event<'_>) -> [f64; 1] {
//!         let counts = self.0.list_id.as_deref().is_none_or(|wanted| event.text(0) == Some(wanted));
//!         [f64::from(u8::from(counts))]
//!     }
//!
//!     fn value(&self, [saved]: [f64; 1]) -> (f64, f64) {
//!         (f64::from(u8::from(saved > 0.0)), 1.0)
//!     }
//! }
//!
//! export_plugin! { id: "com.example.saved", metrics: [Saved] }
//! # fn main() { assert!(!podium_plugin_entry_v1().is_null()) }
//! ```
//!
//! A channel brings messages to people. It does I/O, so it says what became of every message, or the server
//! assumes the worst:
//!
//! ```
//! use podium_plugin::prelude::*;
//! use std::net::UdpSocket;
//!
//! #[derive(Deserialize, JsonSchema)]
//! struct Config {
//!     /// Where the display listens: a host and a port.
//!     display: String,
//! }
//!
//! struct Display(Config);
//!
//! impl Channel for Display {
//!     type Config = Config;
//!     const INFO: ChannelInfo = ChannelInfo::new("display", "Display in the shop window", Class::Blind);
//!
//!     fn create(config: Config, _host: &Host) -> Result<Self> {
//!         Ok(Self(config))
//!     }
//!
//!     fn render(&self, content: &Content<'_>) -> Result<Payload> {
//!         Ok(Payload::plain(content.read::<String>()?))
//!     }
//!
//!     fn deliver(&self, message: &Message<'_>, _call: &Call<'_>) -> Outcome {
//!         let socket = match UdpSocket::bind("0.0.0.0:0") {
//!             Ok(socket) => socket,
//!             Err(_) => return Outcome::Deferred { after_s: 10 },
//!         };
//!         match socket.send_to(message.payload().as_bytes(), &self.0.display) {
//!             Ok(_) => Outcome::Accepted { provider_id: String::new() },
//!             Err(error) => Outcome::Unknown(error.to_string()),
//!         }
//!     }
//! }
//!
//! export_plugin! { id: "com.example.display", channels: [Display] }
//! # fn main() { assert!(!podium_plugin_entry_v1().is_null()) }
//! ```
//!
//! What the crate promises: no panic of yours reaches the server (each entry catches it, and the instance is
//! made anew); an event that you did not ask for is never shown to you; you cannot write out of bounds.
//! What it does not do: it keeps nothing between calls, and neither may a metric. No clock, no files, no
//! network there: equal events must give equal numbers, on any machine, in any order. Where the kernel can, it
//! ends the process of a metric at any system call but for memory.
#![expect(unsafe_code, reason = "this crate is where raw pointers of the contract become safe types")]

mod call;
mod channel;
mod channel_entry;
mod channel_info;
mod descriptor;
mod entry;
mod error;
mod event;
mod export;
mod fields;
mod guard;
mod host;
mod info;
mod message;
mod metric;
mod outcome;
mod payload;
mod secret;
mod track;
mod webhook;

pub use call::Call;
pub use channel::Channel;
pub use channel_info::{ChannelInfo, Class};
pub use error::{Error, Result};
pub use event::Event;
pub use fields::{Column, Fields, Read};
pub use host::{Host, Level, log};
pub use info::{Direction, MetricInfo, Posterior, Unit};
pub use message::{Message, Purpose};
pub use metric::{Metric, Sums};
pub use outcome::Outcome;
pub use payload::{Content, Escaping, Part, Payload, values_as_url};
pub use secret::Secret;
pub use track::TrackEvent;
pub use webhook::{Feedback, FeedbackKind, Request};

/// The contract itself, for what the traits do not cover.
pub use podium_plugin_abi as abi;

/// Everything an author names: `use podium_plugin::prelude::*;`.
///
/// `schemars` is among it because the derived code of `JsonSchema` names that crate.
pub mod prelude {
    pub use crate::{
        Call, Channel, ChannelInfo, Class, Column, Content, Direction, Error, Event, Feedback, FeedbackKind,
        Fields, Host, Level, Message, Metric, MetricInfo, Outcome, Part, Payload, Posterior, Purpose, Read,
        Request, Result, Secret, TrackEvent, Unit, export_plugin, log,
    };
    pub use schemars::{self, JsonSchema};
    pub use serde::{self, Deserialize};
    pub use serde_json;
}

/// What the macros expand to. Not for authors.
#[doc(hidden)]
pub mod expansion {
    pub use crate::descriptor::{Descriptor, Part, channel, metric};
    pub use podium_plugin_abi::Plugin;
    pub use podium_plugin_abi::note::Note;
}
