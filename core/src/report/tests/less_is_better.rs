//! Metrics of which less is better: the same verdicts in the mirror, in words that fit.

use super::*;

#[test]
fn the_variant_with_less_wins_and_what_it_saves_is_what_it_brings() {
    let experiment = experiment(&["a", "b", "c"], COST);
    let report = report(&experiment, vec![figures(COST, Role::Primary, strata(20, &[40.0, 32.0, 44.0]))]);
    assert_eq!((report.state, report.leader), (State::Winner, None));
    assert_eq!(report.verdict.winner.as_ref().map(VariantKey::as_str), Some("b"));
    assert_eq!((keys(&report.verdict.better), keys(&report.verdict.harmful)), (vec!["b"], vec!["c"]));
    let sequence = report.metrics[0].variants[1].sequence.unwrap();
    assert!((sequence.absolute + 8.0).abs() < 1e-9 && sequence.high.unwrap() < 0.0, "{sequence:?}");
    let monthly = report.monthly.unwrap();
    assert!((monthly.value - 8.0 * 30_437.5).abs() < 1e-3, "{monthly:?}");
    assert!(0.0 < monthly.low && monthly.low < monthly.value && monthly.value < monthly.high, "{monthly:?}");
    assert!(
        report.sentence.starts_with("“b” has a 20.0% lower returned value per visitor than “a” (between 1"),
        "{}",
        report.sentence
    );
    assert!(
        report.sentence.contains("; keeping it should bring about $2,440 a month"),
        "{}",
        report.sentence
    );
}

#[test]
fn the_control_wins_where_everything_else_has_more() {
    let experiment = experiment(&["a", "b"], BOUNCE);
    let stratum =
        MetricStratum { sums: vec![rate(300, 1_000), rate(400, 1_000)], ..MetricStratum::default() };
    let report = report(&experiment, vec![figures(BOUNCE, Role::Primary, vec![stratum; 20])]);
    assert_eq!(report.verdict.winner.as_ref().map(VariantKey::as_str), Some("a"));
    assert_eq!(keys(&report.verdict.harmful), ["b"]);
    assert!(
        report.sentence.starts_with(
            "“a” wins on bounce rate (less is better): nothing else is as good. “b” has a 33.3% higher bounce rate than \
             “a” (between "
        ),
        "{}",
        report.sentence
    );
}

#[test]
fn more_does_harm() {
    let experiment = experiment(&["a", "b", "c"], COST);
    let found = report(&experiment, vec![figures(COST, Role::Primary, strata(20, &[40.0, 40.0, 48.0]))]);
    assert_eq!((found.state, keys(&found.verdict.harmful)), (State::Harmful, vec!["c"]));
    assert!(
        found
            .sentence
            .starts_with("“c” does harm: it has a 20.0% higher returned value per visitor than “a” ("),
        "{}",
        found.sentence
    );
}

#[test]
fn a_guardrail_is_breached_by_more_and_kept_by_less() {
    let experiment = experiment(&["a", "b"], CTR);
    let breaches = |margin: Option<f64>, mean: f64| {
        let mut guardrail = figures(COST, Role::Guardrail, strata(20, &[40.0, mean]));
        guardrail.choice.margin = margin;
        let primary = metric(CTR, Role::Primary, &[rate(900, 20_000), rate(910, 20_000)]);
        report(&experiment, vec![primary, guardrail]).verdict.breaches.len()
    };
    assert_eq!(breaches(Some(0.05), 48.0), 1);
    assert_eq!(breaches(Some(0.25), 48.0), 0, "within the margin");
    assert_eq!(breaches(None, 48.0), 1, "worse at all, where none is given");
    assert_eq!((breaches(None, 32.0), breaches(Some(0.05), 32.0)), (0, 0), "less is no harm");
}

#[test]
fn a_cost_beside_the_primary_metric_is_no_gain_where_it_rises() {
    let experiment = experiment(&["a", "b"], CTR);
    let monthly = |cost: f64| {
        let stratum =
            MetricStratum { sums: vec![rate(100, 1_000), rate(150, 1_000)], ..MetricStratum::default() };
        let primary = figures(CTR, Role::Primary, vec![stratum; 20]);
        let report =
            report(&experiment, vec![primary, figures(COST, Role::Secondary, strata(20, &[40.0, cost]))]);
        assert_eq!(report.state, State::Winner);
        report.monthly.map(|monthly| monthly.value.round())
    };
    assert_eq!(monthly(48.0), None);
    assert_eq!(monthly(32.0), Some(243_500.0));
}

#[test]
fn a_lead_says_how_long_it_takes() {
    let experiment = experiment(&["a", "b"], COST);
    let days = |goal, means: &[f64]| {
        report(&experiment, vec![figures(goal, Role::Primary, strata(4, means))]).outlook.days_left.unwrap()
    };
    let (less, more) = (days(COST, &[42.5, 40.0]), days(RPV, &[40.0, 42.5]));
    assert!((less - more).abs() < 1e-9 * more, "{less} {more}");
}

#[test]
fn a_lead_that_wears_off_is_pointed_at() {
    let experiment = experiment(&["a", "b"], COST);
    let warns = |first: f64, lately: f64| {
        let halves = [strata(10, &[40.0, first]), strata(10, &[40.0, lately])].concat();
        let report = report(&experiment, vec![figures(COST, Role::Primary, halves)]);
        report.health.warnings.iter().any(|warning| warning.code == WarningCode::Novelty)
    };
    assert!(warns(28.0, 38.0));
    assert!(!warns(38.0, 28.0), "what grows does not wear off");
    assert!(!warns(42.0, 30.0), "nor what turns for the better");
}
