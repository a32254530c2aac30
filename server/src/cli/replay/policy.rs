//! The policy that is judged, as a file says it.

use super::super::CliError;
use super::log::{Columns, Log, Names};
use podium_core::allocation::{Allocator, AllocatorConfig, Memory, Weights};
use podium_core::metric::MetricKind;
use podium_core::replay::Policy;
use serde::Deserialize;
use std::collections::BTreeMap;

/// A policy: weights that stay, or an allocator that learns.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PolicyFile {
    /// The weight of each variant; they need not sum to 1, and what is not named gets none.
    #[serde(default)]
    weights: Option<BTreeMap<String, f64>>,
    /// Other weights where the context is so; the first that fits.
    #[serde(default)]
    by_context: Vec<InContext>,
    /// An allocator as experiments have it.
    #[serde(default)]
    allocator: Option<AllocatorConfig>,
    /// How many rows it learns from at a time; a hundredth of all so far where that is more.
    #[serde(default = "units_per_version")]
    units_per_version: u32,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct InContext {
    /// The values of context columns.
    context: BTreeMap<String, String>,
    weights: BTreeMap<String, f64>,
}

fn units_per_version() -> u32 {
    500
}

impl PolicyFile {
    /// Reads a policy.
    pub(super) fn read(text: &str) -> Result<Self, CliError> {
        serde_json::from_str(text).map_err(CliError::from_display)
    }

    /// What people read of it.
    pub(super) fn title(&self) -> String {
        match &self.allocator {
            Some(config) if !is_fixed(config) => {
                format!("{}, new weights every {} rows", config.allocator.name(), self.units_per_version)
            }
            _ => "weights that stay".to_owned(),
        }
    }

    /// The policy for the variants and contexts of a log.
    pub(super) fn policy(&self, log: &Log, columns: &Columns) -> Result<Policy, CliError> {
        if let Some(config) = self.allocator.as_ref().filter(|config| !is_fixed(config)) {
            if self.weights.is_some() || !self.by_context.is_empty() {
                let detail = "a policy has weights that stay, or an allocator that moves them, not both";
                return Err(CliError(detail.to_owned()));
            }
            if config.memory != Memory::Everything || config.uniform_slice.is_some() {
                let detail = "a log has no days and its policy no slice: leave out `half_life_days`, \
                              `window_days` and `uniform_slice`";
                return Err(CliError(detail.to_owned()));
            }
            let kind = if log.is_binary { MetricKind::Proportion } else { MetricKind::Mean };
            let policy = Policy::learning(config.clone(), kind, log.variants.len(), self.units_per_version);
            return policy.map_err(CliError::from_display);
        }
        let looked_at = self.by_context.iter().flat_map(|case| case.context.keys());
        if let Some(name) = looked_at.into_iter().find(|name| !columns.context.contains(name)) {
            return Err(CliError(format!("the policy looks at `{name}`: say --context {name}")));
        }
        let weights = log.contexts.iter().map(|context| {
            let value = |name: &String| {
                let at = columns.context.iter().position(|column| column == name);
                at.and_then(|at| context.get(at))
            };
            let fits =
                |case: &&InContext| case.context.iter().all(|(name, wanted)| value(name) == Some(wanted));
            let case = self.by_context.iter().find(fits).map(|case| &case.weights);
            self.in_order(case.or(self.weights.as_ref()), &log.variants, context)
        });
        weights.collect::<Result<_, _>>().map(Policy::Fixed)
    }

    /// The weights that were chosen for a context, in the order of the log's variants.
    fn in_order(
        &self,
        chosen: Option<&BTreeMap<String, f64>>,
        variants: &Names,
        context: &[String],
    ) -> Result<Weights, CliError> {
        let weights = match chosen {
            Some(chosen) => {
                let mut shares = vec![0.0; variants.len()];
                for (name, weight) in chosen {
                    match variants.find(name).and_then(|idx| shares.get_mut(idx)) {
                        Some(share) => *share = *weight,
                        None if *weight == 0.0 => {}
                        None => return Err(CliError(format!("the log never shows `{name}`"))),
                    }
                }
                Weights::normalized(shares)
            }
            None if self.allocator.is_some() => Weights::uniform(variants.len()),
            None if self.by_context.is_empty() => {
                return Err(CliError("a policy has `weights` or an `allocator`".to_owned()));
            }
            None => {
                let context = context.join(", ");
                return Err(CliError(format!("the policy has no weights for the context {context}")));
            }
        };
        weights.map_err(CliError::from_display)
    }
}

fn is_fixed(config: &AllocatorConfig) -> bool {
    matches!(config.allocator, Allocator::Fixed(_))
}
