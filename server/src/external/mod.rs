//! External data: what other systems say of a unit, asked while a decision is made.
//!
//! A decision waits for a source no longer than the source's own timeout; a call that takes longer goes on without it and
//! is there for the next decision. What a source says is remembered for each unit, and so is for a moment that it said
//! nothing; a source that fails again and again is left alone for a while. A source is asked about a unit once at a time,
//! on threads that serve no requests, and about so many units at a time and no more.

mod breaker;
mod call;
mod caller;
mod definition;
mod memory;
mod source;
mod template;

pub(crate) use caller::Caller;
pub(crate) use definition::{Definition, SecretName, timeout_ms_default, ttl_s_default};
pub(crate) use source::Source;

/// The most sources there are: each has threads of its own.
pub(crate) const SOURCES_MAX: usize = 10;
