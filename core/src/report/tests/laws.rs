//! What must not change the report, and what must.

use super::*;
use proptest::prelude::*;

/// Units of 2 to 4 variants: pairs of cents and orders.
fn shops() -> impl Strategy<Value = Vec<Vec<(i64, i64)>>> {
    let unit = (0_i64..200_000, 1_i64..4, prop::bool::weighted(0.4));
    let unit = unit.prop_map(|(y, d, buys)| if buys { (y, d) } else { (0, 0) });
    prop::collection::vec(prop::collection::vec(unit, 5..120), 2..=4)
}

fn sums(units: &[(i64, i64)], factor: i64, ratio: bool) -> VariantSums {
    let mut sums = VariantSums::default();
    for &(y, d) in units {
        let d = if ratio { d } else { 1 };
        sums.add(UnitValue::from_f64((y * factor) as f64, d as f64).unwrap());
    }
    sums
}

const KEYS: [&str; 4] = ["a", "b", "c", "d"];

/// Reports on order value and revenue per visitor, with every amount times `factor`.
fn report(shop: &[Vec<(i64, i64)>], factor: i64) -> Report {
    let experiment = experiment(&KEYS[..shop.len()], AOV);
    let of = |ratio| shop.iter().map(|units| sums(units, factor, ratio)).collect::<Vec<_>>();
    let metrics = vec![metric(AOV, Role::Primary, &of(true)), metric(RPV, Role::Secondary, &of(false))];
    let mut input = input(&experiment, metrics);
    // So few that every state occurs.
    input.rules = Rules { units_min: 20, nonzero_min: 5, ..Rules::default() };
    Report::of(&input)
}

