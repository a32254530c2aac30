//! Units per order: how many things are in a basket.

use crate::{NoSettings, orders};
use podium_plugin::prelude::*;

pub(crate) struct UnitsPerOrder;

const QUANTITY: usize = 0;

impl Metric for UnitsPerOrder {
    type Config = NoSettings;
    type Sums = [f64; 2]; // units, orders

    const INFO: MetricInfo = MetricInfo::ratio("units_per_order", "Units per order")
        .description("Things bought per order: the quantities of its products, added up.")
        .unit(Unit::Count)
        .window_days(14)
        .cap(0.999);

    fn create(_: NoSettings) -> Result<Self> {
        Ok(Self)
    }

    fn fields(&self) -> Fields {
        Fields::new().column("quantity", Column::Int).read(orders().sum("quantity", "products[].quantity"))
    }

    fn observe(&self, order: &Event<'_>) -> [f64; 2] {
        order.count(QUANTITY).map_or([0.0; 2], |quantity| [quantity, 1.0])
    }

    fn value(&self, [units, orders]: [f64; 2]) -> (f64, f64) {
        (units, orders)
    }
}
