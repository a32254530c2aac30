//! A value against what is wanted of it: one set of words for everything that conditions look at.
//!
//! A value that is missing satisfies `absent` and nothing else: `ne` of it is false, and `not` around `eq` is true.
//! Texts and numbers are compared as clients send them: `7` and `"7"` are equal.

use super::found::Found;
use super::members::Members;
use super::op::{Kind, Op};
use super::span::Span;
use crate::fault::Fault;
use crate::time::Timestamp;
use regex::{Regex, RegexBuilder};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde_json::{Map, Number, Value};
use std::hash::{Hash, Hasher};
use std::str::FromStr;

/// The longest list of values.
const VALUES_MAX: usize = 1_000;
/// The longest text, in characters.
const TEXT_CHARS_MAX: usize = 1_000;
/// What a compiled pattern may take, in bytes.
const PATTERN_BYTES_MAX: usize = 1 << 18;

/// The longest text that a pattern is looked for in, in bytes; in a longer one it is not found. Patterns take time in
/// proportion to their own length times that of the text, and texts come from anybody.
const MATCHED_BYTES_MAX: usize = 4_096;

/// What is wanted of a value: `{"op": "gte", "value": 3}`.
#[derive(Clone, Debug)]
pub struct Test {
    op: Op,
    value: Value,
    wanted: Wanted,
}

/// The value made ready, so that comparing costs nothing more.
#[derive(Clone, Debug)]
enum Wanted {
    Nothing,
    Scalar(Scalar),
    Scalars(Vec<Scalar>),
    Number(Decimal, f64),
    Numbers(Vec<Decimal>),
    Instant(Timestamp),
    Span(Span),
    Pattern(Regex),
}

#[derive(Clone, Debug)]
struct Scalar {
    text: Box<str>,
    /// The number that is written just so.
    number: Option<Number>,
}

impl PartialEq for Test {
    fn eq(&self, other: &Self) -> bool {
        self.op == other.op && self.value == other.value
    }
}

impl Eq for Test {}

impl Hash for Test {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.op.hash(state);
        self.value.hash(state);
    }
}

impl Test {
    /// Reads the members `op` and `value`, and says what is wrong with them.
    pub(crate) fn read(members: &Members<'_>, kind: Kind, faults: &mut Vec<Fault>) -> Option<Self> {
        let names = || kind.ops().iter().map(|op| op.as_str()).collect::<Vec<_>>().join(", ");
        let name = members.get("op").and_then(Value::as_str);
        let named = kind.ops().iter().find(|op| name == Some(op.as_str()));
        let Some(op) = named.copied() else {
            faults.push(members.fault("op", format!("one of {}", names())));
            return None;
        };
        let value = members.get("value").cloned().unwrap_or(Value::Null);
        match wanted(op, kind, &value) {
            Ok(wanted) => Some(Self { op, value, wanted }),
            Err(detail) => {
                faults.push(members.fault("value", detail));
                None
            }
        }
    }

    /// Adds the members that [`Self::read`] reads.
    pub(crate) fn write(&self, members: &mut Map<String, Value>) {
        members.insert("op".into(), self.op.as_str().into());
        if !self.value.is_null() {
            members.insert("value".into(), self.value.clone());
        }
    }

    /// The number that it compares with.
    pub(crate) fn number(&self) -> Option<Decimal> {
        match self.wanted {
            Wanted::Number(number, _) => Some(number),
            _ => None,
        }
    }

    /// The span that it looks back.
    pub(crate) fn span(&self) -> Option<Span> {
        match self.wanted {
            Wanted::Span(span) => Some(span),
            _ => None,
        }
    }

    /// Whether what was found is as it should be; `None` if it could not be had.
    pub(crate) fn answer(&self, found: &Found<'_>, now: Timestamp) -> Option<bool> {
        (!matches!(found, Found::Unknown)).then(|| self.holds(found, now))
    }

    /// Whether what was found is as it should be.
    pub(crate) fn holds(&self, found: &Found<'_>, now: Timestamp) -> bool {
        match (self.op, found) {
            (Op::Absent, Found::Missing) => true,
            (Op::Absent, _) | (_, Found::Missing | Found::Unknown) => false,
            (Op::Exists, _) => true,
            (_, Found::Json(value)) => self.holds_for_json(value, now),
            (op, Found::Number(number)) => match &self.wanted {
                Wanted::Number(wanted, _) => op.orders(number.cmp(wanted)),
                Wanted::Numbers(list) => list.contains(number) == (op == Op::In),
                _ => false,
            },
            (_, Found::Time(time)) => self.holds_for_time(*time, now),
            (op, Found::Flag(flag)) => self.is_text(if *flag { "true" } else { "false" }) == (op == Op::Eq),
            (_, Found::Word(word)) => self.holds_for_text(word),
            (_, Found::Texts(texts)) => texts.any(|text| self.holds_for_text(text)),
            (op, Found::Age(age_us)) => self.span().is_some_and(|span| op.orders(age_us.cmp(&span.micros()))),
        }
    }

