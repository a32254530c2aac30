//! SMTP as a client speaks it ([RFC 5321]).
//!
//! The conversation is ours, because everything depends on knowing where it stopped: whoever sends a message must
//! know whether it may have arrived, and must not wait longer than there is time, however slowly the bytes come.
//!
//! [RFC 5321]: https://www.rfc-editor.org/rfc/rfc5321

mod pool;
mod reply;
mod session;
mod wire;

pub(crate) use pool::{Letter, Limits, NotSent, Pool};
pub(crate) use reply::Reply;
pub(crate) use session::{Cause, Failure, Login, Server, Step, Tls};
