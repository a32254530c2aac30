//! Inference against `tests/vectors/adaptive.json` (scipy, statsmodels, tea-tasting, numpy and mpmath), and its laws.

#![expect(clippy::unwrap_used, reason = "a test that cannot build its world should stop")]

use podium_core::inference::estimate::Estimate;
use podium_core::inference::fixed_horizon::{Reading, Test, delta_z, pooled_z, welch};
use podium_core::inference::history::adjust;
use podium_core::inference::moments::{Cell, Moments};
use podium_core::inference::period::period_weighted;
use podium_core::inference::sample_ratio::{Counted, SampleRatio, chi_square, sequential};
use podium_core::inference::strata::{HistorySums, MetricStratum, Stratum};
use podium_core::inference::{aipw, sample_ratio};
use podium_core::metric::VariantSums;
use proptest::prelude::*;
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    fixed_horizon: Vec<ReadingCase>,
    history: Vec<HistoryCase>,
    adaptive: Vec<AdaptiveCase>,
    sample_ratio: Vec<RatioCase>,
}

#[derive(Deserialize)]
struct ReadingCase {
    alpha: f64,
    test: Test,
    control: VariantSums,
    variant: VariantSums,
    difference: f64,
    standard_error: f64,
    p_value: f64,
    interval: (f64, f64),
    degrees: Option<f64>,
}

#[derive(Deserialize)]
struct HistoryCase {
    name: String,
    strata: Vec<Vec<HistoryCell>>,
    slope: f64,
    step: f64,
    removed: f64,
    cells: Vec<Vec<CellRecord>>,
}

#[derive(Deserialize)]
struct HistoryCell {
    sums: VariantSums,
    history: HistorySums,
}

#[derive(Deserialize)]
struct CellRecord {
    mean: f64,
    squares: f64,
}

#[derive(Deserialize)]
struct AdaptiveCase {
    strata: Vec<SharesAndSums>,
    means: Vec<MeanRecord>,
    lifts: Vec<LiftRecord>,
    period: PeriodRecord,
}

#[derive(Deserialize)]
struct SharesAndSums {
    shares: Vec<f64>,
    sums: Vec<VariantSums>,
}

#[derive(Deserialize)]
struct MeanRecord {
    value: f64,
    standard_error: f64,
    #[serde(default)]
    left_out: f64,
}

#[derive(Deserialize)]
struct LiftRecord {
    value: f64,
    standard_error: f64,
    log_ratio: f64,
    log_ratio_error: f64,
}

#[derive(Deserialize)]
struct PeriodRecord {
    means: Vec<MeanRecord>,
    left_out: f64,
}

#[derive(Deserialize)]
struct RatioCase {
    concentration: f64,
    strata: Vec<SharesAndUnits>,
    log_evidence: f64,
    log_evidence_max: f64,
    chi_square: ChiSquareRecord,
}

#[derive(Deserialize)]
struct SharesAndUnits {
    shares: Vec<f64>,
    units: Vec<u64>,
}

#[derive(Deserialize)]
struct ChiSquareRecord {
    statistic: f64,
    degrees: usize,
    p_value: f64,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("../../tests/vectors/adaptive.json")).unwrap()
}

#[track_caller]
fn close(what: &str, found: f64, expected: f64, tolerance: f64) {
    let near = (found - expected).abs() <= tolerance * found.abs().max(expected.abs());
    assert!(near, "{what}: {found:e}, expected {expected:e}");
}

