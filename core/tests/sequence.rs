//! The sequence of a difference: its boundary against `tests/vectors/boundary.json` (integrals in mpmath, confseq and
//! gbstats), itself against `tests/vectors/sequence.json` (numpy and scipy), and the laws it keeps.

use podium_core::inference::boundary::Boundary;
use podium_core::inference::evidence::{Question, Verdicts, discoveries};
use podium_core::inference::moments::Cell;
use podium_core::inference::sequence::{Difference, EntryConditions, Horizon};
use podium_core::inference::strata::Stratum;
use podium_core::metric::Direction;
use proptest::prelude::*;
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    alpha: f64,
    planned: f64,
    points: Vec<Point>,
}

#[derive(Deserialize)]
struct Point {
    variance: f64,
    sum: f64,
    bound: f64,
    log_e: f64,
    log_e_above: f64,
}

#[derive(Deserialize)]
struct GoldenSequence {
    cases: Vec<SequenceCase>,
}

#[derive(Deserialize)]
struct SequenceCase {
    name: String,
    alpha: f64,
    planned: f64,
    strata: Vec<Vec<CellRecord>>,
    estimate: f64,
    variance: f64,
    weight: f64,
    interval: [f64; 2],
    lift: Option<f64>,
    lift_interval: Option<[f64; 2]>,
}

#[derive(Deserialize)]
struct CellRecord {
    n: f64,
    n_nonzero: f64,
    mean: f64,
    squares: f64,
}

#[track_caller]
fn close(value: f64, expected: f64, tolerance: f64) {
    assert!((value - expected).abs() <= tolerance * expected.abs().max(1e-3), "{value} for {expected}");
}

#[test]
fn the_boundary_is_the_published_one() {
    let golden =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/vectors/boundary.json"));
    let golden: Golden = serde_json::from_str(&golden.unwrap()).unwrap();
    assert!(!golden.cases.is_empty());
    for case in golden.cases {
        let boundary = Boundary::tuned(case.alpha, case.planned);
        for point in case.points {
            close(boundary.bound(point.variance), point.bound, 1e-9);
            close(boundary.log_e(point.sum, point.variance), point.log_e, 1e-9);
            close(boundary.log_e_above(point.sum, point.variance), point.log_e_above, 1e-9);
        }
    }
}

#[test]
fn differences_are_those_of_the_units() {
    let golden =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/vectors/sequence.json"));
    let golden: GoldenSequence = serde_json::from_str(&golden.unwrap()).unwrap();
    assert!(!golden.cases.is_empty());
    for case in golden.cases {
        println!("{}", case.name);
        let cells = |cells: &Vec<CellRecord>| {
            let cells = cells.iter().map(|record| Cell {
                n_nonzero: record.n_nonzero,
                ..cell(record.n, record.mean, record.squares)
            });
            stratum(&cells.collect::<Vec<_>>())
        };
        let strata: Vec<Stratum> = case.strata.iter().map(cells).collect();
        let difference = Difference::of(&strata, [0, 1]).unwrap();
        let boundary = Boundary::tuned(case.alpha, case.planned);
        close(difference.estimate(), case.estimate, 1e-9);
        close(difference.variance(), case.variance, 1e-9);
        close(difference.weight(), case.weight, 1e-9);
        let interval = difference.interval(&boundary);
        close(interval.low, case.interval[0], 1e-9);
        close(interval.high, case.interval[1], 1e-9);
        let lift_interval = difference.lift_interval(&boundary, 0.0).map(|lift| [lift.low, lift.high]);
        assert_eq!(lift_interval.is_some(), case.lift_interval.is_some());
        for (lift, expected) in lift_interval.iter().flatten().zip(case.lift_interval.iter().flatten()) {
            close(*lift, *expected, 1e-9);
        }
        assert_eq!(difference.lift(0.0).is_some(), case.lift.is_some());
        difference.lift(0.0).iter().zip(case.lift).for_each(|(lift, expected)| close(*lift, expected, 1e-9));
    }
}

#[test]
fn evidence_far_below_zero_is_none_for_above() {
    let boundary = Boundary::tuned(0.05, 1e4);
    let log_e = |sum: f64| boundary.log_e_above(sum, 1e4);
    // Both sides of where the expansion of the tail takes over.
    let step = (1e4_f64 + 1_260.056_097_925_634).sqrt();
    close(log_e(-19.999_999 * step), log_e(-20.000_001 * step), 1e-6);
    assert!(log_e(-1e9).is_finite() && log_e(-1e9) < log_e(-1e5) && log_e(-1e5) < 0.0);
}

#[test]
fn a_boundary_is_tightest_where_it_was_planned() {
    let boundary = Boundary::tuned(0.05, 5000.0);
    let sds = |variance: f64| boundary.bound(variance) / variance.sqrt();
    close(sds(5000.0), 3.03, 2e-3);
    assert!(sds(5000.0) < sds(3500.0) && sds(5000.0) < sds(7000.0));
}

