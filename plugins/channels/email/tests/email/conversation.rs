//! What becomes of a message, wherever the conversation with the mail server stops.

use crate::built::{LONG, channel, deliver, filled, message, registry, secret, within};
use crate::scripted::{Does, Got, Scripted};
use podium_plugin_host::{Delivery, OutcomeStatus as Is, Purpose};
use serde_json::{Value, json};
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const ANN: &str = r#"{"email": "ann@example.com", "name": "Ann"}"#;
/// Long enough for what answers, short enough to wait for.
const SHORT: Duration = Duration::from_secs(1);

/// Sends a message through `server`.
fn send_with(server: &Scripted, more: &Value, text: &str, time: Duration) -> Delivery {
    let channel = channel(server.port, more);
    let payload = filled(&*channel, &json!({ "subject": "Hi", "text": "{{ x }}" }), text);
    deliver(&*channel, message(ANN, &payload), time)
}

/// Sends a message to a server that does `does` at one step, and returns what it got, too.
fn send_at(step: &'static str, does: Does) -> (Delivery, Got) {
    let server = Scripted::start(move |_, command| if command == step { does } else { Does::Usual });
    let login = json!({ "user": "shop", "password": { "secret": "SMTP" }, "timeout_ms": 300 });
    let delivery = send_with(&server, &login, "Hello", SHORT);
    (delivery, server.got())
}

#[track_caller]
fn check(step: &'static str, does: Does, begun: bool, status: Is, detail: &str) {
    let (delivery, got) = send_at(step, does);
    let found = (delivery.begun, delivery.outcome.status, delivery.outcome.detail.as_str());
    assert_eq!(found, (begun, status, detail), "{step} {does:?}");
    let n_sent = usize::from(step == ".");
    assert_eq!(got.messages.len(), n_sent, "{step} {does:?}");
}

#[test]
fn a_message_is_taken_under_the_name_of_the_queue() {
    let server = Scripted::start(|_, _| Does::Usual);
    let delivery = send_with(&server, &json!({}), "Hello", LONG);
    assert_eq!((delivery.begun, delivery.outcome.status), (true, Is::Accepted));
    assert_eq!(delivery.outcome.provider_id, "4F1B2C");
    let got = server.got();
    assert_eq!(got.commands[0], "EHLO [127.0.0.1]");
    assert!(got.commands[1].starts_with("MAIL FROM:<news@shop.example> SIZE="), "{:?}", got.commands);
    assert_eq!(got.commands[2..], ["RCPT TO:<ann@example.com>", "DATA"]);
}

#[test]
fn without_a_queue_the_message_names_itself() {
    let (delivery, got) = send_at(".", Does::Says("250 fine"));
    assert_eq!(delivery.outcome.status, Is::Accepted);
    let id = delivery.outcome.provider_id;
    assert!(id.ends_with("@shop.example>") && !id.contains("visit"), "{id}");
    assert!(got.messages[0].contains(&format!("Message-ID: {id}\r\n")));
}

#[test]
fn not_now_is_deferred_at_every_step() {
    for (step, begun) in [
        ("", false),
        ("EHLO", false),
        ("AUTH", false),
        ("MAIL", false),
        ("RCPT", false),
        ("DATA", true),
        (".", true),
    ] {
        for reply in ["421 4.3.2 closing", "450 4.2.0 greylisted", "451 4.3.0 try again", "452 4.3.1 full"] {
            check(step, Does::Says(reply), begun, Is::Deferred, "");
        }
        check(step, Does::Closes("421 4.3.2 closing\r\n"), begun, Is::Deferred, "");
    }
}

#[test]
fn no_is_rejected_at_every_step_of_a_message() {
    for (step, begun) in [("MAIL", false), ("RCPT", false), ("DATA", true), (".", true)] {
        check(step, Does::Says("554 5.7.1 spam, <ann@example.com>"), begun, Is::Rejected, "554 5.7.1 spam,");
        check(step, Does::Says("550-one\r\n550 two"), begun, Is::Rejected, "550 one two");
    }
}

#[test]
fn a_server_that_refuses_us_has_not_refused_the_message() {
    check("", Does::Says("554 5.7.1 your address is blocked"), false, Is::Deferred, "");
    check("EHLO", Does::Says("502 5.5.1 what?"), false, Is::Deferred, "");
}

