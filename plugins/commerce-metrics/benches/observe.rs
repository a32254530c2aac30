//! What it costs to turn events into contributions, in process.

#[path = "../tests/built/mod.rs"]
mod built;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use podium_plugin_host::{Batch, ColumnType, MetricInstance, Registry, Value};
use std::hint::black_box;

const N_EVENTS: u64 = 4_096;

/// Average order value: k = 2, one column of money.
fn aov(registry: &Registry) -> Box<dyn MetricInstance> {
    registry.create("aov", "{}").unwrap_or_else(|error| panic!("{error}"))
}

fn fill(batch: &mut Batch) {
    for idx in 0..N_EVENTS {
        let amount = Value::Money(1_000 + (idx * 37 % 20_000).cast_signed());
        let pushed = batch.push_row(u16::from(idx % 50 == 0), idx.cast_signed(), &[amount]);
        debug_assert!(pushed.is_ok());
    }
}

fn observe(c: &mut Criterion) {
    let registry = built::registry();
    let metric = aov(&registry);
    let mut batch = Batch::new(&[ColumnType::Money]);
    fill(&mut batch);
    let sums: Vec<i64> = (0..2 * N_EVENTS.cast_signed()).collect();
    let mut group = c.benchmark_group("metric");
    group.throughput(Throughput::Elements(N_EVENTS));
    group.bench_function("observe_4096", |b| b.iter(|| metric.observe(black_box(&batch))));
    group.bench_function("value_4096", |b| b.iter(|| metric.value(black_box(&sums))));
    group.bench_function("push_4096", |b| {
        b.iter(|| {
            batch.clear();
            fill(black_box(&mut batch));
        });
    });
    group.finish();
}

criterion_group!(benches, observe);
criterion_main!(benches);
