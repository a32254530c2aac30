//! One call of a channel: what it is given, and who hears what it reports.

use super::begin::Beginnings;
use super::channels::Channels;
use super::configured::Configured;
use super::message::{Message, MessageState};
use super::tokens::Links;
use super::{DELIVER_S, deadline_ms};
use crate::clock;
use crate::store::outbox::{Claimed, Next};
use podium_plugin_host::{
    ChannelCall, ChannelMessage, Delivered, Delivery, DeliveryWatch, Filled, Outcome, OutcomeStatus, Payload,
    Purpose,
};
use std::sync::Arc;
use tokio::sync::mpsc;
use uuid::Uuid;

/// A message with what it sends.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) message: Message,
    filled: Filled,
}

impl Prepared {
    /// Fills what a message sends; or says why it is not sent.
    pub(super) async fn new(
        claimed: Claimed,
        channels: &Channels,
        links: &Links,
    ) -> Result<Self, (Message, Next)> {
        let Claimed { message, is_suppressed } = claimed;
        let end = |state, reason: String| Next::End { state, reason, provider_id: None };
        if is_suppressed {
            return Err((message, end(MessageState::Skipped, "suppressed".into())));
        }
        if message.expires_at <= clock::now() {
            return Err((message, end(MessageState::Failed, "expired".into())));
        }
        let payload = match &message.payload_sha256 {
            Some(sha256) => channels.payload(sha256).await,
            None => Ok(None),
        };
        let payload = match payload {
            Ok(Some(payload)) => payload,
            Ok(None) => return Err((message, end(MessageState::Skipped, "no_content".into()))),
            Err(error) => {
                tracing::error!(%error, "a payload could not be read");
                let due_at = clock::now().plus_seconds(1);
                return Err((message, Next::Again { due_at }));
            }
        };
        match fill(&payload, &message, links) {
            Ok(filled) => Ok(Prepared { message, filled }),
            Err(reason) => Err((message, end(MessageState::Failed, reason))),
        }
    }

    fn lend<'a>(&'a self, texts: &'a Texts) -> ChannelMessage<'a> {
        let Self { message, filled } = self;
        ChannelMessage {
            purpose: message.purpose,
            attempt: message.attempts + 1,
            expires_ms: message.expires_at.as_millis(),
            idempotency_key: &texts.key,
            collapse_key: &message.collapse_key,
            decision_id: &texts.decision_id,
            address_json: &message.address_json,
            payload: filled,
            unsubscribe_url: &texts.unsubscribe_url,
        }
    }
}

fn fill(payload: &Payload, message: &Message, links: &Links) -> Result<Filled, String> {
    let ours: Vec<(&str, String)> = payload
        .placeholders()
        .into_iter()
        .filter_map(|name| Some((name, links.value(name, message)?)))
        .collect();
    let value = |name: &str| {
        let own = ours.iter().find(|(own, _)| *own == name).map(|(_, value)| value.as_str());
        own.or_else(|| message.fields.get(name).map(String::as_str))
    };
    let link = |_: usize, target: &str| links.click(message.id, target);
    payload.fill(value, link).map_err(|wrong| format!("bad_field: {wrong}"))
}

/// Texts that are made for one call.
struct Texts {
    key: String,
    decision_id: String,
    unsubscribe_url: String,
}

impl Texts {
    fn new(prepared: &Prepared, links: &Links) -> Self {
        let message = &prepared.message;
        let is_marketing = message.purpose == Purpose::Marketing;
        Self {
            key: message.id.to_string(),
            decision_id: message.facts.decision_id.map(|id| id.to_string()).unwrap_or_default(),
            unsubscribe_url: if is_marketing { links.unsubscribe(message.id) } else { String::new() },
        }
    }
}

/// Makes the call, on a thread that may wait.
pub(super) async fn deliver(
    channel: &Arc<Configured>,
    ready: Arc<Vec<Prepared>>,
    watch: Watch,
    links: Links,
) -> Delivered {
    let (channel, n_ready) = (Arc::clone(channel), ready.len());
    let done = tokio::task::spawn_blocking(move || {
        let call = ChannelCall {
            deadline_ms: deadline_ms(clock::now(), DELIVER_S),
            watch: Some(Arc::new(watch)),
            ..ChannelCall::default()
        };
        let texts: Vec<Texts> = ready.iter().map(|prepared| Texts::new(prepared, &links)).collect();
        let messages: Vec<ChannelMessage<'_>> =
            ready.iter().zip(&texts).map(|(prepared, texts)| prepared.lend(texts)).collect();
        match channel.instance() {
            Ok(instance) => instance.deliver(&messages, &call),
            Err(text) => none_left(messages.len(), text),
        }
    });
    done.await.unwrap_or_else(|error| none_left(n_ready, &error.to_string()))
}

/// That nothing of a call left.
fn none_left(n_messages: usize, text: &str) -> Delivered {
    let outcome = Outcome::new(OutcomeStatus::Cancelled, text);
    Delivered { deliveries: vec![Delivery { begun: false, outcome }; n_messages], fault: None }
}

/// Hears what a channel reports during a call.
pub(super) struct Watch {
    claims: Vec<(Uuid, i64)>,
    beginnings: Beginnings,
    told: mpsc::UnboundedSender<(usize, Outcome)>,
}

impl Watch {
    /// Hears of these messages, and tells what becomes of them.
    pub(super) fn new(
        ready: &[Prepared],
        beginnings: Beginnings,
        told: mpsc::UnboundedSender<(usize, Outcome)>,
    ) -> Self {
        let claims = ready.iter().map(|prepared| (prepared.message.id, prepared.message.epoch)).collect();
        Self { claims, beginnings, told }
    }
}

impl DeliveryWatch for Watch {
    fn begun(&self, message_idx: usize) -> bool {
        self.claims.get(message_idx).is_some_and(|claim| self.beginnings.begin(*claim))
    }

    fn outcome(&self, message_idx: usize, outcome: &Outcome) {
        let _ = self.told.send((message_idx, outcome.clone()));
    }
}
