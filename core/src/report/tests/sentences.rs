//! What is said of the figures, word by word: a changed sentence is a changed promise.

use super::*;
use crate::experiment::UnitKind;

#[track_caller]
fn check(report: &Report, state: State, leader: Option<&str>, sentence: &str) {
    assert_eq!(report.sentence, sentence);
    assert_eq!((report.state, report.leader.as_ref().map(VariantKey::as_str)), (state, leader));
}

/// `n_buyers` of 2,000 visitors with one order of about `cents`, so that order values vary.
fn shop(n_buyers: i64, cents: f64) -> (VariantSums, VariantSums) {
    let of = |d: f64| {
        units(&[
            (2_000 - n_buyers, 0.0, d),
            (n_buyers / 2, cents - 900.0, 1.0),
            (n_buyers - n_buyers / 2, cents + 900.0, 1.0),
        ])
    };
    (of(0.0), of(1.0))
}

fn order_value(variants: &[(VariantSums, VariantSums)]) -> Vec<MetricFigures> {
    let (ratios, means): (Vec<_>, Vec<_>) = variants.iter().copied().unzip();
    vec![metric(AOV, Role::Primary, &ratios), metric(RPV, Role::Secondary, &means)]
}

#[test]
fn a_leader_is_no_winner() {
    let experiment = experiment(&["control", "bundle"], AOV);
    let figures = order_value(&[shop(120, 3_500.0), shop(100, 3_800.0)]);
    check(
        &Report::of(&input(&experiment, figures)),
        State::Leading,
        Some("bundle"),
        "“bundle” leads on average order value: $38.00 against $35.00 for “control” (+8.6%, 95% interval +1.7% to \
         +15.9%), with a chance of more than 99% to be the best of 2. This is a lead, not a verdict: it can still turn. \
         But revenue per visitor is lower so far: $1.90 against $2.10 (−9.5%, 95% interval −30.7% to +18.1%).",
    );
}

#[test]
fn a_lead_of_real_orders_between_identical_variants_is_doubted() {
    let data: serde_json::Value =
        serde_json::from_str(include_str!("../../../../tests/vectors/real_data.json")).unwrap();
    let variants = data["cdnow"]["splits"][0]["variants"].as_array().unwrap();
    let sums = |name: &str| -> Vec<VariantSums> {
        let each = variants.iter().map(|variant| {
            let at = |key: &str| variant[name]["sums"][key].as_i64().unwrap();
            let mut sums = VariantSums { n: at("n"), n_nonzero: at("n"), ..VariantSums::default() };
            (sums.y, sums.yy) = (at("sum_x").into(), at("sum_xx").into());
            (sums.d, sums.dd, sums.yd) = (at("sum_y").into(), at("sum_yy").into(), at("sum_xy").into());
            sums
        });
        each.collect()
    };
    let experiment = experiment(&["a", "b"], AOV);
    let figures = vec![
        metric(AOV, Role::Primary, &sums("aov_cents")),
        metric(RPV, Role::Secondary, &sums("revenue_per_visitor_cents")),
    ];
    check(
        &Report::of(&input(&experiment, figures)),
        State::Leading,
        Some("a"),
        "“a” leads on average order value: $36.29 against $35.50 for “b” (−2.2%, 95% interval −5.4% to +1.1%), with a \
         chance of 90% to be the best of 2. This is a lead, not a verdict: the interval still allows for no difference, \
         and two identical variants show as clear a lead in 19% of tests. Revenue per visitor is higher so far too: \
         $107.16 against $105.01 (−2.0%, 95% interval −7.5% to +3.8%).",
    );
}

#[test]
fn equal_variants_are_not_ranked() {
    let experiment = experiment(&["control", "same"], AOV);
    let figures = order_value(&[shop(100, 3_500.0), shop(100, 3_500.0)]);
    check(
        &Report::of(&input(&experiment, figures)),
        State::Collecting,
        None,
        "No variant stands out on average order value: “control” $35.00, “same” $35.00. The likeliest to be best, \
         “control”, has a chance of 50%.",
    );
}

#[test]
fn few_clicks_crown_nobody() {
    let keys: Vec<String> = (0..46).map(|item| format!("item-{item}")).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let mut experiment = experiment(&keys, CTR);
    experiment.definition.unit = UnitKind::Request;
    let sums: Vec<_> = (0..46).map(|item| rate([0, 1, 2][item % 3], 217 + i64::from(item < 18))).collect();
    check(
        &Report::of(&input(&experiment, vec![metric(CTR, Role::Primary, &sums)])),
        State::Collecting,
        None,
        "Click-through rate: 45 positive results in 10,000 views over 46 variants are too few to compare. Each \
         variant needs at least 25, out of at least 100 views that have had their full 3 days; the one with the fewest \
         has 0.",
    );
}

#[test]
fn less_can_be_better() {
    let experiment = experiment(&["control", "fast"], BOUNCE);
    let sums = [rate(400, 1_000), rate(330, 1_000)];
    check(
        &Report::of(&input(&experiment, vec![metric(BOUNCE, Role::Primary, &sums)])),
        State::Leading,
        Some("fast"),
        "“fast” leads on bounce rate (less is better): 33.0% against 40.0% for “control” (−17.5%, 95% interval −26.6% \
         to −7.3%), with a chance of more than 99% to be the best of 2. This is a lead, not a verdict: it can still \
         turn.",
    );
}

