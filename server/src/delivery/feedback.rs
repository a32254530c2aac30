//! What happens to messages, as events of the person they went to.

use super::address::spelled;
use super::message::Message;
use super::tokens::LinkKind;
use crate::app::App;
use crate::clock;
use crate::ingest::body;
use crate::ingest::event::Reading;
use crate::ingest::queue::IngestError;
use crate::store::outbox::Effects;
use crate::store::suppressions::{Suppression, SuppressionScope};
use crate::store::{StoreError, messages};
use podium_core::projection::{StoredEvent, Trust};
use podium_core::time::Timestamp;
use podium_plugin_host::{ChannelEvent, ChannelFault, Feedback, FeedbackKind, WebhookRequest};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use uuid::Uuid;

/// How long a plugin may take over a webhook, in seconds.
const INGEST_S: i64 = 5;

/// What happened to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MessageEvent {
    Sent,
    Delivered,
    Opened,
    Clicked,
    Bounced,
    Complained,
    Unsubscribed,
    Failed,
    Skipped,
}

impl MessageEvent {
    /// The name of the event.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sent => "Message Sent",
            Self::Delivered => "Message Delivered",
            Self::Opened => "Message Opened",
            Self::Clicked => "Message Clicked",
            Self::Bounced => "Message Bounced",
            Self::Complained => "Message Marked as Spam",
            Self::Unsubscribed => "Message Unsubscribed",
            Self::Failed => "Message Failed",
            Self::Skipped => "Message Skipped",
        }
    }

    fn of_feedback(kind: FeedbackKind) -> Self {
        match kind {
            FeedbackKind::Delivered => Self::Delivered,
            FeedbackKind::Bounced => Self::Bounced,
            FeedbackKind::Complained => Self::Complained,
            FeedbackKind::Unsubscribed => Self::Unsubscribed,
            FeedbackKind::Opened => Self::Opened,
            FeedbackKind::Clicked => Self::Clicked,
        }
    }

    /// Whether the unit got its variant by it: the message left, or leaving it out is the variant.
    fn is_exposure(self, message: &Message) -> bool {
        match self {
            Self::Sent => true,
            Self::Skipped => message.payload_sha256.is_none(),
            _ => false,
        }
    }
}

/// The event of a message, once: the same message and event give the same id.
pub(crate) fn message_event(message: &Message, event: MessageEvent, time: Timestamp) -> StoredEvent {
    let id = format!("{}:{}", message.id, event.name());
    event_with(message, (event, id), &Value::Null, time)
}

/// The event of a message with an id and properties of its own.
fn event_with(
    message: &Message,
    (event, id): (MessageEvent, String),
    extra: &Value,
    time: Timestamp,
) -> StoredEvent {
    let mut properties = json!(message.facts);
    if let Some(properties) = properties.as_object_mut() {
        if !message.reason.is_empty() && matches!(event, MessageEvent::Failed | MessageEvent::Skipped) {
            properties.insert("reason".into(), message.reason.as_str().into());
        }
        for (name, value) in extra.as_object().into_iter().flatten() {
            properties.insert(name.clone(), value.clone());
        }
    }
    let exposure = message.exposure.as_ref().filter(|_| event.is_exposure(message));
    StoredEvent {
        message_id: id.into(),
        name: event.name().into(),
        unit: exposure.map_or(message.unit.as_str(), |exposure| &exposure.unit).into(),
        is_known: false,
        other_id: None,
        order_id: None,
        trust: Trust::Server,
        time,
        sighting: exposure.map(|exposure| exposure.sighting),
        body: json!({ "properties": properties, "context": {} }).to_string().into(),
    }
}

/// That nothing more is to be sent to the address of a message.
pub(super) fn suppression(message: &Message, scope: SuppressionScope, reason: &str) -> Suppression {
    Suppression {
        channel: message.facts.channel.clone(),
        address: message.address_key.clone(),
        scope,
        reason: reason.to_owned(),
        created_at: clock::now(),
    }
}

