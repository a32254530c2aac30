//! What a request of Shopify's tells of a shopper.

use crate::order::{LineItem, Order, Refund};
use podium_plugin::prelude::*;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// The cart attribute that holds the id which the page decided for.
const ATTRIBUTE: &str = "podium_id";

/// Under which name an order counts, where it has both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Naming {
    /// The customer's id, else the visitor's.
    #[default]
    Customer,
    /// The visitor's id in the cart attribute `podium_id`, else the customer's.
    Visitor,
}

/// Reads a request whose signature is right; `None` if it tells nothing that counts.
pub(crate) fn of_request(
    topic: &str,
    body: &[u8],
    message_id: &str,
    naming: Naming,
) -> Result<Option<TrackEvent>> {
    Ok(match topic {
        "orders/create" => completed(&read(topic, body)?, message_id, naming),
        "orders/cancelled" => cancelled(&read(topic, body)?, message_id, naming),
        "refunds/create" => refunded(&read(topic, body)?, message_id),
        _ => None,
    })
}

fn read<T: DeserializeOwned>(topic: &str, body: &[u8]) -> Result<T> {
    serde_json::from_slice(body).map_err(|wrong| Error::content(format!("{topic}: {wrong}")))
}

fn completed(order: &Order, message_id: &str, naming: Naming) -> Option<TrackEvent> {
    if order.test {
        return None;
    }
    let text = |amount: &crate::order::Verbatim| Value::from(amount.0.as_str());
    let shipping = order.total_shipping_price_set.as_ref().map(|set| text(&set.shop_money.amount));
    let products: Vec<Value> = order.line_items.iter().map(product).collect();
    let event = named(TrackEvent::new("Order Completed", message_id), order, naming)
        .timestamp(&order.created_at)
        .property("order_id", order.id.0.as_str())
        .property("revenue", order.revenue())
        .property("total", text(&order.total_price))
        .property("shipping", shipping)
        .property("tax", order.total_tax.as_ref().map(text))
        .property("discount", order.total_discounts.as_ref().map(text))
        .property("coupon", order.discount_codes.first().map(|code| code.code.as_str()))
        .property("currency", order.currency.as_str())
        .property("products", products);
    Some(event)
}

fn cancelled(order: &Order, message_id: &str, naming: Naming) -> Option<TrackEvent> {
    if order.test {
        return None;
    }
    let event = named(TrackEvent::new("Order Cancelled", message_id), order, naming)
        .timestamp(order.cancelled_at.as_deref().unwrap_or(&order.created_at))
        .property("order_id", order.id.0.as_str())
        .property("currency", order.currency.as_str());
    Some(event)
}

/// A refund does not say whose it is. It counts where its order counts.
fn refunded(refund: &Refund, message_id: &str) -> Option<TrackEvent> {
    let (total, currency) = refund.paid_back()?;
    let event = TrackEvent::new("Order Refunded", message_id)
        .anonymous_id(of_order(&refund.order_id.0))
        .timestamp(&refund.created_at)
        .property("order_id", refund.order_id.0.as_str())
        .property("total", total)
        .property("currency", currency);
    Some(event)
}

fn named(event: TrackEvent, order: &Order, naming: Naming) -> TrackEvent {
    let customer = order.customer.as_ref().and_then(|customer| customer.id.as_ref()).map(|id| id.0.as_str());
    let visitor = order.attribute(ATTRIBUTE).filter(|id| !id.is_empty());
    match (customer, visitor) {
        (Some(customer), None) => event.user_id(customer),
        (Some(customer), Some(_)) if naming == Naming::Customer => event.user_id(customer),
        (_, Some(visitor)) => event.anonymous_id(visitor),
        (None, None) => event.anonymous_id(of_order(&order.id.0)),
    }
}

/// Stands for a shopper of whom nothing is known but the order.
fn of_order(order_id: &str) -> String {
    format!("shopify-order-{order_id}")
}

fn product(item: &LineItem) -> Value {
    let mut product = json!({ "price": item.price.0, "quantity": item.quantity });
    let texts = [
        ("product_id", item.product_id.as_ref().map(|id| &id.0)),
        ("sku", item.sku.as_ref()),
        ("name", item.title.as_ref()),
        ("variant", item.variant_title.as_ref()),
    ];
    for (name, text) in texts {
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            product[name] = text.as_str().into();
        }
    }
    product
}
