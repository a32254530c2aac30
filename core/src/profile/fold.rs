//! Events become a profile.

use super::order::Order;
use super::{
    EXPERIENCE_DISMISSED, Newest, PRODUCT_LIST_VIEWED, PRODUCT_VIEWED, Profile, ViewedProduct, Views,
};
use crate::audience::Watched;
use crate::metric::extract::{EventParts, ORDER_COMPLETED};
use crate::metric::json::{Object, plain_text};
use crate::money::Currency;
use crate::projection::{OrderBook, StoredEvent};
use crate::time::Timestamp;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

const TRAITS_MAX: usize = 500;
const CONSENTS_MAX: usize = 100;
const CATEGORIES_MAX: usize = 1_000;
const DISMISSED_MAX: usize = 1_000;
/// The longest text that is kept, in characters.
const TEXT_CHARS_MAX: usize = 200;

/// Whether events could be added to a profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Outcome {
    /// They were.
    Done,
    /// They change what an order gave; the profile has to be made anew from the whole history.
    Refold,
}

/// What a fold is done with.
#[derive(Clone, Copy)]
struct Fold<'a> {
    is_mine: &'a dyn Fn(&str) -> bool,
    watched: &'a Watched,
    currency: Currency,
}

impl Profile {
    /// Folds everything that is known of a person.
    ///
    /// - `person_events`: all events of all units that are this person.
    /// - `orders`: everything the log has about the orders that those events name, whoever said it.
    /// - `is_mine`: whether a unit is this person.
    /// - `watched`: the past events to keep up with.
    /// - `currency`: the project's.
    pub fn of(
        person_events: &[Arc<StoredEvent>],
        orders: &OrderBook,
        is_mine: &dyn Fn(&str) -> bool,
        watched: &Watched,
        currency: Currency,
    ) -> Self {
        let fold = Fold { is_mine, watched, currency };
        let mut profile = Self::default();
        profile.take_all(person_events, fold);
        let mut named: Vec<&str> =
            person_events.iter().filter_map(|event| event.order_id.as_deref()).collect();
        named.sort_unstable();
        named.dedup();
        for order_id in named {
            let about = orders.get(order_id).map_or(&[][..], Vec::as_slice);
            if let Some(order) = Order::of(about.iter().map(|event| &**event)) {
                profile.take_order(&order, fold);
            }
        }
        profile
    }

    /// Adds new events. After [`Outcome::Refold`] the profile is good for nothing. Whoever joins two persons, or watches
    /// something new, folds anew: what was there before is not among `fresh`.
    ///
    /// - `fresh`: events that are new in the log: those of this person, and those about the orders that this person's
    ///   events name, whoever said them. Others may be among them and are passed over.
    /// - `before`: what the log had about the orders in `fresh` before they came.
    /// - the rest: as for [`Self::of`].
    #[expect(clippy::too_many_arguments, reason = "what `of` takes, for a profile that is there already")]
    pub fn apply(
        &mut self,
        fresh: &[Arc<StoredEvent>],
        before: &OrderBook,
        is_mine: &dyn Fn(&str) -> bool,
        watched: &Watched,
        currency: Currency,
    ) -> Outcome {
        let fold = Fold { is_mine, watched, currency };
        let mut about: HashMap<&str, Vec<&StoredEvent>> = HashMap::new();
        for event in fresh {
            if let Some(order_id) = event.order_id.as_deref() {
                about.entry(order_id).or_default().push(event);
            }
        }
        for (order_id, fresh) in about {
            let before = || before.get(order_id).into_iter().flatten().map(|event| &**event);
            let was = Order::of(before()).filter(|order| is_mine(&order.report.unit));
            let is = Order::of(before().chain(fresh)).filter(|order| is_mine(&order.report.unit));
            match (was, is) {
                (None, Some(order)) => self.take_order(&order, fold),
                (was, is) if was == is => {}
                _ => return Outcome::Refold,
            }
        }
        self.take_all(fresh, fold);
        Outcome::Done
    }

    fn take_all(&mut self, events: &[Arc<StoredEvent>], fold: Fold<'_>) {
        let mut is_cart_touched = false;
        for event in events.iter().filter(|event| !event.name.starts_with('$') && (fold.is_mine)(&event.unit))
        {
            let parts = EventParts::parse(&event.name, &event.body);
            self.take_event(event, &parts, fold);
            is_cart_touched |= self.cart.take(event, &parts, fold.currency);
        }
        if is_cart_touched {
            self.cart.settle();
        }
    }

