//! One conversation with a server, command by command: whoever reads a failure knows where it stopped.

use crate::smtp::reply::Reply;
use crate::smtp::wire::Wire;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use podium_plugin::Secret;
use rustls::ClientConfig;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The server says it, and closes the connection.
const CLOSING: u16 = 421;
/// How long taking leave may take.
const QUIT_MAX: Duration = Duration::from_secs(1);

/// A server and what it takes to be let in.
pub(crate) struct Server {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) tls: Tls,
    pub(crate) login: Option<Login>,
}

/// How a connection is encrypted.
pub(crate) enum Tls {
    /// From the first byte.
    Implicit(Arc<ClientConfig>),
    /// Before anything is said; without it, nothing is.
    Starttls(Arc<ClientConfig>),
    /// Not at all.
    None,
}

/// Who we are.
pub(crate) struct Login {
    pub(crate) user: String,
    pub(crate) password: Secret,
}

/// Where a conversation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Connect,
    Greeting,
    Hello,
    Starttls,
    Login,
    Sender,
    Recipient,
    Data,
    /// The message and the dot that ends it: as long as that has not left, the server must not take it.
    Content,
    /// The server's word on it: from here on the message may have arrived.
    Verdict,
}

/// Where a conversation stopped, and why.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) step: Step,
    pub(crate) cause: Cause,
}

#[derive(Debug)]
pub(crate) enum Cause {
    /// The server said no.
    Refused(Reply),
    /// The server does not offer what we need.
    Missing(&'static str),
    /// The connection broke, or the time is over, or what came back makes no sense.
    Broken(io::Error),
}

impl Failure {
    /// Whether the connection is good for another message.
    pub(crate) fn leaves_connection(&self) -> bool {
        matches!(&self.cause, Cause::Refused(reply) if reply.code != CLOSING)
    }
}

/// A connection on which messages can be sent.
pub(crate) struct Session {
    wire: Wire,
    /// What the server can do, one a line.
    extensions: Vec<String>,
}

impl Session {
    /// Connects, encrypts, and logs in.
    pub(crate) fn open(server: &Server, until: Instant) -> Result<Self, Failure> {
        let broken = |step| move |error| Failure { step, cause: Cause::Broken(error) };
        let mut wire = Wire::connect(&server.host, server.port, until).map_err(broken(Step::Connect))?;
        if let Tls::Implicit(config) = &server.tls {
            wire.encrypt(config, &server.host).map_err(broken(Step::Connect))?;
        }
        let mut session = Self { wire, extensions: Vec::new() };
        session.answer(Step::Greeting, 220)?;
        session.hello()?;
        if let Tls::Starttls(config) = &server.tls {
            if !session.offers("STARTTLS") {
                return Err(Failure { step: Step::Starttls, cause: Cause::Missing("STARTTLS") });
            }
            session.command(Step::Starttls, "STARTTLS", 220)?;
            session.wire.encrypt(config, &server.host).map_err(broken(Step::Starttls))?;
            session.hello()?;
        }
        if let Some(login) = &server.login {
            session.log_in(login)?;
        }
        Ok(session)
    }

    /// Sets the moment by which every wait ends.
    pub(crate) fn wait_until(&mut self, until: Instant) {
        self.wire.wait_until(until);
    }

    /// Names the sender, and how many bytes will follow.
    pub(crate) fn sender(&mut self, from: &str, size: usize) -> Result<(), Failure> {
        let size = if self.offers("SIZE") { format!(" SIZE={size}") } else { String::new() };
        self.command(Step::Sender, &format!("MAIL FROM:<{from}>{size}"), 250).map(drop)
    }

    /// Names the recipient.
    pub(crate) fn recipient(&mut self, to: &str) -> Result<(), Failure> {
        self.write(Step::Recipient, format!("RCPT TO:<{to}>\r\n").as_bytes())?;
        // 251: the server forwards it.
        match self.reply(Step::Recipient)? {
            reply if matches!(reply.code, 250 | 251) => Ok(()),
            reply => Err(refused(Step::Recipient, reply)),
        }
    }

    /// Asks to send the message.
    pub(crate) fn data(&mut self) -> Result<(), Failure> {
        self.command(Step::Data, "DATA", 354).map(drop)
    }

    /// Sends the message, and last the dot that ends it.
    pub(crate) fn content(&mut self, message: &[u8]) -> Result<(), Failure> {
        let mut wire = transparent(message);
        wire.extend_from_slice(b".\r\n");
        self.write(Step::Content, &wire)
    }

    /// Tells what the server says to the message.
    pub(crate) fn verdict(&mut self) -> Result<Reply, Failure> {
        self.answer(Step::Verdict, 250)
    }

    /// Makes ready for another message, whatever became of the one before.
    pub(crate) fn reset(&mut self) -> Result<(), Failure> {
        self.command(Step::Sender, "RSET", 250).map(drop)
    }

    /// Takes leave; whether the server hears it does not matter.
    pub(crate) fn quit(mut self) {
        self.wire.wait_until(Instant::now() + QUIT_MAX);
        drop(self.wire.send(b"QUIT\r\n"));
    }

