//! What a client asks to be sent, and all that is wrong with it.

use super::address::address_key;
use super::message::{Facts, purpose_str};
use podium_core::experiment::Fault;
use podium_core::id::{ChannelKey, FlagKey, UNIT_LENGTH_MAX};
use podium_core::time::Timestamp;
use podium_plugin_host::Purpose;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use uuid::Uuid;

/// The most recipients of one request.
const RECIPIENTS_MAX: usize = 1_000;
const FIELDS_MAX: usize = 64;
const FIELD_BYTES_MAX: usize = 4_096;
const ADDRESS_BYTES_MAX: usize = 4_096;
const KEY_BYTES_MAX: usize = 255;
const EXPIRES_S: i64 = 3 * 86_400;
const EXPIRES_S_MAX: i64 = 30 * 86_400;
const AHEAD_S_MAX: i64 = 366 * 86_400;

/// Why a message is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum PurposeAsked {
    #[default]
    Marketing,
    Transactional,
}

impl From<PurposeAsked> for Purpose {
    fn from(asked: PurposeAsked) -> Self {
        match asked {
            PurposeAsked::Marketing => Self::Marketing,
            PurposeAsked::Transactional => Self::Transactional,
        }
    }
}

/// What a client asks to be sent.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SendRequest {
    pub(super) channel: ChannelKey,
    /// The flag that decides the content of each person …
    #[serde(default)]
    pub(super) flag: Option<FlagKey>,
    /// … or one content for all.
    #[serde(default)]
    pub(super) content: Option<Value>,
    pub(super) to: Recipients,
    #[serde(default)]
    pub(super) purpose: PurposeAsked,
    #[serde(default)]
    pub(super) collapse_key: String,
    #[serde(default)]
    send_at: Option<Timestamp>,
    #[serde(default)]
    expires_in_s: Option<i64>,
}

/// One recipient, or a list.
#[derive(Clone, Debug)]
pub(super) struct Recipients {
    pub(super) list: Vec<Recipient>,
    is_single: bool,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Recipient {
    pub(super) unit: String,
    pub(super) address: Value,
    #[serde(default)]
    fields: BTreeMap<String, Value>,
}

impl<'de> Deserialize<'de> for Recipients {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMany;
        impl<'de> Visitor<'de> for OneOrMany {
            type Value = Recipients;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a recipient or a list of recipients")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Recipients, A::Error> {
                let recipient = Recipient::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Recipients { list: vec![recipient], is_single: true })
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Recipients, A::Error> {
                let list = Vec::deserialize(SeqAccessDeserializer::new(list))?;
                Ok(Recipients { list, is_single: false })
            }
        }
        deserializer.deserialize_any(OneOrMany)
    }
}

impl Recipients {
    /// The JSON pointer to a recipient.
    fn pointer(&self, position: usize) -> String {
        if self.is_single { "/to".to_owned() } else { format!("/to/{position}") }
    }
}

impl SendRequest {
    /// What is known of its messages before anything is decided.
    pub(super) fn facts(&self, message_id: Uuid) -> Facts {
        Facts {
            message_id,
            channel: self.channel.to_string(),
            purpose: purpose_str(self.purpose.into()).to_owned(),
            flag: None,
            experiment_id: None,
            variation_id: None,
            decision_id: None,
        }
    }

    /// When its messages are to be sent.
    pub(super) fn due_at(&self, now: Timestamp) -> Timestamp {
        self.send_at.filter(|at| now < *at).unwrap_or(now)
    }

    /// When they are no longer worth sending.
    pub(super) fn expires_at(&self, due_at: Timestamp) -> Timestamp {
        due_at.plus_seconds(self.expires_in_s.unwrap_or(EXPIRES_S))
    }

