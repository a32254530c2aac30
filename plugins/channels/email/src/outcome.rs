//! What became of a message, by where its conversation stopped.

use crate::smtp::{Cause, Failure, Reply, Step};
use podium_plugin::prelude::*;

/// Says what became of a message that was not accepted.
pub(crate) fn of(failure: &Failure) -> Outcome {
    match &failure.cause {
        Cause::Refused(reply) => refused(failure.step, reply),
        // Nobody can log in there until the settings change.
        Cause::Missing(_) if failure.step == Step::Login => Outcome::AuthFailed,
        Cause::Broken(error) if failure.step == Step::Verdict => {
            Outcome::Unknown(format!("the whole message was sent, and then: {error}"))
        }
        Cause::Missing(_) | Cause::Broken(_) => later(),
    }
}

/// Says for the operator where a conversation stopped, and why.
pub(crate) fn describe(failure: &Failure) -> String {
    let step = match failure.step {
        Step::Connect => "connecting",
        Step::Greeting => "its greeting",
        Step::Hello => "EHLO",
        Step::Starttls => "STARTTLS",
        Step::Login => "AUTH",
        Step::Sender => "MAIL",
        Step::Recipient => "RCPT",
        Step::Data => "DATA",
        Step::Content => "the message",
        Step::Verdict => "its word on the message",
    };
    match &failure.cause {
        Cause::Refused(reply) => format!("{step}: {}", reply.text()),
        Cause::Missing(what) => format!("{step}: the server does not offer {what}"),
        Cause::Broken(error) => format!("{step}: {error}"),
    }
}

fn refused(step: Step, reply: &Reply) -> Outcome {
    // Before there is a message, it is us who are refused: messages wait until that is mended.
    if matches!(step, Step::Connect | Step::Greeting | Step::Hello | Step::Starttls) {
        return later();
    }
    let is_permanent = 500 <= reply.code;
    match (reply.code, reply.status()) {
        // Not let in: by the credentials we have, or for want of any.
        (_, _) if step == Step::Login && is_permanent => Outcome::AuthFailed,
        (530 | 534 | 535 | 538, _) => Outcome::AuthFailed,
        _ if !is_permanent => later(),
        // No such mailbox, or a domain that takes no mail.
        (_, Some((5, 1, 1 | 10))) if is_about_recipient(step) => Outcome::TargetGone,
        (_, Some((5, 2, 3) | (5, 3, 4))) | (523 | 552, None) => Outcome::TooLarge,
        _ => Outcome::Rejected(reply.text()),
    }
}

/// Whether a status about an address is about the recipient's, and not ours.
fn is_about_recipient(step: Step) -> bool {
    matches!(step, Step::Recipient | Step::Data | Step::Verdict)
}

/// The server does not say when; whoever asks again knows how often it was asked.
fn later() -> Outcome {
    Outcome::Deferred { after_s: 0 }
}
