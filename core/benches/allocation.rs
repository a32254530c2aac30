//! What a new weights version costs.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use podium_core::allocation::{AllocationInput, AllocatorConfig, ArmState, ArmStratum, next_weights};
use podium_core::metric::{Direction, MetricKind, VariantSums};

const N_STRATA: i64 = 600;

/// `n_variants` with conversion rates between 2 and 3 %, of unequal size, as after ten million units.
fn strata(n_variants: i64) -> Vec<ArmStratum> {
    let stratum = |stratum_idx: i64| {
        let sums = |variant_idx: i64| {
            let n = 4000 + 700 * ((variant_idx + stratum_idx) % n_variants);
            let successes = n * (200 + 100 * variant_idx / n_variants) / 10_000;
            let (y, d) = (i128::from(successes), i128::from(n));
            VariantSums { n, n_nonzero: successes, y, d, yy: y, yd: y, dd: d }
        };
        ArmStratum { age_days: 0.0, sums: (0..n_variants).map(sums).collect() }
    };
    (0..N_STRATA).map(stratum).collect()
}

fn weights_version(criterion: &mut Criterion) {
    let config = AllocatorConfig::default();
    let (direction, control_idx) = (Direction::Increase, Some(0));
    for (name, kind) in
        [("rates", MetricKind::Proportion), ("means", MetricKind::Mean), ("ratios", MetricKind::Ratio)]
    {
        for n_variants in [2, 5, 10, 64] {
            let arms = vec![ArmState { strata: 600, share: 1.0 }; n_variants as usize];
            let strata = strata(n_variants);
            let input = AllocationInput { kind, direction, control_idx, arms: &arms, strata: &strata };
            criterion.bench_function(&format!("weights version, {n_variants} {name}"), |bencher| {
                bencher.iter(|| next_weights(black_box(&config), black_box(&input)));
            });
        }
    }
}

criterion_group!(benches, weights_version);
criterion_main!(benches);
