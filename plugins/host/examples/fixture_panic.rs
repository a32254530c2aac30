//! A plugin that panics when the property `coupon` of an order is `PANIC`.

use podium_plugin::prelude::*;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {}

struct Panics;

impl Metric for Panics {
    type Config = Settings;
    type Sums = [f64; 1]; // orders

    const INFO: MetricInfo = MetricInfo::mean("fixture_panic", "Orders, with a panic").unit(Unit::Count);

    fn create(_: Settings) -> Result<Self> {
        log(Level::Info, "created");
        Ok(Self)
    }

    fn fields(&self) -> Fields {
        Fields::new()
            .column("coupon", Column::Text)
            .read(Read::event("Order Completed").once_per("order_id").property("coupon", "coupon"))
    }

    fn observe(&self, order: &Event<'_>) -> [f64; 1] {
        assert!(order.text(0) != Some("PANIC"), "the coupon says so");
        [1.0]
    }

    fn value(&self, [orders]: [f64; 1]) -> (f64, f64) {
        (orders, 1.0)
    }
}

export_plugin! { id: "com.example.fixture-panic", metrics: [Panics] }
