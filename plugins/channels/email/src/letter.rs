//! Makes a message of a filled payload.

use crate::header::{self, Mailbox, one_line};
use crate::mime;
use crate::smtp::Letter;
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use jiff::tz::TimeZone;
use podium_plugin::prelude::*;
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;

/// Who writes.
pub(crate) struct Sender {
    from: Mailbox,
    reply_to: Option<Mailbox>,
}

/// Where a message goes.
#[derive(Deserialize)]
#[serde(untagged)]
enum Recipient {
    Email(String),
    Named {
        email: String,
        #[serde(default)]
        name: String,
    },
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

        let mut head = header::line("Date", &date(now_ms)?);
        head += &self.from.header("From");
        head += &to.header("To");
        head += &header::text("Subject", subject);
        head += &header::line("Message-ID", &message_id);
        if let Some(reply_to) = &self.reply_to {
            head += &reply_to.header("Reply-To");
        }
        if let Some(url) = message.unsubscribe_url() {
            if url.contains(|c: char| !c.is_ascii_graphic() || matches!(c, '<' | '>')) {
                return Err(Error::content("the address that ends such messages is no URL"));
            }
            head += &header::line("List-Unsubscribe", &format!("<{url}>"));
            head += &header::line("List-Unsubscribe-Post", "List-Unsubscribe=One-Click");
        }
        if message.purpose() == Purpose::Transactional {
            head += &header::line("Auto-Submitted", "auto-generated");
        }
        head += &header::line("MIME-Version", "1.0");
        let text = message.part("text").map(|text| mime::part("plain", text));
        let html = message.part("html").map(|html| mime::part("html", html));
        let body = match (text, html) {
            (Some(text), Some(html)) => mime::alternatives(&[text, html], &names.boundary),
            (Some(only), None) | (None, Some(only)) => only,
            (None, None) => return Err(Error::content("the payload has no text and no html")),
        };
        Ok(Letter {
            from: self.from.address(),
            to: to.address(),
            message: (head + &body).into_bytes(),
            message_id,
        })
    }
}

/// Writes a time as mail does.
fn date(now_ms: i64) -> Result<String> {
    let wrong = |error: jiff::Error| Error::internal(error.to_string());
    let now = Timestamp::from_millisecond(now_ms).map_err(wrong)?;
    rfc2822::to_string(&now.to_zoned_datetime(TimeZone::UTC)).map_err(wrong)
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
    let recipient = message.address().map_err(|_| {
        Error::content(
            r#"the address is not "ann@example.com" or {"email": "…"} or {"email": "…", "name": "…"}"#,
        )
    })?;
    let (name, email) = match recipient {
        Recipient::Email(email) => (String::new(), email),
        Recipient::Named { email, name } => (name, email),
    };
    Mailbox::new(&name, &email).map_err(Error::content)
}
