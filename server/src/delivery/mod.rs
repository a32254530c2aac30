//! Delivery: from a request to send, over the outbox, to what became of every message.
//!
//! A request writes its messages and decisions in one transaction. A sender claims what is due, for a time and under
//! a number (`epoch`) that nobody else has; notes that a message may leave before it does; and writes what became of
//! it together with the events that tell of it. After a crash, what cannot have left goes back into the queue, and
//! for what may have left the class of the provider decides: that is all there is to the promise of each class.

mod address;
mod begin;
mod call;
mod channels;
mod configured;
mod crash;
mod feedback;
pub(crate) mod message;
mod request;
mod sender;
mod settle;
mod submit;
pub(crate) mod tokens;

pub(crate) use address::spelled;
pub(crate) use channels::{ChannelEditError, Channels, RenderError, promise};
pub(crate) use configured::Configured;
pub(crate) use crash::crash_point;
pub(crate) use feedback::{FeedbackError, MessageEvent, Webhook};
pub(crate) use request::SendRequest;
pub(crate) use sender::Sender;
pub(crate) use submit::SendError;

use podium_core::time::Timestamp;

/// What a call of a channel may take, in seconds; no message begins after that.
const DELIVER_S: i64 = 30;
/// How long a claim is good, in seconds: longer than any call, with time to write down what became of it.
const LEASE_S: i64 = DELIVER_S + 15;

/// The instant in the unit that channels take.
fn deadline_ms(now: Timestamp, seconds: i64) -> i64 {
    now.plus_seconds(seconds).as_millis()
}
