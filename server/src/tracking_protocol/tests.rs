//! What a stopping server says, asked without a socket: one that really stops closes its connections too.

use crate::api;
use crate::app::App;
use crate::auth::{KeyRecord, Scope};
use crate::delivery::tokens::Links;
use crate::limits::{LimitArgs, Limits};
use crate::outgoing::{Allowed, Reach};
use crate::secrets::Secrets;
use crate::store::{Store, keys};
use actix_web::http::header::RETRY_AFTER;
use actix_web::test::{TestRequest, call_service, init_service, read_body_json};
use actix_web::web;
use podium_core::time::Timestamp;
use podium_plugin_host::{HostLog, Level, Registry};
use serde_json::{Value, json};
use std::sync::Arc;

#[actix_web::test]
async fn a_server_that_is_stopping_sends_clients_away_for_a_while() {
    let folder = std::env::temp_dir().join(format!("podium-tracking-{}", uuid::Uuid::now_v7()));
    std::fs::create_dir_all(&folder).unwrap();
    let store = Store::open(&format!("sqlite:{}", folder.join("podium.sqlite").display())).await.unwrap();
    let (record, key) = KeyRecord::generate(Scope::Server, "shop", Timestamp::default());
    keys::insert(store.writer(), &record).await.unwrap();
    let registry = Registry::load(&[], &HostLog::new(Level::Error, |_| {}));
    let links = Links { public_url: "https://shop.example".to_owned(), secret: [7; 32] };
    let (secrets, limits) = (Secrets::new(folder.clone()), Limits::new(&LimitArgs::default()));
    let allowed = Allowed { webhooks: Reach::Public, external: None };
    let app = App::start(store, registry, links, (secrets, allowed), limits).await.unwrap();
    let service = actix_web::App::new().app_data(web::Data::from(Arc::clone(&app))).configure(api::routes);
    let service = init_service(service).await;
    let event = json!({"event": "Seen", "userId": "ann", "messageId": "m"});
    let send = || {
        let request = TestRequest::post().uri("/v1/track").insert_header(("x-api-key", key.as_str()));
        request.set_payload(event.to_string()).to_request()
    };
    assert_eq!(call_service(&service, send()).await.status(), 200);
    app.begin_drain();
    let answer = call_service(&service, send()).await;
    assert_eq!(answer.status(), 503);
    let retry_after: u32 = answer.headers().get(RETRY_AFTER).unwrap().to_str().unwrap().parse().unwrap();
    assert!((1..=300).contains(&retry_after), "{retry_after}");
    let body: Value = read_body_json(answer).await;
    assert_eq!((&body["success"], &body["code"]), (&json!(false), &json!("draining")), "{body}");
    assert!(body["message"].is_string(), "{body}");
    std::fs::remove_dir_all(folder).unwrap();
}