#[test]
fn a_leading_control_is_compared_with_who_comes_closest() {
    let experiment = experiment(&["control", "b", "c"], CTR);
    let sums = [rate(140, 1_000), rate(90, 1_000), rate(101, 1_000)];
    check(
        &Report::of(&input(&experiment, vec![metric(CTR, Role::Primary, &sums)])),
        State::Leading,
        Some("control"),
        "“control” leads on click-through rate: 14.0% against 10.1% for “c” (−27.9%, 95% interval −43.3% to −8.3%), \
         with a chance of more than 99% to be the best of 3. This is a lead, not a verdict: it can still turn.",
    );
}

#[test]
fn a_short_run_says_so() {
    let experiment = experiment(&["a", "b"], CTR);
    let figures = vec![metric(CTR, Role::Primary, &[rate(50, 1_000), rate(90, 1_000)])];
    let mut input = input(&experiment, figures);
    input.watermark.at = Some(Timestamp::from_micros(3 * DAY_US / 2));
    check(
        &Report::of(&input),
        State::Collecting,
        None,
        "Too early to compare on click-through rate: the test has run for 36 hours of at least 7 days, so that every \
         day of the week counts. So far: “a” 5.00%, “b” 9.00%.",
    );
}

#[test]
fn immature_units_are_waited_for() {
    let experiment = experiment(&["a", "b"], CTR);
    let mut figures = metric(CTR, Role::Primary, &[rate(50, 1_000), rate(90, 1_000)]);
    figures.variants[0].matured = rate(3, 90);
    figures.variants[1].matured = rate(4, 80);
    check(
        &Report::of(&input(&experiment, vec![figures])),
        State::Collecting,
        None,
        "Too early to compare on click-through rate: 170 of 2,000 visitors have had their full 3 days.",
    );
}

#[test]
fn what_matured_is_said_where_it_is_not_everyone() {
    let experiment = experiment(&["a", "b"], CTR);
    let mut figures = metric(CTR, Role::Primary, &[rate(50, 1_000), rate(56, 1_000)]);
    figures.variants[1].observed = rate(70, 1_300);
    check(
        &Report::of(&input(&experiment, vec![figures])),
        State::Collecting,
        None,
        "No variant stands out on click-through rate: “a” 5.00%, “b” 5.60%. The likeliest to be best, “b”, has a \
         chance of 72%. Compared are the 2,000 of 2,300 visitors who have had their full 3 days.",
    );
}

#[test]
fn a_test_that_ends_without_a_leader_is_inconclusive() {
    let mut experiment = experiment(&["a", "b"], CTR);
    experiment.status = Status::Concluded;
    let sums = [rate(50, 1_000), rate(52, 1_000)];
    check(
        &Report::of(&input(&experiment, vec![metric(CTR, Role::Primary, &sums)])),
        State::Inconclusive,
        None,
        "The test ended, and no variant stood out on click-through rate: “a” 5.00%, “b” 5.20%. The likeliest to be \
         best, “b”, had a chance of 58%.",
    );
}

#[test]
fn nothing_is_said_of_nothing() {
    let mut experiment = experiment(&["a", "b"], CTR);
    let nothing = || vec![metric(CTR, Role::Primary, &[VariantSums::default(); 2])];
    check(
        &Report::of(&input(&experiment, nothing())),
        State::Collecting,
        None,
        "No visitor has been exposed yet, so there is nothing to compare.",
    );
    experiment.status = Status::Draft;
    check(
        &Report::of(&input(&experiment, nothing())),
        State::Collecting,
        None,
        "This experiment has not started: no visitor has seen it yet.",
    );
}

#[test]
fn what_is_wrong_is_warned_of_and_names_no_leader() {
    let experiment = experiment(&["a", "b"], AOV);
    let (ratios, _): (Vec<_>, Vec<_>) = [shop(100, 3_500.0), shop(100, 9_900.0)].into_iter().unzip();
    let mut figures = metric(AOV, Role::Primary, &ratios);
    (figures.available, figures.unreadable_units) = (false, 3);
    let mut input = input(&experiment, vec![figures]);
    input.quarantined_units = 120;
    let report = Report::of(&input);
    check(
        &report,
        State::Collecting,
        None,
        "Average order value cannot be compared at the moment: its plugin is not loaded, or its figures contradict \
         each other.",
    );
    let codes: Vec<_> = report.health.warnings.iter().map(|warning| warning.code).collect();
    assert_eq!(
        codes,
        [
            WarningCode::MetricUnavailable,
            WarningCode::Quarantine,
            WarningCode::UnreadableUnits,
            WarningCode::RatioAlone,
        ]
    );

    input.quarantined_units = 40;
    let quarantined =
        Report::of(&input).health.warnings.iter().any(|warning| warning.code == WarningCode::Quarantine);
    assert!(!quarantined, "40 in 4,040 are within one in a hundred");
}
