//! What a metric reads, and how that is written for the server.
//!
//! The server extracts these columns from the events that it takes and shows nothing else. As JSON:
//!
//! ```json
//! {"columns": [{"name": "amount", "type": "money"}],
//!  "events": [
//!    {"name": "Order Completed", "once_per": "order_id", "read": {"amount": "revenue"}},
//!    {"name": "Order Refunded", "follows": {"event": "Order Completed", "by": "order_id"},
//!     "read": {"amount": {"share_of": "amount"}}},
//!    {"name": "page", "type": "page", "read": {}}]}
//! ```
//!
//! - `columns[].type` is `int`, `float`, `bool`, `money`, `text` or `json`. A column that an event does not read
//!   is null for it.
//! - `events[].type` is absent for a `track` call, which is selected by its name. With `"page"` or `"screen"`
//!   every such call is selected, whatever page it names; `name` then repeats the type. No name comes twice.
//! - A source is a path, or `{"sum": path}` and `{"count": path}` where the path crosses one list, written `[]`,
//!   or `{"share_of": column}`: the part that this event takes back of what the followed event gave in that
//!   column, in the same minor units, not negative.
//! - A path starts in `properties`, or with `context.` in the context.

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

/// The type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Column {
    /// Whole numbers.
    Int,
    /// Numbers.
    Float,
    /// True or false.
    Bool,
    /// Minor units of a currency: the amount as the shop's rules have it.
    Money,
    /// Text; numbers become text.
    Text,
    /// Anything, as JSON.
    Json,
}

/// What a metric reads: columns, and the events that fill them.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Fields {
    columns: Vec<NamedColumn>,
    events: Vec<Read>,
}

#[derive(Clone, Debug, Serialize)]
struct NamedColumn {
    name: String,
    #[serde(rename = "type")]
    column: Column,
}

impl Fields {
    /// Reads nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a column. The first is number 0 for [`Event`](crate::Event).
    #[must_use]
    pub fn column(mut self, name: impl Into<String>, column: Column) -> Self {
        self.columns.push(NamedColumn { name: name.into(), column });
        self
    }

    /// Adds an event to read. The first has [`read_idx`](crate::Event::read_idx) 0.
    #[must_use]
    pub fn read(mut self, read: Read) -> Self {
        self.events.push(read);
        self
    }

    pub(crate) fn n_events(&self) -> usize {
        self.events.len()
    }
}

/// One event to read: how it is selected, and what it puts into the columns.
#[derive(Clone, Debug, Serialize)]
pub struct Read {
    name: String,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    call: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    once_per: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    follows: Option<Follows>,
    #[serde(rename = "read", serialize_with = "as_map")]
    sources: Vec<(String, Source)>,
}

#[derive(Clone, Debug, Serialize)]
struct Follows {
    event: String,
    by: String,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum Source {
    ShareOf(String),
    Sum(String),
    Count(String),
    #[serde(untagged)]
    Path(String),
}

impl Read {
    /// Selects the `track` calls with this event name.
    pub fn event(name: impl Into<String>) -> Self {
        Self { name: name.into(), call: None, once_per: None, follows: None, sources: Vec::new() }
    }

    /// Selects every `page` call.
    pub fn page() -> Self {
        Self { call: Some("page"), ..Self::event("page") }
    }

    /// Selects every `screen` call.
    pub fn screen() -> Self {
        Self { call: Some("screen"), ..Self::event("screen") }
    }

    /// Counts one event for each value of this property: of an order that shop and browser both report, one.
    #[must_use]
    pub fn once_per(mut self, property: impl Into<String>) -> Self {
        self.once_per = Some(property.into());
        self
    }

    /// Counts the event exactly where, when and for whom the other one with the same property counts: a refund
    /// belongs to its order.
    #[must_use]
    pub fn follows(mut self, event: impl Into<String>, by: impl Into<String>) -> Self {
        self.follows = Some(Follows { event: event.into(), by: by.into() });
        self
    }

    /// Fills a column from a property, or from the context if the path starts with `context.`.
    #[must_use]
    pub fn property(self, column: impl Into<String>, path: impl Into<String>) -> Self {
        self.source(column, Source::Path(path.into()))
    }

    /// Fills a column with the sum over a list: `products[].quantity`.
    #[must_use]
    pub fn sum(self, column: impl Into<String>, path: impl Into<String>) -> Self {
        self.source(column, Source::Sum(path.into()))
    }

    /// Fills a column with the length of a list: `products[]`.
    #[must_use]
    pub fn count(self, column: impl Into<String>, path: impl Into<String>) -> Self {
        self.source(column, Source::Count(path.into()))
    }

    /// Fills a money column with the part that this event takes back of what the followed event gave in
    /// `of`: never negative, never more than it gave.
    #[must_use]
    pub fn share_of(self, column: impl Into<String>, of: impl Into<String>) -> Self {
        self.source(column, Source::ShareOf(of.into()))
    }

    fn source(mut self, column: impl Into<String>, source: Source) -> Self {
        self.sources.push((column.into(), source));
        self
    }
}

fn as_map<S: Serializer>(sources: &[(String, Source)], serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(sources.len()))?;
    for (column, source) in sources {
        map.serialize_entry(column, source)?;
    }
    map.end()
}

#[cfg(test)]
mod tests {
    use super::{Column, Fields, Read};
    use serde_json::{Value, json};

    #[track_caller]
    fn check(fields: Fields, expected: &Value) {
        assert_eq!(&serde_json::to_value(fields).unwrap(), expected);
    }

    #[test]
    fn orders_and_their_refunds() {
        check(
            Fields::new()
                .column("amount", Column::Money)
                .read(Read::event("Order Completed").once_per("order_id").property("amount", "revenue"))
                .read(
                    Read::event("Order Refunded")
                        .follows("Order Completed", "order_id")
                        .share_of("amount", "amount"),
                ),
            &json!({"columns": [{"name": "amount", "type": "money"}], "events": [
                {"name": "Order Completed", "once_per": "order_id", "read": {"amount": "revenue"}},
                {"name": "Order Refunded", "follows": {"event": "Order Completed", "by": "order_id"},
                 "read": {"amount": {"share_of": "amount"}}}]}),
        );
    }

    #[test]
    fn lists_and_pages() {
        check(
            Fields::new()
                .column("quantity", Column::Int)
                .column("lines", Column::Int)
                .column("locale", Column::Text)
                .read(
                    Read::event("Order Completed")
                        .sum("quantity", "products[].quantity")
                        .count("lines", "products[]"),
                )
                .read(Read::page().property("locale", "context.locale"))
                .read(Read::screen()),
            &json!({"columns": [{"name": "quantity", "type": "int"}, {"name": "lines", "type": "int"},
                               {"name": "locale", "type": "text"}], "events": [
                {"name": "Order Completed",
                 "read": {"quantity": {"sum": "products[].quantity"}, "lines": {"count": "products[]"}}},
                {"name": "page", "type": "page", "read": {"locale": "context.locale"}},
                {"name": "screen", "type": "screen", "read": {}}]}),
        );
    }
}
