//! Whether the figures of variants can be trusted where weights move.
//!
//! Thompson sampling gives a variant with bad luck fewer units, so its plain mean stays low and the plain interval
//! misses. The weighted scores must hold where that one fails: at a fixed time, and at all times at once.

use podium_core::allocation::AllocatorConfig;
use podium_core::inference::aipw;
use podium_core::inference::estimate::{Estimate, Interval};
use podium_core::inference::moments::Cell;
use podium_core::inference::period::period_weighted;
use podium_core::inference::strata::{MetricStratum, Stratum};
use podium_core::metric::{MetricKind, VariantSums};
use podium_core::probability::Probability;
use podium_core::simulate::{self, Shoppers, Simulation, draw};
use rand::Rng;
use rand_distr::{Binomial, Distribution, StandardNormal};

use crate::earning::converting;
use crate::estimate::{Estimate as Figure, generator, n_repetitions, repeat};

const ALPHA: f64 = 0.05;
const VERSION_UNITS: u32 = 500;
const N_STRATA: usize = 40;
const N_UNITS: u64 = 20_000;
/// How many standard errors of its estimate a coverage may lie below what is promised.
const MARGIN: f64 = 3.0;

/// How often intervals cover the truth, over variants and repetitions.
#[derive(Clone, Copy)]
struct Coverage {
    weighted: Figure,
    plain: Figure,
    lift: Figure,
    weighted_always: Figure,
    plain_always: Figure,
    lift_always: Figure,
}

/// The strata of a simulated experiment, as they are compared.
fn strata(simulation: &Simulation, n_variants: usize) -> Vec<Stratum> {
    let stratum = |stratum: &simulate::Stratum| {
        let (mut shares, mut sums) = (vec![0.0; n_variants], vec![VariantSums::default(); n_variants]);
        for (position, &variant_idx) in stratum.variant_idxs.iter().enumerate() {
            shares[variant_idx] = stratum.draft.weights.get(position);
            sums[variant_idx] = stratum.sums[position];
        }
        MetricStratum { shares: Some(shares), sums, ..MetricStratum::default() }.numerators()
    };
    simulation.strata().iter().map(stratum).collect()
}

/// What one does without further thought: the mean of all units of a variant, and its error.
fn plain(strata: &[Stratum], variant_idx: usize) -> Option<Estimate> {
    let cell = strata.iter().fold(Cell::default(), |all, stratum| all.merged(&stratum.cell(variant_idx)));
    Some(Estimate { value: cell.mean, standard_error: (cell.variance()? / cell.n).sqrt() })
}

fn covers(interval: Option<Interval>, truth: f64) -> f64 {
    f64::from(u8::from(interval.is_none_or(|interval| interval.contains(truth))))
}

/// Whether the interval covers the truth after each stratum.
fn always(strata: &[Stratum], truth: f64, interval: impl Fn(&[Stratum]) -> Option<Interval>) -> f64 {
    (1..=strata.len()).map(|n| covers(interval(&strata[..n]), truth)).fold(1.0, f64::min)
}

fn mean_always(strata: &[Stratum], variant_idx: usize) -> Option<Interval> {
    aipw::mean(strata, variant_idx)?.anytime(ALPHA, N_UNITS as f64)
}

fn lift_always(strata: &[Stratum], variant_idx: usize) -> Option<Interval> {
    aipw::lift(strata, variant_idx, 0)?.difference.anytime(ALPHA, N_UNITS as f64)
}

fn coverage(config: &str, kind: MetricKind, shoppers: &[Shoppers]) -> Coverage {
    let config: AllocatorConfig = serde_json::from_str(config).unwrap();
    let truths: Vec<f64> = shoppers.iter().map(Shoppers::mean).collect();
    let [weighted, plain, lift, weighted_always, plain_always, lift_always] =
        repeat(n_repetitions(200), |seed| {
            let mut simulation = Simulation::new(config.clone(), kind, shoppers.to_vec());
            simulation.run(N_UNITS, VERSION_UNITS, &mut generator(seed), draw).unwrap();
            covered(&strata(&simulation, truths.len()), &truths)
        });
    Coverage { weighted, plain, lift, weighted_always, plain_always, lift_always }
}

