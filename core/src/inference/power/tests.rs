//! Sizes against independent implementations; `tests/vectors/power.py` says which.

use super::super::moments::Cell;
use super::super::sequence::Horizon;
use super::super::strata::Stratum;
use super::*;
use proptest::prelude::*;

const VECTORS: &str = include_str!("../../../../tests/vectors/power.json");

#[derive(Deserialize)]
struct Vectors {
    sizes: Vec<Size>,
    differences: Vec<Detected>,
    progresses: Vec<Course>,
}

#[derive(Deserialize)]
struct Size {
    baseline: Known,
    difference: f64,
    aim: Wanted,
    units: u64,
}

#[derive(Deserialize)]
struct Detected {
    baseline: Known,
    units: u64,
    aim: Wanted,
    direction: Direction,
    smallest: Option<f64>,
}

#[derive(Deserialize)]
struct Course {
    variance: f64,
    weight: f64,
    planned_weight: f64,
    alpha: f64,
    n_units: f64,
    radius_now: f64,
    radius: f64,
    units: Option<f64>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Known {
    Rate { rate: f64 },
    Value { mean: f64, variance: f64 },
}

#[derive(Debug, Deserialize)]
struct Wanted {
    alpha: Probability,
    power: Probability,
    n_variants: usize,
    looks: Looks,
}

impl Known {
    fn baseline(&self) -> Baseline {
        match *self {
            Self::Rate { rate } => Baseline::rate(rate).unwrap(),
            Self::Value { mean, variance } => Baseline::value(mean, variance).unwrap(),
        }
    }
}

impl Wanted {
    fn aim(&self) -> Aim {
        Aim { alpha: self.alpha, power: self.power, n_variants: self.n_variants, looks: self.looks }
    }
}

fn vectors() -> Vectors {
    serde_json::from_str(VECTORS).unwrap()
}

fn once() -> Aim {
    Aim::default().looking(Looks::Once)
}

#[track_caller]
fn close(found: f64, expected: f64) {
    assert!((found - expected).abs() <= 1e-9 * expected.abs(), "{found}, expected {expected}");
}

#[test]
fn sizes_are_those_of_the_references() {
    let sizes = vectors().sizes;
    for Size { baseline, difference, aim, units } in &sizes {
        let found = aim.aim().units_per_variant(&baseline.baseline(), *difference).unwrap();
        assert_eq!(found, *units, "{baseline:?} by {difference}, {aim:?}");
    }
    assert_eq!(sizes.len(), 40, "the file has lost cases");
}

#[test]
fn the_textbook_size_is_21_109() {
    let units = once().units_per_variant(&Baseline::rate(0.02).unwrap(), 0.2 * 0.02).unwrap();
    assert_eq!(units, 21_109);
}

#[test]
fn detectable_differences_are_those_of_the_references() {
    let differences = vectors().differences;
    let mut n_none = 0;
    for Detected { baseline, units, aim, direction, smallest } in &differences {
        let found = aim.aim().detectable(&baseline.baseline(), *units, *direction).unwrap();
        match (found, *smallest) {
            (Some(found), Some(expected)) => close(found, expected),
            (found, expected) => assert_eq!(found, expected, "{baseline:?}, {units}, {aim:?}"),
        }
        n_none += u32::from(smallest.is_none());
    }
    assert!(differences.len() == 36 && 0 < n_none, "the file has lost cases");
}

/// Two variants of as many units, whose values have this variance.
fn difference(n: f64, variance: f64) -> Difference {
    let cell = |mean| Cell { n, n_nonzero: n, mean, squares: variance * (n - 1.0) };
    let stratum = Stratum { shares: None, cells: vec![cell(1.0), cell(2.0)] };
    Difference::of(&[stratum], [1, 0]).unwrap()
}

#[test]
fn units_left_are_those_of_the_references() {
    for course in vectors().progresses {
        let Course { variance, weight, planned_weight, alpha, n_units, radius_now, radius, units } = course;
        let difference = difference(2.0 * weight, variance / weight);
        let boundary = Boundary::tuned(alpha, planned_weight);
        let progress = Progress { difference, boundary, n_units };
        close(difference.radius(&boundary), radius_now);
        match (progress.units_until(radius), units) {
            (Some(found), Some(expected)) => close(found, expected),
            (found, expected) => assert_eq!(found, expected, "{progress:?}"),
        }
    }
}

/// An experiment that has run as long as was planned has the radius that the plan counted on.
#[test]
fn a_plan_and_its_last_look_agree() {
    let aim = Aim { power: Probability::new(0.5).unwrap(), ..Aim::default() };
    let (mean, sd, wanted) = (50.0, 40.0, 2.0);
    let units = aim.units_per_variant(&Baseline::value(mean, sd * sd).unwrap(), wanted).unwrap() as f64;
    let boundary = Horizon::even(2.0 * units).boundary(0.05, 2, [1, 0]);
    let radius = difference(units, sd * sd).radius(&boundary);
    assert!((radius / wanted - 1.0).abs() < 1e-3, "{radius}");
}

#[test]
fn days_come_from_traffic_and_window() {
    let traffic = Traffic { units_per_day: 1_000.0, window_s: 3 * 86_400 };
    assert_eq!(traffic.days(42_218), Some(45.218));
    assert_eq!(Traffic { units_per_day: 0.0, ..traffic }.days(42_218), None);
    assert_eq!(Traffic { units_per_day: f64::NAN, ..traffic }.days(42_218), None);
}

#[test]
fn impossible_plans_say_why() {
    let baseline = Baseline::rate(0.02).unwrap();
    for rate in [0.0, 1.0, -0.1, f64::NAN] {
        assert!(Baseline::rate(rate).is_err());
    }
    for (mean, variance) in [(1.0, 0.0), (f64::NAN, 1.0), (1.0, f64::INFINITY)] {
        assert!(Baseline::value(mean, variance).is_err());
    }
    assert_eq!(once().units_per_variant(&baseline, 0.99), Err(NoPlan::Rate { rate: 1.01 }));
    assert_eq!(once().units_per_variant(&baseline, 0.0), Err(NoPlan::Difference { difference: 0.0 }));
    assert!(once().units_per_variant(&baseline, f64::NAN).is_err());
    assert!(once().among(1).units_per_variant(&baseline, 0.01).is_err());
    let never = Aim { power: Probability::ONE, ..once() };
    assert!(matches!(never.units_per_variant(&baseline, 0.01), Err(NoPlan::Aim { .. })));
}

proptest! {
    #[test]
    fn the_unit_of_a_value_does_not_matter(
        sd in 0.1..1e3_f64, lift in 0.01..0.5_f64, scale in 1e-3..1e6_f64, n_variants in 2_usize..20,
    ) {
        let aim = Aim::default().among(n_variants);
        let units = |scale: f64| {
            let baseline = Baseline::value(10.0 * scale, (sd * scale).powi(2)).unwrap();
            aim.units_per_variant(&baseline, 10.0 * scale * lift).unwrap()
        };
        prop_assert!(units(1.0).abs_diff(units(scale)) <= 1);
    }

    #[test]
    fn what_is_detectable_is_found(
        rate in 0.001..0.9_f64, units in 50_u64..1_000_000, n_variants in 2_usize..10,
    ) {
        let aim = Aim::default().among(n_variants);
        let baseline = Baseline::rate(rate).unwrap();
        if let Some(difference) = aim.detectable(&baseline, units, Direction::Increase).unwrap() {
            prop_assert!(aim.units_per_variant(&baseline, difference).unwrap() <= units);
            let less = aim.units_per_variant(&baseline, 0.99 * difference).unwrap();
            prop_assert!(units < less);
        }
    }

    #[test]
    fn looking_often_costs_units(rate in 0.001..0.5_f64, lift in 0.02..0.5_f64) {
        let baseline = Baseline::rate(rate).unwrap();
        let units = |looks| Aim::default().looking(looks).units_per_variant(&baseline, rate * lift).unwrap();
        let (once, always) = (units(Looks::Once) as f64, units(Looks::Always) as f64);
        prop_assert!(1.5 < always / once && always / once < 2.5, "{once} {always}");
    }
}
