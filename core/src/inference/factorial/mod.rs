//! What each factor does, and each two of them together, in an experiment whose variants combine levels of factors.
//!
//! The variants' means are fitted by effects that sum to 0 over the levels of a factor, by least squares in which
//! each variant counts as its units. Effects of three factors and more together are taken for none. Every effect is
//! then a weighted sum of variants' means, Σ hᵢ·ȳᵢ, so its variance is Σ hᵢ²·sᵢ²/nᵢ whatever the variances are.
//!
//! Intervals are those of one look at units that were split without regard to their values. They are normal, so they
//! are not to be read where a variant has but a few rewards.

mod coding;
mod least_squares;

use super::moments::Cell;
use crate::posterior::standard_quantile;
use crate::probability::Probability;
use coding::{Factor, Factors, TermIdx};
use least_squares::LeastSquares;
use std::collections::BTreeMap;
use std::fmt;

/// An effect weaker than this on an estimate, per unit, is rounding noise.
const ALIAS_MIN: f64 = 1e-8;

/// Which combinations of levels there must be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Design {
    /// All of them: every effect is apart from every other.
    #[default]
    Full,
    /// Some: effects that cannot be told from others are left out, and named.
    Fractional,
}

/// One variant: its level of each factor, and the units it got.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Combination<'a> {
    /// Its level of each factor, by the factor's name.
    pub levels: &'a BTreeMap<String, String>,
    /// Its units.
    pub cell: Cell,
}

/// What the factors do.
#[derive(Clone, Debug, PartialEq)]
pub struct Factorial {
    /// The mean over all combinations, each counting the same.
    pub mean: Effect,
    /// The factors by name, without those that cannot be told from earlier ones.
    pub factors: Vec<FactorEffects>,
    /// Each two of them together, likewise.
    pub pairs: Vec<PairEffects>,
    /// What was left out because it cannot be told from something else; empty for a full design.
    pub aliases: Vec<Alias>,
}

/// What one factor does by itself.
#[derive(Clone, Debug, PartialEq)]
pub struct FactorEffects {
    /// Its name.
    pub factor: String,
    /// Its levels, the control's first, then as the variants have them.
    pub levels: Vec<LevelEffect>,
}

/// What one level of a factor does, over all levels of the others.
#[derive(Clone, Debug, PartialEq)]
pub struct LevelEffect {
    /// The level.
    pub level: String,
    /// How much more than the mean of all levels it brings per unit.
    pub effect: Effect,
    /// How much more than the control's level it brings per unit; none for that level.
    pub over_control: Option<Effect>,
}

/// What two factors do together beyond what each does by itself.
#[derive(Clone, Debug, PartialEq)]
pub struct PairEffects {
    /// Their names.
    pub factors: [String; 2],
    /// Each two levels, the second factor's going through first.
    pub levels: Vec<PairEffect>,
}

/// What two levels do together beyond what each does by itself.
#[derive(Clone, Debug, PartialEq)]
pub struct PairEffect {
    /// The levels, in the order of the factors.
    pub levels: [String; 2],
    /// How much more than the sum of both they bring per unit.
    pub effect: Effect,
}

/// An effect in the metric's unit, with the standard error of its estimate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Effect {
    /// The estimate.
    pub value: f64,
    /// Its standard error.
    pub standard_error: f64,
}

/// Something whose effect was left out: the estimates of the others hold it too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alias {
    /// What was left out.
    pub left_out: Term,
    /// What it cannot be told from.
    pub with: Vec<Term>,
}

/// Something that has an effect.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Term {
    /// The mean of all.
    Mean,
    /// A factor by itself.
    Factor(String),
    /// Two factors together.
    Pair(String, String),
}

/// Why there are no effects.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoEffects {
    /// Too few variants with factors.
    #[error("factors need 2 variants with 2 units each, and a level of the same factors in each")]
    NoFactors,
    /// A full design lacks a combination, or it has fewer than two units.
    #[error("no variant with 2 units has {}", told(levels))]
    Missing {
        /// The combination.
        levels: BTreeMap<String, String>,
    },
}

impl Effect {
    /// The two ends of an interval that holds the truth with a chance of `level`.
    pub fn interval(&self, level: Probability) -> (f64, f64) {
        let radius = -standard_quantile(0.5 * level.complement().get()) * self.standard_error;
        (self.value - radius, self.value + radius)
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mean => f.write_str("the mean"),
            Self::Factor(factor) => f.write_str(factor),
            Self::Pair(first, second) => write!(f, "{first} × {second}"),
        }
    }
}

fn told(levels: &BTreeMap<String, String>) -> String {
    let pairs = levels.iter().map(|(factor, level)| format!("{factor} {level}"));
    pairs.collect::<Vec<_>>().join(", ")
}

