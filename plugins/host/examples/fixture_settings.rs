//! A plugin that wants a setting, and is particular about it.

use podium_plugin::prelude::*;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// How many orders it takes.
    n_orders: u32,
}

struct Enough(Settings);

impl Metric for Enough {
    type Config = Settings;
    type Sums = [f64; 1]; // orders

    const INFO: MetricInfo = MetricInfo::proportion("fixture_settings", "Bought often enough");

    fn create(settings: Settings) -> Result<Self> {
        match settings.n_orders {
            0 => Err(Error::config("`n_orders` is 0, so that everybody has enough; 1 or more")),
            13 => panic!("thirteen"),
            _ => Ok(Self(settings)),
        }
    }

    fn fields(&self) -> Fields {
        Fields::new().read(Read::event("Order Completed").once_per("order_id"))
    }

    fn observe(&self, _order: &Event<'_>) -> [f64; 1] {
        [1.0]
    }

    fn value(&self, [orders]: [f64; 1]) -> (f64, f64) {
        (f64::from(u8::from(orders >= f64::from(self.0.n_orders))), 1.0)
    }
}

export_plugin! { id: "com.example.fixture-settings", metrics: [Enough] }
