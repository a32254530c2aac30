//! Audiences and persons, asked as the document says.

use super::super::examples;
use super::shop::Server;
use serde_json::{Value, json};

/// What a shopper does, so that everything that can be known is.
async fn shop(server: &Server<'_>, user: &str) {
    let phone = format!("{user}-phone");
    let product = json!({"product_id": "p-1", "name": "Trail runner", "category": "shoes", "price": 89.9, "quantity": 2});
    let track = |event: &str, properties: Value| {
        json!({
            "type": "track", "event": event, "anonymousId": phone, "properties": properties,
            "context": {"consent": {"categoryPreferences": {"marketing": true}}}
        })
    };
    let batch = json!({"batch": [
        track("Product Viewed", product.clone()), track("Product Viewed", product.clone()),
        track("Product Viewed", product.clone()),
        track("Order Completed", json!({"order_id": user, "revenue": "12.50"})),
        track("Product Added", product), track("Product Added", json!({"sku": "sock"})),
        track("Experience Dismissed", json!({"flag": "popup"})),
        {"type": "identify", "userId": user, "anonymousId": phone,
            "traits": {"plan": "gold", "size": {"shoe": 42}, "gone": null}}
    ]});
    let sent = server.try_out(Some("server"), "POST /api/v1/events", Some(batch)).await;
    assert_eq!((&sent.body["accepted"], &sent.body["rejected"]), (&json!(8), &json!([])), "{}", sent.body);
}

pub(super) async fn sources(server: &Server<'_>) {
    for (name, body) in examples::new_source() {
        let made = server.try_out(Some("admin"), "POST /api/v1/sources", Some(body)).await;
        assert_eq!(made.status, 201, "{name}: {}", made.body);
    }
    for (_, body) in examples::source_change() {
        let changed = server.try_out(Some("admin"), "PUT /api/v1/sources/erp", Some(body)).await;
        assert_eq!((changed.status, &changed.body["revision"]), (200, &json!(2)), "{}", changed.body);
    }
    let read = server.try_out(Some("admin"), "GET /api/v1/sources/erp", None).await;
    let listed = server.try_out(Some("admin"), "GET /api/v1/sources", None).await;
    assert_eq!(listed.body["data"][1], read.body);
    let removed = server.try_out(Some("admin"), "DELETE /api/v1/sources/erp", None).await;
    assert_eq!(removed.status, 204, "{}", removed.body);
}

pub(super) async fn audiences(server: &Server<'_>) {
    shop(server, "ann").await;
    for (name, body) in examples::new_audience() {
        let made = server.try_out(Some("admin"), "POST /api/v1/audiences", Some(body)).await;
        assert_eq!(made.status, 201, "{name}: {}", made.body);
    }
    let path = "/api/v1/audiences/shoe-lovers";
    for (_, body) in examples::size_request() {
        let counted = server.try_out(Some("server"), "POST /api/v1/audiences/preview", Some(body)).await;
        assert_eq!((counted.status, &counted.body["size"]), (200, &json!(0)), "{}", counted.body);
    }
    let views = json!({"condition": {"event": {"name": "Product Viewed"}}});
    let changed = server.try_out(Some("admin"), &format!("PUT {path}"), Some(views)).await;
    assert_eq!((changed.status, &changed.body["size"]), (200, &json!(1)), "{}", changed.body);
    for (_, body) in examples::audience_change() {
        let changed = server.try_out(Some("admin"), &format!("PUT {path}"), Some(body)).await;
        assert_eq!((changed.status, &changed.body["size"]), (200, &json!(0)), "{}", changed.body);
    }
    for (name, body) in examples::audience_question() {
        for key in ["shoe-lovers", "late-customers", "phones-in-europe"] {
            let asked = format!("POST /api/v1/audiences/{key}/explain");
            let told = server.try_out(Some("server"), &asked, Some(body.clone())).await;
            assert_eq!((told.status, &told.body["person"]), (200, &json!("ann")), "{name}: {}", told.body);
        }
    }
    let first = format!("GET {path}/moves?unit=ann-phone&limit=1");
    let page = server.try_out(Some("server"), &first, None).await;
    let rest =
        server.try_out(Some("server"), &format!("{first}&cursor={}", page.body["next_cursor"]), None).await;
    let moves = [page, rest].map(|page| page.body["data"][0]["move"].clone());
    assert_eq!(moves, ["left", "entered"]);
    for asked in ["GET /api/v1/audiences", "GET /api/v1/audiences/phones-in-europe"] {
        assert_eq!(server.try_out(Some("server"), asked, None).await.status, 200, "{asked}");
    }
    let removed = server.try_out(Some("admin"), &format!("DELETE {path}"), None).await;
    assert_eq!(removed.status, 204, "{}", removed.body);
}

