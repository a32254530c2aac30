//! That no value adds or changes a header.

use crate::built::{LONG, channel, deliver, filled, message};
use crate::scripted::{Does, Scripted};
use mail_parser::MessageParser;
use podium_plugin_host::{ChannelMessage, Filled, OutcomeStatus as Is};
use proptest::prelude::*;
use serde_json::json;
use std::sync::{Mutex, OnceLock};

/// The headers of every message, in their order.
const NAMES: [&str; 9] = [
    "Date",
    "From",
    "To",
    "Subject",
    "Message-ID",
    "Reply-To",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
    "MIME-Version",
];

/// Sends a message to a server that takes it, and returns what arrived, or why nothing did.
///
/// The server is one for all, and waits for one message at a time.
fn arrived(message: ChannelMessage<'_>) -> Result<String, String> {
    static SERVER: OnceLock<Scripted> = OnceLock::new();
    static TURN: Mutex<()> = Mutex::new(());
    let server = SERVER.get_or_init(|| Scripted::start(|_, _| Does::Usual));
    let _turn = TURN.lock().unwrap();
    server.got();
    let settings = json!({ "from": "Löwen & Söhne <news@löwe.example>", "reply_to": "\"Service, all\" <s@shop.example>" });
    let outcome = deliver(&*channel(server.port, &settings), message, LONG).outcome;
    let mut got = server.got();
    if outcome.status == Is::Accepted {
        return Ok(got.messages.pop().unwrap());
    }
    assert_eq!((outcome.status, got.n_connections), (Is::Rejected, 0));
    Err(outcome.detail)
}

fn payload(subject: &str, value: &str) -> Filled {
    let content = json!({ "subject": subject, "text": "{{ x }}", "html": "<p>{{ x }}</p>" });
    filled(&*channel(25, &json!({})), &content, value)
}

/// Lists the names of a message's headers as simply as can be.
fn names(message: &str) -> Vec<&str> {
    let (head, _) = message.split_once("\r\n\r\n").unwrap();
    let lines = head.split("\r\n").filter(|line| !line.starts_with([' ', '\t']));
    lines.map(|line| line.split_once(": ").unwrap().0).collect()
}

/// Whatever a name or an address may have in it.
fn nasty() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        any::<char>().prop_map(String::from),
        prop::sample::select(vec![
            "\r\n",
            "\n",
            "\r",
            "\0",
            "\r\n\r\n",
            "Bcc: b@example.com",
            ": ",
            "<",
            ">",
            "\"",
            "\\",
            ",",
            ";",
            "(",
            ")",
            "=?utf-8?q?=0D=0ABcc:_b?=",
            "=?utf-8?b?DQpCY2M6IGI=?=",
            "@",
            "é",
            "\u{2028}",
            "\u{85}",
            "\t",
            " ",
            "   ",
            "a",
            "👩‍🚀",
            ".",
            "=",
            "?",
            "_",
            "%0d%0a",
        ])
        .prop_map(String::from),
        "[a-z]{90,120}",
    ];
    prop::collection::vec(piece, 0..10).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whoever_is_written_to_the_headers_are_ours(name in nasty(), value in nasty()) {
        let address = json!({ "email": "ann@example.com", "name": name }).to_string();
        let line = value.replace(['\r', '\n', '\0'], "");
        let subject = format!("Hi {}", line.replace("{{", ""));
        let payload = payload(&subject, &value);
        match arrived(message(&address, &payload)) {
            Ok(arrived) => {
                prop_assert_eq!(&names(&arrived)[..9], NAMES);
                prop_assert_eq!(names(&arrived).len(), 10, "the last is Content-Type");
                let read = MessageParser::default().parse(arrived.as_bytes()).unwrap();
                let to = read.to().unwrap().first().unwrap();
                prop_assert_eq!(to.address(), Some("ann@example.com"));
                prop_assert_eq!(to.name().unwrap_or_default(), name.trim());
                prop_assert_eq!(read.subject().unwrap(), subject.trim());
                let body = value.replace("\r\n", "\n").replace('\r', "\n");
                prop_assert_eq!(read.body_text(0).unwrap_or_default().replace("\r\n", "\n"), body);
                prop_assert_eq!(read.from().unwrap().first().unwrap().name(), Some("Löwen & Söhne"));
            }
            Err(detail) => {
                prop_assert_eq!(detail, "the name has a line break or a zero byte");
                prop_assert!(name.contains(['\r', '\n', '\0']));
            }
        }
    }

    #[test]
    fn whatever_address_it_is_it_gets_a_message_or_is_rejected(
        email in prop_oneof![nasty(), nasty().prop_map(|user| format!("{user}@example.com")), nasty().prop_map(|host| format!("ann@{host}"))],
    ) {
        let address = json!({ "email": email }).to_string();
        let payload = payload("Hi", "a");
        if let Ok(arrived) = arrived(message(&address, &payload)) {
            prop_assert_eq!(&names(&arrived)[..9], NAMES);
            let read = MessageParser::default().parse(arrived.as_bytes()).unwrap();
            let to = read.to().unwrap();
            prop_assert_eq!(to.iter().count(), 1);
            let (user, _) = email.rsplit_once('@').unwrap();
            let found = to.first().unwrap().address().unwrap();
            prop_assert!(found.starts_with(&format!("{user}@")), "{} became {}", email, found);
        }
    }
}