/// Why feedback is not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FeedbackError {
    /// No such channel, message or link.
    #[error("{0}")]
    NotFound(String),
    /// The plugin says that it is not the provider's.
    #[error("{0}")]
    Refused(String),
    /// The plugin cannot say.
    #[error("the plugin does not answer: {0}")]
    Away(String),
    /// The writer.
    #[error(transparent)]
    Ingest(#[from] IngestError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl App {
    /// The message that a link names.
    pub(crate) async fn linked_message(&self, kind: LinkKind, token: &str) -> Result<Message, FeedbackError> {
        let unknown = || FeedbackError::NotFound("this link is not one of ours".to_owned());
        let id = self.links.read(kind, token, "").ok_or_else(unknown)?;
        messages::find(self.store.reader(), id).await?.ok_or_else(unknown)
    }

    /// Notes that a person does not want such messages. The channel's plugin is not asked.
    pub(crate) async fn unsubscribe(&self, message: &Message) -> Result<(), FeedbackError> {
        let now = clock::now();
        let suppressed = vec![suppression(message, SuppressionScope::Marketing, "unsubscribed")];
        let effects = Effects { suppressed, ..Effects::default() };
        let event = message_event(message, MessageEvent::Unsubscribed, now);
        self.queue.write(vec![event], Vec::new(), effects, 0).await?;
        Ok(())
    }

    /// Notes that an address must not be contacted.
    pub(crate) async fn suppress(
        &self,
        channel: &str,
        address: &str,
        scope: SuppressionScope,
        reason: String,
    ) -> Result<Suppression, FeedbackError> {
        let (channel, address) = (channel.to_owned(), spelled(address));
        let suppression = Suppression { channel, address, scope, reason, created_at: clock::now() };
        let effects = Effects { suppressed: vec![suppression.clone()], ..Effects::default() };
        self.queue.write(Vec::new(), Vec::new(), effects, 0).await?;
        Ok(suppression)
    }

    /// Notes that a message was opened, or a link in it followed. Does not wait; what cannot be noted is counted.
    pub(crate) async fn note_tracked(&self, event: MessageEvent, id: Uuid, extra: Value) {
        let noted = async {
            let found = messages::find(self.store.reader(), id).await?;
            let Some(message) = found else { return Ok::<_, FeedbackError>(()) };
            let event_id = Uuid::now_v7().to_string();
            let event = event_with(&message, (event, event_id), &extra, clock::now());
            self.queue.write(vec![event], Vec::new(), Effects::default(), 256).await?;
            Ok(())
        };
        if let Err(error) = noted.await {
            tracing::warn!(%error, "a click or opening was not noted");
            metrics::counter!("podium_message_events_lost_total").increment(1);
        }
    }

    /// Takes a provider's webhook: its plugin checks and reads it.
    ///
    /// # Errors
    ///
    /// [`FeedbackError`]; nothing of it counts, and the provider may send it again.
    pub(crate) async fn take_webhook(&self, channel: &str, request: Webhook) -> Result<(), FeedbackError> {
        let missing = || FeedbackError::NotFound(format!("no channel `{channel}` is set up"));
        let configured = self.channels.find(channel).ok_or_else(missing)?;
        let busy = || FeedbackError::Away("it reads too many webhooks already".to_owned());
        let _permit = configured.webhook_permit().ok_or_else(busy)?;
        let read = configured.blocking(INGEST_S, move |instance, call| {
            let headers: Vec<(&str, &str)> =
                request.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            let Webhook { method, path, query, body, .. } = &request;
            instance.ingest(&WebhookRequest { method, path, query, headers: &headers, body }, call)
        });
        let events = read.await.map_err(|fault| match fault {
            ChannelFault::Refused { text, .. } | ChannelFault::Content { text } => {
                FeedbackError::Refused(text)
            }
            ChannelFault::Unsupported { .. } => {
                FeedbackError::NotFound(format!("channel `{channel}` takes no webhooks"))
            }
            fault => FeedbackError::Away(fault.to_string()),
        })?;
        let (mut stored, mut rejected, mut effects) = (Vec::new(), Vec::new(), Effects::default());
        for event in events {
            match event {
                ChannelEvent::Feedback(feedback) => {
                    let message = self.message_of(channel, &feedback).await?;
                    stored.extend(message.as_ref().map(|message| told(message, &feedback)));
                    effects.suppressed.extend(suppressed(channel, message.as_ref(), &feedback));
                }
                ChannelEvent::Track(track) => {
                    let (json, now) = (track.as_json().as_bytes(), clock::now());
                    let catalog = self.published.catalog.load();
                    let read = body::read(json, Reading::new(&catalog, Trust::Server, now));
                    let intake = read.map_err(|bad| FeedbackError::Refused(bad.to_string()))?;
                    stored.extend(intake.events);
                    rejected.extend(intake.rejected.into_iter().map(|rejected| rejected.record));
                }
            }
        }
        let bytes = stored.iter().map(|event| event.body.len()).sum();
        self.queue.write(stored, rejected, effects, bytes).await?;
        Ok(())
    }

    async fn message_of(&self, channel: &str, event: &Feedback) -> Result<Option<Message>, StoreError> {
        let db = self.store.reader();
        if let Ok(id) = event.idempotency_key.parse::<Uuid>() {
            let found = messages::find(db, id).await?;
            return Ok(found.filter(|message| message.facts.channel == channel));
        }
        let has_id = !event.provider_id.is_empty() && !event.provider_id.contains('\0');
        if has_id { messages::of_provider(db, channel, &event.provider_id).await } else { Ok(None) }
    }
}

/// A webhook as it came in.
#[derive(Clone, Debug)]
pub(crate) struct Webhook {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Arc<[u8]>,
}

/// What a provider told of a message. Told again, it has the same id.
fn told(message: &Message, event: &Feedback) -> StoredEvent {
    let now = clock::now();
    let time = event.time_ms.map_or(now, |ms| Timestamp::from_micros(ms.saturating_mul(1_000)));
    let kind = MessageEvent::of_feedback(event.kind);
    let said = format!("{} {:?} {} {}", message.id, event.time_ms, event.detail, event.for_good);
    let id = format!("{}:{}:{}", message.id, kind.name(), crate::auth::hex(&Sha256::digest(said)[..8]));
    let mut extra = json!({});
    if !event.detail.is_empty() {
        extra["detail"] = event.detail.replace('\0', "").into();
    }
    event_with(message, (kind, id), &extra, time.min(now))
}

/// Whom a provider's word is to be believed not to be contacted any more.
fn suppressed(channel: &str, message: Option<&Message>, event: &Feedback) -> Option<Suppression> {
    let (scope, reason) = match event.kind {
        FeedbackKind::Bounced if event.for_good => (SuppressionScope::All, "bounced"),
        FeedbackKind::Complained => (SuppressionScope::Marketing, "complained"),
        FeedbackKind::Unsubscribed => (SuppressionScope::Marketing, "unsubscribed"),
        _ => return None,
    };
    let address = match message {
        Some(message) => message.address_key.clone(),
        None if event.address.is_empty() || event.address.contains('\0') => return None,
        None => spelled(&event.address),
    };
    let (channel, reason) = (channel.to_owned(), reason.to_owned());
    Some(Suppression { channel, address, scope, reason, created_at: clock::now() })
}
