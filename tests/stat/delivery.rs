//! Whether a broken delivery is noticed, and a healthy one left in peace.

use podium_core::allocation::AllocatorConfig;
use podium_core::inference::sample_ratio::{ALARM, CONCENTRATION, Counted, chi_square, sequential};
use podium_core::metric::MetricKind;
use podium_core::simulate::{Simulation, draw};
use rand::Rng;
use rand_distr::{Binomial, Distribution};

use crate::earning::converting;
use crate::estimate::{generator, n_repetitions, repeat};

const VERSION_UNITS: u32 = 500;

/// Shares and units of one stratum.
type Delivered = (Vec<f64>, Vec<u64>);

fn counted(strata: &[Delivered]) -> Vec<Counted<'_>> {
    strata.iter().map(|(shares, units)| Counted { shares: Some(shares), units }).collect()
}

fn is_alarming(strata: &[Delivered]) -> bool {
    sequential(&counted(strata), CONCENTRATION).is_alarming()
}

fn yes(it: bool) -> f64 {
    f64::from(u8::from(it))
}

/// After how many units of two variants there is an alarm, looking each 100, in strata of 500; none up to `n_max`.
fn first_alarm(planned: f64, delivered: f64, n_max: u64, rng: &mut impl Rng) -> Option<u64> {
    let mut strata: Vec<Delivered> = Vec::new();
    for look in 0..n_max / 100 {
        if look * 100 % u64::from(VERSION_UNITS) == 0 {
            strata.push((vec![1.0 - planned, planned], vec![0, 0]));
        }
        let n = Binomial::new(100, delivered).unwrap().sample(rng);
        if let Some((_, units)) = strata.last_mut() {
            units[0] += 100 - n;
            units[1] += n;
        }
        if is_alarming(&strata) {
            return Some(100 * (look + 1));
        }
    }
    None
}

#[test]
fn sixty_to_forty_is_found_within_a_thousand() {
    let [found, after] = repeat(n_repetitions(200), |seed| {
        let after = first_alarm(0.5, 0.6, 1000, &mut generator(seed));
        [yes(after.is_some()), after.unwrap_or(1000) as f64]
    });
    println!("60/40 for 50/50, up to 1,000 units: found {found}, after {after}");
    assert!(0.97 <= found.mean, "{found}");
}

#[test]
fn a_healthy_split_raises_no_alarm() {
    let [found] = repeat(n_repetitions(200), |seed| {
        [yes(first_alarm(0.5, 0.5, 20_000, &mut generator(seed)).is_some())]
    });
    println!("50/50, 200 looks: alarms {found}");
    assert!(found.mean <= 0.01, "{found}");
}

/// A Thompson bandit of three variants, of whose last one a part of the units is lost.
fn bandit(lost: f64, seed: u64) -> Vec<Delivered> {
    let config: AllocatorConfig = serde_json::from_str(r#"{"type": "thompson"}"#).unwrap();
    let mut rng = generator(seed);
    let mut simulation = Simulation::new(config, MetricKind::Proportion, converting(&[0.04, 0.05, 0.05]));
    simulation.run(20_000, VERSION_UNITS, &mut rng, draw).unwrap();
    let mut delivered = Vec::new();
    for stratum in simulation.strata() {
        let mut units: Vec<u64> = stratum.sums.iter().map(|sums| sums.n as u64).collect();
        units[2] = Binomial::new(units[2], 1.0 - lost).unwrap().sample(&mut rng);
        delivered.push((stratum.draft.weights.as_slice().to_vec(), units));
    }
    delivered
}

#[test]
fn a_healthy_bandit_raises_no_alarm_but_for_who_expects_an_equal_split() {
    let [found, looked_once, equal] = repeat(n_repetitions(60), |seed| {
        let delivered = bandit(0.0, seed);
        let as_if_equal: Vec<Delivered> =
            delivered.iter().map(|(_, units)| (vec![1.0 / 3.0; 3], units.clone())).collect();
        let once = |delivered: &[Delivered]| chi_square(&counted(delivered)).unwrap().p_value <= ALARM;
        [yes(is_alarming(&delivered)), yes(once(&delivered)), yes(once(&as_if_equal))]
    });
    println!("healthy Thompson: alarms {found}, looking once {looked_once}, against an equal split {equal}");
    assert!(found.mean <= 0.01 && looked_once.mean <= 0.02, "{found}, {looked_once}");
    assert!(0.95 <= equal.mean, "{equal}");
}

#[test]
fn what_a_stratum_tells_is_kept_for_the_next() {
    let [carried, anew] = repeat(n_repetitions(60), |seed| {
        let delivered = bandit(0.1, seed);
        let each_by_itself =
            |stratum| sequential(&counted(std::slice::from_ref(stratum)), CONCENTRATION).log_evidence;
        let anew: f64 = delivered.iter().map(each_by_itself).sum();
        [yes(is_alarming(&delivered)), yes((-anew).exp() <= ALARM)]
    });
    println!("a tenth of one variant's units lost: found {carried}, by strata that begin anew {anew}");
    assert!(0.85 <= carried.mean && anew.mean <= 0.05, "{carried}, {anew}");
}
