//! What is kept of a person's events for a condition on them.

use super::leaf::EventLeaf;
use super::span::Span;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Events may be stamped this far ahead of our clock: whoever asks may be asking about a time that much before the
/// newest event.
const AHEAD_US: i64 = 300 * 1_000_000;
/// The most times that are kept beyond what is asked, for events within [`AHEAD_US`] of the newest.
const TIMES_MAX: usize = 4_096;

/// Which events have to be remembered.
#[derive(Clone, Copy, Debug)]
pub(super) enum Keep {
    /// The first so many.
    Oldest(usize),
    /// The last so many before those that may be ahead of the clock, and those.
    Newest(usize),
    /// All in a span, with their amounts.
    Span(Span),
    /// One sum of all but the newest.
    Total,
}

/// What is kept of a person's events for one leaf. Exact for every `now` from five minutes before the newest event
/// on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeafState {
    /// Times in microseconds, ascending.
    #[serde(rename = "t", default, skip_serializing_if = "Vec::is_empty")]
    pub(super) times: Vec<i64>,
    /// The amount of each, where a sum is asked for.
    #[serde(rename = "a", default, skip_serializing_if = "Vec::is_empty")]
    pub(super) amounts: Vec<i64>,
    /// What earlier ones add up to.
    #[serde(rename = "s", default, skip_serializing_if = "is_zero")]
    pub(super) settled: i128,
}

fn is_zero(sum: &i128) -> bool {
    *sum == 0
}

impl LeafState {
    /// Takes an event in. The state is a function of the set of events: whatever is let go stays dispensable,
    /// whatever comes later.
    pub(crate) fn add(&mut self, leaf: &EventLeaf, time: Timestamp, amount: i64) {
        let keep = leaf.keep();
        let time = time.as_micros();
        match keep {
            Keep::Oldest(_) | Keep::Newest(_) => {
                self.times.insert(self.times.partition_point(|other| *other <= time), time);
            }
            Keep::Span(_) | Keep::Total => {
                let first = self.times.partition_point(|other| *other < time);
                let pairs = self.times.iter().zip(&self.amounts).skip(first);
                let equal = pairs.take_while(|(other, sum)| **other == time && **sum <= amount);
                let place = first + equal.count();
                self.times.insert(place, time);
                self.amounts.insert(place, amount);
            }
        }
        let horizon = self.times.last().map_or(time, |newest| newest.saturating_sub(AHEAD_US));
        let n_times = self.times.len();
        let n_settled = self.times.partition_point(|time| *time <= horizon);
        let n_gone = match keep {
            Keep::Oldest(n) => return self.times.truncate(n),
            Keep::Newest(n) => n_settled.max(n_times.saturating_sub(TIMES_MAX)).saturating_sub(n),
            Keep::Span(span) => {
                let horizon = horizon.saturating_sub(span.micros());
                self.times.partition_point(|time| *time <= horizon)
            }
            Keep::Total => n_settled.max(n_times.saturating_sub(TIMES_MAX)),
        };
        self.times.drain(..n_gone);
        let gone = self.amounts.drain(..n_gone.min(self.amounts.len()));
        let sum: i128 = gone.map(i128::from).sum();
        if matches!(keep, Keep::Total) {
            self.settled += sum;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::money::Currency;
    use serde_json::{Value, json};

    /// When the event at a position is: one a second, then 5,000 at once.
    fn at(event_idx: i64) -> Timestamp {
        let rush_s = if event_idx < 2_000 { 0 } else { 600 };
        let seconds = event_idx.min(2_000) + rush_s;
        Timestamp::from_micros(seconds * 1_000_000 + event_idx)
    }

    /// How many times are kept of 7,000 events, each worth a dollar, from whichever end they come, and what they say.
    #[track_caller]
    fn check(leaf: &Value, n_times: usize, found: &str) {
        let leaf = EventLeaf::parse(leaf).unwrap();
        let (mut there, mut back) = (LeafState::default(), LeafState::default());
        for event_idx in 0..7_000 {
            there.add(&leaf, at(event_idx), 100);
            back.add(&leaf, at(6_999 - event_idx), 100);
        }
        assert_eq!(there, back);
        assert_eq!(there.times.len(), n_times);
        assert_eq!(leaf.found_words(Some(&there), Currency::USD, at(7_000)), found);
    }

    #[test]
    fn a_flood_is_kept_to_what_is_asked_and_a_bound() {
        let viewed = |measure: &str, asked: Value| json!({"name": "Product Viewed", measure: asked});
        let with_span = |mut leaf: Value| {
            leaf["within"] = json!("1d");
            leaf
        };
        let count = || viewed("count", json!({"op": "gte", "value": 999}));
        check(&count(), 1_000, "1000 or more");
        check(&with_span(count()), 1_000 + TIMES_MAX, "1000 or more");
        check(
            &viewed("last", json!({"op": "within", "value": "1d"})),
            1 + TIMES_MAX,
            "1970-01-01T00:43:20.006999Z",
        );
        let sum = || viewed("sum", json!({"property": "price", "op": "gte", "value": 1}));
        check(&sum(), TIMES_MAX, "7000.00");
        check(&with_span(sum()), 7_000, "7000.00");
    }
}
