//! What a metric wants read from events: the JSON that its plugin writes, checked and compiled.
//!
//! ```json
//! {"columns": [{"name": "amount", "type": "money"}],
//!  "events": [
//!   {"name": "Order Completed", "once_per": "order_id", "read": {"amount": "revenue"}},
//!   {"name": "Order Refunded", "follows": {"event": "Order Completed", "by": "order_id"},
//!    "read": {"amount": {"share_of": "amount"}}}]}
//! ```
//!
//! A path starts in `properties`, or in the context if it begins with `context.`; it may cross one list with
//! `{"sum": "products[].quantity"}` or `{"count": "products[]"}`. Events that are no track calls go by their
//! type: `page`, `screen`, `identify`.

use serde::Deserialize;
use std::collections::{BTreeMap, HashSet};

/// The most columns and the most events one metric may read.
const READS_MAX: usize = 64;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ColumnType {
    /// A whole number.
    Int,
    /// A number.
    Float,
    /// True or false.
    Bool,
    /// Whole minor units of the experiment's currency.
    Money,
    /// A text.
    Text,
    /// Any JSON, as text.
    Json,
}

/// Everything a metric reads.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldSpec {
    /// The columns, in the order of the batch.
    pub columns: Vec<(String, ColumnType)>,
    /// The events, in the order that a batch's `event` index counts in.
    pub events: Vec<EventSpec>,
}

/// One event a metric reads.
#[derive(Clone, Debug, PartialEq)]
pub struct EventSpec {
    /// The event's name, or its type for what is no track call.
    pub name: String,
    /// Of the events that share this property, one counts.
    pub once_per: Option<String>,
    /// It counts exactly where that event counts.
    pub follows: Option<Follows>,
    /// How each column is filled; `None` is null.
    pub reads: Vec<Option<Read>>,
}

/// Which event another one belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Follows {
    /// The name of the event that leads.
    pub event: String,
    /// The property both share.
    pub by: String,
}

/// How one column of one event is filled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    /// The value at a path.
    At(Path),
    /// The sum of the numbers at a path that crosses a list.
    Sum(Path),
    /// How many elements a list has.
    Count(Path),
    /// The share of the followed event's column (its position) that this event takes back.
    ShareOf(usize),
}

/// Where a value stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// Whether it starts in the context instead of the properties.
    pub in_context: bool,
    /// Member names down to the value, or down to the list.
    pub steps: Vec<String>,
    /// Member names inside each element of the list; `None` if no list is crossed.
    pub in_element: Option<Vec<String>>,
}

/// A field specification that makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the metric's field specification is wrong: {detail}")]
pub struct BadFieldSpec {
    /// What is wrong.
    pub detail: String,
}

impl From<String> for BadFieldSpec {
    fn from(detail: String) -> Self {
        Self { detail }
    }
}

#[derive(Deserialize)]
struct WireSpec {
    #[serde(default)]
    columns: Vec<WireColumn>,
    #[serde(default)]
    events: Vec<WireEvent>,
}

#[derive(Deserialize)]
struct WireColumn {
    name: String,
    #[serde(rename = "type")]
    column_type: ColumnType,
}

#[derive(Deserialize)]
struct WireEvent {
    name: String,
    #[serde(default)]
    once_per: Option<String>,
    #[serde(default)]
    follows: Option<Follows>,
    #[serde(default)]
    read: BTreeMap<String, WireRead>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum WireRead {
    Path(String),
    ShareOf { share_of: String },
    Sum { sum: String },
    Count { count: String },
}

impl FieldSpec {
    /// Reads and checks what a plugin wrote.
    ///
    /// # Errors
    ///
    /// [`BadFieldSpec`] if it is no such JSON, names a column or leading event that is not there, lists an event
    /// twice, or has more than 64 columns or events.
    pub fn parse(json: &str) -> Result<Self, BadFieldSpec> {
        let wire: WireSpec = serde_json::from_str(json).map_err(|error| error.to_string())?;
        if wire.columns.len() > READS_MAX || wire.events.len() > READS_MAX {
            return Err(format!("more than {READS_MAX} columns or events").into());
        }
        let columns: Vec<_> =
            wire.columns.into_iter().map(|column| (column.name, column.column_type)).collect();
        let mut names = HashSet::new();
        if let Some(twice) = wire.events.iter().find(|event| !names.insert(event.name.as_str())) {
            return Err(format!("event `{}` is listed twice", twice.name).into());
        }
        for event in &wire.events {
            if let Some(follows) = &event.follows
                && !names.contains(follows.event.as_str())
            {
                return Err(format!("`{}` follows `{}`, which is not read", event.name, follows.event).into());
            }
        }
        let events =
            wire.events.into_iter().map(|event| event.compiled(&columns)).collect::<Result<_, _>>()?;
        Ok(Self { columns, events })
    }

