//! Repeat purchase: who came back to buy again.

use crate::{NoSettings, bit, orders};
use podium_plugin::prelude::*;

pub(crate) struct RepeatPurchase;

impl Metric for RepeatPurchase {
    type Config = NoSettings;
    type Sums = [f64; 1]; // orders

    const INFO: MetricInfo = MetricInfo::proportion("repeat_purchase", "Repeat purchase")
        .description("The share of visitors who completed at least two orders.")
        .window_days(60);

    fn create(_: NoSettings) -> Result<Self> {
        Ok(Self)
    }

    fn fields(&self) -> Fields {
        Fields::new().read(orders())
    }

    fn observe(&self, _order: &Event<'_>) -> [f64; 1] {
        [1.0]
    }

    fn value(&self, [orders]: [f64; 1]) -> (f64, f64) {
        (bit(orders >= 2.0), 1.0)
    }
}
