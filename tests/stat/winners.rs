//! Whether a winner is really one: what is announced where all variants are alike, and how soon a better one is found.
//!
//! Beside the sequence stand two rules that are often used: a chance to be best of 95 %, and an interval made to be
//! looked at once. They must fail where the sequence holds.

use podium_core::inference::evidence::Verdicts;
use podium_core::metric::Direction;
use podium_core::posterior::Posteriors;

use crate::estimate::{Estimate, is_full, n_repetitions, repeat};
use crate::shop::{ALPHA, Look, Metric, Shop, Split};

const CONVERSION: Metric = Metric::Conversion(0.03);
const REVENUE: Metric = Metric::Revenue(0.03);
const ORDER_VALUE: Metric = Metric::OrderValue(0.05);
/// How many standard errors of its estimate a share may lie above what is promised.
const MARGIN: f64 = 3.0;
/// The standard normal quantile at 0.975.
const Z: f64 = 1.959_963_984_540_054;

fn alike(metric: Metric, split: Split, n_variants: usize) -> Shop {
    let units_per_variant = if is_full() { 40_000 } else { 10_000 };
    Shop { units_per_variant, ..Shop::alike(metric, split, n_variants) }
}

fn sequence_announces(look: &Look) -> bool {
    is_any(&look.verdicts())
}

fn is_any(verdicts: &Verdicts) -> bool {
    let pairs = verdicts.against_control.iter().flatten();
    let any = pairs.fold(false, |any, pair| any || pair.is_better() || pair.is_worse());
    any || verdicts.winner_idx.is_some()
}

fn chance_announces(look: &Look) -> bool {
    look.is_ready() && {
        let posteriors = Posteriors::from_sums(look.kind, Direction::Increase, &look.sums).unwrap();
        posteriors.compare(0).p_best().iter().any(|chance| 0.95 <= chance.get())
    }
}

fn interval_announces(look: &Look) -> bool {
    let control = look.pooled(0);
    let differs = |variant_idx: usize| {
        let variant = look.pooled(variant_idx);
        let variance = [control, variant].iter().map(|cell| cell.variance().unwrap() / cell.n).sum::<f64>();
        Z * variance.sqrt() < (variant.mean - control.mean).abs()
    };
    look.is_ready() && (1..look.sums.len()).any(differs)
}

/// The shares of experiments that ever announce something: by the sequence, by the chance to be best, by intervals.
fn ever_announced(shop: &Shop, quick: u64) -> [Estimate; 3] {
    let rules: [fn(&Look) -> bool; 3] = [sequence_announces, chance_announces, interval_announces];
    repeat(n_repetitions(quick), |seed| {
        let mut announced = [false; 3];
        shop.run(seed, |look| {
            for (announced, rule) in announced.iter_mut().zip(rules) {
                *announced = *announced || rule(look);
            }
            announced != [true; 3]
        });
        announced.map(|announced| f64::from(u8::from(announced)))
    })
}

/// The most that a share may be if it is truly `promised`.
fn at_most(promised: f64, n: u64) -> f64 {
    promised + MARGIN * (promised * (1.0 - promised) / n as f64).sqrt()
}

#[track_caller]
fn check(n_variants: usize, cells: &[(Metric, Split)], quick: u64) {
    println!("all alike: share of experiments that ever announce something, looking all the time");
    println!("{:<19} | level    | split    |  K | sequence | P(best) | intervals", "metric");
    let limit = at_most(ALPHA, n_repetitions(quick));
    for &(metric, split) in cells {
        let shop = alike(metric, split, n_variants);
        let [sequence, chance, interval] = ever_announced(&shop, quick);
        println!("{shop} | {:8.4} | {:7.4} | {:9.4}", sequence.mean, chance.mean, interval.mean);
        assert!(sequence.mean <= limit, "{shop}: {sequence}");
        // Among many that are alike none is likely to be the best, and in a short run either rule may be lucky.
        let naive =
            if is_full() && n_variants == 2 { f64::min } else { f64::max }(chance.mean, interval.mean);
        assert!(limit < naive, "{shop}: {chance}, {interval}");
    }
}

