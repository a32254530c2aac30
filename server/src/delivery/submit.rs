//! A request to send: checked whole, decided for each person, and written in one transaction, or not at all.

use super::address::address_key;
use super::channels::{Configured, RenderError};
use super::crash_point;
use super::feedback::{MessageEvent, message_event};
use super::message::{Exposure, Facts, Message, MessageState, RequestKey, purpose_str};
use crate::app::{App, Decided};
use crate::auth::hex;
use crate::clock;
use crate::ingest::queue::IngestError;
use crate::store::outbox::Effects;
use crate::store::{StoreError, messages};
use podium_core::experiment::Fault;
use podium_core::id::{ChannelKey, FlagKey, UNIT_LENGTH_MAX};
use podium_core::time::Timestamp;
use podium_plugin_host::Purpose;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::sync::Arc;
use uuid::Uuid;

/// The most recipients of one request.
pub(crate) const RECIPIENTS_MAX: usize = 1_000;
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
enum PurposeAsked {
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
    channel: ChannelKey,
    /// The flag that decides the content of each person …
    #[serde(default)]
    flag: Option<FlagKey>,
    /// … or one content for all.
    #[serde(default)]
    content: Option<Value>,
    to: Recipients,
    #[serde(default)]
    purpose: PurposeAsked,
    #[serde(default)]
    collapse_key: String,
    #[serde(default)]
    send_at: Option<Timestamp>,
    #[serde(default)]
    expires_in_s: Option<i64>,
}

