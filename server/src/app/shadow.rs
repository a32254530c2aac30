//! How an experiment spreads units, also while nobody is shown anything of it.

use super::App;
use crate::store::{StoreError, stats, weights};
use podium_core::experiment::Experiment;
use podium_core::inference::sample_ratio::{Counted, chi_square};
use podium_core::snapshot::WeightsVersion;
use serde::Serialize;
use std::collections::BTreeMap;

/// How many units each variant was assigned, and how many it should have been.
#[derive(Debug, Serialize)]
pub(crate) struct Spread {
    experiment: String,
    version: u32,
    /// Whether it runs in the shadow.
    shadow: bool,
    units: u64,
    variants: Vec<VariantSpread>,
    /// The probability of so uneven a spread if nothing is wrong; none while there are no units to compare.
    p_value: Option<f64>,
    /// Units assigned under weights that are no longer there.
    left_out: u64,
}

#[derive(Debug, Serialize)]
struct VariantSpread {
    key: String,
    units: u64,
    /// The share that the weights want, in the mean over the units; none without units.
    wanted: Option<f64>,
    found: Option<f64>,
}

impl App {
    /// Counts the units that an experiment has assigned, exposed or not.
    pub(crate) async fn spread(&self, experiment: &Experiment) -> Result<Spread, StoreError> {
        self.queue.barrier().await.map_err(|error| StoreError::Unavailable(error.to_string()))?;
        let db = self.store.reader();
        let n_variants = experiment.definition.variants.len();
        let mut by_version: BTreeMap<u32, Vec<u64>> = BTreeMap::new();
        for (version, variant_idx, n) in stats::assigned(db, experiment.id).await? {
            let units = by_version.entry(version).or_insert_with(|| vec![0; n_variants]);
            if let Some(units) = units.get_mut(usize::from(variant_idx)) {
                *units += n;
            }
        }
        let mut shares = Vec::with_capacity(by_version.len());
        for version in by_version.keys() {
            let stored = weights::find(db, experiment.id, *version).await?;
            shares.push(stored.map(|stored| wanted(experiment, &stored.weights)));
        }
        let strata = by_version.values().zip(&shares);
        let strata: Vec<_> =
            strata.map(|(units, shares)| Counted { shares: shares.as_deref(), units }).collect();
        Ok(spread_of(experiment, &strata))
    }
}

/// The probability of each variant under some weights, with that of the uniform slice.
fn wanted(experiment: &Experiment, weights: &WeightsVersion) -> Vec<f64> {
    let slice = experiment.definition.allocator.uniform_slice.map_or(0.0, |share| share.get());
    let sum: f64 = weights.weights.iter().map(|(_, weight)| weight).sum();
    let n_active = weights.weights.iter().filter(|(_, weight)| 0.0 < *weight).count();
    let share = |key: &str| {
        let weight = weights.weights.iter().find(|(other, _)| other == key).map(|(_, weight)| *weight);
        let even = |weight: &f64| (1.0 - slice) * weight / sum + slice / n_active as f64;
        weight.filter(|weight| 0.0 < *weight).as_ref().map_or(0.0, even)
    };
    experiment.definition.variants.iter().map(|variant| share(variant.key.as_str())).collect()
}

fn spread_of(experiment: &Experiment, strata: &[Counted<'_>]) -> Spread {
    let n_of = |stratum: &Counted<'_>| stratum.units.iter().sum::<u64>();
    let known = || strata.iter().filter(|stratum| stratum.shares.is_some());
    let (all, n_known) = (strata.iter().map(n_of).sum::<u64>(), known().map(n_of).sum::<u64>());
    let variants = experiment.definition.variants.iter().enumerate().map(|(variant_idx, variant)| {
        let units = |stratum: &Counted<'_>| stratum.units.get(variant_idx).copied().unwrap_or_default();
        let expected: f64 = known()
            .filter_map(|stratum| Some(n_of(stratum) as f64 * stratum.shares?.get(variant_idx)?))
            .sum();
        let observed: u64 = known().map(units).sum();
        VariantSpread {
            key: variant.key.to_string(),
            units: strata.iter().map(units).sum(),
            wanted: (0 < n_known).then(|| expected / n_known as f64),
            found: (0 < n_known).then(|| observed as f64 / n_known as f64),
        }
    });
    let variants = variants.collect();
    Spread {
        experiment: experiment.key.to_string(),
        version: experiment.version,
        shadow: experiment.definition.shadow,
        units: all,
        variants,
        p_value: chi_square(strata).map(|found| found.p_value),
        left_out: all - n_known,
    }
}
