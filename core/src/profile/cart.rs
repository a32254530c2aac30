//! What is in the cart: the changes since it was last emptied, and what they come to.

use super::{CART_CLEARED, PRODUCT_ADDED, PRODUCT_REMOVED};
use crate::metric::extract::{EventParts, ORDER_COMPLETED};
use crate::money::Currency;
use crate::projection::StoredEvent;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The most changes that are kept of one cart: its newest.
const CHANGES_MAX: usize = 1_000;
/// The largest quantity.
const QUANTITY_MAX: u32 = 1_000_000;

/// What is in a cart.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Cart {
    /// Each product that is in it, by product id or else sku.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub lines: BTreeMap<Box<str>, CartLine>,
    /// What that is worth in minor units, by currency code.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub value: BTreeMap<Box<str>, i128>,
    /// When it was last changed or emptied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<Timestamp>,
    /// The event that last emptied it. Everything before is forgotten.
    #[serde(skip_serializing_if = "Option::is_none")]
    emptied: Option<Stamp>,
    /// What has changed since, in order: an event that comes late may empty it anywhere between.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    changes: Vec<Change>,
}

/// A product in a cart. What an event does not say of it stays as it was said before.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CartLine {
    /// How many.
    pub quantity: u32,
    /// What one costs in minor units, as it was said last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price_minor: Option<i64>,
    /// The currency's code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<Box<str>>,
    /// Its category.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<Box<str>>,
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Box<str>>,
}

/// Puts the changes of a cart in order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Stamp(Timestamp, Box<str>);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Change {
    #[serde(rename = "t")]
    stamp: Stamp,
    #[serde(rename = "p")]
    product: Box<str>,
    /// What came, or `None` if it was taken out.
    #[serde(rename = "a", default, skip_serializing_if = "Option::is_none")]
    added: Option<CartLine>,
    /// How many were taken out; all if that was not said.
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    removed: Option<u32>,
}

impl Cart {
    /// Whether nothing was ever put in or taken out.
    pub(super) fn is_default(&self) -> bool {
        self.updated_at.is_none()
    }

    /// Takes an event in, and says whether it is about the cart. What it comes to is left to [`Self::settle`].
    pub(super) fn take(&mut self, event: &StoredEvent, parts: &EventParts<'_>, default: Currency) -> bool {
        let stamp = Stamp(event.time, event.message_id.clone());
        match &*event.name {
            CART_CLEARED | ORDER_COMPLETED => {
                if self.emptied.as_ref().is_none_or(|emptied| *emptied < stamp) {
                    self.changes.retain(|change| stamp < change.stamp);
                    self.emptied = Some(stamp);
                }
                true
            }
            PRODUCT_ADDED | PRODUCT_REMOVED => {
                let is_past = self.emptied.as_ref().is_some_and(|emptied| stamp < *emptied);
                if !is_past && let Some(change) = Change::read(&event.name, stamp, parts, default) {
                    let place = self.changes.partition_point(|other| other.stamp < change.stamp);
                    self.changes.insert(place, change);
                    // What goes is older than all that stays, so whatever empties the cart would take it too.
                    self.changes.drain(..self.changes.len().saturating_sub(CHANGES_MAX));
                }
                true
            }
            _ => false,
        }
    }

    /// Works out what the changes come to.
    pub(super) fn settle(&mut self) {
        let mut lines: BTreeMap<Box<str>, CartLine> = BTreeMap::new();
        for change in &self.changes {
            let quantity = lines.get(&change.product).map_or(0, |line| line.quantity);
            match (&change.added, change.removed) {
                (Some(added), _) => lines.entry(change.product.clone()).or_default().add(added),
                (None, Some(removed)) if removed < quantity => {
                    lines.entry(change.product.clone()).and_modify(|line| line.quantity = quantity - removed);
                }
                (None, _) => drop(lines.remove(&change.product)),
            }
        }
        self.value.clear();
        for line in lines.values() {
            if let (Some(price), Some(currency)) = (line.price_minor, &line.currency) {
                *self.value.entry(currency.clone()).or_default() +=
                    i128::from(price) * i128::from(line.quantity);
            }
        }
        self.lines = lines;
        let emptied = self.emptied.as_ref().map(|stamp| stamp.0);
        self.updated_at = self.changes.last().map(|change| change.stamp.0).or(emptied);
    }
}

impl CartLine {
    /// Adds more of the same product.
    fn add(&mut self, added: &Self) {
        self.quantity = self.quantity.saturating_add(added.quantity).min(QUANTITY_MAX);
        if added.price_minor.is_some() {
            (self.price_minor, self.currency) = (added.price_minor, added.currency.clone());
        }
        for (known, said) in [(&mut self.category, &added.category), (&mut self.name, &added.name)] {
            if said.is_some() {
                known.clone_from(said);
            }
        }
    }
}

impl Change {
    fn read(name: &str, stamp: Stamp, parts: &EventParts<'_>, default: Currency) -> Option<Self> {
        let product = super::fold::product(parts)?;
        let quantity = parts.properties.get("quantity").and_then(crate::metric::json::plain_text);
        let quantity = quantity.and_then(|text| text.parse::<f64>().ok());
        let quantity = quantity.map(|quantity| quantity.clamp(0.0, f64::from(QUANTITY_MAX)) as u32);
        if name == PRODUCT_REMOVED {
            return Some(Self { stamp, product, added: None, removed: quantity });
        }
        let quantity = quantity.unwrap_or(1);
        let currency = parts.currency(default);
        let price_minor = currency.and_then(|currency| parts.amount("price", currency));
        let added = CartLine {
            quantity,
            price_minor,
            currency: currency.filter(|_| price_minor.is_some()).map(|currency| currency.code().into()),
            category: super::fold::text(parts, "category"),
            name: super::fold::text(parts, "name"),
        };
        (0 < quantity).then_some(Self { stamp, product, added: Some(added), removed: None })
    }
}
