//! Two metrics that break laws: one the law that its setting names, and the one of honest settings by itself;
//! the other leaks.

use podium_plugin::prelude::*;
use std::sync::atomic::{AtomicU64, Ordering};

static N_SEEN: AtomicU64 = AtomicU64::new(0);

#[derive(Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Law {
    Pure,
    Quiet,
    Finite,
    Total,
    Calm,
    None,
}

#[derive(Deserialize, JsonSchema)]
struct Settings {
    /// Which law is broken.
    #[serde(default = "none")]
    breaks: Law,
    /// A setting that takes anything, whatever the schema says.
    #[serde(default, rename = "text")]
    #[schemars(with = "String")]
    _text: serde::de::IgnoredAny,
}

fn none() -> Law {
    Law::None
}

struct Lawless(Settings);

impl Metric for Lawless {
    type Config = Settings;
    type Sums = [f64; 1];

    const INFO: MetricInfo = MetricInfo::mean("fixture_lawless", "Breaks a law");

    fn create(settings: Settings) -> Result<Self> {
        Ok(Self(settings))
    }

    fn fields(&self) -> Fields {
        Fields::new()
            .column("quantity", Column::Int)
            .read(Read::event("Product Added").property("quantity", "quantity"))
    }

    fn observe(&self, event: &Event<'_>) -> [f64; 1] {
        let n_seen = N_SEEN.fetch_add(1, Ordering::Relaxed);
        [match self.0.breaks {
            Law::Pure => n_seen as f64,
            Law::Finite => event.int(0).unwrap_or(0) as f64,
            Law::Calm => event.int(0).map_or(0.5, |_| 1.0),
            Law::Quiet => f64::from(u8::from(std::path::Path::new("/").exists())),
            Law::Total | Law::None => event.count(0).unwrap_or(0.0),
        }]
    }

    fn value(&self, [sum]: [f64; 1]) -> (f64, f64) {
        if self.0.breaks == Law::Total && sum < 0.0 { (sum, -1.0) } else { (sum, 1.0) }
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NoSettings {}

struct Leaky;

impl Metric for Leaky {
    type Config = NoSettings;
    type Sums = [f64; 1];

    const INFO: MetricInfo = MetricInfo::mean("fixture_leaky", "Leaks");

    fn create(_: NoSettings) -> Result<Self> {
        std::mem::forget(std::hint::black_box(vec![1_u8; 64]));
        Ok(Self)
    }

    fn fields(&self) -> Fields {
        Fields::new()
    }

    fn observe(&self, _event: &Event<'_>) -> [f64; 1] {
        [1.0]
    }

    fn value(&self, [sum]: [f64; 1]) -> (f64, f64) {
        (sum, 1.0)
    }
}

export_plugin! { id: "com.example.fixture-lawless", metrics: [Lawless, Leaky] }
