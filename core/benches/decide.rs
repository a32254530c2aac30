//! One decision in memory: traffic, slot, bucketing among five variants.

use criterion::{Criterion, criterion_group, criterion_main};
use podium_core::experiment::{Definition, Experiment, Status};
use podium_core::id::{ExperimentId, ExperimentKey};
use podium_core::snapshot::{Flag, Slot, WeightsVersion};
use podium_core::time::Timestamp;
use std::hint::black_box;

fn flag(traffic: f64, slot: Option<Slot>) -> Option<Flag> {
    let keys = ["control", "b", "c", "d", "e"];
    let variants: Vec<_> = keys.iter().map(|key| serde_json::json!({ "key": key })).collect();
    let definition = serde_json::json!({ "variants": variants, "primary_metric": "conversion" });
    let definition: Definition = serde_json::from_value(definition).ok()?;
    let now = Timestamp::default();
    let experiment = Experiment {
        id: ExperimentId(1),
        key: ExperimentKey::new("hero").ok()?,
        version: 1,
        definition: definition.checked().ok()?,
        status: Status::Running,
        served: None,
        revision: 1,
        created_at: now,
        updated_at: now,
        started_at: Some(now),
        concluded_at: None,
    };
    let weights = keys.iter().map(|key| ((*key).to_owned(), 0.2)).collect();
    Flag::new(&experiment, &WeightsVersion { version: 1, salt: "hero".into(), traffic, slot, weights })
}

fn decide(c: &mut Criterion) {
    let units: Vec<String> =
        (0..4_096_u64).map(|n| format!("{:016x}-{n:019}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15))).collect();
    let slot = Slot { group: "home".into(), start: 0.0, end: 1.0 };
    let cases =
        [("5 variants", flag(1.0, None)), ("5 variants, traffic and slot", flag(0.999_999, Some(slot)))];
    for (name, flag) in cases {
        let Some(flag) = flag else { continue };
        let mut next = units.iter().cycle();
        c.bench_function(&format!("decide/{name}"), |bencher| {
            bencher.iter(|| next.next().map(|unit| black_box(flag.decide(unit, None))));
        });
    }
}

criterion_group!(benches, decide);
criterion_main!(benches);
