//! Spans as people write them: `30d`.

use std::fmt;

const SECOND_US: i64 = 1_000_000;
/// The longest span, in days: ten years.
const DAYS_MAX: i64 = 3_650;

/// A whole number of seconds, minutes, hours, days of 24 hours, or weeks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Span {
    count: u32,
    unit: Unit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Unit {
    Second,
    Minute,
    Hour,
    Day,
    Week,
}

impl Unit {
    const ALL: [Self; 5] = [Self::Second, Self::Minute, Self::Hour, Self::Day, Self::Week];

    fn letter(self) -> char {
        match self {
            Self::Second => 's',
            Self::Minute => 'm',
            Self::Hour => 'h',
            Self::Day => 'd',
            Self::Week => 'w',
        }
    }

    fn seconds(self) -> i64 {
        match self {
            Self::Second => 1,
            Self::Minute => 60,
            Self::Hour => 3_600,
            Self::Day => 86_400,
            Self::Week => 7 * 86_400,
        }
    }
}

impl Span {
    /// What a text that is refused should have been.
    pub const WANTED: &str =
        "a span such as \"30d\": a whole number from 1 of s, m, h, d or w, at most 3650 days";

    /// Reads a number and its unit: `90s`, `30m`, `12h`, `7d`, `2w`.
    pub fn parse(text: &str) -> Option<Self> {
        let unit = Unit::ALL.into_iter().find(|unit| text.ends_with(unit.letter()))?;
        let digits =
            text.get(..text.len() - 1).filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()))?;
        let span = Self { count: digits.parse().ok().filter(|count| *count > 0)?, unit };
        (span.micros() <= DAYS_MAX * Unit::Day.seconds() * SECOND_US).then_some(span)
    }

    /// How long it is.
    pub fn micros(self) -> i64 {
        i64::from(self.count) * self.unit.seconds() * SECOND_US
    }

    /// Some microseconds in words, in the largest unit of which there is at least one: `3 h`.
    pub(crate) fn words(micros: i64) -> String {
        let seconds = micros / SECOND_US;
        let sizes = [(Unit::Day, "d"), (Unit::Hour, "h"), (Unit::Minute, "min")];
        let fitting = sizes.into_iter().find(|(unit, _)| unit.seconds() <= seconds);
        fitting.map_or_else(
            || format!("{seconds} s"),
            |(unit, name)| format!("{} {name}", seconds / unit.seconds()),
        )
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.count, self.unit.letter())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_a_number_and_a_unit() {
        for (text, seconds) in
            [("90s", 90), ("30m", 1_800), ("12h", 43_200), ("7d", 604_800), ("2w", 1_209_600)]
        {
            let span = Span::parse(text).unwrap();
            assert_eq!((span.micros(), span.to_string()), (seconds * SECOND_US, text.to_owned()));
        }
        for bad in ["", "d", "7", "0d", "-1d", "1.5h", "7 d", "7D", "3651d", "99999999999w", "ä"] {
            assert_eq!(Span::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_length_is_told_in_its_largest_unit() {
        let words = |seconds: i64| Span::words(seconds * SECOND_US);
        assert_eq!(
            [words(59), words(61), words(7_200), words(200_000)],
            ["59 s", "1 min", "2 h", "2 d"].map(str::to_owned)
        );
    }
}
