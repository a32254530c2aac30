//! Net revenue per visitor: what orders bring in, less what is given back.

use crate::amount::{self, AmountSettings};
use podium_plugin::prelude::*;

pub(crate) struct NetRevenue(AmountSettings);

impl Metric for NetRevenue {
    type Config = AmountSettings;
    type Sums = [f64; 1]; // money

    const INFO: MetricInfo = MetricInfo::mean("net_revenue", "Net revenue per visitor")
        .description(
            "Money from orders less what was refunded, over everyone who was exposed. A refund counts where and \
             when its order counted, however late it comes.",
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
        amount::net(&self.0.amount)
    }

    fn observe(&self, event: &Event<'_>) -> [f64; 1] {
        let [money, _] = amount::money_and_orders(event);
        [money]
    }

    fn value(&self, [money]: [f64; 1]) -> (f64, f64) {
        (money, 1.0)
    }
}
