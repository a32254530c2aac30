//! What is known of a person, as it is read.

use super::PersonBody;
use crate::app::Person;
use crate::shoppers::Known;
use crate::store::audiences::Audience;
use podium_core::audience::{RfmCuts, RfmPoint};
use podium_core::profile::{Cart, CartLine, Newest, Profile, ViewedProduct};
use podium_core::time::Timestamp;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// Facts are called what conditions call them.
#[derive(Serialize)]
pub(super) struct ProfileBody<'a> {
    #[serde(flatten)]
    person: PersonBody<'a>,
    known: bool,
    first_seen: Option<Timestamp>,
    last_seen: Option<Timestamp>,
    traits: BTreeMap<&'a str, &'a Value>,
    consent: BTreeMap<&'a str, bool>,
    orders: u64,
    revenue: Vec<Money<'a>>,
    first_order: Option<Timestamp>,
    last_order: Option<Timestamp>,
    rfm: Option<RfmBody>,
    categories: BTreeMap<&'a str, ViewsBody>,
    last_viewed: Option<ViewedBody<'a>>,
    cart: CartBody<'a>,
    dismissed: &'a BTreeMap<Box<str>, Timestamp>,
    audiences: Vec<MembershipBody<'a>>,
}

/// An amount in minor units.
#[derive(Serialize)]
struct Money<'a> {
    amount: i128,
    currency: &'a str,
}

#[derive(Serialize)]
struct RfmBody {
    score: u16,
    recency: u8,
    frequency: u8,
    monetary: u8,
    group: &'static str,
}

#[derive(Serialize)]
struct ViewsBody {
    views: u64,
    last_viewed_at: Timestamp,
}

#[derive(Serialize)]
struct ViewedBody<'a> {
    #[serde(flatten)]
    product: ProductBody<'a>,
    viewed_at: Timestamp,
}

#[derive(Serialize)]
struct ProductBody<'a> {
    product: &'a str,
    name: Option<&'a str>,
    category: Option<&'a str>,
}

#[derive(Serialize)]
struct CartBody<'a> {
    lines: Vec<LineBody<'a>>,
    quantity: u64,
    value: Vec<Money<'a>>,
    updated_at: Option<Timestamp>,
}

#[derive(Serialize)]
struct LineBody<'a> {
    #[serde(flatten)]
    product: ProductBody<'a>,
    quantity: u32,
    /// What one costs.
    price: Option<Money<'a>>,
}

#[derive(Serialize)]
struct MembershipBody<'a> {
    audience: &'a str,
    since: Timestamp,
}

impl<'a> ProfileBody<'a> {
    /// - `audiences`: all there are, in the order of their keys.
    /// - `cuts`: where the fifths of all customers meet, if somebody asked for that.
    pub(super) fn new(
        person: &'a Person,
        known: &'a Known,
        audiences: &'a [Audience],
        cuts: Option<&RfmCuts>,
    ) -> Self {
        let profile = &known.profile;
        let traits = profile.traits.iter().filter(|(_, newest)| !newest.value.is_null());
        let views = profile.categories.iter().map(|(category, views)| {
            (&**category, ViewsBody { views: views.count, last_viewed_at: views.last })
        });
        let membership = |one: &'a Audience| {
            let since = *known.audiences.get(&one.id)?;
            Some(MembershipBody { audience: one.key.as_str(), since })
        };
        Self {
            person: person.into(),
            known: profile.is_known,
            first_seen: profile.first_seen,
            last_seen: profile.last_seen,
            traits: traits.map(|(name, newest)| (&**name, &newest.value)).collect(),
            consent: profile.consent.iter().map(|(name, said)| (&**name, said.value)).collect(),
            orders: profile.orders,
            revenue: amounts(&profile.revenue),
            first_order: profile.first_order,
            last_order: profile.last_order,
            rfm: cuts.and_then(|cuts| rfm(profile, cuts)),
            categories: views.collect(),
            last_viewed: profile.last_viewed.as_ref().map(ViewedBody::from),
            cart: (&profile.cart).into(),
            dismissed: &profile.dismissed,
            audiences: audiences.iter().filter_map(membership).collect(),
        }
    }
}

fn amounts(by_currency: &BTreeMap<Box<str>, i128>) -> Vec<Money<'_>> {
    by_currency.iter().map(|(currency, amount)| Money { amount: *amount, currency }).collect()
}

fn rfm(profile: &Profile, cuts: &RfmCuts) -> Option<RfmBody> {
    let scores = cuts.scores(&RfmPoint::of(profile, cuts.currency())?);
    Some(RfmBody {
        score: scores.number(),
        recency: scores.recency,
        frequency: scores.frequency,
        monetary: scores.monetary,
        group: scores.group().as_str(),
    })
}

impl<'a> From<&'a Newest<ViewedProduct>> for ViewedBody<'a> {
    fn from(newest: &'a Newest<ViewedProduct>) -> Self {
        let ViewedProduct { product, name, category } = &newest.value;
        let product = ProductBody { product, name: name.as_deref(), category: category.as_deref() };
        Self { product, viewed_at: newest.at }
    }
}

impl<'a> From<&'a Cart> for CartBody<'a> {
    fn from(cart: &'a Cart) -> Self {
        Self {
            lines: cart.lines.iter().map(|(product, line)| LineBody::new(product, line)).collect(),
            quantity: cart.lines.values().map(|line| u64::from(line.quantity)).sum(),
            value: amounts(&cart.value),
            updated_at: cart.updated_at,
        }
    }
}

impl<'a> LineBody<'a> {
    fn new(product: &'a str, line: &'a CartLine) -> Self {
        let price = line.price_minor.zip(line.currency.as_deref());
        Self {
            product: ProductBody { product, name: line.name.as_deref(), category: line.category.as_deref() },
            quantity: line.quantity,
            price: price.map(|(amount, currency)| Money { amount: amount.into(), currency }),
        }
    }
}
