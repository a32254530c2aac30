//! Any order, any duplication, any batching, any loss of memory: one state, equal to the slow way.

use super::*;
use crate::id::{ExperimentId, MetricId};
use crate::metric::extract::Cell;
use crate::metric::fields::FieldSpec;
use crate::metric::{UnitValue, VariantSums};
use crate::money::Currency;
use crate::time::Timestamp;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

const EXPERIMENT: ExperimentId = ExperimentId(7);
const NET_AOV: MetricId = MetricId(1);
const DISTINCT: MetricId = MetricId(2);
const WINDOW_S: i64 = 40;

fn specs() -> [(MetricId, MetricSpec); 2] {
    let net_aov = r#"{"columns":[{"name":"amount","type":"money"}],"events":[
        {"name":"Order Completed","once_per":"order_id","read":{"amount":"revenue"}},
        {"name":"Order Refunded","follows":{"event":"Order Completed","by":"order_id"},
         "read":{"amount":{"share_of":"amount"}}}]}"#;
    let distinct = r#"{"events":[{"name":"Product Viewed","once_per":"product_id"}]}"#;
    let spec = |json, k| MetricSpec { fields: FieldSpec::parse(json).unwrap(), k, currency: Currency::USD };
    [(NET_AOV, spec(net_aov, 2)), (DISTINCT, spec(distinct, 1))]
}

/// Does what the two plugins would.
struct Engine;

impl MetricEngine for Engine {
    fn observe(&mut self, metric: MetricId, rows: &[Row]) -> Option<Vec<i64>> {
        let contribution = |row: &Row| match (metric, row.event_idx, row.cells.first()) {
            (NET_AOV, 0, Some(Some(Cell::Money(amount)))) => vec![*amount, 1],
            (NET_AOV, 1, Some(Some(Cell::Money(share)))) => vec![-share, 0],
            (NET_AOV, ..) => vec![0, 0],
            _ => vec![1],
        };
        Some(rows.iter().flat_map(contribution).collect())
    }

    fn value(&mut self, metric: MetricId, sums: &[i64], k: usize) -> Option<Vec<Option<UnitValue>>> {
        let value = |sums: &[i64]| {
            let denominator = if metric == NET_AOV { sums[1] } else { 1 };
            UnitValue::from_f64(sums[0] as f64, denominator as f64).ok()
        };
        Some(sums.chunks_exact(k).map(value).collect())
    }
}

/// A store in memory around a projector, as the server has one around a database.
struct World {
    projector: Projector,
    log: Vec<StoredEvent>,
    sums: HashMap<StatKey, VariantSums>,
    placements: BTreeMap<Box<str>, Placement>,
}

impl World {
    fn new() -> Self {
        let mut projector = Projector::default();
        projector.track(Tracked {
            experiment: EXPERIMENT,
            metrics: [NET_AOV, DISTINCT].map(|metric| TrackedMetric { metric, window_s: WINDOW_S }).into(),
            adaptive: false,
            uniform_slice: None,
            removed_at: vec![None, None],
        });
        for (metric, spec) in specs() {
            projector.know(metric, spec);
        }
        Self { projector, log: Vec::new(), sums: HashMap::new(), placements: BTreeMap::new() }
    }

    fn orders<'a>(&self, events: impl Iterator<Item = &'a StoredEvent>) -> OrderBook {
        let wanted: HashSet<_> = events.filter_map(|event| event.order_id.clone()).collect();
        let mut book = OrderBook::new();
        for event in &self.log {
            if let Some(order_id) = event.order_id.as_ref().filter(|order_id| wanted.contains(*order_id)) {
                book.entry(order_id.clone()).or_default().push(Arc::new(event.clone()));
            }
        }
        book
    }

    fn send(&mut self, batch: &[StoredEvent]) {
        let mut known: HashSet<_> = self.log.iter().map(|event| event.message_id.clone()).collect();
        let fresh: Vec<_> = batch
            .iter()
            .filter(|event| known.insert(event.message_id.clone()))
            .cloned()
            .map(Arc::new)
            .collect();
        let orders = self.orders(fresh.iter().map(|event| &**event));
        let missing = self.projector.missing_units(&fresh, &orders);
        let histories: Vec<_> =
            self.log.iter().filter(|event| missing.contains(&event.unit)).cloned().map(Arc::new).collect();
        let of_histories = self.orders(histories.iter().map(|event| &**event));
        self.projector.load(&missing, &histories, &of_histories, &mut Engine);
        let changes = self.projector.apply(&fresh, &orders, &mut Engine);
        for (key, sums) in &changes.sums {
            self.sums.entry(*key).or_default().merge(sums);
        }
        self.sums.retain(|_, sums| !sums.is_empty());
        let placements = self.projector.placements(&changes);
        self.placements.extend(placements.map(|(unit, placement)| (unit.into(), placement.clone())));
        self.log.extend(fresh.iter().map(|event| StoredEvent::clone(event)));
    }
}