    /// The earliest instant after `now` at which the answer may be another though nothing was done.
    pub(crate) fn next_change(&self, found: &Found<'_>, now: Timestamp) -> Option<Timestamp> {
        let span_us = self.span()?.micros();
        let micros = |time: Timestamp, span_us: i64| time.as_micros().saturating_add(span_us);
        let edges = match found {
            Found::Time(time) => [time.as_micros(), micros(*time, span_us)],
            Found::Json(value) => {
                let time = instant(value)?;
                [time.as_micros(), micros(time, span_us)]
            }
            Found::Age(age_us) => {
                let reached = now.as_micros().saturating_add(span_us - age_us);
                [reached, reached.saturating_add(1)]
            }
            Found::Missing
            | Found::Unknown
            | Found::Number(_)
            | Found::Flag(_)
            | Found::Word(_)
            | Found::Texts(_) => return None,
        };
        edges.into_iter().map(Timestamp::from_micros).find(|edge| now < *edge)
    }

    fn holds_for_json(&self, value: &Value, now: Timestamp) -> bool {
        match (self.op, &self.wanted) {
            (op, Wanted::Number(_, wanted)) => number(value)
                .and_then(|found| found.partial_cmp(wanted))
                .is_some_and(|found| op.orders(found)),
            (Op::Before | Op::After | Op::Within | Op::NotWithin, _) => {
                instant(value).is_some_and(|time| self.holds_for_time(time, now))
            }
            (Op::Contains, Wanted::Scalar(scalar)) if value.is_array() => {
                value.as_array().into_iter().flatten().any(|element| scalar.equals(element))
            }
            (op @ (Op::Eq | Op::Ne), Wanted::Scalar(scalar)) => scalar.equals(value) == (op == Op::Eq),
            (op, Wanted::Scalars(list)) => list.iter().any(|scalar| scalar.equals(value)) == (op == Op::In),
            _ => match value {
                Value::String(text) => self.holds_for_text(text),
                Value::Number(number) => self.holds_for_text(&number.to_string()),
                Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => false,
            },
        }
    }

    fn holds_for_text(&self, text: &str) -> bool {
        match (self.op, &self.wanted) {
            (Op::Eq, _) => self.is_text(text),
            (Op::Ne, _) => !self.is_text(text),
            (op, Wanted::Scalars(list)) => list.iter().any(|scalar| *scalar.text == *text) == (op == Op::In),
            (Op::Contains, Wanted::Scalar(scalar)) => text.contains(&*scalar.text),
            (Op::StartsWith, Wanted::Scalar(scalar)) => text.starts_with(&*scalar.text),
            (Op::EndsWith, Wanted::Scalar(scalar)) => text.ends_with(&*scalar.text),
            (_, Wanted::Pattern(pattern)) => text.len() <= MATCHED_BYTES_MAX && pattern.is_match(text),
            _ => false,
        }
    }

    fn is_text(&self, text: &str) -> bool {
        matches!(&self.wanted, Wanted::Scalar(scalar) if *scalar.text == *text)
    }

    fn holds_for_time(&self, time: Timestamp, now: Timestamp) -> bool {
        match (self.op, &self.wanted) {
            (Op::Before, Wanted::Instant(wanted)) => time < *wanted,
            (Op::After, Wanted::Instant(wanted)) => *wanted <= time,
            (Op::Within, Wanted::Span(span)) => is_within(time, *span, now),
            (Op::NotWithin, Wanted::Span(span)) => !is_within(time, *span, now),
            _ => false,
        }
    }

    /// What is wanted, in words that go on after the name of the value.
    pub(crate) fn words(&self) -> String {
        let text = |value: &Value| match value {
            Value::String(text) if self.span().is_some() => text.clone(),
            value => value.to_string(),
        };
        match &self.value {
            Value::Null => self.op.words().to_owned(),
            Value::Array(list) => {
                format!("{} {}", self.op.words(), list.iter().map(text).collect::<Vec<_>>().join(", "))
            }
            value => format!("{} {}", self.op.words(), text(value)),
        }
    }
}

/// Whether `time` is in the span that ends now: not at its very beginning, but at its end.
pub(crate) fn is_within(time: Timestamp, span: Span, now: Timestamp) -> bool {
    time <= now && now.as_micros().saturating_sub(span.micros()) < time.as_micros()
}

impl Scalar {
    fn new(value: &Value) -> Option<Self> {
        let text = match value {
            Value::String(text) if text.chars().count() <= TEXT_CHARS_MAX => text.clone(),
            Value::Number(_) | Value::Bool(_) => value.to_string(),
            _ => return None,
        };
        let number = match value {
            Value::Number(number) => Some(number.clone()),
            Value::String(text) => Number::from_str(text).ok().filter(|number| number.to_string() == *text),
            _ => None,
        };
        Some(Self { text: text.into(), number })
    }

