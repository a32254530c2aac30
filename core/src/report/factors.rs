//! What the levels of factors do.

use super::LEVEL;
use super::inferred::{Effect, Factors};
use super::prepared::Prepared;
use crate::experiment::Definition;
use crate::inference::factorial::{self, Combination, Design, Factorial, Term};
use crate::inference::moments::{Cell, Moments};
use crate::metric::MetricKind;
use crate::probability::Probability;

impl Factors {
    /// The effects, if the variants have factors and enough units.
    pub(super) fn of(definition: &Definition, kind: MetricKind, prepared: &Prepared) -> Option<Self> {
        let variants = definition.variants.iter().zip(&prepared.sums);
        let combinations: Vec<Combination<'_>> = variants
            .map(|(variant, sums)| Combination {
                levels: &variant.levels,
                cell: cell(kind, &Moments::of(sums), prepared.level),
            })
            .collect();
        let found = Factorial::of(&combinations, definition.control_idx(), Design::Fractional).ok()?;
        let of_factors = found.factors.iter().flat_map(|factor| {
            factor
                .levels
                .iter()
                .map(|level| effect(vec![format!("{}={}", factor.factor, level.level)], &level.effect))
        });
        let of_pairs = found.pairs.iter().flat_map(|pair| {
            let named = |at: usize, level: &str| format!("{}={level}", pair.factors[at]);
            pair.levels.iter().map(move |levels| {
                let [first, second] = &levels.levels;
                effect(vec![named(0, first), named(1, second)], &levels.effect)
            })
        });
        let aliased = found.aliases.iter().map(|alias| {
            let with: Vec<String> = alias.with.iter().map(term).collect();
            format!("{} cannot be told from {}", term(&alias.left_out), with.join(" and "))
        });
        Some(Self { effects: of_factors.chain(of_pairs).collect(), aliased: aliased.collect() })
    }
}

/// The units of a variant with one value each, ratios per its own mean denominator.
fn cell(kind: MetricKind, moments: &Moments, level: f64) -> Cell {
    match kind {
        MetricKind::Proportion | MetricKind::Mean => moments.numerators(),
        MetricKind::Ratio if 0.0 < moments.d => moments.linearized(level, moments.d),
        MetricKind::Ratio => Cell::default(),
    }
}

fn effect(levels: Vec<String>, effect: &factorial::Effect) -> Effect {
    let (low, high) = effect.interval(Probability::rounded(LEVEL));
    Effect { levels, value: effect.value, low, high }
}

fn term(term: &Term) -> String {
    match term {
        Term::Mean => "the mean".to_owned(),
        Term::Factor(factor) => factor.clone(),
        Term::Pair(first, second) => format!("{first} × {second}"),
    }
}
