//! Any order and any batching of the same events gives one profile; what cannot be added is said.

use super::*;
use crate::audience::{EventLeaf, Watched};
use crate::money::Currency;
use crate::projection::{OrderBook, StoredEvent, Trust};
use proptest::prelude::*;
use serde_json::json;
use std::collections::HashSet;
use std::sync::Arc;

const USD: Currency = Currency::USD;

fn is_mine(unit: &str) -> bool {
    unit == "u0" || unit == "u1"
}

fn event(name: &str, second: i64, properties: Value) -> StoredEvent {
    StoredEvent {
        message_id: format!("{name} {second}").into(),
        name: name.into(),
        unit: "u0".into(),
        is_known: false,
        other_id: None,
        order_id: properties["order_id"].as_str().map(Box::from),
        trust: Trust::Server,
        time: Timestamp::default().plus_seconds(second),
        sighting: None,
        body: json!({ "properties": properties, "context": {} }).to_string().into(),
    }
}

fn watched() -> Watched {
    let leaves = [
        json!({ "name": "Product Viewed", "count": { "op": "gte", "value": 2 } }),
        json!({ "name": "Product Viewed", "count": { "op": "gte", "value": 1 }, "within": "5m",
                "where": [{ "property": "category", "op": "ne", "value": "c0" }] }),
        json!({ "name": "Product Viewed", "last": { "op": "within", "value": "1m" } }),
        json!({ "name": "Product Added", "sum": { "property": "price", "op": "gte", "value": 9 }, "within": "10m" }),
        json!({ "name": "Product Added", "sum": { "property": "quantity", "op": "gte", "value": 9 } }),
        json!({ "name": "Order Completed", "sum": { "property": "revenue", "op": "gte", "value": 9 } }),
        json!({ "name": "Order Completed", "count": { "op": "eq", "value": 2 }, "within": "20m" }),
        json!({ "name": "Order Refunded", "last": { "op": "never" } }),
    ];
    Watched::new(leaves.iter().zip(1..).map(|(leaf, id)| (LeafId(id), EventLeaf::parse(leaf).unwrap())))
}

/// A log and one person's profile beside it, as the server keeps them.
struct World {
    log: Vec<Arc<StoredEvent>>,
    profile: Profile,
    watched: Watched,
    n_refolds: usize,
}

impl World {
    fn new() -> Self {
        Self { log: Vec::new(), profile: Profile::default(), watched: watched(), n_refolds: 0 }
    }

    fn orders(&self, events: &[Arc<StoredEvent>]) -> OrderBook {
        let named: HashSet<_> = events.iter().filter_map(|event| event.order_id.clone()).collect();
        let mut orders = OrderBook::new();
        for event in &self.log {
            if let Some(order_id) = event.order_id.as_ref().filter(|order_id| named.contains(*order_id)) {
                orders.entry(order_id.clone()).or_default().push(Arc::clone(event));
            }
        }
        orders
    }

    fn refolded(&self) -> Profile {
        let mine: Vec<_> = self.log.iter().filter(|event| is_mine(&event.unit)).cloned().collect();
        Profile::of(&mine, &self.orders(&mine), &is_mine, &self.watched, USD)
    }

    fn send(&mut self, batch: &[StoredEvent]) {
        let mut known: HashSet<_> = self.log.iter().map(|event| event.message_id.clone()).collect();
        let fresh = batch.iter().filter(|event| known.insert(event.message_id.clone()));
        let fresh: Vec<_> = fresh.cloned().map(Arc::new).collect();
        let before = self.orders(&fresh);
        let outcome = self.profile.apply(&fresh, &before, &is_mine, &self.watched, USD);
        self.log.extend(fresh);
        if outcome == Outcome::Refold {
            self.n_refolds += 1;
            self.profile = self.refolded();
        }
    }
}

