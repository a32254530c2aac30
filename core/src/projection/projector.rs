//! The fold itself: one writer keeps one projector.

use super::MetricEngine;
use super::event::{OrderBook, StoredEvent};
use super::metrics::Metrics;
use super::pending::Pending;
use super::placing::Experiments;
use super::rows::{Group, MetricSpec, ORDER_ID};
use super::tail::{TailKey, TailRow};
use super::tracked::{StatKey, Tracked};
use super::unit::Placement;
use super::units::{UnitIdx, Units};
use crate::id::{ExperimentId, MetricId};
use crate::identity::Persons;
use crate::metric::VariantSums;
use crate::time::Timestamp;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Turns events into placements and sums.
#[derive(Debug, Default)]
pub struct Projector {
    experiments: Experiments,
    metrics: Metrics,
    units: Units,
    flush: u64,
}

/// What a flush changes.
#[derive(Debug, Default)]
pub struct Changes {
    /// What to add to the sums of variants.
    pub sums: HashMap<StatKey, VariantSums>,
    /// Units in the tails of metrics that are new or count elsewhere than before; `None` takes one away.
    pub tail: Vec<(TailKey, Option<TailRow>)>,
    /// The time of the newest event that each metric reads, to the minute.
    pub newest: HashMap<MetricId, Timestamp>,
    /// Placements that are no more, by experiment and id.
    pub gone: Vec<(ExperimentId, Box<str>)>,
    /// Placements that are new or other than before, by position among their unit's.
    pub(super) placed: Vec<(UnitIdx, usize)>,
    pub(super) touched: Vec<UnitIdx>,
}

/// Units as they counted before their ids were joined or parted.
#[derive(Debug, Default)]
pub struct TakenOut(Vec<(Box<str>, Vec<Placement>)>);

impl Projector {
    /// Takes note of an experiment, or of a change to it.
    pub fn track(&mut self, tracked: Tracked) {
        self.experiments.track(tracked, &self.metrics);
    }

    /// The experiment as it is tracked.
    pub fn tracked(&self, experiment: ExperimentId) -> Option<&Tracked> {
        self.experiments.get(experiment)
    }

    /// Takes note of a metric. Units in memory have no rows of a new one, so they are dropped.
    pub fn know(&mut self, metric: MetricId, spec: MetricSpec) {
        if self.metrics.know(metric, spec) {
            self.experiments.find_metrics(&self.metrics);
            self.units.clear();
        }
    }

    /// Whether some metric takes note of events with this name.
    pub fn reads(&self, name: &str) -> bool {
        !self.metrics.readers(name).is_empty()
    }

    /// The units whose events [`Self::apply`] needs and that are not in memory.
    ///
    /// - `orders`: what the log has about the orders that `events` are about.
    /// - `persons`: whose ids they name; a person is one unit.
    pub fn missing_units(
        &mut self,
        events: &[Arc<StoredEvent>],
        orders: &OrderBook,
        persons: &Persons,
    ) -> Vec<Box<str>> {
        self.units.evict();
        let needed = events.iter().chain(orders.values().flatten()).map(|event| persons.of(&event.unit));
        self.not_in_memory(needed)
    }

