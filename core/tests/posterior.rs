//! Posteriors against `tests/vectors/posterior.json` (mpmath and scipy), and the laws they keep.

#![expect(clippy::unwrap_used, reason = "a test that cannot build its world should stop")]

use podium_core::metric::{Direction, MetricKind, UnitValue, VariantSums};
use podium_core::posterior::{Beta, NoPosteriors, Normal, Posterior, Posteriors, StudentT, VARIANTS_MAX};
use podium_core::probability::Probability;
use proptest::prelude::*;
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    families: Vec<FamilyCase>,
    from_sums: Vec<SumsCase>,
    comparisons: Vec<ComparisonCase>,
    value_remaining: Vec<RemainingCase>,
}

#[derive(Deserialize)]
struct FamilyCase {
    posterior: PosteriorRecord,
    points: Vec<Point>,
}

#[derive(Deserialize)]
struct Point {
    x: f64,
    log_pdf: f64,
    cdf: f64,
}

#[derive(Deserialize)]
struct SumsCase {
    kind: MetricKind,
    sums: Vec<SumsRecord>,
    posteriors: Vec<PosteriorRecord>,
}

/// Sums as text: squares are beyond what JSON numbers are sure to keep.
#[derive(Deserialize)]
struct SumsRecord {
    n: String,
    n_nonzero: String,
    y: String,
    d: String,
    yy: String,
    yd: String,
    dd: String,
}

#[derive(Deserialize)]
struct ComparisonCase {
    name: String,
    direction: Direction,
    posteriors: Vec<PosteriorRecord>,
    p_best: Vec<f64>,
    expected_loss: Option<Vec<f64>>,
    beats_first: Vec<f64>,
}

#[derive(Deserialize)]
struct RemainingCase {
    posteriors: Vec<PosteriorRecord>,
    leader_idx: usize,
    direction: Direction,
    level: f64,
    value: f64,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(tag = "family", rename_all = "snake_case")]
enum PosteriorRecord {
    Beta { a: f64, b: f64 },
    Normal { a: f64, b: f64 },
    StudentT { degrees: f64, a: f64, b: f64 },
}

impl PosteriorRecord {
    fn posterior(self) -> Posterior {
        match self {
            Self::Beta { a, b } => Posterior::Beta(Beta::new(a, b).unwrap()),
            Self::Normal { a, b } => Posterior::Normal(Normal::new(a, b).unwrap()),
            Self::StudentT { degrees, a, b } => Posterior::StudentT(StudentT::new(degrees, a, b).unwrap()),
        }
    }
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("../../tests/vectors/posterior.json")).unwrap()
}

fn p(value: f64) -> Probability {
    Probability::new(value).unwrap()
}

#[track_caller]
fn close(what: &str, got: f64, expected: f64, tolerance: f64) {
    assert!((got - expected).abs() <= tolerance, "{what}: {got} for {expected}, off by {:e}", got - expected);
}

/// How far neighboring numbers are apart in probability: much, for a rate within 1e-7 of 1.
fn spacing(posterior: &Posterior, x: f64) -> f64 {
    posterior.pdf(x) * (x.abs().next_up() - x.abs())
}

#[test]
fn densities_and_distribution_functions_agree_with_mpmath() {
    for case in golden().families {
        let posterior = case.posterior.posterior();
        for point in case.points {
            let what = format!("{:?} at {}", case.posterior, point.x);
            close(&what, posterior.log_pdf(point.x), point.log_pdf, 1e-9 * point.log_pdf.abs().max(1.0));
            // Exact to rounding for whole counts; a power that is not whole costs digits at its end of the range.
            let tolerance = if what.contains("2.5") { 1e-5 } else { 2e-12 };
            let tolerance = tolerance + spacing(&posterior, point.x);
            close(&what, posterior.cdf(point.x).get(), point.cdf, tolerance);
            if point.cdf < 0.5 && 1e-9 < point.cdf {
                close(
                    &what,
                    posterior.cdf(point.x).get() / point.cdf,
                    1.0,
                    1e-8 + 10.0 * tolerance / point.cdf,
                );
            }
        }
    }
}