#[test]
fn an_address_that_is_gone_is_told_from_one_that_is_refused() {
    for reply in
        ["550 5.1.1 <ann@example.com>: no such user", "550-5.1.1 no\r\n550 5.1.1 user", "556 5.1.10 null MX"]
    {
        check("RCPT", Does::Says(reply), false, Is::TargetGone, "");
        check(".", Does::Says(reply), true, Is::TargetGone, "");
    }
    // Ours, then.
    check("MAIL", Does::Says("550 5.1.1 no such sender"), false, Is::Rejected, "550 5.1.1 no such sender");
    for reply in ["550 no such user", "550 5.1.0 address", "552 5.2.2 mailbox full", "550 5.7.1 policy"] {
        check("RCPT", Does::Says(reply), false, Is::Rejected, reply);
    }
}

#[test]
fn what_is_too_large_is_said_so() {
    for (step, begun) in [("MAIL", false), (".", true)] {
        for reply in
            ["552 5.3.4 too big", "552 message size exceeds limit", "523 too long", "554 5.2.3 too long"]
        {
            check(step, Does::Says(reply), begun, Is::TooLarge, "");
        }
    }
}

#[test]
fn credentials_that_do_not_work_pause_the_channel() {
    for reply in ["535 5.7.8 bad credentials", "534 5.7.9 too weak", "530 5.7.0 STARTTLS first", "504 no"] {
        check("AUTH", Does::Says(reply), false, Is::AuthFailed, "");
    }
    check("MAIL", Does::Says("530 5.7.0 authentication required"), false, Is::AuthFailed, "");
    check("EHLO", Does::Says("250 mail.example"), false, Is::AuthFailed, "");
    let (_, got) = send_at("EHLO", Does::Says("250-x\r\n250 AUTH CRAM-MD5 LOGIN"));
    assert_eq!(got.commands[1..], ["AUTH LOGIN"], "the name is told only to a server that asks for it");
}

#[test]
fn credentials_are_told_as_plain_asks() {
    let (delivery, got) = send_at("", Does::Usual);
    assert_eq!(delivery.outcome.status, Is::Accepted);
    // printf '\0shop\0s3cr3t é' | base64
    assert_eq!(got.commands[1], "AUTH PLAIN AHNob3AAczNjcjN0IMOp");
}

#[test]
fn a_break_before_the_end_of_the_message_is_deferred() {
    for does in [Does::Closes(""), Does::Closes("25"), Does::Hangs, Does::Drips, Does::Says("nonsense")] {
        for (step, begun) in
            [("", false), ("EHLO", false), ("AUTH", false), ("MAIL", false), ("RCPT", false), ("DATA", true)]
        {
            check(step, does, begun, Is::Deferred, "");
        }
    }
    // Go on, instead of an answer: the two sides do not understand each other.
    check("RCPT", Does::Says("354 go ahead"), false, Is::Deferred, "");
    check("DATA", Does::Says("250 what data?"), true, Is::Deferred, "");
}

#[test]
fn a_break_after_the_end_of_the_message_is_unknown() {
    let sent = "the whole message was sent, and then";
    for (does, why) in [
        (Does::Closes(""), "unexpected end of file"),
        (Does::Closes("250-2.0.0 Ok\r\n25"), "unexpected end of file"),
        (Does::Hangs, "timed out"),
        (Does::Drips, "timed out"),
        (Does::Says("nonsense"), "the server's answer is none"),
        (Does::Says("354 more"), "the server answered 354"),
    ] {
        check(".", does, true, Is::Unknown, &format!("{sent}: {why}"));
    }
}

#[test]
fn a_second_attempt_has_the_same_name() {
    let server = Scripted::start(|connection, command| match (connection, command) {
        (0, ".") => Does::Closes(""),
        _ => Does::Usual,
    });
    let channel = channel(server.port, &json!({}));
    let payload = filled(&*channel, &json!({ "subject": "Hi", "text": "Hello" }), "");
    let mut message = message(ANN, &payload);
    assert_eq!(deliver(&*channel, message, LONG).outcome.status, Is::Unknown);
    message.attempt = 2;
    assert_eq!(deliver(&*channel, message, LONG).outcome.status, Is::Accepted);
    message.idempotency_key = "another";
    assert_eq!(deliver(&*channel, message, LONG).outcome.status, Is::Accepted);
    let messages = server.got().messages;
    let names: Vec<&str> = messages.iter().map(|message| header(message, "Message-ID")).collect();
    assert!(names[0] == names[1] && names[1] != names[2], "{names:?}");
}

/// Reads a header of one line.
fn header<'a>(message: &'a str, name: &str) -> &'a str {
    let mut headers = message.lines().take_while(|line| !line.is_empty());
    headers.find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).unwrap()
}

