//! A shop: a running server with a database of its own, and what a shop asks of it.

use super::engine::{Database, Engine};
use super::folder::Folder;
use super::http::{Answer, Client};
use super::podium::{Podium, Settings};
use super::report::Report;
use serde_json::{Value, json};
use std::path::PathBuf;

/// The most events that are sent in one request here.
const BATCH_SIZE: usize = 500;
/// The most units that a decide call takes.
const UNITS_PER_CALL: usize = 1_000;

/// The server's folder in that of a shop.
const DATA_DIR: &str = "made-by-the-server";

/// A server, and a client with the admin key.
#[derive(Debug)]
pub(crate) struct Shop {
    pub(crate) podium: Podium,
    pub(crate) admin: Client,
    // Dropped after the server.
    pub(crate) database: Database,
    folder: Folder,
}

/// What became of the events that were sent.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Receipt {
    pub(crate) accepted: u64,
    pub(crate) duplicate: u64,
    pub(crate) rejected: Vec<Value>,
}

/// What a unit got.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Decision {
    pub(crate) unit: String,
    pub(crate) variant: Option<String>,
    pub(crate) reason: String,
    pub(crate) value: Value,
    pub(crate) propensity: Option<f64>,
    pub(crate) weights_version: Option<u64>,
    pub(crate) id: Option<String>,
}

/// Describes an experiment with these variants, the first being the control: conversion within two weeks, even
/// and fixed weights.
pub(crate) fn experiment(key: &str, variants: &[&str]) -> Value {
    let variants: Vec<Value> =
        variants.iter().map(|variant| json!({"key": variant, "content": {"title": variant}})).collect();
    json!({
        "key": key,
        "variants": variants,
        "primary_metric": {"metric": "conversion", "window_s": 14 * 86_400},
        "secondary_metrics": [
            {"metric": "revenue_per_visitor", "window_s": 14 * 86_400},
            {"metric": "net_revenue", "window_s": 14 * 86_400},
            {"metric": "aov", "window_s": 14 * 86_400},
        ],
    })
}

impl Shop {
    #[track_caller]
    pub(crate) fn open(engine: Engine) -> Self {
        Self::with_plugins(engine, Vec::new())
    }

    /// Opens a shop whose server also looks for plugins in these folders.
    #[track_caller]
    pub(crate) fn with_plugins(engine: Engine, plugin_dirs: Vec<PathBuf>) -> Self {
        Self::with(engine, plugin_dirs, &[])
    }

    /// The same, with variables in the server's environment.
    #[track_caller]
    pub(crate) fn with(engine: Engine, plugin_dirs: Vec<PathBuf>, env: &[(&str, &str)]) -> Self {
        super::plugins::ensure_bundled();
        let folder = Folder::new("data");
        let database = engine.database();
        // The server makes the folder: it is not there yet.
        let data_dir = folder.path().join(DATA_DIR);
        let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let settings = Settings { database: database.url().to_owned(), data_dir, plugin_dirs, env };
        let podium = Podium::start(settings);
        let admin = podium.client("admin");
        Self { podium, admin, database, folder }
    }

    /// Where the server keeps its keys and secrets.
    pub(crate) fn data_dir(&self) -> PathBuf {
        self.folder.path().join(DATA_DIR)
    }

    /// Starts the server again over the same data.
    #[track_caller]
    pub(crate) fn restart(&mut self) {
        self.podium.restart();
        self.admin = self.podium.client("admin");
    }

    /// The same with another value of a variable of the server's environment.
    #[track_caller]
    pub(crate) fn restart_with(&mut self, name: &str, value: &str) {
        self.podium.restart_with(name, value);
        self.admin = self.podium.client("admin");
    }

    #[track_caller]
    pub(crate) fn register(&self, experiment: &Value) -> Value {
        self.admin.post("/api/v1/experiments", experiment).expect(201)
    }

    /// Registers and starts an experiment.
    #[track_caller]
    pub(crate) fn run(&self, experiment: &Value) -> Value {
        self.register(experiment);
        self.act(experiment["key"].as_str().unwrap(), "start").expect(200)
    }

    /// Asks for a step of the lifecycle, whatever the state.
    #[track_caller]
    pub(crate) fn act(&self, key: &str, action: &str) -> Answer {
        let path = format!("/api/v1/experiments/{key}/{action}");
        self.admin.edit("POST", &path, "*", Some(&json!({})))
    }

    #[track_caller]
    pub(crate) fn experiment(&self, key: &str) -> Value {
        self.admin.get(&format!("/api/v1/experiments/{key}")).expect(200)
    }

