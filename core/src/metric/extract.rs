//! Reads the columns a metric asked for out of one event.

use super::fields::{ColumnType, EventSpec, Path, Read};
use super::json::{Object, elements, plain_text};
use crate::money::Currency;

/// The event whose amount has stand-ins.
pub const ORDER_COMPLETED: &str = "Order Completed";
/// The event that takes back part of an order.
pub const ORDER_REFUNDED: &str = "Order Refunded";
/// The event that takes back all of an order.
pub const ORDER_CANCELLED: &str = "Order Cancelled";

/// One cell.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// True or false.
    Bool(bool),
    /// Whole minor units.
    Money(i64),
    /// A text.
    Text(String),
    /// Any JSON, as text.
    Json(String),
}

/// The parts of an event that columns are read from.
#[derive(Clone, Debug)]
pub struct EventParts<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its properties.
    pub properties: Object<'a>,
    /// Its context.
    pub context: Object<'a>,
}

impl<'a> EventParts<'a> {
    /// Reads the parts from an event's stored JSON: an object with `properties` and `context`.
    pub fn parse(name: &'a str, body: &'a str) -> Self {
        let body = Object::parse(body);
        let part = |member| body.get(member).map(Object::parse).unwrap_or_default();
        Self { name, properties: part("properties"), context: part("context") }
    }

    /// Fills the columns of one event. A value that is absent, of another type, or money in another currency
    /// than `currency` is null. Shares are left null: they need the event that is followed.
    pub fn cells(
        &self,
        event: &EventSpec,
        columns: &[(String, ColumnType)],
        currency: Currency,
    ) -> Vec<Option<Cell>> {
        let cell = |(read, (_, column_type)): (&Option<Read>, &(String, ColumnType))| match read.as_ref()? {
            Read::At(path) if *column_type == ColumnType::Money => {
                self.money(path, currency).map(Cell::Money)
            }
            Read::At(path) => typed(self.at(path)?, *column_type),
            Read::Sum(path) => self.sum(path, *column_type, currency),
            Read::Count(path) => {
                Some(whole(i64::try_from(elements(self.at(path)?).len()).ok()?, *column_type))
            }
            Read::ShareOf(_) => None,
        };
        event.reads.iter().zip(columns).map(cell).collect()
    }

    /// Whether its money is in `currency`; an event that names none is in the project's, which is `default`.
    pub fn is_in(&self, currency: Currency, default: Currency) -> bool {
        let named = self.properties.get("currency").and_then(plain_text);
        named.map_or(currency == default, |code| Currency::from_code(&code) == Ok(currency))
    }

