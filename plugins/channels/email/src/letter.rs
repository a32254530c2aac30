//! Makes a message of a filled payload.

use crate::header::{self, Mailbox, one_line};
use crate::smtp::Letter;
use lettre::message::header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue};
use lettre::message::{Body, MultiPart, SinglePart};
use podium_plugin::prelude::*;
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;
use std::time::{Duration, UNIX_EPOCH};

/// Who writes.
pub(crate) struct Sender {
    from: Mailbox,
    reply_to: Option<Mailbox>,
}

/// Where a message goes.
#[derive(Deserialize)]
struct Recipient {
    email: String,
    #[serde(default)]
    name: Option<String>,
}

impl Sender {
    pub(crate) fn new(from: Mailbox, reply_to: Option<Mailbox>) -> Self {
        Self { from, reply_to }
    }

    /// Makes the message, dated `now_ms`.
    ///
    /// # Errors
    ///
    /// What cannot be sent, and never will; the text repeats nothing of the recipient.
    pub(crate) fn letter(&self, message: &Message<'_>, now_ms: i64) -> Result<Letter> {
        let to = recipient(message)?;
        let subject = message.part("subject").unwrap_or_default();
        let subject =
            one_line(subject).ok_or_else(|| Error::content("the subject has a line break or a zero byte"))?;
        let names = Names::of(message.idempotency_key());
        let message_id = format!("<{}@{}>", names.message, self.from.domain());

        let sent = UNIX_EPOCH + Duration::from_millis(u64::try_from(now_ms).unwrap_or(0));
        let mut builder = lettre::Message::builder()
            .date(sent)
            .raw_header(self.from.header(named("From")))
            .raw_header(to.header(named("To")))
            .raw_header(header::text(named("Subject"), subject))
            .raw_header(plain("Message-ID", &message_id));
        if let Some(reply_to) = &self.reply_to {
            builder = builder.raw_header(reply_to.header(named("Reply-To")));
        }
        if let Some(url) = message.unsubscribe_url() {
            if url.contains(|c: char| !c.is_ascii_graphic() || matches!(c, '<' | '>')) {
                return Err(Error::content("the address that ends such messages is no URL"));
            }
            builder = builder
                .raw_header(plain("List-Unsubscribe", &format!("<{url}>")))
                .raw_header(plain("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"));
        }
        if message.purpose() == Purpose::Transactional {
            builder = builder.raw_header(plain("Auto-Submitted", "auto-generated"));
        }
        let text = message.part("text").map(|text| part(text, ContentType::TEXT_PLAIN)).transpose()?;
        let html = message.part("html").map(|html| part(html, ContentType::TEXT_HTML)).transpose()?;
        let built = match (text, html) {
            // The last one is the best: readers show the last that they can.
            (Some(text), Some(html)) => builder.multipart(
                MultiPart::alternative().boundary(names.boundary).singlepart(text).singlepart(html),
            ),
            (Some(only), None) | (None, Some(only)) => builder.singlepart(only),
            (None, None) => return Err(Error::content("the payload has no text and no html")),
        };
        let built = built.map_err(|error| Error::internal(error.to_string()))?;
        Ok(Letter {
            from: self.from.address().to_owned(),
            to: to.address().to_owned(),
            message: built.formatted(),
            message_id,
        })
    }
}

/// What a message is called, always the same for one key, from which nobody reads the key.
struct Names {
    message: String,
    /// Stands between the parts. Nobody knows it who could write it into one of them.
    boundary: String,
}

impl Names {
    fn of(key: &str) -> Self {
        let mut digits = String::with_capacity(64);
        for byte in Sha256::digest(key) {
            // Writing to a string cannot fail.
            let _ = write!(digits, "{byte:02x}");
        }
        let boundary = digits.split_off(32);
        Self { message: digits, boundary }
    }
}

fn recipient(message: &Message<'_>) -> Result<Mailbox> {
    let recipient: Recipient = message
        .address()
        .map_err(|_| Error::content(r#"the address is not {"email": "…"} or {"email": "…", "name": "…"}"#))?;
    let name = recipient.name.as_deref().unwrap_or_default();
    Mailbox::new(name, &recipient.email).map_err(Error::content)
}

/// Encodes a text. The encoding leaves no line break but its own, and no character outside of ASCII.
fn part(text: &str, content_type: ContentType) -> Result<SinglePart> {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let body = Body::new_with_encoding(text, ContentTransferEncoding::QuotedPrintable)
        .map_err(|_| Error::internal("the text cannot be encoded"))?;
    Ok(SinglePart::builder().header(content_type).body(body))
}

/// A header whose value is short ASCII, and ours.
fn plain(header: &'static str, value: &str) -> HeaderValue {
    HeaderValue::dangerous_new_pre_encoded(named(header), value.to_owned(), value.to_owned())
}

fn named(header: &'static str) -> HeaderName {
    HeaderName::new_from_ascii_str(header)
}
