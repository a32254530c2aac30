//! Revenue per visitor: what orders bring in, over everyone who was exposed.

use crate::amount::{self, AmountSettings};
use podium_plugin::prelude::*;

pub(crate) struct RevenuePerVisitor(AmountSettings);

impl Metric for RevenuePerVisitor {
    type Config = AmountSettings;
    type Sums = [f64; 1]; // money

    const INFO: MetricInfo = MetricInfo::mean("revenue_per_visitor", "Revenue per visitor")
        .description(
            "Money from orders over everyone who was exposed, buyers or not. Refunds are left out of account: \
             see net revenue.",
        )
        .unit(Unit::CurrencyMinor)
        .posterior(Posterior::LognormalHurdle)
        .window_days(14)
        .cap(0.999)
        .beside("aov, conversion");

    fn create(settings: AmountSettings) -> Result<Self> {
        amount::check(&settings.amount)?;
        Ok(Self(settings))
    }

    fn fields(&self) -> Fields {
        amount::gross(&self.0.amount)
    }

    fn observe(&self, event: &Event<'_>) -> [f64; 1] {
        let [money, _] = amount::money_and_orders(event);
        [money]
    }

    fn value(&self, [money]: [f64; 1]) -> (f64, f64) {
        (money, 1.0)
    }
}
