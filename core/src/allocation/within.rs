//! What cells say of variants, with a level of its own for each stratum.

use crate::inference::moments::Moments;

/// A numerator and a denominator.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Pair {
    pub(super) y: f64,
    pub(super) d: f64,
}

impl Pair {
    pub(super) fn of(moments: &Moments) -> Self {
        Self { y: moments.y, d: moments.d }
    }

    pub(super) fn plus(self, part: f64, other: Self) -> Self {
        Self { y: self.y + part * other.y, d: self.d + part * other.d }
    }
}

/// The least squares of the cells on stratum and variant.
pub(super) struct Within {
    n_arms: usize,
    /// `−L` off its diagonal: how many pairs of units are compared, row after row.
    shared: Vec<f64>,
    /// For each variant `Σ_b nᵢ_b (ȳᵢ_b − ȳ̄_b)`.
    sides: Vec<Pair>,
}

/// How a variant compares with the reference within strata.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fit {
    /// What it brings beyond the reference.
    pub(super) beyond: Pair,
    /// The variance of that, of units with a variance of one.
    pub(super) resistance: f64,
}

impl Within {
    pub(super) fn new(n_arms: usize) -> Self {
        Self { n_arms, shared: vec![0.0; n_arms * n_arms], sides: vec![Pair::default(); n_arms] }
    }

    pub(super) fn add(&mut self, cells: &[Moments]) {
        if cells.iter().filter(|cell| 0.0 < cell.n).count() < 2 {
            return;
        }
        let n: f64 = cells.iter().map(|cell| cell.n).sum();
        let center =
            cells.iter().fold(Pair::default(), |center, cell| center.plus(cell.n / n, Pair::of(cell)));
        for (arm_idx, cell) in cells.iter().enumerate().filter(|(_, cell)| 0.0 < cell.n) {
            self.sides[arm_idx] = self.sides[arm_idx].plus(cell.n, Pair::of(cell).plus(-1.0, center));
            for (other_idx, other) in cells.iter().enumerate().filter(|(other_idx, _)| *other_idx != arm_idx)
            {
                self.shared[arm_idx * self.n_arms + other_idx] += cell.n * other.n / n;
            }
        }
    }

    fn shared(&self, arm_idx: usize, other_idx: usize) -> f64 {
        self.shared[arm_idx * self.n_arms + other_idx]
    }

    /// For each variant how it compares with the reference; none for the reference itself, and for those that cannot
    /// be compared with it, not even by way of others.
    pub(super) fn fits(&self, reference_idx: usize) -> Vec<Option<Fit>> {
        let arms = self.connected(reference_idx);
        let entry = |row: usize, column: usize| {
            if row == column {
                // As a sum, not as a difference: so no digits are lost where one variant has nearly all units.
                (0..self.n_arms).map(|other_idx| self.shared(arms[row], other_idx)).sum()
            } else {
                -self.shared(arms[row], arms[column])
            }
        };
        let mut fits = vec![None; self.n_arms];
        let inverse = inverse(arms.len(), entry);
        for (row, &arm_idx) in arms.iter().enumerate() {
            let coefficients = &inverse[row * arms.len()..(row + 1) * arms.len()];
            let beyond = coefficients
                .iter()
                .zip(&arms)
                .fold(Pair::default(), |sum, (part, other_idx)| sum.plus(*part, self.sides[*other_idx]));
            fits[arm_idx] = Some(Fit { beyond, resistance: coefficients[row] });
        }
        fits
    }

    /// The variants that share strata with the reference, or with others that do, ascending and without it.
    fn connected(&self, reference_idx: usize) -> Vec<usize> {
        let mut is_connected = vec![false; self.n_arms];
        is_connected[reference_idx] = true;
        let mut reached = vec![reference_idx];
        while let Some(arm_idx) = reached.pop() {
            for (other_idx, is_connected) in is_connected.iter_mut().enumerate() {
                if !*is_connected && 0.0 < self.shared(arm_idx, other_idx) {
                    *is_connected = true;
                    reached.push(other_idx);
                }
            }
        }
        (0..self.n_arms).filter(|&arm_idx| is_connected[arm_idx] && arm_idx != reference_idx).collect()
    }
}

/// The inverse of a symmetric positive definite matrix, row after row, by sweeping out one row after the other.
fn inverse(size: usize, entry: impl Fn(usize, usize) -> f64) -> Vec<f64> {
    let mut a: Vec<f64> = (0..size * size).map(|at| entry(at / size, at % size)).collect();
    for pivot in 0..size {
        let scale = 1.0 / a[pivot * size + pivot];
        let pivots: Vec<f64> = a[pivot * size..(pivot + 1) * size].to_vec();
        for row in (0..size).filter(|&row| row != pivot) {
            let part = a[row * size + pivot] * scale;
            for column in 0..size {
                let own = if column == pivot { 0.0 } else { a[row * size + column] };
                a[row * size + column] = own - part * if column == pivot { 1.0 } else { pivots[column] };
            }
        }
        for column in 0..size {
            a[pivot * size + column] = if column == pivot { scale } else { scale * pivots[column] };
        }
    }
    a
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cell(n: f64, y: f64) -> Moments {
        Moments { n, n_nonzero: n, y, d: 1.0, yy: n * 0.1, ..Moments::default() }
    }

    fn fits(strata: &[Vec<Moments>], reference_idx: usize) -> Vec<Option<Fit>> {
        let mut within = Within::new(strata[0].len());
        for cells in strata {
            within.add(cells);
        }
        within.fits(reference_idx)
    }

    proptest! {
        #[test]
        fn cells_that_are_level_plus_effect_give_the_effects(
            strata in prop::collection::vec((prop::collection::vec(1.0..1e6_f64, 4), -1e3..1e3_f64), 1..12),
            effects in prop::collection::vec(-10.0..10.0_f64, 4),
            reference_idx in 0..4_usize,
        ) {
            let cells = |(sizes, level): &(Vec<f64>, f64)| -> Vec<Moments> {
                sizes.iter().zip(&effects).map(|(n, effect)| cell(*n, level + effect)).collect()
            };
            let strata: Vec<_> = strata.iter().map(cells).collect();
            let n = |arm_idx: usize| strata.iter().map(|cells| cells[arm_idx].n).sum::<f64>();
            for (arm_idx, fit) in fits(&strata, reference_idx).into_iter().enumerate() {
                prop_assert_eq!(fit.is_none(), arm_idx == reference_idx);
                let Some(fit) = fit else { continue };
                let expected = effects[arm_idx] - effects[reference_idx];
                prop_assert!((fit.beyond.y - expected).abs() < 1e-7, "{fit:?} for {expected}");
                let pooled = 1.0 / n(arm_idx) + 1.0 / n(reference_idx);
                prop_assert!(pooled * (1.0 - 1e-9) <= fit.resistance, "{fit:?}: the means have {pooled}");
            }
        }

        #[test]
        fn two_variants_have_the_variance_of_the_stratified_difference(
            sizes in prop::collection::vec((1.0..1e6_f64, 1.0..1e6_f64), 1..12),
        ) {
            let strata: Vec<_> = sizes.iter().map(|&(a, b)| vec![cell(a, 0.1), cell(b, 0.2)]).collect();
            let information: f64 = sizes.iter().map(|(a, b)| a * b / (a + b)).sum();
            let fit = fits(&strata, 0)[1].unwrap();
            prop_assert!((fit.resistance * information - 1.0).abs() < 1e-9, "{fit:?}");
        }
    }
}