/// The state the slow way: looks at every event again for every unit.
fn oracle(events: &[StoredEvent]) -> BTreeMap<(String, u16), VariantSums> {
    let mut sums: BTreeMap<(String, u16), VariantSums> = BTreeMap::new();
    let events: BTreeMap<_, _> = events.iter().map(|event| (event.message_id.clone(), event)).collect();
    let events: Vec<_> = events.into_values().collect();
    let units: BTreeSet<_> = events.iter().map(|event| event.unit.clone()).collect();
    for unit in units {
        let seen: Vec<_> = events.iter().filter(|e| e.unit == unit && e.sighting.is_some()).collect();
        let variants: BTreeSet<_> = seen.iter().filter_map(|e| e.sighting.map(|s| s.variant_idx)).collect();
        let Some(from) = seen.iter().map(|event| event.time).min() else { continue };
        if variants.len() > 1 {
            sums.entry(("quarantine".into(), 0)).or_default().add(UnitValue::ONE);
            continue;
        }
        let variant_idx = *variants.first().unwrap();
        let inside = |time: Timestamp| from <= time && time < from.plus_seconds(WINDOW_S);
        let (mut amount, mut n_orders) = (0_i64, 0_i64);
        let order_ids: BTreeSet<_> = events.iter().filter_map(|event| event.order_id.clone()).collect();
        for order_id in order_ids {
            let about: Vec<_> = events.iter().filter(|e| e.order_id.as_ref() == Some(&order_id)).collect();
            let counting = about.iter().filter(|e| &*e.name == "Order Completed").min_by_key(|e| e.rank());
            let cancelled = about.iter().any(|e| &*e.name == "Order Cancelled");
            let Some(order) = counting.filter(|o| o.unit == unit && inside(o.time) && !cancelled) else {
                continue;
            };
            let revenue = cents(&order.body, "revenue");
            let mut refunds: Vec<_> = about.iter().filter(|e| &*e.name == "Order Refunded").collect();
            refunds.sort_by_key(|e| e.rank());
            let taken: i64 = refunds.iter().map(|e| cents(&e.body, "total")).sum();
            amount += revenue - taken.min(revenue);
            n_orders += 1;
        }
        let mut viewed: Vec<_> =
            events.iter().filter(|e| e.unit == unit && &*e.name == "Product Viewed").collect();
        viewed.sort_by_key(|event| event.rank());
        let mut products = BTreeSet::new();
        viewed.retain(|event| products.insert(&event.body));
        let distinct = viewed.iter().filter(|event| inside(event.time)).count();
        let value = |y: i64, d: i64| UnitValue::from_f64(y as f64, d as f64).unwrap();
        sums.entry(("exposures".into(), variant_idx)).or_default().add(UnitValue::ONE);
        sums.entry(("aov".into(), variant_idx)).or_default().add(value(amount, n_orders));
        sums.entry(("distinct".into(), variant_idx))
            .or_default()
            .add(value(i64::try_from(distinct).unwrap(), 1));
    }
    sums
}

fn cents(body: &str, name: &str) -> i64 {
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    (body["properties"][name].as_f64().unwrap() * 100.0).round() as i64
}

fn by_slot(sums: &HashMap<StatKey, VariantSums>) -> BTreeMap<(String, u16), VariantSums> {
    let mut by_slot: BTreeMap<(String, u16), VariantSums> = BTreeMap::new();
    for (key, sums) in sums {
        let slot = match key.slot {
            MetricSlot::Exposures => "exposures",
            MetricSlot::Quarantine => "quarantine",
            MetricSlot::Metric(0) => "aov",
            MetricSlot::Metric(_) => "distinct",
        };
        by_slot.entry((slot.into(), key.variant_idx)).or_default().merge(sums);
    }
    by_slot
}

