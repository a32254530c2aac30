//! The channel as it was built, given requests as Shopify sends them, and some that it did not send.
#![expect(clippy::unwrap_used, reason = "what a test builds its world with must not fail")]

use base64::prelude::{BASE64_STANDARD, Engine as _};
use podium_plugin_host::{ChannelCall, ChannelEvent, ChannelInstance, HostLog, Registry, WebhookRequest};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

const SECRET: &str = "hush, Größe";
const SHOP: &str = "example.myshopify.com";

/// A copy of the built library, in a folder that has nothing else.
fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let test = std::env::current_exe().unwrap();
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("shopify-orders");
        std::fs::create_dir_all(&folder).unwrap();
        let (link, copy) = (folder.join(std::process::id().to_string()), folder.join("shopify.so"));
        std::fs::copy(test.parent().unwrap().join("libshopify_orders.so"), &link).unwrap();
        std::fs::rename(&link, &copy).unwrap();
        copy
    })
}

fn channel(shopper: &str) -> Box<dyn ChannelInstance> {
    static REGISTRY: OnceLock<Registry> = OnceLock::new();
    let registry = REGISTRY.get_or_init(|| {
        let folder = library().parent().unwrap().to_owned();
        Registry::load(&[folder], &HostLog::discard())
    });
    assert_eq!(registry.refusals(), []);
    let config = json!({ "shop": SHOP, "signing_secret": { "secret": "S" }, "shopper": shopper });
    let secret = |_: &str| Some(SECRET.to_owned());
    registry.create_channel_with("shopify_orders", &config.to_string(), &secret).unwrap()
}

/// HMAC-SHA256 by its definition, apart from the channel's own code.
fn signature(body: &[u8]) -> String {
    let pad = |byte: u8| {
        let mut block = [byte; 64];
        block.iter_mut().zip(SECRET.as_bytes()).for_each(|(pad, key)| *pad ^= key);
        block
    };
    let inner = Sha256::new().chain_update(pad(0x36)).chain_update(body).finalize();
    let outer = Sha256::new().chain_update(pad(0x5c)).chain_update(inner).finalize();
    BASE64_STANDARD.encode(outer)
}

/// What a request says beside its body.
#[derive(Clone)]
struct Head {
    topic: &'static str,
    shop: &'static str,
    webhook_id: &'static str,
    signature: String,
}

fn head(topic: &'static str, body: &[u8]) -> Head {
    Head { topic, shop: SHOP, webhook_id: "b54557e4-bdd9-4b37-8a5f-bf7d70bcd043", signature: signature(body) }
}

fn send(channel: &dyn ChannelInstance, head: &Head, body: &[u8]) -> Result<Vec<Value>, String> {
    let headers = [
        ("x-shopify-topic", head.topic),
        ("x-shopify-shop-domain", head.shop),
        ("x-shopify-webhook-id", head.webhook_id),
        ("x-shopify-hmac-sha256", &head.signature),
    ];
    let request = WebhookRequest { method: "POST", path: "/shopify", query: "", headers: &headers, body };
    let call = ChannelCall { deadline_ms: i64::MAX, ..ChannelCall::default() };
    let events = channel.ingest(&request, &call).map_err(|fault| fault.to_string())?;
    let event = |event| match event {
        ChannelEvent::Track(track) => serde_json::from_str(track.as_json()).unwrap(),
        event @ ChannelEvent::Feedback(_) => panic!("{event:?}"),
    };
    Ok(events.into_iter().map(event).collect())
}

/// Sends a signed body; it tells one thing.
#[track_caller]
fn told(shopper: &str, topic: &'static str, body: &Value) -> Value {
    let body = body.to_string();
    let mut events = send(&*channel(shopper), &head(topic, body.as_bytes()), body.as_bytes()).unwrap();
    assert_eq!(events.len(), 1, "{events:?}");
    events.remove(0)
}

