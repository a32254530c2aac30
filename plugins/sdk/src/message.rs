//! One message on its way out.

use crate::error::{Error, Result};
use crate::payload::{Part, Payload};
use podium_plugin_abi::{self as abi, Str, codes};
use serde::de::DeserializeOwned;

/// Why a message is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To win somebody over.
    Marketing,
    /// Because the recipient waits for it.
    Transactional,
}

/// One message on its way out: to whom, what, and under which key.
#[derive(Debug)]
pub struct Message<'a> {
    idx: u32,
    purpose: Purpose,
    attempt: u32,
    expires_ms: i64,
    idempotency_key: &'a str,
    collapse_key: &'a str,
    decision_id: &'a str,
    address_json: &'a str,
    unsubscribe_url: &'a str,
    payload: Payload,
}

impl<'a> Message<'a> {
    /// # Safety
    ///
    /// The texts of `message` hold still for `'a`.
    pub(crate) unsafe fn new(idx: u32, message: &abi::Message) -> Result<Self> {
        let text = |text: Str| {
            // SAFETY: as the caller vouches.
            unsafe { text.text() }.ok_or_else(|| Error::new(codes::E_INVALID, "a text is not UTF-8"))
        };
        let payload = serde_json::from_str(text(message.payload_json)?)
            .map_err(|wrong| Error::new(codes::E_INVALID, format!("the payload is no payload: {wrong}")))?;
        let is_transactional = message.purpose == codes::PURPOSE_TRANSACTIONAL;
        Ok(Self {
            idx,
            purpose: if is_transactional { Purpose::Transactional } else { Purpose::Marketing },
            attempt: message.attempt,
            expires_ms: message.expires_ms,
            idempotency_key: text(message.idempotency_key)?,
            collapse_key: text(message.collapse_key)?,
            decision_id: text(message.decision_id)?,
            address_json: text(message.address_json)?,
            unsubscribe_url: text(message.unsubscribe_url)?,
            payload,
        })
    }

    /// Tells why it is sent.
    pub fn purpose(&self) -> Purpose {
        self.purpose
    }

    /// Tells which attempt this is; 1 is the first.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// Tells when it is no longer worth sending, in milliseconds since 1970.
    pub fn expires_ms(&self) -> i64 {
        self.expires_ms
    }

    /// Tells the key that is equal for all attempts of this message, and for no other.
    pub fn idempotency_key(&self) -> &'a str {
        self.idempotency_key
    }

    /// Tells the key of messages that replace each other, if it has one.
    pub fn collapse_key(&self) -> Option<&'a str> {
        (!self.collapse_key.is_empty()).then_some(self.collapse_key)
    }

    /// Tells the decision that it carries.
    pub fn decision_id(&self) -> &'a str {
        self.decision_id
    }

    /// Reads where it goes, in a form that the channel defines.
    ///
    /// # Errors
    ///
    /// [`Error`] if the address has another form: reject the message.
    pub fn address<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_str(self.address_json)
            .map_err(|wrong| Error::content(format!("the address: {wrong}")))
    }

    /// Tells where one click ends such messages, if it does.
    pub fn unsubscribe_url(&self) -> Option<&'a str> {
        (!self.unsubscribe_url.is_empty()).then_some(self.unsubscribe_url)
    }

    /// Tells the text of the payload's first part: all there is, of a payload with one part.
    pub fn payload(&self) -> &str {
        self.payload.parts().first().map_or("", Part::text)
    }

    /// Tells the text of the part of this name, if there is one.
    pub fn part(&self, name: &str) -> Option<&str> {
        self.payload.parts().iter().find(|part| part.name() == name).map(Part::text)
    }

    pub(crate) fn idx(&self) -> u32 {
        self.idx
    }
}
