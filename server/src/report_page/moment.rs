//! Times as people read them, in UTC.

use jiff::Timestamp as Instant;
use podium_core::time::Timestamp;

/// A time to the minute: `27 Nov 2026, 09:30 UTC`.
pub(super) fn minute(at: Timestamp) -> String {
    written(at, "%-d %b %Y, %H:%M UTC")
}

/// A time to the second: `27 Nov 2026, 09:30:07 UTC`.
pub(super) fn second(at: Timestamp) -> String {
    written(at, "%-d %b %Y, %H:%M:%S UTC")
}

/// A day: `27 Nov 2026`.
pub(super) fn day(at: Timestamp) -> String {
    written(at, "%-d %b %Y")
}

fn written(at: Timestamp, format: &str) -> String {
    // A time that no calendar holds is written as the core writes it.
    Instant::from_microsecond(at.as_micros())
        .map_or_else(|_| at.to_string(), |instant| instant.strftime(format).to_string())
}