#[test]
fn quantiles_invert_the_distribution_function() {
    for case in golden().families {
        let posterior = case.posterior.posterior();
        for share in [1e-6, 0.025, 0.3, 0.5, 0.7, 0.975, 0.999_999] {
            let x = posterior.quantile(p(share));
            let tolerance = 1e-11 + spacing(&posterior, x);
            close(&format!("{:?} at {share}", case.posterior), posterior.cdf(x).get(), share, tolerance);
        }
        let (low, high) = posterior.credible_interval(p(0.9));
        assert!(low < posterior.center() && posterior.center() < high, "{:?}", case.posterior);
        assert!(posterior.quantile(Probability::ZERO) < low && high < posterior.quantile(Probability::ONE));
    }
}

#[test]
fn parameters_agree_with_exact_fractions() {
    for case in golden().from_sums {
        let sums: Vec<VariantSums> = case.sums.iter().map(SumsRecord::sums).collect();
        let posteriors = Posteriors::from_sums(case.kind, Direction::Increase, &sums).unwrap();
        for (got, expected) in posteriors.as_slice().iter().zip(case.posteriors) {
            let what = format!("{got:?}");
            match (*got, expected) {
                (Posterior::StudentT(got), PosteriorRecord::StudentT { degrees, a, b }) => {
                    close(&what, got.degrees(), degrees, 0.0);
                    close(&what, got.location(), a, 1e-13 * a.abs());
                    close(&what, got.scale(), b, 1e-12 * b);
                }
                (Posterior::Normal(got), PosteriorRecord::Normal { a, b }) => {
                    close(&what, got.mean(), a, 1e-13 * a.abs());
                    close(&what, got.sd(), b, 1e-12 * b);
                }
                _ => panic!("{what} for {expected:?}"),
            }
        }
    }
}

impl SumsRecord {
    fn sums(&self) -> VariantSums {
        let [y, d, yy, yd, dd] =
            [&self.y, &self.d, &self.yy, &self.yd, &self.dd].map(|sum| sum.parse().unwrap());
        VariantSums {
            n: self.n.parse().unwrap(),
            n_nonzero: self.n_nonzero.parse().unwrap(),
            y,
            d,
            yy,
            yd,
            dd,
        }
    }
}

#[test]
fn comparisons_agree_with_scipy() {
    for case in golden().comparisons {
        let posteriors: Vec<Posterior> = case.posteriors.iter().map(|record| record.posterior()).collect();
        let width = posteriors.iter().filter_map(Posterior::sd).fold(0.0, f64::max);
        let comparison = Posteriors::new(case.direction, posteriors).unwrap().compare(0);
        for (variant_idx, expected) in case.p_best.iter().enumerate() {
            let what = format!("{}, variant {variant_idx}", case.name);
            close(&what, comparison.p_best()[variant_idx].get(), *expected, 1e-7);
            close(
                &what,
                comparison.beats_reference()[variant_idx].get(),
                case.beats_first[variant_idx],
                1e-7,
            );
            match &case.expected_loss {
                Some(losses) => {
                    let loss = comparison.expected_loss()[variant_idx].unwrap();
                    close(&what, loss, losses[variant_idx], 1e-7 * (width + losses[variant_idx]));
                }
                None => assert_eq!(comparison.expected_loss()[variant_idx], None, "{what}"),
            }
        }
    }
}

#[test]
fn value_remaining_agrees_with_scipy() {
    for case in golden().value_remaining {
        let posteriors: Vec<Posterior> = case.posteriors.iter().map(|record| record.posterior()).collect();
        let what = format!("{posteriors:?}");
        let posteriors = Posteriors::new(case.direction, posteriors).unwrap();
        let value = posteriors.value_remaining(case.leader_idx, p(case.level)).unwrap();
        // The bound of a rate at 1 is a kink that panels do not follow.
        close(&what, value, case.value, 2e-6 + 3e-4 * case.value);
    }
}

/// The sums of units whose values are all one (successes) or zero.
fn rate(n: i64, successes: i64) -> VariantSums {
    let y = i128::from(successes);
    let d = i128::from(n);
    VariantSums { n, n_nonzero: successes, y, d, yy: y, yd: y, dd: d }
}

fn sums_of(values: &[(i64, i64)]) -> VariantSums {
    let mut sums = VariantSums::default();
    for &(y, d) in values {
        sums.add(UnitValue::from_f64(y as f64, d as f64).unwrap());
    }
    sums
}

/// The same data in another unit of the numerator.
fn scaled(sums: &VariantSums, factor: i128) -> VariantSums {
    VariantSums { y: sums.y * factor, yy: sums.yy * factor * factor, yd: sums.yd * factor, ..*sums }
}