/// Few units, orders and instants, so that everything collides with everything.
fn event() -> impl Strategy<Value = StoredEvent> {
    (0..12_u16, 0..4_u8, 0..60_i64, 0..5_u8, 0..9_u8, any::<bool>()).prop_map(
        |(id, unit, second, order, kind, from_server)| {
            let order_id: Box<str> = format!("o{order}").into();
            let amount = 10 * (i64::from(order) + 1);
            let (name, order_id, sighting, properties) = match kind {
                0 | 1 => ("Experiment Viewed", None, Some(u16::from(unit == 3 && order == 0)), String::new()),
                2..=4 => (
                    "Order Completed",
                    Some(order_id),
                    None,
                    format!(r#""revenue": {amount}.00, "total": {amount}.00"#),
                ),
                5 => ("Order Refunded", Some(order_id), None, r#""total": 7.00"#.to_owned()),
                6 if order == 4 => ("Order Cancelled", Some(order_id), None, String::new()),
                _ => ("Product Viewed", None, None, format!(r#""product_id": "p{order}""#)),
            };
            let sighting = sighting.map(|variant_idx| Sighting {
                experiment: EXPERIMENT,
                variant_idx,
                exposed: true,
                version: None,
                propensity: None,
            });
            StoredEvent {
                message_id: format!("m-{kind}-{unit}-{id}-{order}-{second}-{from_server}").into(),
                name: name.into(),
                unit: format!("u{unit}").into(),
                order_id,
                trust: if from_server { Trust::Server } else { Trust::Publishable },
                time: Timestamp::from_micros(second * 1_000_000),
                sighting,
                body: format!(r#"{{"properties": {{{properties}}}}}"#).into(),
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_order_batching_duplication_and_forgetting_gives_the_state_of_the_slow_way(
        events in prop::collection::vec(event(), 1..60),
        order in prop::collection::vec((any::<prop::sample::Index>(), any::<bool>(), 0..8_u8), 60..120),
    ) {
        let mut world = World::new();
        let mut batch = Vec::new();
        let shuffled = order.iter().map(|(idx, ends, forget)| (idx.get(&events), *ends, *forget));
        let rest = events.iter().map(|event| (event, false, 1));
        for (event, ends, forget) in shuffled.chain(rest) {
            batch.push(event.clone());
            if ends {
                world.send(&std::mem::take(&mut batch));
            }
            if forget == 0 {
                world.projector.forget_all();
            }
        }
        world.send(&batch);
        prop_assert_eq!(by_slot(&world.sums), oracle(&events));
    }
}

#[test]
fn a_flush_that_was_not_written_leaves_nothing_behind() {
    let exposure = |unit: &str, id: &str| StoredEvent {
        message_id: id.into(),
        name: "Experiment Viewed".into(),
        unit: unit.into(),
        order_id: None,
        trust: Trust::Server,
        time: Timestamp::from_micros(0),
        sighting: Some(Sighting {
            experiment: EXPERIMENT,
            variant_idx: 0,
            exposed: true,
            version: None,
            propensity: None,
        }),
        body: "{}".into(),
    };
    let mut world = World::new();
    world.send(&[exposure("kept", "1")]);
    let changes = world.projector.apply(&[Arc::new(exposure("lost", "2"))], &OrderBook::new(), &mut Engine);
    assert_eq!(world.projector.placements(&changes).count(), 1);
    world.projector.forget(&changes);
    world.send(&[exposure("lost", "2")]);
    assert_eq!(by_slot(&world.sums)[&("exposures".to_owned(), 0)].n, 2);
}

/// An engine one of whose metrics cannot be reached.
struct Half;

impl MetricEngine for Half {
    fn observe(&mut self, metric: MetricId, rows: &[Row]) -> Option<Vec<i64>> {
        if metric == NET_AOV { None } else { Engine.observe(metric, rows) }
    }

    fn value(&mut self, metric: MetricId, sums: &[i64], k: usize) -> Option<Vec<Option<UnitValue>>> {
        if metric == NET_AOV { None } else { Engine.value(metric, sums, k) }
    }
}

#[test]
fn figures_of_a_metric_that_is_away_stay_as_they_are_and_others_go_on() {
    let event = |id: &str, name: &str, second: i64, properties: &str| StoredEvent {
        message_id: id.into(),
        name: name.into(),
        unit: "u".into(),
        order_id: (name == "Order Completed").then(|| id.into()),
        trust: Trust::Server,
        time: Timestamp::from_micros(second * 1_000_000),
        sighting: (name == "Experiment Viewed").then_some(Sighting {
            experiment: EXPERIMENT,
            variant_idx: 0,
            exposed: true,
            version: None,
            propensity: None,
        }),
        body: format!(r#"{{"properties": {{{properties}}}}}"#).into(),
    };
    let mut world = World::new();
    world.send(&[
        event("seen", "Experiment Viewed", 0, ""),
        event("o1", "Order Completed", 1, r#""revenue": 10.00"#),
    ]);
    let later = [
        event("o2", "Order Completed", 2, r#""revenue": 5.00"#),
        event("p", "Product Viewed", 3, r#""product_id": "p1""#),
    ]
    .map(Arc::new);
    let changes = world.projector.apply(&later, &OrderBook::new(), &mut Half);
    changes.sums.iter().for_each(|(key, sums)| world.sums.entry(*key).or_default().merge(sums));
    let slots = by_slot(&world.sums);
    let (aov, distinct) = (slots[&("aov".to_owned(), 0)], slots[&("distinct".to_owned(), 0)]);
    assert_eq!((aov.n, aov.y, aov.d), (1, 1_000, 1));
    assert_eq!((distinct.n, distinct.y), (1, 1));
}
