//! Effects against independent implementations; `tests/vectors/factorial.py` says which.

use super::*;
use proptest::prelude::*;
use serde::Deserialize;

const VECTORS: &str = include_str!("../../../../tests/vectors/factorial.json");

#[derive(Deserialize)]
struct Vectors {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    variants: Vec<Variant>,
    effects: BTreeMap<String, Expected>,
}

#[derive(Deserialize)]
struct Variant {
    levels: BTreeMap<String, String>,
    n: f64,
    n_nonzero: f64,
    mean: f64,
    squares: f64,
}

#[derive(Deserialize)]
struct Expected {
    value: f64,
    se: f64,
}

impl Variant {
    fn combination(&self) -> Combination<'_> {
        let &Self { n, n_nonzero, mean, squares, .. } = self;
        Combination { levels: &self.levels, cell: Cell { n, n_nonzero, mean, squares } }
    }
}

/// Every effect by the names that the file has.
fn named(found: &Factorial) -> BTreeMap<String, Effect> {
    let mut effects = BTreeMap::from([(String::new(), found.mean)]);
    for FactorEffects { factor, levels } in &found.factors {
        effects.extend(levels.iter().map(|level| (format!("{factor}={}", level.level), level.effect)));
    }
    for PairEffects { factors: [first, second], levels } in &found.pairs {
        effects.extend(
            levels
                .iter()
                .map(|PairEffect { levels: [a, b], effect }| (format!("{first}={a},{second}={b}"), *effect)),
        );
    }
    effects
}

/// A variant for each row of level positions, of factors called a, b, c …; `n` units a variant.
fn variants(rows: &[Vec<usize>], value: impl Fn(&[usize]) -> f64, n: impl Fn(usize) -> f64) -> Vec<Variant> {
    let levels = |row: &[usize]| {
        let level = |(factor_idx, level)| {
            let factor = char::from(b'a' + factor_idx as u8).to_string();
            (factor, format!("{level}"))
        };
        row.iter().enumerate().map(level).collect()
    };
    let variant = |(idx, row): (usize, &Vec<usize>)| {
        let n = n(idx);
        Variant { levels: levels(row), n, n_nonzero: n, mean: value(row), squares: 2.0 * n }
    };
    rows.iter().enumerate().map(variant).collect()
}

fn every(sizes: &[usize]) -> Vec<Vec<usize>> {
    sizes.iter().fold(vec![vec![]], |rows, &size| {
        let more = |row: &Vec<usize>| {
            let row = row.clone();
            (0..size).map(move |level| [row.clone(), vec![level]].concat()).collect::<Vec<_>>()
        };
        rows.iter().flat_map(more).collect()
    })
}

fn fitted(variants: &[Variant], design: Design) -> Result<Factorial, NoEffects> {
    let combinations: Vec<_> = variants.iter().map(Variant::combination).collect();
    Factorial::of(&combinations, 0, design)
}

fn factor(name: &str) -> Term {
    Term::Factor(name.to_owned())
}

fn pair(first: &str, second: &str) -> Term {
    Term::Pair(first.to_owned(), second.to_owned())
}

#[test]
fn effects_are_those_of_the_references() {
    let vectors: Vectors = serde_json::from_str(VECTORS).unwrap();
    let mut n_effects = 0;
    for Case { name, variants, effects } in &vectors.cases {
        let design = if name.starts_with("full") { Design::Full } else { Design::Fractional };
        let found = fitted(variants, design).unwrap();
        let found = named(&found);
        assert_eq!(found.len(), effects.len(), "{name}");
        for (effect, Expected { value, se }) in effects {
            let found = found[effect];
            let error = (found.value - value).abs();
            assert!(error <= 1e-8 * value.abs().max(*se), "{name}, {effect}: {}, {value}", found.value);
            let error = (found.standard_error - se).abs();
            assert!(error <= 1e-8 * se, "{name}, {effect}: {}, {se}", found.standard_error);
        }
        n_effects += effects.len();
    }
    assert_eq!((vectors.cases.len(), n_effects), (5, 4 * 30 + 7), "the file has lost cases");
}

/// The level 1 of b gets most of its units where a has its better level, so b's plain means differ though b does
/// nothing.
#[test]
fn a_factor_is_not_credited_with_what_another_did() {
    let rows = every(&[2, 2]);
    let units = [9_000.0, 1_000.0, 1_000.0, 9_000.0];
    let variants = variants(&rows, |row| if row[0] == 1 { 5.0 } else { 1.0 }, |idx| units[idx]);
    let plain = |level: usize| {
        let of_level = || variants.iter().zip(&rows).filter(|(_, row)| row[1] == level);
        let n: f64 = of_level().map(|(variant, _)| variant.n).sum();
        of_level().map(|(variant, _)| variant.n * variant.mean).sum::<f64>() / n
    };
    assert!(3.0 < plain(1) - plain(0), "{} {}", plain(1), plain(0));
    let found = fitted(&variants, Design::Full).unwrap();
    let over = |factor_idx: usize| found.factors[factor_idx].levels[1].over_control.unwrap().value;
    assert!((over(0) - 4.0).abs() < 1e-12 && over(1).abs() < 1e-12, "{} {}", over(0), over(1));
    assert!((found.mean.value - 3.0).abs() < 1e-12);
}

