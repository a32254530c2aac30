//! How a source is asked, as somebody registered it.

use super::template::Template;
use crate::outgoing::{self, Reach};
use crate::secrets::Secrets;
use podium_core::experiment::Fault;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;
use ureq::http::{HeaderName, HeaderValue};

/// How long a decision may wait for a source, in milliseconds.
const TIMEOUT_MS: RangeInclusive<i64> = 1..=200;
pub(crate) fn timeout_ms_default() -> i64 {
    50
}

/// How long what a source said may be remembered, in seconds.
const TTL_S: RangeInclusive<i64> = 1..=86_400;
pub(crate) fn ttl_s_default() -> i64 {
    300
}

/// The most headers.
const HEADERS_MAX: usize = 20;
/// Headers that say how the call is made, which nobody else can.
const OWN_HEADERS: [&str; 10] = [
    "accept-encoding",
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// How a source is asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Definition {
    /// The address, with `{unit}` where the unit goes.
    pub(crate) url: String,
    /// How long a decision waits for it, in milliseconds.
    #[serde(default = "timeout_ms_default")]
    pub(crate) timeout_ms: i64,
    /// How long what it says is remembered, in seconds.
    #[serde(default = "ttl_s_default")]
    pub(crate) ttl_s: i64,
    /// Headers that are sent, each the name of the secret that it is.
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, SecretName>,
}

/// The name of a secret, as channels have theirs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SecretName {
    /// The name.
    pub(crate) secret: String,
}

impl Definition {
    /// Checks everything about it, as far as it is known now. What the address leads to is checked again at each call.
    ///
    /// # Errors
    ///
    /// Every fault of it.
    pub(crate) async fn checked(self, reach: Reach, secrets: &Secrets) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        let mut add = |pointer: String, detail: String| faults.push(Fault { pointer, detail });
        if let Err(detail) = self.check_address(reach).await {
            add("/url".to_owned(), detail);
        }
        for (pointer, number, range) in
            [("/timeout_ms", self.timeout_ms, TIMEOUT_MS), ("/ttl_s", self.ttl_s, TTL_S)]
        {
            if !range.contains(&number) {
                add(pointer.to_owned(), format!("a whole number from {} to {}", range.start(), range.end()));
            }
        }
        if HEADERS_MAX < self.headers.len() {
            add("/headers".to_owned(), format!("at most {HEADERS_MAX} headers"));
        }
        let mut headers = BTreeMap::new();
        for (name, secret) in self.headers {
            let pointer = format!("/headers/{}", name.replace('~', "~0").replace('/', "~1"));
            let lower = name.to_ascii_lowercase();
            match check_header(&lower, &secret.secret, secrets) {
                Err(detail) => add(pointer, detail),
                Ok(()) => {
                    if headers.insert(lower, secret).is_some() {
                        add(pointer, "names a header that another one names, too".to_owned());
                    }
                }
            }
        }
        if faults.is_empty() { Ok(Self { headers, ..self }) } else { Err(faults) }
    }

    async fn check_address(&self, reach: Reach) -> Result<(), String> {
        let template = Template::parse(&self.url)?;
        let filled = template.fill("unit").unwrap_or_default();
        outgoing::check(&filled, reach).await.map_err(|bad| bad.to_string())
    }

    /// How long a decision waits for it.
    pub(super) fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms.unsigned_abs())
    }

    /// How long what it says is remembered.
    pub(super) fn ttl(&self) -> Duration {
        Duration::from_secs(self.ttl_s.unsigned_abs())
    }
}

fn check_header(name: &str, secret: &str, secrets: &Secrets) -> Result<(), String> {
    if HeaderName::from_bytes(name.as_bytes()).is_err() {
        return Err("names no header".to_owned());
    }
    if OWN_HEADERS.contains(&name) || name.starts_with("proxy-") {
        return Err("says how the call is made, which is the server's own".to_owned());
    }
    match secrets.find(secret).map(|value| HeaderValue::from_str(&value)) {
        Some(Ok(_)) => Ok(()),
        Some(Err(_)) => Err(format!("`{secret}` is no secret that a header could be: it has a line break")),
        None => Err(format!(
            "`{secret}` names no secret that the server finds, in its secrets folder or environment"
        )),
    }
}