    fn equals(&self, found: &Value) -> bool {
        match found {
            Value::String(text) => *self.text == **text,
            Value::Bool(flag) => *self.text == *(if *flag { "true" } else { "false" }),
            Value::Number(found) => self.number.as_ref().is_some_and(|number| {
                number == found || (found.is_f64() != number.is_f64() && found.as_f64() == number.as_f64())
            }),
            Value::Null | Value::Array(_) | Value::Object(_) => false,
        }
    }
}

fn wanted(op: Op, kind: Kind, value: &Value) -> Result<Wanted, String> {
    let scalar = || {
        let fault = || format!("a text of at most {TEXT_CHARS_MAX} characters, a number, true or false");
        Scalar::new(value).map(Wanted::Scalar).ok_or_else(fault)
    };
    match op {
        Op::Exists | Op::Absent if value.is_null() => Ok(Wanted::Nothing),
        Op::Exists | Op::Absent => Err(format!("nothing: `{}` takes no value", op.as_str())),
        Op::Eq | Op::Ne if kind == Kind::Flag => {
            if value.is_boolean() {
                scalar()
            } else {
                Err("true or false".into())
            }
        }
        Op::Eq | Op::Ne if let Kind::Word(words) = kind => check_word(value, words).and_then(|()| scalar()),
        _ if op.is_order() && kind == Kind::Age => span(value),
        _ if op.is_order() && matches!(kind, Kind::Number | Kind::Total) => decimal(value).map(as_number),
        Op::Gt | Op::Gte | Op::Lt | Op::Lte => decimal(value).map(as_number),
        Op::Eq | Op::Ne | Op::StartsWith | Op::EndsWith | Op::Contains => scalar(),
        Op::In | Op::NotIn => {
            let fault = || format!("a list of 1 to {VALUES_MAX} texts or numbers");
            let list =
                value.as_array().filter(|list| (1..=VALUES_MAX).contains(&list.len())).ok_or_else(fault)?;
            if kind == Kind::Number {
                return list.iter().map(decimal).collect::<Result<_, _>>().map(Wanted::Numbers);
            }
            if let Kind::Word(words) = kind {
                list.iter().try_for_each(|value| check_word(value, words))?;
            }
            list.iter().map(Scalar::new).collect::<Option<_>>().map(Wanted::Scalars).ok_or_else(fault)
        }
        Op::Matches => pattern(value),
        Op::Before | Op::After => {
            let time = value.as_str().and_then(|text| Timestamp::parse(text).ok());
            time.map(Wanted::Instant).ok_or_else(|| "a time such as \"2026-11-27T09:30:00Z\"".into())
        }
        Op::Within | Op::NotWithin => span(value),
    }
}

fn check_word(value: &Value, words: &[&str]) -> Result<(), String> {
    let is_known = value.as_str().is_some_and(|word| words.contains(&word));
    if is_known { Ok(()) } else { Err(format!("one of {}", words.join(", "))) }
}

fn span(value: &Value) -> Result<Wanted, String> {
    value.as_str().and_then(Span::parse).map(Wanted::Span).ok_or_else(|| Span::WANTED.into())
}

fn as_number(decimal: Decimal) -> Wanted {
    Wanted::Number(decimal, decimal.to_f64().unwrap_or(f64::NAN))
}

/// A number or the text of one, exactly.
fn decimal(value: &Value) -> Result<Decimal, String> {
    let text = match value {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        _ => String::new(),
    };
    let exact = Decimal::from_str_exact(&text).or_else(|_| Decimal::from_scientific(&text));
    exact.map_err(|_| "a number such as 3 or \"89.90\"".into())
}

fn pattern(value: &Value) -> Result<Wanted, String> {
    let text = value.as_str().filter(|text| text.chars().count() <= TEXT_CHARS_MAX);
    let text = text.ok_or_else(|| format!("a regular expression of at most {TEXT_CHARS_MAX} characters"))?;
    let pattern = RegexBuilder::new(text).size_limit(PATTERN_BYTES_MAX).build();
    pattern.map(Wanted::Pattern).map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => "a simpler regular expression; this one grows too large".into(),
        _ => format!("a regular expression without look-around or back references; `{text}` is none"),
    })
}

/// A number as clients send it.
fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok().filter(|number: &f64| number.is_finite()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A time as clients send it: RFC 3339, the same without an offset, or a date, both in UTC.
fn instant(value: &Value) -> Option<Timestamp> {
    let text = value.as_str()?;
    Timestamp::parse(text).ok().or_else(|| {
        let civil: jiff::civil::DateTime = text.parse().ok()?;
        let instant = jiff::tz::TimeZone::UTC.to_timestamp(civil).ok()?;
        Some(Timestamp::from_micros(instant.as_microsecond()))
    })
}