fn cell(n: f64, mean: f64, squares: f64) -> Cell {
    Cell { n, n_nonzero: n, mean, squares }
}

fn stratum(cells: &[Cell]) -> Stratum {
    Stratum { shares: None, cells: cells.to_vec() }
}

/// Two to four variants in up to eight strata, in some of which some are missing.
fn strata() -> impl Strategy<Value = Vec<Stratum>> {
    (2_usize..=4).prop_flat_map(|n_variants| {
        let cell = (0_u32..400, -50.0..150.0_f64, 0.0..400.0_f64, 0.0..=1.0_f64).prop_map(
            |(n, mean, variance, nonzero)| Cell {
                n: f64::from(n),
                n_nonzero: (f64::from(n) * nonzero).floor(),
                mean: mean + 100.0,
                squares: variance * f64::from(n.saturating_sub(1)),
            },
        );
        let cells = prop::collection::vec(cell, n_variants);
        prop::collection::vec(cells.prop_map(|cells| stratum(&cells)), 1..8)
    })
}

fn times(strata: &[Stratum], factor: f64) -> Vec<Stratum> {
    let scaled =
        |cell: &Cell| Cell { mean: factor * cell.mean, squares: factor * factor * cell.squares, ..*cell };
    strata
        .iter()
        .map(|stratum| self::stratum(&stratum.cells.iter().map(scaled).collect::<Vec<_>>()))
        .collect()
}

fn verdicts(strata: &[Stratum], direction: Direction) -> Verdicts {
    let competes = vec![true; strata[0].cells.len()];
    Question {
        strata,
        denominators: &[],
        direction,
        control_idx: 0,
        competes: &competes,
        alpha: 0.05,
        horizon: &Horizon::even(2000.0),
        entry: EntryConditions::default(),
        level: 0.0,
    }
    .verdicts()
}

/// Everything that a verdict says in words.
fn words(verdicts: &Verdicts) -> (Option<usize>, Vec<Option<[bool; 5]>>) {
    let words = |pair: &podium_core::inference::evidence::Pair| {
        [
            pair.is_better(),
            pair.is_worse(),
            pair.is_within(0.1),
            pair.is_worse_by(0.02),
            pair.is_not_worse_by(0.02),
        ]
    };
    (verdicts.winner_idx, verdicts.against_control.iter().map(|pair| pair.as_ref().map(words)).collect())
}

proptest! {
    #[test]
    fn cents_or_yen_change_no_verdict(strata in strata()) {
        let plain = verdicts(&strata, Direction::Increase);
        for factor in [100.0, 150.0, 0.001] {
            let scaled = verdicts(&times(&strata, factor), Direction::Increase);
            prop_assert_eq!(words(&scaled), words(&plain));
            for (a, b) in scaled.against_control.iter().zip(&plain.against_control) {
                if let (Some(a), Some(b)) = (a, b) {
                    let width = factor * (b.interval.high - b.interval.low);
                    prop_assert!((a.interval.low - factor * b.interval.low).abs() <= 1e-9 * width);
                    prop_assert!((a.interval.high - factor * b.interval.high).abs() <= 1e-9 * width);
                    prop_assert!((a.log_e - b.log_e).abs() <= 1e-9 * b.log_e.abs().max(1.0));
                }
            }
        }
    }

    #[test]
    fn less_is_better_just_as_more_is(strata in strata()) {
        let mirrored = verdicts(&times(&strata, -1.0), Direction::Decrease);
        let plain = verdicts(&strata, Direction::Increase);
        prop_assert_eq!(mirrored.winner_idx, plain.winner_idx);
        for (a, b) in mirrored.against_control.iter().zip(&plain.against_control) {
            let words = |pair: &podium_core::inference::evidence::Pair| (pair.is_better(), pair.is_worse());
            prop_assert_eq!(a.as_ref().map(words), b.as_ref().map(words));
            prop_assert_eq!(a.map(|pair| pair.log_e_better.to_bits()), b.map(|pair| pair.log_e_better.to_bits()));
        }
    }

    #[test]
    fn figures_of_one_pair_never_contradict_each_other(strata in strata()) {
        for pair in verdicts(&strata, Direction::Increase).against_control.iter().flatten() {
            let outside = pair.is_better() || pair.is_worse();
            // Knife edges are for rounding to decide.
            let needed = (1.0 / 0.05_f64).ln() + (strata[0].cells.len() as f64 - 1.0).ln();
            if 1e-9 < (pair.log_e - needed).abs() {
                prop_assert_eq!(outside, needed < pair.log_e);
                if let Some(lift) = pair.lift_interval {
                    prop_assert_eq!(lift.is_above_zero(), pair.is_better());
                    prop_assert_eq!(lift.is_below_zero(), pair.is_worse());
                    prop_assert!(lift.low < pair.lift.unwrap() && pair.lift.unwrap() < lift.high);
                }
            }
        }
    }

    #[test]
    fn a_winner_is_never_worse_than_the_control(strata in strata()) {
        let verdicts = verdicts(&strata, Direction::Increase);
        if let Some(winner_idx) = verdicts.winner_idx {
            let pairs = verdicts.against_control.iter().enumerate();
            if winner_idx == 0 {
                prop_assert!(pairs.skip(1).all(|(_, pair)| pair.is_some_and(|pair| pair.is_worse())));
            } else {
                prop_assert!(verdicts.against_control[winner_idx].is_some_and(|pair| pair.is_better()));
            }
        }
    }

    #[test]
    fn discoveries_are_the_largest_set_that_pays_for_itself(
        log_e in prop::collection::vec(-2.0..8.0_f64, 0..9),
        alpha in 0.01..0.5_f64,
    ) {
        // A set pays for itself if each of its e-values is at least m/(size × α); all sets are tried.
        let m = log_e.len();
        let mut largest = vec![false; m];
        for set in 0_u32..1 << m {
            let members: Vec<bool> = (0..m).map(|idx| set >> idx & 1 == 1).collect();
            let size = f64::from(set.count_ones());
            let pays = (0..m).all(|idx| !members[idx] || m as f64 <= size * alpha * log_e[idx].exp());
            let largest_size = largest.iter().filter(|member| **member).count();
            if pays && largest_size < set.count_ones() as usize {
                largest = members;
            }
        }
        prop_assert_eq!(discoveries(&log_e, alpha), largest);
    }
}

