//! Means over the same mix of periods for every variant.
//!
//! Where weights move, one variant has more of its units on a holiday than another, and its plain mean shows the
//! holiday. Here each stratum counts by all its units, whichever variant they got.

use super::estimate::Estimate;
use super::moments::Cell;
use super::strata::Stratum;

/// The period-weighted means of some variants.
#[derive(Clone, Debug, PartialEq)]
pub struct PeriodWeighted {
    /// The mean of each compared variant, in the order they were named; independent of each other.
    pub means: Vec<Estimate>,
    /// The part of all units that is in strata where a compared variant has none; they are left out.
    pub left_out: f64,
}

/// Σ π ȳ for each compared variant, where π is the part of all units that are in a stratum, over the strata where every
/// compared variant has units.
///
/// The variance is Σ π² s² / n, with the n units of the variant in a stratum and their variance s². Where a variant has a single unit, s² is the one within its other strata.
///
/// - `compared`: positions of variants.
/// - returns: none where no stratum has units of all of them, or none has two of each.
pub fn period_weighted(strata: &[Stratum], compared: &[usize]) -> Option<PeriodWeighted> {
    let has_all = |stratum: &&Stratum| compared.iter().all(|&variant_idx| 0.0 < stratum.cell(variant_idx).n);
    let all: f64 = strata.iter().map(Stratum::n).sum();
    let used: Vec<&Stratum> = strata.iter().filter(has_all).collect();
    let n: f64 = used.iter().map(|stratum| stratum.n()).sum();
    if compared.is_empty() || n <= 0.0 {
        return None;
    }
    let mean = |&variant_idx: &usize| {
        let cells: Vec<Cell> = used.iter().map(|stratum| stratum.cell(variant_idx)).collect();
        let usual = variance_within(&cells)?;
        let (mut value, mut variance) = (0.0, 0.0);
        for (stratum, cell) in used.iter().zip(&cells) {
            let share = stratum.n() / n;
            value += share * cell.mean;
            variance += share * share * cell.variance().unwrap_or(usual) / cell.n;
        }
        Some(Estimate { value, standard_error: variance.sqrt() })
    };
    let means = compared.iter().map(mean).collect::<Option<Vec<Estimate>>>()?;
    Some(PeriodWeighted { means, left_out: 1.0 - n / all })
}

/// The variance within cells, all together.
fn variance_within(cells: &[Cell]) -> Option<f64> {
    let spread = cells.iter().filter(|cell| 1.0 < cell.n);
    let (squares, degrees) =
        spread.fold((0.0, 0.0), |(squares, n), cell| (squares + cell.squares, n + cell.n - 1.0));
    (0.0 < degrees).then(|| squares / degrees)
}
