//! Which differences may be announced, over all metrics.

use super::compare::Compared;
use super::decided::{ALPHA, Decided};
use super::input::{ReportInput, Role};
use crate::inference::evidence::discoveries;

/// Says of each difference whether it holds: of the primary metric and of guardrails by its own interval; of secondary
/// metrics, which are many and decide nothing, such that of all that are said to hold at most a share of 5 % does not.
pub(super) fn announce(input: &ReportInput<'_>, metrics: &mut [(Compared, Decided)]) {
    let is_secondary = |metric_idx: usize| {
        input.metrics.get(metric_idx).is_some_and(|metric| metric.role == Role::Secondary)
    };
    let mut places = Vec::new();
    let mut evidence = Vec::new();
    for (metric_idx, (_, decided)) in metrics.iter().enumerate() {
        for (variant_idx, pair) in decided.verdicts.against_control.iter().enumerate() {
            if let Some(pair) = pair.as_ref().filter(|_| is_secondary(metric_idx)) {
                places.push((metric_idx, variant_idx));
                evidence.push(pair.log_e);
            }
        }
    }
    let found = discoveries(&evidence, ALPHA);
    for (&(metric_idx, variant_idx), holds) in places.iter().zip(found) {
        let decided = metrics.get_mut(metric_idx).map(|(_, decided)| decided);
        let sequence = decided.and_then(|decided| decided.sequences.get_mut(variant_idx));
        if let Some(sequence) = sequence.and_then(Option::as_mut) {
            sequence.holds = holds;
        }
    }
}
