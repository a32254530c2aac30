//! The channel as it was built, against servers that answer, fail and hang as told, and against a real one.
#![expect(clippy::unwrap_used, reason = "what a test builds its world with must not fail")]

mod built;
mod content;
mod conversation;
mod headers;
mod real_server;
mod scripted;
