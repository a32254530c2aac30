//! Events on their way to the metrics, and the contributions on their way back to the units.

use super::MetricEngine;
use super::event::StoredEvent;
use super::metrics::{MetricIdx, Metrics};
use super::rows::{Group, ORDER_ID, Parsed, Row, group_rows};
use super::units::{UnitIdx, Units};
use std::collections::HashMap;
use std::sync::Arc;

/// What a flush has for each metric.
pub(super) struct Pending<'a> {
    metrics: &'a Metrics,
    rows: Vec<PendingRows>,
    /// Groups of a unit's own whose rows are to be made anew, each with its property.
    groups: HashMap<(UnitIdx, Group), &'a str>,
}

/// Rows for one metric, and whose they are.
#[derive(Default)]
struct PendingRows {
    rows: Vec<Row>,
    owners: Vec<(UnitIdx, Group)>,
}

impl<'a> Pending<'a> {
    pub(super) fn new(metrics: &'a Metrics) -> Self {
        let rows = std::iter::repeat_with(PendingRows::default).take(metrics.len()).collect();
        Self { metrics, rows, groups: HashMap::new() }
    }

    /// Notes where the unit was seen, and collects the rows of an event that no order groups.
    pub(super) fn take(&mut self, units: &mut Units, unit: UnitIdx, event: &Arc<StoredEvent>) {
        let Some(state) = units.get_mut(unit) else { return };
        if let Some(sighting) = &event.sighting {
            state.see(&event.unit, sighting, event.time);
        }
        let mut parsed = None;
        let mut joined: Vec<Group> = Vec::new();
        for reader in self.metrics.readers(&event.name) {
            if reader.is_of_order() && event.order_id.is_some() {
                continue;
            }
            let parsed = parsed.get_or_insert_with(|| Parsed::new(event));
            let value = reader.property.as_deref().and_then(|property| parsed.group_value(property));
            match (&reader.property, value) {
                (Some(property), Some(value)) => {
                    let group = Group::of_property(property, &value);
                    if !joined.contains(&group) {
                        state.join(group, event);
                        joined.push(group);
                    }
                    self.groups.insert((unit, group), property);
                }
                (Some(_), None) if reader.follows => {}
                (_, _) => {
                    let Some((_, spec)) = self.metrics.get(reader.metric_idx) else { continue };
                    let group = Group::of_event(&event.message_id);
                    if let Some(row) = parsed.row(spec, reader.event_idx) {
                        self.push(reader.metric_idx, (unit, group), row);
                    }
                }
            }
        }
    }

    /// Collects the rows of everything about one order.
    ///
    /// - `about`: whatever was said about it, with the units that said it; `None` for those whose rows are not
    ///   wanted.
    pub(super) fn take_order(&mut self, order_id: &str, about: &[(Option<UnitIdx>, &StoredEvent)]) {
        let group = Group::of_property(ORDER_ID, order_id);
        let parsed: Vec<_> = about.iter().map(|(_, event)| Parsed::new(event)).collect();
        let metrics = self.metrics;
        for (metric_idx, spec) in metrics.grouped_by(ORDER_ID) {
            group_rows(spec, ORDER_ID, &parsed, |leader_idx, row| {
                if let Some((Some(unit), _)) = about.get(leader_idx) {
                    self.push(metric_idx, (*unit, group), row);
                }
            });
        }
    }

    fn push(&mut self, metric_idx: MetricIdx, owner: (UnitIdx, Group), row: Row) {
        if let Some(pending) = self.rows.get_mut(metric_idx as usize) {
            pending.rows.push(row);
            pending.owners.push(owner);
        }
    }

    /// Has the plugins turn rows into contributions and files those under their units.
    pub(super) fn observe(mut self, units: &mut Units, engine: &mut dyn MetricEngine) {
        self.regroup(units);
        for (metric_idx, pending) in (0..).zip(self.rows) {
            let Some((metric, spec)) = self.metrics.get(metric_idx) else { continue };
            if pending.rows.is_empty() {
                continue;
            }
            let Some(contributions) = engine.observe(*metric, &pending.rows) else { continue };
            let rows = pending.owners.iter().zip(&pending.rows);
            for (((unit, group), row), contribution) in rows.zip(contributions.chunks_exact(spec.k)) {
                if let Some(state) = units.get_mut(*unit)
                    && contribution.iter().any(|part| *part != 0)
                {
                    state.add_row(metric_idx, *group, row.time, contribution);
                }
            }
        }
    }

    /// Takes back what groups of a unit's own gave, and collects their rows anew.
    fn regroup(&mut self, units: &mut Units) {
        let metrics = self.metrics;
        for ((unit, group), property) in std::mem::take(&mut self.groups) {
            let Some(state) = units.get_mut(unit) else { continue };
            let members: Vec<_> = state.group(group).iter().map(|event| Parsed::new(event)).collect();
            let mut rows = Vec::new();
            for (metric_idx, spec) in metrics.grouped_by(property) {
                group_rows(spec, property, &members, |_, row| rows.push((metric_idx, row)));
            }
            state.remove_group(group);
            for (metric_idx, row) in rows {
                self.push(metric_idx, (unit, group), row);
            }
        }
    }
}
