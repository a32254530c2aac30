//! A configured metric whose plugin runs in a child.

use super::child::{Create, Created};
use super::plugin::{Plugin, Running};
use super::process::Death;
use super::record::Role;
use super::upgrade::Setting;
use super::wire::{Kind, batch_parts};
use crate::batch::Batch;
use crate::instance::{CreateError, MetricFault, MetricInstance};
use crate::raw::{Plain, bytes_of};
use podium_plugin_abi::MAGNITUDE_MAX;
use std::sync::Arc;
use std::time::Duration;

/// How long a metric may take for a batch. It answers in microseconds or not at all.
const DEADLINE: Duration = Duration::from_millis(250);
/// A batch that ends so many children is the reason.
const CHILDREN_PER_BATCH: usize = 3;

/// A configured metric in a child.
pub(crate) struct Supervised {
    plugin: Arc<Plugin>,
    /// The settings: how the instance is made anew.
    create_json: Vec<u8>,
    k: usize,
    fields_json: String,
    instance: u32,
}

impl Supervised {
    /// Makes an instance in the plugin's child.
    pub(crate) fn create(
        plugin: &Arc<Plugin>,
        metric: &str,
        k: usize,
        config_json: &str,
    ) -> Result<Self, CreateError> {
        let lost = |text: String| CreateError::Lost { text };
        let create_json = {
            let create = Create { component: metric.to_owned(), config_json: config_json.to_owned() };
            serde_json::to_vec(&create).map_err(|error| lost(error.to_string()))?
        };
        let mut running = plugin.running().map_err(|away| lost(away.text(plugin.id())))?;
        let instance = plugin.next_instance();
        let created = create(&mut running, instance, &create_json)
            .map_err(|death| {
                if !running.crashed_early(&death) {
                    running.count_crash(&death);
                }
                lost(death.to_string())
            })?
            .map_err(|fault| {
                serde_json::from_slice(&fault).unwrap_or_else(|error| lost(error.to_string()))
            })?;
        drop(running);
        let fields_json = created.fields_json;
        let setting = Setting {
            role: Role::Metrics,
            component: metric.to_owned(),
            create_json: create_json.clone(),
            fields_json: Some(fields_json.clone()),
        };
        plugin.remember(instance, setting);
        Ok(Self { plugin: Arc::clone(plugin), create_json, k, fields_json, instance })
    }

    /// Calls the instance, made anew where the child is another. A child that dies of a call is replaced and the
    /// call is made again; the last death is the fault. Of a file that just took over it is the file's, until that is
    /// gone back from.
    fn compute<T: Plain>(&self, kind: Kind, is_single: bool, parts: &[&[u8]]) -> Result<Vec<T>, MetricFault> {
        let mut survived = None;
        let mut n_deaths = 0;
        loop {
            let mut running = self
                .plugin
                .running()
                .map_err(|away| MetricFault::Away { text: away.text(self.plugin.id()) })?;
            let answer = self.make(&mut running).and_then(|made| match made {
                Ok(()) => running.call(|process| process.compute((kind, self.instance), parts, DEADLINE)),
                Err(fault) => Ok(Err(fault)),
            });
            match answer {
                Ok(Ok(numbers)) => {
                    if let Some(death) = &survived {
                        running.count_crash(death);
                    }
                    return Ok(numbers);
                }
                Ok(Err(fault)) => {
                    let unreadable = |error: serde_json::Error| MetricFault::Lost { text: error.to_string() };
                    return Err(serde_json::from_slice(&fault).unwrap_or_else(unreadable));
                }
                Err(Death::TooLarge(text)) => return Err(MetricFault::TooLarge { text }),
                // At most so often as an upgrade may crash.
                Err(death) if running.crashed_early(&death) => {}
                Err(death) => {
                    n_deaths += 1;
                    // A loop takes as long every time; only a crash may have had another reason.
                    let gives_up = CHILDREN_PER_BATCH <= n_deaths || matches!(death, Death::Late(_));
                    // Of a batch of many, it is still to be found out which event it was.
                    if gives_up && is_single {
                        running.count_crash(&death);
                    }
                    if gives_up {
                        return Err(MetricFault::Crashed { text: death.to_string() });
                    }
                    survived = Some(death);
                }
            }
        }
    }

    /// Makes the instance in the child that runs, unless it is there.
    fn make(&self, running: &mut Running<'_>) -> Result<Result<(), Vec<u8>>, Death> {
        if running.has(self.instance) {
            return Ok(Ok(()));
        }
        let created = create(running, self.instance, &self.create_json)?;
        Ok(created.map(drop).map_err(|fault| {
            let text = String::from_utf8_lossy(&fault).into_owned();
            serde_json::to_vec(&MetricFault::Lost { text }).unwrap_or_default()
        }))
    }
}

impl MetricInstance for Supervised {
    fn k(&self) -> usize {
        self.k
    }

    fn fields_json(&self) -> &str {
        &self.fields_json
    }

    fn observe(&self, batch: &Batch) -> Result<Vec<i64>, MetricFault> {
        let mut description = Vec::new();
        let parts = batch_parts(batch, &mut description);
        let is_single = batch.len() <= 1;
        let numbers: Vec<i64> = self.compute(Kind::Observe, is_single, &parts)?;
        if numbers.len() != batch.len() * self.k {
            return Err(MetricFault::Crashed { text: "its answer has the wrong length".to_owned() });
        }
        match numbers.iter().position(|number| !(-MAGNITUDE_MAX..=MAGNITUDE_MAX).contains(number)) {
            None => Ok(numbers),
            Some(idx) => Err(MetricFault::BadContribution {
                row: idx / self.k,
                accumulator: idx % self.k,
                found: numbers[idx] as f64,
            }),
        }
    }

    fn value(&self, sums: &[i64]) -> Result<Vec<(f64, f64)>, MetricFault> {
        let is_single = sums.len() <= self.k;
        let numbers: Vec<f64> = self.compute(Kind::Value, is_single, &[bytes_of(sums)])?;
        if numbers.len() * self.k != 2 * sums.len() {
            return Err(MetricFault::Crashed { text: "its answer has the wrong length".to_owned() });
        }
        Ok(numbers.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect())
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        self.plugin.forget(self.instance);
    }
}

fn create(
    running: &mut Running<'_>,
    instance: u32,
    create_json: &[u8],
) -> Result<Result<Created, Vec<u8>>, Death> {
    let created = running.call(|process| process.create(instance, create_json))?;
    Ok(created.and_then(|created| {
        let unreadable = |error: serde_json::Error| CreateError::Lost { text: error.to_string() };
        serde_json::from_slice(&created)
            .map_err(|error| serde_json::to_vec(&unreadable(error)).unwrap_or_default())
    }))
}
