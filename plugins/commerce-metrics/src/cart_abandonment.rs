//! Cart abandonment: who put something into the cart and left without buying.

use crate::{NoSettings, bit, orders};
use podium_plugin::prelude::*;

pub(crate) struct CartAbandonment;

/// Which read selected the event.
const ADDED: usize = 0;

impl Metric for CartAbandonment {
    type Config = NoSettings;
    type Sums = [f64; 2]; // adds, orders

    const INFO: MetricInfo = MetricInfo::ratio("cart_abandonment", "Cart abandonment")
        .description(
            "Of the visitors who put something into their cart, the share who completed no order. Visitors who \
             put nothing into it are not counted.",
        )
        .unit(Unit::Proportion)
        .direction(Direction::Decrease)
        .posterior(Posterior::Beta)
        .window_days(14);

    fn create(_: NoSettings) -> Result<Self> {
        Ok(Self)
    }

    fn fields(&self) -> Fields {
        Fields::new().read(Read::event("Product Added")).read(orders())
    }

    fn observe(&self, event: &Event<'_>) -> [f64; 2] {
        if event.read_idx() == ADDED { [1.0, 0.0] } else { [0.0, 1.0] }
    }

    fn value(&self, [adds, orders]: [f64; 2]) -> (f64, f64) {
        (bit(adds > 0.0 && orders == 0.0), bit(adds > 0.0))
    }
}