/// One recipient, or a list.
#[derive(Clone, Debug)]
struct Recipients {
    list: Vec<Recipient>,
    is_single: bool,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Recipient {
    unit: String,
    address: Value,
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

/// What a request led to.
#[derive(Debug)]
pub(crate) struct Submitted {
    /// Its messages, in the order of its recipients.
    pub(crate) messages: Vec<Message>,
    /// Whether they were there already.
    pub(crate) is_replay: bool,
}

/// Why nothing of a request is sent.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SendError {
    /// Fields that cannot mean what they say.
    #[error("the request has {} faults", .0.len())]
    Invalid(Vec<Fault>),
    /// The channel is not set up.
    #[error("no channel `{0}` is set up; PUT /api/v1/channels/{0} sets one up")]
    UnknownChannel(String),
    /// There is no such flag.
    #[error("there is no flag `{0}`")]
    UnknownFlag(String),
    /// The channel cannot send the content of a variant, or of the request.
    #[error("{}: {}", .0.pointer, .0.detail)]
    Content(Fault),
    /// The key was used for another request.
    #[error("this `Idempotency-Key` was used for another request; use a new one")]
    KeyReused,
    /// The plugin does not answer.
    #[error("{0}")]
    Away(String),
    /// The writer.
    #[error(transparent)]
    Ingest(#[from] IngestError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl App {
    /// Takes a request to send: decides, and writes the outbox.
    ///
    /// # Errors
    ///
    /// [`SendError`]; nothing was written, and the same request may come again.
    pub(crate) async fn send(
        &self,
        request: &SendRequest,
        (idempotency_key, body): (&str, &[u8]),
    ) -> Result<Submitted, SendError> {
        let key = RequestKey {
            request: hex(&Sha256::digest(idempotency_key.as_bytes())),
            sha256: hex(&Sha256::digest(body)),
            position: 0,
        };
        if let Some(replay) = self.replay(&key).await? {
            return Ok(replay);
        }
        let now = clock::now();
        request.check(now).map_err(SendError::Invalid)?;
        let name = request.channel.as_str();
        let unknown = || SendError::UnknownChannel(name.to_owned());
        let channel = self.channels.find(name).ok_or_else(unknown)?;
        if channel.info.is_some() && !channel.is_push() {
            let detail = format!("`{name}` sends nothing: pages ask for its content");
            return Err(SendError::Invalid(vec![Fault { pointer: "/channel".into(), detail }]));
        }
        let mut submission =
            Submission { request, channel, now, key, effects: Effects::default(), events: vec![] };
        for position in 0..request.to.list.len() {
            self.submit_one(&mut submission, position).await?;
        }
        let Submission { effects, events, key, .. } = submission;
        let messages = effects.queued.clone();
        crash_point("before-queued");
        match self.queue.write(events, Vec::new(), effects, body.len()).await {
            Ok(_) => {}
            // The same request, at the same time, was faster.
            Err(IngestError::Store(StoreError::Conflict(_))) => {
                return self.replay(&key).await?.ok_or(SendError::KeyReused);
            }
            Err(error) => return Err(error.into()),
        }
        crash_point("after-queued");
        self.wake_sender();
        Ok(Submitted { messages, is_replay: false })
    }

    async fn replay(&self, key: &RequestKey) -> Result<Option<Submitted>, SendError> {
        let messages = messages::of_request(self.store.writer(), &key.request).await?;
        match messages.first() {
            None => Ok(None),
            Some(first) if first.request.sha256 == key.sha256 => {
                Ok(Some(Submitted { messages, is_replay: true }))
            }
            Some(_) => Err(SendError::KeyReused),
        }
    }

    async fn submit_one(&self, submission: &mut Submission<'_>, position: usize) -> Result<(), SendError> {
        let (request, now, channel) = (submission.request, submission.now, Arc::clone(&submission.channel));
        let Some(recipient) = request.to.list.get(position) else { return Ok(()) };
        let (mut facts, mut decided) = (request.facts(submission.id(position)), None);
        let (content, pointer) = match (&request.flag, &request.content) {
            (Some(flag), _) => {
                let known = self.decide_message(flag.as_str(), &recipient.unit, now);
                let known = known.ok_or_else(|| SendError::UnknownFlag(flag.to_string()))?;
                facts.flag = Some(flag.to_string());
                facts.experiment_id = Some(known.experiment.clone());
                facts.variation_id = Some(known.variant.clone());
                facts.decision_id = Some(known.id);
                let content = known.content.clone();
                decided = Some(known);
                (content, "/flag")
            }
            (None, content) => (content.clone().unwrap_or_default(), "/content"),
        };
        let payload_sha256 = if content.is_null() {
            None
        } else {
            let rendered = self.channels.render(&channel, &content.to_string()).await;
            let (sha256, payload) = rendered.map_err(|error| match error {
                RenderError::Content(text) => SendError::Content(content_fault(pointer, &facts, &text)),
                error @ RenderError::Away(_) => SendError::Away(error.to_string()),
            })?;
            submission.effects.payloads.entry(sha256.clone()).or_insert_with(|| payload.to_json());
            Some(sha256)
        };
        submission.put(recipient, (position, facts), payload_sha256, decided);
        Ok(())
    }
}

fn content_fault(pointer: &str, facts: &Facts, text: &str) -> Fault {
    let detail = match &facts.variation_id {
        Some(variant) => format!("variant `{variant}`: {text}"),
        None => text.to_owned(),
    };
    Fault { pointer: pointer.to_owned(), detail }
}

/// A request on its way into the outbox.
struct Submission<'a> {
    request: &'a SendRequest,
    channel: Arc<Configured>,
    now: Timestamp,
    key: RequestKey,
    effects: Effects,
    events: Vec<podium_core::projection::StoredEvent>,
}

impl Submission<'_> {
    /// The id of the message to a recipient: the same for the same request.
    fn id(&self, position: usize) -> Uuid {
        let digest = Sha256::digest(format!("podium message 1 {} {position}", self.key.request));
        digest
            .first_chunk::<16>()
            .map_or_else(Uuid::nil, |bytes| uuid::Builder::from_custom_bytes(*bytes).into_uuid())
    }

