//! What every weights version keeps to, whatever the allocator.

#![expect(clippy::unwrap_used, reason = "a test that cannot build its world should stop")]

use podium_core::allocation::{
    AllocationError, AllocationInput, AllocatorConfig, ArmState, ArmStratum, Phase, WeightsVersionDraft,
    next_weights,
};
use podium_core::metric::{Direction, MetricKind, VariantSums};
use podium_core::posterior::VARIANTS_MAX;
use proptest::prelude::*;

const ADAPTIVE: [&str; 4] = ["thompson", "top_two", "epsilon_greedy", "ucb1"];

fn rate(n: i64, successes: i64) -> VariantSums {
    let (y, d) = (i128::from(successes), i128::from(n));
    VariantSums { n, n_nonzero: successes, y, d, yy: y, yd: y, dd: d }
}

/// A variant with its sums in one stratum.
#[derive(Clone, Copy, Debug)]
struct Arm {
    sums: VariantSums,
    strata: u32,
    share: f64,
}

fn arm(n: i64, successes: i64, strata: u32) -> Arm {
    Arm { sums: rate(n, successes), strata, share: 1.0 }
}

fn config(json: &str) -> AllocatorConfig {
    serde_json::from_str(json).unwrap()
}

fn adaptive(name: &str) -> AllocatorConfig {
    config(&format!(r#"{{"type": "{name}"}}"#))
}

/// The question that is put about the variants.
#[derive(Clone, Copy)]
struct Question {
    kind: MetricKind,
    direction: Direction,
    control_idx: Option<usize>,
}

/// The control is the first variant, and more is better.
const RATES: Question =
    Question { kind: MetricKind::Proportion, direction: Direction::Increase, control_idx: Some(0) };

impl Question {
    fn next(self, config: &AllocatorConfig, arms: &[Arm]) -> Result<WeightsVersionDraft, AllocationError> {
        let states: Vec<_> =
            arms.iter().map(|arm| ArmState { strata: arm.strata, share: arm.share }).collect();
        let stratum = ArmStratum { age_days: 1.0, sums: arms.iter().map(|arm| arm.sums).collect() };
        let Self { kind, direction, control_idx } = self;
        let input = AllocationInput { kind, direction, control_idx, arms: &states, strata: &[stratum] };
        next_weights(config, &input)
    }
}

fn next(config: &AllocatorConfig, arms: &[Arm]) -> WeightsVersionDraft {
    RATES.next(config, arms).unwrap()
}

#[track_caller]
fn check_weights(draft: &WeightsVersionDraft, expected: &[f64]) {
    let weights = draft.weights.as_slice();
    assert_eq!(weights.len(), expected.len());
    for (weight, expected) in weights.iter().zip(expected) {
        assert!((weight - expected).abs() < 1e-3, "{weights:?} for {expected}");
    }
}

#[test]
fn weights_are_even_until_each_variant_has_its_minimum() {
    let enough = arm(200, 9, 2);
    for name in ADAPTIVE {
        for missing in [arm(0, 0, 0), arm(99, 9, 2), arm(200, 4, 2), arm(200, 9, 1)] {
            // One that lacks strata lacks them like the others, or it would be a newcomer.
            let like = |other: Arm| Arm { strata: missing.strata, ..other };
            let draft = next(&adaptive(name), &[like(enough), missing, like(enough)]);
            assert_eq!(draft.phase, Phase::Exploring, "{name}, {missing:?}");
            check_weights(&draft, &[1.0 / 3.0; 3]);
        }
        let draft = next(&adaptive(name), &[enough, arm(100, 5, 2), enough]);
        assert_eq!(draft.phase, Phase::Allocating, "{name}");
    }
}

#[test]
fn nothing_known_is_no_error() {
    for kind in [MetricKind::Proportion, MetricKind::Mean, MetricKind::Ratio] {
        let arms = [arm(0, 0, 0); 4];
        let question = Question { kind, direction: Direction::Decrease, control_idx: None };
        let draft = question.next(&AllocatorConfig::default(), &arms).unwrap();
        check_weights(&draft, &[0.25; 4]);
        assert!(draft.beliefs.iter().all(|belief| (belief.p_best.get() - 0.25).abs() < 1e-12));
    }
}

#[test]
fn a_mean_is_allocated_without_exploration_even_if_a_variant_has_no_unit() {
    let config = config(r#"{"type": "thompson", "min_units": 0, "min_nonzero": 0, "min_strata": 0}"#);
    let arms = [arm(0, 0, 0), arm(50, 20, 0), arm(50, 10, 0)];
    let draft = Question { kind: MetricKind::Mean, ..RATES }.next(&config, &arms).unwrap();
    assert_eq!(draft.phase, Phase::Allocating);
    assert_eq!((draft.beliefs[0].mean, draft.beliefs[0].expected_loss), (None, None));
    assert!(draft.beliefs[1].mean.is_some() && draft.beliefs[1].sd.is_some());
}

#[test]
fn a_clear_leader_gets_all_that_floors_leave() {
    let arms = [arm(50_000, 1000, 9), arm(50_000, 1000, 9), arm(50_000, 1500, 9)];
    let tenth = r#"{"type": "thompson", "floor": 0.01, "control_floor": 0.1}"#;
    check_weights(&next(&adaptive("thompson"), &arms), &[0.10, 0.05, 0.85]);
    check_weights(&next(&config(r#"{"type": "thompson", "floor": 0.01}"#), &arms), &[0.01, 0.01, 0.98]);
    check_weights(&next(&config(tenth), &arms), &[0.10, 0.01, 0.89]);
    check_weights(&next(&config(r#"{"type": "thompson", "floor": 0.0}"#), &arms), &[0.0, 0.0, 1.0]);
    // Half to the leader, half to the challengers, who are alike: then the floors.
    check_weights(&next(&adaptive("top_two"), &arms), &[0.30, 0.25, 0.45]);
    // A tenth evenly: then the floors.
    check_weights(&next(&adaptive("epsilon_greedy"), &arms), &[0.1267, 0.0767, 0.7967]);
    check_weights(&next(&adaptive("ucb1"), &arms), &[0.10, 0.05, 0.85]);
}

#[test]
fn default_floors_shrink_with_the_number_of_variants() {
    let mut arms = vec![arm(50_000, 1000, 9); 64];
    arms[63] = arm(50_000, 2000, 9);
    let draft = next(&adaptive("thompson"), &arms);
    let floor = 0.5 / 64.0;
    assert!((draft.weights.get(0) - 0.10).abs() < 1e-9, "{:?}", draft.weights);
    assert!((draft.weights.get(1) - floor).abs() < 1e-9, "{:?}", draft.weights);
    assert!((draft.weights.get(63) - (0.90 - 62.0 * floor)).abs() < 1e-9, "{:?}", draft.weights);
}

#[test]
fn a_fixed_split_keeps_its_shares() {
    let shares = [(3.0, 900), (1.0, 10), (0.0, 500)];
    let arms = shares.map(|(share, successes)| Arm { share, ..arm(1000, successes, 4) });
    let draft = next(&adaptive("fixed"), &arms);
    assert_eq!((draft.weights.as_slice(), draft.phase), (&[0.75, 0.25, 0.0][..], Phase::Fixed));
    assert!(draft.beliefs[0].p_best.get() > 0.999_999);
}

#[test]
fn a_newcomer_gets_the_even_share_from_the_others_in_proportion() {
    let old = [arm(20_000, 400, 9), arm(20_000, 410, 9), arm(20_000, 420, 9)];
    let floor = r#"{"type": "thompson", "floor": 0.0}"#;
    let before = next(&config(floor), &old);
    for newcomer in [arm(0, 0, 0), arm(120, 2, 3), arm(5000, 50, 1)] {
        let after = next(&config(floor), &[old[0], old[1], old[2], newcomer]);
        assert_eq!(after.phase, Phase::Allocating);
        assert!((after.weights.get(3) - 0.25).abs() < 1e-12, "{:?}", after.weights);
        for variant_idx in 0..3 {
            let expected = 0.75 * before.weights.get(variant_idx);
            assert!((after.weights.get(variant_idx) - expected).abs() < 1e-9, "{:?}", after.weights);
        }
    }
    // With its minimum reached it is like the others.
    let after = next(&config(floor), &[old[0], old[1], old[2], arm(300, 5, 2)]);
    assert!((after.weights.get(3) - after.beliefs[3].p_best.get()).abs() < 1e-9);
    // Default floors hold beside it.
    let after = next(&adaptive("thompson"), &[old[0], old[1], old[2], arm(0, 0, 0)]);
    assert!((after.weights.get(3) - 0.25).abs() < 1e-12);
    assert!(0.10 <= after.weights.get(0) && 0.05 <= after.weights.get(1), "{:?}", after.weights);
}

#[test]
fn a_higher_control_floor_lifts_the_control_above_no_leader() {
    // The control is close behind: its floor alone would give it more than the leader.
    let arms = [arm(2000, 41, 3), arm(2000, 42, 3), arm(2000, 20, 3)];
    for name in ["thompson", "top_two"] {
        let weights = next(&adaptive(name), &arms).weights;
        assert!(weights.get(0) <= weights.get(1) + 1e-12, "{name}: {weights:?}");
        assert!((weights.as_slice().iter().sum::<f64>() - 1.0).abs() < 1e-12);
    }
}

#[test]
fn challengers_are_told_apart_where_chances_vanish() {
    // Nobody has a measurable chance against the leader, yet the second is far more likely than the third.
    let arms = [arm(1_000_000, 20_000, 9), arm(1_000_000, 25_000, 9), arm(1_000_000, 30_000, 9)];
    let draft = next(&config(r#"{"type": "top_two", "floor": 0.0}"#), &arms);
    check_weights(&draft, &[0.0, 0.5, 0.5]);
}

#[test]
fn a_variant_without_a_chance_is_not_taken_out() {
    let arms = [arm(1_000_000, 20_000, 9), arm(1_000_000, 50_000, 9)];
    for name in ADAPTIVE {
        let weights = next(&config(&format!(r#"{{"type": "{name}", "floor": 0.0}}"#)), &arms).weights;
        assert!(weights.as_slice().iter().all(|&weight| 0.0 < weight), "{name}: {weights:?}");
    }
}

#[test]
fn one_variant_left_gets_everything() {
    for name in ADAPTIVE.into_iter().chain(["fixed"]) {
        for only in [arm(0, 0, 0), arm(500, 20, 9)] {
            check_weights(&next(&adaptive(name), &[only]), &[1.0]);
        }
    }
}

#[test]
fn impossible_input_is_an_error() {
    let config = config(r#"{"type": "thompson", "floor": 0.3}"#);
    let error = |config, arms: &[Arm]| RATES.next(config, arms).unwrap_err();
    let default = AllocatorConfig::default();
    assert!(matches!(error(&config, &[arm(500, 20, 9); 4]), AllocationError::FloorTooHigh(_)));
    assert!(matches!(error(&default, &[]), AllocationError::Shares(_)));
    assert!(matches!(error(&default, &[arm(1, 0, 0); VARIANTS_MAX + 1]), AllocationError::Shares(_)));
    assert!(matches!(error(&default, &[arm(1, 2, 0); 2]), AllocationError::Posteriors(_)));
    let nothing = Arm { share: 0.0, ..arm(500, 20, 9) };
    assert!(matches!(error(&adaptive("fixed"), &[nothing; 2]), AllocationError::Shares(_)));
}

#[test]
fn a_draft_survives_json() {
    let draft = next(&adaptive("thompson"), &[arm(2000, 41, 3), arm(2000, 52, 3), arm(1500, 20, 1)]);
    let json = serde_json::to_string(&draft).unwrap();
    assert_eq!(serde_json::from_str::<WeightsVersionDraft>(&json).unwrap(), draft);
}

fn arms() -> impl Strategy<Value = Vec<Arm>> {
    let one = (0..200_000_i64, 0.0..0.2_f64, 0..6_u32)
        .prop_map(|(n, share, strata)| arm(n, (share * n as f64) as i64, strata));
    prop::collection::vec(one, 2..=20)
}

fn directions() -> impl Strategy<Value = Direction> {
    prop_oneof![Just(Direction::Increase), Just(Direction::Decrease)]
}

proptest! {
    #[test]
    fn every_version_is_a_distribution_above_its_floors(
        arms in arms(),
        name in prop::sample::select(ADAPTIVE.to_vec()),
        reserved in 0.0..1.0_f64,
        control_idx in prop::option::of(0..20_usize),
        direction in directions(),
    ) {
        let control_idx = control_idx.filter(|&control_idx| control_idx < arms.len());
        let floor = reserved / arms.len() as f64;
        let config = config(&format!(r#"{{"type": "{name}", "floor": {floor}}}"#));
        for kind in [MetricKind::Proportion, MetricKind::Mean, MetricKind::Ratio] {
            let weights = Question { kind, direction, control_idx }.next(&config, &arms).unwrap().weights;
            let sum: f64 = weights.as_slice().iter().sum();
            prop_assert!((sum - 1.0).abs() < 1e-12, "{sum}");
            prop_assert!(weights.as_slice().iter().all(|&weight| floor <= weight + 1e-15), "{floor} {weights:?}");
        }
    }

    #[test]
    fn default_floors_hold_for_the_control_and_the_others(
        arms in arms(),
        name in prop::sample::select(ADAPTIVE.to_vec()),
    ) {
        let weights = next(&adaptive(name), &arms).weights;
        let floor = f64::min(0.05, 0.5 / arms.len() as f64);
        prop_assert!(0.10 <= weights.get(0) + 1e-15, "{weights:?}");
        prop_assert!(weights.as_slice().iter().all(|&weight| floor <= weight + 1e-15), "{weights:?}");
    }

    #[test]
    fn the_likeliest_variant_never_gets_less_than_another(
        arms in prop::collection::vec((1000..50_000_i64, 0.01..0.05_f64), 2..=8),
        name in prop::sample::select(vec!["thompson", "top_two"]),
        direction in directions(),
    ) {
        let arms: Vec<_> = arms.iter().map(|&(n, share)| arm(n, (share * n as f64) as i64, 4)).collect();
        let draft = Question { direction, ..RATES }.next(&adaptive(name), &arms).unwrap();
        let chance = |variant_idx: usize| draft.beliefs[variant_idx].p_best.get();
        let leader_idx = (0..arms.len()).max_by(|&i, &j| chance(i).total_cmp(&chance(j))).unwrap();
        let most = draft.weights.as_slice().iter().copied().fold(0.0, f64::max);
        prop_assert!(most <= draft.weights.get(leader_idx) + 1e-9, "{draft:?}");
    }

    #[test]
    fn the_order_of_variants_does_not_matter(arms in arms(), name in prop::sample::select(ADAPTIVE.to_vec())) {
        let config = config(&format!(r#"{{"type": "{name}", "floor": 0.01}}"#));
        let reversed: Vec<_> = arms.iter().rev().copied().collect();
        let nobody = |arms| Question { control_idx: None, ..RATES }.next(&config, arms).unwrap();
        let (plain, other) = (nobody(&arms), nobody(&reversed));
        for (a, b) in plain.weights.as_slice().iter().zip(other.weights.as_slice().iter().rev()) {
            prop_assert!((a - b).abs() < 1e-7, "{plain:?} {other:?}");
        }
    }
}
