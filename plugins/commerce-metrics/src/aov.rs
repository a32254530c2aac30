//! Average order value: money per order.

use crate::amount;
use podium_plugin::prelude::*;

/// Which amount of an order counts, and whether refunds are taken off.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// Property of `Order Completed` that holds the amount: `revenue` (without shipping and tax), `total`,
    /// `subtotal`, or one of your own.
    #[schemars(length(min = 1))]
    amount: String,
    /// Leaves refunds out of account: the value of orders as they were placed.
    gross: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { amount: "revenue".into(), gross: false }
    }
}

pub(crate) struct Aov(Settings);

impl Metric for Aov {
    type Config = Settings;
    type Sums = [f64; 2]; // money, orders

    const INFO: MetricInfo = MetricInfo::ratio("aov", "Average order value")
        .description(
            "Money per order, less what was refunded. It says nothing of how many orders there are: look at \
             revenue per visitor beside it.",
        )
        .unit(Unit::CurrencyMinor)
        .window_days(14)
        .cap(0.999)
        .beside("revenue_per_visitor, conversion");

    fn create(settings: Settings) -> Result<Self> {
        amount::check(&settings.amount)?;
        Ok(Self(settings))
    }

    fn fields(&self) -> Fields {
        if self.0.gross { amount::gross(&self.0.amount) } else { amount::net(&self.0.amount) }
    }

    fn observe(&self, event: &Event<'_>) -> [f64; 2] {
        amount::money_and_orders(event)
    }

    fn value(&self, [money, orders]: [f64; 2]) -> (f64, f64) {
        (money, orders)
    }
}