fn any_event() -> impl Strategy<Value = StoredEvent> {
    let parts = (0..14_u8, 0..3_u8, 0..4_u8, 0..200_i64, 1..9_i64, any::<bool>());
    parts.prop_map(|(kind, unit, id, step, amount, from_server)| {
        let order_id = format!("o{id}");
        let currency = if id == 1 { json!("EUR") } else { Value::Null };
        let (name, properties) = match kind {
            0 | 1 => ("Product Viewed", json!({ "product_id": id, "category": format!("c{id}") })),
            2 => ("Product List Viewed", json!({ "category": format!("c{id}") })),
            3 | 4 => (
                "Order Completed",
                json!({ "order_id": order_id, "total": amount, "tax": 0.5, "currency": currency }),
            ),
            5 => ("Order Completed", json!({ "revenue": amount })),
            6 => ("Order Refunded", json!({ "order_id": order_id, "total": 1.25 })),
            7 if id == 3 => ("Order Cancelled", json!({ "order_id": order_id })),
            7 | 8 => (
                "identify",
                json!({ format!("t{id}"): if amount == 1 { Value::Null } else { json!(amount) } }),
            ),
            9 => (
                "Product Added",
                json!({ "sku": id, "quantity": amount, "price": amount, "currency": currency }),
            ),
            10 => ("Product Removed", json!({ "sku": id, "quantity": 2 })),
            11 => ("Cart Cleared", json!({})),
            12 => ("Experience Dismissed", json!({ "flag": format!("f{id}") })),
            _ => ("$decision", json!({ "flag": "f" })),
        };
        let said = json!({ "consent": { "categoryPreferences": { "ads": amount % 2 == 0, "odd": "x" } } });
        let base = event(name, step * 7, properties.clone());
        StoredEvent {
            message_id: format!("m-{kind}-{unit}-{id}-{step}-{amount}-{from_server}").into(),
            unit: format!("u{unit}").into(),
            is_known: unit == 1 && id == 2,
            trust: if from_server { Trust::Server } else { Trust::Publishable },
            body: json!({ "properties": properties, "context": said }).to_string().into(),
            ..base
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn any_order_and_batching_gives_the_profile_of_the_whole_history(
        events in prop::collection::vec(any_event(), 1..60),
        order in prop::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 60..120),
    ) {
        let mut world = World::new();
        let mut batch = Vec::new();
        let shuffled = order.iter().map(|(idx, ends)| (idx.get(&events), *ends));
        for (event, ends) in shuffled.chain(events.iter().map(|event| (event, false))) {
            batch.push(event.clone());
            if ends {
                world.send(&std::mem::take(&mut batch));
                // Profiles lie in the store between events.
                let text = serde_json::to_string(&world.profile).unwrap();
                world.profile = serde_json::from_str(&text).unwrap();
            }
        }
        world.send(&batch);
        prop_assert_eq!(&world.profile, &world.refolded());
        let mut log = events.clone();
        log.sort_by(|a, b| a.message_id.cmp(&b.message_id));
        let mut sorted = World::new();
        sorted.send(&log);
        prop_assert_eq!(&world.profile, &sorted.profile);
    }
}

#[test]
fn an_order_is_added_and_what_changes_it_asks_for_a_refold() {
    let mut world = World::new();
    let order = |id: &str, second, trust| StoredEvent {
        message_id: id.into(),
        trust,
        ..event("Order Completed", second, json!({ "order_id": "o", "revenue": 10, "total": 12 }))
    };
    world.send(&[order("page", 5, Trust::Publishable)]);
    assert_eq!((world.n_refolds, world.profile.orders, world.profile.revenue["USD"]), (0, 1, 1_000));
    world.send(&[order("page again", 6, Trust::Publishable)]);
    assert_eq!((world.n_refolds, world.profile.orders), (0, 1), "the first report counts");
    world.send(&[order("server", 9, Trust::Server)]);
    assert_eq!((world.n_refolds, world.profile.last_order), (1, Some(Timestamp::default().plus_seconds(9))));
    world.send(&[event("Order Refunded", 20, json!({ "order_id": "o", "total": 3 }))]);
    assert_eq!((world.n_refolds, world.profile.revenue["USD"]), (2, 750));
    world.send(&[event("Order Cancelled", 21, json!({ "order_id": "o" }))]);
    assert_eq!((world.n_refolds, world.profile.orders, world.profile.last_order), (3, 0, None));
    world.send(&[order("late", 1, Trust::Server)]);
    assert_eq!((world.n_refolds, world.profile.orders), (3, 0), "it stays cancelled");
}

#[test]
fn an_order_that_somebody_else_reported_first_is_theirs() {
    let mut world = World::new();
    let order = |unit: &str, second| StoredEvent {
        message_id: unit.into(),
        unit: unit.into(),
        ..event("Order Completed", second, json!({ "order_id": "o", "revenue": 10 }))
    };
    world.send(&[order("u1", 5)]);
    assert_eq!(world.profile.orders, 1);
    world.send(&[order("other", 4)]);
    assert_eq!((world.profile.orders, world.n_refolds), (0, 1));
}

#[test]
fn a_late_order_empties_only_what_was_added_before_it() {
    let mut world = World::new();
    let add = |second, properties| event("Product Added", second, properties);
    world.send(&[
        add(10, json!({ "product_id": "a", "price": 5 })),
        add(
            30,
            json!({ "product_id": "b", "price": "2.50", "quantity": 2, "category": "hats", "name": "Cap" }),
        ),
    ]);
    assert_eq!((world.profile.cart.lines.len(), world.profile.cart.value["USD"]), (2, 1_000));
    assert_eq!(world.profile.cart.lines["a"].quantity, 1, "an add without a quantity is one");
    world.send(&[event("Order Completed", 20, json!({ "order_id": "o", "revenue": 5 }))]);
    let cart = &world.profile.cart;
    assert_eq!((cart.lines.len(), cart.value["USD"]), (1, 500));
    let line = &cart.lines["b"];
    assert_eq!(
        (line.quantity, line.category.as_deref(), line.name.as_deref()),
        (2, Some("hats"), Some("Cap"))
    );
    assert_eq!(cart.updated_at, Some(Timestamp::default().plus_seconds(30)));
    world.send(&[add(15, json!({ "product_id": "c", "price": 1 }))]);
    assert_eq!(world.profile.cart.lines.len(), 1, "what comes after the order but was before it stays out");
    world.send(&[event("Product Removed", 40, json!({ "product_id": "b" }))]);
    assert!(world.profile.cart.lines.is_empty(), "a removal without a quantity takes the line");
}

#[test]
fn one_more_of_a_product_costs_what_it_did() {
    let mut world = World::new();
    let add = |second, properties| event("Product Added", second, properties);
    world.send(&[
        add(10, json!({ "sku": "a", "price": 5, "currency": "EUR", "category": "hats", "name": "Cap" })),
        add(20, json!({ "sku": "a", "name": "Hat" })),
    ]);
    let cart = &world.profile.cart;
    let line = &cart.lines["a"];
    assert_eq!((line.quantity, cart.value["EUR"]), (2, 1_000));
    assert_eq!((line.category.as_deref(), line.name.as_deref()), (Some("hats"), Some("Hat")));
    world.send(&[add(15, json!({ "sku": "a", "price": 4, "currency": "USD" }))]);
    assert_eq!(world.profile.cart.value["USD"], 1_200, "the price that was said last, for all of them");
    assert!(!world.profile.cart.value.contains_key("EUR"));
}

#[test]
fn a_trait_that_was_taken_away_stays_away_from_what_is_told_late() {
    let mut world = World::new();
    world.send(&[event(
        "identify",
        20,
        json!({ "plan": null, "city.name": "Bonn", "city": { "name": "Köln" } }),
    )]);
    world.send(&[event("identify", 10, json!({ "plan": "gold" }))]);
    assert_eq!(world.profile.find_trait("plan"), None);
    assert_eq!(world.profile.find_trait("city.name"), Some(&json!("Bonn")));
    world.send(&[event("identify", 30, json!({ "plan": "silver", "city.name": null }))]);
    assert_eq!(world.profile.find_trait("plan"), Some(&json!("silver")));
    assert_eq!(world.profile.find_trait("city.name"), Some(&json!("Köln")));
}

#[test]
fn what_was_closed_is_remembered_with_its_newest_time() {
    let mut world = World::new();
    let closed = |second| event("Experience Dismissed", second, json!({ "flag": "banner" }));
    world.send(&[closed(50)]);
    world.send(&[closed(20)]);
    assert_eq!(world.profile.dismissed["banner"], Timestamp::default().plus_seconds(50));
}

#[test]
fn a_flood_keeps_a_profile_small_and_does_not_make_it_depend_on_order() {
    let view =
        |n: i64| event("Product Viewed", n % 997, json!({ "category": format!("c{n:05}"), "product_id": n }));
    let views: Vec<_> = (0..3_000)
        .map(|n| StoredEvent { message_id: format!("{n}").into(), ..view(n) })
        .chain((0..1_500).map(|n| StoredEvent {
            message_id: format!("add {n}").into(),
            ..event("Product Added", n, json!({ "sku": n }))
        }))
        .collect();
    let (mut there, mut back) = (World::new(), World::new());
    there.send(&views);
    views.iter().rev().collect::<Vec<_>>().chunks(700).for_each(|chunk| {
        back.send(&chunk.iter().map(|event| (*event).clone()).collect::<Vec<_>>());
    });
    assert_eq!(there.profile, back.profile);
    assert_eq!((there.profile.categories.len(), there.profile.cart.lines.len()), (1_000, 1_000));
}
