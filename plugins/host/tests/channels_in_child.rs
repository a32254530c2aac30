//! Channels in children do as they do in our own process.
#![expect(clippy::unwrap_used, reason = "what a test builds its world with must not fail")]

mod channel_suite;
mod child;
mod folder;
mod here;

use child::child as isolation;
