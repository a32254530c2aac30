//! Rows as the database has them.

pub(super) mod api_key;
pub(super) mod experiment;
pub(super) mod metric;
pub(super) mod rejected_event;
pub(super) mod weights_version;