/// An order with two products, a discount and a customer.
fn order() -> Value {
    json!({
        "id": 820_982_911_946_154_508_i64, "name": "#9999", "email": "jon@example.com", "test": false,
        "created_at": "2026-01-05T10:00:00-05:00", "cancelled_at": null, "currency": "USD",
        "subtotal_price": "388.00", "total_price": "398.10", "total_tax": "0.10", "total_discounts": "20.00",
        "taxes_included": false,
        "total_shipping_price_set": {"shop_money": {"amount": "10.00", "currency_code": "USD"}},
        "customer": {"id": 115_310_627_314_723_954_i64, "email": "john@example.com"},
        "note_attributes": [{"name": "gift", "value": "yes"}, {"name": "podium_id", "value": "v-7"}],
        "discount_codes": [{"code": "WELCOME", "amount": "20.00", "type": "fixed_amount"}],
        "line_items": [
            {"id": 1, "product_id": 632_910_392, "sku": "IPOD2008PINK", "title": "IPod Nano – 8 GB", "variant_title": "Pink",
             "price": "199.00", "quantity": 2, "tax_lines": [{"price": "0.10", "rate": 0.05}]},
            {"id": 2, "product_id": null, "sku": "", "title": "Größe 42 🛒", "variant_title": null, "price": "10.000", "quantity": 1},
        ],
    })
}

#[test]
fn an_order_keeps_its_amounts_to_the_letter() {
    assert_eq!(
        told("customer", "orders/create", &order()),
        json!({
            "type": "track", "event": "Order Completed", "userId": "115310627314723954",
            "messageId": "shopify-b54557e4-bdd9-4b37-8a5f-bf7d70bcd043", "timestamp": "2026-01-05T10:00:00-05:00",
            "properties": {
                "order_id": "820982911946154508", "revenue": "388.00", "total": "398.10", "shipping": "10.00",
                "tax": "0.10", "discount": "20.00", "coupon": "WELCOME", "currency": "USD",
                "products": [
                    {"product_id": "632910392", "sku": "IPOD2008PINK", "name": "IPod Nano – 8 GB", "variant": "Pink",
                     "price": "199.00", "quantity": 2},
                    {"name": "Größe 42 🛒", "price": "10.000", "quantity": 1},
                ],
            },
        })
    );
}

#[test]
fn tax_that_is_in_the_prices_is_no_revenue() {
    let mut order = order();
    order["taxes_included"] = json!(true);
    assert_eq!(told("customer", "orders/create", &order)["properties"]["revenue"], "387.90");
    // An order whose tax cannot be read says its total alone, and the server works it out.
    order["line_items"][0]["tax_lines"][0]["price"] = json!("a lot");
    let properties = told("customer", "orders/create", &order)["properties"].clone();
    assert_eq!((&properties["revenue"], &properties["total"]), (&Value::Null, &json!("398.10")));
}

#[test]
fn an_order_counts_under_the_name_that_the_shop_chose() {
    let ids = |event: &Value| (event["userId"].clone(), event["anonymousId"].clone());
    let visitor = (Value::Null, json!("v-7"));
    let mut order = order();
    assert_eq!(ids(&told("visitor", "orders/create", &order)), visitor);
    order["customer"] = json!(null);
    assert_eq!(ids(&told("customer", "orders/create", &order)), visitor);
    order["note_attributes"] = json!([]);
    let nobody = (Value::Null, json!("shopify-order-820982911946154508"));
    assert_eq!(ids(&told("visitor", "orders/create", &order)), nobody);
}

