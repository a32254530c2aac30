//! Which report of an order counts, for whom, and what refunds take back of it.

use crate::audience::EventLeaf;
use crate::metric::extract::{EventParts, ORDER_CANCELLED, ORDER_COMPLETED, ORDER_REFUNDED, refund_share};
use crate::metric::json::plain_text;
use crate::money::Currency;
use crate::projection::StoredEvent;

/// An order that counts.
#[derive(Clone, Debug)]
pub(super) struct Order<'a> {
    /// The report that counts: of several the one that ranks first. The order is its unit's.
    pub(super) report: &'a StoredEvent,
    /// In the order in which they take back.
    refunds: Vec<&'a StoredEvent>,
}

impl PartialEq for Order<'_> {
    fn eq(&self, other: &Self) -> bool {
        let ids =
            |order: &Self| order.refunds.iter().map(|refund| refund.message_id.clone()).collect::<Vec<_>>();
        self.report.message_id == other.report.message_id && ids(self) == ids(other)
    }
}

impl<'a> Order<'a> {
    /// Makes an order of everything that was said about it; `None` if it was cancelled or never completed.
    pub(super) fn of(about: impl Iterator<Item = &'a StoredEvent>) -> Option<Self> {
        let (mut report, mut refunds): (Option<&StoredEvent>, _) = (None, Vec::new());
        for event in about {
            match &*event.name {
                ORDER_COMPLETED if report.is_none_or(|other| event.rank() < other.rank()) => {
                    report = Some(event);
                }
                ORDER_REFUNDED => refunds.push(event),
                ORDER_CANCELLED => return None,
                _ => {}
            }
        }
        refunds.sort_by(|a, b| a.rank().cmp(&b.rank()));
        Some(Self { report: report?, refunds })
    }

    /// What is left of an amount of it after refunds.
    pub(super) fn left(&self, amount: i64, parts: &EventParts<'_>, currency: Currency) -> i64 {
        let total = parts.total(currency);
        self.refunds.iter().fold(amount, |left, refund| {
            let refund = EventParts::parse(&refund.name, &refund.body);
            let refunded = refund.properties.get("total").and_then(plain_text);
            let refunded = refunded.and_then(|text| currency.minor_units(&text).ok());
            left - refund_share(amount, refunded, total, left)
        })
    }

    /// What it adds to the sum of a leaf; `None` if it has no such amount.
    pub(super) fn leaf_amount(
        &self,
        leaf: &EventLeaf,
        parts: &EventParts<'_>,
        default: Currency,
    ) -> Option<i64> {
        let amount = leaf.amount(parts, default)?;
        Some(parts.currency(default).map_or(amount, |currency| self.left(amount, parts, currency)))
    }
}
