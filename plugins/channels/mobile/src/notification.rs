//! What people see: a title, a text, perhaps an image, and where a tap leads.

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use podium_plugin::prelude::*;
use ring::digest::{SHA256, digest};
use std::collections::BTreeMap;

/// The most that any of the providers takes, in bytes.
pub(crate) const SIZE_MAX: usize = 4_096;
/// The longest that the providers keep a notification for a device that is off.
const KEEP_S_MAX: i64 = 28 * 24 * 3_600;
/// How much of a hash names a notification: 32 characters in Base64, the most that Web Push takes.
const COLLAPSE_LEN: usize = 24;

const OPEN: &str = "{{";
const CLOSE: &str = "}}";
/// Members that providers or this channel give a meaning to.
const RESERVED: [&str; 6] = ["aps", "decision_id", "from", "image", "message_type", "url"];
const RESERVED_PREFIXES: [&str; 2] = ["google", "gcm"];

/// A variant's content.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Draft {
    title: String,
    body: String,
    url: Option<String>,
    image: Option<String>,
    #[serde(default)]
    data: BTreeMap<String, String>,
}

/// A notification for one recipient.
pub(crate) struct Notification<'a> {
    pub(crate) title: &'a str,
    pub(crate) body: &'a str,
    pub(crate) url: Option<&'a str>,
    pub(crate) image: Option<&'a str>,
    /// For the app or the service worker.
    pub(crate) data: BTreeMap<String, String>,
    pub(crate) decision_id: &'a str,
    /// Equal for notifications that replace each other: 32 characters of base64url.
    pub(crate) collapse_id: String,
    /// Equal for all attempts: a UUID.
    pub(crate) id: String,
    /// How long it is worth showing, in seconds from now.
    pub(crate) ttl_s: i64,
    /// When that is over, in seconds since 1970.
    pub(crate) expires_s: i64,
}

impl Draft {
    /// Checks the content, and leaves its placeholders to the server.
    pub(crate) fn payload(self) -> Result<Payload> {
        if self.title.trim().is_empty() {
            return Err(Error::content("/title: a notification without a title is not shown"));
        }
        for (place, link) in [("/url", &self.url), ("/image", &self.image)] {
            if let Some(link) = link.as_ref().filter(|link| !leads_somewhere_fixed(link)) {
                return Err(Error::content(format!(
                    "{place}: {link:?} must begin with https:// and a host, and a placeholder may only stand behind that"
                )));
            }
        }
        let is_reserved = |key: &str| {
            RESERVED.contains(&key) || RESERVED_PREFIXES.iter().any(|prefix| key.starts_with(prefix))
        };
        if let Some(key) = self.data.keys().find(|key| is_reserved(key)) {
            return Err(Error::content(format!(
                "/data/{key}: this name has a meaning already; choose another"
            )));
        }
        let data = self.data.iter().map(|(key, value)| key.len() + fixed_len(value));
        let texts = [Some(&self.title), Some(&self.body), self.url.as_ref(), self.image.as_ref()];
        let size: usize = texts.into_iter().flatten().map(|text| fixed_len(text)).chain(data).sum();
        if size > SIZE_MAX {
            return Err(Error::content(format!(
                "{size} bytes of text, but a notification has {SIZE_MAX} at most"
            )));
        }
        let mut parts = vec![Part::plain("title", self.title), Part::plain("body", self.body)];
        parts.extend(self.url.map(|url| Part::url("url", url)));
        parts.extend(self.image.map(|image| Part::url("image", image)));
        if !self.data.is_empty() {
            parts.push(Part::json("data", serde_json::json!(self.data)));
        }
        Ok(Payload::new(parts))
    }
}

