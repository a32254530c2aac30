//! The one place that asks what time it is.

use podium_core::time::Timestamp;

/// Now.
pub(crate) fn now() -> Timestamp {
    Timestamp::from_micros(jiff::Timestamp::now().as_microsecond())
}