#[test]
fn a_level_that_moves_favors_nobody() {
    // The better day is the one on which the second variant had the traffic; within each day they are alike.
    let strata = [
        stratum(&[cell(9000.0, 10.0, 9000.0 * 25.0), cell(1000.0, 10.0, 1000.0 * 25.0)]),
        stratum(&[cell(1000.0, 20.0, 1000.0 * 25.0), cell(9000.0, 20.0, 9000.0 * 25.0)]),
    ];
    let difference = Difference::of(&strata, [1, 0]).unwrap();
    close(difference.estimate(), 0.0, 1e-12);
    close(difference.weight(), 1800.0, 1e-12);
    // V = Σ w s², for two variants alike.
    close(difference.variance() * difference.weight() * difference.weight(), 1800.0 * 25.0, 1e-3);
}

#[test]
fn too_little_is_not_compared() {
    let strata = [stratum(&[cell(60.0, 1.0, 30.0), cell(60.0, 9.0, 30.0)])];
    assert!(verdicts(&strata, Direction::Increase).against_control[1].is_none(), "one stratum");
    let twice = [strata[0].clone(), strata[0].clone()];
    let verdicts_of_two = verdicts(&twice, Direction::Increase);
    assert_eq!(verdicts_of_two.winner_idx, Some(1));
    assert!(verdicts_of_two.against_control[0].is_none());
    let mut few = twice.clone();
    few[0].cells[0].n_nonzero = 1.0;
    few[1].cells[0].n_nonzero = 23.0;
    assert!(verdicts(&few, Direction::Increase).against_control[1].is_none(), "24 rewards");
    let alike = [stratum(&[cell(60.0, 1.0, 0.0), cell(60.0, 1.0, 0.0)]), strata[0].clone()];
    assert!(Difference::of(&alike[..1], [1, 0]).is_none(), "nothing varies");
    assert!(Difference::of(&twice, [1, 7]).is_none(), "nobody there");
}

#[test]
fn a_variant_that_is_dropped_still_counts() {
    let strata = vec![stratum(&[cell(100.0, 1.0, 50.0), cell(100.0, 1.1, 50.0), cell(100.0, 0.2, 50.0)]); 2];
    let horizon = Horizon::even(1000.0);
    let question = |competes| Question {
        strata: &strata,
        denominators: &[],
        direction: Direction::Increase,
        control_idx: 0,
        competes,
        alpha: 0.05,
        horizon: &horizon,
        entry: EntryConditions::default(),
        level: 0.0,
    };
    let all = question(&[true, true, true]).verdicts();
    let dropped = question(&[true, true, false]).verdicts();
    close(dropped.alpha_each, 0.025, 1e-12);
    assert_eq!(all.against_control, dropped.against_control);
    assert!(all.against_control[2].is_some_and(|pair| pair.is_worse()));
}

#[test]
fn a_winner_beats_a_control_that_was_taken_out_too() {
    let winner = |control: f64| {
        let strata =
            vec![stratum(&[cell(900.0, control, 90.0), cell(900.0, 1.0, 90.0), cell(900.0, 0.2, 90.0)]); 2];
        let horizon = Horizon::even(1000.0);
        let question = Question {
            strata: &strata,
            denominators: &[],
            direction: Direction::Increase,
            control_idx: 0,
            competes: &[false, true, true],
            alpha: 0.05,
            horizon: &horizon,
            entry: EntryConditions::default(),
            level: 0.0,
        };
        question.verdicts().winner_idx
    };
    assert_eq!(winner(0.5), Some(1));
    assert_eq!(winner(1.0), None, "or five in a hundred would not be all that is ever announced for nothing");
}
