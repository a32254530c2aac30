//! Which unit gets what: equal to an independent implementation, uniform, exclusive, sticky, on a million ids.
#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]
#![expect(clippy::float_cmp, reason = "a draw is the same bits everywhere")]

use podium_core::allocation::{Allocator, AllocatorConfig, Fixed, SliceShare};
use podium_core::bucketing::{Arm, Seed, UniformSlice, choose};
use podium_core::experiment::{Definition, Experiment, Status};
use podium_core::id::{ExperimentId, ExperimentKey};
use podium_core::snapshot::{Flag, Slot, WeightsVersion};
use podium_core::time::Timestamp;
use serde::Deserialize;
use statrs::distribution::{ChiSquared, ContinuousCDF};
use std::collections::BTreeMap;

const N_IDS: usize = 1_000_000;
/// The chance of a false alarm that each chi-squared test is run at.
const ALARM: f64 = 0.001;

#[derive(Deserialize)]
struct Vectors {
    traffic: Vec<Draw>,
    slice: Vec<Draw>,
    group: Vec<Draw>,
    choice: Vec<Choice>,
}

#[derive(Deserialize)]
struct Draw {
    #[serde(alias = "group")]
    salt: String,
    unit: String,
    #[serde(rename = "draw")]
    value: f64,
}

#[derive(Deserialize)]
struct Choice {
    salt: String,
    weights: BTreeMap<String, f64>,
    unit: String,
    variant: String,
}

fn arms(salt: &str, weights: &[(&str, f64)]) -> Vec<Arm> {
    weights.iter().map(|(key, weight)| Arm { seed: Seed::of_variant(salt, key), weight: *weight }).collect()
}

fn ids() -> impl Iterator<Item = String> {
    (0..N_IDS).map(|n| format!("visitor-{n}"))
}

/// The p-value of counts against expected shares.
fn chi_squared_p(counts: &[usize], shares: &[f64]) -> f64 {
    let n: usize = counts.iter().sum();
    let statistic: f64 = counts
        .iter()
        .zip(shares)
        .map(|(count, share)| (*count as f64 - n as f64 * share).powi(2) / (n as f64 * share))
        .sum();
    1.0 - ChiSquared::new(counts.len() as f64 - 1.0).unwrap().cdf(statistic)
}

/// The p-value that two choices have nothing to do with each other.
fn independence_p(table: [[usize; 2]; 2]) -> f64 {
    let n: usize = table.iter().flatten().sum();
    let row = |i: usize| table[i].iter().sum::<usize>() as f64 / n as f64;
    let column = |j: usize| (table[0][j] + table[1][j]) as f64 / n as f64;
    let mut statistic = 0.0;
    for (i, counts) in table.iter().enumerate() {
        for (j, count) in counts.iter().enumerate() {
            let expected = n as f64 * row(i) * column(j);
            statistic += (*count as f64 - expected).powi(2) / expected;
        }
    }
    1.0 - ChiSquared::new(1.0).unwrap().cdf(statistic)
}

/// A running experiment `key` with two even variants.
fn flag(key: &str, traffic: f64, slot: Option<(f64, f64)>) -> Flag {
    let slot = slot.map(|(start, end)| Slot { group: "home".into(), start, end });
    let weights = vec![("control".to_owned(), 0.5), ("b".to_owned(), 0.5)];
    let weights = WeightsVersion { version: 1, salt: key.into(), traffic, slot, weights };
    let fixed = AllocatorConfig::new(Allocator::Fixed(Fixed));
    Flag::new(&experiment(key, &["control", "b"], fixed), &weights).unwrap()
}

/// A running experiment under an allocator.
fn experiment(key: &str, variants: &[&str], allocator: AllocatorConfig) -> Experiment {
    let variants: Vec<_> = variants.iter().map(|key| serde_json::json!({ "key": key })).collect();
    let definition = serde_json::json!({ "variants": variants, "primary_metric": "conversion" });
    let definition = Definition { allocator, ..serde_json::from_value(definition).unwrap() };
    let now = Timestamp::default();
    Experiment {
        id: ExperimentId(1),
        key: ExperimentKey::new(key).unwrap(),
        version: 1,
        definition: definition.checked().unwrap(),
        status: Status::Running,
        served: None,
        revision: 1,
        created_at: now,
        updated_at: now,
        started_at: Some(now),
        concluded_at: None,
    }
}

