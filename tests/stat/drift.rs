//! Allocation while the level moves for all variants, and while the variants change places.

use podium_core::allocation::{AllocatorConfig, VersionAge};
use podium_core::metric::{Direction, MetricKind};
use podium_core::posterior::Posteriors;
use podium_core::simulate::{Simulation, draw};

use crate::earning::converting;
use crate::estimate::{generator, n_repetitions, repeat};

const VERSION_UNITS: u32 = 500;
const UNITS_A_DAY: u32 = 1000;

fn config(json: &str) -> AllocatorConfig {
    serde_json::from_str(json).unwrap()
}

fn simulation(json: &str, rates: &[f64]) -> Simulation {
    Simulation::new(config(json), MetricKind::Proportion, converting(rates)).with_units_a_day(UNITS_A_DAY)
}

fn set_rates(simulation: &mut Simulation, rates: &[f64]) {
    for (variant_idx, shoppers) in converting(rates).into_iter().enumerate() {
        simulation.change(variant_idx, shoppers);
    }
}

/// What the allocator believes, and what the plain means of the same data say: the chance of each variant to be best.
fn chances(simulation: &Simulation, n_variants: usize) -> [Vec<f64>; 2] {
    let beliefs = simulation.draft().unwrap().beliefs;
    let sums: Vec<_> = (0..n_variants).map(|variant_idx| simulation.sums(variant_idx)).collect();
    let plain = Posteriors::from_sums(MetricKind::Proportion, Direction::Increase, &sums).unwrap().compare(0);
    let plain = plain.p_best().iter().map(|chance| chance.get()).collect();
    [beliefs.iter().map(|belief| belief.p_best.get()).collect(), plain]
}

fn is_sure(chances: &[f64]) -> f64 {
    f64::from(u8::from(chances.iter().any(|&chance| 0.95 <= chance)))
}

