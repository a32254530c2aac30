//! What is decided, what is withheld, and what is said of it.

use super::*;

#[test]
fn a_variant_that_is_better_than_every_other_one_wins() {
    let experiment = experiment(&["a", "b", "c"], RPV);
    let report = report(&experiment, vec![figures(RPV, Role::Primary, strata(20, &[40.0, 48.0, 38.0]))]);
    assert_eq!(report.state, State::Winner);
    assert_eq!(report.verdict.winner.as_ref().map(VariantKey::as_str), Some("b"));
    assert_eq!(keys(&report.verdict.better), ["b"]);
    assert_eq!(report.verdict.withheld, []);
    assert_eq!((report.leader, report.outlook.days_left), (None, None));
    let sequence = report.metrics[0].variants[1].sequence.unwrap();
    assert!((sequence.absolute - 8.0).abs() < 1e-9, "{sequence:?}");
    assert!((sequence.relative.unwrap() - 0.2).abs() < 1e-9, "{sequence:?}");
    assert!(0.0 < sequence.low.unwrap() && sequence.high.unwrap() < 0.4, "{sequence:?}");
    let monthly = report.monthly.unwrap();
    assert!((monthly.units - 30_437.5).abs() < 1e-6, "{monthly:?}");
    assert!((monthly.value - 8.0 * 30_437.5).abs() < 1e-3, "{monthly:?}");
    assert!(
        report.sentence.starts_with("“b” earns 20.0% more per visitor than “a” (between 1"),
        "{}",
        report.sentence
    );
    assert!(
        report.sentence.contains("; keeping it should bring about $2,440 a month (between $"),
        "{}",
        report.sentence
    );
}

#[test]
fn a_lead_that_could_be_chance_is_no_winner_and_says_how_long_it_takes() {
    let experiment = experiment(&["a", "b"], RPV);
    let report = report(&experiment, vec![figures(RPV, Role::Primary, strata(4, &[40.0, 42.5]))]);
    assert_eq!(report.state, State::Leading);
    assert_eq!((report.verdict.winner, report.verdict.better), (None, vec![]));
    let days = report.outlook.days_left.unwrap();
    assert!(0.0 < days, "{days}");
    assert!(report.sentence.contains(" No winner yet: about "), "{}", report.sentence);
}

#[test]
fn what_is_worse_than_the_control_does_harm_until_it_is_taken_out() {
    let mut experiment = experiment(&["a", "b", "c"], RPV);
    let metrics = || vec![figures(RPV, Role::Primary, strata(20, &[40.0, 40.0, 32.0]))];
    let found = report(&experiment, metrics());
    assert_eq!((found.state, keys(&found.verdict.harmful)), (State::Harmful, vec!["c"]));
    assert_eq!(found.verdict.winner, None);
    assert!(
        found.sentence.starts_with("“c” does harm: it earns 20.0% less per visitor than “a” (between 1"),
        "{}",
        found.sentence
    );
    experiment.definition.variants[2].removed_at = Some(Timestamp::from_micros(0));
    assert_ne!(report(&experiment, metrics()).state, State::Harmful);
}

#[test]
fn a_guardrail_is_breached_by_more_than_its_margin() {
    let experiment = experiment(&["a", "b"], CTR);
    let with_margin = |margin: Option<f64>, mean: f64| {
        let mut guardrail = figures(RPV, Role::Guardrail, strata(20, &[40.0, mean]));
        guardrail.choice.margin = margin;
        let primary = metric(CTR, Role::Primary, &[rate(900, 20_000), rate(910, 20_000)]);
        report(&experiment, vec![primary, guardrail])
    };
    let breached = with_margin(Some(0.05), 32.0);
    assert_eq!(breached.state, State::Harmful);
    let breach = &breached.verdict.breaches[0];
    assert_eq!((breach.variant.as_str(), breach.metric.as_str()), ("b", RPV.id));
    assert!(
        breached
            .sentence
            .starts_with("“b” breaches the guardrail on revenue per visitor: it earns 20.0% less")
    );
    assert_eq!(with_margin(Some(0.25), 32.0).verdict.breaches, [], "within the margin");
    assert_eq!(with_margin(None, 32.0).verdict.breaches.len(), 1, "worse at all, where none is given");
    assert_eq!(with_margin(None, 48.0).verdict.breaches, [], "better is no harm");
}