/// A running bandit with three variants, of which the last was taken out.
fn bandit(allocator: &str, weights: [f64; 2]) -> Flag {
    let variants = ["control", "b", "gone"];
    let weights = variants.iter().zip([weights[0], weights[1], 0.0]);
    let weights = weights.map(|(key, weight)| ((*key).to_owned(), weight)).collect();
    let weights = WeightsVersion { version: 4, salt: "bandit".into(), traffic: 1.0, slot: None, weights };
    Flag::new(&experiment("bandit", &variants, serde_json::from_str(allocator).unwrap()), &weights).unwrap()
}

fn variant(flag: &Flag, unit: &str) -> Option<usize> {
    flag.decide(unit, None).assignment.map(|assignment| usize::from(assignment.variant_idx))
}

#[test]
fn draws_and_choices_equal_those_of_the_python_package() {
    let vectors: Vectors = serde_json::from_str(include_str!("../../tests/vectors/bucketing.json")).unwrap();
    for draw in &vectors.traffic {
        assert_eq!(Seed::of_traffic(&draw.salt).draw(&draw.unit), draw.value, "{}", draw.unit);
    }
    for draw in &vectors.slice {
        assert_eq!(Seed::of_slice(&draw.salt).draw(&draw.unit), draw.value, "{}", draw.unit);
    }
    for draw in &vectors.group {
        assert_eq!(Seed::of_group(&draw.salt).draw(&draw.unit), draw.value, "{}", draw.unit);
    }
    for choice in &vectors.choice {
        let weights: Vec<_> = choice.weights.iter().map(|(key, weight)| (key.as_str(), *weight)).collect();
        let chosen = choose(&choice.unit, &arms(&choice.salt, &weights)).map(|arm_idx| weights[arm_idx].0);
        assert_eq!(chosen, Some(choice.variant.as_str()), "{} {}", choice.salt, choice.unit);
    }
    assert!(vectors.choice.len() > 500);
}

#[test]
fn a_real_log_is_split_as_the_python_package_splits_it() {
    let vectors: serde_json::Value =
        serde_json::from_str(include_str!("../../tests/vectors/real_data.json")).unwrap();
    let arms = arms("cdnow", &[("a", 0.5), ("b", 0.5)]);
    let counts = (1..=23_570).fold([0_u64; 2], |mut counts, n| {
        counts[choose(&format!("cdnow-{n:05}"), &arms).unwrap()] += 1;
        counts
    });
    let text = vectors.to_string();
    assert_eq!(counts, [11_710, 11_860]);
    assert!(text.contains("11710") && text.contains("11860"));
}

#[test]
fn a_million_ids_fall_as_the_weights_say() {
    for shares in [&[0.5, 0.5][..], &[0.7, 0.2, 0.1], &[0.01, 0.99], &[0.2; 5]] {
        let keys: Vec<String> = (0..shares.len()).map(|arm_idx| format!("v{arm_idx}")).collect();
        let weights: Vec<_> = keys.iter().map(String::as_str).zip(shares.iter().copied()).collect();
        let arms = arms("uniform", &weights);
        let mut counts = vec![0; shares.len()];
        ids().for_each(|id| counts[choose(&id, &arms).unwrap()] += 1);
        let p = chi_squared_p(&counts, shares);
        assert!(ALARM < p, "{shares:?}: {counts:?}, p = {p}");
    }
}

#[test]
fn another_salt_shuffles_everyone_anew() {
    let (one, two) = (flag("one", 1.0, None), flag("two", 1.0, None));
    let mut table = [[0; 2]; 2];
    ids().for_each(|id| table[variant(&one, &id).unwrap()][variant(&two, &id).unwrap()] += 1);
    let p = independence_p(table);
    assert!(ALARM < p, "{table:?}, p = {p}");
}

