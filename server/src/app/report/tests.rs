//! What is gathered of rows that a few lines count by hand.

use super::*;
use crate::delivery::tokens::Links;
use crate::outgoing::{Allowed, Reach};
use crate::secrets::Secrets;
use crate::store::weights::{self, StoredWeights};
use crate::store::{Store, bookmark, metrics, stats, tail};
use podium_core::experiment::{Definition, Status};
use podium_core::id::{ExperimentId, ExperimentKey};
use podium_core::inference::cap::n_tail;
use podium_core::inference::strata::HistorySums;
use podium_core::metric::{UnitValue, VariantSums};
use podium_core::projection::{StatKey, Stratum, TailKey, TailRow};
use podium_plugin_host::{HostLog, Level, Registry};
use serde_json::json;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

const HOUR_US: i64 = 3_600_000_000;

/// A server of a test's own, without plugins: its metrics are read as means.
struct World {
    app: Arc<App>,
    experiment: Experiment,
    folder: PathBuf,
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl World {
    /// - `began_at`: when the run began.
    /// - `versions`: the share of the second variant in each weights version, a version an hour.
    async fn open(metrics: &[serde_json::Value], began_at: Timestamp, versions: &[f64]) -> Self {
        let folder = std::env::temp_dir().join(format!("podium-report-{}", uuid::Uuid::now_v7()));
        std::fs::create_dir_all(&folder).unwrap();
        let store = Store::open(&format!("sqlite:{}", folder.join("podium.sqlite").display())).await.unwrap();
        let registry = Registry::load(std::slice::from_ref(&folder), &HostLog::new(Level::Error, |_| {}));
        let links = Links { public_url: "https://shop.example".to_owned(), secret: [7; 32] };
        let secrets = Secrets::new(folder.join("secrets"));
        let limits = crate::limits::Limits::new(&crate::limits::LimitArgs::default());
        let allowed = Allowed { webhooks: Reach::Anywhere, external: None };
        let app = App::start(store, registry, links, (secrets, allowed), limits).await.unwrap();
        let definition = json!({
            "variants": [{"key": "a"}, {"key": "b"}],
            "primary_metric": metrics[0],
            "secondary_metrics": &metrics[1..],
            "allocator": {"type": "thompson"},
        });
        let definition: Definition = serde_json::from_value(definition).unwrap();
        let mut experiment = Experiment {
            id: ExperimentId(0),
            key: ExperimentKey::new("banner").unwrap(),
            version: 1,
            definition: definition.checked().unwrap(),
            status: Status::Running,
            served: None,
            revision: 1,
            created_at: began_at,
            updated_at: began_at,
            started_at: Some(began_at),
            concluded_at: None,
        };
        experiments::insert(app.store.writer(), &mut experiment).await.unwrap();
        for (version, share) in (1..).zip(versions) {
            let weights = WeightsVersion {
                version,
                salt: "s".to_owned(),
                traffic: 1.0,
                slot: None,
                weights: [("a", 1.0 - share), ("b", *share)].map(|(key, w)| (key.to_owned(), w)).into(),
            };
            let created_at = Timestamp::from_micros(began_at.as_micros() + i64::from(version - 1) * HOUR_US);
            let stored = StoredWeights { weights, created_at, cause: "allocated".to_owned(), beliefs: None };
            weights::insert(app.store.writer(), experiment.id, &stored).await.unwrap();
        }
        Self { app, experiment, folder }
    }

    fn key(&self, slot: MetricSlot, stratum: Stratum, bucket: Timestamp, variant_idx: u16) -> StatKey {
        StatKey { experiment: self.experiment.id, slot, stratum, bucket, variant_idx }
    }
}

fn sums(values: &[i64]) -> VariantSums {
    let mut sums = VariantSums::default();
    for value in values {
        sums.add(UnitValue::from_f64(*value as f64, 1.0).unwrap());
    }
    sums
}

/// The hour in which the tests began, and some hours after it.
fn hour(hours: i64) -> Timestamp {
    static BEGAN_AT: OnceLock<i64> = OnceLock::new();
    let now = BEGAN_AT.get_or_init(|| clock::now().as_micros());
    Timestamp::from_micros(now - now.rem_euclid(HOUR_US) + hours * HOUR_US)
}

/// Writes ten units: of two versions, and some that were assigned elsewhere.
async fn fill(world: &World) {
    let (one, two) = (Stratum::Version(1), Stratum::Version(2));
    let elsewhere = Stratum::Day(hour(-75).day() as i32);
    let cells: [(Stratum, i64, u16, &[i64]); 6] = [
        (one, -100, 0, &[0, 5]),
        (one, -99, 0, &[7]),
        (one, -99, 1, &[-3, 0, 20]),
        (two, -99, 1, &[1]),
        (two, -2, 1, &[40, 0]),
        (elsewhere, -75, 0, &[9]),
    ];
    let mut totals = Vec::new();
    let mut tail = Vec::new();
    for (stratum, hours, variant_idx, values) in cells {
        let key = |slot| world.key(slot, stratum, hour(hours), variant_idx);
        totals.push((key(MetricSlot::Exposures), sums(&vec![1; values.len()])));
        totals.push((key(MetricSlot::Metric(0)), sums(values)));
        totals.push((key(MetricSlot::Metric(1)), sums(values)));
        for value in values.iter().filter(|value| **value != 0) {
            let unit = format!("{stratum:?}-{hours}-{variant_idx}-{value}").into();
            let history = (*value == 20).then_some(11);
            let row = TailRow { stratum, bucket: hour(hours), variant_idx, denominator: 1, history };
            let experiment = world.experiment.id;
            tail.push((TailKey { experiment, metric_idx: 0, numerator: *value, unit }, Some(row)));
        }
    }
    // One unit with a past of 11 and a value of 20; one that was taken back whole.
    let past = VariantSums { n: 1, n_nonzero: 1, y: 11, d: 20, yy: 121, yd: 220, dd: 400 };
    totals.push((world.key(MetricSlot::History(0), one, hour(-99), 1), past));
    totals.push((world.key(MetricSlot::Exposures, one, hour(-300), 1), VariantSums::default()));
    let db = world.app.store.writer();
    stats::put_sums(db, &totals).await.unwrap();
    tail::put(db, &tail).await.unwrap();
}

#[tokio::test]
async fn strata_stand_in_the_order_of_time_with_shares_sums_and_histories_of_matured_units() {
    // A window of 72 hours, and so buckets of an hour: what began 100 hours ago has matured.
    let metrics = [json!({"metric": "m", "cap": 0.5}), json!({"metric": "m2", "history_s": 0, "cap": 1.0})];
    let world = World::open(&metrics, hour(-100), &[0.5, 0.7]).await;
    fill(&world).await;
    let found = Found::read(&world.app, &world.experiment).await.unwrap();
    let gather = Gather::new(&world.app, &world.experiment, &found);
    let input = gather.input(&found.versions[1].1);

    let metric = &input.metrics[0];
    let strata: Vec<_> =
        metric.strata.iter().map(|stratum| (stratum.began_at, stratum.shares.as_deref())).collect();
    let shares = |b: f64| [1.0 - b, b];
    let (even, uneven) = (shares(0.5), shares(0.7));
    let expected: [(_, Option<&[f64]>); 3] =
        [(hour(-100), Some(&even)), (hour(-99), Some(&uneven)), (hour(-75), None)];
    assert_eq!(strata, expected);
    assert_eq!(metric.strata[0].sums, [sums(&[0, 5, 7]), sums(&[-3, 0, 20])]);
    assert_eq!(metric.strata[1].sums, [VariantSums::default(), sums(&[1])], "what is too new is not in it");
    let history = HistorySums { n: 1, x: 11, y: 20, xx: 121, xy: 220, yy: 400 };
    assert_eq!(metric.strata[0].history, [HistorySums::default(), history]);
    assert_eq!(metric.strata[1].history, [HistorySums::default(); 2]);
    assert!(input.metrics[1].strata.iter().all(|stratum| stratum.history.is_empty()), "no history is wanted");
    assert_eq!(metric.variants[1].observed, sums(&[-3, 0, 20, 1, 40, 0]));
    assert_eq!(metric.variants[1].matured, sums(&[-3, 0, 20, 1]));

    // Of seven values that are not zero, the upper half and the cap itself.
    assert_eq!((metric.n_nonzero, n_tail(7, 0.5)), (7, 4));
    let unit = |numerator, stratum_idx, variant_idx, past| TailUnit {
        stratum_idx,
        variant_idx,
        numerator,
        denominator: 1,
        past,
    };
    let largest = [
        unit(40, None, 1, Past::Empty),
        unit(20, Some(0), 1, Past::Was(11)),
        unit(9, Some(2), 0, Past::Empty),
        unit(7, Some(0), 0, Past::Empty),
    ];
    assert_eq!(metric.tail, largest);
    assert!(input.metrics[1].tail.is_empty(), "nothing is capped");

    let units: Vec<_> = input.exposure_strata.iter().map(|stratum| stratum.units.as_slice()).collect();
    assert_eq!(units, [[3_u64, 3], [0, 3], [1, 0]]);
    assert_eq!(input.daily_units.iter().map(|(_, units)| units).sum::<u64>(), 10);
    assert!(input.daily_units.is_sorted_by_key(|(day, _)| *day));
    assert_eq!(input.first_exposed_at, Some(hour(-100)), "a row of zeros says nothing");
}

#[tokio::test]
async fn a_metric_says_when_it_last_read_something() {
    let world = World::open(&[json!("m")], hour(-1), &[0.5]).await;
    let db = world.app.store.writer();
    let definition = &world.experiment.definition;
    let used = crate::app::track::metric_use(definition.currency, &definition.primary_metric);
    let id = metrics::find_or_insert(db, &used, 1).await.unwrap();
    let at = |found: &Found| found.newest[0];
    assert_eq!(at(&Found::read(&world.app, &world.experiment).await.unwrap()), None);
    bookmark::put_newest(db, &BTreeMap::from([(id, hour(0))])).await.unwrap();
    assert_eq!(at(&Found::read(&world.app, &world.experiment).await.unwrap()), Some(hour(0)));
}