#[track_caller]
fn assert_close(found: Option<f64>, expected: Option<f64>, scale: f64) {
    match (found, expected) {
        (None, None) => {}
        (Some(found), Some(expected)) => {
            assert!(
                (found - expected).abs() <= 1e-9 * scale.max(expected.abs()),
                "{found}, expected {expected}"
            );
        }
        (found, expected) => panic!("{found:?}, expected {expected:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_unit_of_money_changes_no_verdict(shop in shops(), factor in prop::sample::select(vec![100, 150])) {
        let (before, after) = (report(&shop, 1), report(&shop, factor));
        prop_assert_eq!((before.state, &before.leader), (after.state, &after.leader));
        for (before, after) in before.metrics.iter().zip(&after.metrics) {
            for (before, after) in before.variants.iter().zip(&after.variants) {
                let times = |value: f64| value * factor as f64;
                assert_close(after.value, before.value.map(times), 0.0);
                assert_close(after.chance_best, before.chance_best, 1.0);
                assert_close(after.chance_to_beat_control, before.chance_to_beat_control, 1.0);
                let scale = times(before.interval.map_or(0.0, |interval| interval.high - interval.low));
                assert_close(after.expected_loss, before.expected_loss.map(times), scale);
                prop_assert_eq!(before.lift.is_some(), after.lift.is_some());
                if let (Some(before), Some(after)) = (before.lift, after.lift) {
                    assert_close(after.relative, before.relative, 1.0);
                    assert_close(after.low, before.low, 1.0);
                    assert_close(after.high, before.high, 1.0);
                    assert_close(Some(after.absolute), Some(times(before.absolute)), scale);
                }
            }
        }
    }

    #[test]
    fn the_order_of_units_changes_no_bit(shop in shops(), seed in any::<prop::sample::Index>()) {
        let mut turned = shop.clone();
        for units in &mut turned {
            let middle = seed.index(units.len());
            units.rotate_left(middle);
            units[..middle].reverse();
        }
        prop_assert_eq!(report(&turned, 1), report(&shop, 1));
    }

    #[test]
    fn the_order_of_variants_changes_no_figure(shop in shops()) {
        let mut turned = shop.clone();
        turned.reverse();
        let (before, after) = (report(&shop, 1), report(&turned, 1));
        prop_assert_eq!(before.state, after.state);
        for (before, after) in before.metrics.iter().zip(&after.metrics) {
            for (before, after) in before.variants.iter().zip(after.variants.iter().rev()) {
                prop_assert_eq!(before.value, after.value);
                assert_close(after.chance_best, before.chance_best, 1.0);
            }
        }
    }

    #[test]
    fn json_gives_the_same_report_back(shop in shops()) {
        let report = report(&shop, 1);
        let json = serde_json::to_string(&report).unwrap();
        prop_assert_eq!(serde_json::from_str::<Report>(&json).unwrap(), report);
    }

    #[test]
    fn less_is_better_is_the_mirror(successes in prop::collection::vec(0_i64..60, 2), n in 60_i64..2_000) {
        let experiment = experiment(&["a", "b"], CTR);
        let chances = |goal: Goal, rates: [i64; 2]| {
            let sums = rates.map(|successes| rate(successes, n));
            let report = Report::of(&input(&experiment, vec![metric(goal, Role::Primary, &sums)]));
            report.metrics[0].variants.iter().map(|variant| variant.chance_best).collect::<Vec<_>>()
        };
        let up = chances(CTR, [successes[0], successes[1]]);
        let down = chances(BOUNCE, [successes[1], successes[0]]);
        assert_close(up[0], down[0], 1.0);
        assert_close(up[1], down[1], 1.0);
    }
}

#[test]
fn the_headline_counts_everyone_and_inference_the_matured() {
    let experiment = experiment(&["a", "b"], CTR);
    let mut figures = metric(CTR, Role::Primary, &[rate(50, 1_000), rate(70, 1_000)]);
    let before = Report::of(&input(&experiment, vec![figures.clone()]));
    figures.variants[0].observed = rate(51, 1_400);
    figures.variants[1].observed = rate(90, 1_300);
    let after = Report::of(&input(&experiment, vec![figures]));
    let (before, after) = (&before.metrics[0].variants, &after.metrics[0].variants);
    assert_eq!((after[0].units, after[0].numerator, after[0].denominator), (1_400, 51, 1_400));
    assert_eq!(after[0].value, Some(51.0 / 1_400.0));
    for (before, after) in before.iter().zip(after) {
        assert_eq!((after.matured_units, after.matured_value), (before.units, before.value));
        assert_eq!(after.interval, before.interval);
        assert_eq!((after.chance_best, after.expected_loss), (before.chance_best, before.expected_loss));
        assert_eq!(after.lift, before.lift);
    }
}

#[test]
fn a_removed_variant_keeps_its_figures_and_loses_its_chance() {
    let mut experiment = experiment(&["a", "b", "c"], CTR);
    let sums = [rate(50, 1_000), rate(90, 1_000), rate(60, 1_000)];
    let figures = vec![metric(CTR, Role::Primary, &sums)];
    experiment.definition.variants[1].removed_at = Some(Timestamp::from_micros(DAY_US));
    let report = Report::of(&input(&experiment, figures));
    let variants = &report.metrics[0].variants;
    assert_eq!(variants[1].chance_best, None);
    assert_eq!(variants[1].expected_loss, None);
    assert!(variants[1].interval.is_some() && variants[1].lift.is_some());
    assert!(variants[1].chance_to_beat_control.unwrap() > 0.99);
    let chances = variants[0].chance_best.unwrap() + variants[2].chance_best.unwrap();
    assert!((chances - 1.0).abs() < 1e-12, "{chances}");
    assert!(report.variants[1].removed);
    assert_eq!(report.leader.as_ref().map(VariantKey::as_str), Some("c"));
}

#[test]
fn few_rewards_have_no_interval_that_assumes_many() {
    let experiment = experiment(&["a", "b"], RPV);
    let sums = [units(&[(500, 0.0, 1.0), (60, 900.0, 1.0)]), units(&[(500, 0.0, 1.0), (9, 950.0, 1.0)])];
    let report = Report::of(&input(&experiment, vec![metric(RPV, Role::Primary, &sums)]));
    let lift = report.metrics[0].variants[1].lift.unwrap();
    assert!(lift.relative.is_some_and(|relative| relative < 0.0));
    assert_eq!((lift.low, lift.high, lift.method), (None, None, None));
    assert_eq!((lift.absolute_low, lift.absolute_method), (None, None));
}

#[test]
fn no_figure_is_without_a_finite_number() {
    let nothing = VariantSums::default();
    let extremes = [
        (CTR, [nothing, nothing]),
        (CTR, [rate(1, 1), nothing]),
        (CTR, [rate(0, 5_000), rate(5_000, 5_000)]),
        (RPV, [units(&[(1, 0.0, 1.0)]), nothing]),
        (RPV, [units(&[(40, 7.0, 1.0)]), units(&[(40, 7.0, 1.0)])]),
        (RPV, [units(&[(40, -7.0, 1.0)]), units(&[(40, 7.0, 1.0)])]),
        (AOV, [units(&[(40, 0.0, 0.0)]), units(&[(40, 0.0, 0.0)])]),
        (AOV, [units(&[(40, 0.0, 0.0)]), units(&[(40, 9e15, 1.0)])]),
    ];
    for (goal, sums) in extremes {
        let experiment = experiment(&["a", "b"], goal);
        let report = Report::of(&input(&experiment, vec![metric(goal, Role::Primary, &sums)]));
        // JSON writes what is not finite as null, which reads back as absent.
        let json = serde_json::to_string(&report).unwrap();
        assert_eq!(serde_json::from_str::<Report>(&json).unwrap(), report, "{json}");
        assert_ne!(report.state, State::Winner);
    }
}
