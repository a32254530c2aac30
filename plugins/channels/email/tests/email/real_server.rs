//! Against a real mail server, and read back by Python: `aiosmtpd`, in an environment of its own.

use crate::built::{LONG, channel, deliver, filled, message, within};
use podium_plugin_host::{Delivery, OutcomeStatus as Is};
use serde_json::{Value, json};
use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::OnceLock;

const PACKAGES: [&str; 2] = ["aiosmtpd==1.4.6", "trustme==1.2.1"];
const ANN: &str = r#"{"email": "ann@example.com", "name": "Ann Ångström"}"#;

/// Makes a Python that has the server, once; `None` where there is no way to get it.
fn python() -> Option<&'static Path> {
    static PYTHON: OnceLock<Option<PathBuf>> = OnceLock::new();
    let python = PYTHON.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("mail-server");
        let (python, ready) = (folder.join("bin/python"), folder.join(PACKAGES.join(" ")));
        if ready.exists() {
            return Some(python);
        }
        let mut venv = Command::new("python3");
        venv.args(["-m", "venv", "--clear"]).arg(&folder);
        let mut pip = Command::new(&python);
        pip.args(["-m", "pip", "install", "-q", "--disable-pip-version-check"]).args(PACKAGES);
        for mut command in [venv, pip] {
            if !command.stdin(Stdio::null()).status().is_ok_and(|status| status.success()) {
                return None;
            }
        }
        fs::write(ready, "").unwrap();
        Some(python)
    });
    python.as_deref()
}

/// Past the test harness, which shows nothing of a test that passes.
fn skip(promise: &str) {
    let line = format!("email: {promise}: python3 with venv and pip cannot install aiosmtpd\n");
    std::io::stderr().write_all(format!("!!! SKIPPED: {line}").as_bytes()).unwrap();
    if let Some(path) = std::env::var_os("PODIUM_SKIPPED_FILE") {
        let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
        file.write_all(line.as_bytes()).unwrap();
    }
}

/// The servers, until the test ends.
struct Servers {
    child: Child,
    lines: BufReader<ChildStdout>,
    ports: Value,
    ca: Value,
}

impl Servers {
    /// Starts them; says loudly if not that `promise` was not tried.
    fn start(promise: &str) -> Option<Self> {
        let Some(python) = python() else {
            skip(promise);
            return None;
        };
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/email/server.py");
        let mut command = Command::new(python);
        let child = command.arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = child.unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        let mut servers = Self { child, lines, ports: Value::Null, ca: Value::Null };
        let mut first = servers.next();
        servers.ports = first["ports"].take();
        servers.ca = first["ca"].take();
        Some(servers)
    }

    fn port(&self, kind: &str) -> u16 {
        u16::try_from(self.ports[kind].as_u64().unwrap()).unwrap()
    }

    /// Waits for the next message.
    fn next(&mut self) -> Value {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }

    /// Sends a message to one of the servers.
    fn send(&self, kind: &str, more: &Value) -> Delivery {
        let channel = channel(self.port(kind), more);
        let payload = filled(&*channel, &json!({ "subject": "Hi", "text": "Hello" }), "");
        deliver(&*channel, message(ANN, &payload), LONG)
    }

