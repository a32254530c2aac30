//! What a report costs: it is made from sums, so ten million units cost what ten thousand do in as many strata.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot be built should stop")]

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use podium_core::experiment::{Experiment, MetricChoice};
use podium_core::inference::strata::MetricStratum;
use podium_core::metric::{Direction, MetricKind, ValueUnit, VariantSums};
use podium_core::report::{
    CurrentWeights, ExposureStratum, Exposures, MetricFigures, Report, ReportInput, Role, Rules,
    VariantFigures, Watermark,
};
use podium_core::time::Timestamp;
use serde_json::json;
use std::hint::black_box;

const N_VARIANTS: usize = 3;
/// Versions that hold a hundredth of the units before them, up to ten million.
const N_STRATA: usize = 600;
/// Variants times strata.
const N_CELLS: i64 = 1_800;
const METRICS: [(&str, MetricKind); 3] = [
    ("revenue_per_visitor", MetricKind::Mean),
    ("aov", MetricKind::Ratio),
    ("conversion", MetricKind::Proportion),
];

fn experiment() -> Experiment {
    serde_json::from_value(json!({
        "id": 1, "key": "banner", "version": 1, "status": "running", "served": null, "revision": 1,
        "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z",
        "started_at": "2026-01-01T00:00:00Z", "concluded_at": null,
        "definition": {
            "variants": [{"key": "a", "control": true}, {"key": "b"}, {"key": "c"}],
            "primary_metric": "revenue_per_visitor",
            "secondary_metrics": ["aov", "conversion"],
            "allocator": {"type": "thompson"}
        }
    }))
    .unwrap()
}

/// The sums of so many units of which 3 in 100 order, for about 50 each.
fn sums(kind: MetricKind, n: i64, variant_idx: usize) -> VariantSums {
    let orders = i128::from(n) * 3 / 100 + variant_idx as i128;
    let all = i128::from(n);
    let (y, yy, d) = match kind {
        MetricKind::Proportion => (orders, orders, all),
        MetricKind::Ratio => (5_000 * orders, 26_000_000 * orders, orders),
        _ => (5_000 * orders, 26_000_000 * orders, all),
    };
    VariantSums { n, n_nonzero: orders as i64, y, d, yy, yd: y, dd: d }
}

fn figures(id: &str, kind: MetricKind, n_units: i64) -> MetricFigures {
    let each = n_units / N_CELLS;
    let stratum = MetricStratum {
        shares: Some(vec![1.0 / N_VARIANTS as f64; N_VARIANTS]),
        sums: (0..N_VARIANTS).map(|idx| sums(kind, each, idx)).collect(),
        ..MetricStratum::default()
    };
    let all = |own: &VariantSums| {
        let mut all = VariantSums::default();
        (0..N_STRATA).for_each(|_| all.merge(own));
        VariantFigures { observed: all, matured: all }
    };
    MetricFigures {
        choice: serde_json::from_value::<MetricChoice>(json!(id)).unwrap(),
        role: if kind == MetricKind::Mean { Role::Primary } else { Role::Secondary },
        title: id.to_owned(),
        kind,
        unit: ValueUnit::Plain,
        direction: Direction::Increase,
        window_s: 86_400,
        available: true,
        unreadable_units: 0,
        variants: stratum.sums.iter().map(all).collect(),
        strata: vec![stratum; N_STRATA],
        tail: Vec::new(),
        cap_quantile: 1.0,
        n_nonzero: 0,
        last_event_at: None,
    }
}

fn reports(criterion: &mut Criterion) {
    let experiment = experiment();
    let mut group = criterion.benchmark_group("report");
    for n_units in [100_000, 10_000_000_i64] {
        let start = Timestamp::parse("2026-01-01T00:00:00Z").unwrap();
        let each = (n_units / N_CELLS).unsigned_abs();
        let exposed = ExposureStratum {
            shares: Some(vec![1.0 / N_VARIANTS as f64; N_VARIANTS]),
            units: vec![each; N_VARIANTS],
            ..ExposureStratum::default()
        };
        let units = each * N_STRATA as u64;
        let input = ReportInput {
            experiment: &experiment,
            now: start.plus_seconds(30 * 86_400),
            watermark: Watermark { position: 1, at: Some(start.plus_seconds(20 * 86_400)) },
            exposures: vec![Exposures { observed: units, matured: units }; N_VARIANTS],
            exposure_strata: vec![exposed; N_STRATA],
            daily_units: (20_000..20_014).map(|day| (day, n_units.unsigned_abs() / 14)).collect(),
            equal_units: vec![units as f64; N_VARIANTS],
            first_exposed_at: Some(start),
            last_exposed_at: Some(start.plus_seconds(14 * 86_400)),
            quarantined_units: 0,
            weights: Some(CurrentWeights { version: 600, shares: vec![1.0 / N_VARIANTS as f64; N_VARIANTS] }),
            metrics: METRICS.iter().map(|(id, kind)| figures(id, *kind, n_units)).collect(),
            source_note: None,
            rules: Rules::default(),
        };
        group.bench_with_input(BenchmarkId::from_parameter(n_units), &input, |bencher, input| {
            bencher.iter(|| Report::of(black_box(input)));
        });
    }
    group.finish();
}

criterion_group!(benches, reports);
criterion_main!(benches);