    /// Everything that is wrong with it, as far as nothing else has to be known.
    pub(crate) fn check(&self, now: Timestamp) -> Result<(), Vec<Fault>> {
        let mut faults = Vec::new();
        let mut add = |pointer: String, detail: String| faults.push(Fault { pointer, detail });
        if self.flag.is_some() == self.content.is_some() {
            add("/flag".into(), "give `flag`, or `content`: one of them".into());
        }
        if KEY_BYTES_MAX < self.collapse_key.len() || self.collapse_key.contains('\0') {
            add("/collapse_key".into(), format!("at most {KEY_BYTES_MAX} bytes, without NUL"));
        }
        if self.send_at.is_some_and(|at| now.plus_seconds(AHEAD_S_MAX) < at) {
            add("/send_at".into(), "at most a year ahead".into());
        }
        if self.expires_in_s.is_some_and(|seconds| !(1..=EXPIRES_S_MAX).contains(&seconds)) {
            add("/expires_in_s".into(), format!("1 to {EXPIRES_S_MAX} seconds"));
        }
        let recipients = &self.to.list;
        if recipients.is_empty() || RECIPIENTS_MAX < recipients.len() {
            add("/to".into(), format!("1 to {RECIPIENTS_MAX} recipients, not {}", recipients.len()));
        }
        let mut seen: HashMap<String, usize> = HashMap::new();
        for (position, recipient) in recipients.iter().enumerate().take(RECIPIENTS_MAX) {
            let at = self.to.pointer(position);
            recipient.check(&at, &mut add);
            let earlier = seen.insert(address_key(&recipient.address), position);
            if let Some(other) = earlier.filter(|_| recipient.has_address()) {
                let detail = format!("is the address of {} already", self.to.pointer(other));
                add(format!("{at}/address"), detail);
            }
        }
        if faults.is_empty() { Ok(()) } else { Err(faults) }
    }
}

impl Recipient {
    fn check(&self, at: &str, add: &mut impl FnMut(String, String)) {
        if !(1..=UNIT_LENGTH_MAX).contains(&self.unit.len()) || self.unit.contains('\0') {
            add(
                format!("{at}/unit"),
                format!("a unit id has 1 to {UNIT_LENGTH_MAX} bytes, none of them NUL"),
            );
        }
        if !self.has_address() {
            let detail = format!(
                "a text or an object as the channel has it, such as {{\"email\": \"ann@example.com\"}}, of at most {ADDRESS_BYTES_MAX} bytes, without NUL"
            );
            add(format!("{at}/address"), detail);
        }
        if FIELDS_MAX < self.fields.len() {
            add(format!("{at}/fields"), format!("at most {FIELDS_MAX} fields"));
        }
        for (name, _) in self.fields.iter().filter(|(name, value)| !is_field(name, value)) {
            let name = name.replace('~', "~0").replace('/', "~1");
            let detail = format!(
                "a field is a text, number or truth value of at most {FIELD_BYTES_MAX} bytes, without NUL; names that begin with `podium.` are ours"
            );
            add(format!("{at}/fields/{name}"), detail);
        }
    }

    fn has_address(&self) -> bool {
        let is_of_a_kind = matches!(&self.address, Value::String(_) | Value::Object(_));
        let json = self.address.to_string();
        let is_empty = address_key(&self.address).is_empty() || json == "{}";
        is_of_a_kind && !is_empty && json.len() <= ADDRESS_BYTES_MAX && !json.contains("\\u0000")
    }

    /// Its fields as they stand in texts.
    pub(super) fn texts(&self) -> BTreeMap<String, String> {
        let text = |(name, value): (&String, _)| Some((name.clone(), text(value)?));
        self.fields.iter().filter_map(text).collect()
    }
}

fn is_field(name: &str, value: &Value) -> bool {
    let is_name = (1..=KEY_BYTES_MAX).contains(&name.len()) && !name.contains('\0');
    let fits = |text: String| text.len() <= FIELD_BYTES_MAX && !text.contains('\0');
    is_name
        && !name.starts_with("podium.")
        && !matches!(value, Value::Object(_) | Value::Array(_))
        && text(value).is_none_or(fits)
}

/// A value as it stands in a text; `None` for null.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}