    /// Settings that get in.
    fn way_in(&self, kind: &str) -> Value {
        json!({
            "host": "localhost", "tls": kind, "ca": self.ca, "user": "shop", "password": { "secret": "SMTP" },
        })
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn python_reads_what_was_written() {
    let Some(mut servers) = Servers::start("python_reads_what_was_written") else { return };
    let channel = channel(servers.port("clear"), &json!({ "reply_to": "Søren <service@shop.example>" }));
    let content = json!({
        "subject": "Grüße 👋 {{ x | friend }}, and a subject that is longer than a line of mail should be, by far",
        "preheader": "Ångström & Söhne",
        "html": "<html><body><p>Hej {{ x }}, <a href=\"https://shop.example/?q={{ x }}&amp;n=1\">buy</a>\n.\n\
                 <a href=\"{{ podium.unsubscribe_url }}\">leave</a></p></body></html>",
    });
    let payload = filled(&*channel, &content, "Ann <Å>");
    let delivery = deliver(&*channel, message(ANN, &payload), LONG);
    assert_eq!((delivery.outcome.status, delivery.outcome.provider_id.as_str()), (Is::Accepted, "REAL1"));

    let got = servers.next();
    assert_eq!(got["defects"], json!([]));
    assert_eq!((&got["from"], &got["to"]), (&json!("news@shop.example"), &json!(["ann@example.com"])));
    assert_eq!(got["addresses"], json!([["Ann Ångström", "ann@example.com"]]));
    let headers = &got["headers"];
    assert_eq!(headers["From"], "Shop <news@shop.example>");
    assert_eq!(headers["Reply-To"], "Søren <service@shop.example>");
    assert_eq!(headers["List-Unsubscribe"], "<https://podium.example/u/1>");
    assert_eq!(headers["List-Unsubscribe-Post"], "List-Unsubscribe=One-Click");
    let subject = "Grüße 👋 Ann <Å>, and a subject that is longer than a line of mail should be, by far";
    assert_eq!(headers["Subject"], subject);
    assert!(headers["Date"].as_str().unwrap().ends_with("+0000"), "{headers}");
    assert_eq!(got["types"], json!(["multipart/alternative", "text/plain", "text/html"]));
    assert_eq!(got["encodings"], json!(["quoted-printable", "quoted-printable"]));
    let address = "https://podium.example/c/0?to=https://shop.example/?q=Ann%20%3C%C3%85%3E";
    assert_eq!(
        got["bodies"],
        json!([
            format!("Hej Ann <Å>, buy <{address}&n=1> . leave <https://podium.example/u/1>"),
            format!(
                "<html><body><div style=\"display:none;max-height:0;overflow:hidden\">Ångström &amp; Söhne</div>\
                 <p>Hej Ann &lt;Å&gt;, <a href=\"{address}&amp;n=1\">buy</a>\n.\n\
                 <a href=\"https://podium.example/u/1\">leave</a></p>\
                 <img src=\"https://podium.example/o/1\" width=\"1\" height=\"1\" alt=\"\"></body></html>"
            ),
        ])
    );
}

#[test]
fn no_value_changes_a_header_as_python_reads_it() {
    let Some(mut servers) = Servers::start("no_value_changes_a_header_as_python_reads_it") else { return };
    let channel = channel(servers.port("clear"), &json!({}));
    let long = "a".repeat(2_000);
    for value in [
        "Bcc: b@example.com",
        "=?utf-8?q?=0D=0ABcc:_b@example.com?=",
        "=?utf-8?b?DQpCY2M6IGI=?= x",
        "\" <b@example.com>, \"",
        "a, b@example.com",
        "\\",
        "\\\"",
        "a (comment) b",
        "\t\u{b}\u{c}\u{7f}",
        "\u{85}Bcc: b",
        "\u{2028}Bcc: b",
        "é\u{0301}👩‍🚀",
        "a  b",
        "%0d%0aBcc: b",
        "=?",
        "?=",
        &long,
        "a;b:c<d>",
        "undisclosed-recipients:;",
    ] {
        let payload = filled(&*channel, &json!({ "subject": "Hi {{ x }}", "text": "{{ x }}" }), value);
        let address = json!({ "email": "ann@example.com", "name": value }).to_string();
        let delivery = deliver(&*channel, message(&address, &payload), LONG);
        assert_eq!(delivery.outcome.status, Is::Accepted, "{value:?}: {:?}", delivery.outcome);
        let got = servers.next();
        let names = [
            "Date",
            "From",
            "To",
            "Subject",
            "Message-ID",
            "List-Unsubscribe",
            "List-Unsubscribe-Post",
            "MIME-Version",
            "Content-Type",
            "Content-Transfer-Encoding",
        ];
        assert_eq!(got["names"], json!(names), "{value:?}");
        assert_eq!(got["to"], json!(["ann@example.com"]), "{value:?}");
        // Python keeps the spaces between the encoded words of a name, which readers must leave out.
        let name = got["addresses"][0][0].as_str().unwrap().replace(' ', "");
        assert_eq!(name, value.trim().replace(' ', ""));
        assert_eq!(got["addresses"].as_array().unwrap().len(), 1);
        assert_eq!(got["headers"]["Subject"], format!("Hi {value}").trim());
        assert_eq!(got["bodies"][0], format!("{value}\n"));
    }
    for evil in ["a\r\nBcc: b@example.com", "a\nb", "a\rb", "a\0b"] {
        let payload = filled(&*channel, &json!({ "subject": "Hi", "text": "Hello" }), "");
        for address in [
            json!({ "email": "ann@example.com", "name": evil }),
            json!({ "email": format!("{evil}@example.com") }),
        ] {
            let delivery = deliver(&*channel, message(&address.to_string(), &payload), LONG);
            assert_eq!((delivery.begun, delivery.outcome.status), (false, Is::Rejected), "{address}");
        }
    }
}

#[test]
fn tls_gets_in_and_only_to_the_right_server() {
    let Some(mut servers) = Servers::start("tls_gets_in_and_only_to_the_right_server") else { return };
    for kind in ["starttls", "implicit"] {
        let way_in = servers.way_in(kind);
        let with = |name: &str, value: Value| {
            let mut settings = way_in.clone();
            settings[name] = value;
            settings
        };
        channel(servers.port(kind), &way_in).health(&within(LONG)).unwrap();
        assert_eq!(servers.send(kind, &way_in).outcome.status, Is::Accepted);
        let got = servers.next();
        assert_eq!((&got["is_encrypted"], &got["login"]), (&json!(true), &json!("shop")), "{kind}");

        // An authority that nobody knows, and a certificate for another host.
        for settings in [with("ca", Value::Null), with("host", "127.0.0.1".into())] {
            let delivery = servers.send(kind, &settings);
            assert_eq!(
                (delivery.begun, delivery.outcome.status),
                (false, Is::Deferred),
                "{kind}: {settings}"
            );
            let fault = channel(servers.port(kind), &settings).health(&within(LONG)).unwrap_err();
            assert!(fault.to_string().contains("certificate"), "{fault}");
        }
        // Each of them speaks TLS only its own way.
        let other = if kind == "starttls" { "implicit" } else { "starttls" };
        let hasty = with("timeout_ms", 500.into());
        let delivery = servers.send(other, &hasty);
        assert_eq!((delivery.begun, delivery.outcome.status), (false, Is::Deferred), "{kind} to {other}");
        // Nobody, to a server that wants somebody.
        let nobody = json!({ "host": "localhost", "tls": kind, "ca": servers.ca });
        assert_eq!(servers.send(kind, &nobody).outcome.status, Is::AuthFailed, "{kind}");
        let wrong = with("user", "nobody".into());
        assert_eq!(servers.send(kind, &wrong).outcome.status, Is::AuthFailed, "{kind}");
    }
}