#[test]
fn refunds_and_cancellations_name_their_order() {
    let transaction = |kind: &str, status: &str, amount: &str| json!({"kind": kind, "status": status, "amount": amount, "currency": "USD"});
    let mut refund = json!({
        "id": 1, "order_id": 7, "created_at": "2026-01-06T10:00:00Z",
        "transactions": [transaction("refund", "success", "10.10"), transaction("refund", "success", "0.20"),
            transaction("refund", "failure", "99.00"), transaction("void", "success", "5.00")],
    });
    let event = told("customer", "refunds/create", &refund);
    assert_eq!(event["event"], "Order Refunded");
    assert_eq!(event["properties"], json!({"order_id": "7", "total": "10.30", "currency": "USD"}));
    // Goods that came back without money take nothing back: no total would mean all of it.
    refund["transactions"] = json!([]);
    let body = refund.to_string();
    let head = head("refunds/create", body.as_bytes());
    assert_eq!(send(&*channel("customer"), &head, body.as_bytes()), Ok(vec![]));

    let mut order = order();
    order["cancelled_at"] = json!("2026-01-07T10:00:00Z");
    let event = told("customer", "orders/cancelled", &order);
    assert_eq!(
        (&event["event"], &event["timestamp"]),
        (&json!("Order Cancelled"), &json!("2026-01-07T10:00:00Z"))
    );
    assert_eq!(event["properties"], json!({"order_id": "820982911946154508", "currency": "USD"}));
}

#[test]
fn what_shopify_repeats_has_the_same_message_id() {
    let body = order().to_string();
    let (channel, head) = (channel("customer"), head("orders/create", body.as_bytes()));
    let [first, again] = [(); 2].map(|()| send(&*channel, &head, body.as_bytes()).unwrap());
    assert_eq!(first, again);
    let other = Head { webhook_id: "another", ..head };
    assert_ne!(first[0]["messageId"], send(&*channel, &other, body.as_bytes()).unwrap()[0]["messageId"]);
}

#[test]
fn what_shopify_did_not_sign_is_refused() {
    let body = order().to_string().into_bytes();
    let (channel, right) = (channel("customer"), head("orders/create", &body));
    let refused = |head: Head, body: &[u8]| send(&*channel, &head, body).unwrap_err();
    let wrong = "it answered with code -2: the signature is wrong";
    let mut altered = body.clone();
    let place = altered.windows(6).position(|part| part == b"388.00").unwrap();
    altered[place] = b'9';
    assert_eq!(refused(right.clone(), &altered), wrong);
    let mut longer = body.clone();
    longer.push(b' ');
    assert_eq!(refused(right.clone(), &longer), wrong);
    for signature in ["", "?", "AAAA", &right.signature[1..], &signature(b"")] {
        assert_eq!(refused(Head { signature: signature.into(), ..right.clone() }, &body), wrong);
    }
    let other_shop = refused(Head { shop: "other.myshopify.com", ..right.clone() }, &body);
    assert_eq!(other_shop, "it answered with code -2: the request is not of example.myshopify.com");
    let nameless = refused(Head { webhook_id: "", ..right }, &body);
    assert!(nameless.ends_with("`X-Shopify-Webhook-Id` is empty or too long"), "{nameless}");
    let no_order = refused(head("orders/create", b"{}"), b"{}");
    assert!(no_order.contains("orders/create: missing field `id`"), "{no_order}");
}

/// The signature was computed with Python's `hmac` and `base64`.
#[test]
fn the_signature_is_that_of_another_implementation() {
    let body = r#"{"note":"Grüße 🛒"}"#.as_bytes();
    let signature = "NZTz1IqTXsKowvBZUcFqc/rr+Gr6Tvb692daaSMSOLU=".to_owned();
    let head = Head { signature, ..head("products/update", body) };
    assert_eq!(send(&*channel("customer"), &head, body), Ok(vec![]));
}

#[test]
fn test_orders_and_other_topics_tell_nothing() {
    let mut order = order();
    order["test"] = json!(true);
    for (topic, body) in
        [("orders/create", &order), ("orders/cancelled", &order), ("app/uninstalled", &json!({}))]
    {
        let body = body.to_string();
        assert_eq!(send(&*channel("customer"), &head(topic, body.as_bytes()), body.as_bytes()), Ok(vec![]));
    }
}
