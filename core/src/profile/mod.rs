//! What is known of one person: a fold over the events of all ids that are that person's.
//!
//! A profile is a function of the *set* of events: any order and any batching of the same events gives the same one.
//! Whatever it keeps is therefore a sum, a first, a last, or the newest of its kind by (event time, message id).
//! [`Profile::of`] folds a whole history, [`Profile::apply`] adds to it, and says so if that cannot be done.

mod cart;
mod fold;
mod order;

#[cfg(test)]
#[expect(clippy::needless_pass_by_value, reason = "a JSON literal is handed over where it stands")]
mod tests;

pub use cart::{Cart, CartLine};
pub use fold::Outcome;

use crate::audience::{LeafState, find};
use crate::id::LeafId;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// A look at a product.
pub const PRODUCT_VIEWED: &str = "Product Viewed";
/// A look at a category.
pub const PRODUCT_LIST_VIEWED: &str = "Product List Viewed";
/// Something came into the cart.
pub const PRODUCT_ADDED: &str = "Product Added";
/// Something left the cart.
pub const PRODUCT_REMOVED: &str = "Product Removed";
/// Everything left the cart.
pub const CART_CLEARED: &str = "Cart Cleared";
/// A shopper closed what was shown.
pub const EXPERIENCE_DISMISSED: &str = "Experience Dismissed";

/// What is known of one person.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Profile {
    /// Whether some event carried the id of a known user.
    pub is_known: bool,
    /// The time of the first event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_seen: Option<Timestamp>,
    /// The time of the last event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_seen: Option<Timestamp>,
    /// The newest value of each trait; null where it was taken away. Of more than 500 names the first 500 in order.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub traits: BTreeMap<Box<str>, Newest<Value>>,
    /// What was said last about each category of consent. Of more than 100 the first 100 in order.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub consent: BTreeMap<Box<str>, Newest<bool>>,
    /// How many orders count: each once, none that was cancelled.
    pub orders: u64,
    /// What those brought without shipping and tax, less refunds, in minor units by currency code.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub revenue: BTreeMap<Box<str>, i128>,
    /// The time of the first order that counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_order: Option<Timestamp>,
    /// The time of the last order that counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_order: Option<Timestamp>,
    /// The categories looked at, alone or through their products. Of more than 1,000 the first 1,000 in order.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub categories: BTreeMap<Box<str>, Views>,
    /// The product looked at last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_viewed: Option<Newest<ViewedProduct>>,
    /// What is in the cart.
    #[serde(skip_serializing_if = "Cart::is_default")]
    pub cart: Cart,
    /// When what stands under a flag was last closed, by the key of the flag or of the experience, as the event has
    /// it. Of more than 1,000 keys the first 1,000 in order.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub dismissed: BTreeMap<Box<str>, Timestamp>,
    /// What is kept for each condition on past events that is watched; absent where no event was taken.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub leaves: BTreeMap<LeafId, LeafState>,
}

/// A value with what decides whether another one is newer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Newest<T> {
    /// The value.
    #[serde(rename = "v")]
    pub value: T,
    /// When it was said.
    #[serde(rename = "t")]
    pub at: Timestamp,
    /// By which event.
    #[serde(rename = "m")]
    pub message_id: Box<str>,
}

/// How often and when last something was looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Views {
    /// How often.
    #[serde(rename = "n")]
    pub count: u64,
    /// When last.
    #[serde(rename = "t")]
    pub last: Timestamp,
}

/// A product as an event names it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ViewedProduct {
    /// Its product id, else its sku.
    pub product: Box<str>,
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Box<str>>,
    /// Its category.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<Box<str>>,
}

impl<T> Newest<T> {
    /// Takes in another value if it is newer; one event may say the same thing twice, of which the second counts.
    pub(crate) fn take(slot: &mut Option<Self>, other: Self) {
        let is_older = |this: &Self| (other.at, &other.message_id) < (this.at, &this.message_id);
        if !slot.as_ref().is_some_and(is_older) {
            *slot = Some(other);
        }
    }
}

impl Profile {
    /// The value of a trait at a dotted path; of several ways the one with the longest name first counts.
    pub fn find_trait(&self, path: &str) -> Option<&Value> {
        let whole = self.traits.get(path).map(|newest| &newest.value);
        whole.filter(|value| !value.is_null()).or_else(|| {
            let mut cuts = path.rmatch_indices('.').map(|(dot, _)| (path.get(..dot), path.get(dot + 1..)));
            cuts.find_map(|(name, rest)| find(&self.traits.get(name?)?.value, rest?))
        })
    }
}
