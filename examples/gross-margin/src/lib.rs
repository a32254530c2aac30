//! Gross margin per visitor: what orders bring in, less what their goods cost.
//!
//! A variant that sells more of what earns little looks good by revenue, and is not. What goods cost comes from the
//! settings, by product id or SKU, or from a property that the shop puts on each product of an order. What a refund
//! pays back is lost; what the goods that it lists in `products` cost is won back, unless they cannot be sold again.
//! Nothing is ever unknown, so a refund takes back no more than its order gave: that is why the settings must say
//! what a product costs that is not listed.

mod cost;

use cost::{Cost, PRODUCTS};
use podium_plugin::prelude::*;
use std::collections::BTreeMap;

export_plugin! { id: "com.example.gross-margin", metrics: [GrossMargin] }

const AMOUNT: usize = 0;
const GOODS: usize = 1;
/// Which read selected the event, where refunds are read.
const REFUNDED: usize = 1;
/// The largest contribution: doubles count in ones up to there.
const LARGEST: i64 = 1 << 53;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    /// Property of `Order Completed` that holds what came in: `revenue` (without shipping and tax), or another.
    #[schemars(length(min = 1))]
    amount: String,
    /// What one piece costs, in minor units (cents), by its `product_id` or `sku`.
    costs: BTreeMap<String, u32>,
    /// What one piece costs that is not in `costs`, in minor units.
    otherwise: Option<u32>,
    /// Instead of `costs`: the property of each product that holds what all its pieces cost, in major units.
    line_cost: Option<String>,
    /// Whether goods that come back can be sold again.
    resells: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            amount: "revenue".into(),
            costs: BTreeMap::new(),
            otherwise: None,
            line_cost: None,
            resells: true,
        }
    }
}

struct GrossMargin {
    amount: String,
    cost: Cost,
    resells: bool,
}

impl Metric for GrossMargin {
    type Config = Settings;
    type Sums = [f64; 1]; // money
    const INFO: MetricInfo = MetricInfo::mean("gross_margin", "Gross margin per visitor")
        .description(
            "Money from orders less refunds and less what the goods cost, over everyone who was exposed. A refund \
             counts where and when its order counted.",
        )
        .unit(Unit::CurrencyMinor)
        .window_days(14)
        .cap(0.999)
        .beside("revenue_per_visitor, aov, conversion");

    fn create(settings: Settings) -> Result<Self> {
        let Settings { amount, costs, otherwise, line_cost, resells } = settings;
        if amount.trim().is_empty() {
            return Err(Error::config("`amount` is empty; name a property of `Order Completed`"));
        }
        Ok(Self { amount, cost: Cost::new(costs, otherwise, line_cost)?, resells })
    }

    fn fields(&self) -> Fields {
        let order = Read::event("Order Completed").once_per("order_id").property("amount", &self.amount);
        let refund =
            Read::event("Order Refunded").follows("Order Completed", "order_id").share_of("amount", "amount");
        let fields = Fields::new().column("amount", Column::Money);
        match &self.cost {
            Cost::Listed { .. } => fields
                .column("products", Column::Json)
                .read(order.property("products", PRODUCTS))
                .read(refund.property("products", PRODUCTS)),
            Cost::Told { property } => {
                let path = format!("{PRODUCTS}[].{property}");
                let fields = fields.column("cost", Column::Money);
                fields.read(order.sum("cost", &path)).read(refund.sum("cost", path))
            }
        }
    }

    fn observe(&self, event: &Event<'_>) -> [f64; 1] {
        let Some(amount) = event.money(AMOUNT) else { return [0.0] };
        let cost = self.cost.of(event, GOODS);
        let amount = amount as i64;
        let margin = match event.read_idx() {
            REFUNDED if self.resells => cost.saturating_sub(amount),
            REFUNDED => -amount,
            _ => amount.saturating_sub(cost),
        };
        // No order is that large; a sum that it would spoil is worth more.
        [if margin.unsigned_abs() <= LARGEST.unsigned_abs() { margin as f64 } else { 0.0 }]
    }

    fn value(&self, [margin]: [f64; 1]) -> (f64, f64) {
        (margin, 1.0)
    }
}