    /// The event that `name` names, with its position.
    pub fn event(&self, name: &str) -> Option<(usize, &EventSpec)> {
        self.events.iter().enumerate().find(|(_, event)| event.name == name)
    }
}

impl EventSpec {
    /// The property that groups this event with others, if one does.
    pub fn grouped_by(&self) -> Option<&str> {
        self.follows.as_ref().map(|follows| follows.by.as_str()).or(self.once_per.as_deref())
    }
}

impl WireEvent {
    fn compiled(self, columns: &[(String, ColumnType)]) -> Result<EventSpec, BadFieldSpec> {
        let position = |column: &str| columns.iter().position(|(name, _)| name == column);
        let mut reads = vec![None; columns.len()];
        for (column, wire) in self.read {
            let read = match wire {
                WireRead::Path(path) => Read::At(Path::parse(&path)?),
                WireRead::Sum { sum } => Read::Sum(Path::parse(&sum)?),
                WireRead::Count { count } => Read::Count(Path::parse(&count)?),
                WireRead::ShareOf { share_of } => Read::ShareOf(
                    position(&share_of).ok_or_else(|| format!("`share_of` names no column: `{share_of}`"))?,
                ),
            };
            if matches!(read, Read::ShareOf(_)) && self.follows.is_none() {
                return Err(format!("`{}` takes a share but follows no event", self.name).into());
            }
            let slot = position(&column).and_then(|column_idx| reads.get_mut(column_idx));
            *slot.ok_or_else(|| format!("`{}` fills `{column}`, which is no column", self.name))? =
                Some(read);
        }
        Ok(EventSpec { name: self.name, once_per: self.once_per, follows: self.follows, reads })
    }
}

impl Path {
    fn parse(text: &str) -> Result<Self, BadFieldSpec> {
        let bad = || BadFieldSpec {
            detail: format!("`{text}` is no path such as `revenue` or `products[].price`"),
        };
        let (in_context, rest) = match text.strip_prefix("context.") {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix("properties.").unwrap_or(text)),
        };
        let split = |steps: &str| steps.split('.').map(str::to_owned).collect::<Vec<_>>();
        let (steps, in_element) = match rest.split_once("[]") {
            None => (split(rest), None),
            Some((list, "")) => (split(list), Some(Vec::new())),
            Some((list, element)) => (split(list), Some(split(element.strip_prefix('.').ok_or_else(bad)?))),
        };
        let names = steps.iter().chain(in_element.iter().flatten());
        if names.clone().any(|name| name.is_empty() || name.contains(['[', ']'])) {
            return Err(bad());
        }
        Ok(Self { in_context, steps, in_element })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bundled_shape_is_read() {
        let spec = FieldSpec::parse(
            r#"{"columns":[{"name":"amount","type":"money"},{"name":"units","type":"int"}],
                "events":[{"name":"Order Completed","once_per":"order_id",
                           "read":{"amount":"revenue","units":{"sum":"products[].quantity"}}},
                          {"name":"Order Refunded","follows":{"event":"Order Completed","by":"order_id"},
                           "read":{"amount":{"share_of":"amount"}}},
                          {"name":"page","read":{"units":{"count":"context.tabs[]"}}}]}"#,
        )
        .unwrap();
        assert_eq!(spec.events[0].grouped_by(), Some("order_id"));
        assert_eq!(spec.events[1].reads, [Some(Read::ShareOf(0)), None]);
        let Some(Read::Sum(path)) = &spec.events[0].reads[1] else { panic!("{spec:?}") };
        assert_eq!(
            (path.steps.as_slice(), path.in_element.as_deref()),
            (&["products".to_owned()][..], Some(&["quantity".to_owned()][..]))
        );
        let Some(Read::Count(path)) = &spec.events[2].reads[1] else { panic!("{spec:?}") };
        assert!(path.in_context);
    }

    #[test]
    fn a_specification_that_makes_no_sense_is_refused_with_its_fault() {
        for (json, fault) in [
            ("[", "EOF"),
            (r#"{"events":[{"name":"A"},{"name":"A"}]}"#, "listed twice"),
            (r#"{"events":[{"name":"A","follows":{"event":"B","by":"id"}}]}"#, "not read"),
            (r#"{"events":[{"name":"A","read":{"x":"y"}}]}"#, "no column"),
            (
                r#"{"columns":[{"name":"x","type":"int"}],"events":[{"name":"A","read":{"x":{"share_of":"x"}}}]}"#,
                "follows no event",
            ),
            (
                r#"{"columns":[{"name":"x","type":"int"}],"events":[{"name":"A","read":{"x":"a..b"}}]}"#,
                "no path",
            ),
            (
                r#"{"columns":[{"name":"x","type":"int"}],"events":[{"name":"A","read":{"x":"a[].b[].c"}}]}"#,
                "no path",
            ),
        ] {
            let error = FieldSpec::parse(json).unwrap_err().to_string();
            assert!(error.contains(fault), "{json}: {error}");
        }
    }
}
