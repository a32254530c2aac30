//! The channel as it was built, found and loaded the way the server does, and messages for it.

use podium_plugin_host::{
    ChannelCall, ChannelInstance, ChannelMessage, Delivery, Filled, HostLog, Purpose, Registry,
};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

/// Long enough for everything that does not wait on purpose.
pub(crate) const LONG: Duration = Duration::from_secs(20);

/// Loads the built library from a folder that has nothing else.
pub(crate) fn registry() -> &'static Registry {
    static REGISTRY: OnceLock<Registry> = OnceLock::new();
    REGISTRY.get_or_init(|| {
        let test = std::env::current_exe().unwrap();
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("email-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::copy(test.parent().unwrap().join("libpodium_channel_email.so"), folder.join("email.so")).unwrap();
        let registry = Registry::load(std::slice::from_ref(&folder), &HostLog::discard());
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(registry.refusals(), []);
        registry
    })
}

/// Makes a channel that sends by the server at `port`; `more` are further settings.
pub(crate) fn channel(port: u16, more: &Value) -> Box<dyn ChannelInstance> {
    let mut config = serde_json::json!({
        "host": "127.0.0.1", "port": port, "tls": "none", "from": "Shop <news@shop.example>",
    });
    for (name, value) in more.as_object().unwrap() {
        config[name] = value.clone();
    }
    registry().create_channel_with("email", &config.to_string(), &secret).unwrap()
}

pub(crate) fn secret(name: &str) -> Option<String> {
    (name == "SMTP").then(|| "s3cr3t é".to_owned())
}

pub(crate) fn within(time: Duration) -> ChannelCall {
    let end = (SystemTime::now() + time).duration_since(SystemTime::UNIX_EPOCH).unwrap();
    ChannelCall { deadline_ms: end.as_millis() as i64, ..ChannelCall::default() }
}

/// Renders content, and fills it: `x` is `value`, addresses of links tell what they lead to.
pub(crate) fn filled(channel: &dyn ChannelInstance, content: &Value, value: &str) -> Filled {
    let payload = channel.render(&content.to_string(), &within(LONG)).unwrap();
    let value = |name: &str| match name {
        "x" => Some(value),
        "podium.open_url" => Some("https://podium.example/o/1"),
        "podium.unsubscribe_url" => Some("https://podium.example/u/1"),
        _ => None,
    };
    payload.fill(value, |link_idx, to| format!("https://podium.example/c/{link_idx}?to={to}")).unwrap()
}

/// A message that only lacks its payload.
pub(crate) fn message<'a>(address_json: &'a str, payload: &'a Filled) -> ChannelMessage<'a> {
    ChannelMessage {
        purpose: Purpose::Marketing,
        attempt: 1,
        expires_ms: i64::MAX,
        idempotency_key: "project/instance/node/visit",
        collapse_key: "",
        decision_id: "d-1",
        address_json,
        payload,
        unsubscribe_url: "https://podium.example/u/1",
    }
}

/// Delivers one message.
pub(crate) fn deliver(
    channel: &dyn ChannelInstance,
    message: ChannelMessage<'_>,
    time: Duration,
) -> Delivery {
    let delivered = channel.deliver(&[message], &within(time));
    assert_eq!(delivered.fault, None);
    delivered.deliveries.into_iter().next().unwrap()
}