fn covered(strata: &[Stratum], truths: &[f64]) -> [f64; 6] {
    assert_eq!(strata.len(), N_STRATA);
    let n = truths.len() as f64;
    let mut figures = [0.0; 6];
    for (idx, &truth) in truths.iter().enumerate() {
        let plain = |strata: &[Stratum]| plain(strata, idx).map(|plain| plain.interval(ALPHA));
        figures[0] += covers(aipw::mean(strata, idx).map(|it| it.estimate.interval(ALPHA)), truth) / n;
        figures[1] += covers(plain(strata), truth) / n;
        figures[3] += always(strata, truth, |strata| mean_always(strata, idx)) / n;
        figures[4] += always(strata, truth, |strata| mean_always(strata, idx).and(plain(strata))) / n;
        if 0 < idx {
            let lift = aipw::lift(strata, idx, 0).map(|it| it.difference.estimate.interval(ALPHA));
            figures[2] += covers(lift, truth - truths[0]) / (n - 1.0);
            let always = always(strata, truth - truths[0], |strata| lift_always(strata, idx));
            figures[5] += always / (n - 1.0);
        }
    }
    figures
}

/// Shoppers whose orders are capped at the 0.999 quantile of all orders, as those of an experiment are.
fn capped_orders(rate: f64) -> Shoppers {
    let (mut rng, log_sd) = (generator(7), 0.8_f64);
    let cap = 3000.0 * (3.09 * log_sd).exp();
    let mut amount = || {
        let z: f64 = StandardNormal.sample(&mut rng);
        (3000.0 * (log_sd * z).exp()).min(cap).round() as i64
    };
    let amounts = (0..20_000).map(|_| amount()).collect();
    Shoppers::ordering_from(Probability::new(rate).unwrap(), amounts).unwrap()
}

#[track_caller]
fn at_least(what: &str, promised: f64, figure: Figure) {
    let least = promised - MARGIN * figure.standard_error;
    assert!(least <= figure.mean, "{what}: {figure} is below {promised}");
}

#[test]
fn weighted_scores_cover_where_plain_means_do_not() {
    let default = r#"{"type": "thompson"}"#;
    let greedy = r#"{"type": "thompson", "floor": 0.01}"#;
    let worlds = [
        ("5/5 %, floor 0.01", greedy, MetricKind::Proportion, converting(&[0.05; 2])),
        ("5/5/5 %, floor 0.01", greedy, MetricKind::Proportion, converting(&[0.05; 3])),
        ("5/5/5 %", default, MetricKind::Proportion, converting(&[0.05; 3])),
        ("2/2/3 %", default, MetricKind::Proportion, converting(&[0.02, 0.02, 0.03])),
        ("orders of 5/5/5 %", default, MetricKind::Mean, vec![capped_orders(0.05); 3]),
    ];
    println!(
        "95 % intervals     | at the end: weighted        plain           lift | always: weighted    plain   lift"
    );
    let mut plain_at_the_end = Vec::new();
    for (name, config, kind, shoppers) in worlds {
        let found = coverage(config, kind, &shoppers);
        let Coverage { weighted, plain, lift, .. } = found;
        let (weighted_always, plain_always) = (found.weighted_always, found.plain_always);
        println!(
            "{name:19} | {weighted} {plain} {lift} | {weighted_always} {plain_always} {}",
            found.lift_always
        );
        at_least(name, 0.93, weighted);
        // Amounts are skewed: where a variant has a hundred orders, its lift is missed a little more often.
        at_least(name, 0.92, lift);
        at_least(name, 0.95, weighted_always);
        at_least(name, 0.95, found.lift_always);
        let most = plain_always.mean + MARGIN * plain_always.standard_error;
        assert!(most < 0.95, "{name}: {plain_always} at all times would do without the scores");
        plain_at_the_end.push(plain);
    }
    let n = plain_at_the_end.len() as f64;
    let mean = plain_at_the_end.iter().map(|figure| figure.mean).sum::<f64>() / n;
    let error = plain_at_the_end.iter().map(|figure| figure.standard_error.powi(2)).sum::<f64>().sqrt() / n;
    println!("plain means over all of them: {mean:.4} ± {error:.4}");
    assert!(mean + 2.0 * error < 0.93, "{mean} ± {error} would do without the scores");
}

