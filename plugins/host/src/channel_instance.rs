//! A configured channel, wherever it runs.

use crate::channel_event::ChannelEvent;
use crate::outcome::{Delivery, Outcome};
use crate::payload::{BadPayload, Filled, Payload};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// A configured channel, in this process or in another. Many threads may call it at a time; those that would be
/// too many for the channel wait, at most until the deadline.
pub trait ChannelInstance: Send + Sync {
    /// Turns a variant's content into what is sent, with its placeholders.
    ///
    /// # Errors
    ///
    /// [`ChannelFault`]; [`ChannelFault::Content`] if it is the content's, with a text for its author.
    fn render(&self, content_json: &str, call: &ChannelCall) -> Result<Payload, ChannelFault>;

    /// Delivers messages, and says of each what became of it.
    fn deliver(&self, messages: &[ChannelMessage<'_>], call: &ChannelCall) -> Delivered;

    /// Takes a webhook request and returns what it tells.
    ///
    /// # Errors
    ///
    /// [`ChannelFault`]: nothing of the request counts.
    fn ingest(
        &self,
        request: &WebhookRequest<'_>,
        call: &ChannelCall,
    ) -> Result<Vec<ChannelEvent>, ChannelFault>;

    /// Tries whether messages could be delivered, and delivers none.
    ///
    /// # Errors
    ///
    /// [`ChannelFault`] says what is wrong.
    fn health(&self, call: &ChannelCall) -> Result<(), ChannelFault>;
}

/// What surrounds one call.
#[derive(Clone, Default)]
pub struct ChannelCall {
    /// When the caller gives up, in milliseconds since 1970. From then on no message may begin.
    pub deadline_ms: i64,
    /// The W3C `traceparent`, or empty.
    pub trace: String,
    /// Is told at once what the channel reports during `deliver`.
    pub watch: Option<Arc<dyn DeliveryWatch>>,
}

impl fmt::Debug for ChannelCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { deadline_ms, trace, watch } = self;
        f.debug_struct("ChannelCall")
            .field("deadline_ms", deadline_ms)
            .field("trace", trace)
            .field("is_watched", &watch.is_some())
            .finish()
    }
}

/// Is told at once what a channel reports during `deliver`, on any thread. It may take its time.
pub trait DeliveryWatch: Send + Sync {
    /// The message may have been sent from now on; it is not sent before this returns. Says whether it may be:
    /// what could not be written down must not leave.
    fn begun(&self, message_idx: usize) -> bool;

    /// What became of the message, once.
    fn outcome(&self, message_idx: usize, outcome: &Outcome);

    /// The channel says again what became of the message. It no longer counts.
    fn repeated(&self, _message_idx: usize, _outcome: &Outcome) {}
}

/// Why a message is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Purpose {
    /// To win somebody over.
    Marketing,
    /// Because the recipient waits for it.
    Transactional,
}

/// One message to deliver.
#[derive(Clone, Copy, Debug)]
pub struct ChannelMessage<'a> {
    /// Why it is sent.
    pub purpose: Purpose,
    /// 1 for the first attempt.
    pub attempt: u32,
    /// When it is no longer worth sending, in milliseconds since 1970.
    pub expires_ms: i64,
    /// Equal for all attempts of this message.
    pub idempotency_key: &'a str,
    /// Equal for messages that replace each other, or empty.
    pub collapse_key: &'a str,
    /// The decision that it carries.
    pub decision_id: &'a str,
    /// Where to, in the channel's own form.
    pub address_json: &'a str,
    /// What to send.
    pub payload: &'a Filled,
    /// Where one click ends such messages, or empty.
    pub unsubscribe_url: &'a str,
}

/// What became of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// One for each message, in their order.
    pub deliveries: Vec<Delivery>,
    /// What the channel did wrong meanwhile, if anything. The deliveries hold all the same.
    pub fault: Option<ChannelFault>,
}

/// A webhook request as it came in.
#[derive(Clone, Copy, Debug)]
pub struct WebhookRequest<'a> {
    /// The method, in capitals.
    pub method: &'a str,
    /// The path.
    pub path: &'a str,
    /// The query as it came, without the question mark.
    pub query: &'a str,
    /// Names and values.
    pub headers: &'a [(&'a str, &'a str)],
    /// The body as it came: signatures are over these bytes.
    pub body: &'a [u8],
}

