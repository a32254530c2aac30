//! The bundled goal metrics: what a shop wants to know of a variant.
//!
//! A plugin like any other: the server finds it in a folder and knows none of its metrics by name. Events are
//! those of the Segment vocabulary. An order counts once per `order_id`; a refund belongs to its order, and so
//! to the order's unit, variant and time.

mod amount;
mod aov;
mod bounce;
mod cart_abandonment;
mod click_through;
mod conversion;
mod net_revenue;
mod repeat_purchase;
mod revenue_per_visitor;
mod units_per_order;

use podium_plugin::prelude::*;

export_plugin! {
    id: "podium.commerce-metrics",
    metrics: [
        conversion::Conversion,
        aov::Aov,
        revenue_per_visitor::RevenuePerVisitor,
        net_revenue::NetRevenue,
        units_per_order::UnitsPerOrder,
        click_through::ClickThrough,
        cart_abandonment::CartAbandonment,
        repeat_purchase::RepeatPurchase,
        bounce::Bounce,
    ]
}

/// The settings of a metric that has none.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NoSettings {}

/// Reads completed orders, each once.
fn orders() -> Read {
    Read::event("Order Completed").once_per("order_id")
}

/// Turns yes and no into 1 and 0.
fn bit(is_true: bool) -> f64 {
    f64::from(u8::from(is_true))
}
