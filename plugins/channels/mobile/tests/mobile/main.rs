//! The channel as it was built, against doubles of the providers that answer, fail and hang as told.
#![expect(clippy::unwrap_used, reason = "what a test builds its world with must not fail")]

mod apns;
mod browser;
mod channel;
mod content;
mod double;
mod encrypted;
mod fcm;
mod token;
mod web_push;
