//! The fold itself: one writer keeps one projector.

use super::MetricEngine;
use super::event::{OrderBook, StoredEvent};
use super::rows::{Group, MetricSpec, ORDER_ID, Parsed, Row, group_rows};
use super::tracked::{Sign, StatKey, Tracked};
use super::unit::{Placement, UnitMetric, UnitState};
use crate::id::{ExperimentId, MetricId};
use crate::metric::VariantSums;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Units kept in memory between flushes; the least recently used half goes when there are more.
const UNITS_MAX: usize = 200_000;

/// Turns events into placements and sums.
#[derive(Debug, Default)]
pub struct Projector {
    tracked: HashMap<ExperimentId, Tracked>,
    metrics: HashMap<MetricId, MetricSpec>,
    units: HashMap<Box<str>, UnitState>,
    flush: u64,
}

/// What a flush changes.
#[derive(Debug, Default)]
pub struct Changes {
    /// Units whose placement is new or other than before.
    pub placements: Vec<(Box<str>, Placement)>,
    /// What to add to the sums of variants.
    pub sums: HashMap<StatKey, VariantSums>,
    touched: Vec<Box<str>>,
}

/// A row on its way to the plugin and back to its unit.
struct PendingRow {
    unit: Box<str>,
    group: Group,
    row: Row,
}

type Pending = HashMap<MetricId, Vec<PendingRow>>;

impl Projector {
    /// Takes note of an experiment, or of a change to it.
    pub fn track(&mut self, tracked: Tracked) {
        self.tracked.insert(tracked.experiment, tracked);
    }

    /// The experiment as it is tracked.
    pub fn tracked(&self, experiment: ExperimentId) -> Option<&Tracked> {
        self.tracked.get(&experiment)
    }

    /// Takes note of a metric. Units in memory have no rows of a new one, so they are dropped.
    pub fn know(&mut self, metric: MetricId, spec: MetricSpec) {
        if self.metrics.insert(metric, spec).is_none() {
            self.units.clear();
        }
    }

    /// Whether some metric or experiment takes note of events with this name.
    pub fn reads(&self, name: &str) -> bool {
        self.metrics.values().any(|metric| metric.fields.event(name).is_some())
    }

    /// The units whose events [`Self::apply`] needs and that are not in memory.
    ///
    /// - `orders`: what the log has about the orders that `events` are about.
    pub fn missing_units(&self, events: &[Arc<StoredEvent>], orders: &OrderBook) -> Vec<Box<str>> {
        let earlier = orders.values().flatten().map(|event| &event.unit);
        let needed: HashSet<_> = events.iter().map(|event| &event.unit).chain(earlier).collect();
        needed.into_iter().filter(|unit| !self.units.contains_key(*unit)).cloned().collect()
    }

    /// Brings units into memory as they count now.
    ///
    /// - `units`: their ids.
    /// - `events`: everything the log has of them.
    /// - `orders`: everything the log has about the orders in `events`, whoever said it.
    pub fn load(
        &mut self,
        units: &[Box<str>],
        events: Vec<Arc<StoredEvent>>,
        orders: &OrderBook,
        engine: &mut dyn MetricEngine,
    ) {
        let wanted: HashSet<Box<str>> = units.iter().cloned().collect();
        for unit in units {
            self.units.insert(unit.clone(), UnitState { used: self.flush, ..UnitState::default() });
        }
        let mut pending = Pending::new();
        let mut orders_seen = HashSet::new();
        for event in events {
            if let Some(order_id) = &event.order_id {
                orders_seen.insert(order_id.clone());
            }
            self.take(&event, &mut pending);
        }
        for order_id in &orders_seen {
            self.rows_of_order(order_id, orders.get(order_id).map_or(&[], Vec::as_slice), &mut pending);
        }
        for rows in pending.values_mut() {
            rows.retain(|row| wanted.contains(&row.unit));
        }
        self.observe(pending, engine);
        self.place(units, engine);
    }

