//! Any order, any duplication, any batching, any loss of memory: one state, equal to the slow way.

use super::*;
use crate::id::{ExperimentId, MetricId};
use crate::identity::{Link, Persons};
use crate::inference::strata::HistorySums;
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
const HISTORY_S: i64 = 15;

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

fn tracked_metric(metric: MetricId) -> TrackedMetric {
    TrackedMetric { metric, window_s: WINDOW_S, history_s: HISTORY_S, has_tail: true }
}

/// A store in memory around a projector, as the server has one around a database.
struct World {
    projector: Projector,
    log: Vec<StoredEvent>,
    sums: HashMap<StatKey, VariantSums>,
    placements: BTreeMap<Box<str>, Placement>,
    tail: BTreeMap<TailKey, TailRow>,
    newest: BTreeMap<MetricId, Timestamp>,
}

impl World {
    fn new() -> Self {
        let mut projector = Projector::default();
        projector.track(Tracked {
            experiment: EXPERIMENT,
            metrics: [NET_AOV, DISTINCT].map(tracked_metric).into(),
            adaptive: false,
            uniform_slice: None,
            absences: vec![Vec::new(); 2],
        });
        for (metric, spec) in specs() {
            projector.know(metric, spec);
        }
        let (log, sums, placements) = (Vec::new(), HashMap::new(), BTreeMap::new());
        Self { projector, log, sums, placements, tail: BTreeMap::new(), newest: BTreeMap::new() }
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

    fn load(&mut self, units: &[Box<str>], persons: &Persons) {
        let is_theirs = |event: &&StoredEvent| units.iter().any(|unit| **unit == *persons.of(&event.unit));
        let histories: Vec<_> = self.log.iter().filter(is_theirs).cloned().map(Arc::new).collect();
        let orders = self.orders(histories.iter().map(|event| &**event));
        self.projector.load(units, (&histories, &orders), persons, &mut Engine);
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
        let said = |events: &mut dyn Iterator<Item = &StoredEvent>| {
            Persons::of_links(&events.filter_map(Link::of).collect::<Vec<_>>(), is_user)
        };
        let before = said(&mut self.log.iter());
        let persons = said(&mut self.log.iter().chain(fresh.iter().map(|event| &**event)));
        let moved: BTreeSet<&str> = persons
            .iter()
            .map(|(id, _)| id)
            .chain(before.iter().map(|(id, _)| id))
            .filter(|id| persons.of(id) != before.of(id))
            .flat_map(|id| [persons.of(id), before.of(id)])
            .collect();
        let missing = self.projector.not_in_memory(moved.iter().copied());
        self.load(&missing, &before);
        let taken = self.projector.take_out(moved.iter().copied());
        let missing = self.projector.not_in_memory(moved.iter().copied());
        self.load(&missing, &persons);
        let missing = self.projector.missing_units(&fresh, &orders, &persons);
        self.load(&missing, &persons);
        let changes = self.projector.apply((&fresh, &orders), &persons, taken, &mut Engine);
        for (_, unit) in &changes.gone {
            self.placements.remove(unit);
        }
        for (key, sums) in &changes.sums {
            self.sums.entry(*key).or_default().merge(sums);
        }
        self.sums.retain(|_, sums| !sums.is_empty());
        for (key, row) in &changes.tail {
            match row {
                Some(row) => self.tail.insert(key.clone(), *row),
                None => Some(self.tail.remove(key).expect("what is taken away was there")),
            };
        }
        for (metric, at) in &changes.newest {
            self.newest.entry(*metric).and_modify(|newest| *newest = (*at).max(*newest)).or_insert(*at);
        }
        let placements = self.projector.placements(&changes);
        self.placements.extend(placements.map(|(unit, placement)| (unit.into(), placement.clone())));
        self.log.extend(fresh.iter().map(|event| StoredEvent::clone(event)));
    }
}

fn is_user(id: &str) -> bool {
    id.starts_with('u')
}

/// What a world has in the end.
#[derive(Debug, Default, PartialEq)]
struct State {
    sums: BTreeMap<(String, u16), VariantSums>,
    /// Metric, numerator, unit, variant, denominator and what was before.
    tail: BTreeSet<(u16, i64, String, u16, i64, Option<i64>)>,
    newest: BTreeMap<MetricId, Timestamp>,
}

/// The state the slow way: looks at every event again for every unit.
fn oracle(events: &[StoredEvent]) -> State {
    let mut state = State::default();
    let links: Vec<_> = events.iter().filter_map(Link::of).collect();
    let persons = Persons::of_links(&links, is_user);
    let of_person =
        |event: &StoredEvent| StoredEvent { unit: persons.of(&event.unit).into(), ..event.clone() };
    let events: Vec<_> = events.iter().map(of_person).collect();
    let events: BTreeMap<_, _> = events.iter().map(|event| (event.message_id.clone(), event)).collect();
    let events: Vec<_> = events.into_values().collect();
    for event in &events {
        let metrics: &[_] = match &*event.name {
            "Order Completed" | "Order Refunded" => &[NET_AOV],
            "Product Viewed" => &[DISTINCT],
            _ => &[],
        };
        for metric in metrics {
            let newest = state.newest.entry(*metric).or_insert(Timestamp::from_micros(0));
            *newest = (*newest).max(Timestamp::from_micros(event.time.as_micros() / 60_000_000 * 60_000_000));
        }
    }
    let units: BTreeSet<_> = events.iter().map(|event| event.unit.clone()).collect();
    let mut add = |slot: &str, variant_idx: u16, y: i64, d: i64| {
        state.sums.entry((slot.into(), variant_idx)).or_default().count((y, d), 1);
    };
    for unit in units {
        let seen: Vec<_> = events.iter().filter(|e| e.unit == unit && e.sighting.is_some()).collect();
        let variants: BTreeSet<_> = seen.iter().filter_map(|e| e.sighting.map(|s| s.variant_idx)).collect();
        let Some(from) = seen.iter().map(|event| event.time).min() else { continue };
        if variants.len() > 1 {
            add("quarantine", 0, 1, 1);
            continue;
        }
        let variant_idx = *variants.first().unwrap();
        add("exposures", variant_idx, 1, 1);
        let window = (from, from.plus_seconds(WINDOW_S));
        let history = (from.plus_seconds(-HISTORY_S), from);
        for (metric_idx, name, of) in
            [(0, "aov", orders_of as fn(&[&StoredEvent], &str, _) -> _), (1, "distinct", views_of)]
        {
            let (y, d, _) = of(&events, &unit, window);
            add(name, variant_idx, y, d);
            let (x, _, n_rows) = of(&events, &unit, history);
            if 0 < n_rows {
                add(&format!("{name} before"), variant_idx, x, y);
            }
            if y != 0 {
                let before = (0 < n_rows).then_some(x);
                state.tail.insert((metric_idx, y, unit.to_string(), variant_idx, d, before));
            }
        }
    }
    state
}

/// Amount, count, and how many orders stand in a span of time.
fn orders_of(events: &[&StoredEvent], unit: &str, span: (Timestamp, Timestamp)) -> (i64, i64, i64) {
    let (mut amount, mut n_orders) = (0, 0);
    let order_ids: BTreeSet<_> = events.iter().filter_map(|event| event.order_id.clone()).collect();
    for order_id in order_ids {
        let about: Vec<_> = events.iter().filter(|e| e.order_id.as_ref() == Some(&order_id)).collect();
        let counting = about.iter().filter(|e| &*e.name == "Order Completed").min_by_key(|e| e.rank());
        let cancelled = about.iter().any(|e| &*e.name == "Order Cancelled");
        let inside = |order: &&&&StoredEvent| span.0 <= order.time && order.time < span.1;
        let Some(order) = counting.filter(inside).filter(|o| *o.unit == *unit && !cancelled) else {
            continue;
        };
        let revenue = cents(&order.body, "revenue");
        let refunds = about.iter().filter(|e| &*e.name == "Order Refunded");
        let taken: i64 = refunds.map(|e| cents(&e.body, "total")).sum();
        amount += revenue - taken.min(revenue);
        n_orders += 1;
    }
    (amount, n_orders, n_orders)
}

/// How many products were first viewed in a span of time.
fn views_of(events: &[&StoredEvent], unit: &str, span: (Timestamp, Timestamp)) -> (i64, i64, i64) {
    let mut viewed: Vec<_> =
        events.iter().filter(|e| *e.unit == *unit && &*e.name == "Product Viewed").collect();
    viewed.sort_by_key(|event| event.rank());
    let mut products = BTreeSet::new();
    viewed.retain(|event| products.insert(&event.body));
    let distinct = viewed.iter().filter(|event| span.0 <= event.time && event.time < span.1).count();
    let distinct = i64::try_from(distinct).unwrap();
    (distinct, 1, distinct)
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
            MetricSlot::History(0) => "aov before",
            MetricSlot::History(_) => "distinct before",
        };
        by_slot.entry((slot.into(), key.variant_idx)).or_default().merge(sums);
    }
    by_slot
}

