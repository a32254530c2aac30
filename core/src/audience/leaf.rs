//! Past events: how many, how much, when last. What is kept of them is exact and bounded, so that neither a
//! membership nor its end needs the log.

use super::found::Found;
use super::leaf_state::{Keep, LeafState};
use super::members::Members;
use super::op::Kind;
use super::span::Span;
use super::subject::currency;
use super::test::{Test, is_within};
use crate::fault::Fault;
use crate::metric::extract::EventParts;
use crate::money::Currency;
use crate::time::Timestamp;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde_json::{Map, Value, json};

/// The most properties one leaf asks for.
const TESTS_MAX: usize = 20;
/// The largest count that is compared with: what is kept grows with it.
const COUNT_MAX: u64 = 1_000;
/// How many edges are looked at for the next change; beyond them it is told too early.
const EDGES_MAX: usize = 64;

/// A condition on past events with one name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EventLeaf {
    /// The events' name, or their type for what are no track calls.
    pub name: Box<str>,
    /// Properties by dotted path, and what each has to be; `context.` leads into the context.
    pub tests: Vec<(Box<str>, Test)>,
    /// What is asked of those events.
    pub measure: Measure,
}

/// What is asked of events.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Measure {
    /// How many there are, in a span or ever.
    Count(Test, Option<Span>),
    /// What a property of theirs adds up to, in a span or ever.
    Sum {
        /// The property, by its dotted path.
        property: Box<str>,
        /// The currency; the project's if none is named. Events in another one are left out.
        currency: Option<Currency>,
        /// What the sum has to be.
        test: Test,
        /// How far back.
        within: Option<Span>,
    },
    /// When the last one was.
    Last(Test),
    /// That there was none.
    Never,
}