#[test]
fn connections_are_used_again() {
    let server = Scripted::start(|_, command| match command {
        "RCPT" => Does::Says("550 5.1.1 nobody"),
        _ => Does::Usual,
    });
    let channel = channel(server.port, &json!({}));
    let payload = filled(&*channel, &json!({ "subject": "Hi", "text": "Hello" }), "");
    for _ in 0..3 {
        assert_eq!(deliver(&*channel, message(ANN, &payload), LONG).outcome.status, Is::TargetGone);
    }
    let got = server.got();
    assert_eq!(got.n_connections, 1);
    assert_eq!(got.commands.iter().filter(|command| *command == "RSET").count(), 2);
}

#[test]
fn a_connection_that_was_closed_while_nobody_used_it_does_not_count() {
    for (at, n_let_through) in [("RSET", 0), ("MAIL", 1)] {
        for does in [Does::Closes(""), Does::Closes("421 4.4.2 too long idle\r\n")] {
            let n_seen = AtomicUsize::new(0);
            let server = Scripted::start(move |connection, command| {
                let is_there = connection == 0 && command == at;
                let is_due = is_there && n_seen.fetch_add(1, Ordering::Relaxed) == n_let_through;
                if is_due { does } else { Does::Usual }
            });
            let channel = channel(server.port, &json!({}));
            let payload = filled(&*channel, &json!({ "subject": "Hi", "text": "Hello" }), "");
            for _ in 0..2 {
                let delivery = deliver(&*channel, message(ANN, &payload), LONG);
                assert_eq!(delivery.outcome.status, Is::Accepted, "{at} {does:?}");
            }
            let got = server.got();
            assert_eq!((got.n_connections, got.messages.len()), (2, 2), "each of them once");
        }
    }
}

#[test]
fn nothing_is_said_in_clear_to_a_server_without_starttls() {
    let server = Scripted::start(|_, _| Does::Usual);
    let login = json!({ "tls": "starttls", "user": "shop", "password": { "secret": "SMTP" } });
    let delivery = send_with(&server, &login, "Hello", LONG);
    assert_eq!((delivery.begun, delivery.outcome.status), (false, Is::Deferred));
    assert_eq!(server.got().commands, ["EHLO [127.0.0.1]"]);
    // One that says yes and goes on in clear hears no more either, even if it answers before it is asked.
    let server = Scripted::start(|_, command| match command {
        "EHLO" => Does::Says("250-x\r\n250-STARTTLS\r\n250 AUTH PLAIN"),
        "STARTTLS" => Does::Says("220 go\r\n250-x\r\n250 AUTH PLAIN\r\n235 welcome"),
        _ => Does::Usual,
    });
    let delivery = send_with(&server, &login, "Hello", LONG);
    assert_eq!((delivery.begun, delivery.outcome.status), (false, Is::Deferred));
    assert_eq!(server.got().commands, ["EHLO [127.0.0.1]", "STARTTLS"]);
    let fault = channel(server.port, &login).health(&within(LONG)).unwrap_err();
    assert!(fault.to_string().contains("STARTTLS: the server spoke before TLS began"), "{fault}");
}

#[test]
fn a_server_that_is_not_there_is_deferred() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for host in ["127.0.0.1", "localhost", "nowhere.invalid"] {
        let channel = channel(port, &json!({ "host": host }));
        let payload = filled(&*channel, &json!({ "subject": "Hi", "text": "Hello" }), "");
        let delivery = deliver(&*channel, message(ANN, &payload), LONG);
        assert_eq!((delivery.begun, delivery.outcome.status), (false, Is::Deferred), "{host}");
    }
}

#[test]
fn what_arrives_is_what_was_sent_and_ends_nowhere_else() {
    let smuggled =
        [".", "MAIL FROM:<evil@example.com>", "RCPT TO:<b@example.com>", "DATA", "Subject: b", "", "."];
    for end in ["\r\n", "\n", "\r", "\n\r"] {
        let text = format!("..a{end}.b{end}{end}{}{end}QUIT{end}.", smuggled.join(end));
        let server = Scripted::start(|_, _| Does::Usual);
        let channel = channel(server.port, &json!({}));
        let content = json!({ "subject": "Hi", "text": "{{ x }}", "html": "<p>{{ x }}</p>" });
        let payload = filled(&*channel, &content, &text);
        assert_eq!(deliver(&*channel, message(ANN, &payload), LONG).outcome.status, Is::Accepted);
        let got = server.got();
        assert_eq!((got.commands.len(), got.messages.len()), (4, 1), "{end:?}");
        let read = mail_parser::MessageParser::default().parse(got.messages[0].as_bytes()).unwrap();
        let normal = text.replace("\r\n", "\n").replace('\r', "\n");
        assert_eq!(read.body_text(0).unwrap().replace("\r\n", "\n"), normal, "{end:?}");
        assert_eq!(
            read.body_html(0).unwrap().replace("\r\n", "\n"),
            format!(
                "<p>{}</p><img src=\"https://podium.example/o/1\" width=\"1\" height=\"1\" alt=\"\">",
                normal.replace('<', "&lt;").replace('>', "&gt;")
            )
        );
    }
}