    /// Folds new events in. All units that [`Self::missing_units`] names have been loaded, and no event is in
    /// the log already.
    ///
    /// - `orders`: what the log has about the orders that `events` are about.
    pub fn apply(
        &mut self,
        events: Vec<Arc<StoredEvent>>,
        mut orders: OrderBook,
        engine: &mut dyn MetricEngine,
    ) -> Changes {
        self.flush += 1;
        let mut pending = Pending::new();
        let mut touched: HashSet<Box<str>> = HashSet::new();
        let mut dirty_orders: HashSet<Box<str>> = HashSet::new();
        for event in events {
            touched.insert(event.unit.clone());
            self.units.entry(event.unit.clone()).or_default();
            if let Some(order_id) = &event.order_id {
                orders.entry(order_id.clone()).or_default().push(Arc::clone(&event));
                dirty_orders.insert(order_id.clone());
            }
            self.take(&event, &mut pending);
        }
        for order_id in &dirty_orders {
            let about = orders.get(order_id).map_or(&[][..], Vec::as_slice);
            let group = Group::of_property(ORDER_ID, order_id);
            for event in about {
                touched.insert(event.unit.clone());
                if let Some(state) = self.units.get_mut(&event.unit) {
                    self.metrics.keys().for_each(|metric| state.remove_group(*metric, group));
                }
            }
            self.rows_of_order(order_id, about, &mut pending);
        }
        self.observe(pending, engine);
        let touched: Vec<Box<str>> = touched.into_iter().collect();
        let before = self.place(&touched, engine);
        let changes = self.compare(touched, before);
        self.evict();
        changes
    }

    /// Drops what a flush touched, because it was not written: it will be read again from the log.
    pub fn forget(&mut self, changes: &Changes) {
        for unit in &changes.touched {
            self.units.remove(unit);
        }
    }

    /// Drops everything but what is tracked.
    pub fn forget_all(&mut self) {
        self.units.clear();
    }

    /// Notes where the unit was seen, and collects the rows of an event that no order groups.
    fn take(&mut self, event: &Arc<StoredEvent>, pending: &mut Pending) {
        let Some(state) = self.units.get_mut(&event.unit) else { return };
        state.used = self.flush;
        if let Some(sighting) = &event.sighting {
            state.see(sighting, event.time);
        }
        let mut parsed = None;
        for (metric, spec) in &self.metrics {
            let Some((event_idx, event_spec)) = spec.fields.event(&event.name) else { continue };
            let property = event_spec.grouped_by();
            if property == Some(ORDER_ID) && event.order_id.is_some() {
                continue;
            }
            let parsed = parsed.get_or_insert_with(|| Parsed::new(event));
            let value = property.and_then(|property| parsed.group_value(property));
            let rows = pending.entry(*metric).or_default();
            match (property, value) {
                (Some(property), Some(value)) => {
                    let group = Group::of_property(property, &value);
                    state.remove_group(*metric, group);
                    rows.retain(|row| row.unit != event.unit || row.group != group);
                    let members = state.join(group, event).iter().map(|member| Parsed::new(member));
                    let made = group_rows(spec, property, &members.collect::<Vec<_>>()).into_iter();
                    rows.extend(made.map(|(unit, row)| PendingRow { unit, group, row }));
                }
                (Some(_), None) if event_spec.follows.is_some() => {}
                (_, _) => {
                    let group = Group::of_event(&event.message_id);
                    let made = parsed.row(spec, event_idx).into_iter();
                    rows.extend(made.map(|row| PendingRow { unit: event.unit.clone(), group, row }));
                }
            }
        }
    }

    fn rows_of_order(&self, order_id: &str, about: &[Arc<StoredEvent>], pending: &mut Pending) {
        let group = Group::of_property(ORDER_ID, order_id);
        let about: Vec<Parsed<'_>> = about.iter().map(|event| Parsed::new(event)).collect();
        for (metric, spec) in &self.metrics {
            for (unit, row) in group_rows(spec, ORDER_ID, &about) {
                pending.entry(*metric).or_default().push(PendingRow { unit, group, row });
            }
        }
    }

    /// Has the plugins turn rows into contributions and files those under their units.
    fn observe(&mut self, pending: Pending, engine: &mut dyn MetricEngine) {
        for (metric, rows) in pending {
            let Some(k) = self.metrics.get(&metric).map(|spec| spec.k) else { continue };
            if rows.is_empty() {
                continue;
            }
            let (owners, rows): (Vec<_>, Vec<_>) =
                rows.into_iter().map(|PendingRow { unit, group, row }| ((unit, group), row)).unzip();
            let contributions = engine.observe(metric, &rows);
            for (((unit, group), row), contribution) in
                owners.iter().zip(&rows).zip(contributions.chunks_exact(k))
            {
                if let Some(state) = self.units.get_mut(unit)
                    && contribution.iter().any(|part| *part != 0)
                {
                    state.rows.entry(metric).or_default().push(*group, row.time, contribution);
                }
            }
        }
    }