impl EventLeaf {
    /// Reads what stands in `{"event": …}`.
    ///
    /// # Errors
    ///
    /// Every [`Fault`], with pointers from there.
    pub fn parse(value: &Value) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        let leaf = Self::read(String::new(), value, &mut faults);
        leaf.filter(|_| faults.is_empty()).ok_or(faults)
    }

    pub(super) fn read(pointer: String, value: &Value, faults: &mut Vec<Fault>) -> Option<Self> {
        let known = ["name", "where", "count", "sum", "last", "within"];
        let members = Members::read(pointer, value, &known, faults)?;
        let name = members.name("name", faults);
        if name.as_ref().is_some_and(|name| name.starts_with('$')) {
            faults.push(members.fault("name", "a name that does not begin with `$`"));
        }
        let tests = tests(&members, faults);
        let within = match members.get("within") {
            None => None,
            Some(span) => {
                let span = span.as_str().and_then(Span::parse);
                if span.is_none() {
                    faults.push(members.fault("within", Span::WANTED));
                }
                span
            }
        };
        let measure = Measure::read(&members, within, faults);
        Some(Self { name: name?, tests, measure: measure? })
    }

    /// As [`Self::parse`] reads it.
    pub fn to_value(&self) -> Value {
        // In the order of the alphabet, so that the text is the same whether or not maps keep their order.
        let mut members = Map::new();
        let of = |test: &Test, mut members: Map<String, Value>| {
            test.write(&mut members);
            Value::Object(members)
        };
        match &self.measure {
            Measure::Count(test, _) => drop(members.insert("count".into(), of(test, Map::new()))),
            Measure::Last(test) => drop(members.insert("last".into(), of(test, Map::new()))),
            Measure::Never => drop(members.insert("last".into(), json!({ "op": "never" }))),
            Measure::Sum { .. } => {}
        }
        members.insert("name".into(), (*self.name).into());
        if let Measure::Sum { property, currency, test, .. } = &self.measure {
            let mut sum = Map::new();
            if let Some(currency) = currency {
                sum.insert("currency".into(), currency.code().into());
            }
            let mut written = Map::new();
            test.write(&mut written);
            sum.extend(written.remove_entry("op"));
            sum.insert("property".into(), (**property).into());
            sum.extend(written);
            members.insert("sum".into(), sum.into());
        }
        if !self.tests.is_empty() {
            let tests = self.tests.iter().map(|(property, test)| {
                let mut written = Map::new();
                test.write(&mut written);
                let mut members: Map<String, Value> = written.remove_entry("op").into_iter().collect();
                members.insert("property".into(), (**property).into());
                members.extend(written);
                Value::Object(members)
            });
            members.insert("where".into(), tests.collect());
        }
        if let Measure::Count(_, Some(span)) | Measure::Sum { within: Some(span), .. } = &self.measure {
            members.insert("within".into(), span.to_string().into());
        }
        Value::Object(members)
    }

    /// The one text of this leaf: equal leaves have equal texts.
    pub fn to_text(&self) -> String {
        self.to_value().to_string()
    }

    /// Whether an event's properties are as they have to be at `time`, the event's own.
    pub(crate) fn takes(&self, parts: &EventParts<'_>, time: Timestamp) -> bool {
        self.tests.iter().all(|(property, test)| {
            let value: Option<Value> = parts.find(property).and_then(|json| serde_json::from_str(json).ok());
            test.holds(&Found::json(value.as_ref()), time)
        })
    }

    /// What an event adds to the sum; `None` if it has no such amount, and 0 where none is asked for.
    pub(crate) fn amount(&self, parts: &EventParts<'_>, default: Currency) -> Option<i64> {
        let Measure::Sum { property, currency, .. } = &self.measure else { return Some(0) };
        let currency = currency.unwrap_or(default);
        if parts.is_in(currency, default) { parts.amount(property, currency) } else { None }
    }

    pub(super) fn keep(&self) -> Keep {
        match &self.measure {
            Measure::Never => Keep::Oldest(1),
            Measure::Last(_) => Keep::Newest(1),
            Measure::Sum { within: Some(span), .. } => Keep::Span(*span),
            Measure::Sum { within: None, .. } => Keep::Total,
            Measure::Count(test, Some(_)) => Keep::Newest(enough(test)),
            Measure::Count(test, None) => Keep::Oldest(enough(test)),
        }
    }

    fn test(&self) -> Option<&Test> {
        match &self.measure {
            Measure::Count(test, _) | Measure::Sum { test, .. } | Measure::Last(test) => Some(test),
            Measure::Never => None,
        }
    }

    fn span(&self) -> Option<Span> {
        match &self.measure {
            Measure::Count(_, span) | Measure::Sum { within: span, .. } => *span,
            Measure::Last(test) => test.span(),
            Measure::Never => None,
        }
    }

    /// Whether the events that `state` was made of are as they have to be.
    pub(crate) fn holds(&self, state: Option<&LeafState>, currency: Currency, now: Timestamp) -> bool {
        let found = self.found(state, currency, now);
        self.test().map_or(matches!(found, Found::Missing), |test| test.holds(&found, now))
    }

    /// What is there of the events that `state` was made of.
    pub(crate) fn found(
        &self,
        state: Option<&LeafState>,
        currency: Currency,
        now: Timestamp,
    ) -> Found<'static> {
        let times = state.map_or(&[][..], |state| &state.times);
        let until = times.partition_point(|time| *time <= now.as_micros());
        let past = times.get(..until).unwrap_or_default();
        let is_in =
            |time: &i64| self.span().is_none_or(|span| is_within(Timestamp::from_micros(*time), span, now));
        let from = || past.partition_point(|time| !is_in(time));
        match &self.measure {
            Measure::Count(..) => Found::Number((until - from()).into()),
            Measure::Sum { currency: named, .. } => {
                let recent = state.and_then(|state| state.amounts.get(from()..until)).unwrap_or_default();
                let recent: i128 = recent.iter().copied().map(i128::from).sum();
                Found::money(state.map_or(0, |state| state.settled) + recent, named.unwrap_or(currency))
            }
            Measure::Last(_) | Measure::Never => {
                Found::time(past.last().copied().map(Timestamp::from_micros))
            }
        }
    }

    /// What is there, in words.
    pub(crate) fn found_words(
        &self,
        state: Option<&LeafState>,
        currency: Currency,
        now: Timestamp,
    ) -> String {
        let found = self.found(state, currency, now);
        match (&self.measure, found) {
            (Measure::Count(test, _), Found::Number(count)) if Decimal::from(enough(test)) <= count => {
                format!("{} or more", enough(test))
            }
            _ => found.words(),
        }
    }

    /// The earliest instant after `now` at which the answer is another if nothing happens.
    pub(crate) fn next_change(
        &self,
        state: Option<&LeafState>,
        currency: Currency,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let state = state?;
        let span_us = self.span().map(Span::micros);
        let leaving = state.times.iter().filter_map(|time| Some(time.saturating_add(span_us?)));
        let mut edges: Vec<_> = state
            .times
            .iter()
            .copied()
            .chain(leaving)
            .map(Timestamp::from_micros)
            .filter(|edge| now < *edge)
            .collect();
        edges.sort_unstable();
        edges.dedup();
        let before = self.holds(Some(state), currency, now);
        let flips = |edge: &Timestamp| self.holds(Some(state), currency, *edge) != before;
        edges.iter().take(EDGES_MAX).copied().find(flips).or_else(|| edges.get(EDGES_MAX).copied())
    }

    /// In words, without what was found.
    pub(crate) fn words(&self) -> String {
        let tests = self.tests.iter().map(|(property, test)| format!("`{property}` {}", test.words()));
        let tests = tests.collect::<Vec<_>>().join(" and ");
        let whose = if tests.is_empty() { String::new() } else { format!(" where {tests}") };
        let asked = match &self.measure {
            Measure::Count(test, _) => format!("the number of `{}`{whose} {}", self.name, test.words()),
            Measure::Sum { property, test, .. } => {
                format!("the sum of `{property}` of `{}`{whose} {}", self.name, test.words())
            }
            Measure::Last(test) => return format!("the last `{}`{whose} {}", self.name, test.words()),
            Measure::Never => return format!("`{}`{whose} never happened", self.name),
        };
        self.span().map_or(asked.clone(), |span| format!("{asked} in the last {span}"))
    }
}

