//! At any time a condition holds exactly if a look through all events says so, and nothing changes before
//! `next_change` says it may.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// An event as the naive reader sees it.
#[derive(Clone, Debug)]
struct Told {
    kind: u8,
    id: u8,
    second: i64,
    cents: i64,
    message: usize,
}

const CATEGORIES: [&str; 3] = ["shoes", "hats", "bags"];

impl Told {
    fn category(&self) -> &'static str {
        CATEGORIES[usize::from(self.id) % 3]
    }

    fn name(&self) -> &'static str {
        match self.kind {
            0..=4 => "Product Viewed",
            5 | 6 => "Order Completed",
            7 => "Order Refunded",
            8 if self.id == 3 => "Order Cancelled",
            8 | 9 => "identify",
            10 | 11 => "Product Added",
            12 => "Product Removed",
            _ => "Cart Cleared",
        }
    }

    fn order_id(&self) -> String {
        format!("o{}", self.id)
    }

    fn stored(&self) -> Arc<StoredEvent> {
        let amount = Currency::USD.major_text(self.cents.into());
        let properties = match self.name() {
            "Product Viewed" => json!({ "category": self.category(), "price": amount }),
            "Order Completed" => json!({ "order_id": self.order_id(), "revenue": amount, "total": amount }),
            "Order Refunded" if self.id == 0 => json!({ "order_id": self.order_id() }),
            "Order Refunded" => json!({ "order_id": self.order_id(), "total": amount }),
            "Order Cancelled" => json!({ "order_id": self.order_id() }),
            "identify" => json!({ "plan": if self.id == 0 { Value::Null } else { json!(self.id) } }),
            "Product Added" => json!({ "product_id": self.id, "quantity": 1 + self.id, "price": amount }),
            "Product Removed" => json!({ "product_id": self.id, "quantity": 1 }),
            _ => json!({}),
        };
        let stored = event(self.name(), self.second, properties);
        Arc::new(StoredEvent { message_id: self.message_id().into(), ..StoredEvent::clone(&stored) })
    }

    fn message_id(&self) -> String {
        format!("m{:03}", self.message)
    }

    fn newer(&self) -> (i64, usize) {
        (self.second, self.message)
    }
}

fn told() -> impl Strategy<Value = Vec<Told>> {
    let one = (0..14_u8, 0..4_u8, 0..200_i64, 1..40_i64);
    prop::collection::vec(one, 0..40).prop_map(|told| {
        let told = told.into_iter().enumerate();
        told.map(|(message, (kind, id, step, amount))| Told {
            kind,
            id,
            second: step * 10,
            cents: amount * 25,
            message,
        })
        .collect()
    })
}

/// Orders that count: when and how much is left of each.
fn orders(events: &[Told]) -> Vec<(i64, i64)> {
    let ids = 0..4;
    let order = |id: u8| {
        let about = || events.iter().filter(move |event| event.id == id);
        if about().any(|event| event.name() == "Order Cancelled") {
            return None;
        }
        let report =
            about().filter(|event| event.name() == "Order Completed").min_by_key(|event| event.newer())?;
        let mut left = report.cents;
        for refund in about().filter(|event| event.name() == "Order Refunded") {
            left = if id == 0 { 0 } else { (left - refund.cents).max(0) };
        }
        Some((report.second, left))
    };
    ids.filter_map(order).collect()
}

/// Quantities and prices in the cart, and when it was changed last.
fn cart(events: &[Told]) -> (BTreeMap<u8, (i64, i64)>, Option<i64>) {
    let mut sorted: Vec<_> = events.iter().collect();
    sorted.sort_by_key(|event| event.newer());
    let (mut lines, mut changed) = (BTreeMap::new(), None);
    for event in sorted {
        match event.name() {
            "Product Added" => {
                let line = lines.entry(event.id).or_insert((0, 0));
                *line = (line.0 + 1 + i64::from(event.id), event.cents);
            }
            "Product Removed" => {
                if let Some(line) = lines.get_mut(&event.id) {
                    line.0 -= 1;
                }
                lines.retain(|_, line| 0 < line.0);
            }
            "Cart Cleared" | "Order Completed" => lines.clear(),
            _ => continue,
        }
        changed = Some(event.second);
    }
    (lines, changed)
}

fn compare(op: &str, found: i64, wanted: i64) -> bool {
    match op {
        "eq" => found == wanted,
        "ne" => found != wanted,
        "gt" => found > wanted,
        "gte" => found >= wanted,
        "lt" => found < wanted,
        "lte" => found <= wanted,
        _ => panic!("{op}"),
    }
}

fn seconds(span: &Value) -> Option<i64> {
    span.as_str().map(|text| text.trim_end_matches('s').parse().unwrap())
}

fn count(n: usize) -> i64 {
    i64::try_from(n).unwrap()
}

fn is_within(second: i64, span_s: Option<i64>, now_us: i64) -> bool {
    let age_us = now_us - second * 1_000_000;
    0 <= age_us && span_s.is_none_or(|span_s| age_us < span_s * 1_000_000)
}

