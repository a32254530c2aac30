//! What an edit makes of weights.

use super::{first_weights, now};
use crate::store::weights::StoredWeights;
use crate::store::{StoreError, weights};
use podium_core::experiment::{Experiment, Status};
use podium_core::snapshot::WeightsVersion;
use sea_orm::ConnectionTrait;

/// A new weights version, if the edit changes what assignments depend on.
pub(super) async fn next_weights_of_edit(
    db: &impl ConnectionTrait,
    before: &Experiment,
    after: &Experiment,
) -> Result<Option<StoredWeights>, StoreError> {
    let newest = weights::newest(db, after.id).await?;
    let current =
        newest.ok_or_else(|| StoreError::Corrupt(format!("no weights of `{}`", after.key)))?.weights;
    let mut next = first_weights(after, current.version + 1);
    if after.definition.is_adaptive() && before.status != Status::Draft {
        let was_active = |key: &str| {
            before
                .definition
                .variants
                .iter()
                .any(|variant| variant.key.as_str() == key && variant.is_active())
        };
        keep_proportions(&mut next, &current, was_active);
    }
    let unchanged = WeightsVersion { version: current.version, ..next.clone() } == current;
    Ok((!unchanged).then(|| StoredWeights {
        weights: next,
        created_at: now(),
        cause: "edited".to_owned(),
        beliefs: None,
    }))
}

/// Gives newcomers the even share, taken from the others in proportion; what was taken out goes to the others.
///
/// - `was_active`: whether the variant of a key could be assigned before; one that comes back is a newcomer.
fn keep_proportions(next: &mut WeightsVersion, current: &WeightsVersion, was_active: impl Fn(&str) -> bool) {
    let n_active = next.weights.iter().filter(|(_, weight)| *weight > 0.0).count();
    let before = |key: &str| {
        let of_key = current.weights.iter().find(|(other, _)| other == key);
        of_key.filter(|_| was_active(key)).map(|(_, weight)| *weight)
    };
    let is_new = |key: &str| before(key).is_none();
    let n_new = next.weights.iter().filter(|(key, _)| is_new(key)).count();
    let kept: f64 =
        next.weights.iter().filter(|(_, weight)| *weight > 0.0).filter_map(|(key, _)| before(key)).sum();
    let left = 1.0 - n_new as f64 / n_active.max(1) as f64;
    if kept <= 0.0 {
        return;
    }
    for (key, weight) in &mut next.weights {
        if *weight > 0.0 {
            *weight = before(key).map_or(1.0 / n_active as f64, |earlier| left * earlier / kept);
        }
    }
}