#[test]
fn readings_agree_with_scipy_statsmodels_and_tea_tasting() {
    for case in golden().fixed_horizon {
        let [variant, control] = [case.variant, case.control].map(|sums| Moments::of(&sums));
        let cells = [variant, control].map(|moments| moments.numerators());
        let found: Option<Reading> = match case.test {
            Test::WelchT => welch(&cells[0], &cells[1], case.alpha),
            Test::PooledZ => pooled_z(&cells[0], &cells[1], case.alpha),
            Test::DeltaZ => delta_z(&variant, &control, case.alpha),
            _ => None,
        };
        let found = found.unwrap();
        assert_eq!(found.test, case.test);
        let what = case.test.as_str();
        close(what, found.difference.value, case.difference, 1e-9);
        close(what, found.difference.standard_error, case.standard_error, 1e-9);
        close(what, found.p_value, case.p_value, 1e-9);
        close(what, found.interval.low, case.interval.0, 1e-9);
        close(what, found.interval.high, case.interval.1, 1e-9);
        assert_eq!(found.degrees.is_some(), case.degrees.is_some());
        close(what, found.degrees.unwrap_or(1.0), case.degrees.unwrap_or(1.0), 1e-9);
    }
}

#[test]
fn what_cannot_be_read_has_no_reading() {
    let none = Cell::default();
    let constant = Cell { n: 50.0, n_nonzero: 50.0, mean: 1.0, squares: 0.0 };
    assert_eq!(welch(&none, &constant, 0.05), None);
    assert_eq!(welch(&constant, &constant, 0.05), None);
    assert_eq!(pooled_z(&none, &constant, 0.05), None);
    assert_eq!(pooled_z(&constant, &constant, 0.05), None);
    assert_eq!(delta_z(&Moments::default(), &Moments::default(), 0.05), None);
}

#[test]
fn adjusted_values_are_those_of_single_units() {
    for case in golden().history {
        let stratum = |cells: &Vec<HistoryCell>| MetricStratum {
            sums: cells.iter().map(|cell| cell.sums).collect(),
            history: cells.iter().map(|cell| cell.history).collect(),
            ..MetricStratum::default()
        };
        let found = adjust(&case.strata.iter().map(stratum).collect::<Vec<_>>()).unwrap();
        close(&case.name, found.slope, case.slope, 1e-8);
        close(&case.name, found.step, case.step, 1e-8);
        close(&case.name, found.removed, case.removed, 1e-8);
        assert!(found.is_worth_mentioning());
        for (stratum, expected) in found.strata.iter().zip(&case.cells) {
            assert_eq!(stratum.cells.len(), expected.len());
            for (cell, expected) in stratum.cells.iter().zip(expected) {
                close(&case.name, cell.mean, expected.mean, 1e-8);
                close(&case.name, cell.squares, expected.squares, 1e-8);
            }
        }
    }
}

fn strata(case: &AdaptiveCase) -> Vec<Stratum> {
    let stratum = |SharesAndSums { shares, sums }: &SharesAndSums| {
        MetricStratum { shares: Some(shares.clone()), sums: sums.clone(), ..MetricStratum::default() }
            .numerators()
    };
    case.strata.iter().map(stratum).collect()
}

#[track_caller]
fn check(what: &str, found: Estimate, value: f64, standard_error: f64) {
    close(what, found.value, value, 1e-9);
    close(what, found.standard_error, standard_error, 1e-9);
}

#[test]
fn weighted_scores_are_those_of_single_units() {
    for case in golden().adaptive {
        let strata = strata(&case);
        for (variant_idx, expected) in case.means.iter().enumerate() {
            let found = aipw::mean(&strata, variant_idx).unwrap();
            check("mean", found.estimate, expected.value, expected.standard_error);
            assert!((found.left_out - expected.left_out).abs() < 1e-12);
        }
        for (position, expected) in case.lifts.iter().enumerate() {
            let found = aipw::lift(&strata, position + 1, 0).unwrap();
            check("lift", found.difference.estimate, expected.value, expected.standard_error);
            let log_ratio = found.log_ratio.unwrap();
            check("log ratio", log_ratio.estimate, expected.log_ratio, expected.log_ratio_error);
        }
        let compared: Vec<usize> = (0..case.means.len()).collect();
        let found = period_weighted(&strata, &compared).unwrap();
        assert!((found.left_out - case.period.left_out).abs() < 1e-12);
        for (found, expected) in found.means.iter().zip(&case.period.means) {
            check("period", *found, expected.value, expected.standard_error);
        }
    }
}