const FULL: [(Metric, Split); 6] = [
    (CONVERSION, Split::Fixed),
    (CONVERSION, Split::Thompson),
    (REVENUE, Split::Fixed),
    (REVENUE, Split::Thompson),
    (ORDER_VALUE, Split::Fixed),
    (ORDER_VALUE, Split::Thompson),
];

#[test]
fn two_that_are_alike_are_left_alone() {
    check(2, &FULL, 100);
}

#[test]
fn three_that_are_alike_are_left_alone() {
    check(3, if is_full() { &FULL } else { &FULL[..2] }, 60);
}

#[test]
fn five_that_are_alike_are_left_alone() {
    check(5, if is_full() { &FULL } else { &FULL[3..4] }, 40);
}

/// 3.0 against 3.6 %, 40,000 visitors for each.
#[test]
fn a_better_one_is_found() {
    let shop = Shop { factor: 1.2, units_per_variant: 40_000, ..Shop::alike(CONVERSION, Split::Fixed, 2) };
    let [found, wrong, units] = repeat(n_repetitions(100), |seed| {
        let (mut winner, mut n_looks) = (None, 0);
        shop.run(seed, |look| {
            winner = look.verdicts().winner_idx;
            n_looks += 1;
            winner.is_none()
        });
        [
            f64::from(u8::from(winner == Some(1))),
            f64::from(u8::from(winner == Some(0))),
            f64::from(n_looks) * 500.0,
        ]
    });
    println!("3.0 against 3.6 %, 40,000 each: found {found}, wrong {wrong}, after {units} units each");
    assert!(0.90 <= found.mean, "{found}");
    assert!(wrong.mean <= at_most(ALPHA / 2.0, n_repetitions(100)), "{wrong}");
}

/// An experiment that was planned for a tenth of what it becomes, or for ten times as much.
#[test]
fn a_plan_that_was_wrong_announces_nothing_false() {
    println!("all alike: share of experiments that ever announce something, planned for another size");
    let n = n_repetitions(40);
    for (metric, split) in [(CONVERSION, Split::Fixed), (REVENUE, Split::Thompson)] {
        for planned in [0.1, 10.0] {
            let shop = Shop { planned, ..alike(metric, split, 3) };
            let [sequence] = repeat(n, |seed| {
                let mut announced = false;
                shop.run(seed, |look| {
                    announced = sequence_announces(look);
                    !announced
                });
                [f64::from(u8::from(announced))]
            });
            println!("{shop} | planned for {planned:4} of it | {sequence}");
            assert!(sequence.mean <= at_most(ALPHA, n), "{shop}, {planned}: {sequence}");
        }
    }
}

/// Orders of one variant are as large as those of the other, but twice as many, or half.
#[test]
fn more_orders_are_not_larger_ones() {
    println!(
        "order values alike: share of experiments that ever announce something, by how often the variant orders"
    );
    let n = n_repetitions(100);
    let mut worst_over_one = 0.0_f64;
    for split in [Split::Fixed, Split::Thompson] {
        for orders in [2.0, 0.5] {
            let shop = Shop { orders, ..alike(ORDER_VALUE, split, 2) };
            let [sequence, over_one] = repeat(n, |seed| {
                let mut announced = [false; 2];
                shop.run(seed, |look| {
                    announced[0] = announced[0] || sequence_announces(look);
                    announced[1] = announced[1] || is_any(&look.verdicts_over_one());
                    announced != [true; 2]
                });
                announced.map(|announced| f64::from(u8::from(announced)))
            });
            println!("{shop} | {orders:3} times | {sequence} | over one denominator {over_one}");
            assert!(sequence.mean <= at_most(ALPHA, n), "{shop}: {sequence}");
            worst_over_one = worst_over_one.max(over_one.mean);
        }
    }
    assert!(at_most(ALPHA, n) < worst_over_one, "one denominator would do: {worst_over_one}");
}
