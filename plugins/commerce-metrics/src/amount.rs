//! The amount of an order, and what a refund takes back of it.

use crate::orders;
use podium_plugin::prelude::*;

/// Which amount of an order counts.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct AmountSettings {
    /// Property of `Order Completed` that holds the amount: `revenue` (without shipping and tax), `total`,
    /// `subtotal`, or one of your own.
    #[schemars(length(min = 1))]
    pub(crate) amount: String,
}

impl Default for AmountSettings {
    fn default() -> Self {
        Self { amount: "revenue".into() }
    }
}

/// The only column of these metrics.
const AMOUNT: usize = 0;
/// Which read selected the event, where refunds are read.
const REFUNDED: usize = 1;

/// Refuses a property that has no name.
pub(crate) fn check(amount: &str) -> Result<()> {
    if amount.trim().is_empty() {
        return Err(Error::config(
            "`amount` is empty; name a property of `Order Completed`, such as `revenue`",
        ));
    }
    Ok(())
}

/// Reads the amounts of orders.
pub(crate) fn gross(amount: &str) -> Fields {
    Fields::new().column("amount", Column::Money).read(orders().property("amount", amount))
}

/// Reads the amounts of orders, and what refunds take back of them.
pub(crate) fn net(amount: &str) -> Fields {
    gross(amount).read(
        Read::event("Order Refunded").follows("Order Completed", "order_id").share_of("amount", "amount"),
    )
}

/// What an event adds: the amount and 1 for an order, the share taken back and 0 for a refund. An order whose
/// amount is unknown adds to neither.
pub(crate) fn money_and_orders(event: &Event<'_>) -> [f64; 2] {
    match event.money(AMOUNT) {
        None => [0.0, 0.0],
        Some(share) if event.read_idx() == REFUNDED => [-share, 0.0],
        Some(amount) => [amount, 1.0],
    }
}