    /// The value at a dotted path, as JSON text: in the context if it begins with `context.`, else in the properties,
    /// where of several ways the one with the longest name first counts.
    pub fn find(&self, path: &str) -> Option<&'a str> {
        path.strip_prefix("context.")
            .and_then(|path| self.context.find(path))
            .or_else(|| self.properties.find(path))
    }

    /// The currency its money is in; an event that names none is in `default`.
    pub fn currency(&self, default: Currency) -> Option<Currency> {
        let named = self.properties.get("currency").and_then(plain_text);
        named.map_or(Some(default), |code| Currency::from_code(&code).ok())
    }

    /// The amount at a dotted path in minor units, with the stand-ins of an order without `revenue`.
    pub fn amount(&self, path: &str, currency: Currency) -> Option<i64> {
        if let Some(json) = self.find(path) {
            return currency.minor_units(&plain_text(json)?).ok();
        }
        if self.name == ORDER_COMPLETED && path == "revenue" { self.revenue(currency) } else { None }
    }

    /// An amount in minor units: the property at `path`, with the stand-ins of an order without `revenue`.
    fn money(&self, path: &Path, currency: Currency) -> Option<i64> {
        if !self.is_in(currency, currency) {
            return None;
        }
        let amount = |json: &str| currency.minor_units(&plain_text(json)?).ok();
        if let Some(json) = self.at(path) {
            return amount(json);
        }
        if self.name == ORDER_COMPLETED && !path.in_context && path.steps == ["revenue"] {
            return self.revenue(currency);
        }
        None
    }

    /// What an order brought, without shipping and tax: `revenue`, else `subtotal`, else
    /// `total − shipping − tax`.
    fn revenue(&self, currency: Currency) -> Option<i64> {
        let amount = |name: &str| currency.minor_units(&plain_text(self.properties.get(name)?)?).ok();
        amount("revenue").or_else(|| amount("subtotal")).or_else(|| {
            let extras = amount("shipping").unwrap_or(0) + amount("tax").unwrap_or(0);
            amount("total").map(|total| total - extras)
        })
    }

    /// All that was paid for an order: `total`, else `revenue + shipping + tax`.
    pub fn total(&self, currency: Currency) -> Option<i64> {
        let amount = |name: &str| currency.minor_units(&plain_text(self.properties.get(name)?)?).ok();
        amount("total").or_else(|| {
            let extras = amount("shipping").unwrap_or(0) + amount("tax").unwrap_or(0);
            self.revenue(currency).map(|revenue| revenue + extras)
        })
    }

    fn at(&self, path: &Path) -> Option<&'a str> {
        if path.in_context { self.context.at(&path.steps) } else { self.properties.at(&path.steps) }
    }

    fn sum(&self, path: &Path, column_type: ColumnType, currency: Currency) -> Option<Cell> {
        let in_element = path.in_element.as_deref()?;
        let items = elements(self.at(path)?);
        let numbers = items.into_iter().filter_map(|element| {
            let json =
                if in_element.is_empty() { Some(element) } else { Object::parse(element).at(in_element) };
            plain_text(json?)
        });
        if column_type == ColumnType::Money {
            let amounts = numbers.filter_map(|text| currency.minor_units(&text).ok());
            return amounts.map(i128::from).sum::<i128>().try_into().ok().map(Cell::Money);
        }
        if column_type == ColumnType::Int {
            let wholes = numbers.filter_map(|text| text.parse::<i64>().ok());
            return wholes.map(i128::from).sum::<i128>().try_into().ok().map(Cell::Int);
        }
        let sum: f64 = numbers.filter_map(|text| text.parse::<f64>().ok()).sum();
        Some(Cell::Float(sum))
    }
}

fn whole(number: i64, column_type: ColumnType) -> Cell {
    if column_type == ColumnType::Float { Cell::Float(number as f64) } else { Cell::Int(number) }
}

fn typed(json: &str, column_type: ColumnType) -> Option<Cell> {
    match column_type {
        ColumnType::Int => plain_text(json)?.parse().ok().map(Cell::Int),
        ColumnType::Float => plain_text(json)?.parse().ok().filter(|x: &f64| x.is_finite()).map(Cell::Float),
        ColumnType::Bool => match json {
            "true" | "\"true\"" => Some(Cell::Bool(true)),
            "false" | "\"false\"" => Some(Cell::Bool(false)),
            _ => None,
        },
        ColumnType::Text => plain_text(json).map(|text| Cell::Text(text.into_owned())),
        ColumnType::Json => Some(Cell::Json(json.to_owned())),
        ColumnType::Money => None,
    }
}

/// The part of `amount` that a refund of `refunded` out of `total` takes back, rounded half to even, never more
/// than `left`; all that is left if the refund or the order names no total.
pub fn refund_share(amount: i64, refunded: Option<i64>, total: Option<i64>, left: i64) -> i64 {
    let share = match (refunded, total) {
        (Some(refunded), Some(total)) if total > 0 => {
            let (product, total) = (i128::from(amount) * i128::from(refunded.max(0)), i128::from(total));
            let (floor, rest) = (product.div_euclid(total), product.rem_euclid(total));
            let up = 2 * rest > total || (2 * rest == total && floor % 2 != 0);
            i64::try_from(floor + i128::from(up)).unwrap_or(i64::MAX)
        }
        _ => left,
    };
    share.clamp(0, left.max(0))
}
