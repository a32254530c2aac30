//! An A/A test on real orders: two variants that are the same, so no winner may be named.

use super::events::{Ordered, Viewed};
use super::expected;
use super::extract::{self, Customer};
use super::shop::{DemoError, EVENTS_IN_BATCH, Shop, UNITS_MAX, text};
use super::{DOLLARS, Page};
use crate::progress::Progress;
use podium_core::report::wording::count;
use serde_json::{Value, json};

const KEY: &str = "cdnow-aa";
/// Longer than the log, so that every order counts for the customer's first exposure.
const WINDOW_S: i64 = 600 * 86_400;
const SOURCE: &str = "Real orders: the CDNOW purchase history of Fader & Hardie (2001), Forecasting Repeat Sales at \
    CDNOW, Interfaces 31(3), as shipped with the Python package lifetimes 0.11.3. The customers were split in two by \
    Podium long after they had bought, and nothing differed between the two: an A/A test.";

/// The metrics it is reported on.
pub(super) const METRICS: [&str; 5] =
    ["revenue_per_visitor", "aov", "conversion", "units_per_order", "repeat_purchase"];

/// Replays the order log: every customer is decided by Podium, then every order is sent in its time order.
pub(super) fn run(shop: &Shop) -> Result<Page, DemoError> {
    let customers = extract::customers()?;
    shop.run_experiment(&definition())?;
    let variants = decide(shop, &customers)?;
    let events = events(&customers, &variants);
    let progress = Progress::of("CDNOW: orders", events.len());
    for batch in events.chunks(EVENTS_IN_BATCH) {
        shop.send(batch)?;
        progress.advance(batch.len());
    }
    progress.finish();
    let report = shop.report(KEY)?;
    expected::check(&report, &expected::cdnow()?)?;
    if text(&report, "/state") != "collecting" || report.get("leader").is_some_and(|leader| !leader.is_null())
    {
        return Err(DemoError::Unexpected(format!("a lead in an A/A test: {}", text(&report, "/sentence"))));
    }
    let orders = customers.iter().map(|customer| &customer.orders);
    let n_orders = orders.clone().map(Vec::len).sum::<usize>();
    let cents: i64 = orders.flatten().map(|order| order.cents).sum();
    Ok(Page {
        title: "CDNOW, an A/A test on real orders",
        url: shop.link(KEY)?,
        verdict: text(&report, "/sentence").to_owned(),
        note: format!(
            "{} customers, {} orders, {}: equal by variant, to the cent, to an independent computation from the log.",
            count(customers.len() as i128),
            count(n_orders as i128),
            DOLLARS.total(i128::from(cents)),
        ),
    })
}

fn definition() -> Value {
    let goal = |metric: &&str| json!({ "metric": metric, "window_s": WINDOW_S });
    let goals: Vec<_> = METRICS.iter().map(goal).collect();
    json!({
        "key": KEY,
        "name": "CDNOW, an A/A test",
        "description": "Do two groups that got the same differ? If the report said so, it would say too much.",
        "salt": "cdnow",
        "variants": [{ "key": "a", "name": "A", "control": true }, { "key": "b", "name": "B" }],
        "primary_metric": goals[0],
        "secondary_metrics": goals[1..],
        "allocator": { "type": "fixed" },
        "exposure": "event",
        "source_note": SOURCE,
    })
}

fn decide(shop: &Shop, customers: &[Customer]) -> Result<Vec<String>, DemoError> {
    let progress = Progress::of("CDNOW: decisions", customers.len());
    let mut variants = Vec::with_capacity(customers.len());
    for group in customers.chunks(UNITS_MAX) {
        let units: Vec<_> = group.iter().map(|customer| customer.unit.clone()).collect();
        variants.extend(shop.decide(KEY, &units)?);
        progress.advance(units.len());
    }
    progress.finish();
    Ok(variants)
}

/// The exposure of each customer on the day of the first order, and the orders, in time order.
fn events(customers: &[Customer], variants: &[String]) -> Vec<Value> {
    let mut events = Vec::new();
    for (customer, variant) in customers.iter().zip(variants) {
        let unit = &customer.unit;
        if let Some(first) = customer.orders.first() {
            let at_ms = first.day_ms();
            let viewed = Viewed { experiment: KEY, unit, variant, at_ms, propensity: None };
            events.push((at_ms, viewed.to_event()));
        }
        for order in &customer.orders {
            let (order_id, at_ms, product) = (&order.id, order.at_ms, ("cd", order.n_items));
            let ordered = Ordered { unit, order_id, at_ms, cents: order.cents, product };
            events.push((at_ms, ordered.to_event()));
        }
    }
    events.sort_by_key(|(at_ms, _)| *at_ms);
    events.into_iter().map(|(_, event)| event).collect()
}
