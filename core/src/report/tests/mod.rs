//! Numbers against references, laws, and what is said of them.

mod gain;
mod health;
mod laws;
mod less_is_better;
mod outlook;
mod reference;
mod sentences;
mod verdicts;

use super::*;
use crate::experiment::{Definition, Experiment, MetricChoice, Status};
use crate::id::{ExperimentId, ExperimentKey, VariantKey};
use crate::inference::strata::MetricStratum;
use crate::metric::{Direction, MetricKind, UnitValue, ValueUnit, VariantSums};
use crate::time::Timestamp;
use serde_json::json;

const DAY_US: i64 = 86_400_000_000;

/// What a metric of a test is like.
#[derive(Clone, Copy)]
struct Goal {
    id: &'static str,
    title: &'static str,
    kind: MetricKind,
    unit: ValueUnit,
    direction: Direction,
}

const AOV: Goal = Goal {
    id: "aov",
    title: "Average order value",
    kind: MetricKind::Ratio,
    unit: ValueUnit::CurrencyMinor,
    direction: Direction::Increase,
};
const RPV: Goal =
    Goal { id: "revenue_per_visitor", title: "Revenue per visitor", kind: MetricKind::Mean, ..AOV };
const COST: Goal =
    Goal { id: "returns", title: "Returned value per visitor", direction: Direction::Decrease, ..RPV };
const CTR: Goal = Goal {
    id: "click_through",
    title: "Click-through rate",
    kind: MetricKind::Proportion,
    unit: ValueUnit::Proportion,
    ..AOV
};
const BOUNCE: Goal = Goal { id: "bounce", title: "Bounce rate", direction: Direction::Decrease, ..CTR };

/// A running experiment of these variants, the first the control.
fn experiment(keys: &[&str], primary: Goal) -> Experiment {
    let definition: Definition = serde_json::from_value(json!({
        "variants": keys.iter().map(|key| json!({ "key": key })).collect::<Vec<_>>(),
        "primary_metric": primary.id,
    }))
    .unwrap();
    Experiment {
        id: ExperimentId(1),
        key: ExperimentKey::new("banner").unwrap(),
        version: 1,
        definition: definition.checked().unwrap(),
        status: Status::Running,
        served: None,
        revision: 3,
        created_at: Timestamp::from_micros(0),
        updated_at: Timestamp::from_micros(0),
        started_at: Some(Timestamp::from_micros(0)),
        concluded_at: None,
    }
}

/// The figures of a metric, everything matured.
fn metric(goal: Goal, role: Role, sums: &[VariantSums]) -> MetricFigures {
    MetricFigures {
        choice: serde_json::from_value::<MetricChoice>(json!(goal.id)).unwrap(),
        role,
        title: goal.title.to_owned(),
        kind: goal.kind,
        unit: goal.unit,
        direction: goal.direction,
        window_s: 259_200,
        available: true,
        unreadable_units: 0,
        variants: sums.iter().map(|&sums| VariantFigures { observed: sums, matured: sums }).collect(),
        strata: vec![MetricStratum { sums: sums.to_vec(), ..MetricStratum::default() }],
        tail: Vec::new(),
        cap_quantile: 1.0,
        n_nonzero: 0,
        last_event_at: Some(Timestamp::from_micros(16 * DAY_US)),
    }
}

/// Twenty days of these metrics; everyone matured.
fn input(experiment: &Experiment, metrics: Vec<MetricFigures>) -> ReportInput<'_> {
    let exposures = metrics.first().map(|metric| {
        let of = |figures: &VariantFigures| Exposures {
            observed: figures.observed.n.unsigned_abs(),
            matured: figures.matured.n.unsigned_abs(),
        };
        metric.variants.iter().map(of).collect()
    });
    let n_variants = experiment.definition.variants.len();
    ReportInput {
        experiment,
        now: Timestamp::from_micros(21 * DAY_US),
        watermark: Watermark { position: 1_234, at: Some(Timestamp::from_micros(20 * DAY_US)) },
        exposures: exposures.unwrap_or_default(),
        exposure_strata: Vec::new(),
        daily_units: Vec::new(),
        equal_units: Vec::new(),
        first_exposed_at: Some(Timestamp::from_micros(0)),
        last_exposed_at: Some(Timestamp::from_micros(16 * DAY_US)),
        quarantined_units: 0,
        weights: Some(CurrentWeights { version: 1, shares: vec![1.0 / n_variants as f64; n_variants] }),
        metrics,
        source_note: None,
        rules: Rules::default(),
    }
}

/// The sums of `successes` in `n` units.
fn rate(successes: i64, n: i64) -> VariantSums {
    let y = i128::from(successes);
    VariantSums { n, n_nonzero: successes, y, d: i128::from(n), yy: y, yd: y, dd: i128::from(n) }
}

/// So many strata of 1,000 units a variant, each with these means and two in five units not zero.
fn strata(n_strata: usize, means: &[f64]) -> Vec<MetricStratum> {
    let sums: Vec<VariantSums> = means
        .iter()
        .map(|mean| {
            let reward = (mean / 0.4).round();
            units(&[(200, reward - 3.0, 1.0), (200, reward + 3.0, 1.0), (600, 0.0, 1.0)])
        })
        .collect();
    let stratum = MetricStratum { sums, shares: None, ..MetricStratum::default() };
    vec![stratum; n_strata]
}

fn figures(goal: Goal, role: Role, strata: Vec<MetricStratum>) -> MetricFigures {
    let n_variants = strata[0].sums.len();
    let mut sums = vec![VariantSums::default(); n_variants];
    for stratum in &strata {
        for (sum, own) in sums.iter_mut().zip(&stratum.sums) {
            sum.merge(own);
        }
    }
    MetricFigures { strata, ..metric(goal, role, &sums) }
}

/// A report after twenty days with 1,000 units each.
fn report(experiment: &Experiment, metrics: Vec<MetricFigures>) -> Report {
    let mut input = input(experiment, metrics);
    input.daily_units = (0..20).map(|day| (day, 1_000)).collect();
    Report::of(&input)
}

fn keys(keys: &[VariantKey]) -> Vec<&str> {
    keys.iter().map(VariantKey::as_str).collect()
}

/// The sums of so many units of each value.
fn units(values: &[(i64, f64, f64)]) -> VariantSums {
    let mut sums = VariantSums::default();
    for &(times, numerator, denominator) in values {
        for _ in 0..times {
            sums.add(UnitValue::from_f64(numerator, denominator).unwrap());
        }
    }
    sums
}