    fn hello(&mut self) -> Result<(), Failure> {
        let own_address = self
            .wire
            .own_address()
            .map_err(|error| Failure { step: Step::Hello, cause: Cause::Broken(error) })?;
        let name = match own_address {
            IpAddr::V4(address) => format!("[{address}]"),
            IpAddr::V6(address) => format!("[IPv6:{address}]"),
        };
        let reply = self.command(Step::Hello, &format!("EHLO {name}"), 250)?;
        self.extensions = reply.lines.into_iter().skip(1).collect();
        Ok(())
    }

    fn log_in(&mut self, login: &Login) -> Result<(), Failure> {
        let (user, password) = (login.user.as_str(), login.password.reveal());
        let reply = if self.offers_login("PLAIN") {
            let both = BASE64_STANDARD.encode(format!("\0{user}\0{password}"));
            self.ask(Step::Login, &format!("AUTH PLAIN {both}"))?
        } else if self.offers_login("LOGIN") {
            self.command(Step::Login, "AUTH LOGIN", 334)?;
            self.command(Step::Login, &BASE64_STANDARD.encode(user), 334)?;
            self.ask(Step::Login, &BASE64_STANDARD.encode(password))?
        } else {
            return Err(Failure { step: Step::Login, cause: Cause::Missing("AUTH PLAIN or AUTH LOGIN") });
        };
        if reply.code == 235 { Ok(()) } else { Err(refused(Step::Login, reply)) }
    }

    fn offers(&self, extension: &str) -> bool {
        let mut names = self.extensions.iter().filter_map(|line| line.split_whitespace().next());
        names.any(|name| name.eq_ignore_ascii_case(extension))
    }

    fn offers_login(&self, mechanism: &str) -> bool {
        self.extensions.iter().any(|line| {
            let mut words = line.split_whitespace();
            words.next().is_some_and(|name| name.eq_ignore_ascii_case("AUTH"))
                && words.any(|word| word.eq_ignore_ascii_case(mechanism))
        })
    }

    /// Sends a command that must be answered by `code`.
    fn command(&mut self, step: Step, command: &str, code: u16) -> Result<Reply, Failure> {
        self.write(step, format!("{command}\r\n").as_bytes())?;
        self.answer(step, code)
    }

    fn ask(&mut self, step: Step, command: &str) -> Result<Reply, Failure> {
        self.write(step, format!("{command}\r\n").as_bytes())?;
        self.reply(step)
    }

    fn answer(&mut self, step: Step, code: u16) -> Result<Reply, Failure> {
        let reply = self.reply(step)?;
        if reply.code == code { Ok(reply) } else { Err(refused(step, reply)) }
    }

    fn reply(&mut self, step: Step) -> Result<Reply, Failure> {
        Reply::read(&mut self.wire).map_err(|error| Failure { step, cause: Cause::Broken(error) })
    }

    fn write(&mut self, step: Step, bytes: &[u8]) -> Result<(), Failure> {
        self.wire.send(bytes).map_err(|error| Failure { step, cause: Cause::Broken(error) })
    }
}

/// A code of another kind than was asked for is no refusal: the two sides do not understand each other.
fn refused(step: Step, reply: Reply) -> Failure {
    let cause = match reply.code {
        400..600 => Cause::Refused(reply),
        code => Cause::Broken(io::Error::other(format!("the server answered {code}"))),
    };
    Failure { step, cause }
}

/// Makes every line end in CR LF, the last one too, and doubles the dot that begins a line.
///
/// A lone CR or LF is the end of a line here, so that no server sees another end of the message than we do.
fn transparent(message: &[u8]) -> Vec<u8> {
    let mut wire = Vec::with_capacity(message.len() + message.len() / 32 + 2);
    let mut rest = message;
    while !rest.is_empty() {
        let len = rest.iter().position(|byte| matches!(byte, b'\r' | b'\n')).unwrap_or(rest.len());
        let (line, end) = rest.split_at(len);
        if line.starts_with(b".") {
            wire.push(b'.');
        }
        wire.extend_from_slice(line);
        wire.extend_from_slice(b"\r\n");
        rest = end.strip_prefix(b"\r\n").or_else(|| end.get(1..)).unwrap_or_default();
    }
    wire
}

#[cfg(test)]
mod tests {
    use super::transparent;

    #[test]
    fn no_line_of_a_message_ends_it() {
        for (message, wire) in [
            ("a\r\n.\r\nb\r\n", "a\r\n..\r\nb\r\n"),
            ("a\n.\nQUIT\n", "a\r\n..\r\nQUIT\r\n"),
            ("a\r.\rb", "a\r\n..\r\nb\r\n"),
            ("a\r\n.\nb\n.\r\nc", "a\r\n..\r\nb\r\n..\r\nc\r\n"),
            ("..a", "...a\r\n"),
            ("a\r\r\n.", "a\r\n\r\n..\r\n"),
            ("", ""),
        ] {
            assert_eq!(String::from_utf8_lossy(&transparent(message.as_bytes())), wire, "{message:?}");
        }
    }
}