fn counted(strata: &[SharesAndUnits]) -> Vec<Counted<'_>> {
    strata.iter().map(|SharesAndUnits { shares, units }| Counted { shares: Some(shares), units }).collect()
}

#[test]
fn deliveries_are_weighed_as_in_fifty_digits() {
    for case in golden().sample_ratio {
        let strata = counted(&case.strata);
        let found = sequential(&strata, case.concentration);
        for (found, expected) in
            [(found.log_evidence, case.log_evidence), (found.log_evidence_max, case.log_evidence_max)]
        {
            assert!((found - expected).abs() <= 1e-9 * expected.abs().max(1.0), "{found} for {expected}");
        }
        let found = chi_square(&strata).unwrap();
        close("statistic", found.statistic, case.chi_square.statistic, 1e-9);
        assert_eq!(found.degrees, case.chi_square.degrees);
        close("p", found.p_value, case.chi_square.p_value, 1e-9);
    }
}

/// Σ over all outcomes of P(outcome) e(outcome), for the units of the last of some strata.
fn expectation(before: &[SharesAndUnits], shares: &[f64], n: u64) -> f64 {
    let evidence = |units: Option<&[u64]>| {
        let mut strata = counted(before);
        strata.extend(units.map(|units| Counted { shares: Some(shares), units }));
        sequential(&strata, 10.0).log_evidence
    };
    let mut sum = 0.0;
    for a in 0..=n {
        for b in 0..=n - a {
            let units = [a, b, n - a - b];
            let mut ways = 1.0;
            for (count, taken) in [(b, a), (units[2], a + b)] {
                for i in 1..=count {
                    ways *= (taken + i) as f64 / i as f64;
                }
            }
            let probability: f64 = units.iter().zip(shares).map(|(n, share)| share.powi(*n as i32)).product();
            sum += ways * probability * (evidence(Some(&units)) - evidence(None)).exp();
        }
    }
    sum
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Whatever went before, a stratum is expected to multiply the evidence by one: a test martingale.
    #[test]
    fn a_healthy_stratum_is_expected_to_add_no_evidence(
        before in prop::collection::vec((prop::array::uniform3(0.05_f64..1.0), prop::array::uniform3(0_u64..300)), 0..4),
        shares in prop::array::uniform3(0.05_f64..1.0),
    ) {
        let total: f64 = shares.iter().sum();
        let shares = shares.map(|share| share / total);
        let before: Vec<SharesAndUnits> = before
            .iter()
            .map(|(shares, units)| SharesAndUnits { shares: shares.to_vec(), units: units.to_vec() })
            .collect();
        let expectation = expectation(&before, &shares, 12);
        prop_assert!((expectation - 1.0).abs() < 1e-9, "{expectation}");
    }
}

#[test]
fn a_unit_that_nobody_could_get_is_all_the_evidence_there_is() {
    let strata = [Counted { shares: Some(&[1.0, 0.0]), units: &[500, 1] }];
    let found = sequential(&strata, sample_ratio::CONCENTRATION);
    assert!(found.is_alarming() && found.p_value() <= 0.0, "{found:?}");
    assert!(chi_square(&strata).unwrap().p_value <= 0.0);
}

#[test]
fn strata_whose_shares_are_not_known_are_left_out() {
    let known = Counted { shares: Some(&[0.5, 0.5]), units: &[50, 52] };
    let unknown = Counted { shares: None, units: &[500, 1] };
    let found = sequential(&[known, unknown], 100.0);
    let alone = sequential(&[known], 100.0);
    assert_eq!(found, SampleRatio { left_out: 501, ..alone });
    assert_eq!(chi_square(&[known, unknown]), chi_square(&[known]));
    assert_eq!(chi_square(&[unknown]), None);
}