fn all_finite(kind: MetricKind, sums: &[VariantSums]) {
    for direction in [Direction::Increase, Direction::Decrease] {
        let posteriors = Posteriors::from_sums(kind, direction, sums).unwrap();
        let comparison = posteriors.compare(0);
        let total: f64 = comparison.p_best().iter().map(|chance| chance.get()).sum();
        close(&format!("Σ P(best) of {sums:?}"), total, 1.0, 1e-12);
        for loss in comparison.expected_loss().iter().flatten() {
            assert!(loss.is_finite() && 0.0 <= *loss, "{loss} for {sums:?}");
        }
        for posterior in posteriors.as_slice() {
            let (low, high) = posterior.credible_interval(p(0.95));
            assert!(low.is_finite() && high.is_finite() && low <= high, "{low} to {high} for {sums:?}");
            assert!(posterior.mean().is_none_or(f64::is_finite) && posterior.sd().is_none_or(f64::is_finite));
            assert!((0.0..=1.0).contains(&posterior.cdf(posterior.center()).get()));
        }
    }
}

#[test]
fn edges_have_no_nan() {
    let huge = i128::from(1_i64 << 53);
    let large = VariantSums {
        n: 10_000_000,
        n_nonzero: 10_000_000,
        y: 10_000_000 * (huge / 4096),
        d: 10_000_000,
        yy: 10_000_000 * (huge / 4096) * (huge / 2048),
        yd: 10_000_000 * (huge / 4096),
        dd: 10_000_000,
    };
    let none = VariantSums::default();
    all_finite(MetricKind::Proportion, &[none, none]);
    all_finite(
        MetricKind::Proportion,
        &[none, rate(10_000_000, 0), rate(10_000_000, 10_000_000), rate(3, 1)],
    );
    all_finite(MetricKind::Proportion, &vec![rate(10_000_000, 200_000); VARIANTS_MAX]);
    all_finite(MetricKind::Proportion, &[rate(1, 1)]);
    all_finite(MetricKind::Mean, &[sums_of(&[(0, 1), (0, 1)]), none]);
    all_finite(MetricKind::Mean, &[sums_of(&[(7, 1)]), sums_of(&[(7, 1)])]);
    all_finite(MetricKind::Mean, &[sums_of(&[(7, 1), (9, 1)]), none, none]);
    all_finite(MetricKind::Mean, &[sums_of(&[(1 << 53, 1), (-(1 << 53), 1)]), sums_of(&[(1, 1)])]);
    all_finite(MetricKind::Mean, &[sums_of(&[(1 << 53, 1), ((1 << 53) - 1, 1)]), sums_of(&[(1 << 53, 1)])]);
    all_finite(MetricKind::Mean, &[large, sums_of(&[(5, 1), (6, 1)])]);
    all_finite(MetricKind::Ratio, &[sums_of(&[(0, 0), (0, 0)]), sums_of(&[(6, 3), (2, 1)])]);
    all_finite(MetricKind::Ratio, &[sums_of(&[(6, 3), (2, 1)]), none]);
    all_finite(MetricKind::Ratio, &[large, sums_of(&[(1 << 53, 1 << 53), (0, 1)])]);
}

#[test]
fn a_metric_without_scale_is_told_so() {
    let none = VariantSums::default();
    let no_scale = |kind, sums: &[VariantSums]| {
        matches!(Posteriors::from_sums(kind, Direction::Increase, sums), Err(NoPosteriors::NoScale { .. }))
    };
    assert!(no_scale(MetricKind::Mean, &[none, none]));
    assert!(no_scale(MetricKind::Mean, &[sums_of(&[(7, 1)]), none]));
    assert!(no_scale(MetricKind::Ratio, &[sums_of(&[(7, 1)]), none]));
    assert!(no_scale(MetricKind::Ratio, &[sums_of(&[(0, 0), (0, 0)]), sums_of(&[(0, 0)])]));
}

#[test]
fn sums_that_no_data_gives_are_refused() {
    let refused = |kind, sum: VariantSums| {
        let sums = [rate(5, 2), sum];
        let error = Posteriors::from_sums(kind, Direction::Increase, &sums).unwrap_err();
        assert!(matches!(error, NoPosteriors::Contradiction { variant_idx: 1, .. }), "{error}");
    };
    refused(MetricKind::Proportion, rate(3, 4));
    refused(MetricKind::Proportion, rate(3, -1));
    refused(MetricKind::Mean, rate(-1, 0));
    refused(MetricKind::Mean, rate(0, 2));
    let too_many = vec![rate(5, 2); VARIANTS_MAX + 1];
    for sums in [&[][..], &too_many] {
        let error = Posteriors::from_sums(MetricKind::Proportion, Direction::Increase, sums).unwrap_err();
        assert_eq!(error, NoPosteriors::VariantCount { n_variants: sums.len() });
    }
}

