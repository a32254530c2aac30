//! The bundled channel for email, by SMTP.
//!
//! A plugin like any other. A variant's content is a subject, an HTML text, a plain one, or both; its links are
//! tracked, and everything else of the HTML stays as its author wrote it. A message goes through the shop's own
//! mail server, encrypted unless the settings say otherwise; that server signs it (DKIM) and queues it.
//!
//! What the channel promises: no value of a shopper adds or changes a header, or ends a message early; the
//! `Message-ID` is equal for all attempts of a message; and only a message that the server had in full can have
//! an unknown fate. What it does not do: it learns of no bounces, which come back as mail.

mod content;
mod header;
mod html;
mod letter;
mod link;
mod mime;
mod outcome;
mod plain_text;
mod settings;
mod smtp;

use letter::Sender;
use podium_plugin::prelude::*;
use settings::{Settings, Tracking};
use smtp::{Letter, Limits, NotSent, Pool};
use std::time::{Duration, Instant};

export_plugin! { id: "podium.email", channels: [Email] }

/// How long before the end of a call its outcome is known, so that it can still be told.
const MARGIN: Duration = Duration::from_millis(200);

struct Email {
    sender: Sender,
    tracking: Tracking,
    pool: Pool,
    timeout: Duration,
}

impl Channel for Email {
    type Config = Settings;
    const INFO: ChannelInfo = ChannelInfo::new("email", "Email", Class::Blind)
        .description("Email through your mail server. Marketing mail can be left with one click.")
        .parallel(8);

    fn create(settings: Settings, _host: &Host) -> Result<Self> {
        Ok(Self {
            sender: settings.sender()?,
            tracking: settings.tracking(),
            timeout: settings.timeout()?,
            pool: Pool::new(settings.server()?),
        })
    }

    fn render(&self, content: &Content<'_>) -> Result<Payload> {
        content::render(content.read()?, self.tracking)
    }

    fn deliver(&self, message: &Message<'_>, call: &Call<'_>) -> Outcome {
        match self.sender.letter(message, call.now_ms()) {
            Ok(letter) => self.send(&letter, message, call),
            Err(error) => Outcome::Rejected(error.to_string()),
        }
    }

    /// Like the usual one, but a message begins when the server is about to take it, not when it is looked for.
    fn deliver_batch(&self, messages: &[Message<'_>], call: &Call<'_>) {
        for message in messages {
            call.outcome(message, &self.deliver(message, call));
        }
    }

    fn health(&self, call: &Call<'_>) -> Result<()> {
        let until = self.limits(call).sent;
        self.pool.try_out(until).map_err(|failure| Error::internal(outcome::describe(&failure)))
    }
}

impl Email {
    fn send(&self, letter: &Letter, message: &Message<'_>, call: &Call<'_>) -> Outcome {
        match self.pool.send(letter, self.limits(call), || call.begin(message)) {
            Ok(reply) => {
                let provider_id = reply.queue_id().unwrap_or(&letter.message_id).to_owned();
                Outcome::Accepted { provider_id }
            }
            Err(NotSent::Cancelled) => Outcome::Cancelled,
            Err(NotSent::Failed(failure)) => {
                let outcome = outcome::of(&failure);
                // The others bring their own text to the operator, or need none.
                if matches!(outcome, Outcome::Deferred { .. } | Outcome::AuthFailed) {
                    log(Level::Warn, &outcome::describe(&failure));
                }
                outcome
            }
        }
    }

    fn limits(&self, call: &Call<'_>) -> Limits {
        let now = Instant::now();
        let left = call.remaining().saturating_sub(MARGIN);
        Limits { sent: now + left.min(self.timeout), answered: now + left }
    }
}
