//! Conversion: who bought at all.

use crate::{NoSettings, bit, orders};
use podium_plugin::prelude::*;

pub(crate) struct Conversion;

impl Metric for Conversion {
    type Config = NoSettings;
    type Sums = [f64; 1]; // orders

    const INFO: MetricInfo = MetricInfo::proportion("conversion", "Conversion")
        .description("The share of visitors who completed at least one order.")
        .window_days(14);

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
        (bit(orders > 0.0), 1.0)
    }
}