fn naive_event(inner: &Value, events: &[Told], now_us: i64) -> bool {
    let name = inner["name"].as_str().unwrap();
    // When, and what counts for a sum.
    let those: Vec<(i64, i64)> = if name == "Order Completed" {
        orders(events)
    } else {
        let category = inner["where"][0]["value"].as_str();
        let is_it = |event: &&Told| {
            event.name() == name && category.is_none_or(|category| category == event.category())
        };
        events.iter().filter(is_it).map(|event| (event.second, event.cents)).collect()
    };
    let span = seconds(&inner["within"]);
    let inside = || those.iter().filter(|(second, _)| is_within(*second, span, now_us));
    if let Some(test) = inner["count"].as_object() {
        return compare(
            test["op"].as_str().unwrap(),
            count(inside().count()),
            test["value"].as_i64().unwrap(),
        );
    }
    if let Some(sum) = inner["sum"].as_object() {
        let cents: i64 = inside().map(|(_, cents)| cents).sum();
        return compare(sum["op"].as_str().unwrap(), cents, 100 * sum["value"].as_i64().unwrap());
    }
    let past =
        those.iter().map(|(second, _)| *second).filter(|second| is_within(*second, None, now_us)).max();
    match inner["last"]["op"].as_str().unwrap() {
        "never" => past.is_none(),
        "within" => past.is_some_and(|last| is_within(last, seconds(&inner["last"]["value"]), now_us)),
        _ => past.is_some_and(|last| !is_within(last, seconds(&inner["last"]["value"]), now_us)),
    }
}

fn naive_cart(inner: &Value, events: &[Told], now_us: i64) -> bool {
    let (lines, changed) = cart(events);
    let (op, wanted) = (inner["op"].as_str().unwrap(), inner["value"].as_i64().unwrap_or_default());
    match inner["field"].as_str().unwrap() {
        "quantity" => compare(op, lines.values().map(|line| line.0).sum(), wanted),
        "value" => compare(op, lines.values().map(|line| line.0 * line.1).sum(), 100 * wanted),
        "idle" if lines.is_empty() => false,
        "idle" => {
            let idle_us = now_us - changed.unwrap_or_default() * 1_000_000;
            compare(op, idle_us, 1_000_000 * seconds(&inner["value"]).unwrap())
        }
        field => panic!("{field}"),
    }
}

/// Looks through all events for the answer, at a time in microseconds.
fn naive(condition: &Value, events: &[Told], now_us: i64) -> bool {
    let (kind, inner) = condition.as_object().unwrap().iter().next().unwrap();
    let list = || inner.as_array().unwrap().iter();
    let (op, wanted) =
        (inner["op"].as_str().unwrap_or_default(), inner["value"].as_i64().unwrap_or_default());
    match kind.as_str() {
        "all" => list().all(|inner| naive(inner, events, now_us)),
        "any" => list().any(|inner| naive(inner, events, now_us)),
        "not" => !naive(inner, events, now_us),
        "event" => naive_event(inner, events, now_us),
        "profile" if inner["trait"].is_string() => {
            let newest =
                events.iter().filter(|event| event.name() == "identify").max_by_key(|event| event.newer());
            newest.is_some_and(|event| event.id != 0 && compare(op, event.id.into(), wanted))
        }
        "profile" => match inner["fact"].as_str().unwrap() {
            "orders" => compare(op, count(orders(events).len()), wanted),
            "revenue" => compare(op, orders(events).iter().map(|(_, cents)| cents).sum(), 100 * wanted),
            "last_order" => {
                let last = orders(events).iter().map(|(second, _)| *second).max();
                last.is_some_and(|last| is_within(last, seconds(&inner["value"]), now_us))
            }
            "category_views" => {
                let category = inner["category"].as_str().unwrap();
                let views = events
                    .iter()
                    .filter(|event| event.name() == "Product Viewed" && event.category() == category);
                compare(op, count(views.count()), wanted)
            }
            fact => panic!("{fact}"),
        },
        "cart" => naive_cart(inner, events, now_us),
        kind => panic!("{kind}"),
    }
}

fn order_op() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["eq", "ne", "gt", "gte", "lt", "lte"])
}

fn span() -> impl Strategy<Value = String> {
    (1..90_i64).prop_map(|tens| format!("{}s", tens * 10))
}

