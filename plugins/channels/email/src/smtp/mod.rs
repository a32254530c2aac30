//! SMTP as a client speaks it ([RFC 5321]).
//!
//! The conversation is ours and not the one that comes with lettre, whose errors do not tell whether a message may
//! have arrived, and whose time-outs begin anew with every byte.
//!
//! [RFC 5321]: https://www.rfc-editor.org/rfc/rfc5321

mod pool;
mod reply;
mod session;
mod wire;

pub(crate) use pool::{Letter, Limits, NotSent, Pool};
pub(crate) use reply::Reply;
pub(crate) use session::{Cause, Failure, Login, Server, Step, Tls};