#[test]
fn experiments_of_one_group_share_nobody_and_fill_their_slots() {
    let slots = [(0.0, 0.3), (0.3, 0.5), (0.5, 1.0)];
    let flags: Vec<_> =
        slots.iter().enumerate().map(|(n, slot)| flag(&format!("e{n}"), 1.0, Some(*slot))).collect();
    let mut counts = [0; 3];
    for id in ids() {
        let inside: Vec<_> = (0..3).filter(|n| variant(&flags[*n], &id).is_some()).collect();
        assert_eq!(inside.len(), 1, "{id} is in {inside:?}");
        counts[inside[0]] += 1;
    }
    let p = chi_squared_p(&counts, &[0.3, 0.2, 0.5]);
    assert!(ALARM < p, "{counts:?}, p = {p}");
}

#[test]
fn more_traffic_moves_nobody_who_is_inside() {
    let (narrow, wide) = (flag("t", 0.2, None), flag("t", 0.5, None));
    let (mut n_narrow, mut n_wide) = (0, 0);
    for id in ids() {
        if let Some(before) = variant(&narrow, &id) {
            assert_eq!(variant(&wide, &id), Some(before), "{id}");
            n_narrow += 1;
        }
        n_wide += usize::from(variant(&wide, &id).is_some());
    }
    for (count, share) in [(n_narrow, 0.2), (n_wide, 0.5)] {
        let p = chi_squared_p(&[count, N_IDS - count], &[share, 1.0 - share]);
        assert!(ALARM < p, "{count} of {N_IDS} at {share}, p = {p}");
    }
}

#[test]
fn moved_weights_move_only_who_must() {
    let before = arms("r", &[("a", 0.5), ("b", 0.3), ("c", 0.2)]);
    let after = arms("r", &[("a", 0.6), ("b", 0.3), ("c", 0.1)]);
    let dropped = arms("r", &[("a", 0.5), ("b", 0.3), ("c", 0.0)]);
    let mut moved = 0;
    for id in ids().take(200_000) {
        let (was, is) = (choose(&id, &before).unwrap(), choose(&id, &after).unwrap());
        assert!(was == is || is == 0 || was == 2, "{id} went from {was} to {is}");
        moved += usize::from(was != is);
        let without = choose(&id, &dropped).unwrap();
        assert!(was == 2 || was == without, "{id} was not in the dropped variant and moved");
    }
    // At least the difference of the weights has to move; relative changes of two weights move a little more.
    let share = moved as f64 / 200_000.0;
    assert!(0.1 < share && share < 0.17, "{share}");
}

#[test]
fn a_uniform_slice_is_even_whatever_the_weights_and_touches_nobody_else() {
    let plain = bandit(r#"{"type": "thompson"}"#, [0.9, 0.1]);
    let sliced = r#"{"type": "thompson", "uniform_slice": 0.2}"#;
    let (before, after) = (bandit(sliced, [0.9, 0.1]), bandit(sliced, [0.3, 0.7]));
    let slice = UniformSlice::new("bandit", SliceShare::new(0.2).unwrap());
    let (mut n_inside, mut counts) = (0, [0; 2]);
    for id in ids() {
        let (was, is) = (before.decide(&id, None), after.decide(&id, None));
        if !slice.contains(&id) {
            assert_eq!(was, plain.decide(&id, None), "{id} is outside");
            continue;
        }
        let assignment = was.assignment.unwrap();
        assert_eq!(assignment.propensity, 0.5, "{id}");
        assert_eq!(was, is, "{id} does not follow the weights");
        counts[usize::from(assignment.variant_idx)] += 1;
        n_inside += 1;
    }
    for (counts, shares) in [(counts, [0.5, 0.5]), ([n_inside, N_IDS - n_inside], [0.2, 0.8])] {
        let p = chi_squared_p(&counts, &shares);
        assert!(ALARM < p, "{counts:?} at {shares:?}, p = {p}");
    }
}
