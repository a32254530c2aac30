//! Rows as the database has them.

pub(super) mod api_key;
pub(super) mod attempt;
pub(super) mod channel;
pub(super) mod experience;
pub(super) mod experience_rule;
pub(super) mod experiment;
pub(super) mod history;
pub(super) mod message;
pub(super) mod metric;
pub(super) mod noted_verdict;
pub(super) mod rejected_event;
pub(super) mod source;
pub(super) mod suppression;
pub(super) mod webhook;
pub(super) mod webhook_delivery;
pub(super) mod weights_version;