#[test]
fn a_constant_metric_is_a_point_shared_evenly() {
    let sums = [sums_of(&[(7, 1); 40]), sums_of(&[(7, 1); 90]), VariantSums::default()];
    let posteriors = Posteriors::from_sums(MetricKind::Mean, Direction::Increase, &sums).unwrap();
    assert!(posteriors.as_slice().iter().all(|posterior| *posterior == Posterior::Point(7.0)));
    let comparison = posteriors.compare(0);
    for variant_idx in 0..3 {
        close("share", comparison.p_best()[variant_idx].get(), 1.0 / 3.0, 1e-12);
        close("loss", comparison.expected_loss()[variant_idx].unwrap(), 0.0, 1e-9);
    }
}

#[test]
fn a_ratio_over_one_is_the_mean() {
    let values = |amounts: &[i64]| sums_of(&amounts.iter().map(|&y| (y, 1)).collect::<Vec<_>>());
    let sums = [values(&[3, 0, 8, 1, 12]), values(&[5, 5, 0]), values(&[])];
    let means = Posteriors::from_sums(MetricKind::Mean, Direction::Increase, &sums).unwrap();
    let ratios = Posteriors::from_sums(MetricKind::Ratio, Direction::Increase, &sums).unwrap();
    for (mean, ratio) in means.as_slice().iter().zip(ratios.as_slice()) {
        let (Posterior::StudentT(mean), Posterior::Normal(ratio)) = (mean, ratio) else {
            panic!("{mean:?} {ratio:?}")
        };
        close("location", ratio.mean(), mean.location(), 1e-14 * mean.location());
        close("scale", ratio.sd(), mean.scale(), 1e-13 * mean.scale());
    }
}

#[test]
fn value_remaining_shrinks_with_data_and_knows_its_limits() {
    let remaining = |n: i64, direction| {
        let sums = [rate(n, n / 20), rate(n, n / 25)];
        let posteriors = Posteriors::from_sums(MetricKind::Proportion, direction, &sums).unwrap();
        let leader_idx = posteriors.compare(0).leader_idx();
        posteriors.value_remaining(leader_idx, p(0.95)).unwrap()
    };
    for direction in [Direction::Increase, Direction::Decrease] {
        let (early, late) = (remaining(500, direction), remaining(50_000, direction));
        assert!(0.05 < early && early < 0.5, "{early}");
        assert!(late < 1e-6, "{late}");
    }
    // One variant alone has nothing to be better than; a loss-making leader has no relative value.
    let alone = Posteriors::from_sums(MetricKind::Proportion, Direction::Increase, &[rate(50, 5)]).unwrap();
    assert_eq!(alone.value_remaining(0, p(0.95)), Some(0.0));
    assert_eq!(alone.value_remaining(1, p(0.95)), None);
    let losing = Posterior::Normal(Normal::new(-3.0, 0.1).unwrap());
    let losing = Posteriors::new(Direction::Increase, vec![losing, losing]).unwrap();
    assert_eq!(losing.value_remaining(0, p(0.95)), None);
}

fn rates() -> impl Strategy<Value = Vec<VariantSums>> {
    let one = (0..7_u32, 0.0..1.0_f64).prop_map(|(magnitude, share)| {
        let n = 10_i64.pow(magnitude);
        rate(n, (share * share * share * n as f64) as i64)
    });
    prop::collection::vec(one, 2..=12)
}

fn amounts() -> impl Strategy<Value = Vec<VariantSums>> {
    // Multiples of 1000, so that the same data can be told in a unit a thousand times larger.
    let value = (-90_i64..400, 0_i64..3).prop_map(|(y, d)| if d == 0 { (0, 0) } else { (y * 1000, d) });
    let variant = prop::collection::vec(value, 0..40).prop_map(|values| sums_of(&values));
    prop::collection::vec(variant, 2..=6)
}

