//! What moving the traffic earned.

use super::*;

/// 800 units that earn 2 each and 200 that earn 1, or ten times that among them all.
fn moved(goal: Goal, allocator: &str, equal_units: Vec<f64>) -> Option<Gain> {
    let mut experiment = experiment(&["a", "b"], goal);
    experiment.definition.allocator = serde_json::from_value(json!({ "type": allocator })).unwrap();
    let good = units(&[(400, 4.0, 1.0), (400, 0.0, 1.0)]);
    let bad = units(&[(50, 4.0, 1.0), (150, 0.0, 1.0)]);
    let mut input = input(&experiment, vec![metric(goal, Role::Primary, &[good, bad])]);
    input.equal_units = equal_units;
    Report::of(&input).metrics[0].gain
}

#[test]
fn it_is_what_the_moved_units_earned_more_than_where_they_were_taken_from() {
    let gain = moved(RPV, "thompson", vec![500.0, 500.0]).unwrap();
    // 300 units were moved from a mean of 1 to a mean of 2.
    assert!((gain.value - 300.0).abs() < 1e-9, "{gain:?}");
    // s²/n of 4 and 0 at even odds, and at one in four; numpy 2.3: 300·1.959964·sqrt(var(a, ddof=1)/800 + …/200).
    let variance = 4.0 * 800.0 / 799.0 / 800.0 + 3.0 * 200.0 / 199.0 / 200.0;
    let radius = 300.0 * 1.959_963_984_540_054 * f64::sqrt(variance);
    assert!((gain.high.unwrap() - gain.low.unwrap() - 2.0 * radius).abs() < 1e-9, "{gain:?}");
    assert_eq!(gain.level.to_bits(), LEVEL.to_bits());
}

#[test]
fn less_of_what_is_bad_is_a_gain() {
    let worse = Goal { direction: Direction::Decrease, ..RPV };
    let gain = moved(worse, "thompson", vec![500.0, 500.0]).unwrap();
    assert!((gain.value + 300.0).abs() < 1e-9, "{gain:?}");
}

#[test]
fn nothing_moved_is_nothing_gained() {
    let gain = moved(RPV, "thompson", vec![800.0, 200.0]).unwrap();
    assert_eq!((gain.value, gain.low, gain.high), (0.0, None, None));
}

#[test]
fn a_fixed_split_and_a_ratio_have_none() {
    assert_eq!(moved(RPV, "fixed", vec![500.0, 500.0]), None);
    assert_eq!(moved(AOV, "thompson", vec![500.0, 500.0]), None);
}

#[test]
fn against_the_control_everyone_counts() {
    let experiment = experiment(&["a", "b"], RPV);
    let good = units(&[(400, 4.0, 1.0), (400, 0.0, 1.0)]);
    let control = units(&[(50, 4.0, 1.0), (150, 0.0, 1.0)]);
    let report = Report::of(&input(&experiment, vec![metric(RPV, Role::Primary, &[control, good])]));
    let gain = report.metrics[0].gain_over_control.unwrap();
    // 800 units got 2 where the control has 1.
    assert!((gain.value - 800.0).abs() < 1e-9, "{gain:?}");
    assert!(gain.low.unwrap() < gain.value && gain.value < gain.high.unwrap());
}
