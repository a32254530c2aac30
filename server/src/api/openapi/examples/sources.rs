//! Bodies about sources of external data.

use super::Named;
use serde_json::{Value, json};

fn definition() -> Value {
    json!({
        "url": "https://erp.example/customers/{unit}", "timeout_ms": 50, "ttl_s": 300,
        "headers": {"authorization": {"secret": "ERP_TOKEN"}}
    })
}

fn with(members: &Value) -> Value {
    let mut body = definition();
    for (name, value) in members.as_object().into_iter().flatten() {
        body[name] = value.clone();
    }
    body
}

pub(in super::super) fn new_source() -> Named {
    vec![
        ("erp", with(&json!({"key": "erp"}))),
        ("as little as may be", json!({"key": "crm", "url": "https://crm.example/?customer={unit}"})),
    ]
}

pub(in super::super) fn source_change() -> Named {
    vec![("slower", with(&json!({"timeout_ms": 100})))]
}

pub(in super::super) fn source() -> Named {
    let at = "2026-11-27T09:30:00Z";
    let more = json!({"key": "erp", "trouble": null, "revision": 1, "created_at": at, "updated_at": at});
    vec![("erp", with(&more))]
}
