//! How long it still takes, and when nobody can say.

use super::*;

fn days_left(means: &[f64], change: impl Fn(&mut ReportInput<'_>)) -> Option<f64> {
    let experiment = experiment(&["a", "b", "c"][..means.len()], RPV);
    let mut input = input(&experiment, vec![figures(RPV, Role::Primary, strata(4, means))]);
    input.daily_units = (0..20).map(|day| (day, 1_000)).collect();
    change(&mut input);
    Report::of(&input).outlook.days_left
}

#[test]
fn days_left_are_what_brings_the_intervals_to_the_difference() {
    let days = days_left(&[40.0, 42.5], |_| {}).unwrap();
    // With so many times the units of each stratum there is a winner, and with fewer there is none.
    let winner = |times: f64| {
        let experiment = experiment(&["a", "b"], RPV);
        let more = 4.0 * times;
        let report =
            report(&experiment, vec![figures(RPV, Role::Primary, strata(more as usize, &[40.0, 42.5]))]);
        report.verdict.winner.is_some()
    };
    let times = 1.0 + days * 1_000.0 / 8_000.0;
    assert!(winner(times + 0.5) && !winner(times - 0.5), "{days}");
    assert_eq!(days_left(&[40.0, 42.5], |input| input.metrics[0].window_s = 30 * 86_400), Some(days));
}

#[test]
fn there_are_none_where_no_end_is_in_sight() {
    assert_eq!(days_left(&[40.0, 60.0], |_| {}), None, "there is a winner");
    assert_eq!(days_left(&[40.0, 40.0], |_| {}), None, "there is no difference");
    let stopped = |input: &mut ReportInput<'_>| input.now = Timestamp::from_micros(22 * DAY_US);
    assert_eq!(days_left(&[40.0, 42.5], stopped), None, "nobody has come for two days");
    let few = |input: &mut ReportInput<'_>| input.rules.units_min = 5_000;
    assert_eq!(days_left(&[40.0, 42.5], few), None, "too few to compare");
    let experiment = Experiment { status: Status::Paused, ..experiment(&["a", "b"], RPV) };
    let paused = report(&experiment, vec![figures(RPV, Role::Primary, strata(4, &[40.0, 42.5]))]);
    assert_eq!(paused.outlook.days_left, None, "nobody comes");
    assert!(paused.outlook.units_per_day.is_some());
}

#[test]
fn a_winner_must_beat_the_runner_up_too() {
    let [alone, close] =
        [&[40.0, 42.5][..], &[40.0, 42.5, 42.0]].map(|means| days_left(means, |_| {}).unwrap());
    assert!(10.0 * alone < close, "{alone} {close}");
}

#[test]
fn the_shortest_run_is_included() {
    let early = |input: &mut ReportInput<'_>| input.watermark.at = Some(Timestamp::from_micros(4 * DAY_US));
    assert_eq!(days_left(&[40.0, 60.0], early), Some(3.0));
}