    fn put(
        &mut self,
        recipient: &Recipient,
        (position, facts): (usize, Facts),
        payload_sha256: Option<String>,
        decided: Option<Decided>,
    ) {
        let (request, now) = (self.request, self.now);
        let exposure = decided.as_ref().and_then(|decided| {
            let sighting = decided
                .event
                .sighting
                .map(|sighting| podium_core::projection::Sighting { exposed: true, ..sighting })?;
            Some(Exposure { unit: decided.event.unit.to_string(), sighting })
        });
        let is_empty = payload_sha256.is_none();
        let due_at = request.send_at.filter(|at| now < *at).unwrap_or(now);
        let message = Message {
            id: facts.message_id,
            purpose: request.purpose.into(),
            unit: recipient.unit.clone(),
            address_json: recipient.address.to_string(),
            address_key: address_key(&recipient.address),
            payload_sha256,
            fields: recipient
                .fields
                .iter()
                .filter_map(|(name, value)| Some((name.clone(), text(value)?)))
                .collect(),
            collapse_key: request.collapse_key.clone(),
            facts,
            exposure,
            state: if is_empty { MessageState::Skipped } else { MessageState::Queued },
            reason: if is_empty { "no_content".to_owned() } else { String::new() },
            epoch: 0,
            attempts: 0,
            due_at,
            begun_at: None,
            expires_at: due_at.plus_seconds(request.expires_in_s.unwrap_or(EXPIRES_S)),
            created_at: now,
            updated_at: now,
            provider_id: None,
            request: RequestKey { position: position as u32, ..self.key.clone() },
        };
        self.events.extend(decided.map(|decided| decided.event));
        if is_empty {
            // That nothing is sent is what this variant is: whoever gets it has got it now.
            self.events.push(message_event(&message, MessageEvent::Skipped, now));
        }
        self.effects.queued.push(message);
    }
}

/// A value as it stands in a text; `None` for null.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

impl SendRequest {
    fn facts(&self, message_id: Uuid) -> Facts {
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

    fn check(&self, now: Timestamp) -> Result<(), Vec<Fault>> {
        let mut faults = Vec::new();
        let mut add = |pointer: String, detail: String| faults.push(Fault { pointer, detail });
        if self.flag.is_some() == self.content.is_some() {
            add("/flag".into(), "give `flag`, or `content`: one of them".into());
        }
        if self.content.as_ref().is_some_and(Value::is_null) {
            add("/content".into(), "null is nothing to send".into());
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
            if let Some(other) = seen.insert(address_key(&recipient.address), position) {
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
        let address = self.address.to_string();
        let is_address = match &self.address {
            Value::String(text) => !text.is_empty(),
            Value::Object(members) => !members.is_empty(),
            _ => false,
        };
        if !is_address || ADDRESS_BYTES_MAX < address.len() || address.contains("\\u0000") {
            let detail = format!(
                "a text or an object as the channel has it, such as {{\"email\": \"ann@example.com\"}}, of at most {ADDRESS_BYTES_MAX} bytes, without NUL"
            );
            add(format!("{at}/address"), detail);
        }
        if FIELDS_MAX < self.fields.len() {
            add(format!("{at}/fields"), format!("at most {FIELDS_MAX} fields"));
        }
        let mut wrong = HashSet::new();
        for (name, value) in &self.fields {
            let is_name = !name.is_empty() && name.len() <= KEY_BYTES_MAX && !name.contains('\0');
            let is_value = !matches!(value, Value::Object(_) | Value::Array(_));
            let size = text(value).map_or(0, |text| text.len());
            let is_ours = name.starts_with("podium.");
            if !(is_name && is_value && size <= FIELD_BYTES_MAX)
                || is_ours
                || text(value).is_some_and(|text| text.contains('\0'))
            {
                wrong.insert(name.clone());
            }
        }
        for name in wrong {
            let name = name.replace('~', "~0").replace('/', "~1");
            let detail = format!(
                "a field is a text, number or truth value of at most {FIELD_BYTES_MAX} bytes, without NUL; names that begin with `podium.` are ours"
            );
            add(format!("{at}/fields/{name}"), detail);
        }
    }
}