impl Factorial {
    /// Fits the effects. Variants of fewer than two units count as none.
    ///
    /// - `control_idx`: which of the variants is the control.
    ///
    /// # Errors
    ///
    /// [`NoEffects`] if there are no factors, or a full design lacks a combination.
    ///
    /// # Source
    ///
    /// Montgomery (2017), *Design and Analysis of Experiments*, 9th ed., ch. 5 (effects model), 8.7 (aliases) and
    /// 15.2 (unbalanced data); White (1980), *A heteroskedasticity-consistent covariance matrix estimator and a
    /// direct test for heteroskedasticity*, Econometrica 48(4), 817–838, <https://doi.org/10.2307/1912934>, with the
    /// variants' own variances in place of residuals.
    pub fn of(variants: &[Combination<'_>], control_idx: usize, design: Design) -> Result<Self, NoEffects> {
        let control = variants.get(control_idx).map(|variant| variant.levels);
        let present: Vec<_> = variants.iter().filter(|variant| 1.0 < variant.cell.n).copied().collect();
        let all = control.into_iter().chain(variants.iter().map(|variant| variant.levels));
        let factors = Factors::of(all, present.iter().map(|variant| variant.levels));
        let factors = factors.filter(|_| 1 < present.len()).ok_or(NoEffects::NoFactors)?;
        if design == Design::Full
            && let Some(levels) = factors.missing()
        {
            return Err(NoEffects::Missing { levels });
        }
        Ok(Fit::of(&factors, present).effects())
    }
}

/// A fit of all the terms that can be told apart.
struct Fit<'a> {
    factors: &'a Factors,
    present: Vec<Combination<'a>>,
    squares: LeastSquares,
    /// The terms that were fitted, each with its first column and their number.
    fitted: Vec<(TermIdx, usize, usize)>,
    left_out: Vec<TermIdx>,
}

impl<'a> Fit<'a> {
    fn of(factors: &'a Factors, present: Vec<Combination<'a>>) -> Self {
        let mut squares = LeastSquares::new(present.iter().map(|variant| variant.cell.n).collect());
        let (mut fitted, mut left_out) = (Vec::new(), Vec::new());
        for term in factors.terms() {
            let first = squares.n_columns();
            if squares.add(&factors.columns(term)) {
                fitted.push((term, first, squares.n_columns() - first));
            } else {
                left_out.push(term);
            }
        }
        Self { factors, present, squares, fitted, left_out }
    }

    fn effects(&self) -> Factorial {
        let mut mean = None;
        let (mut factors, mut pairs) = (Vec::new(), Vec::new());
        for &(term, first, n) in &self.fitted {
            let effect = |coding: &[f64]| self.effect(first, &coding[..n]);
            match term {
                TermIdx::Mean => mean = Some(effect(&[1.0])),
                TermIdx::Factor(factor_idx) => {
                    factors.push(factor_effects(self.factors.get(factor_idx), effect));
                }
                TermIdx::Pair(first_idx, second_idx) => {
                    let both = [first_idx, second_idx].map(|factor_idx| self.factors.get(factor_idx));
                    pairs.push(pair_effects(both, effect));
                }
            }
        }
        // The mean is the first term, so nothing takes its place.
        let mean = mean.unwrap_or(Effect { value: 0.0, standard_error: 0.0 });
        Factorial { mean, factors, pairs, aliases: self.aliases() }
    }

    /// The sum of a term's columns, weighted by `coding`.
    fn effect(&self, first: usize, coding: &[f64]) -> Effect {
        let shares = self.squares.shares(first, coding);
        let cells = || shares.iter().zip(self.present.iter().map(|variant| variant.cell));
        let variance = |cell: Cell| cell.variance().unwrap_or(0.0) / cell.n;
        Effect {
            value: cells().map(|(share, cell)| share * cell.mean).sum(),
            standard_error: cells().map(|(share, cell)| share * share * variance(cell)).sum::<f64>().sqrt(),
        }
    }

    fn aliases(&self) -> Vec<Alias> {
        let alias = |&left_out: &TermIdx| {
            let columns = self.factors.columns(left_out);
            let holds = |&&(_, first, n): &&(TermIdx, usize, usize)| {
                (0..n).any(|column_idx| {
                    let mut coding = vec![0.0; n];
                    coding[column_idx] = 1.0;
                    let shares = self.squares.shares(first, &coding);
                    columns.iter().any(|column| {
                        let held: f64 = shares.iter().zip(column).map(|(share, x)| share * x).sum();
                        ALIAS_MIN < held.abs()
                    })
                })
            };
            let with = self.fitted.iter().filter(holds).map(|&(term, ..)| self.factors.term(term));
            Alias { left_out: self.factors.term(left_out), with: with.collect() }
        };
        self.left_out.iter().map(alias).collect()
    }
}

fn factor_effects(factor: &Factor, effect: impl Fn(&[f64]) -> Effect) -> FactorEffects {
    let control = factor.coding(0);
    let level = |level_idx: usize| {
        let coding = factor.coding(level_idx);
        let over: Vec<f64> = coding.iter().zip(&control).map(|(own, control)| own - control).collect();
        LevelEffect {
            level: factor.levels[level_idx].clone(),
            effect: effect(&coding),
            over_control: (0 < level_idx).then(|| effect(&over)),
        }
    };
    FactorEffects { factor: factor.name.clone(), levels: (0..factor.levels.len()).map(level).collect() }
}

fn pair_effects([first, second]: [&Factor; 2], effect: impl Fn(&[f64]) -> Effect) -> PairEffects {
    let mut levels = Vec::new();
    for (first_idx, first_level) in first.levels.iter().enumerate() {
        for (second_idx, second_level) in second.levels.iter().enumerate() {
            levels.push(PairEffect {
                levels: [first_level.clone(), second_level.clone()],
                effect: effect(&coding::product(&first.coding(first_idx), &second.coding(second_idx))),
            });
        }
    }
    PairEffects { factors: [first.name.clone(), second.name.clone()], levels }
}

#[cfg(test)]
mod tests;
