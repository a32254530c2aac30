//! Webhook requests of a provider, and what they tell.

use crate::error::{Error, Result};
use podium_plugin_abi::codes;
use serde::{Deserialize, Serialize};

/// A webhook request as it came in. Nothing of it was checked.
#[derive(Debug)]
pub struct Request<'a> {
    head: Head,
    body: &'a [u8],
}

/// What the server tells of a request, beside its body.
#[derive(Debug, Deserialize)]
struct Head {
    method: String,
    path: String,
    #[serde(default)]
    query: String,
    #[serde(default)]
    headers: Vec<(String, String)>,
}

impl<'a> Request<'a> {
    pub(crate) fn new(request_json: &str, body: &'a [u8]) -> Result<Self> {
        let head = serde_json::from_str(request_json)
            .map_err(|wrong| Error::new(codes::E_INVALID, format!("the request is no request: {wrong}")))?;
        Ok(Self { head, body })
    }

    /// Tells the method, in capitals.
    pub fn method(&self) -> &str {
        &self.head.method
    }

    /// Tells the path.
    pub fn path(&self) -> &str {
        &self.head.path
    }

    /// Tells the query as it came, without the question mark.
    pub fn query(&self) -> &str {
        &self.head.query
    }

    /// Finds the first header of this name, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let is_it = |(found, _): &&(String, String)| found.eq_ignore_ascii_case(name);
        self.head.headers.iter().find(is_it).map(|(_, value)| value.as_str())
    }

    /// Lends the body as it came: signatures are over these bytes.
    pub fn body(&self) -> &'a [u8] {
        self.body
    }
}

/// What a provider tells of a message later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FeedbackKind {
    /// It arrived.
    Delivered,
    /// It came back; [`Feedback::for_good`] if the address does not exist.
    Bounced,
    /// The recipient called it spam.
    Complained,
    /// The recipient wants no more.
    Unsubscribed,
    /// It was opened, perhaps by a machine.
    Opened,
    /// A link in it was followed.
    Clicked,
}

/// One thing that a provider tells of a message, by [`Call::emit`](crate::Call::emit).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Feedback {
    kind: FeedbackKind,
    #[serde(skip_serializing_if = "String::is_empty")]
    provider_id: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    idempotency_key: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    address: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    time_ms: Option<i64>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    for_good: bool,
}

impl Feedback {
    /// Tells something of the message that the provider calls `provider_id`.
    pub fn of(kind: FeedbackKind, provider_id: impl Into<String>) -> Self {
        Self {
            kind,
            provider_id: provider_id.into(),
            idempotency_key: String::new(),
            address: String::new(),
            detail: String::new(),
            time_ms: None,
            for_good: false,
        }
    }

    /// Names the message by our key, for a provider that gives it back.
    #[must_use]
    pub fn idempotency_key(self, key: impl Into<String>) -> Self {
        Self { idempotency_key: key.into(), ..self }
    }

    /// Says whom it is about.
    #[must_use]
    pub fn address(self, address: impl Into<String>) -> Self {
        Self { address: address.into(), ..self }
    }

    /// Adds the provider's words, for the operator.
    #[must_use]
    pub fn detail(self, detail: impl Into<String>) -> Self {
        Self { detail: detail.into(), ..self }
    }

    /// Says when it happened, in milliseconds since 1970; now, if it is not said.
    #[must_use]
    pub fn at_ms(self, time_ms: i64) -> Self {
        Self { time_ms: Some(time_ms), ..self }
    }

    /// Says that the address will never work again.
    #[must_use]
    pub fn for_good(self) -> Self {
        Self { for_good: true, ..self }
    }
}
