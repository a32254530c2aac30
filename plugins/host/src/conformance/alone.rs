//! One check by itself: in a process of its own, so that one that dies of it takes nothing along.

use super::channel::{self, ChannelSubject, Lines, Promise, Protocol, Trial, Verdict};
use super::{Law, Subject};
use crate::channel_info::ChannelInfo;
use crate::info::PluginInfo;
use crate::registry::Registry;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// One thing to do with a plugin.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Job {
    /// List what it has.
    List {
        /// What doubles of a provider are to speak.
        protocol: Protocol,
    },
    /// Examine one law of one metric.
    Law {
        /// Which one.
        metric_id: String,
        /// Its settings.
        config_json: String,
        /// What it must be.
        law: Law,
    },
    /// Condense what a metric answers into one number, to be compared with another process.
    Fingerprint {
        /// Which one.
        metric_id: String,
        /// Its settings.
        config_json: String,
    },
    /// Examine one promise of one channel.
    Promise {
        /// Which one.
        channel_id: String,
        /// What it is tried with.
        trial: Trial,
        /// What it promises.
        promise: Promise,
    },
}

/// What came of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Said {
    /// What it is, the ids of its metrics, and those of its channels with what each promises.
    Has {
        /// What it says of itself.
        plugin: PluginInfo,
        /// The metrics.
        metrics: Vec<String>,
        /// The channels.
        channels: Vec<(String, Vec<Promise>)>,
    },
    /// What a metric answers, in short.
    Fingerprint(u64),
    /// Whether a law or a promise is kept.
    Verdict(Verdict),
    /// The job could not be done; says why, as one line.
    Failed(String),
}

/// Does one job in this process, which ought to do nothing else.
pub fn run(library: &Path, job: &Job) -> Said {
    let lines = Lines::default();
    let registry = channel::load(library, &lines);
    if let Some(refusal) = registry.refusals().first() {
        return Said::Failed(refusal.to_string());
    }
    match job {
        Job::List { protocol } => list(&registry, *protocol),
        Job::Law { metric_id, config_json, law } => match Subject::new(&registry, metric_id, config_json) {
            Ok(subject) => Said::Verdict(match examine(&subject, *law) {
                Ok(()) => Verdict::Kept,
                Err(text) => Verdict::Broken(text),
            }),
            Err(error) => Said::Failed(error.to_string()),
        },
        Job::Fingerprint { metric_id, config_json } => {
            match Subject::new(&registry, metric_id, config_json).map(|subject| subject.fingerprint()) {
                Ok(Ok(fingerprint)) => Said::Fingerprint(fingerprint),
                Ok(Err(fault)) => Said::Failed(fault.to_string()),
                Err(error) => Said::Failed(error.to_string()),
            }
        }
        Job::Promise { channel_id, trial, promise } => {
            match ChannelSubject::new(&registry, channel_id, trial, lines) {
                Some(subject) => Said::Verdict(subject.check(*promise)),
                None => Said::Failed(format!("there is no channel {channel_id:?}")),
            }
        }
    }
}

fn examine(subject: &Subject<'_>, law: Law) -> Result<(), String> {
    subject.check(law).map_err(|breach| breach.text)?;
    if law == Law::Pure { subject.makes_no_system_call() } else { Ok(()) }
}

fn list(registry: &Registry, protocol: Protocol) -> Said {
    let Some(plugin) = registry.plugins().first().cloned() else {
        return Said::Failed("it is no plugin".to_owned());
    };
    let metrics = registry.metrics().iter().map(|metric| metric.id.clone());
    let channel = |info: &ChannelInfo| (info.id.clone(), ChannelSubject::promises(info, protocol));
    let channels = registry.channels().iter().map(channel).collect();
    Said::Has { plugin, metrics: metrics.collect(), channels }
}
