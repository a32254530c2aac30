//! The channel as it was built, against an endpoint that answers, fails and hangs as told.
#![expect(clippy::unwrap_used, reason = "what a test builds its world with must not fail")]

use podium_plugin_host::{
    ChannelCall, ChannelInstance, ChannelMessage, Delivery, HostLog, OutcomeStatus, Payload, Purpose,
    Registry,
};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{OnceLock, mpsc};
use std::thread;
use std::time::{Duration, SystemTime};

/// What the endpoint does with a request.
#[derive(Clone, Copy)]
enum Does {
    /// Answers with a status line and headers.
    Answers(&'static str),
    /// Says nothing until the other side goes.
    Hangs,
    /// Reads everything and closes.
    Closes,
}

/// A request that the endpoint got.
struct Got {
    headers: Vec<(String, String)>,
    body: String,
}

impl Got {
    fn header(&self, name: &str) -> &str {
        let header = self.headers.iter().find(|(found, _)| found.eq_ignore_ascii_case(name));
        header.map_or("", |(_, value)| value)
    }
}

/// An endpoint that takes one request. Returns its address and what it gets.
fn endpoint(does: Does) -> (String, mpsc::Receiver<Got>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/hook?a=1", listener.local_addr().unwrap());
    let (sender, got) = mpsc::channel();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        sender.send(read(&stream)).unwrap();
        match does {
            Does::Answers(head) => {
                write!(stream, "HTTP/1.1 {head}\r\ncontent-length: 0\r\n\r\n").unwrap();
            }
            Does::Hangs => drop(stream.read(&mut [0])),
            Does::Closes => {}
        }
    });
    (address, got)
}

fn read(stream: &TcpStream) -> Got {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    assert_eq!(line, "POST /hook?a=1 HTTP/1.1\r\n");
    let mut headers = Vec::new();
    loop {
        line.clear();
        reader.read_line(&mut line).unwrap();
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.push((name.to_owned(), value.to_owned()));
    }
    let mut got = Got { headers, body: String::new() };
    let len: u64 = got.header("content-length").parse().unwrap();
    reader.take(len).read_to_string(&mut got.body).unwrap();
    got
}

/// Loads the built library from a folder that has nothing else.
fn registry() -> &'static Registry {
    static REGISTRY: OnceLock<Registry> = OnceLock::new();
    REGISTRY.get_or_init(|| {
        let test = std::env::current_exe().unwrap();
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("webhook-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::copy(test.parent().unwrap().join("libwebhook_channel.so"), folder.join("webhook.so")).unwrap();
        let registry = Registry::load(std::slice::from_ref(&folder), &HostLog::discard());
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(registry.refusals(), []);
        registry
    })
}