impl<'a> Notification<'a> {
    /// Reads a message; the text of the error is for the operator.
    pub(crate) fn of(message: &'a Message<'_>, now_ms: i64) -> Result<Self, String> {
        let missing = |part: &str| format!("the payload has no part {part:?}");
        let data = match message.part("data") {
            Some(data) => serde_json::from_str(data).map_err(|_| missing("data"))?,
            None => BTreeMap::new(),
        };
        let ttl_s = message.expires_ms().saturating_sub(now_ms).div_euclid(1_000);
        if ttl_s <= 0 {
            return Err("it has expired".into());
        }
        let ttl_s = ttl_s.min(KEEP_S_MAX);
        let collapse_key = message.collapse_key().unwrap_or(message.idempotency_key());
        Ok(Self {
            title: message.part("title").ok_or_else(|| missing("title"))?,
            body: message.part("body").ok_or_else(|| missing("body"))?,
            url: message.part("url"),
            image: message.part("image"),
            data,
            decision_id: message.decision_id(),
            collapse_id: collapse_id(collapse_key),
            id: uuid(message.idempotency_key()),
            ttl_s,
            expires_s: now_ms / 1_000 + ttl_s,
        })
    }
}

/// Whether the text before the first placeholder decides scheme and host.
fn leads_somewhere_fixed(link: &str) -> bool {
    let (start, _) = link.split_once(OPEN).unwrap_or((link, ""));
    let Some(behind) = start.strip_prefix("https://") else { return false };
    let is_open = start.len() < link.len();
    let host_len = behind.find(['/', '?', '#']).or((!is_open).then_some(behind.len()));
    let is_host = |c: char| !c.is_whitespace() && !c.is_control() && !"@\\".contains(c);
    let is_plain = !link.contains(|c: char| c.is_control());
    is_plain && host_len.is_some_and(|len| len > 0 && behind[..len].chars().all(is_host))
}

/// Counts the bytes beside placeholders: what a value or a fallback adds is not known yet.
fn fixed_len(text: &str) -> usize {
    let mut len = 0;
    let mut rest = text;
    while let Some((before, inside)) = rest.split_once(OPEN) {
        len += before.len();
        rest = inside.split_once(CLOSE).map_or("", |(_, behind)| behind);
    }
    len + rest.len()
}

/// Shortens a key to what every provider takes.
fn collapse_id(key: &str) -> String {
    let hash = digest(&SHA256, key.as_bytes());
    BASE64_URL_SAFE_NO_PAD.encode(hash.as_ref().split_at(COLLAPSE_LEN).0)
}

/// Makes a UUID of a key: version 8, whose bits are anybody's.
fn uuid(key: &str) -> String {
    let hash = digest(&SHA256, key.as_bytes());
    let bits = hash.as_ref().iter().take(16).fold(0, |bits: u128, byte| bits << 8 | u128::from(*byte));
    let bits = bits & !(0xf << 76 | 0b11 << 62) | 0x8 << 76 | 0b10 << 62;
    let hex = format!("{bits:032x}");
    let mut uuid = String::with_capacity(36);
    for (idx, digit) in hex.chars().enumerate() {
        if matches!(idx, 8 | 12 | 16 | 20) {
            uuid.push('-');
        }
        uuid.push(digit);
    }
    uuid
}

#[cfg(test)]
mod tests {
    use super::{collapse_id, fixed_len, leads_somewhere_fixed, uuid};

    /// The hashes were computed with Python's `hashlib` and `uuid`.
    #[test]
    fn keys_are_named_as_another_implementation_names_them() {
        assert_eq!(collapse_id("msg_1"), "EWuI8XMAe-XgXfKocQXwlQvvKE0M7KOZ");
        assert_eq!(uuid("msg_1"), "116b88f1-7300-8be5-a05d-f2a87105f095");
    }

    #[test]
    fn placeholders_do_not_count() {
        assert_eq!(fixed_len("ab{{ name | friend }}c{{ x }}"), 3);
        assert_eq!(fixed_len("ab{{ name"), 2);
    }

    #[test]
    fn a_link_leads_where_its_beginning_says() {
        for link in ["https://a.example", "https://a.example/{{ x }}", "https://a?b={{ x }}"] {
            assert!(leads_somewhere_fixed(link), "{link}");
        }
        for link in [
            "http://a.example/",
            "/a",
            "{{ x }}",
            "https://",
            "https:///a",
            "https://{{ x }}/",
            "https://a.example{{ x }}",
            "https://u@a.example/",
            "https://a.example\\/",
            "https://a.example/\n",
            "javascript:x",
        ] {
            assert!(!leads_somewhere_fixed(link), "{link}");
        }
    }
}
