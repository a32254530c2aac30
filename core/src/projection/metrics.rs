//! The metrics in use, and which of them read which event.

use super::event::StoredEvent;
use super::rows::{MetricSpec, ORDER_ID};
use crate::id::MetricId;
use crate::time::Timestamp;
use std::collections::HashMap;
use std::sync::Arc;

/// Position of a metric among those in use.
pub(super) type MetricIdx = u32;

/// All metrics in use. One that was taken into use stays, so positions never change.
#[derive(Debug, Default)]
pub(super) struct Metrics {
    ids: HashMap<MetricId, MetricIdx>,
    known: Vec<(MetricId, MetricSpec)>,
    readers: HashMap<String, Vec<Reader>>,
}

/// One metric that reads one event.
#[derive(Debug)]
pub(super) struct Reader {
    pub(super) metric_idx: MetricIdx,
    /// Position of the event in the metric's field specification.
    pub(super) event_idx: usize,
    /// The property whose value groups the event with others.
    pub(super) property: Option<String>,
    /// Whether the event counts only where another one does.
    pub(super) follows: bool,
}

impl Metrics {
    /// Takes a metric into use; says whether it is a new one.
    pub(super) fn know(&mut self, id: MetricId, spec: MetricSpec) -> bool {
        let known = self.ids.get(&id).and_then(|idx| self.known.get_mut(*idx as usize));
        let is_new = known.is_none();
        if let Some((_, old)) = known {
            *old = spec;
        } else {
            self.ids.insert(id, self.known.len() as MetricIdx);
            self.known.push((id, spec));
        }
        self.readers.clear();
        for (metric_idx, (_, spec)) in self.known.iter().enumerate() {
            for (event_idx, event) in spec.fields.events.iter().enumerate() {
                self.readers.entry(event.name.clone()).or_default().push(Reader {
                    metric_idx: metric_idx as MetricIdx,
                    event_idx,
                    property: event.grouped_by().map(str::to_owned),
                    follows: event.follows.is_some(),
                });
            }
        }
        is_new
    }

    pub(super) fn position(&self, id: MetricId) -> Option<MetricIdx> {
        self.ids.get(&id).copied()
    }

    pub(super) fn get(&self, metric_idx: MetricIdx) -> Option<&(MetricId, MetricSpec)> {
        self.known.get(metric_idx as usize)
    }

    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    /// Those that read events with this name.
    pub(super) fn readers(&self, event_name: &str) -> &[Reader] {
        self.readers.get(event_name).map_or(&[], Vec::as_slice)
    }

    /// For each metric that reads one of `events`, when the newest of these happened, to the minute.
    pub(super) fn newest(&self, events: &[Arc<StoredEvent>]) -> HashMap<MetricId, Timestamp> {
        const MINUTE_US: i64 = 60_000_000;
        let mut newest: HashMap<MetricId, Timestamp> = HashMap::new();
        for event in events {
            let micros = event.time.as_micros();
            let minute = Timestamp::from_micros(micros - micros.rem_euclid(MINUTE_US));
            for (metric, _) in
                self.readers(&event.name).iter().filter_map(|reader| self.get(reader.metric_idx))
            {
                newest.entry(*metric).and_modify(|at| *at = minute.max(*at)).or_insert(minute);
            }
        }
        newest
    }

    /// Those of which some event is grouped by this property.
    pub(super) fn grouped_by(&self, property: &str) -> impl Iterator<Item = (MetricIdx, &MetricSpec)> {
        let specs = self.known.iter().map(|(_, spec)| spec).enumerate();
        let reads = move |spec: &MetricSpec| {
            spec.fields.events.iter().any(|event| event.grouped_by() == Some(property))
        };
        specs.filter(move |(_, spec)| reads(spec)).map(|(idx, spec)| (idx as MetricIdx, spec))
    }
}

impl Reader {
    /// Whether the event is read together with everything else about its order.
    pub(super) fn is_of_order(&self) -> bool {
        self.property.as_deref() == Some(ORDER_ID)
    }
}