#[test]
fn health_logs_in_and_sends_nothing() {
    let server = Scripted::start(|_, _| Does::Usual);
    let login = json!({ "user": "shop", "password": { "secret": "SMTP" } });
    channel(server.port, &login).health(&within(LONG)).unwrap();
    let commands = server.got().commands;
    assert!(commands.len() >= 2 && commands[1].starts_with("AUTH PLAIN "), "{commands:?}");
    assert!(!commands.iter().any(|command| command.starts_with("MAIL")), "{commands:?}");

    let server = Scripted::start(|_, command| match command {
        "AUTH" => Does::Says("535 5.7.8 bad credentials"),
        _ => Does::Usual,
    });
    let fault = channel(server.port, &login).health(&within(LONG)).unwrap_err();
    assert!(fault.to_string().contains("AUTH: 535 5.7.8 bad credentials"), "{fault}");
}

#[test]
fn a_message_without_time_does_not_begin() {
    let server = Scripted::start(|_, _| Does::Usual);
    let channel = channel(server.port, &json!({}));
    let payload = filled(&*channel, &json!({ "subject": "Hi", "text": "Hello" }), "");
    let delivery = deliver(&*channel, message(ANN, &payload), Duration::ZERO);
    assert!(!delivery.begun);
    assert_eq!(server.got().messages.len(), 0);
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    let refused = |more: &Value| {
        let mut config = json!({ "host": "smtp.example.com", "from": "news@shop.example" });
        for (name, value) in more.as_object().unwrap() {
            config[name] = value.clone();
        }
        let created = registry().create_channel_with("email", &config.to_string(), &secret);
        created.map(|_| "an instance").map_err(|error| error.to_string()).err()
    };
    assert_eq!(refused(&json!({})), None);
    assert_eq!(
        refused(
            &json!({ "host": "localhost", "tls": "none", "user": "a", "password": { "secret": "SMTP" } })
        ),
        None
    );
    for (more, text) in [
        (json!({ "host": "smtp example" }), "`host`: \"smtp example\" is no host, such as smtp.example.com"),
        (json!({ "from": "shop" }), "`from`: \"shop\": an address has an @"),
        (
            json!({ "from": "a\nb <a@b.example>" }),
            "`from`: \"a\\nb <a@b.example>\": the name has a line break or a zero byte",
        ),
        (
            json!({ "reply_to": "a b@b.example" }),
            "`reply_to`: \"a b@b.example\": before the @ of an address are letters, digits and -._+ and the like",
        ),
        (json!({ "user": "a" }), "`user` and `password` go together: set both or none"),
        (
            json!({ "tls": "none", "user": "a", "password": { "secret": "SMTP" } }),
            "`tls`: without it anybody could read the password; `starttls`",
        ),
        (json!({ "ca": "x" }), "`ca`: there is no certificate in it; -----BEGIN CERTIFICATE-----"),
        (json!({ "timeout_ms": 0 }), "`timeout_ms`: 0 leaves no time; leave it out for 10 seconds"),
    ] {
        assert_eq!(refused(&more).as_deref(), Some(text), "{more}");
    }
}

#[test]
fn a_transactional_mail_says_that_a_machine_wrote_it() {
    let server = Scripted::start(|_, _| Does::Usual);
    let channel = channel(server.port, &json!({}));
    let payload = filled(&*channel, &json!({ "subject": "Hi", "text": "Hello" }), "");
    let mut message = message(ANN, &payload);
    (message.purpose, message.unsubscribe_url) = (Purpose::Transactional, "");
    assert_eq!(deliver(&*channel, message, LONG).outcome.status, Is::Accepted);
    let messages = server.got().messages;
    assert_eq!(header(&messages[0], "Auto-Submitted"), "auto-generated");
    assert!(!messages[0].contains("List-Unsubscribe"));
}