fn leaf() -> impl Strategy<Value = Value> {
    let name = prop::sample::select(vec!["Product Viewed", "Order Completed", "Cart Cleared"]);
    let category = prop::sample::select(CATEGORIES.to_vec());
    let test = |op: &str, value: i64| json!({ "op": op, "value": value });
    prop_oneof![
        (order_op(), 0..5_i64, category.clone(), prop::option::of(span())).prop_map(
            move |(op, n, category, within)| {
                json!({ "event": { "name": "Product Viewed", "count": test(op, n), "within": within,
                               "where": [{ "property": "category", "op": "eq", "value": category }] } })
            }
        ),
        (name.clone(), order_op(), 0..4_i64, prop::option::of(span())).prop_map(
            move |(name, op, n, within)| {
                json!({ "event": { "name": name, "count": test(op, n), "within": within } })
            }
        ),
        (any::<bool>(), order_op(), 0..30_i64, prop::option::of(span())).prop_map(
            |(views, op, n, within)| {
                let (name, property) =
                    if views { ("Product Viewed", "price") } else { ("Order Completed", "revenue") };
                let sum = json!({ "property": property, "op": op, "value": n });
                json!({ "event": { "name": name, "sum": sum, "within": within } })
            }
        ),
        (name.clone(), any::<bool>(), span()).prop_map(|(name, within, span)| {
            let op = if within { "within" } else { "not_within" };
            json!({ "event": { "name": name, "last": { "op": op, "value": span } } })
        }),
        name.prop_map(|name| json!({ "event": { "name": name, "last": { "op": "never" } } })),
        (order_op(), 0..4_i64)
            .prop_map(|(op, n)| json!({ "profile": { "trait": "plan", "op": op, "value": n } })),
        (order_op(), 0..4_i64)
            .prop_map(|(op, n)| json!({ "profile": { "fact": "orders", "op": op, "value": n } })),
        (order_op(), 0..30_i64)
            .prop_map(|(op, n)| json!({ "profile": { "fact": "revenue", "op": op, "value": n } })),
        span().prop_map(|span| json!({ "profile": { "fact": "last_order", "op": "within", "value": span } })),
        (order_op(), 0..5_i64, category).prop_map(|(op, n, category)| {
            json!({ "profile": { "fact": "category_views", "category": category, "op": op, "value": n } })
        }),
        (order_op(), 0..9_i64)
            .prop_map(|(op, n)| json!({ "cart": { "field": "quantity", "op": op, "value": n } })),
        (order_op(), 0..50_i64)
            .prop_map(|(op, n)| json!({ "cart": { "field": "value", "op": op, "value": n } })),
        (prop::sample::select(vec!["gt", "gte", "lt", "lte"]), span())
            .prop_map(|(op, span)| json!({ "cart": { "field": "idle", "op": op, "value": span } })),
    ]
}

fn tree() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..4).prop_map(|list| json!({ "all": list })),
            prop::collection::vec(inner.clone(), 1..4).prop_map(|list| json!({ "any": list })),
            inner.prop_map(|inner| json!({ "not": inner })),
        ]
    })
}

/// All spans that a tree mentions, in seconds.
fn spans(condition: &Value, into: &mut Vec<i64>) {
    match condition {
        Value::Object(members) => members.values().for_each(|inner| spans(inner, into)),
        Value::Array(list) => list.iter().for_each(|inner| spans(inner, into)),
        Value::String(text) if text.ends_with('s') && text.as_bytes()[0].is_ascii_digit() => {
            into.extend(seconds(condition));
        }
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_condition_holds_if_a_look_through_all_events_says_so_and_until_it_says_otherwise(
        tree in tree(),
        told in told(),
        offset_us in prop_oneof![
            (-30..150_i64).prop_map(|tens| tens * 10_000_000),
            (-300_000_000..1_500_000_000_i64),
        ],
    ) {
        // Whoever asks asks about a time at most five minutes before the newest event.
        let newest_s = told.iter().map(|event| event.second).max().unwrap_or(0);
        let now_us = newest_s * 1_000_000 + offset_us;
        let events: Vec<_> = told.iter().map(Told::stored).collect();
        let ready = Ready::new(tree.clone());
        let instant = |us: i64| Timestamp::from_micros(at(0).as_micros() + us);
        let answer = |us: i64| {
            ready.ask(&events, &Value::Null, |shopper| ready.audiences.holds(&ready.condition, shopper, instant(us)))
        };
        let holds = naive(&tree, &told, now_us);
        prop_assert_eq!(answer(now_us), holds);
        let clause = ready.ask(&events, &Value::Null, |shopper| {
            ready.audiences.explain(&ready.condition, shopper, instant(now_us))
        });
        prop_assert_eq!(clause.holds, Some(holds));

        let next = ready.ask(&events, &Value::Null, |shopper| {
            ready.audiences.next_change(&ready.condition, shopper, instant(now_us))
        });
        prop_assert!(next.is_none_or(|next| instant(now_us) < next));
        let mut lengths = vec![0];
        spans(&tree, &mut lengths);
        let mut edges: Vec<i64> = told
            .iter()
            .flat_map(|event| lengths.iter().map(|length| (event.second + length) * 1_000_000))
            .flat_map(|edge| [edge, edge + 1])
            .filter(|edge| now_us < *edge)
            .collect();
        edges.sort_unstable();
        if let Some(flip) = edges.into_iter().find(|edge| naive(&tree, &told, *edge) != holds) {
            prop_assert!(next.is_some_and(|next| next <= instant(flip)), "{:?} but {}", next, instant(flip));
        }
    }
}
