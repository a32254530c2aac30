//! Conditions asked of shoppers whose clock is ours.

mod external;
mod kinds;
mod laws;
mod parsing;
mod set;

use super::*;
use crate::id::{AudienceId, AudienceKey, LeafId};
use crate::money::Currency;
use crate::profile::Profile;
use crate::projection::{OrderBook, StoredEvent, Trust};
use crate::time::Timestamp;
use serde_json::{Value, json};
use std::sync::Arc;

const DAY_S: i64 = 86_400;
/// Where times in these tests begin: 2026-11-26, a Thursday.
const START_S: i64 = 1_795_651_200;

fn at(second: i64) -> Timestamp {
    Timestamp::default().plus_seconds(START_S + second)
}

fn event(name: &str, second: i64, properties: Value) -> Arc<StoredEvent> {
    event_with(name, second, properties, json!({}))
}

fn event_with(name: &str, second: i64, properties: Value, context: Value) -> Arc<StoredEvent> {
    let order_id = properties["order_id"].as_str().map(Box::from);
    Arc::new(StoredEvent {
        message_id: format!("{name}-{second}-{properties}").into(),
        name: name.into(),
        unit: "u".into(),
        is_known: context["known"] == true,
        other_id: None,
        order_id,
        trust: Trust::Server,
        time: at(second),
        sighting: None,
        body: json!({ "properties": properties, "context": context }).to_string().into(),
    })
}

/// A condition that is ready, with what it watches.
struct Ready {
    audiences: Audiences,
    condition: CompiledCondition,
    watched: Watched,
}

impl Ready {
    #[track_caller]
    fn new(condition: Value) -> Self {
        Self::with(&[], condition)
    }

    /// With audiences that it may name.
    #[track_caller]
    fn with(audiences: &[(&str, Value)], condition: Value) -> Self {
        let condition = Condition::parse(&condition).unwrap();
        let audiences: Vec<_> = audiences
            .iter()
            .zip(1..)
            .map(|((key, condition), id)| {
                (AudienceId(id), AudienceKey::new(key).unwrap(), Condition::parse(condition).unwrap())
            })
            .collect();
        let all = audiences.iter().map(|(.., condition)| condition).chain([&condition]);
        let leaves: Vec<EventLeaf> = all.flat_map(|condition| condition.event_leaves()).cloned().collect();
        let ids = |leaf: &EventLeaf| {
            leaves
                .iter()
                .position(|other| other == leaf)
                .and_then(|idx| Some(LeafId(i64::try_from(idx).ok()?)))
        };
        let audiences = Audiences::new(audiences, &ids).unwrap();
        let condition = audiences.compile(&condition, &ids).unwrap();
        let watched = Watched::new(leaves.iter().filter_map(|leaf| Some((ids(leaf)?, leaf.clone()))));
        Self { audiences, condition, watched }
    }

    fn profile(&self, events: &[Arc<StoredEvent>]) -> Profile {
        let mut orders = OrderBook::new();
        for event in events {
            if let Some(order_id) = &event.order_id {
                orders.entry(order_id.clone()).or_default().push(Arc::clone(event));
            }
        }
        Profile::of(events, &orders, &|unit| unit == "u", &self.watched, Currency::USD)
    }

    fn holds(&self, events: &[Arc<StoredEvent>], second: i64) -> bool {
        self.ask(events, &Value::Null, |shopper| self.audiences.holds(&self.condition, shopper, at(second)))
    }

    fn holds_in(&self, context: &Value) -> bool {
        self.ask(&[], context, |shopper| self.audiences.holds(&self.condition, shopper, at(0)))
    }

    fn next_change(&self, events: &[Arc<StoredEvent>], second: i64) -> Option<Timestamp> {
        self.ask(events, &Value::Null, |shopper| {
            self.audiences.next_change(&self.condition, shopper, at(second))
        })
    }

    fn explain(&self, events: &[Arc<StoredEvent>], second: i64) -> Clause {
        self.ask(events, &Value::Null, |shopper| self.audiences.explain(&self.condition, shopper, at(second)))
    }

    fn ask<T>(&self, events: &[Arc<StoredEvent>], context: &Value, of: impl Fn(&Shopper<'_>) -> T) -> T {
        self.ask_with(events, (context, &External::new()), of)
    }

    fn ask_with<T>(
        &self,
        events: &[Arc<StoredEvent>],
        (context, external): (&Value, &External),
        of: impl Fn(&Shopper<'_>) -> T,
    ) -> T {
        let profile = self.profile(events);
        let customers: Vec<_> = (1..=10)
            .map(|n| RfmPoint { last_order: at(n), orders: n as u64, revenue_minor: i128::from(n) * 100 })
            .collect();
        let rfm = RfmCuts::of(&customers, Currency::USD);
        of(&Shopper { profile: &profile, context, external, currency: Currency::USD, rfm: rfm.as_ref() })
    }
}