#[test]
fn verdicts_are_withheld_where_something_is_wrong() {
    let mut short = experiment(&["a", "b"], RPV);
    let metrics = || vec![figures(RPV, Role::Primary, strata(20, &[40.0, 60.0]))];
    let withheld = |change: &dyn Fn(&mut ReportInput<'_>), experiment: &Experiment| {
        let mut input = input(experiment, metrics());
        change(&mut input);
        let report = Report::of(&input);
        assert_ne!(report.state, State::Winner);
        assert_eq!(report.verdict.winner, None);
        report.verdict.withheld
    };
    assert_eq!(withheld(&|input| input.quarantined_units = 1_000, &short), [Withheld::Quarantine]);
    let sixty_forty = |input: &mut ReportInput<'_>| {
        let shares = Some(vec![0.5, 0.5]);
        input.exposure_strata =
            vec![ExposureStratum { units: vec![600, 400], shares, ..ExposureStratum::default() }];
    };
    assert_eq!(withheld(&sixty_forty, &short), [Withheld::SampleRatio]);
    let early = |input: &mut ReportInput<'_>| input.watermark.at = Some(Timestamp::from_micros(DAY_US));
    assert_eq!(withheld(&early, &short), [Withheld::ShortRun]);
    let few = |input: &mut ReportInput<'_>| input.rules.units_min = 30_000;
    assert_eq!(withheld(&few, &short), [Withheld::TooFew]);
    let gone = |input: &mut ReportInput<'_>| input.metrics[0].available = false;
    assert_eq!(withheld(&gone, &short), [Withheld::Metric, Withheld::TooFew][..1]);
    short.status = Status::Concluded;
    let mut fine = input(&short, metrics());
    fine.exposure_strata = Vec::new();
    assert_eq!(Report::of(&fine).state, State::Winner, "and not where nothing is");
}

#[test]
fn what_is_within_the_margin_is_over() {
    let mut experiment = experiment(&["a", "b"], RPV);
    experiment.definition.primary_metric.margin = Some(0.3);
    let mut same = figures(RPV, Role::Primary, strata(20, &[40.0, 40.0]));
    same.choice.margin = Some(0.3);
    assert_eq!(report(&experiment, vec![same.clone()]).state, State::Inconclusive);
    same.choice.margin = None;
    assert_eq!(report(&experiment, vec![same.clone()]).state, State::Collecting);
    experiment.definition.planned_units = Some(20_000);
    assert_eq!(report(&experiment, vec![same]).state, State::Inconclusive, "twice as long as was planned");
}

/// Orders of 40 and 44, of which the variant has half as many again.
fn order_values() -> [VariantSums; 2] {
    let of = |n_orders: i64, cents: f64| {
        let half = n_orders / 2;
        units(&[(1_000 - n_orders, 0.0, 0.0), (half, cents - 900.0, 1.0), (half, cents + 900.0, 1.0)])
    };
    [of(100, 4_000.0), of(150, 4_400.0)]
}

#[test]
fn an_order_value_counts_per_order_of_its_own_variant() {
    let experiment = experiment(&["a", "b"], AOV);
    let stratum = MetricStratum { sums: order_values().to_vec(), ..MetricStratum::default() };
    let report = report(&experiment, vec![figures(AOV, Role::Primary, vec![stratum; 20])]);
    let [a, b] = &report.metrics[0].variants[..] else { panic!("two variants") };
    let sequence = b.sequence.unwrap();
    assert!((sequence.absolute - 400.0).abs() < 1e-9, "{sequence:?}");
    assert!((sequence.absolute - (b.matured_value.unwrap() - a.matured_value.unwrap())).abs() < 1e-9);
    assert!((sequence.relative.unwrap() - 0.1).abs() < 1e-12, "{sequence:?}");
    // Halfway between the ends of both intervals, which differ by their boundaries only: 3.0 and 1.96 standard errors.
    let lift = b.lift.unwrap();
    let width = |low: f64, high: f64| high - low;
    let times = width(sequence.absolute_low, sequence.absolute_high)
        / width(lift.absolute_low.unwrap(), lift.absolute_high.unwrap());
    assert!((1.5..1.8).contains(&times), "{times}");
    assert!(
        report.sentence.starts_with("“b” has a 10.0% higher average order value than “a” ("),
        "{}",
        report.sentence
    );
}

#[test]
fn the_unit_of_money_changes_no_word() {
    let jpy = crate::money::Currency::from_code("JPY").unwrap();
    let said = |factor: i64, currency| {
        let mut experiment = experiment(&["a", "b"], RPV);
        experiment.definition.currency = currency;
        let scaled = |mean: f64| {
            let reward = (mean / 0.4).round();
            let factor = factor as f64;
            units(&[
                (200, (reward - 3.0) * factor, 1.0),
                (200, (reward + 3.0) * factor, 1.0),
                (600, 0.0, 1.0),
            ])
        };
        let sums = vec![scaled(40_000.0), scaled(44_000.0)];
        let stratum = MetricStratum { sums, ..MetricStratum::default() };
        let report = report(&experiment, vec![figures(RPV, Role::Primary, vec![stratum; 20])]);
        let words = report.sentence.split(';').next().unwrap().to_owned();
        (report.state, report.verdict, words, report.metrics[0].variants[1].chance_best)
    };
    let cents = said(1, crate::money::Currency::USD);
    assert_eq!(cents.0, State::Winner);
    for (factor, currency) in [(100, crate::money::Currency::USD), (150, jpy), (1, jpy)] {
        let other = said(factor, currency);
        assert_eq!((&other.0, &other.1, &other.2), (&cents.0, &cents.1, &cents.2));
    }
}