proptest! {
    #[test]
    fn the_scale_of_the_data_is_the_scale_of_the_posterior(sums in amounts(), ratio in any::<bool>()) {
        let kind = if ratio { MetricKind::Ratio } else { MetricKind::Mean };
        let posteriors = |sums: &[VariantSums]| Posteriors::from_sums(kind, Direction::Increase, sums);
        let thousandths = |sum: &VariantSums| {
            VariantSums { y: sum.y / 1000, yy: sum.yy / 1_000_000, yd: sum.yd / 1000, ..*sum }
        };
        let Ok(plain) = posteriors(&sums) else { return Ok(()) };
        let times = |factor| sums.iter().map(|sum| scaled(sum, factor)).collect();
        let others: [(f64, Vec<VariantSums>); 3] =
            [(100.0, times(100)), (150.0, times(150)), (0.001, sums.iter().map(thousandths).collect())];
        let chances = plain.compare(0);
        for (factor, sums) in others {
            let other = posteriors(&sums).unwrap();
            for (a, b) in plain.as_slice().iter().zip(other.as_slice()) {
                prop_assert!((a.center() * factor - b.center()).abs() <= 1e-12 * b.center().abs(), "{a:?} {b:?}");
                let (sd_a, sd_b) = (a.sd().unwrap_or(0.0) * factor, b.sd().unwrap_or(0.0));
                prop_assert!((sd_a - sd_b).abs() <= 1e-11 * sd_b, "{a:?} {b:?}");
            }
            let compared = other.compare(0);
            for (a, b) in chances.p_best().iter().zip(compared.p_best()) {
                prop_assert!((a.get() - b.get()).abs() < 1e-9, "{a:?} {b:?}");
            }
        }
    }

    #[test]
    fn the_order_of_variants_does_not_matter(sums in rates(), turn in 1..12_usize) {
        let mut turned = sums.clone();
        turned.rotate_left(turn % sums.len());
        let compare = |sums: &[VariantSums]| {
            Posteriors::from_sums(MetricKind::Proportion, Direction::Increase, sums).unwrap().compare(0)
        };
        let mut expected = compare(&sums).p_best().to_vec();
        expected.rotate_left(turn % sums.len());
        for (a, b) in compare(&turned).p_best().iter().zip(expected) {
            prop_assert!((a.get() - b.get()).abs() < 1e-12, "{a:?} {b:?}");
        }
    }

    #[test]
    fn directions_mirror_each_other(sums in rates()) {
        let failures: Vec<_> = sums.iter().map(|sum| rate(sum.n, sum.n - sum.n_nonzero)).collect();
        let compare = |direction, sums: &[VariantSums]| {
            Posteriors::from_sums(MetricKind::Proportion, direction, sums).unwrap().compare(1)
        };
        let (more, less) = (compare(Direction::Increase, &sums), compare(Direction::Decrease, &failures));
        for (a, b) in more.p_best().iter().zip(less.p_best()) {
            prop_assert!((a.get() - b.get()).abs() < 1e-7, "{a:?} {b:?}");
        }
        for (a, b) in more.expected_loss().iter().zip(less.expected_loss()) {
            prop_assert!((a.unwrap() - b.unwrap()).abs() < 1e-7, "{a:?} {b:?}");
        }
        for (a, b) in more.beats_reference().iter().zip(less.beats_reference()) {
            prop_assert!((a.get() - b.get()).abs() < 1e-7, "{a:?} {b:?}");
        }
    }

    #[test]
    fn one_more_success_is_never_held_against_a_variant(sums in rates(), picked in 0..12_usize) {
        let picked = picked % sums.len();
        prop_assume!(sums[picked].n_nonzero < sums[picked].n);
        let mut better = sums.clone();
        better[picked] = rate(sums[picked].n, sums[picked].n_nonzero + 1);
        let compare = |sums: &[VariantSums]| {
            Posteriors::from_sums(MetricKind::Proportion, Direction::Increase, sums).unwrap().compare(0)
        };
        let (before, after) = (compare(&sums), compare(&better));
        prop_assert!(before.p_best()[picked].get() <= after.p_best()[picked].get() + 1e-10);
        prop_assert!(after.expected_loss()[picked].unwrap() <= before.expected_loss()[picked].unwrap() + 1e-10);
    }

    #[test]
    fn chances_are_a_distribution(sums in rates()) {
        let posteriors = Posteriors::from_sums(MetricKind::Proportion, Direction::Increase, &sums).unwrap();
        let comparison = posteriors.compare(0);
        let total: f64 = comparison.p_best().iter().map(|chance| chance.get()).sum();
        prop_assert!((total - 1.0).abs() < 1e-12, "{total}");
        let least = comparison.expected_loss().iter().flatten().copied().fold(f64::INFINITY, f64::min);
        prop_assert!((0.0..1.0).contains(&least));
    }
}
