//! Whether the intervals of the sequence hold the truth at all looks at once: for two to ten variants, whatever the
//! metric, whoever moves the weights, and however the level moves.

use podium_core::inference::boundary::Boundary;
use podium_core::metric::Direction;
use rand_distr::{Distribution, StandardNormal};

use crate::estimate::{Estimate, generator, is_full, n_repetitions, repeat};
use crate::shop::{ALPHA, Level, Look, Metric, Shop, Split};

/// How many standard errors of its estimate a coverage may lie below what is promised.
const MARGIN: f64 = 3.0;

/// Whether the intervals of all differences, and those of all lifts, hold the truth at a look.
fn cover(look: &Look) -> [bool; 2] {
    let mut cover = [true; 2];
    for (variant_idx, pair) in look.verdicts().against_control.iter().enumerate() {
        let Some(pair) = pair else { continue };
        let [variant, control] = look.true_means(variant_idx);
        cover[0] &= pair.interval.contains(variant - control);
        cover[1] &= pair.lift_interval.is_none_or(|lift| lift.contains(variant / control - 1.0));
    }
    cover
}

/// How often they do at all looks, and how often it came to an interval for all variants.
fn coverage(shop: &Shop, quick: u64) -> [Estimate; 3] {
    repeat(n_repetitions(quick), |seed| {
        let (mut covered, mut compared) = ([true; 2], false);
        shop.run(seed, |look| {
            let now = cover(look);
            covered = [covered[0] && now[0], covered[1] && now[1]];
            compared = look.is_ready();
            true
        });
        [covered[0], covered[1], compared].map(|holds| f64::from(u8::from(holds)))
    })
}

/// Runs each, prints a table, and stops if an interval holds less often than it says.
#[track_caller]
fn check(shops: impl IntoIterator<Item = Shop>, quick: u64) {
    println!("coverage at all looks of the differences, of the lifts; how often all were compared");
    println!("{:<19} | level    | split    |  K | difference |   lift | compared", "metric");
    let n = n_repetitions(quick) as f64;
    let limit = 1.0 - ALPHA - MARGIN * (ALPHA * (1.0 - ALPHA) / n).sqrt();
    let mut failing = Vec::new();
    for shop in shops {
        let [difference, lift, compared] = coverage(&shop, quick);
        println!("{shop} | {:10.4} | {:6.4} | {:8.4}", difference.mean, lift.mean, compared.mean);
        if difference.mean < limit || lift.mean < limit {
            failing.push(format!("{shop}: {difference}, {lift}"));
        }
    }
    assert!(failing.is_empty(), "below {limit}:\n{}", failing.join("\n"));
}

/// Every combination of these with every split; the last variant is a fifth better.
fn shops(metrics: &[Metric], n_variants: &[usize], levels: &[Level]) -> Vec<Shop> {
    let units_per_variant = if is_full() { 20_000 } else { 5000 };
    let mut shops = Vec::new();
    for &metric in metrics {
        for &n_variants in n_variants {
            for &level in levels {
                for split in [Split::Fixed, Split::Thompson, Split::TopTwo] {
                    let alike = Shop::alike(metric, split, n_variants);
                    shops.push(Shop { level, factor: 1.2, units_per_variant, ..alike });
                }
            }
        }
    }
    shops
}

#[test]
fn differences_of_rates_are_covered() {
    let rates = [0.01, 0.05, 0.2].map(Metric::Conversion);
    if is_full() {
        check(shops(&rates, &[2, 3, 5, 10], &Level::ALL), 20);
    } else {
        check(shops(&rates[1..2], &[2, 3], &Level::ALL[1..]), 40);
    }
}

#[test]
fn differences_of_revenue_and_order_value_are_covered() {
    let metrics = [Metric::Revenue(0.05), Metric::OrderValue(0.05)];
    if is_full() {
        check(shops(&metrics, &[2, 3, 5, 10], &Level::ALL), 20);
    } else {
        check(shops(&metrics, &[2], &Level::ALL[1..2]), 40);
    }
}

/// Here the favored variant is the one that varies less.
#[test]
fn differences_are_covered_where_less_is_better() {
    let metrics = [Metric::Conversion(0.05), Metric::Revenue(0.05), Metric::OrderValue(0.05)];
    let less = |shop| Shop { factor: 0.8, direction: Direction::Decrease, ..shop };
    check(shops(&metrics, &[3], &[Level::Rising]).into_iter().map(less), 40);
}

/// How often a sum ever crosses the boundary of whichever plan lets it cross most easily at the time, of all plans from a
/// part of what is planned to as many times that.
fn crossed(times: f64) -> Estimate {
    const N_LOOKS: i32 = 300;
    const N_PLANS: i32 = 20;
    let plan = |idx: i32| Boundary::tuned(ALPHA, times.powf(2.0 * f64::from(idx) / f64::from(N_PLANS) - 1.0));
    let plans: Vec<Boundary> = (0..=N_PLANS).map(plan).collect();
    // From the first look to ten times what is planned, evenly in the logarithm.
    let looks: Vec<(f64, f64)> = (1..=N_LOOKS)
        .map(|look| {
            let variance = 10.0 * 4000_f64.powf(f64::from(look - N_LOOKS) / f64::from(N_LOOKS));
            (variance, plans.iter().map(|plan| plan.bound(variance)).fold(f64::INFINITY, f64::min))
        })
        .collect();
    let [crossed] = repeat(n_repetitions(4000), |seed| {
        let mut rng = generator(seed);
        let (mut sum, mut so_far) = (0.0, 0.0);
        let crosses = looks.iter().any(|&(variance, bound)| {
            let step: f64 = StandardNormal.sample(&mut rng);
            sum += step * (variance - so_far).sqrt();
            so_far = variance;
            bound <= f64::abs(sum)
        });
        [f64::from(u8::from(crosses))]
    });
    crossed
}

#[test]
fn a_plan_that_moves_within_half_and_twice_announces_nothing_false() {
    let [fixed, moved, free] = [1.0, 2.0, 1e4].map(crossed);
    println!(
        "crossed in a run of ten times the plan: {fixed}, with a plan that moves {moved}, with any {free}"
    );
    let slack = |crossed: Estimate| MARGIN * crossed.standard_error;
    assert!(fixed.mean <= ALPHA + slack(fixed) && moved.mean <= ALPHA + slack(moved), "{fixed}, {moved}");
    assert!(ALPHA + slack(free) < free.mean, "{free}: no plan would be needed");
}