#[test]
fn a_line_break_or_a_zero_byte_is_rejected_before_a_connection_opens() {
    let ours = payload("Hi", "a");
    for evil in ["\r\n", "\n", "\r", "\0"] {
        let evil = format!("a{evil}Bcc: b@example.com");
        let rejected = arrived(message(&json!({ "email": evil }).to_string(), &ours)).unwrap_err();
        assert_eq!(rejected, "the address has a line break or a zero byte");
        let named = json!({ "email": "ann@example.com", "name": evil }).to_string();
        assert_eq!(arrived(message(&named, &ours)).unwrap_err(), "the name has a line break or a zero byte");
        let ann = r#"{"email": "ann@example.com"}"#;
        let mut leaving = message(ann, &ours);
        let url = format!("https://podium.example/{evil}");
        leaving.unsubscribe_url = &url;
        assert_eq!(arrived(leaving).unwrap_err(), "the address that ends such messages is no URL");
        // The host fills no such subject; somebody else's may.
        let filled = podium_plugin_host::Payload::from_json(
            &json!({ "parts": [{ "name": "subject", "escaping": "plain", "text": "{{ x }}" }, { "name": "text", "escaping": "plain", "text": "a" }] }).to_string(),
        );
        let filled = filled.unwrap().fill(|_| Some(&evil), |_, to| to.into()).unwrap();
        assert_eq!(
            arrived(message(ann, &filled)).unwrap_err(),
            "the subject has a line break or a zero byte"
        );
    }
}

#[test]
fn what_is_no_address_is_rejected_without_repeating_it() {
    let ours = payload("Hi", "a");
    for address in ["7", r#"{"mail": "ann@example.com"}"#, r#"{"email": null}"#] {
        let rejected = arrived(message(address, &ours)).unwrap_err();
        assert_eq!(
            rejected,
            r#"the address is not "ann@example.com" or {"email": "…"} or {"email": "…", "name": "…"}"#
        );
    }
    for email in [
        "ann",
        "ann@",
        "@example.com",
        "a b@example.com",
        "\"a\"@example.com",
        "ann@exa mple.com",
        "änn@example.com",
        "<ann@example.com>",
        "=?utf-8?q?ann?=@example.com",
        "",
    ] {
        let rejected = arrived(message(&json!({ "email": email }).to_string(), &ours)).unwrap_err();
        assert!(!rejected.contains("ann") && !rejected.is_empty(), "{email}: {rejected}");
    }
    let umlaut = arrived(message(r#"{"email": "ann@bücher.example"}"#, &ours)).unwrap();
    assert!(umlaut.contains("\r\nTo: ann@xn--bcher-kva.example\r\n"), "{umlaut}");
}