impl World {
    fn state(&self) -> State {
        let tail = self.tail.iter().map(|(key, row)| {
            let (metric_idx, numerator, unit) = (key.metric_idx, key.numerator, key.unit.to_string());
            (metric_idx, numerator, unit, row.variant_idx, row.denominator, row.history)
        });
        State { sums: by_slot(&self.sums), tail: tail.collect(), newest: self.newest.clone() }
    }
}

/// Few units, orders and instants, so that everything collides with everything.
fn event() -> impl Strategy<Value = StoredEvent> {
    (0..12_u16, 0..4_u8, 30..90_i64, 0..5_u8, 0..9_u8, any::<bool>()).prop_map(
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
                8 => (if id % 2 == 0 { "identify" } else { "alias" }, None, None, String::new()),
                _ => ("Product Viewed", None, None, format!(r#""product_id": "p{order}""#)),
            };
            let sighting = sighting.map(|variant_idx| Sighting {
                experiment: EXPERIMENT,
                variant_idx,
                exposed: true,
                version: None,
                propensity: None,
            });
            let is_known = kind == 8 || id % 2 == 0;
            let other_id = if order == 3 { "u0".into() } else { format!("a{}", order % 3) };
            StoredEvent {
                message_id: format!("m-{kind}-{unit}-{id}-{order}-{second}-{from_server}").into(),
                name: name.into(),
                unit: if is_known { format!("u{unit}").into() } else { format!("a{}", unit % 3).into() },
                is_known,
                other_id: (kind == 8).then(|| other_id.into()),
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
        prop_assert_eq!(world.state(), oracle(&events));
    }
}

#[test]
fn a_flush_that_was_not_written_leaves_nothing_behind() {
    let exposure = |unit: &str, id: &str| StoredEvent {
        message_id: id.into(),
        name: "Experiment Viewed".into(),
        unit: unit.into(),
        is_known: false,
        other_id: None,
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
    let events = [Arc::new(exposure("lost", "2"))];
    let changes = world.projector.apply(
        (&events, &OrderBook::new()),
        &Persons::default(),
        TakenOut::default(),
        &mut Engine,
    );
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
fn what_came_before_exposure_stands_beside_what_came_after_however_late_it_is_told() {
    let event = |id: &str, second: i64, cents: i64| StoredEvent {
        message_id: id.into(),
        name: if cents == 0 { "Experiment Viewed" } else { "Order Completed" }.into(),
        unit: "u".into(),
        is_known: false,
        other_id: None,
        order_id: (cents != 0).then(|| id.into()),
        trust: Trust::Server,
        time: Timestamp::from_micros(second * 1_000_000),
        sighting: (cents == 0).then_some(Sighting {
            experiment: EXPERIMENT,
            variant_idx: 0,
            exposed: true,
            version: None,
            propensity: None,
        }),
        body: format!(r#"{{"properties": {{"revenue": {cents}e-2}}}}"#).into(),
    };
    let mut world = World::new();
    let history = |world: &World| {
        let mut rows = world.sums.iter().filter(|(key, _)| key.slot == MetricSlot::History(0));
        rows.next().map(|(_, row)| history_sums(row))
    };
    world.send(&[event("seen", 20, 0), event("after", 25, 500), event("long before", 4, 900)]);
    assert_eq!(history(&world), None, "nothing in the 15 seconds before");
    world.send(&[event("before", 19, 300)]);
    let expected = HistorySums { n: 1, x: 300, y: 500, xx: 90_000, xy: 150_000, yy: 250_000 };
    assert_eq!(history(&world), Some(expected));
    // Seen earlier than was known: what was before is after, and what was long before is not.
    world.send(&[event("seen too", 10, 0)]);
    let expected = HistorySums { n: 1, x: 900, y: 800, xx: 810_000, xy: 720_000, yy: 640_000 };
    assert_eq!(history(&world), Some(expected));
}

#[test]
fn figures_of_a_metric_that_is_away_stay_as_they_are_and_others_go_on() {
    let event = |id: &str, name: &str, second: i64, properties: &str| StoredEvent {
        message_id: id.into(),
        name: name.into(),
        unit: "u".into(),
        is_known: false,
        other_id: None,
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
        event("o0", "Order Completed", -1, r#""revenue": 4.00"#),
        event("o1", "Order Completed", 1, r#""revenue": 10.00"#),
    ]);
    let later = [
        event("o2", "Order Completed", 2, r#""revenue": 5.00"#),
        event("p", "Product Viewed", 3, r#""product_id": "p1""#),
    ]
    .map(Arc::new);
    let changes = world.projector.apply(
        (&later, &OrderBook::new()),
        &Persons::default(),
        TakenOut::default(),
        &mut Half,
    );
    changes.sums.iter().for_each(|(key, sums)| world.sums.entry(*key).or_default().merge(sums));
    let slots = by_slot(&world.sums);
    let (aov, distinct) = (slots[&("aov".to_owned(), 0)], slots[&("distinct".to_owned(), 0)]);
    assert_eq!((aov.n, aov.y, aov.d), (1, 1_000, 1));
    let before = slots[&("aov before".to_owned(), 0)];
    assert_eq!((before.n, before.y, before.d), (1, 400, 1_000));
    assert!(changes.tail.iter().all(|(key, _)| key.metric_idx == 1), "{:?}", changes.tail);
    assert_eq!((distinct.n, distinct.y), (1, 1));
}