/// What a channel did wrong, or could not do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChannelFault {
    /// It panicked; a new instance is in its place.
    #[error("it panicked: {text}")]
    Panicked {
        /// The panic's text.
        text: String,
    },
    /// It cannot send this content; the text is for whoever wrote it.
    #[error("{text}")]
    Content {
        /// The plugin's text.
        text: String,
    },
    /// It answered with an error.
    #[error("it answered with code {code}: {text}")]
    Refused {
        /// The code of the contract.
        code: i32,
        /// Its text.
        text: String,
    },
    /// It does not do this at all.
    #[error("it does not {what}")]
    Unsupported {
        /// What it was asked to do.
        what: &'static str,
    },
    /// It wrote more than there is room for.
    #[error("it wrote more than {limit}")]
    TooMuch {
        /// The limit in words.
        limit: &'static str,
    },
    /// What it rendered is no payload.
    #[error("it made a payload that is none: {0}")]
    BadPayload(#[from] BadPayload),
    /// What it emitted is no event.
    #[error("event {idx} is none: {text}")]
    BadEvent {
        /// Which one.
        idx: usize,
        /// What is wrong.
        text: String,
    },
    /// It said that it was done, and not what became of some messages.
    #[error("it did not say what became of {n_messages} messages")]
    NoOutcome {
        /// How many.
        n_messages: usize,
    },
    /// All its calls were taken until the deadline.
    #[error("all its {n_calls} calls were taken until the deadline")]
    Busy {
        /// Calls at a time.
        n_calls: usize,
    },
    /// After a panic or in a new child, no new instance could be made; the next call tries again.
    #[error("no new instance could be made: {text}")]
    Lost {
        /// Why not.
        text: String,
    },
    /// Its plugin cannot be called now: it is being started, or left alone after too many crashes.
    #[error("{text}")]
    Away {
        /// Why not.
        text: String,
    },
    /// Its plugin's process ended during the call.
    #[error("{text}")]
    Crashed {
        /// How.
        text: String,
    },
    /// It did not end by its deadline, and its process is given up.
    #[error("{text}")]
    Late {
        /// How late.
        text: String,
    },
}

impl ChannelFault {
    /// Names the kind of fault, for counters. Never changes.
    pub fn slug(&self) -> &'static str {
        match self {
            Self::Panicked { .. } => "panicked",
            Self::Content { .. } => "content",
            Self::Refused { .. } => "refused",
            Self::Unsupported { .. } => "unsupported",
            Self::TooMuch { .. } => "too-much",
            Self::BadPayload(_) => "bad-payload",
            Self::BadEvent { .. } => "bad-event",
            Self::NoOutcome { .. } => "no-outcome",
            Self::Busy { .. } => "busy",
            Self::Lost { .. } => "lost",
            Self::Away { .. } => "away",
            Self::Crashed { .. } => "crashed",
            Self::Late { .. } => "late",
        }
    }
}

/// Why no instance of a channel could be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[non_exhaustive]
pub enum ChannelCreateError {
    /// No loaded plugin has this channel.
    #[error("there is no channel {channel_id:?}; the loaded ones are {loaded}")]
    UnknownChannel {
        /// What was asked for.
        channel_id: String,
        /// The ids there are, separated by commas.
        loaded: String,
    },
    /// The channel does not accept the configuration; the text is for whoever wrote it.
    #[error("{text}")]
    Config {
        /// What is wrong.
        text: String,
    },
    /// The channel panicked.
    #[error("the channel panicked: {text}")]
    Panicked {
        /// The panic's text.
        text: String,
    },
    /// The channel failed in another way.
    #[error("the channel answered with code {code}: {text}")]
    Failed {
        /// The code of the contract.
        code: i32,
        /// Its text.
        text: String,
    },
    /// The plugin's process cannot be called, or ended.
    #[error("{text}")]
    Lost {
        /// Why.
        text: String,
    },
}
