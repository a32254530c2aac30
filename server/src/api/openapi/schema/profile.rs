//! Persons: their ids, and what is known of them.

use super::{Currency, Key, Time, UnitId, by_hand, closed, object_of};
use serde_json::Value;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// A person, and all of their ids.
#[derive(ToSchema)]
pub(in crate::api::openapi) struct Person {
    /// The id by which all of theirs are known.
    person: UnitId,
    /// All of their ids, this one among them.
    ids: Vec<UnitId>,
}

/// Another id of a person.
#[derive(ToSchema)]
struct AliasFields {
    /// The id; not the user's own.
    id: UnitId,
}

/// Another id of a person.
pub(in crate::api::openapi) struct NewAlias;

by_hand!(NewAlias, closed(object_of::<AliasFields>()).into(), AliasFields::schemas);

/// An amount of money.
#[derive(ToSchema)]
struct Money {
    /// In minor units of the currency.
    amount: i64,
    /// The currency.
    currency: Currency,
}

/// How a customer compares with all others: in fifths, of which 5 is the best.
#[derive(ToSchema)]
struct Rfm {
    /// The three scores as digits: 555 is the best.
    #[schema(minimum = 111, maximum = 555)]
    score: u16,
    /// How lately the last order was.
    #[schema(minimum = 1, maximum = 5)]
    recency: u8,
    /// How many orders there were.
    #[schema(minimum = 1, maximum = 5)]
    frequency: u8,
    /// How much they brought.
    #[schema(minimum = 1, maximum = 5)]
    monetary: u8,
    /// What marketers call such customers.
    group: RfmGroup,
}

/// What marketers call customers by how lately and how often they bought.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
enum RfmGroup {
    Champions,
    Loyal,
    PotentialLoyalists,
    New,
    Promising,
    NeedAttention,
    AboutToSleep,
    AtRisk,
    CannotLose,
    Hibernating,
}

/// How often and when last a category was looked at, alone or through its products.
#[derive(ToSchema)]
struct CategoryViews {
    /// How often.
    views: u64,
    /// When last.
    last_viewed_at: Time,
}

/// The product that was looked at last.
#[derive(ToSchema)]
struct ViewedProduct {
    /// Its product id, else its sku.
    product: String,
    /// Its name.
    #[schema(required = true)]
    name: Option<String>,
    /// Its category.
    #[schema(required = true)]
    category: Option<String>,
    /// When.
    viewed_at: Time,
}

/// A product in a cart.
#[derive(ToSchema)]
struct CartLine {
    /// Its product id, else its sku.
    product: String,
    /// Its name.
    #[schema(required = true)]
    name: Option<String>,
    /// Its category.
    #[schema(required = true)]
    category: Option<String>,
    /// How many.
    quantity: u32,
    /// What one costs, as it was said last.
    #[schema(required = true)]
    price: Option<Money>,
}

/// What is in the cart.
#[derive(ToSchema)]
struct Cart {
    /// The products in it, in the order of their ids.
    lines: Vec<CartLine>,
    /// How many items they are in all.
    quantity: u64,
    /// What they are worth, by currency.
    value: Vec<Money>,
    /// When it was last changed or emptied.
    #[schema(required = true)]
    updated_at: Option<Time>,
}

/// That a person is in an audience.
#[derive(ToSchema)]
struct Membership {
    /// Which audience.
    audience: Key,
    /// Since when.
    since: Time,
}

/// What is known of a person, from the events of all their ids.
#[derive(ToSchema)]
pub(in crate::api::openapi) struct Profile {
    /// The id by which all of theirs are known.
    person: UnitId,
    /// All of their ids, this one among them.
    ids: Vec<UnitId>,
    /// Whether some event carried the id of a known user.
    known: bool,
    /// The time of the first event.
    #[schema(required = true)]
    first_seen: Option<Time>,
    /// The time of the last event.
    #[schema(required = true)]
    last_seen: Option<Time>,
    /// The newest value of each trait, by the time of the event; those that were set to null are absent.
    traits: BTreeMap<String, Value>,
    /// What was said last about each category of consent.
    consent: BTreeMap<String, bool>,
    /// How many orders count: each once, none that was canceled.
    orders: u64,
    /// What those brought without shipping and tax, less refunds, by currency.
    revenue: Vec<Money>,
    /// The time of the first order that counts.
    #[schema(required = true)]
    first_order: Option<Time>,
    /// The time of the last order that counts.
    #[schema(required = true)]
    last_order: Option<Time>,
    /// How the person compares with all other customers; null without an order, or where no condition asks for it.
    #[schema(required = true)]
    rfm: Option<Rfm>,
    /// The categories that were looked at, by name.
    categories: BTreeMap<String, CategoryViews>,
    /// The product that was looked at last.
    #[schema(required = true)]
    last_viewed: Option<ViewedProduct>,
    /// What is in the cart.
    cart: Cart,
    /// When what stands under a flag was last closed, by flag.
    dismissed: BTreeMap<String, Time>,
    /// The audiences that the person is in between requests, in the order of their keys.
    audiences: Vec<Membership>,
}
