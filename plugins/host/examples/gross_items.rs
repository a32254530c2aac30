//! A plugin that no server knows by name: how many things visitors put onto their wishlists.

use podium_plugin::prelude::*;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {}

struct GrossItems;

impl Metric for GrossItems {
    type Config = Settings;
    type Sums = [f64; 1]; // things

    const INFO: MetricInfo = MetricInfo::mean("gross_items", "Wishlist items")
        .description("Things put onto a wishlist, whether or not they stay there.")
        .unit(Unit::Count)
        .posterior(Posterior::GammaPoisson)
        .window_days(7);

    fn create(_: Settings) -> Result<Self> {
        Ok(Self)
    }

    fn fields(&self) -> Fields {
        Fields::new().read(Read::event("Product Added to Wishlist"))
    }

    fn observe(&self, _added: &Event<'_>) -> [f64; 1] {
        [1.0]
    }

    fn value(&self, [things]: [f64; 1]) -> (f64, f64) {
        (things, 1.0)
    }
}

export_plugin! { id: "com.example.gross-items", metrics: [GrossItems] }