    /// Those of some units that are not in memory.
    pub fn not_in_memory<'a>(&self, units: impl Iterator<Item = &'a str>) -> Vec<Box<str>> {
        let missing: HashSet<&str> = units.filter(|unit| self.units.find(unit).is_none()).collect();
        missing.into_iter().map(Box::from).collect()
    }

    /// Takes units out of memory whose ids are not the same from now on, as they count until now. They must be in
    /// memory; afterwards they are to be loaded with the ids that they have now.
    pub fn take_out<'a>(&mut self, units: impl Iterator<Item = &'a str>) -> TakenOut {
        let mut taken = TakenOut::default();
        for id in units {
            let Some(unit) = self.units.find(id) else { continue };
            let state = self.units.get_mut(unit);
            taken.0.push((
                id.into(),
                state.map(|state| std::mem::take(&mut state.placements)).unwrap_or_default(),
            ));
            self.units.remove(unit);
        }
        taken
    }

    /// Brings units into memory as they count now.
    ///
    /// - `units`: their ids.
    /// - `events`: everything the log has of them.
    /// - `orders`: everything the log has about the orders in `events`, whoever said it.
    /// - `persons`: whose ids all of them name.
    pub fn load(
        &mut self,
        units: &[Box<str>],
        (events, orders): (&[Arc<StoredEvent>], &OrderBook),
        persons: &Persons,
        engine: &mut dyn MetricEngine,
    ) {
        let loaded: Vec<UnitIdx> = units.iter().map(|id| self.units.find_or_insert(id)).collect();
        for unit in &loaded {
            if let Some(state) = self.units.get_mut(*unit) {
                state.used = self.flush;
            }
        }
        let wanted: HashSet<UnitIdx> = loaded.iter().copied().collect();
        let mut pending = Pending::new(&self.metrics);
        let mut order_ids: HashSet<&str> = HashSet::new();
        for event in events {
            if let Some(unit) = self.units.find(persons.of(&event.unit)).filter(|unit| wanted.contains(unit))
            {
                order_ids.extend(event.order_id.as_deref());
                pending.take(&mut self.units, unit, event);
            }
        }
        for order_id in order_ids {
            let about = orders.get(order_id).map_or(&[][..], Vec::as_slice);
            let find = |id: &str| self.units.find(id).filter(|unit| wanted.contains(unit));
            let about: Vec<_> = about.iter().map(|event| (find(persons.of(&event.unit)), &**event)).collect();
            pending.take_order(order_id, &about);
        }
        pending.observe(&mut self.units, engine);
        self.experiments.place(&loaded, (&self.metrics, &mut self.units), engine);
    }

    /// Folds new events in. All units that [`Self::missing_units`] names have been loaded, and no event is in
    /// the log already.
    ///
    /// - `orders`: what the log has about the orders that `events` are about.
    /// - `persons`: whose ids all of them name.
    /// - `taken`: the units that were taken out because their ids are not the same any more.
    pub fn apply(
        &mut self,
        (events, orders): (&[Arc<StoredEvent>], &OrderBook),
        persons: &Persons,
        taken: TakenOut,
        engine: &mut dyn MetricEngine,
    ) -> Changes {
        self.flush += 1;
        let flush = self.flush;
        let mut touched: Vec<UnitIdx> = Vec::with_capacity(events.len());
        let mut touch = |units: &mut Units, id: &str| {
            let unit = units.find_or_insert(id);
            if let Some(state) = units.get_mut(unit).filter(|state| state.used < flush) {
                state.used = flush;
                touched.push(unit);
            }
            unit
        };
        let mut pending = Pending::new(&self.metrics);
        let mut about_orders: HashMap<&str, Vec<(Option<UnitIdx>, &StoredEvent)>> = HashMap::new();
        for event in events {
            let unit = touch(&mut self.units, persons.of(&event.unit));
            if let Some(order_id) = &event.order_id {
                about_orders.entry(order_id).or_default().push((Some(unit), event));
            }
            pending.take(&mut self.units, unit, event);
        }
        for (order_id, about) in &mut about_orders {
            // Only what was there before can have given rows.
            for event in orders.get(*order_id).into_iter().flatten() {
                let unit = touch(&mut self.units, persons.of(&event.unit));
                if let Some(state) = self.units.get_mut(unit) {
                    state.remove_group(Group::of_property(ORDER_ID, order_id));
                }
                about.push((Some(unit), event));
            }
            pending.take_order(order_id, about);
        }
        for (id, before) in taken.0 {
            let unit = touch(&mut self.units, &id);
            if let Some(state) = self.units.get_mut(unit) {
                state.placements = before;
            }
        }
        pending.observe(&mut self.units, engine);
        let before = self.experiments.place(&touched, (&self.metrics, &mut self.units), engine);
        let changes = self.experiments.compare(touched, before, &self.units);
        Changes { newest: self.metrics.newest(events), ..changes }
    }

    /// Placements that are new or other than before, each with its unit. Valid until the next call that changes
    /// the projector.
    pub fn placements<'a>(&'a self, changes: &'a Changes) -> impl Iterator<Item = (&'a str, &'a Placement)> {
        changes.placed.iter().filter_map(|(unit, placement_idx)| {
            let state = self.units.get(*unit)?;
            Some((&*state.id, state.placements.get(*placement_idx)?))
        })
    }

    /// Drops what a flush touched, because it was not written: it will be read again from the log.
    pub fn forget(&mut self, changes: &Changes) {
        changes.touched.iter().for_each(|unit| self.units.remove(*unit));
    }

    /// Drops everything but what is tracked.
    pub fn forget_all(&mut self) {
        self.units.clear();
    }
}
