//! What a loaded channel says of itself and of its messages, what it can do wrong, and that it works again afterwards.

mod deliveries;

use crate::folder::Folder;
use crate::isolation;
use podium_plugin_host::{
    ChannelCall, ChannelCreateError, ChannelEvent, ChannelFault, ChannelInfo, ChannelInstance,
    ChannelMessage, Delivered, FeedbackKind, Filled, HostLog, Level, OutcomeStatus, Payload, ProviderClass,
    Purpose, Registry, Slug, WebhookRequest,
};
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

/// A call that ends in a minute.
fn soon() -> ChannelCall {
    within(Duration::from_mins(1))
}

fn within(time: Duration) -> ChannelCall {
    let end = (SystemTime::now() + time).duration_since(SystemTime::UNIX_EPOCH).unwrap();
    ChannelCall { deadline_ms: end.as_millis() as i64, ..ChannelCall::default() }
}

/// Plugins where the suite wants them, and the folder they came from.
struct Loaded {
    registry: Registry,
    _folder: Folder,
}

impl Deref for Loaded {
    type Target = Registry;

    fn deref(&self) -> &Registry {
        &self.registry
    }
}

fn load() -> Loaded {
    let loaded = load_with(&["fixture_channels"], &HostLog::discard());
    assert_eq!(loaded.refusals(), []);
    loaded
}

fn load_with(examples: &[&str], log: &HostLog) -> Loaded {
    static N_FOLDERS: AtomicUsize = AtomicUsize::new(0);
    let folder =
        Folder::new(&format!("channels-{}", N_FOLDERS.fetch_add(1, Ordering::Relaxed))).with(examples);
    let registry = Registry::load_with(&[folder.path().to_owned()], &isolation(&folder), log);
    Loaded { registry, _folder: folder }
}

fn channel(registry: &Registry, channel_id: &str) -> Box<dyn ChannelInstance> {
    registry.create_channel(channel_id, "{}").unwrap()
}

/// A payload that is one JSON text.
fn payload(text: &str) -> Filled {
    let json = serde_json::json!({ "parts": [
        { "name": "body", "escaping": "json", "text": serde_json::json!(text).to_string() },
    ] });
    Payload::from_json(&json.to_string()).unwrap().fill(|_| None, |_, to| to.into()).unwrap()
}

fn message<'a>(address_json: &'a str, payload: &'a Filled) -> ChannelMessage<'a> {
    ChannelMessage {
        purpose: Purpose::Transactional,
        attempt: 2,
        expires_ms: i64::MAX,
        idempotency_key: "key-1",
        collapse_key: "",
        decision_id: "d-1",
        address_json,
        payload,
        unsubscribe_url: "",
    }
}