    /// Edits an experiment as it stands.
    #[track_caller]
    pub(crate) fn patch(&self, key: &str, patch: &Value) -> Answer {
        let path = format!("/api/v1/experiments/{key}");
        let etag = self.admin.get(&path).etag();
        self.admin.edit("PATCH", &path, &etag, Some(patch))
    }

    #[track_caller]
    pub(crate) fn decide(&self, unit: &str, flag: &str) -> Decision {
        let body = json!({"unit": unit, "flags": [flag]});
        let answer = self.admin.post("/api/v1/decide", &body).expect(200);
        decisions(&answer).remove(0)
    }

    /// Decides on one flag for many units, in as few calls as there may be.
    #[track_caller]
    pub(crate) fn decide_all(&self, units: &[String], flag: &str) -> Vec<Decision> {
        let mut all = Vec::with_capacity(units.len());
        for units in units.chunks(UNITS_PER_CALL) {
            let answer =
                self.admin.post("/api/v1/decide", &json!({"units": units, "flags": [flag]})).expect(200);
            all.extend(decisions(&answer));
        }
        let in_order = all.iter().zip(units).all(|(decision, unit)| decision.unit == *unit);
        assert!(in_order && all.len() == units.len(), "one decision a unit, in the order of the units");
        all
    }

    /// Sends events in batches and adds up the receipts.
    #[track_caller]
    pub(crate) fn send(&self, events: &[Value]) -> Receipt {
        let mut receipt = Receipt::default();
        for batch in events.chunks(BATCH_SIZE) {
            receipt.add(&self.admin.post("/api/v1/events", &json!({"batch": batch})).expect(200));
        }
        receipt
    }

    /// Sends events of which none was sent before and none is wrong.
    #[track_caller]
    pub(crate) fn log(&self, events: &[Value]) {
        let receipt = self.send(events);
        let all = Receipt { accepted: events.len() as u64, ..Receipt::default() };
        assert_eq!(receipt, all, "every event is new and good");
    }

    #[track_caller]
    pub(crate) fn report(&self, key: &str) -> Report {
        Report(self.admin.get(&format!("/api/v1/experiments/{key}/report")).expect(200))
    }

    /// The history of weights, each with its version, in ascending order.
    #[track_caller]
    pub(crate) fn weights(&self, key: &str) -> Vec<Value> {
        let body = self.admin.get(&format!("/api/v1/experiments/{key}/weights?limit=500")).expect(200);
        let mut versions = body["data"].as_array().unwrap_or_else(|| panic!("no data in {body}")).clone();
        versions.sort_by_key(|version| version["version"].as_u64());
        versions
    }

    /// Stops the server, rebuilds its state from the log and checks that it equals what was live.
    #[track_caller]
    pub(crate) fn check_rebuild(&mut self) {
        if self.podium.is_running() {
            let status = self.podium.stop();
            assert!(status.success(), "SIGTERM ended it with {status}");
        }
        let rebuild = self.podium.rebuild(&["--check"]);
        let printed =
            String::from_utf8_lossy(&rebuild.stdout).into_owned() + &String::from_utf8_lossy(&rebuild.stderr);
        assert!(rebuild.status.success(), "the rebuilt state differs from the live one: {printed}");
    }
}

impl Receipt {
    #[track_caller]
    pub(crate) fn add(&mut self, body: &Value) {
        let count = |name: &str| body[name].as_u64().unwrap_or_else(|| panic!("no `{name}` in {body}"));
        self.accepted += count("accepted");
        self.duplicate += count("duplicate");
        self.rejected
            .extend(body["rejected"].as_array().unwrap_or_else(|| panic!("no `rejected` in {body}")).clone());
    }
}

impl Decision {
    /// The variant, if the unit is in the experiment.
    pub(crate) fn split(&self) -> Option<&str> {
        if self.reason == "SPLIT" { self.variant.as_deref() } else { None }
    }
}

/// The decisions of an answer.
#[track_caller]
pub(crate) fn decisions(answer: &Value) -> Vec<Decision> {
    let list = answer["decisions"].as_array().unwrap_or_else(|| panic!("no decisions in {answer}"));
    let text = |json: &Value| json.as_str().map(str::to_owned);
    list.iter()
        .map(|each| Decision {
            unit: text(&each["unit"]).unwrap_or_else(|| panic!("no unit in {each}")),
            variant: text(&each["variant"]),
            reason: text(&each["reason"]).unwrap_or_else(|| panic!("no reason in {each}")),
            value: each["value"].clone(),
            propensity: each["propensity"].as_f64(),
            weights_version: each["weights_version"].as_u64(),
            id: text(&each["decision_id"]),
        })
        .collect()
}
