//! The channel that does to its process what the address says.
#![expect(clippy::unwrap_used, reason = "what a test builds its world with must not fail")]

use crate::world::World;
use podium_plugin_host::{
    ChannelCall, ChannelInstance, ChannelMessage, Delivered, Filled, OutcomeStatus, Payload, Purpose,
};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

/// Its plugin.
pub(crate) const PLUGIN: &str = "com.example.fixture-courier";
/// It left, and arrived.
pub(crate) const ACCEPTED: (bool, OutcomeStatus) = (true, OutcomeStatus::Accepted);

/// A courier that can be configured; `test` is the name of the test.
pub(crate) fn world(test: &str) -> World {
    World::new(&format!("courier-{test}"), &["fixture_courier"])
}

/// A courier with these settings.
pub(crate) fn courier(world: &World, config_json: &str) -> Box<dyn ChannelInstance> {
    world.registry.create_channel("fixture_courier", config_json).unwrap()
}

/// A call that has so much time.
pub(crate) fn within(time: Duration) -> ChannelCall {
    let end = (SystemTime::now() + time).duration_since(SystemTime::UNIX_EPOCH).unwrap();
    ChannelCall { deadline_ms: end.as_millis() as i64, ..ChannelCall::default() }
}

/// A call that has time.
pub(crate) fn soon() -> ChannelCall {
    within(Duration::from_mins(1))
}

fn payload() -> Filled {
    let json = r#"{"parts": [{"name": "body", "escaping": "plain", "text": "Hi"}]}"#;
    Payload::from_json(json).unwrap().fill(|_| None, |_, to| to.into()).unwrap()
}

/// Delivers a message to each address.
pub(crate) fn deliver(channel: &dyn ChannelInstance, addresses: &[&str], call: &ChannelCall) -> Delivered {
    let payload = payload();
    let addresses: Vec<String> =
        addresses.iter().map(|address| serde_json::json!(address).to_string()).collect();
    let messages: Vec<ChannelMessage<'_>> = addresses
        .iter()
        .map(|address_json| ChannelMessage {
            purpose: Purpose::Marketing,
            attempt: 1,
            expires_ms: i64::MAX,
            idempotency_key: "key-1",
            collapse_key: "",
            decision_id: "d-1",
            address_json,
            payload: &payload,
            unsubscribe_url: "",
        })
        .collect();
    channel.deliver(&messages, call)
}

/// Begun or not, and what became of it.
pub(crate) fn summary(delivered: &Delivered) -> Vec<(bool, OutcomeStatus)> {
    delivered.deliveries.iter().map(|delivery| (delivery.begun, delivery.outcome.status)).collect()
}

/// Its children.
pub(crate) fn pids(world: &World) -> Vec<u32> {
    world.registry.status(PLUGIN).unwrap().pids
}

/// Waits for what must come.
#[track_caller]
pub(crate) fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(10), "{what}");
        thread::sleep(Duration::from_millis(2));
    }
}
