//! A channel that posts over plain sockets and breaks the promise that its setting names, or none.

use podium_plugin::prelude::*;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

static N_RENDERED: AtomicU64 = AtomicU64::new(0);

#[derive(Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Fault {
    None,
    ConnectsInCreate,
    Leaks,
    Impure,
    PanicsInRender,
    PanicsInIngest,
    NoOutcome,
    TwoOutcomes,
    AcceptsUnsent,
    SendsBeforeBegin,
    SendsAfterRefusal,
    IgnoresRefusals,
    IgnoresRateLimit,
    LosesWhatBreaks,
    Hangs,
    OtherKey,
    TellsSecret,
    LogsSecret,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// Where the provider is.
    host: String,
    port: u16,
    token: Secret,
    /// Which promise is broken.
    #[serde(default = "none")]
    breaks: Fault,
}

fn none() -> Fault {
    Fault::None
}

struct Lawless(Settings);

/// What came of a request.
enum Reply {
    Status(u16),
    NotSent,
    Nothing,
}

impl Lawless {
    fn breaks(&self, fault: Fault) -> bool {
        self.0.breaks == fault
    }

    fn post(&self, message: &Message<'_>, call: &Call<'_>) -> Reply {
        let Ok(mut stream) = TcpStream::connect((self.0.host.as_str(), self.0.port)) else {
            return Reply::NotSent;
        };
        let key =
            if self.breaks(Fault::OtherKey) { String::new() } else { message.idempotency_key().to_owned() };
        let (body, token) = (message.payload(), self.0.token.reveal());
        let head = format!("POST / HTTP/1.1\r\nauthorization: {token}\r\nidempotency-key: {key}\r\n");
        let request = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
        if stream.write_all(request.as_bytes()).is_err() {
            return Reply::Nothing;
        }
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n") {
            let left = if self.breaks(Fault::Hangs) { Duration::from_mins(1) } else { call.remaining() };
            if left.is_zero() || stream.set_read_timeout(Some(left)).is_err() {
                return Reply::Nothing;
            }
            let mut byte = [0];
            match stream.read(&mut byte) {
                Ok(1) => answer.extend(byte),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                _ => return Reply::Nothing,
            }
        }
        let line = String::from_utf8_lossy(&answer).into_owned();
        line.split(' ').nth(1).and_then(|status| status.parse().ok()).map_or(Reply::Nothing, Reply::Status)
    }
}

impl Channel for Lawless {
    type Config = Settings;
    const INFO: ChannelInfo =
        ChannelInfo::new("fixture_channel_lawless", "Breaks a promise", Class::Keyed { ttl_h: 20 });

    fn create(settings: Settings, _host: &Host) -> Result<Self> {
        match settings.breaks {
            Fault::ConnectsInCreate => drop(TcpStream::connect((settings.host.as_str(), settings.port))),
            Fault::Leaks => std::mem::forget(std::hint::black_box(vec![1_u8; 64])),
            _ => {}
        }
        Ok(Self(settings))
    }

    fn render(&self, content: &Content<'_>) -> Result<Payload> {
        let mut content = content.json()?;
        assert!(!self.breaks(Fault::PanicsInRender) || !content.is_null(), "no content");
        if self.breaks(Fault::Impure) {
            content = N_RENDERED.fetch_add(1, Ordering::Relaxed).into();
        }
        Ok(Payload::json(content))
    }

    fn deliver(&self, message: &Message<'_>, call: &Call<'_>) -> Outcome {
        if self.breaks(Fault::AcceptsUnsent) {
            return Outcome::Accepted { provider_id: String::new() };
        }
        if self.breaks(Fault::LogsSecret) {
            log(Level::Debug, &format!("with {}", self.0.token.reveal()));
        }
        match self.post(message, call) {
            Reply::Status(200..=299) => Outcome::Accepted { provider_id: String::new() },
            Reply::Status(_) if self.breaks(Fault::IgnoresRefusals) => {
                Outcome::Accepted { provider_id: String::new() }
            }
            Reply::Status(401 | 403) if self.breaks(Fault::TellsSecret) => {
                Outcome::Rejected(format!("{} is wrong", self.0.token.reveal()))
            }
            Reply::Status(401 | 403) => Outcome::AuthFailed,
            Reply::Status(404 | 410) => Outcome::TargetGone,
            Reply::Status(413) => Outcome::TooLarge,
            Reply::Status(429) if self.breaks(Fault::IgnoresRateLimit) => Outcome::Deferred { after_s: 30 },
            Reply::Status(429) => Outcome::RateLimited { after_s: 60 },
            Reply::Status(status @ 400..=499) => Outcome::Rejected(format!("HTTP {status}")),
            Reply::NotSent if self.breaks(Fault::LosesWhatBreaks) => Outcome::Rejected("it is down".into()),
            Reply::Status(_) | Reply::NotSent => Outcome::Deferred { after_s: 30 },
            Reply::Nothing => Outcome::Unknown("no answer".into()),
        }
    }

    fn deliver_batch(&self, messages: &[Message<'_>], call: &Call<'_>) {
        for message in messages {
            if self.breaks(Fault::SendsBeforeBegin) {
                let outcome = self.deliver(message, call);
                let _ = call.begin(message);
                call.outcome(message, &outcome);
                continue;
            }
            let may_leave = call.begin(message) || self.breaks(Fault::SendsAfterRefusal);
            let outcome = if may_leave { self.deliver(message, call) } else { Outcome::Cancelled };
            if self.breaks(Fault::SendsAfterRefusal) {
                // The answer may be late, as the deadline has passed.
                thread::sleep(Duration::from_millis(10));
            }
            if !self.breaks(Fault::NoOutcome) {
                call.outcome(message, &outcome);
            }
            if self.breaks(Fault::TwoOutcomes) {
                call.outcome(message, &Outcome::Rejected("on second thoughts".into()));
            }
        }
    }

    fn ingest(&self, request: &Request<'_>, _call: &Call<'_>) -> Result<()> {
        assert!(!self.breaks(Fault::PanicsInIngest) || !request.body().is_empty(), "no body");
        Err(Error::internal("the signature is wrong"))
    }
}

export_plugin! { id: "com.example.fixture-channel-lawless", channels: [Lawless] }