/// How many events have to be counted: more than what their number is compared with makes no difference.
fn enough(test: &Test) -> usize {
    test.number().and_then(|number| number.to_usize()).unwrap_or(0) + 1
}

fn tests(members: &Members<'_>, faults: &mut Vec<Fault>) -> Vec<(Box<str>, Test)> {
    let Some(list) = members.get("where") else { return Vec::new() };
    let Some(list) = list.as_array().filter(|list| list.len() <= TESTS_MAX) else {
        faults.push(members.fault("where", format!("a list of at most {TESTS_MAX} tests of properties")));
        return Vec::new();
    };
    let read = list.iter().enumerate().filter_map(|(test_idx, value)| {
        let pointer = format!("{}/{test_idx}", members.at("where"));
        let members = Members::read(pointer, value, &["property", "op", "value"], faults)?;
        let property = members.name("property", faults);
        let test = Test::read(&members, Kind::Json, faults);
        Some((property?, test?))
    });
    read.collect()
}

impl Measure {
    fn read(members: &Members<'_>, within: Option<Span>, faults: &mut Vec<Fault>) -> Option<Self> {
        match (members.get("count"), members.get("sum"), members.get("last")) {
            (None, None, None) => {
                let once = json!({ "op": "gte", "value": 1 });
                let once = Members::read(String::new(), &once, &["op", "value"], faults)?;
                Some(Self::Count(Test::read(&once, Kind::Total, faults)?, within))
            }
            (Some(count), None, None) => {
                let members = Members::read(members.at("count"), count, &["op", "value"], faults)?;
                let test = Test::read(&members, Kind::Total, faults)?;
                let is_count = |number: Decimal| {
                    number.is_integer() && number.to_u64().is_some_and(|count| count <= COUNT_MAX)
                };
                if !test.number().is_some_and(is_count) {
                    faults.push(members.fault("value", format!("a whole number from 0 to {COUNT_MAX}")));
                    return None;
                }
                Some(Self::Count(test, within))
            }
            (None, Some(sum), None) => {
                let known = ["property", "op", "value", "currency"];
                let members = Members::read(members.at("sum"), sum, &known, faults)?;
                let property = members.name("property", faults);
                let currency = currency(&members, faults);
                let test = Test::read(&members, Kind::Total, faults);
                Some(Self::Sum { property: property?, currency, test: test?, within })
            }
            (None, None, Some(last)) => {
                if within.is_some() {
                    faults.push(members.fault("within", "nothing: `last` has a span of its own"));
                }
                let members = Members::read(members.at("last"), last, &["op", "value"], faults)?;
                match members.text("op") {
                    Some("never") if members.get("value").is_none() => Some(Self::Never),
                    Some("within" | "not_within") => Test::read(&members, Kind::Time, faults).map(Self::Last),
                    _ => {
                        faults.push(
                            members.fault("op", "one of within, not_within, and never without a value"),
                        );
                        None
                    }
                }
            }
            _ => {
                faults.push(Fault::new(members.pointer.clone(), "one of `count`, `sum` and `last`"));
                None
            }
        }
    }
}
