//! What providers and shops tell by webhook: believed if the channel's plugin believes it, and counted once.

use crate::harness::{Answer, Book, Built, Engine, Folder, Shop, experiment, named, soon};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};

pub(crate) fn promises(book: &mut Book) {
    book.both(named!(what_a_provider_tells_of_a_message_is_an_event_of_its_person));
    book.both(named!(an_order_from_shopify_counts_once_for_its_shopper));
}

const SECRET: &str = "hush";

/// A shop whose server has the plugin in `library`, and a channel `desk` of it.
fn with_channel(engine: Engine, library: &std::path::Path, channel: &Value) -> (Shop, Folder) {
    let folder = Folder::new("plugins");
    std::fs::copy(library, folder.path().join("plugin.so")).unwrap();
    let env = [("PODIUM_SECRET_TOKEN", SECRET)];
    let shop = Shop::with(engine, vec![folder.path().to_owned()], &env);
    shop.set_up("desk", channel);
    (shop, folder)
}

/// A webhook as it comes from outside: without a key.
fn webhook(shop: &Shop, headers: &[(&str, &str)], body: &str) -> Answer {
    shop.admin.with_key(None).call("POST", "/api/v1/channels/desk/webhook", headers, Some(body.as_bytes()))
}

/// How many units have a numerator in a metric of which 1 is the most a unit has.
fn count(shop: &Shop, key: &str, metric: &str) -> i64 {
    let report = shop.report(key);
    ["a", "b"].iter().map(|variant| report.figure(metric, variant).numerator).sum()
}

pub(crate) fn what_a_provider_tells_of_a_message_is_an_event_of_its_person(engine: Engine) {
    let settings = json!({"channel": "fixture_desk", "settings": {"token": {"secret": "TOKEN"}}});
    let (mut shop, _folder) = with_channel(engine, &Built::example("fixture_channels"), &settings);
    let mut definition = experiment("notes", &["a", "b"]);
    definition["primary_metric"] =
        json!({"metric": "click_through", "window_s": 86_400, "config": {"events": ["Message Bounced"]}});
    for variant in [0, 1] {
        definition["variants"][variant]["content"] = json!({"note": "hi"});
    }
    shop.run(&definition);
    let to: Value =
        (0..4).map(|n| json!({"unit": format!("u{n}"), "address": format!("desk-{n}")})).collect();
    let request = json!({"channel": "desk", "flag": "notes", "to": to});
    let sent = shop.send_messages("k", &request);
    let provider_ids: Vec<String> = sent
        .iter()
        .map(|message| {
            let path = format!("/api/v1/messages/{}", message["id"].as_str().unwrap());
            soon("the message is sent", || {
                let message = shop.admin.get(&path).expect(200);
                message["provider_id"].as_str().map(str::to_owned)
            })
        })
        .collect();
    let told = format!("{}\n{}\nof nobody", provider_ids[0], provider_ids[1]);
    assert_eq!(webhook(&shop, &[("x-token", "guess")], &told).problem(400).slug, "webhook-refused");
    assert_eq!(count(&shop, "notes", "click_through"), 0);
    for _ in 0..3 {
        webhook(&shop, &[("x-token", SECRET)], &told).expect(204);
    }
    assert_eq!(count(&shop, "notes", "click_through"), 2);
    let listed = shop.admin.get("/api/v1/suppressions?channel=desk").expect(200);
    let addresses: Vec<&str> =
        listed["data"].as_array().unwrap().iter().map(|one| one["address"].as_str().unwrap()).collect();
    assert_eq!(addresses, ["desk-0", "desk-1"]);
    shop.check_rebuild();
}

pub(crate) fn an_order_from_shopify_counts_once_for_its_shopper(engine: Engine) {
    let settings =
        json!({"shop": "example.myshopify.com", "signing_secret": {"secret": "TOKEN"}, "shopper": "visitor"});
    let channel = json!({"channel": "shopify_orders", "settings": settings});
    let (mut shop, _folder) = with_channel(engine, &Built::package("shopify-orders"), &channel);
    shop.run(&experiment("banner", &["a", "b"]));
    let got = shop.decide("visitor-7", "banner").variant.unwrap();
    let order = json!({
        "id": 820_982_911, "test": false, "currency": "USD", "subtotal_price": "398.10", "total_price": "409.94",
        "total_tax": "11.84", "total_discounts": "0.00", "taxes_included": false, "created_at": "2126-01-01T00:00:00Z",
        "note_attributes": [{"name": "podium_id", "value": "visitor-7"}],
        "line_items": [{"id": 1, "product_id": 7, "sku": "MUG", "title": "Mug", "quantity": 2, "price": "199.05"}],
    });
    let body = order.to_string();
    let send = |webhook_id: &str, body: &str, secret: &str| {
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(body.as_bytes());
        let signature = BASE64_STANDARD.encode(mac.finalize().into_bytes());
        let headers = [
            ("x-shopify-topic", "orders/create"),
            ("x-shopify-shop-domain", "example.myshopify.com"),
            ("x-shopify-webhook-id", webhook_id),
            ("x-shopify-hmac-sha256", signature.as_str()),
        ];
        webhook(&shop, &headers, body)
    };
    assert_eq!(send("w-1", &body, "guess").problem(400).slug, "webhook-refused");
    for webhook_id in ["w-1", "w-1", "w-2"] {
        send(webhook_id, &body, SECRET).expect(204);
    }
    // Once by the webhook's id, and once by the order's.
    let revenue = shop.report("banner").figure("revenue_per_visitor", &got);
    assert_eq!((revenue.units, revenue.numerator), (1, 39_810));
    shop.check_rebuild();
}
