//! What a new weights version costs.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use podium_core::allocation::{AllocationInput, AllocatorConfig, ArmState, next_weights};
use podium_core::metric::{Direction, MetricKind, VariantSums};

/// `n_variants` with conversion rates between 2 and 3 %, of unequal size.
fn arms(n_variants: i64) -> Vec<ArmState> {
    (0..n_variants)
        .map(|variant_idx| {
            let n = 4000 + 700 * variant_idx;
            let successes = n * (200 + 100 * variant_idx / n_variants) / 10_000;
            let (y, d) = (i128::from(successes), i128::from(n));
            let sums = VariantSums { n, n_nonzero: successes, y, d, yy: y, yd: y, dd: d };
            ArmState { sums, strata: 20, share: 1.0 }
        })
        .collect()
}

fn weights_version(criterion: &mut Criterion) {
    let config = AllocatorConfig::default();
    for (name, kind) in
        [("rates", MetricKind::Proportion), ("means", MetricKind::Mean), ("ratios", MetricKind::Ratio)]
    {
        for n_variants in [2, 5, 10, 64] {
            let arms = arms(n_variants);
            let input =
                AllocationInput { kind, direction: Direction::Increase, control_idx: Some(0), arms: &arms };
            criterion.bench_function(&format!("weights version, {n_variants} {name}"), |bencher| {
                bencher.iter(|| next_weights(black_box(&config), black_box(&input)));
            });
        }
    }
}

criterion_group!(benches, weights_version);
criterion_main!(benches);