#[test]
fn what_cannot_be_told_apart_is_named() {
    let rows: Vec<_> =
        every(&[2, 2, 2]).into_iter().filter(|row| row.iter().sum::<usize>() % 2 == 0).collect();
    let half = variants(&rows, |row| row[0] as f64, |_| 100.0);
    let aliases = fitted(&half, Design::Fractional).unwrap().aliases;
    let alias = |left_out, with| Alias { left_out, with: vec![with] };
    assert_eq!(
        aliases,
        [
            alias(pair("a", "b"), factor("c")),
            alias(pair("a", "c"), factor("b")),
            alias(pair("b", "c"), factor("a")),
        ]
    );
    assert_eq!(aliases[0].left_out.to_string(), "a × b");
    // Two factors that always move together.
    let same = variants(&[vec![0, 0], vec![1, 1], vec![0, 0]], |row| row[0] as f64, |_| 100.0);
    let found = fitted(&same, Design::Fractional).unwrap();
    assert_eq!(found.aliases[0], alias(factor("b"), factor("a")));
    assert_eq!(found.aliases[1], alias(pair("a", "b"), Term::Mean));
    assert_eq!((found.factors.len(), found.pairs.len()), (1, 0));
}

#[test]
fn a_full_design_says_which_combination_is_missing() {
    let mut rows = every(&[3, 3, 2]);
    let lacking = rows.remove(10);
    let found = fitted(&variants(&rows, |_| 1.0, |_| 100.0), Design::Full).unwrap_err();
    assert_eq!(lacking, [1, 2, 0]);
    assert_eq!(found.to_string(), "no variant with 2 units has a 1, b 2, c 0");
    let variants = variants(&every(&[2, 2]), |_| 1.0, |idx| if idx == 3 { 1.0 } else { 100.0 });
    assert!(matches!(fitted(&variants, Design::Full), Err(NoEffects::Missing { .. })));
    assert!(fitted(&variants, Design::Fractional).is_ok());
}

#[test]
fn without_factors_there_are_no_effects() {
    let none = variants(&[vec![], vec![]], |_| 1.0, |_| 100.0);
    assert_eq!(fitted(&none, Design::Full), Err(NoEffects::NoFactors));
    let uneven = variants(&[vec![0, 0], vec![1]], |_| 1.0, |_| 100.0);
    assert_eq!(fitted(&uneven, Design::Full), Err(NoEffects::NoFactors));
    assert_eq!(fitted(&[], Design::Fractional), Err(NoEffects::NoFactors));
}

#[test]
fn the_control_has_the_first_level() {
    let variants = variants(&every(&[2, 2]), |row| (row[0] * 10 + row[1]) as f64, |_| 100.0);
    let combinations: Vec<_> = variants.iter().map(Variant::combination).collect();
    let found = Factorial::of(&combinations, 3, Design::Full).unwrap();
    let level = &found.factors[0].levels[1];
    assert_eq!(level.level, "0");
    assert!((level.over_control.unwrap().value + 10.0).abs() < 1e-12);
    let (low, high) = level.effect.interval(Probability::rounded(0.95));
    assert!((high - low - 2.0 * 1.959_963_984_540_054 * level.effect.standard_error).abs() < 1e-12);
}

proptest! {
    /// What was put in comes out, whatever the units, if no three factors work together.
    #[test]
    fn effects_are_recovered_from_unbalanced_units(
        main in prop::collection::vec(-5.0..5.0_f64, 8),
        both in prop::collection::vec(-5.0..5.0_f64, 3),
        units in prop::collection::vec(2.0..1e5_f64, 18),
    ) {
        let centered = |level: usize, size: usize, from: usize| {
            let mean = main[from..from + size].iter().sum::<f64>() / size as f64;
            main[from + level] - mean
        };
        let sign = |level: usize| [-1.0, 1.0, 0.0][level];
        let value = |row: &[usize]| {
            let factors = centered(row[0], 3, 0) + centered(row[1], 3, 3) + centered(row[2], 2, 6);
            let pairs = both[0] * sign(row[0]) * sign(row[1])
                + both[1] * sign(row[0]) * sign(row[2])
                + both[2] * sign(row[1]) * sign(row[2]);
            100.0 + factors + pairs
        };
        let rows = every(&[3, 3, 2]);
        let found = fitted(&variants(&rows, value, |idx| units[idx]), Design::Full).unwrap();
        prop_assert!((found.mean.value - 100.0).abs() < 1e-9);
        prop_assert!(found.aliases.is_empty());
        for (factor, (size, from)) in found.factors.iter().zip([(3, 0), (3, 3), (2, 6)]) {
            for (level_idx, level) in factor.levels.iter().enumerate() {
                prop_assert!((level.effect.value - centered(level_idx, size, from)).abs() < 1e-9);
            }
        }
        for (pair, (weight, sizes)) in found.pairs.iter().zip([(both[0], 3), (both[1], 2), (both[2], 2)]) {
            for (idx, cell) in pair.levels.iter().enumerate() {
                let expected = weight * sign(idx / sizes) * sign(idx % sizes);
                prop_assert!((cell.effect.value - expected).abs() < 1e-9);
            }
        }
    }

    /// Some variants of 3 × 3 × 2, taken at random: each term is fitted, or named with what it hides in.
    #[test]
    fn nothing_is_dropped_silently(chosen in prop::collection::vec(any::<bool>(), 18)) {
        let rows: Vec<_> =
            every(&[3, 3, 2]).into_iter().zip(&chosen).filter_map(|(row, &keep)| keep.then_some(row)).collect();
        if let Ok(found) = fitted(&variants(&rows, |_| 1.0, |_| 50.0), Design::Fractional) {
            let varied = (0..3).filter(|&idx| rows.iter().any(|row| row[idx] != rows[0][idx])).count();
            let terms = found.factors.len() + found.pairs.len() + found.aliases.len();
            prop_assert_eq!(terms, varied + varied * varied.saturating_sub(1) / 2);
            prop_assert!(found.aliases.iter().all(|alias| !alias.with.is_empty()));
        }
    }
}