#[test]
fn moving_weights_show_a_figure_without_their_effect() {
    let mut experiment = experiment(&["a", "b"], CTR);
    experiment.definition.allocator = serde_json::from_value(json!({ "type": "thompson" })).unwrap();
    // A level that doubles while the weights move: the same in both variants.
    let stratum = |share: f64, level: f64| {
        let of = |part: f64| {
            let n = (part * 10_000.0).round() as i64;
            rate((level * n as f64).round() as i64, n)
        };
        MetricStratum {
            sums: vec![of(1.0 - share), of(share)],
            shares: Some(vec![1.0 - share, share]),
            ..MetricStratum::default()
        }
    };
    let strata = vec![stratum(0.5, 0.05), stratum(0.6, 0.05), stratum(0.9, 0.10), stratum(0.9, 0.10)];
    let report = report(&experiment, vec![figures(CTR, Role::Primary, strata)]);
    let [a, b] = &report.metrics[0].variants[..] else { panic!("two variants") };
    let apart = |of: fn(&VariantReport) -> f64| of(b) - of(a);
    assert!(0.015 < apart(|variant| variant.matured_value.unwrap()), "plain figures show the tide");
    assert!(apart(|variant| variant.period_value.unwrap()).abs() < 1e-3);
    assert!(apart(|variant| variant.corrected.unwrap().value).abs() < 0.02);
    assert_eq!(report.verdict.winner, None);
}

#[test]
fn of_many_secondary_metrics_only_strong_differences_are_announced() {
    let experiment = experiment(&["a", "b"], CTR);
    let primary = || metric(CTR, Role::Primary, &[rate(900, 20_000), rate(910, 20_000)]);
    let announced = |others: Vec<f64>| {
        let secondaries = others.iter().map(|mean| figures(RPV, Role::Secondary, strata(20, &[40.0, *mean])));
        let report = report(&experiment, std::iter::once(primary()).chain(secondaries).collect());
        let sequences = report.metrics[1..].iter().map(|metric| metric.variants[1].sequence.unwrap());
        sequences.map(|sequence| (0.0 < sequence.absolute_low, sequence.holds)).collect::<Vec<_>>()
    };
    assert_eq!(announced(vec![41.6]), [(true, true)], "alone, the interval decides");
    let mut many = vec![40.0; 30];
    many[7] = 41.6;
    assert_eq!(announced(many.clone())[7], (true, false), "among thirty, it could be chance");
    many[7] = 48.0;
    assert_eq!(announced(many)[7], (true, true));
}

#[test]
fn a_lead_that_wears_off_is_pointed_at() {
    let experiment = experiment(&["a", "b"], RPV);
    let warns = |lately: f64| {
        let halves = [strata(10, &[40.0, 52.0]), strata(10, &[40.0, lately])].concat();
        let report = report(&experiment, vec![figures(RPV, Role::Primary, halves)]);
        let novelty = report.health.warnings.into_iter().find(|warning| warning.code == WarningCode::Novelty);
        novelty.map(|warning| warning.message)
    };
    let message = warns(42.0).unwrap();
    assert!(message.starts_with("The difference of “b” was +30.0% in the first half and +5.0%"), "{message}");
    assert_eq!(warns(51.5), None);
    assert_eq!(warns(60.0), None, "what grows does not wear off");
}

#[test]
fn a_control_without_units_leaves_nothing_to_be_said() {
    let experiment = experiment(&["a", "b", "c"], RPV);
    let mut strata = strata(20, &[40.0, 60.0, 30.0]);
    for stratum in &mut strata {
        stratum.sums[0] = VariantSums::default();
    }
    let report = report(&experiment, vec![figures(RPV, Role::Primary, strata)]);
    assert_eq!((report.verdict.winner, report.verdict.withheld), (None, vec![Withheld::TooFew]));
    assert!(report.metrics[0].variants.iter().all(|variant| variant.sequence.is_none()));
    assert_eq!(report.outlook.days_left, None);
}

#[test]
fn a_variant_that_never_varies_is_compared_like_any_other() {
    let experiment = experiment(&["a", "b"], CTR);
    let stratum = |everyone: i64| MetricStratum {
        sums: vec![rate(900, 1_000), rate(everyone, 1_000)],
        ..MetricStratum::default()
    };
    let report =
        |everyone| report(&experiment, vec![figures(CTR, Role::Primary, vec![stratum(everyone); 20])]);
    let all = report(1_000);
    assert_eq!(all.verdict.winner.as_ref().map(VariantKey::as_str), Some("b"));
    let sequence = all.metrics[0].variants[1].sequence.unwrap();
    assert!(sequence.absolute_low < 0.1 && 0.1 < sequence.absolute_high, "{sequence:?}");
    assert_eq!(
        report(0).verdict.withheld,
        [Withheld::TooFew],
        "no reward, so nothing is known of its variance"
    );
}
