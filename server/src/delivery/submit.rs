//! A request to send: checked whole, decided for each person, and written in one transaction, or not at all.

use super::address::address_key;
use super::channels::RenderError;
use super::configured::Configured;
use super::crash_point;
use super::feedback::{MessageEvent, message_event};
use super::message::{Exposure, Facts, Message, MessageState, RequestKey};
use super::request::{Recipient, SendRequest};
use crate::app::{App, Decided};
use crate::auth::hex;
use crate::clock;
use crate::ingest::queue::IngestError;
use crate::store::outbox::Effects;
use crate::store::{StoreError, messages};
use podium_core::experiment::Fault;
use podium_core::projection::{Sighting, StoredEvent};
use podium_core::time::Timestamp;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use uuid::Uuid;

/// The content that is nothing to send.
const NOTHING: &str = "null";

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
                let known = self
                    .decide_message((flag.as_str(), request.channel.as_str()), &recipient.unit, now)
                    .await;
                let known = known.ok_or_else(|| SendError::UnknownFlag(flag.to_string()))?;
                facts.flag = Some(flag.to_string());
                facts.experiment_id = Some(known.experiment.clone());
                facts.variation_id = Some(known.variant.clone());
                facts.decision_id = Some(known.id);
                let content = known.content.clone();
                decided = Some(known);
                (content, "/flag")
            }
            (None, content) => {
                (content.as_ref().map_or_else(|| NOTHING.to_owned(), ToString::to_string), "/content")
            }
        };
        let payload_sha256 = if content == NOTHING {
            None
        } else {
            let rendered = self.channels.render(&channel, &content).await;
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
    events: Vec<StoredEvent>,
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
        let exposure = decided.as_ref().filter(|decided| !decided.is_shadow).and_then(|decided| {
            let event = decided.events.first()?;
            let sighting = Sighting { exposed: true, ..event.sighting? };
            Some(Exposure { unit: event.unit.to_string(), sighting })
        });
        let is_empty = payload_sha256.is_none();
        let due_at = request.due_at(now);
        let message = Message {
            id: facts.message_id,
            purpose: request.purpose.into(),
            unit: recipient.unit.clone(),
            address_json: recipient.address.to_string(),
            address_key: address_key(&recipient.address),
            payload_sha256,
            fields: recipient.texts(),
            collapse_key: request.collapse_key.clone(),
            facts,
            exposure,
            state: if is_empty { MessageState::Skipped } else { MessageState::Queued },
            reason: if is_empty { "no_content".to_owned() } else { String::new() },
            epoch: 0,
            attempts: 0,
            due_at,
            begun_at: None,
            expires_at: request.expires_at(due_at),
            created_at: now,
            updated_at: now,
            provider_id: None,
            request: RequestKey { position: position as u32, ..self.key.clone() },
        };
        self.events.extend(decided.into_iter().flat_map(|decided| decided.events));
        if is_empty {
            // That nothing is sent is what this variant is: whoever gets it has got it now.
            self.events.push(message_event(&message, MessageEvent::Skipped, now));
        }
        self.effects.queued.push(message);
    }
}
