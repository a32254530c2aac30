//! What a reader is warned of.

use super::*;
use crate::experiment::Status;

fn codes(input: &ReportInput<'_>) -> Vec<WarningCode> {
    Report::of(input).health.warnings.iter().map(|warning| warning.code).collect()
}

#[test]
fn a_goal_that_falls_silent_is_stale_while_visitors_come() {
    let mut experiment = experiment(&["a", "b"], CTR);
    experiment.status = Status::Running;
    let mut figures = metric(CTR, Role::Primary, &[rate(50, 1_000), rate(60, 1_000)]);
    let at = |hours: i64| Some(Timestamp::from_micros(10 * DAY_US + hours * 3_600_000_000));
    let stale = |experiment: &Experiment, figures: &MetricFigures, heard, exposed| {
        let figures = MetricFigures { last_event_at: heard, ..figures.clone() };
        let mut input = input(experiment, vec![figures]);
        (input.first_exposed_at, input.last_exposed_at) = (at(-48), exposed);
        input.now = Timestamp::from_micros(20 * DAY_US);
        codes(&input).contains(&WarningCode::StaleGoal)
    };
    assert!(stale(&experiment, &figures, at(0), at(25)));
    assert!(!stale(&experiment, &figures, at(0), at(23)), "nobody came since who could have done it");
    assert!(stale(&experiment, &figures, None, at(0)), "nothing was ever heard");
    assert!(!stale(&experiment, &figures, None, at(-30)), "not for a day");
    figures.available = false;
    assert!(!stale(&experiment, &figures, at(0), at(25)), "its plugin is what is missing");
    figures.available = true;
    experiment.status = Status::Paused;
    assert!(!stale(&experiment, &figures, at(0), at(25)));
}

#[test]
fn a_day_unlike_the_others_is_pointed_at() {
    let experiment = experiment(&["a", "b"], CTR);
    let figures = vec![metric(CTR, Role::Primary, &[rate(50, 1_000), rate(60, 1_000)])];
    let mut input = input(&experiment, figures);
    let bursts = |input: &mut ReportInput<'_>, units: &[u64]| {
        input.daily_units = (20_000..).zip(units.iter().copied()).collect();
        codes(input).contains(&WarningCode::Burst)
    };
    assert!(bursts(&mut input, &[300, 320, 310, 1_400, 290]));
    let message = Report::of(&input).health.warnings[0].message.clone();
    assert!(message.starts_with("1,400 visitors came on 2024-10-07, where 310 are usual"), "{message}");
    assert!(!bursts(&mut input, &[300, 320, 310, 1_200, 290]), "less than four times");
    assert!(!bursts(&mut input, &[30, 32, 31, 900, 29]), "too few to matter");
    assert!(!bursts(&mut input, &[300, 1_400, 290]), "too few days to know what is usual");
}

#[test]
fn values_that_should_be_cut_off_and_cannot_be_are_pointed_at() {
    use crate::inference::strata::TailUnit;
    let experiment = experiment(&["a", "b"], RPV);
    let mut figures = figures(RPV, Role::Primary, strata(2, &[40.0, 42.0]));
    (figures.cap_quantile, figures.n_nonzero) = (0.999, 1_600);
    let found = |figures: &MetricFigures| {
        let report = Report::of(&input(&experiment, vec![figures.clone()]));
        let cap = report.metrics[0].cap.map(|cap| cap.value);
        (report.health.warnings.iter().any(|warning| warning.code == WarningCode::NotCapped), cap)
    };
    assert_eq!(found(&figures), (true, None), "the largest values are not there");
    let unit = TailUnit {
        stratum_idx: Some(0),
        variant_idx: 1,
        numerator: 108,
        denominator: 1,
        past: crate::inference::strata::Past::Empty,
    };
    figures.tail = vec![unit; 3];
    assert_eq!(found(&figures), (false, Some(108)));
    figures.tail[0] = TailUnit { stratum_idx: Some(9), numerator: 900, ..unit };
    assert_eq!(found(&figures), (true, None), "in a stratum that is not there");
    figures.cap_quantile = 1.0;
    assert_eq!(found(&figures), (false, None), "nothing is asked for");
}
