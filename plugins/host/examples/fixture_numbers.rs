//! A plugin that answers with what is no contribution when the property `coupon` of an order is `NAN`,
//! `INFINITE`, `FRACTION` or `HUGE`.

use podium_plugin::prelude::*;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {}

struct Numbers;

impl Metric for Numbers {
    type Config = Settings;
    type Sums = [f64; 2]; // what the coupon says, orders

    const INFO: MetricInfo = MetricInfo::ratio("fixture_numbers", "Orders, with odd numbers");

    fn create(_: Settings) -> Result<Self> {
        Ok(Self)
    }

    fn fields(&self) -> Fields {
        Fields::new()
            .column("coupon", Column::Text)
            .read(Read::event("Order Completed").once_per("order_id").property("coupon", "coupon"))
    }

    fn observe(&self, order: &Event<'_>) -> [f64; 2] {
        let said = match order.text(0) {
            Some("NAN") => f64::NAN,
            Some("INFINITE") => f64::INFINITY,
            Some("FRACTION") => 0.5,
            Some("HUGE") => 1e16,
            _ => 1.0,
        };
        [said, 1.0]
    }

    fn value(&self, [said, orders]: [f64; 2]) -> (f64, f64) {
        (said, orders)
    }
}

export_plugin! { id: "com.example.fixture-numbers", metrics: [Numbers] }
