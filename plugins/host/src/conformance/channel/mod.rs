//! The promises that a channel must keep, as checks of what was really built.
//!
//! A check renders content that nobody expects, and delivers to doubles of a provider that answer,
//! refuse, hang and break off. It talks to nothing but loopback, if the settings name the double's address: the
//! texts `{{endpoint}}`, or `{{host}}` and `{{port}}`, stand for it.

mod delivery;
mod double;
mod outcomes;
mod promise;
mod render;
mod secrets;
mod settings;

mod webhooks;

use crate::channel_info::{ChannelInfo, ProviderClass};
use crate::channel_instance::{ChannelCall, ChannelCreateError, ChannelInstance};
use crate::log::{HostLog, Level};
use crate::registry::Registry;
use double::Double;
pub use double::Protocol;
pub use promise::Promise;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// What stands for the address of a double in the settings.
const PLACES: [&str; 3] = ["{{endpoint}}", "{{host}}", "{{port}}"];

/// What a channel is tried with.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Trial {
    /// Its settings, with the places of the double's address.
    pub config_json: String,
    /// The values of the secrets that the settings name; others are made up.
    pub secrets: BTreeMap<String, String>,
    /// Where messages go, in the channel's form; `None`: something is made up.
    pub address_json: Option<String>,
    /// What a variant shows, in the channel's form; `None`: something is made up.
    pub content_json: Option<String>,
    /// What the doubles speak.
    pub protocol: Protocol,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// The promise is kept.
    Kept,
    /// It could not be tried; says what is missing for that.
    NotTried(String),
    /// It is broken; says what happened.
    Broken(String),
}

/// A loaded channel, ready to be examined.
pub struct ChannelSubject<'a> {
    registry: &'a Registry,
    info: &'a ChannelInfo,
    trial: &'a Trial,
    lines: Lines,
}

/// What a plugin logged.
#[derive(Clone, Default)]
pub struct Lines(Arc<Mutex<Vec<String>>>);

impl Lines {
    /// Makes a log that keeps every line here.
    pub fn log(&self) -> HostLog {
        let kept = Arc::clone(&self.0);
        HostLog::new(Level::Trace, move |line| {
            let text = format!("{} {} {}", line.target, line.message, line.fields_json);
            kept.lock().unwrap_or_else(PoisonError::into_inner).push(text);
        })
    }

    fn texts(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Why a promise does not hold, or cannot be tried.
enum Failed {
    NotTried(String),
    Broken(String),
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self::NotTried(format!("no double of a provider can be started: {error}"))
    }
}

type Checked = Result<(), Failed>;

fn broken<T>(text: impl Into<String>) -> Result<T, Failed> {
    Err(Failed::Broken(text.into()))
}

impl<'a> ChannelSubject<'a> {
    /// Takes a channel of a registry that logs into `lines`; `None` if there is no such channel.
    pub fn new(registry: &'a Registry, channel_id: &str, trial: &'a Trial, lines: Lines) -> Option<Self> {
        let info = registry.find_channel(channel_id)?;
        Some(Self { registry, info, trial, lines })
    }

    /// Lists what this channel promises: one that is pulled delivers nothing.
    pub fn promises(info: &ChannelInfo, protocol: Protocol) -> Vec<Promise> {
        let speaks_http = protocol == Protocol::Http;
        let is_made = |promise: &Promise| match promise {
            Promise::HonestConfig | Promise::Pure | Promise::Total | Promise::Webhooks | Promise::Secrets => {
                true
            }
            _ if info.class == ProviderClass::Pull => false,
            Promise::SameKey => speaks_http && matches!(info.class, ProviderClass::Keyed { .. }),
            Promise::Accepted | Promise::Answers | Promise::RateLimit | Promise::TooLate => speaks_http,
            Promise::Breaks | Promise::Deadline => true,
        };
        Promise::ALL.into_iter().filter(is_made).collect()
    }

    /// Examines one promise.
    pub fn check(&self, promise: Promise) -> Verdict {
        let checked = match promise {
            Promise::HonestConfig => self.honest_config(),
            Promise::Pure => self.pure(),
            Promise::Total => self.total(),
            Promise::Webhooks => self.webhooks(),
            Promise::Accepted => self.accepted(),
            Promise::Answers => self.answers(),
            Promise::RateLimit => self.rate_limit(),
            Promise::Breaks => self.breaks(),
            Promise::Deadline => self.deadline(),
            Promise::TooLate => self.too_late(),
            Promise::SameKey => self.same_key(),
            Promise::Secrets => self.secrets(),
        };
        match checked {
            Ok(()) => Verdict::Kept,
            Err(Failed::NotTried(text)) => Verdict::NotTried(text),
            Err(Failed::Broken(text)) => Verdict::Broken(text),
        }
    }

    /// Makes an instance whose provider is at `address`.
    fn create(&self, address: SocketAddr) -> Result<Box<dyn ChannelInstance>, Failed> {
        self.try_create(&self.config(address)).map_err(|error| {
            Failed::NotTried(format!("it does not take these settings: {error}; give others by --config"))
        })
    }

    fn try_create(&self, config_json: &str) -> Result<Box<dyn ChannelInstance>, ChannelCreateError> {
        self.registry.create_channel_with(&self.info.id, config_json, &|name| Some(self.secret(name)))
    }

    fn config(&self, address: SocketAddr) -> String {
        let [endpoint, host, port] = PLACES;
        let config = self.trial.config_json.replace(endpoint, &format!("http://{address}/"));
        config.replace(host, &address.ip().to_string()).replace(port, &address.port().to_string())
    }

    fn secret(&self, name: &str) -> String {
        self.trial.secrets.get(name).cloned().unwrap_or_else(|| format!("podium-check-{name}"))
    }

    /// Nothing is delivered unless it goes to a double.
    fn names_the_double(&self) -> Checked {
        if PLACES.iter().any(|place| self.trial.config_json.contains(place)) {
            return Ok(());
        }
        let text = "the settings do not name the double's address: put `{{endpoint}}`, or `{{host}}` and \
                    `{{port}}`, where the provider's goes";
        Err(Failed::NotTried(text.into()))
    }
}

/// A call that ends after `time`.
fn call(time: Duration) -> ChannelCall {
    let time_ms = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
    let deadline_ms = crate::channel_calls::now_ms().saturating_add(time_ms);
    ChannelCall { deadline_ms, ..ChannelCall::default() }
}

/// Loads a plugin whose lines are kept.
pub(super) fn load(library: &Path, lines: &Lines) -> Registry {
    Registry::load_file(library, &lines.log())
}