fn secret(name: &str) -> Option<String> {
    match name {
        "NEW" => Some("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into()),
        "OLD" => Some("whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX".into()),
        _ => None,
    }
}

fn channel(endpoint: &str) -> Box<dyn ChannelInstance> {
    let config = serde_json::json!({
        "endpoint": endpoint, "signing_secret": { "secret": "NEW" }, "previous_secret": { "secret": "OLD" },
    });
    registry().create_channel_with("webhook", &config.to_string(), &secret).unwrap()
}

/// Renders, fills and delivers one message.
fn deliver(endpoint: &str, address_json: &str, time: Duration) -> Delivery {
    let within = |time: Duration| {
        let end = (SystemTime::now() + time).duration_since(SystemTime::UNIX_EPOCH).unwrap();
        ChannelCall { deadline_ms: end.as_millis() as i64, ..ChannelCall::default() }
    };
    let channel = channel(endpoint);
    let payload: Payload =
        channel.render(r#"{"note": "Hi {{ name }}"}"#, &within(Duration::from_secs(20))).unwrap();
    let message = ChannelMessage {
        purpose: Purpose::Marketing,
        attempt: 1,
        expires_ms: i64::MAX,
        idempotency_key: "msg_1",
        collapse_key: "",
        decision_id: "d-1",
        address_json,
        payload: &payload.fill(|_| Some("\"Ann\""), |_, to| to.into()).unwrap(),
        unsubscribe_url: "",
    };
    let delivered = channel.deliver(&[message], &within(time));
    assert_eq!(delivered.fault, None);
    delivered.deliveries.into_iter().next().unwrap()
}

#[track_caller]
fn check(does: Does, status: OutcomeStatus, retry_after_s: Option<u64>, detail: &str) {
    let (endpoint, got) = endpoint(does);
    let is_short = matches!(does, Does::Hangs);
    let time = if is_short { Duration::from_secs(1) } else { Duration::from_secs(20) };
    let delivery = deliver(&endpoint, "\"desk\"", time);
    assert!(delivery.begun);
    let outcome = delivery.outcome;
    assert_eq!((outcome.status, outcome.detail.as_str()), (status, detail));
    assert_eq!(outcome.retry_after.map(|after| after.as_secs()), retry_after_s);
    assert_eq!(got.recv().unwrap().header("webhook-id"), "msg_1");
}

#[test]
fn what_is_posted_is_signed_with_both_secrets() {
    let (endpoint, got) = endpoint(Does::Answers("204 No Content"));
    let delivery = deliver(&endpoint, r#"{"desk": 7}"#, Duration::from_secs(20));
    assert_eq!(delivery.outcome.status, OutcomeStatus::Accepted);
    let got = got.recv().unwrap();
    assert_eq!(
        got.body,
        r#"{"type":"podium.message","data":{"decision_id":"d-1","to":{"desk": 7},"content":{"note":"Hi \"Ann\""}}}"#
    );
    assert_eq!(got.header("content-type"), "application/json");
    let now_s = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let sent_s: u64 = got.header("webhook-timestamp").parse().unwrap();
    assert!((now_s - 20..=now_s).contains(&sent_s), "{sent_s}");
    let signatures: Vec<&str> = got.header("webhook-signature").split(' ').collect();
    assert_eq!(signatures.len(), 2);
    let signed = format!("msg_1.{sent_s}.{}", got.body);
    for (signature, name) in signatures.into_iter().zip(["NEW", "OLD"]) {
        assert_eq!(signature, reference_signature(&secret(name).unwrap(), &signed));
    }
}

/// Signs by the scheme's text, apart from the channel's own code.
fn reference_signature(secret: &str, signed: &str) -> String {
    use base64::prelude::{BASE64_STANDARD, Engine as _};
    use sha2::{Digest as _, Sha256};
    let key = BASE64_STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
    let pad = |byte: u8| {
        let mut block = [byte; 64];
        block.iter_mut().zip(&key).for_each(|(pad, key)| *pad ^= key);
        block
    };
    let inner = Sha256::new().chain_update(pad(0x36)).chain_update(signed).finalize();
    let outer = Sha256::new().chain_update(pad(0x5c)).chain_update(inner).finalize();
    format!("v1,{}", BASE64_STANDARD.encode(outer))
}

#[test]
fn every_answer_has_its_outcome() {
    use OutcomeStatus as Is;
    for (head, status, retry_after_s, detail) in [
        ("200 OK", Is::Accepted, None, ""),
        ("202 Accepted", Is::Accepted, None, ""),
        (
            "302 Found\r\nlocation: http://127.0.0.1:1/",
            Is::Rejected,
            None,
            "HTTP 302: redirects are not followed",
        ),
        ("400 Bad Request", Is::Rejected, None, "HTTP 400"),
        ("401 Unauthorized", Is::AuthFailed, None, ""),
        ("404 Not Found", Is::Rejected, None, "HTTP 404"),
        ("408 Request Timeout", Is::Deferred, Some(30), ""),
        ("410 Gone", Is::TargetGone, None, ""),
        ("413 Content Too Large", Is::TooLarge, None, ""),
        ("429 Too Many Requests", Is::RateLimited, Some(60), ""),
        ("429 Too Many Requests\r\nretry-after: 7", Is::RateLimited, Some(7), ""),
        ("500 Internal Server Error", Is::Deferred, Some(30), ""),
        ("503 Service Unavailable\r\nretry-after: 99999999", Is::Deferred, Some(86_400), ""),
        ("503 Service Unavailable\r\nretry-after: Sun, 06 Nov 1994 08:49:37 GMT", Is::Deferred, Some(30), ""),
    ] {
        check(Does::Answers(head), status, retry_after_s, detail);
    }
}

#[test]
fn no_answer_is_unknown() {
    check(Does::Hangs, OutcomeStatus::Unknown, None, "timeout: global");
    let (endpoint, got) = endpoint(Does::Closes);
    let delivery = deliver(&endpoint, "\"desk\"", Duration::from_secs(20));
    assert_eq!((delivery.begun, delivery.outcome.status), (true, OutcomeStatus::Unknown));
    assert_eq!(got.recv().unwrap().header("webhook-id"), "msg_1");
}

#[test]
fn what_cannot_have_left_comes_again() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let delivery = deliver(&format!("http://{closed}/"), "\"desk\"", Duration::from_secs(20));
    assert_eq!(delivery.outcome.status, OutcomeStatus::Deferred);
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    let create = |endpoint: &str, name: &str| {
        let config = serde_json::json!({ "endpoint": endpoint, "signing_secret": { "secret": name } });
        let created = registry().create_channel_with("webhook", &config.to_string(), &secret);
        created.map(|_| "an instance").unwrap_err().to_string()
    };
    assert_eq!(
        create("ftp://a.example/", "NEW"),
        "`endpoint`: \"ftp://a.example/\" must begin with https:// or http://"
    );
    assert_eq!(create("/hook", "NEW"), "`endpoint`: \"/hook\" must begin with https:// or http://");
    assert_eq!(
        create("https://a.example/", "LOST"),
        "/signing_secret: there is no secret \"LOST\" for this plugin"
    );
}