/// Gives most units to whichever of two variants looks better so far.
fn follow_the_leader(rates: impl Fn(usize) -> f64, rng: &mut impl Rng) -> Vec<Stratum> {
    let (mut strata, mut so_far) = (Vec::new(), [Cell::default(); 2]);
    for stratum_idx in 0..N_STRATA {
        let share = match so_far[1].mean.total_cmp(&so_far[0].mean) {
            std::cmp::Ordering::Less => 0.1,
            std::cmp::Ordering::Equal => 0.5,
            std::cmp::Ordering::Greater => 0.9,
        };
        let n_1 = Binomial::new(u64::from(VERSION_UNITS), share).unwrap().sample(rng);
        let cells = [u64::from(VERSION_UNITS) - n_1, n_1].map(|n| {
            let converted = Binomial::new(n, rates(stratum_idx)).unwrap().sample(rng) as f64;
            let (n, mean) = (n as f64, if n == 0 { 0.0 } else { converted / n as f64 });
            Cell { n, n_nonzero: converted, mean, squares: converted * (1.0 - mean) }
        });
        so_far = [0, 1].map(|idx| so_far[idx].merged(&cells[idx]));
        strata.push(Stratum { shares: Some(vec![1.0 - share, share]), cells: cells.to_vec() });
    }
    strata
}

/// Rates that rise, and one day in seven on which everybody buys; variants do not differ.
fn rate(stratum_idx: usize) -> f64 {
    let holiday = if stratum_idx % 7 == 6 { 2.0 } else { 1.0 };
    holiday * (0.04 + 0.04 * stratum_idx as f64 / N_STRATA as f64)
}

#[test]
fn a_holiday_favors_nobody() {
    let truth = (0..N_STRATA).map(rate).sum::<f64>() / N_STRATA as f64;
    let [lift, lift_always, period, period_lift, plain_lift] = repeat(n_repetitions(400), |seed| {
        let strata = follow_the_leader(rate, &mut generator(seed));
        let plain = plain(&strata, 1).zip(plain(&strata, 0)).map(|(own, control)| own.minus(&control));
        let lift = aipw::lift(&strata, 1, 0).map(|lift| lift.difference.estimate.interval(ALPHA));
        let means = period_weighted(&strata, &[0, 1]).unwrap().means;
        let period = means.iter().map(|mean| covers(Some(mean.interval(ALPHA)), truth)).sum::<f64>() / 2.0;
        [
            covers(lift, 0.0),
            always(&strata, 0.0, |strata| self::lift_always(strata, 1)),
            period,
            covers(Some(means[1].minus(&means[0]).interval(ALPHA)), 0.0),
            covers(plain.map(|plain| plain.interval(ALPHA)), 0.0),
        ]
    });
    println!("rising, with holidays: lift {lift}, always {lift_always}, period-weighted mean {period},");
    println!("    difference of two {period_lift}, of plain means {plain_lift}");
    at_least("lift", 0.93, lift);
    at_least("lift at all times", 0.95, lift_always);
    at_least("period-weighted mean", 0.93, period);
    at_least("difference of period-weighted means", 0.93, period_lift);
    assert!(plain_lift.mean < 0.8, "{plain_lift} would do without");
}