pub(super) async fn profiles(server: &Server<'_>) {
    shop(server, "bob").await;
    let buyers =
        json!({"key": "buyers", "condition": {"profile": {"fact": "orders", "op": "gte", "value": 1}}});
    let made = server.try_out(Some("admin"), "POST /api/v1/audiences", Some(buyers)).await;
    assert_eq!((made.status, &made.body["size"]), (201, &json!(3)), "u-1 of the example too: {}", made.body);
    let profile = server.try_out(Some("server"), "GET /api/v1/profiles/bob-phone", None).await;
    assert_eq!(profile.body["traits"], json!({"plan": "gold", "size": {"shoe": 42}}), "{}", profile.body);
    assert_eq!(profile.body["audiences"][0]["audience"], "buyers", "{}", profile.body);
    let nobody = server.try_out(Some("server"), "GET /api/v1/profiles/nobody", None).await;
    assert_eq!((nobody.status, &nobody.body["known"]), (200, &json!(false)), "{}", nobody.body);
    for asked in ["GET /api/v1/profiles/bob/moves", "GET /api/v1/profiles/bob/moves?limit=1&cursor=1"] {
        assert_eq!(server.try_out(Some("server"), asked, None).await.status, 200, "{asked}");
    }
    for (_, body) in examples::new_alias() {
        let joined = server.try_out(Some("server"), "POST /api/v1/profiles/bob/aliases", Some(body)).await;
        assert_eq!(joined.body["ids"], json!(["bob", "bob-phone", "phone-1"]), "{}", joined.body);
    }
    let part = "DELETE /api/v1/profiles/bob/aliases/phone-1";
    assert_eq!(server.try_out(Some("server"), part, None).await.status, 204);
    assert_eq!(server.try_out(Some("server"), part, None).await.status, 404);
}

/// Requests that fail, with a key that may do everything.
pub(super) fn failing() -> Vec<(&'static str, Option<Value>, u16)> {
    let condition = json!({"audience": "nobody-made-it"});
    vec![
        ("POST /api/v1/audiences", Some(json!({"key": "x", "condition": condition})), 400),
        ("POST /api/v1/audiences", Some(json!({"key": "preview", "condition": {"time": {}}})), 400),
        ("POST /api/v1/audiences/preview", Some(json!({"condition": condition})), 400),
        ("GET /api/v1/audiences/nope", None, 404),
        ("PUT /api/v1/audiences/nope", Some(json!({"condition": {"event": {"name": "x"}}})), 404),
        ("DELETE /api/v1/audiences/nope", None, 404),
        ("GET /api/v1/audiences/nope/moves?limit=0", None, 404),
        ("GET /api/v1/audiences/nope/moves?cursor=x", None, 400),
        ("POST /api/v1/audiences/nope/explain", Some(json!({"unit": "ann"})), 404),
        ("POST /api/v1/audiences/nope/explain", Some(json!({"unit": ""})), 400),
        ("GET /api/v1/profiles/%00", None, 404),
        ("GET /api/v1/profiles/ann/moves?limit=501", None, 400),
        ("GET /api/v1/profiles/ann/moves?unit=bob", None, 400),
        ("POST /api/v1/profiles/ann/aliases", Some(json!({"id": "ann"})), 400),
        ("DELETE /api/v1/profiles/ann/aliases/bob", None, 404),
    ]
}
