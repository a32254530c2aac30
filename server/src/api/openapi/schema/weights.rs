//! Weights versions, and what was believed when they were made.

use super::{Share, Time};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// Why weights are what they are: the registered split, even until each variant has its minimum, or by the allocator.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
enum Phase {
    Fixed,
    Exploring,
    Allocating,
}

/// What is believed of one variant.
#[derive(ToSchema)]
struct VariantBelief {
    /// The chance that it is the best one.
    p_best: Share,
    /// The chance that it is better than the control; none for the control, and without one.
    #[schema(required = true)]
    beats_control: Option<Share>,
    /// What serving it loses per unit if another is better, in the metric's unit; none while infinite.
    #[schema(required = true)]
    expected_loss: Option<f64>,
    /// The posterior mean, in the metric's unit; none as long as there is none.
    #[schema(required = true)]
    mean: Option<f64>,
    /// The posterior standard deviation, in the metric's unit; none as long as there is none.
    #[schema(required = true)]
    sd: Option<f64>,
}

/// What led to a weights version.
#[derive(ToSchema)]
struct Beliefs {
    /// Why weights are what they are.
    phase: Phase,
    /// What is believed of each active variant, in the order of the definition.
    beliefs: Vec<VariantBelief>,
}

/// Why a weights version was published.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
enum WeightsCause {
    Registered,
    Edited,
    Allocated,
}

/// The probabilities that units get the variants, from one moment on. Never changed; a newer version replaces it.
#[derive(ToSchema)]
#[schema(examples(json!({
    "version": 1, "created_at": "2026-11-27T09:30:00Z", "cause": "registered",
    "weights": {"control": 0.5, "banner": 0.5}
})))]
pub(super) struct Weights {
    /// Counts from 1 in each version of an experiment.
    #[schema(minimum = 1)]
    version: u32,
    /// When it was published.
    created_at: Time,
    /// Why.
    cause: WeightsCause,
    /// The probability of each variant by its key; they sum to 1.
    weights: BTreeMap<String, Share>,
    /// What was believed when it was made; only where weights move.
    #[schema(nullable = false)]
    beliefs: Option<Beliefs>,
}

/// Weights versions, newest first.
#[derive(ToSchema)]
pub(in crate::api::openapi) struct WeightsHistory {
    /// The versions.
    data: Vec<Weights>,
}
