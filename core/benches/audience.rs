//! Ten clauses asked of one shopper, as a decision asks them.

use criterion::{Criterion, criterion_group, criterion_main};
use podium_core::audience::{Audiences, Condition, EventLeaf, External, Shopper, Watched};
use podium_core::id::LeafId;
use podium_core::money::Currency;
use podium_core::profile::Profile;
use podium_core::projection::{OrderBook, StoredEvent, Trust};
use podium_core::time::Timestamp;
use serde_json::{Value, json};
use std::hint::black_box;
use std::sync::Arc;

fn ten_clauses() -> Value {
    json!({ "all": [
        { "profile": { "trait": "plan", "op": "eq", "value": "gold" } },
        { "profile": { "fact": "orders", "op": "gte", "value": 1 } },
        { "profile": { "fact": "revenue", "op": "gte", "value": "50" } },
        { "profile": { "fact": "last_order", "op": "not_within", "value": "7d" } },
        { "cart": { "field": "value", "op": "gte", "value": 20 } },
        { "device": { "field": "type", "op": "eq", "value": "mobile" } },
        { "geo": { "field": "country", "op": "in", "value": ["DE", "AT", "CH"] } },
        { "time": { "after": "2026-01-01T00:00:00Z" } },
        { "event": { "name": "Product Viewed", "count": { "op": "gte", "value": 3 }, "within": "30d" } },
        { "not": { "event": { "name": "Order Completed", "last": { "op": "within", "value": "7d" } } } },
    ] })
}

fn event(n: i64, name: &str, properties: &Value) -> Arc<StoredEvent> {
    Arc::new(StoredEvent {
        message_id: format!("m{n}").into(),
        name: name.into(),
        unit: "u".into(),
        is_known: true,
        other_id: None,
        order_id: properties["order_id"].as_str().map(Box::from),
        trust: Trust::Server,
        time: Timestamp::default().plus_seconds(1_795_000_000 + n),
        sighting: None,
        body: json!({ "properties": properties, "context": {} }).to_string().into(),
    })
}

fn audience(c: &mut Criterion) {
    let Ok(condition) = Condition::parse(&ten_clauses()) else { return };
    let leaves: Vec<EventLeaf> = condition.event_leaves().into_iter().cloned().collect();
    let ids =
        |leaf: &EventLeaf| leaves.iter().zip(1..).find(|(other, _)| *other == leaf).map(|(_, id)| LeafId(id));
    let audiences = Audiences::default();
    let Ok(compiled) = audiences.compile(&condition, &ids) else { return };
    let watched = Watched::new(leaves.iter().filter_map(|leaf| Some((ids(leaf)?, leaf.clone()))));
    let order = event(1, "Order Completed", &json!({ "order_id": "o", "revenue": 80 }));
    let orders: OrderBook = [("o".into(), vec![Arc::clone(&order)])].into();
    let mut events = vec![order, event(2, "identify", &json!({ "plan": "gold" }))];
    events.push(event(3, "Product Added", &json!({ "product_id": "p", "price": 30 })));
    events.extend((4..40).map(|n| event(n, "Product Viewed", &json!({ "product_id": "p" }))));
    let profile = Profile::of(&events, &orders, &|_| true, &watched, Currency::USD);
    let context = json!({ "device": { "type": "mobile" }, "geo": { "country": "DE" } });
    let (external, currency) = (External::new(), Currency::USD);
    let shopper = Shopper { profile: &profile, context: &context, external: &external, currency, rfm: None };
    let now = Timestamp::default().plus_seconds(1_795_000_000 + 8 * 86_400);
    assert!(audiences.holds(&compiled, &shopper, now), "all ten clauses are looked at");
    c.bench_function("audience/ten clauses", |bencher| {
        bencher.iter(|| audiences.holds(black_box(&compiled), black_box(&shopper), now));
    });
    let fresh = [event(50, "Product Viewed", &json!({ "product_id": "p", "category": "shoes" }))];
    c.bench_function("audience/an event into a profile", |bencher| {
        let mut profile = profile.clone();
        let before = OrderBook::new();
        bencher.iter(|| profile.apply(black_box(&fresh), &before, &|_| true, &watched, Currency::USD));
    });
}

criterion_group!(benches, audience);
criterion_main!(benches);
