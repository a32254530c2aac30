//! The shop's side: plain HTTP requests with a key, as any shop would send them.

use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_mins(1);
/// How often a request is sent again when the server says that it is busy.
const TRIES_MAX: u32 = 30;
const WAIT_MAX: Duration = Duration::from_secs(5);
/// The most units in one decide request.
pub(super) const UNITS_MAX: usize = 1_000;
/// How many events go into one request.
pub(super) const EVENTS_IN_BATCH: usize = 1_000;

/// Why the demo ends early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DemoError {
    /// Somebody pressed Ctrl-C.
    #[error("interrupted")]
    Interrupted,
    /// No answer at all.
    #[error("{request}: no answer: {error}")]
    NoAnswer { request: String, error: ureq::Error },
    /// An answer that is no success.
    #[error("{request}: {status} {detail}")]
    Refused { request: String, status: u16, detail: String },
    /// An answer, or a data file, of another shape than it should have.
    #[error("{0}")]
    Unexpected(String),
    /// The replay.
    #[error(transparent)]
    Replay(#[from] podium_core::replay::ReplayError),
}

/// The keys of the first start.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    /// Registers experiments and makes links.
    pub(crate) admin: String,
    /// Decides and sends events.
    pub(crate) server: String,
}

/// A shop that speaks to one server.
#[derive(Clone, Debug)]
pub(crate) struct Shop {
    agent: ureq::Agent,
    url: String,
    keys: Keys,
    stop: Arc<AtomicBool>,
}

/// One request.
struct Request<'a> {
    method: &'a str,
    path: &'a str,
    key: &'a str,
    body: Option<String>,
}

