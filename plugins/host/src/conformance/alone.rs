//! One check by itself: in a process of its own, so that one that dies of it takes nothing along.

use super::{Law, Subject};
use crate::info::MetricInfo;
use crate::log::HostLog;
use crate::registry::Registry;
use std::path::Path;

/// Loads a plugin into this process and tells its metrics.
///
/// # Errors
///
/// The line of its refusal.
pub fn metrics_of(library: &Path) -> Result<Vec<MetricInfo>, String> {
    Ok(load(library)?.metrics().to_vec())
}

/// Examines one law of one metric.
///
/// # Errors
///
/// What is wrong, as one line: the file is refused, the settings are, or the law is not kept.
pub fn check(library: &Path, metric_id: &str, config_json: &str, law: Law) -> Result<(), String> {
    let registry = load(library)?;
    let subject = Subject::new(&registry, metric_id, config_json).map_err(|error| error.to_string())?;
    subject.check(law).map_err(|breach| breach.text)
}

/// Condenses what a metric answers into one number, to be compared with another process.
///
/// # Errors
///
/// As [`check`].
pub fn fingerprint(library: &Path, metric_id: &str, config_json: &str) -> Result<u64, String> {
    let registry = load(library)?;
    let subject = Subject::new(&registry, metric_id, config_json).map_err(|error| error.to_string())?;
    subject.fingerprint().map_err(|fault| fault.to_string())
}

fn load(library: &Path) -> Result<Registry, String> {
    let registry = Registry::load_file(library, &HostLog::discard());
    match registry.refusals().first() {
        Some(refusal) => Err(refusal.to_string()),
        None => Ok(registry),
    }
}