fn deliver(channel: &dyn ChannelInstance, texts: &[&str]) -> Delivered {
    let payloads: Vec<Filled> = texts.iter().map(|text| payload(text)).collect();
    let messages: Vec<ChannelMessage<'_>> =
        payloads.iter().map(|payload| message(r#""front""#, payload)).collect();
    channel.deliver(&messages, &soon())
}

/// Begun or not, and what became of it.
fn summary(delivered: &Delivered) -> Vec<(bool, OutcomeStatus)> {
    delivered.deliveries.iter().map(|delivery| (delivery.begun, delivery.outcome.status)).collect()
}

#[test]
fn channels_and_metrics_of_one_library_are_listed() {
    let registry = load();
    let ids: Vec<&str> = registry.channels().iter().map(|channel| channel.id.as_str()).collect();
    assert_eq!(ids, ["fixture_desk", "fixture_panics", "fixture_silent", "fixture_twice", "fixture_flood"]);
    assert!(registry.find("fixture_orders").is_some());
    assert_eq!(registry.skipped(), []);
    let desk = registry.find_channel("fixture_desk").unwrap();
    assert_eq!(
        (desk.title.as_str(), desk.plugin_id.as_str()),
        ("Order desk", "com.example.fixture-channels")
    );
    assert_eq!(desk.class, ProviderClass::Keyed { key_ttl_s: 72_000 });
    assert_eq!((desk.batch_max, desk.parallel_max, desk.payload_limit), (3, 2, Some(64)));
    assert!(desk.config_schema.contains(r#""x-podium-secret":true"#), "{}", desk.config_schema);
    assert_eq!(registry.find_channel("fixture_flood").unwrap().class, ProviderClass::Pull);
}

#[test]
fn the_same_is_listed_wherever_it_runs() {
    let (registry, folder) = (load(), Folder::new("channels-listed").with(&["fixture_channels"]));
    let listed = |registry: &Registry| {
        let without_file = |info: &ChannelInfo| ChannelInfo { file: PathBuf::new(), ..info.clone() };
        registry.channels().iter().map(without_file).collect::<Vec<_>>()
    };
    assert_eq!(listed(&registry), listed(&folder.load()));
}

#[test]
fn content_is_rendered_filled_and_delivered() {
    let registry = load();
    let desk = channel(&registry, "fixture_desk");
    let payload = desk.render(r#"{"note": "Hi {{ name | friend }}"}"#, &soon()).unwrap();
    assert_eq!(payload.placeholders(), ["name"]);
    let filled = payload.fill(|name| (name == "name").then_some("Ann \"A\""), |_, to| to.into()).unwrap();
    let delivered = desk.deliver(&[message(r#""front""#, &filled)], &soon());
    assert_eq!(delivered.fault, None);
    assert_eq!(summary(&delivered), [(true, OutcomeStatus::Accepted)]);
    let provider_id = &delivered.deliveries[0].outcome.provider_id;
    assert_eq!(provider_id, r#"wanted key-1 2 {"note":"Hi Ann \"A\""}"#);
}

#[test]
fn content_that_cannot_be_sent_names_the_place() {
    let registry = load();
    let desk = channel(&registry, "fixture_desk");
    let fault = desk.render(r#"{"text": "Hi"}"#, &soon()).unwrap_err();
    assert_eq!(fault, ChannelFault::Content { text: "/note: there is none".into() });
    let fault = desk.render(r#"{"note": "{{ a b }}"}"#, &soon()).unwrap_err();
    assert_eq!(fault.slug(), "bad-payload");
    assert!(fault.to_string().contains("body: \" a b \" is no placeholder"), "{fault}");
    let fault = channel(&registry, "fixture_silent").render("{}", &soon()).unwrap_err();
    assert_eq!(fault.to_string(), "it made a payload that is none: payload: 0 parts, but there are 1 to 64");
}

#[test]
fn what_a_channel_writes_is_limited() {
    let registry = load();
    let flood = channel(&registry, "fixture_flood");
    let fault = flood.render("{}", &soon()).unwrap_err();
    assert_eq!(fault, ChannelFault::TooMuch { limit: "an answer of 8 MiB" });
    let mut request = WebhookRequest { method: "POST", path: "/", query: "", headers: &[], body: b"" };
    let fault = flood.ingest(&request, &soon()).unwrap_err();
    assert_eq!(fault, ChannelFault::TooMuch { limit: "10,000 events" });
    request.body = b"odd";
    let fault = flood.ingest(&request, &soon()).unwrap_err();
    assert_eq!(fault.to_string(), "event 0 is none: it names neither a message nor an address");
}

#[test]
fn secrets_are_looked_up_and_never_shown() {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&lines);
    let log = HostLog::new(Level::Debug, move |line| seen.lock().unwrap().push(line.message.to_owned()));
    let registry = load_with(&["fixture_channels"], &log);
    let config = r#"{"token": {"secret": "DESK_TOKEN"}}"#;
    let find = |name: &str| (name == "DESK_TOKEN").then(|| "hunter2".to_owned());
    let desk = registry.create_channel_with("fixture_desk", config, &find).unwrap();
    assert_eq!(*lines.lock().unwrap(), ["created with Some(Secret(…))"]);
    assert_eq!(desk.health(&soon()), Ok(()));

    let request = |token| {
        let headers = [("content-type", "text/plain"), ("x-token", token)];
        let request =
            WebhookRequest { method: "POST", path: "/w", query: "a=1", headers: &headers, body: b"m-1\nm-2" };
        desk.ingest(&request, &soon())
    };
    let [first, second, track] = &request("hunter2").unwrap()[..] else { panic!("not three events") };
    let (ChannelEvent::Feedback(first), ChannelEvent::Feedback(second)) = (first, second) else {
        panic!("no feedback: {first:?}, {second:?}");
    };
    let about = [first, second].map(|feedback| (feedback.kind, feedback.provider_id.as_str()));
    assert_eq!(about, [(FeedbackKind::Bounced, "m-1"), (FeedbackKind::Bounced, "m-2")]);
    assert_eq!((first.detail.as_str(), first.for_good), ("a=1", true));
    let ChannelEvent::Track(track) = track else { panic!("no track event: {track:?}") };
    assert_eq!(
        track.as_json(),
        r#"{"type":"track","event":"Desk Told","messageId":"w-1","anonymousId":"c-1","properties":{"lines":2}}"#
    );
    let fault = request("guess").unwrap_err();
    assert_eq!(fault.to_string(), "it answered with code -7: the signature is wrong");
}

#[track_caller]
fn check_settings(config_json: &str, expected: &str) {
    let error = load().create_channel("fixture_desk", config_json).map(|_| "an instance").unwrap_err();
    assert_eq!(error, ChannelCreateError::Config { text: expected.into() }, "{config_json}");
}

#[test]
fn wrong_settings_are_refused_with_a_text() {
    check_settings("[]", "the configuration must be a JSON object");
    check_settings(r#"{"tokens": 1}"#, "unknown field `tokens`, expected `token` at line 1 column 9");
    let written = r#"a secret is named, as {"secret": "NAME"}, and not written out"#;
    check_settings(r#"{"token": "hunter2"}"#, &format!("{written} at line 1 column 20"));
    check_settings(r#"{"token": {"secret": "X"}}"#, "/token: there is no secret \"X\" for this plugin");
    check_settings(r#"{"token": {"secret": "X", "value": "y"}}"#, &format!("/token: {written}"));
}

#[test]
fn what_a_channel_does_not_do_is_said() {
    let registry = load();
    let request = WebhookRequest { method: "POST", path: "/", query: "", headers: &[], body: b"" };
    let twice = channel(&registry, "fixture_twice");
    assert_eq!(twice.ingest(&request, &soon()), Err(ChannelFault::Unsupported { what: "take webhooks" }));
    assert_eq!(twice.health(&soon()), Ok(()));
    let fault = channel(&registry, "fixture_desk").health(&soon()).unwrap_err();
    assert_eq!(fault, ChannelFault::Refused { code: -7, text: "there is no token".into() });
    let error = registry.create_channel("desk", "{}").map(|_| "an instance").unwrap_err();
    assert_eq!(
        error.to_string(),
        "there is no channel \"desk\"; the loaded ones are fixture_desk, fixture_panics, fixture_silent, \
         fixture_twice, fixture_flood"
    );
}

#[track_caller]
fn check_refused(example: &str, line: &str) {
    let registry = load_with(&[example, "fixture_channels"], &HostLog::discard());
    let lines: Vec<String> = registry.refusals().iter().map(ToString::to_string).collect();
    let slug = Slug::BadComponent;
    assert_eq!(lines, [format!("{example}.so: {slug}: {line}; {}", slug.advice())]);
    assert_eq!(registry.channels().len(), 5, "the healthy plugin is not loaded");
}

#[test]
fn channels_that_cannot_work_are_refused() {
    let line = "expected the function `deliver` of fixture_channel_no_deliver, found null";
    check_refused("fixture_channel_no_deliver", line);
    let line = "expected a max_batch of at least 1 of fixture_channel_no_batch, found 0";
    check_refused("fixture_channel_no_batch", line);
}

#[test]
fn an_unknown_class_is_blind_and_an_unknown_code_an_error() {
    let registry = load_with(&["fixture_channel_unknown_class"], &HostLog::discard());
    assert_eq!(registry.channels()[0].class, ProviderClass::Blind);
    let blind = channel(&registry, "fixture_channel_unknown_class");
    let delivered = deliver(&*blind, &["a"]);
    assert_eq!(delivered.fault, Some(ChannelFault::Refused { code: -7, text: String::new() }));
    assert_eq!(summary(&delivered), [(false, OutcomeStatus::Cancelled)]);
}

#[test]
fn a_channel_of_another_plugin_with_the_same_id_is_refused() {
    let first = Folder::new("same-first").with(&["fixture_channels"]);
    let second = Folder::new("same-second").with(&["fixture_channels"]);
    let folders = [first.path().to_owned(), second.path().to_owned()];
    let registry = Registry::load_with(&folders, &isolation(&first), &HostLog::discard());
    assert_eq!(registry.channels().len(), 5);
    assert_eq!(registry.refusals()[0].slug, Slug::DuplicateId);
}
