//! Figures against independent implementations; `tests/vectors/report_figures.py` says which.

use super::super::estimate::{Estimate, Range};
use super::*;
use serde::Deserialize;

const VECTORS: &str = include_str!("../../../../tests/vectors/report_figures.json");
const REAL_DATA: &str = include_str!("../../../../tests/vectors/real_data.json");

#[derive(Deserialize)]
struct Vectors {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    kind: MetricKind,
    variants: Vec<Variant>,
    against_first: Vec<Pair>,
}

#[derive(Deserialize)]
struct Variant {
    sums: VariantSums,
    value: f64,
    variance: f64,
}

#[derive(Deserialize)]
struct Pair {
    relative: Option<(f64, f64)>,
    absolute: Option<(f64, f64)>,
}

#[track_caller]
fn check_range(case: &str, found: Option<Range>, expected: Option<(f64, f64)>) {
    let (found, expected) = match (found, expected) {
        (None, None) => return,
        (Some(found), Some(expected)) => (found, expected),
        (found, expected) => panic!("{case}: {found:?}, expected {expected:?}"),
    };
    let tolerance = 1e-9 * (expected.1 - expected.0);
    for (found, expected) in [(found.low, expected.0), (found.high, expected.1)] {
        assert!((found - expected).abs() <= tolerance, "{case}: {found}, expected {expected}");
    }
}

#[test]
fn estimates_and_intervals_agree_with_the_references() {
    let vectors: Vectors = serde_json::from_str(VECTORS).unwrap();
    let mut n_intervals = 0;
    for case in &vectors.cases {
        let estimates: Vec<_> =
            case.variants.iter().map(|variant| Estimate::of(case.kind, &variant.sums).unwrap()).collect();
        for (estimate, expected) in estimates.iter().zip(&case.variants) {
            assert_eq!(estimate.value.to_bits(), expected.value.to_bits(), "{}", case.name);
            let variance = estimate.variance.unwrap();
            let error = (variance - expected.variance).abs();
            assert!(error <= 1e-12 * expected.variance, "{}: {variance}, {}", case.name, expected.variance);
        }
        for (estimate, expected) in estimates[1..].iter().zip(&case.against_first) {
            check_range(&case.name, estimate.relative_to(&estimates[0]), expected.relative);
            check_range(&case.name, estimate.difference_from(&estimates[0]), expected.absolute);
            n_intervals +=
                usize::from(expected.relative.is_some()) + usize::from(expected.absolute.is_some());
        }
    }
    assert_eq!((vectors.cases.len(), n_intervals), (11, 20), "the file has lost cases");
}

#[test]
fn the_standard_errors_of_the_real_order_log_are_right() {
    let data: serde_json::Value = serde_json::from_str(REAL_DATA).unwrap();
    let total = &data["cdnow"]["total"];
    for (name, kind) in [("aov_cents", MetricKind::Ratio), ("revenue_per_visitor_cents", MetricKind::Mean)] {
        let sums = &total[name]["sums"];
        let at = |key: &str| sums[key].as_i64().unwrap_or(0);
        let mut found = VariantSums { n: at("n"), n_nonzero: at("n"), ..VariantSums::default() };
        (found.y, found.yy) = (at("sum_x").into(), at("sum_xx").into());
        (found.d, found.dd, found.yd) = (at("sum_y").into(), at("sum_yy").into(), at("sum_xy").into());
        let estimate = Estimate::of(kind, &found).unwrap();
        assert_eq!(Some(estimate.value), total[name]["value"].as_f64());
        let (se, expected) = (estimate.variance.unwrap().sqrt(), total[name]["se"].as_f64().unwrap());
        assert!((se / expected - 1.0).abs() < 1e-9, "{name}: {se}, expected {expected}");
    }
}
