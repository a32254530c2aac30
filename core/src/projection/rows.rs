//! Which events count for whom and when: orders reported twice, refunds, cancellations, distinct counts.

use super::event::StoredEvent;
use crate::metric::extract::{Cell, EventParts, ORDER_CANCELLED, refund_share};
use crate::metric::fields::{FieldSpec, Read};
use crate::metric::json::plain_text;
use crate::money::Currency;
use crate::time::Timestamp;
use twox_hash::XxHash3_64;

/// The property whose value is one thing in the whole project, whoever reports it.
pub const ORDER_ID: &str = "order_id";

/// A metric as projection knows it.
#[derive(Clone, Debug)]
pub struct MetricSpec {
    /// What it reads.
    pub fields: FieldSpec,
    /// How many numbers it makes of an event, 1 to 8.
    pub k: usize,
    /// The currency its money is counted in.
    pub currency: Currency,
}

/// One event that counts, as the metric will see it.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Position of the event in the metric's field specification.
    pub event_idx: u16,
    /// When it counts: for a refund, when its order did.
    pub time: Timestamp,
    /// The columns.
    pub cells: Vec<Option<Cell>>,
}

/// Names a set of events of which the rows are made together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Group(pub(super) u64);

impl Group {
    pub(super) fn of_event(message_id: &str) -> Self {
        Self(XxHash3_64::oneshot(message_id.as_bytes()))
    }

    pub(super) fn of_property(property: &str, value: &str) -> Self {
        Self(XxHash3_64::oneshot_with_seed(XxHash3_64::oneshot(property.as_bytes()), value.as_bytes()))
    }
}

/// An event with its parts, read once for all metrics.
pub(super) struct Parsed<'a> {
    pub(super) event: &'a StoredEvent,
    parts: EventParts<'a>,
}

impl<'a> Parsed<'a> {
    pub(super) fn new(event: &'a StoredEvent) -> Self {
        Self { event, parts: EventParts::parse(&event.name, &event.body) }
    }

    /// The value of the property that groups it with others, if it has one.
    pub(super) fn group_value(&self, property: &str) -> Option<Box<str>> {
        if property == ORDER_ID {
            return self.event.order_id.clone();
        }
        let value = self.parts.properties.get(property).and_then(plain_text)?;
        Some(value.into())
    }

    /// Its row if it stands by itself.
    pub(super) fn row(&self, metric: &MetricSpec, event_idx: usize) -> Option<Row> {
        let spec = metric.fields.events.get(event_idx)?;
        let cells = self.parts.cells(spec, &metric.fields.columns, metric.currency);
        Some(Row { event_idx: event_idx as u16, time: self.event.time, cells })
    }
}

/// Hands over the rows of a group: of each leading event name the one that ranks first counts, unless the order
/// was cancelled; followers count for its unit, at its time.
///
/// - `each`: called with the position of the leader in `events`, for whose unit the row counts.
pub(super) fn group_rows(
    metric: &MetricSpec,
    property: &str,
    events: &[Parsed<'_>],
    mut each: impl FnMut(usize, Row),
) {
    if property == ORDER_ID && events.iter().any(|parsed| &*parsed.event.name == ORDER_CANCELLED) {
        return;
    }
    for (event_idx, spec) in metric.fields.events.iter().enumerate() {
        if spec.follows.is_some() || spec.once_per.as_deref() != Some(property) {
            continue;
        }
        let named = events.iter().enumerate().filter(|(_, parsed)| *parsed.event.name == *spec.name);
        let first = named.min_by(|(_, a), (_, b)| a.event.rank().cmp(&b.event.rank()));
        let Some((leader_idx, leader)) = first else { continue };
        if let Some(row) = leader.row(metric, event_idx) {
            if 1 < events.len() {
                follow(metric, property, (leader, &row.cells), events, |row| each(leader_idx, row));
            }
            each(leader_idx, row);
        }
    }
}

fn follow(
    metric: &MetricSpec,
    property: &str,
    (leader, leader_cells): (&Parsed<'_>, &[Option<Cell>]),
    events: &[Parsed<'_>],
    mut each: impl FnMut(Row),
) {
    for (event_idx, spec) in metric.fields.events.iter().enumerate() {
        let Some(follows) = &spec.follows else { continue };
        if follows.by != property || *follows.event != *leader.event.name {
            continue;
        }
        let mut followers: Vec<_> = events.iter().filter(|parsed| *parsed.event.name == *spec.name).collect();
        if followers.is_empty() {
            continue;
        }
        followers.sort_by(|a, b| a.event.rank().cmp(&b.event.rank()));
        let total = leader.parts.total(metric.currency);
        let mut left: Vec<Option<i64>> = leader_cells.iter().map(|cell| money(cell.as_ref())).collect();
        for follower in followers {
            let mut cells = follower.parts.cells(spec, &metric.fields.columns, metric.currency);
            let refunded = follower.parts.properties.get("total").and_then(plain_text);
            let refunded = refunded.and_then(|text| metric.currency.minor_units(&text).ok());
            for (cell, read) in cells.iter_mut().zip(&spec.reads) {
                let Some(Read::ShareOf(source_idx)) = read else { continue };
                let amount = leader_cells.get(*source_idx).and_then(|cell| money(cell.as_ref()));
                if let (Some(amount), Some(Some(rest))) = (amount, left.get_mut(*source_idx)) {
                    let share = refund_share(amount, refunded, total, *rest);
                    *rest -= share;
                    *cell = Some(Cell::Money(share));
                }
            }
            each(Row { event_idx: event_idx as u16, time: leader.event.time, cells });
        }
    }
}

fn money(cell: Option<&Cell>) -> Option<i64> {
    match cell {
        Some(Cell::Money(minor)) => Some(*minor),
        _ => None,
    }
}