/// All alike, one of them added in the middle, while the level of all rises from 2 to 6 %.
#[test]
fn a_rising_baseline_does_not_favor_the_newer_traffic() {
    let [share, ours, plain, sure_ours, sure_plain] = repeat(n_repetitions(100), |seed| {
        let mut rng = generator(seed);
        let mut simulation = simulation(r#"{"type": "thompson"}"#, &[0.02; 2]);
        for stratum_idx in 0..40 {
            if stratum_idx == 20 {
                simulation.add(converting(&[0.04])[0].clone());
            }
            set_rates(&mut simulation, &[0.02 + 0.001 * f64::from(stratum_idx); 3]);
            simulation.step(VERSION_UNITS, &mut rng, draw).unwrap();
        }
        let [ours, plain] = chances(&simulation, 3);
        [simulation.share_since(2, 24), ours[2], plain[2], is_sure(&ours), is_sure(&plain)]
    });
    println!(
        "rising, added later, all alike: share {share}, P(best) {ours}, of plain means {plain}; \
         false winner {sure_ours}, of plain means {sure_plain}"
    );
    assert!(share.mean < 0.5 && ours.mean < 0.5, "{share}, {ours}");
    assert!(sure_ours.mean < 0.1, "{sure_ours}");
    assert!(0.7 < plain.mean && 0.4 < sure_plain.mean, "plain means would pass, too: {plain}, {sure_plain}");
}

/// All alike, at 2 % on weekdays and 8 % on weekends.
#[test]
fn a_weekend_shift_does_not_change_the_ranking() {
    let [ours, plain, flat] = repeat(n_repetitions(100), |seed| {
        let run = |weekend: f64| {
            let mut rng = generator(seed);
            let mut simulation = simulation(r#"{"type": "thompson", "floor": 0.01}"#, &[0.02; 3]);
            for day in 0..28 {
                set_rates(&mut simulation, &[if day % 7 < 5 { 0.02 } else { weekend }; 3]);
                for _ in 0..UNITS_A_DAY / VERSION_UNITS {
                    simulation.step(VERSION_UNITS, &mut rng, draw).unwrap();
                }
            }
            chances(&simulation, 3).map(|chances| is_sure(&chances))
        };
        let [ours, plain] = run(0.08);
        [ours, plain, run(0.02)[0]]
    });
    println!(
        "weekends at another level, all alike: false winner {ours}, of plain means {plain}; without {flat}"
    );
    assert!(ours.mean < 0.1, "{ours}");
    assert!(0.2 < plain.mean, "plain means would pass, too: {plain}");
}

/// When the rates change places.
const FLIP_DAY: u32 = 40;
/// No longer is waited.
const DAYS_MAX: u32 = 80;

/// How many days after two rates changed places the variant that is now better gets more than half.
fn days_until_followed(memory: &str, seed: u64) -> u32 {
    let mut rng = generator(seed);
    let mut simulation = simulation(&format!(r#"{{"type": "thompson"{memory}}}"#), &[0.03, 0.06]);
    for day in 0..FLIP_DAY + DAYS_MAX {
        if day == FLIP_DAY {
            set_rates(&mut simulation, &[0.06, 0.03]);
        }
        let stratum = simulation.step(UNITS_A_DAY, &mut rng, draw).unwrap();
        let share = stratum.draft.weights.get(0);
        if FLIP_DAY <= day && 0.5 < share {
            return day - FLIP_DAY;
        }
        assert!(day != FLIP_DAY || share < 0.5, "before the flip the other one leads");
    }
    DAYS_MAX
}

/// The mean and the longest over repetitions.
fn days_of(memory: &str) -> (f64, u32) {
    let days: Vec<u32> = (0..n_repetitions(40)).map(|seed| days_until_followed(memory, seed)).collect();
    let mean = f64::from(days.iter().sum::<u32>()) / days.len() as f64;
    let longest = days.iter().copied().max().unwrap();
    println!("flip followed after {mean:.1} days, {longest} at most:{memory}");
    (mean, longest)
}

/// 3 and 6 % at 1,000 units a day change places on day 40.
#[test]
fn a_flip_is_followed_within_two_half_lives_or_a_window() {
    let (half_life, window) = (days_of(r#", "half_life_days": 5"#), days_of(r#", "window_days": 10"#));
    assert!(half_life.1 <= 10, "two half-lives: {half_life:?}");
    assert!(window.1 <= 10, "a window: {window:?}");
    let everything = days_of("");
    assert!(30.0 < everything.0, "as long as what went before: {everything:?}");
}

/// 200,000 units at 2, 2 and 3 %.
#[test]
fn versions_that_grow_cost_almost_no_regret() {
    let [fixed, difference, n_versions] = repeat(n_repetitions(10), |seed| {
        let run = |units_due: fn(u64) -> u32| {
            let mut rng = generator(seed);
            let mut simulation = simulation(r#"{"type": "thompson", "floor": 0.0}"#, &[0.02, 0.02, 0.03]);
            let mut units_so_far = 0;
            while units_so_far < 200_000 {
                let units = units_due(units_so_far);
                simulation.step(units, &mut rng, draw).unwrap();
                units_so_far += u64::from(units);
            }
            (simulation.regret(), simulation.strata().len() as f64)
        };
        let (fixed, (growing, n_versions)) = (run(|_| VERSION_UNITS).0, run(growing));
        [fixed, growing - fixed, n_versions]
    });
    println!("versions of 500: regret {fixed}; of a hundredth: {difference} more, {n_versions} versions");
    assert!(n_versions.mean < 250.0, "{n_versions}");
    assert!(difference.mean < 0.05 * fixed.mean + 3.0 * difference.standard_error, "{difference} of {fixed}");
}

/// How many units a version has that comes after so many.
fn growing(units_before: u64) -> u32 {
    let ends = |&units: &u32| {
        let units = u64::from(units);
        VersionAge { seconds: 60.0, units, units_so_far: units_before + units }.has_ended(VERSION_UNITS)
    };
    (1..=1_000_000).find(ends).unwrap()
}