impl Shop {
    /// A shop whose requests end once `stop` is set.
    pub(crate) fn new(url: &str, keys: Keys, stop: Arc<AtomicBool>) -> Self {
        let config =
            ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(TIMEOUT)).build();
        Self { agent: config.into(), url: url.to_owned(), keys, stop }
    }

    /// The same shop with connections of its own, for another thread.
    pub(super) fn another(&self) -> Self {
        Self::new(&self.url, self.keys.clone(), Arc::clone(&self.stop))
    }

    /// Fails once somebody has pressed Ctrl-C.
    pub(super) fn check_stop(&self) -> Result<(), DemoError> {
        if self.stop.load(Ordering::Relaxed) { Err(DemoError::Interrupted) } else { Ok(()) }
    }

    /// Says whether the metrics that the demo needs are there, before anything is sent.
    pub(super) fn check_metrics(&self, needed: &[&str]) -> Result<(), DemoError> {
        let answer = self.admin("GET", "/api/v1/metrics", None)?;
        let offered: Vec<_> = list(&answer, "/data").iter().map(|metric| text(metric, "/metric")).collect();
        let missing: Vec<_> = needed.iter().copied().filter(|metric| !offered.contains(metric)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(DemoError::Unexpected(format!(
            "no loaded plugin offers {}: build the bundled one beside the binary with `cargo build --release`",
            missing.join(", ")
        )))
    }

    /// Registers an experiment and starts it.
    pub(super) fn run_experiment(&self, definition: &Value) -> Result<(), DemoError> {
        self.admin("POST", "/api/v1/experiments", Some(definition))?;
        let path = format!("/api/v1/experiments/{}/start", text(definition, "/key"));
        self.admin("POST", &path, Some(&json!({})))?;
        Ok(())
    }

    /// Sets up a channel.
    pub(super) fn set_up_channel(&self, key: &str, channel: &Value) -> Result<(), DemoError> {
        self.admin("PUT", &format!("/api/v1/channels/{key}"), Some(channel))?;
        Ok(())
    }

    /// Fetches a message.
    pub(super) fn message(&self, id: &str) -> Result<Value, DemoError> {
        self.admin("GET", &format!("/api/v1/messages/{id}"), None)
    }

    /// Asks which variant each unit gets, in the order of the units.
    pub(super) fn decide(&self, flag: &str, units: &[String]) -> Result<Vec<String>, DemoError> {
        let answer = self.server("/api/v1/decide", &json!({ "units": units, "flags": [flag] }))?;
        let decisions = list(&answer, "/decisions").iter();
        let variants: Vec<_> = decisions.map(|decision| text(decision, "/variant").to_owned()).collect();
        if variants.len() == units.len() && variants.iter().all(|variant| !variant.is_empty()) {
            return Ok(variants);
        }
        Err(DemoError::Unexpected(format!("`{flag}` was not decided for every unit: {answer}")))
    }

    /// Sends events; all of them must be new and good.
    pub(super) fn send(&self, events: &[Value]) -> Result<(), DemoError> {
        let answer = self.server("/api/v1/events", &json!({ "batch": events }))?;
        if answer.pointer("/accepted").and_then(Value::as_u64) == Some(events.len() as u64) {
            return Ok(());
        }
        Err(DemoError::Unexpected(format!("{} events were sent, but: {answer}", events.len())))
    }

    /// Fetches the report of an experiment.
    pub(super) fn report(&self, experiment: &str) -> Result<Value, DemoError> {
        self.admin("GET", &format!("/api/v1/experiments/{experiment}/report"), None)
    }

    /// Makes a link to the page of the report that needs no key.
    pub(super) fn link(&self, experiment: &str) -> Result<String, DemoError> {
        let path = format!("/api/v1/experiments/{experiment}/report-links");
        let answer = self.admin("POST", &path, None)?;
        Ok(text(&answer, "/url").to_owned())
    }

    fn admin(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value, DemoError> {
        self.call(&Request { method, path, key: &self.keys.admin, body: body.map(Value::to_string) })
    }

    pub(super) fn server(&self, path: &str, body: &Value) -> Result<Value, DemoError> {
        self.call(&Request { method: "POST", path, key: &self.keys.server, body: Some(body.to_string()) })
    }

    /// Sends a request, again as long as the server says that it is busy.
    fn call(&self, request: &Request<'_>) -> Result<Value, DemoError> {
        let named = || format!("{} {}", request.method, request.path);
        for _ in 0..TRIES_MAX {
            self.check_stop()?;
            let mut answer =
                self.send_once(request).map_err(|error| DemoError::NoAnswer { request: named(), error })?;
            let body = answer.body_mut().read_to_string();
            let body = body.map_err(|error| DemoError::NoAnswer { request: named(), error })?;
            let status = answer.status().as_u16();
            if matches!(status, 429 | 503) {
                let seconds = answer.headers().get("retry-after").and_then(|value| value.to_str().ok());
                let seconds = seconds.and_then(|seconds| seconds.parse().ok()).unwrap_or(1);
                std::thread::sleep(Duration::from_secs(seconds).min(WAIT_MAX));
                continue;
            }
            let json: Value = serde_json::from_str(&body).unwrap_or_default();
            if answer.status().is_success() {
                return Ok(json);
            }
            let detail = json.to_string();
            return Err(DemoError::Refused { request: named(), status, detail });
        }
        let detail = format!("still busy after {TRIES_MAX} tries");
        Err(DemoError::Refused { request: named(), status: 429, detail })
    }

    fn send_once(&self, request: &Request<'_>) -> Result<ureq::http::Response<ureq::Body>, ureq::Error> {
        let builder = ureq::http::Request::builder()
            .method(request.method)
            .uri(format!("{}{}", self.url, request.path))
            .header("authorization", format!("Bearer {}", request.key))
            .header("content-type", "application/json")
            .header("if-match", "*")
            // The demo asks for messages once.
            .header("idempotency-key", "podium-demo");
        match &request.body {
            Some(body) => self.agent.run(builder.body(body.as_str())?),
            None => self.agent.run(builder.body(())?),
        }
    }
}

/// The text at a JSON pointer, empty if there is none.
pub(super) fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The list at a JSON pointer, empty if there is none.
pub(super) fn list<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value.pointer(pointer).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}
