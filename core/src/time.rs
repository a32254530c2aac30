//! Instants and spans, in whole microseconds.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;

const SECOND_US: i64 = 1_000_000;
const DAY_US: i64 = 86_400 * SECOND_US;

/// An instant: microseconds since 1970-01-01T00:00:00Z. Written and read as RFC 3339.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// A text that is not an instant we can hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an RFC 3339 time such as 2026-11-27T09:30:00Z")]
pub struct NotATime {
    /// What was given.
    pub text: String,
}

impl Timestamp {
    /// The instant `micros` microseconds after 1970 began.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since 1970 began.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// Milliseconds since 1970 began, rounded down.
    pub const fn as_millis(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// The whole millisecond it is in.
    #[must_use]
    pub const fn floor_to_millis(self) -> Self {
        Self(self.as_millis().saturating_mul(1000))
    }

    /// The UTC day: whole days since 1970-01-01.
    pub const fn day(self) -> i64 {
        self.0.div_euclid(DAY_US)
    }

    /// This instant `span_s` seconds later, or the last one there is.
    #[must_use]
    pub const fn plus_seconds(self, span_s: i64) -> Self {
        Self(self.0.saturating_add(span_s.saturating_mul(SECOND_US)))
    }

    /// Reads RFC 3339, with any offset.
    ///
    /// # Errors
    ///
    /// [`NotATime`] if `text` is no such time.
    pub fn parse(text: &str) -> Result<Self, NotATime> {
        let instant: jiff::Timestamp = text.parse().map_err(|_| NotATime { text: text.to_owned() })?;
        Ok(Self(instant.as_microsecond()))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(instant) => instant.fmt(f),
            Err(_) => write!(f, "{} µs", self.0),
        }
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_survives_being_written_and_read() {
        let time = Timestamp::parse("2026-11-27T10:30:00.25+01:00").unwrap();
        assert_eq!(time.to_string(), "2026-11-27T09:30:00.25Z");
        assert_eq!(Timestamp::parse(&time.to_string()), Ok(time));
        assert!(Timestamp::parse("yesterday").is_err());
    }

    #[test]
    fn days_are_counted_down_below_1970_too() {
        assert_eq!(Timestamp::from_micros(-1).day(), -1);
        assert_eq!(Timestamp::from_micros(DAY_US).day(), 1);
    }
}
