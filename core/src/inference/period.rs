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

#[cfg(test)]
mod tests {
    use super::*;

    /// Units of which a share `rate` has the value 1.
    fn cell(n: f64, rate: f64) -> Cell {
        Cell { n, n_nonzero: n * rate, mean: rate, squares: n * rate * (1.0 - rate) }
    }

    fn stratum(cells: &[Cell]) -> Stratum {
        Stratum { shares: None, cells: cells.to_vec() }
    }

    #[test]
    fn whoever_had_more_units_on_the_holiday_is_not_favored() {
        let strata = [
            stratum(&[cell(500.0, 0.05), cell(500.0, 0.05)]),
            stratum(&[cell(100.0, 0.20), cell(900.0, 0.20)]),
            stratum(&[cell(900.0, 0.05), cell(100.0, 0.05)]),
        ];
        let plain =
            |idx| strata.iter().fold(Cell::default(), |all, stratum| all.merged(&stratum.cell(idx))).mean;
        assert!(plain(0) < 0.065 && 0.135 < plain(1), "{} {}", plain(0), plain(1));
        let found = period_weighted(&strata, &[0, 1]).unwrap();
        for mean in &found.means {
            assert!((mean.value - 0.1).abs() < 1e-15, "{mean:?}");
        }
        assert!(found.left_out.abs() < 1e-15);
    }

    #[test]
    fn periods_without_one_of_the_variants_are_left_out() {
        let strata = [
            stratum(&[cell(300.0, 0.5), Cell::default()]),
            stratum(&[cell(400.0, 0.25), cell(200.0, 0.5), cell(100.0, 0.1)]),
        ];
        let found = period_weighted(&strata, &[0, 1]).unwrap();
        assert!((found.means[0].value - 0.25).abs() < 1e-15 && (found.means[1].value - 0.5).abs() < 1e-15);
        assert!((found.left_out - 0.3).abs() < 1e-15, "{}", found.left_out);
        assert_eq!(period_weighted(&strata, &[0]).unwrap().left_out.to_bits(), 0.0_f64.to_bits());
        assert_eq!(period_weighted(&strata[..1], &[0, 1]), None);
        assert_eq!(period_weighted(&strata, &[0, 7]), None);
        assert_eq!(period_weighted(&strata, &[]), None);
    }

    #[test]
    fn a_single_unit_is_as_uncertain_as_others_of_its_variant() {
        let two_kinds = [
            stratum(&[Cell { n: 1.0, n_nonzero: 1.0, mean: 3.0, squares: 0.0 }]),
            stratum(&[Cell { n: 9.0, n_nonzero: 9.0, mean: 3.0, squares: 32.0 }]),
        ];
        let found = period_weighted(&two_kinds, &[0]).unwrap().means[0];
        // (1/10)² · 4 + (9/10)² · 4/9
        assert!((found.standard_error - 0.4_f64.sqrt()).abs() < 1e-15, "{found:?}");
        assert_eq!(period_weighted(&two_kinds[..1], &[0]), None);
    }
}
