//! A whole plugin: the average order value, over a property that the experiment names.

use podium_plugin::prelude::*;
#[derive(Deserialize, JsonSchema)]
struct Config {
    /** Property of `Order Completed` that holds the amount: `total`, `revenue`, ... */
    amount: String,
}
struct Aov(Config);
impl Metric for Aov {
    type Config = Config;
    type Sums = [f64; 2]; // money, orders
    const INFO: MetricInfo = MetricInfo::ratio("aov", "Average order value")
        .description("Money per order.")
        .unit(Unit::CurrencyMinor)
        .window_days(14)
        .cap(0.999)
        .beside("revenue_per_visitor");
    fn create(config: Config) -> Result<Self> {
        Ok(Self(config))
    }
    fn fields(&self) -> Fields {
        Fields::new()
            .column("amount", Column::Money)
            .read(Read::event("Order Completed").once_per("order_id").property("amount", &self.0.amount))
    }
    fn observe(&self, order: &Event<'_>) -> [f64; 2] {
        order.money(0).map_or([0.0; 2], |amount| [amount, 1.0])
    }
    fn value(&self, [money, orders]: [f64; 2]) -> (f64, f64) {
        (money, orders)
    }
}
export_plugin! { id: "com.example.aov", metrics: [Aov] }