    /// Computes the placements of `units` anew and returns those they had before.
    fn place(&mut self, units: &[Box<str>], engine: &mut dyn MetricEngine) -> Vec<Vec<Placement>> {
        let mut before = Vec::with_capacity(units.len());
        let mut wanted: HashMap<MetricId, Vec<(usize, usize, usize)>> = HashMap::new();
        for (unit_idx, unit) in units.iter().enumerate() {
            let Some(state) = self.units.get_mut(unit) else {
                before.push(Vec::new());
                continue;
            };
            let mut placements = Vec::with_capacity(state.seen.len());
            for (experiment, seen) in &state.seen {
                let Some(tracked) = self.tracked.get(experiment) else { continue };
                let Some(mut placement) = tracked.place(seen) else { continue };
                let window = placement.exposure.map(|exposure| exposure.at);
                for (metric_idx, metric) in tracked.metrics.iter().enumerate().filter(|_| window.is_some()) {
                    let from = window.unwrap_or_default();
                    let until = from.plus_seconds(metric.window_s);
                    let k = self.metrics.get(&metric.metric).map_or(0, |spec| spec.k);
                    let sums = state.rows.get(&metric.metric).map(|rows| rows.sums(from, until, k));
                    placement
                        .metrics
                        .push(UnitMetric { sums: sums.unwrap_or_else(|| vec![0; k]), value: None });
                    wanted.entry(metric.metric).or_default().push((unit_idx, placements.len(), metric_idx));
                }
                placements.push(placement);
            }
            before.push(std::mem::replace(&mut state.placements, placements));
        }
        self.evaluate(units, wanted, engine);
        before
    }

    /// Has the plugins turn sums into values.
    fn evaluate(
        &mut self,
        units: &[Box<str>],
        wanted: HashMap<MetricId, Vec<(usize, usize, usize)>>,
        engine: &mut dyn MetricEngine,
    ) {
        for (metric, places) in wanted {
            let Some(k) = self.metrics.get(&metric).map(|spec| spec.k) else { continue };
            let mut sums = Vec::with_capacity(places.len() * k);
            for place in &places {
                if let Some(unit_metric) = unit_metric(&mut self.units, units, *place) {
                    sums.extend_from_slice(&unit_metric.sums);
                }
            }
            let values = engine.value(metric, &sums, k);
            for (place, value) in places.into_iter().zip(values) {
                if let Some(unit_metric) = unit_metric(&mut self.units, units, place) {
                    unit_metric.value = value;
                }
            }
        }
    }

    fn compare(&self, touched: Vec<Box<str>>, before: Vec<Vec<Placement>>) -> Changes {
        let mut changes = Changes::default();
        for (unit, before) in touched.iter().zip(before) {
            let after = self.units.get(unit).map_or(&[][..], |state| &state.placements);
            for old in &before {
                if let Some(tracked) = self.tracked.get(&old.experiment)
                    && !after.contains(old)
                {
                    tracked.count(old, Sign::Remove, &mut changes.sums);
                }
            }
            for new in after {
                if let Some(tracked) = self.tracked.get(&new.experiment)
                    && !before.contains(new)
                {
                    tracked.count(new, Sign::Add, &mut changes.sums);
                    changes.placements.push((unit.clone(), new.clone()));
                }
            }
        }
        changes.sums.retain(|_, sums| !sums.is_empty());
        changes.touched = touched;
        changes
    }

    fn evict(&mut self) {
        if self.units.len() > UNITS_MAX {
            let mut ages: Vec<u64> = self.units.values().map(|state| state.used).collect();
            let middle = ages.len() / 2;
            let (_, median, _) = ages.select_nth_unstable(middle);
            let median = *median;
            self.units.retain(|_, state| median < state.used);
        }
    }
}

fn unit_metric<'a>(
    states: &'a mut HashMap<Box<str>, UnitState>,
    units: &[Box<str>],
    (unit_idx, placement_idx, metric_idx): (usize, usize, usize),
) -> Option<&'a mut UnitMetric> {
    states.get_mut(units.get(unit_idx)?)?.placements.get_mut(placement_idx)?.metrics.get_mut(metric_idx)
}
