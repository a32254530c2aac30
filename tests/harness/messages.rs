//! Channels of a shop, and messages on them.

use super::http::{Answer, Client};
use super::shop::Shop;
use serde_json::{Value, json};

/// A channel for mail, to a server on this port of this machine.
pub(crate) fn email(port: u16) -> Value {
    let settings =
        json!({"host": "127.0.0.1", "port": port, "tls": "none", "from": "Shop <news@shop.example>"});
    json!({"channel": "email", "settings": settings})
}

impl Client {
    /// Asks for messages, in the request that `key` names.
    #[track_caller]
    pub(crate) fn send_messages(&self, key: &str, request: &Value) -> Answer {
        let body = request.to_string();
        self.call("POST", "/api/v1/messages", &[("Idempotency-Key", key)], Some(body.as_bytes()))
    }
}

impl Shop {
    /// Sets up a channel that was not there.
    #[track_caller]
    pub(crate) fn set_up(&self, key: &str, channel: &Value) {
        let (path, body) = (format!("/api/v1/channels/{key}"), channel.to_string());
        let answer = self.admin.call("PUT", &path, &[], Some(body.as_bytes())).expect(201);
        assert_eq!(answer["state"], "running", "{answer}");
    }

    /// Has messages sent, and returns their bodies.
    #[track_caller]
    pub(crate) fn send_messages(&self, key: &str, request: &Value) -> Vec<Value> {
        self.admin.send_messages(key, request).expect(202)["data"].as_array().unwrap().clone()
    }

    /// What `/metrics` says of a series, if that is known.
    #[track_caller]
    pub(crate) fn metric(&self, series: &str) -> Option<u64> {
        let text = self.admin.get("/metrics").text();
        text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))?.parse().ok()
    }

    /// Whether every message has come to its end.
    #[track_caller]
    pub(crate) fn all_messages_ended(&self) -> Option<()> {
        (self.metric("podium_outbox_pending") == Some(0)).then_some(())
    }
}
