//! The channel, loaded from its library the way the server does.

use podium_plugin_host::{
    ChannelCall, ChannelCreateError, ChannelFault, ChannelInstance, ChannelMessage, Delivery, Filled,
    HostLog, Level, OutcomeStatus, Purpose, Registry,
};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, SystemTime};

/// A private key of the tests, 32 bytes in base64url.
pub(crate) const VAPID: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
/// The private key of the tests' service account.
pub(crate) const ACCOUNT_KEY: &str = include_str!("account_key.pem");
pub(crate) const TTL_S: i64 = 3_600;

static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// A configured channel.
pub(crate) struct Mobile(Box<dyn ChannelInstance>);

/// A message but for its address.
pub(crate) struct Letter {
    pub(crate) content: Value,
    pub(crate) value: &'static str,
    pub(crate) key: &'static str,
    pub(crate) collapse_key: &'static str,
    /// How long the call may take.
    pub(crate) within: Duration,
    pub(crate) ttl_s: i64,
}

impl Default for Letter {
    fn default() -> Self {
        Self {
            content: json!({ "title": "Hi {{ name }}", "body": "Come in" }),
            value: "Ann \"A\"",
            key: "msg_1",
            collapse_key: "",
            within: Duration::from_secs(20),
            ttl_s: TTL_S,
        }
    }
}

impl Mobile {
    #[track_caller]
    pub(crate) fn new(config: &Value) -> Self {
        Self(created(config).unwrap())
    }

    pub(crate) fn send(&self, address: &Value) -> Delivery {
        self.send_letter(address, &Letter::default())
    }

    /// Renders, fills and delivers.
    #[track_caller]
    pub(crate) fn send_letter(&self, address: &Value, letter: &Letter) -> Delivery {
        let filled = self.rendered(&letter.content, letter.value).unwrap();
        let message = ChannelMessage {
            purpose: Purpose::Marketing,
            attempt: 1,
            expires_ms: now_ms() + letter.ttl_s * 1_000 + 500,
            idempotency_key: letter.key,
            collapse_key: letter.collapse_key,
            decision_id: "d-1",
            address_json: &address.to_string(),
            payload: &filled,
            unsubscribe_url: "",
        };
        let delivered = self.0.deliver(&[message], &within(letter.within));
        assert_eq!(delivered.fault, None);
        delivered.deliveries.into_iter().next().unwrap()
    }

    /// Renders, and fills every placeholder with `value`.
    pub(crate) fn rendered(&self, content: &Value, value: &str) -> Result<Filled, ChannelFault> {
        let payload = self.0.render(&content.to_string(), &within(Duration::from_secs(20)))?;
        Ok(payload.fill(|_| Some(value), |_, target| target.to_owned()).unwrap())
    }

    pub(crate) fn health(&self) -> Result<(), ChannelFault> {
        self.0.health(&within(Duration::from_secs(20)))
    }
}

pub(crate) fn created(config: &Value) -> Result<Box<dyn ChannelInstance>, ChannelCreateError> {
    registry().create_channel_with("mobile", &config.to_string(), &secret)
}

/// Checks what became of a message: its status, when to try again, and what is said about it.
#[track_caller]
pub(crate) fn check(delivery: &Delivery, expected: (OutcomeStatus, Option<u64>, &str)) {
    assert!(delivery.begun);
    let outcome = &delivery.outcome;
    let retry_after_s = outcome.retry_after.map(|after| after.as_secs());
    assert_eq!((outcome.status, retry_after_s, outcome.detail.as_str()), expected);
}

/// Everything that the channel has logged until now.
pub(crate) fn logged() -> Vec<String> {
    LINES.lock().unwrap().clone()
}

pub(crate) fn now_ms() -> i64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis() as i64
}

/// Loads the built library from a folder that has nothing else.
pub(crate) fn registry() -> &'static Registry {
    static REGISTRY: OnceLock<Registry> = OnceLock::new();
    REGISTRY.get_or_init(|| {
        let test = std::env::current_exe().unwrap();
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("mobile-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::copy(test.parent().unwrap().join("libpodium_channel_mobile.so"), folder.join("mobile.so"))
            .unwrap();
        let log = HostLog::new(Level::Trace, |line| LINES.lock().unwrap().push(line.message.to_owned()));
        let registry = Registry::load(std::slice::from_ref(&folder), &log);
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(registry.refusals(), []);
        registry
    })
}

fn secret(name: &str) -> Option<String> {
    match name {
        "VAPID" => Some(VAPID.into()),
        "ACCOUNT" => Some(account(&json!({}))),
        "ACCOUNT_WITHOUT_KEY" => Some(account(&json!({ "private_key": "none" }))),
        "ACCOUNT_WITHOUT_PROJECT" => Some(account(&json!({ "project_id": null }))),
        "APNS" => Some(super::apns::key().serialize_pem()),
        "WRONG" => Some("hunter2".into()),
        _ => None,
    }
}

/// A key file with other members than usual.
fn account(other: &Value) -> String {
    let mut file = json!({
        "type": "service_account",
        "project_id": "shop-1",
        "private_key_id": "key-1",
        "private_key": ACCOUNT_KEY,
        "client_email": "podium@shop-1.iam.gserviceaccount.com",
        "token_uri": "https://oauth2.example/token",
    });
    for (name, member) in other.as_object().unwrap() {
        file[name] = member.clone();
    }
    file.to_string()
}

fn within(time: Duration) -> ChannelCall {
    ChannelCall { deadline_ms: now_ms() + time.as_millis() as i64, ..ChannelCall::default() }
}
