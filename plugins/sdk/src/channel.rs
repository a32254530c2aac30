//! The trait that the author of a channel implements.

use crate::call::Call;
use crate::channel_info::ChannelInfo;
use crate::error::{Error, Result};
use crate::host::Host;
use crate::message::Message;
use crate::outcome::Outcome;
use crate::payload::{Content, Payload};
use crate::webhook::Request;
use podium_plugin_abi::codes;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

/// A way to reach people: how content becomes a payload, and how a message leaves.
///
/// An instance is used by several threads at a time: [`Channel::render`] by any number, everything else by at
/// most as many as [`ChannelInfo::parallel`] says. Only `deliver`, `ingest` and `health` may use the network.
/// Where the kernel can, it lets none of them write a file, read one but for what names, certificates and time zones
/// are looked up in, or run a program.
pub trait Channel: Sized + Send + Sync + 'static {
    /// The settings: their schema is derived and shown to whoever sets up the channel. A password or a token is
    /// a [`Secret`](crate::Secret).
    type Config: DeserializeOwned + JsonSchema;

    /// Identity, class of the provider, and limits.
    const INFO: ChannelInfo;

    /// Makes an instance from settings that have the right shape. No I/O: a provider that is down is no reason
    /// to fail.
    ///
    /// # Errors
    ///
    /// [`Error::config`] if a setting makes no sense; the text is shown to whoever set it.
    fn create(config: Self::Config, host: &Host) -> Result<Self>;

    /// Turns a variant's content into what is sent, once, when the content is published.
    ///
    /// Placeholders stay as they are: `{{ first_name }}` or `{{ first_name | friend }}`. The server fills them
    /// for each recipient, by the escaping that each part of the payload names.
    ///
    /// # Errors
    ///
    /// [`Error::content`] if the content cannot be sent; the text names the place and is shown to its author.
    fn render(&self, content: &Content<'_>) -> Result<Payload>;

    /// Delivers one message and says what became of it. The message counts as begun.
    ///
    /// Not called for a channel of [`Class::Pull`](crate::Class::Pull).
    fn deliver(&self, message: &Message<'_>, call: &Call<'_>) -> Outcome;

    /// Delivers a batch: one message after the other, unless the provider takes several at once.
    ///
    /// An own one calls [`Call::begin`] just before a message can leave, and [`Call::outcome`] when it knows. A
    /// message without an outcome counts as [`Outcome::Unknown`].
    fn deliver_batch(&self, messages: &[Message<'_>], call: &Call<'_>) {
        for message in messages {
            let outcome = if call.begin(message) { self.deliver(message, call) } else { Outcome::Cancelled };
            call.outcome(message, &outcome);
        }
    }

    /// Takes a webhook request of the provider, checks its signature, and emits what it tells: of messages by
    /// [`Call::emit`], of shoppers by [`Call::track`].
    ///
    /// # Errors
    ///
    /// [`Error`] if the request is not the provider's, or makes no sense; nothing of it counts.
    fn ingest(&self, _request: &Request<'_>, _call: &Call<'_>) -> Result<()> {
        Err(Error::new(codes::E_UNSUPPORTED, "this channel takes no webhooks"))
    }

    /// Tries whether messages could be delivered, and delivers none: logs in, for example.
    ///
    /// # Errors
    ///
    /// [`Error`] says what is wrong; the server shows it and goes on.
    fn health(&self, _call: &Call<'_>) -> Result<()> {
        Ok(())
    }
}
