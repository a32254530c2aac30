//! A push service and a browser that others made: it checks our credentials and decrypts what we send.

use crate::channel::{Letter, Mobile, VAPID, check};
use crate::token::bytes;
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use p256::SecretKey;
use podium_plugin_host::OutcomeStatus as Is;
use serde_json::{Value, json};
use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// The service, until it is dropped.
struct Service {
    node: Child,
    url: String,
    folder: PathBuf,
}

impl Service {
    /// Starts it; what this machine lacks for that is said loudly.
    fn start() -> Option<Self> {
        let is_there = |program: &str| {
            Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success())
        };
        let Some(missing) = ["node", "npm"].into_iter().find(|program| !is_there(program)) else {
            return Some(Self::start_in(installed()));
        };
        skip(&format!("a browser decrypts what is pushed: {missing} is not installed"));
        None
    }

    fn start_in(folder: PathBuf) -> Self {
        // It wants to be told a port.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut node = Command::new("node")
            .arg(folder.join("node_modules/web-push-testing/src/bin/server.js"))
            .arg(port.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(node.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.starts_with("Server running"), "{line}");
        Self { node, url: format!("http://localhost:{port}"), folder }
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        let request = ureq::post(format!("{}{path}", self.url)).header("content-type", "application/json");
        let mut response = request.send(body.to_string()).unwrap();
        let text = response.body_mut().read_to_string().unwrap();
        serde_json::from_str(&text).unwrap_or_default()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.node.kill().unwrap();
        self.node.wait().unwrap();
        fs::remove_dir_all(&self.folder).unwrap();
    }
}

/// Installs what is pinned into a folder of its own.
fn installed() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("browser-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let pinned = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mobile/browser");
    for name in ["package.json", "package-lock.json"] {
        fs::copy(pinned.join(name), folder.join(name)).unwrap();
    }
    let npm = Command::new("npm")
        .args(["ci", "--no-audit", "--no-fund", "--ignore-scripts", "--silent"])
        .current_dir(&folder)
        .output()
        .unwrap();
    assert!(npm.status.success(), "npm: {}", String::from_utf8_lossy(&npm.stderr));
    folder
}

/// Past the test harness, which shows nothing of a test that passes.
fn skip(promise: &str) {
    std::io::stderr().write_all(format!("!!! SKIPPED: {promise}\n").as_bytes()).unwrap();
    if let Some(path) = std::env::var_os("PODIUM_SKIPPED_FILE") {
        let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
        file.write_all(format!("{promise}\n").as_bytes()).unwrap();
    }
}

#[test]
fn a_browser_decrypts_what_is_pushed() {
    let Some(service) = Service::start() else { return };
    let mobile = Mobile::new(&json!({ "web_push": {
        "subject": "mailto:push@shop.example", "private_key": { "secret": "VAPID" }, "allow_private": true,
    } }));
    let public = SecretKey::from_slice(&bytes(VAPID)).unwrap().public_key().to_sec1_bytes();
    let key = BASE64_URL_SAFE_NO_PAD.encode(&public);
    let options = json!({ "userVisibleOnly": "true", "applicationServerKey": key });
    let subscription = service.post("/subscribe", &options)["data"].clone();
    let client = json!({ "clientHash": subscription["clientHash"] });
    let address = json!({ "web_push": subscription });

    check(&mobile.send(&address), (Is::Accepted, None, ""));
    let content = json!({
        "title": "Grüße, {{ name }}", "body": "x".repeat(3_000), "url": "https://shop.example/",
        "image": "https://i.example/a.png", "data": { "cart": "7" },
    });
    let letter = Letter { content, value: "</script>", key: "msg_2", ..Letter::default() };
    check(&mobile.send_letter(&address, &letter), (Is::Accepted, None, ""));

    let messages = service.post("/get-notifications", &client)["data"]["messages"].clone();
    let messages: Vec<Value> = serde_json::from_value::<Vec<String>>(messages)
        .unwrap()
        .iter()
        .map(|message| serde_json::from_str(message).unwrap())
        .collect();
    let tag = "EWuI8XMAe-XgXfKocQXwlQvvKE0M7KOZ";
    assert_eq!(
        messages[0],
        json!({ "title": "Hi Ann \"A\"", "body": "Come in", "tag": tag, "decision_id": "d-1" })
    );
    assert_eq!(messages[1]["title"], "Grüße, </script>");
    assert_eq!(messages[1]["body"], "x".repeat(3_000));
    assert_eq!(messages[1]["url"], "https://shop.example/");
    assert_eq!(messages[1]["image"], "https://i.example/a.png");
    assert_eq!(messages[1]["data"], json!({ "cart": "7" }));
    assert_eq!(messages.len(), 2);

    service.post(&format!("/expire-subscription/{}", client["clientHash"].as_str().unwrap()), &json!({}));
    check(&mobile.send(&address), (Is::TargetGone, None, ""));
}