    fn take_event(&mut self, event: &StoredEvent, parts: &EventParts<'_>, fold: Fold<'_>) {
        self.is_known |= event.is_known;
        self.first_seen = Some(self.first_seen.map_or(event.time, |first| first.min(event.time)));
        self.last_seen = self.last_seen.max(Some(event.time));
        self.take_consent(event, parts);
        match &*event.name {
            "identify" => {
                for (name, json) in parts.properties.members() {
                    let value = serde_json::from_str(json).unwrap_or(Value::Null);
                    put(&mut self.traits, short(name), newest(event, value), TRAITS_MAX);
                }
            }
            PRODUCT_VIEWED => {
                self.take_view(event.time, parts);
                if let Some(product) = product(parts) {
                    let (name, category) = (text(parts, "name"), text(parts, "category"));
                    let viewed = newest(event, ViewedProduct { product, name, category });
                    Newest::take(&mut self.last_viewed, viewed);
                }
            }
            PRODUCT_LIST_VIEWED => self.take_view(event.time, parts),
            EXPERIENCE_DISMISSED => {
                if let Some(flag) = text(parts, "flag") {
                    let at = self.dismissed.entry(flag).or_insert(event.time);
                    *at = event.time.max(*at);
                    keep_first(&mut self.dismissed, DISMISSED_MAX);
                }
            }
            ORDER_COMPLETED if event.order_id.is_none() => {
                // Nothing says that two of these are one.
                if let Some(order) = Order::of(std::iter::once(event)) {
                    self.take_order(&order, fold);
                }
            }
            _ => {}
        }
        if &*event.name != ORDER_COMPLETED {
            self.take_leaves(event, parts, fold, |leaf| leaf.amount(parts, fold.currency));
        }
    }

    fn take_leaves(
        &mut self,
        event: &StoredEvent,
        parts: &EventParts<'_>,
        fold: Fold<'_>,
        amount: impl Fn(&crate::audience::EventLeaf) -> Option<i64>,
    ) {
        for (id, leaf) in fold.watched.leaves(&event.name) {
            if leaf.takes(parts, event.time)
                && let Some(amount) = amount(leaf)
            {
                self.leaves.entry(*id).or_default().add(leaf, event.time, amount);
            }
        }
    }

    fn take_consent(&mut self, event: &StoredEvent, parts: &EventParts<'_>) {
        let said = parts.context.find("consent.categoryPreferences").map(Object::parse).unwrap_or_default();
        for (category, json) in said.members() {
            if let Ok(agreed) = serde_json::from_str::<bool>(json) {
                put(&mut self.consent, short(category), newest(event, agreed), CONSENTS_MAX);
            }
        }
    }

    fn take_view(&mut self, at: Timestamp, parts: &EventParts<'_>) {
        if let Some(category) = text(parts, "category") {
            let views = self.categories.entry(category).or_insert(Views { count: 0, last: at });
            *views = Views { count: views.count + 1, last: views.last.max(at) };
            keep_first(&mut self.categories, CATEGORIES_MAX);
        }
    }

    /// Adds what an order gives to its owner, if that is this person.
    fn take_order(&mut self, order: &Order<'_>, fold: Fold<'_>) {
        let report = order.report;
        if !(fold.is_mine)(&report.unit) {
            return;
        }
        let parts = EventParts::parse(&report.name, &report.body);
        self.orders += 1;
        self.first_order = Some(self.first_order.map_or(report.time, |first| first.min(report.time)));
        self.last_order = self.last_order.max(Some(report.time));
        if let Some(currency) = parts.currency(fold.currency)
            && let Some(amount) = parts.amount("revenue", currency)
        {
            let left = order.left(amount, &parts, currency);
            *self.revenue.entry(currency.code().into()).or_default() += i128::from(left);
        }
        self.take_leaves(report, &parts, fold, |leaf| order.leaf_amount(leaf, &parts, fold.currency));
    }
}

/// The product that an event is about: its product id, else its sku.
pub(super) fn product(parts: &EventParts<'_>) -> Option<Box<str>> {
    text(parts, "product_id").or_else(|| text(parts, "sku"))
}

/// A property that is a text or a number, and not empty.
pub(super) fn text(parts: &EventParts<'_>, property: &str) -> Option<Box<str>> {
    let text = plain_text(parts.properties.get(property)?)?;
    (!text.is_empty()).then(|| short(&text))
}

fn short(text: &str) -> Box<str> {
    text.chars().take(TEXT_CHARS_MAX).collect()
}

fn newest<T>(event: &StoredEvent, value: T) -> Newest<T> {
    Newest { value, at: event.time, message_id: event.message_id.clone() }
}

fn put<T>(map: &mut BTreeMap<Box<str>, Newest<T>>, name: Box<str>, other: Newest<T>, n_max: usize) {
    let mut slot = map.remove(&name);
    Newest::take(&mut slot, other);
    map.extend(slot.map(|newest| (name, newest)));
    keep_first(map, n_max);
}

/// Lets go of the last names beyond `n_max`. Which names stay does not depend on when they came, and one that went is
/// never back, so what stays was counted from the beginning.
fn keep_first<T>(map: &mut BTreeMap<Box<str>, T>, n_max: usize) {
    while n_max < map.len() {
        map.pop_last();
    }
}
