//! Factors as columns of numbers: 1 for a level, −1 for the last one, so that effects sum to 0.

use super::Term;
use std::collections::{BTreeMap, BTreeSet};

/// The factors of an experiment, and which levels each variant has.
#[derive(Clone, Debug)]
pub(super) struct Factors {
    factors: Vec<Factor>,
    /// For each variant, the position of its level of each factor.
    rows: Vec<Vec<usize>>,
}

/// One factor with its levels.
#[derive(Clone, Debug)]
pub(super) struct Factor {
    pub(super) name: String,
    pub(super) levels: Vec<String>,
}

/// Something that has an effect, by the positions of factors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TermIdx {
    Mean,
    Factor(usize),
    Pair(usize, usize),
}

impl Factor {
    /// The numbers of a level: one fewer than levels.
    pub(super) fn coding(&self, level_idx: usize) -> Vec<f64> {
        let last = self.levels.len() - 1;
        let number = |idx: usize| match level_idx {
            _ if level_idx == last => -1.0,
            _ if level_idx == idx => 1.0,
            _ => 0.0,
        };
        (0..last).map(number).collect()
    }
}

impl Factors {
    /// Reads the factors of the variants; none if there is no factor, or a variant lacks one that others have.
    ///
    /// - `all`: the levels of the control, then those of every variant: their order is that of the levels.
    /// - `present`: the levels of those variants that have units.
    pub(super) fn of<'a>(
        all: impl Iterator<Item = &'a BTreeMap<String, String>>,
        present: impl Iterator<Item = &'a BTreeMap<String, String>>,
    ) -> Option<Self> {
        let mut factors: Vec<Factor> = Vec::new();
        for (variant_idx, levels) in all.enumerate() {
            if variant_idx == 0 {
                factors.extend(levels.keys().map(|name| Factor { name: name.clone(), levels: Vec::new() }));
            }
            if levels.len() != factors.len() {
                return None;
            }
            for factor in &mut factors {
                let level = levels.get(&factor.name)?;
                if !factor.levels.contains(level) {
                    factor.levels.push(level.clone());
                }
            }
        }
        let row = |levels: &BTreeMap<String, String>| {
            let idx = |factor: &Factor| {
                let level = levels.get(&factor.name)?;
                factor.levels.iter().position(|known| known == level)
            };
            factors.iter().map(idx).collect::<Option<Vec<_>>>()
        };
        let rows = present.map(row).collect::<Option<Vec<_>>>()?;
        (!factors.is_empty()).then_some(Self { factors, rows })
    }

    pub(super) fn get(&self, factor_idx: usize) -> &Factor {
        &self.factors[factor_idx]
    }

    /// The first combination that no variant has.
    pub(super) fn missing(&self) -> Option<BTreeMap<String, String>> {
        let rows: BTreeSet<_> = self.rows.iter().collect();
        let mut row = vec![0; self.factors.len()];
        while rows.contains(&row) {
            // Counts on, the last factor fastest; ends after at most as many as there are variants.
            let next = (0..row.len()).rev().find(|&idx| row[idx] + 1 < self.factors[idx].levels.len())?;
            row[next] += 1;
            row[next + 1..].fill(0);
        }
        let level = |(factor, &idx): (&Factor, &usize)| (factor.name.clone(), factor.levels[idx].clone());
        Some(self.factors.iter().zip(&row).map(level).collect())
    }

    /// The mean, each factor with two levels or more, and each two of them.
    pub(super) fn terms(&self) -> Vec<TermIdx> {
        let varied: Vec<usize> =
            (0..self.factors.len()).filter(|&idx| 1 < self.factors[idx].levels.len()).collect();
        let mut terms = vec![TermIdx::Mean];
        terms.extend(varied.iter().map(|&idx| TermIdx::Factor(idx)));
        for (position, &first) in varied.iter().enumerate() {
            terms.extend(varied[position + 1..].iter().map(|&second| TermIdx::Pair(first, second)));
        }
        terms
    }

    /// What people read of a term.
    pub(super) fn term(&self, term: TermIdx) -> Term {
        let name = |idx: usize| self.factors[idx].name.clone();
        match term {
            TermIdx::Mean => Term::Mean,
            TermIdx::Factor(idx) => Term::Factor(name(idx)),
            TermIdx::Pair(first, second) => Term::Pair(name(first), name(second)),
        }
    }

    /// The columns of a term, a number for each variant in each.
    pub(super) fn columns(&self, term: TermIdx) -> Vec<Vec<f64>> {
        let coding = |row: &Vec<usize>, idx: usize| self.factors[idx].coding(row[idx]);
        let of_row = |row: &Vec<usize>| match term {
            TermIdx::Mean => vec![1.0],
            TermIdx::Factor(idx) => coding(row, idx),
            TermIdx::Pair(first, second) => product(&coding(row, first), &coding(row, second)),
        };
        let rows: Vec<Vec<f64>> = self.rows.iter().map(of_row).collect();
        let n_columns = rows.first().map_or(0, Vec::len);
        (0..n_columns).map(|column_idx| rows.iter().map(|row| row[column_idx]).collect()).collect()
    }
}

/// Each number of the first times each of the second.
pub(super) fn product(first: &[f64], second: &[f64]) -> Vec<f64> {
    first.iter().flat_map(|a| second.iter().map(move |b| a * b)).collect()
}
