//! What a variant's figure is where weights move.
//!
//! The plain mean of data that a bandit gathered is biased: a variant that starts with bad luck gets fewer units, and
//! so keeps its bad luck. Dividing by the known probability of being shown takes the bias out, and an expectation from
//! earlier strata takes most of the noise out again: augmented inverse probability weighting.
//!
//! A unit of a stratum with probability e and n units has, for variant i, the score φ = m̂ + 1{it got i} (y − m̂)/e,
//! whose expectation is the variant's mean whatever m̂, as long as m̂ comes from earlier strata.

use super::boundary::Boundary;
use super::estimate::{Estimate, Interval};
use super::moments::Cell;
use super::strata::Stratum;

/// Before so many strata there is no interval that holds at all times: its error is known in the long run only.
const ANYTIME_STRATA_MIN: usize = 2;
/// Nor before so many units of each compared variant.
const ANYTIME_UNITS_MIN: f64 = 100.0;
/// Nor before so many of them whose numerator is not zero. With half of it, where one visitor in twenty orders and
/// amounts are spread widely, an interval for 95 % covered only 94 %: a variant does not know its own variance yet.
const ANYTIME_NONZERO_MIN: f64 = 50.0;

/// A figure that weights do not bias.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adaptive {
    /// The figure, with its error at a time that was fixed beforehand.
    pub estimate: Estimate,
    /// Units of all variants in the strata that are used.
    pub units: f64,
    /// The part of all units that is in strata left out, because the probabilities are not known there or a compared
    /// variant was not in the test.
    pub left_out: f64,
    enough: bool,
}

/// How a variant's figure differs from the control's, over the same strata for both.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lift {
    /// The difference.
    pub difference: Adaptive,
    /// ln(variant / control); none unless both are positive. Of no use for linearized values.
    pub log_ratio: Option<Adaptive>,
}

impl Adaptive {
    /// The interval that covers the truth at all times at once with probability `1 − alpha`, however often one looks.
    ///
    /// None before the data suffices: two strata, and of each compared variant 100 units, 50 of them not zero.
    ///
    /// - `planned_units`: units of all variants at which it should be tightest, `> 0`; chosen beforehand.
    pub fn anytime(&self, alpha: f64, planned_units: f64) -> Option<Interval> {
        let usable = self.enough && 0.0 < planned_units && planned_units.is_finite();
        let Estimate { value, standard_error } = self.estimate;
        // In units of the variance so far, which grows with the units.
        let radius = || standard_error * Boundary::tuned(alpha, planned_units / self.units).bound(1.0);
        usable.then(|| Interval::around(value, radius()))
    }
}

impl Lift {
    /// The interval of variant / control − 1, if one looks once.
    pub fn relative(&self, alpha: f64) -> Option<Interval> {
        self.log_ratio.map(|log_ratio| relative(log_ratio.estimate.interval(alpha)))
    }

    /// The interval of variant / control − 1 that holds at all times; see [`Adaptive::anytime`].
    pub fn relative_anytime(&self, alpha: f64, planned_units: f64) -> Option<Interval> {
        self.log_ratio?.anytime(alpha, planned_units).map(relative)
    }
}

fn relative(log: Interval) -> Interval {
    Interval { low: log.low.exp_m1(), high: log.high.exp_m1() }
}

/// The figure of one variant: Q̂ = Σ h φ / Σ h with h = √e, and se² = Σ h² (φ − Q̂)² / (Σ h)².
///
/// m̂ is the variant's mean over earlier strata; before it has units, that of all variants. In the first stratum it is
/// the mean of all its units: each unit's own value is then a part of its m̂, which shifts Σ φ by less than one unit.
///
/// Where the level moves over time, this is its mean over the strata weighted by h, which differs between variants:
/// compare them by [`lift`].
///
/// - returns: none where no stratum can be used.
///
/// # Source
///
/// Hadad, Hirshberg, Zhan, Wager & Athey (2021), *Confidence intervals for policy evaluation in adaptive experiments*,
/// PNAS 118(15). <https://doi.org/10.1073/pnas.2014602118>
pub fn mean(strata: &[Stratum], variant_idx: usize) -> Option<Adaptive> {
    let scores = Scores::of(strata, &[variant_idx])?;
    let value = scores.value(&[1.0]);
    Some(scores.adaptive(value, &[1.0], value))
}

/// The difference from the control, and the log of the ratio: as [`mean`] of the difference of two scores.
///
/// With h = (1/e₁ + 1/e₀)^(−1/2) for both variants, so that a level that moves over time is in both alike. (The
/// source weights each variant by itself.) Of amounts that only one visitor in twenty spends, the interval for 95 %
/// that looks once covers about 92 %: they are skewed.
///
/// - returns: none where no stratum can be used.
pub fn lift(strata: &[Stratum], variant_idx: usize, control_idx: usize) -> Option<Lift> {
    let scores = Scores::of(strata, &[variant_idx, control_idx])?;
    let difference = scores.value(&[1.0, -1.0]);
    let (own, controls) = (scores.value(&[1.0, 0.0]), scores.value(&[0.0, 1.0]));
    let log_ratio = (0.0 < own && 0.0 < controls).then(|| {
        let value = (difference / controls).ln_1p();
        scores.adaptive(value, &[1.0 / own, -1.0 / controls], 0.0)
    });
    Some(Lift { difference: scores.adaptive(difference, &[1.0, -1.0], difference), log_ratio })
}

/// The scores of one or two variants.
struct Scores {
    strata: Vec<Scored>,
    left_out: f64,
    enough: bool,
}

/// The scores of a stratum's units.
struct Scored {
    /// Units of all variants.
    n: f64,
    /// What each of them weighs.
    h: f64,
    variants: Vec<ScoredVariant>,
}

struct ScoredVariant {
    /// m̂.
    expected: f64,
    /// e.
    share: f64,
    cell: Cell,
}

impl Scores {
    fn of(strata: &[Stratum], compared: &[usize]) -> Option<Self> {
        let (mut earlier, mut of_all) = (vec![Cell::default(); compared.len()], Cell::default());
        let mut scored = Vec::new();
        for stratum in strata {
            let together = stratum.cells.iter().fold(Cell::default(), |all, cell| all.merged(cell));
            let fallback = if 0.0 < of_all.n { of_all.mean } else { together.mean };
            let shares = compared.iter().map(|&variant_idx| stratum.share(variant_idx));
            if let Some(shares) = shares.collect::<Option<Vec<f64>>>().filter(|_| 0.0 < together.n) {
                let variant = |((&variant_idx, &share), own): ((&usize, &f64), &Cell)| ScoredVariant {
                    expected: if 0.0 < own.n { own.mean } else { fallback },
                    share,
                    cell: stratum.cell(variant_idx),
                };
                let h = shares.iter().map(|share| share.recip()).sum::<f64>().sqrt().recip();
                let variants = compared.iter().zip(&shares).zip(&earlier).map(variant).collect();
                scored.push(Scored { n: together.n, h, variants });
            }
            of_all = of_all.merged(&together);
            for (own, &variant_idx) in earlier.iter_mut().zip(compared) {
                *own = own.merged(&stratum.cell(variant_idx));
            }
        }
        let n: f64 = scored.iter().map(|stratum| stratum.n).sum();
        let enough = ANYTIME_STRATA_MIN <= scored.len()
            && (0..compared.len()).all(|position| is_enough(&scored, position));
        (0.0 < n).then(|| Self { strata: scored, left_out: 1.0 - n / of_all.n, enough })
    }

    fn total_weight(&self) -> f64 {
        self.strata.iter().map(|stratum| stratum.h * stratum.n).sum()
    }

    /// Σ h φ / Σ h, where φ is the sum of the variants' scores times these factors.
    fn value(&self, factors: &[f64]) -> f64 {
        let sum: f64 = self.strata.iter().map(|stratum| stratum.h * stratum.total(factors)).sum();
        sum / self.total_weight()
    }

    fn adaptive(&self, value: f64, factors: &[f64], center: f64) -> Adaptive {
        let squares: f64 =
            self.strata.iter().map(|stratum| stratum.h * stratum.h * stratum.squares(factors, center)).sum();
        Adaptive {
            estimate: Estimate { value, standard_error: squares.sqrt() / self.total_weight() },
            units: self.strata.iter().map(|stratum| stratum.n).sum(),
            left_out: self.left_out,
            enough: self.enough,
        }
    }
}

impl Scored {
    /// Σ φ.
    fn total(&self, factors: &[f64]) -> f64 {
        let gained = self.with(factors).map(|(variant, factor)| {
            let ScoredVariant { expected, share, cell } = variant;
            factor * cell.n * (cell.mean - expected) / share
        });
        self.n * self.expected(factors) + gained.sum::<f64>()
    }

    /// Σ (φ − center)².
    fn squares(&self, factors: &[f64], center: f64) -> f64 {
        let expected = self.expected(factors) - center;
        let (mut sum, mut others) = (0.0, self.n);
        for (variant, factor) in self.with(factors) {
            let scale = factor / variant.share;
            let score = expected + scale * (variant.cell.mean - variant.expected);
            sum += variant.cell.n * score * score + scale * scale * variant.cell.squares;
            others -= variant.cell.n;
        }
        sum + others.max(0.0) * expected * expected
    }

    /// The score of a unit that got another variant.
    fn expected(&self, factors: &[f64]) -> f64 {
        self.with(factors).map(|(variant, factor)| factor * variant.expected).sum()
    }

    fn with<'a>(&'a self, factors: &'a [f64]) -> impl Iterator<Item = (&'a ScoredVariant, f64)> {
        self.variants.iter().zip(factors.iter().copied())
    }
}

/// Whether a compared variant has enough units for an interval that holds at all times.
fn is_enough(scored: &[Scored], position: usize) -> bool {
    let cells = || scored.iter().filter_map(|stratum| stratum.variants.get(position)).map(|it| it.cell);
    ANYTIME_UNITS_MIN <= cells().map(|cell| cell.n).sum::<f64>()
        && ANYTIME_NONZERO_MIN <= cells().map(|cell| cell.n_nonzero).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn strata() -> impl Strategy<Value = Vec<Stratum>> {
        let cell = (1_u32..400, 0.0..5.0_f64, 0.1..9.0_f64).prop_map(|(n, mean, variance)| {
            let n = f64::from(n);
            Cell { n, n_nonzero: n, mean, squares: n * variance }
        });
        let stratum = (0.05..0.95_f64, prop::array::uniform2(cell)).prop_map(|(share, cells)| Stratum {
            shares: Some(vec![1.0 - share, share]),
            cells: cells.to_vec(),
        });
        prop::collection::vec(stratum, 1..8)
    }

    fn moved(strata: &[Stratum], factor: f64, by: f64) -> Vec<Stratum> {
        let mut strata = strata.to_vec();
        for cell in strata.iter_mut().flat_map(|stratum| &mut stratum.cells) {
            cell.mean = factor * cell.mean + by;
            cell.squares *= factor * factor;
        }
        strata
    }

    fn near(a: f64, b: f64) -> bool {
        (a - b).abs() <= 1e-9 * (1.0 + a.abs().max(b.abs()))
    }

    proptest! {
        #[test]
        fn figures_have_the_scale_and_the_level_of_the_data(strata in strata(), factor in 0.01..200.0_f64) {
            let (one, other) = (mean(&strata, 1).unwrap(), mean(&moved(&strata, factor, 7.0), 1).unwrap());
            prop_assert!(near(factor * one.estimate.value + 7.0, other.estimate.value));
            prop_assert!(near(factor * one.estimate.standard_error, other.estimate.standard_error));
            let (one, other) = (lift(&strata, 1, 0).unwrap(), lift(&moved(&strata, factor, 7.0), 1, 0).unwrap());
            prop_assert!(near(factor * one.difference.estimate.value, other.difference.estimate.value));
            let scaled = lift(&moved(&strata, factor, 0.0), 1, 0).unwrap();
            prop_assert_eq!(one.log_ratio.is_some(), scaled.log_ratio.is_some());
            if let (Some(one), Some(scaled)) = (one.log_ratio, scaled.log_ratio) {
                prop_assert!(near(one.estimate.value, scaled.estimate.value));
                prop_assert!(near(one.estimate.standard_error, scaled.estimate.standard_error));
            }
        }

        #[test]
        fn the_control_differs_from_the_variant_by_minus_as_much(strata in strata()) {
            let (there, back) = (lift(&strata, 1, 0).unwrap().difference, lift(&strata, 0, 1).unwrap().difference);
            prop_assert!(near(there.estimate.value, -back.estimate.value));
            prop_assert!(near(there.estimate.standard_error, back.estimate.standard_error));
        }

        #[test]
        fn looking_at_all_times_costs_width(strata in strata(), planned in 100.0..1e6_f64) {
            let found = mean(&strata, 0).unwrap();
            if let Some(always) = found.anytime(0.05, planned) {
                let once = found.estimate.interval(0.05);
                prop_assert!(always.low < once.low && once.high < always.high, "{always:?} {once:?}");
            }
        }
    }

    fn stratum(shares: Option<Vec<f64>>) -> Stratum {
        let cell = |mean| Cell { n: 60.0, n_nonzero: 60.0, mean, squares: 60.0 };
        Stratum { shares, cells: vec![cell(1.0), cell(2.0)] }
    }

    #[test]
    fn strata_without_probabilities_are_left_out() {
        let even = Some(vec![0.5, 0.5]);
        let strata = [stratum(even.clone()), stratum(None), stratum(Some(vec![1.0, 0.0])), stratum(even)];
        assert!((mean(&strata, 0).unwrap().left_out - 0.25).abs() < 1e-15);
        assert!((mean(&strata, 1).unwrap().left_out - 0.5).abs() < 1e-15);
        assert!((lift(&strata, 1, 0).unwrap().difference.left_out - 0.5).abs() < 1e-15);
        assert_eq!(mean(&strata[1..2], 0), None);
        assert_eq!(mean(&strata, 2), None);
        assert_eq!(mean(&[], 0), None);
    }

    #[test]
    fn there_is_no_interval_for_all_times_before_the_data_suffices() {
        let strata = vec![stratum(Some(vec![0.5, 0.5])); 2];
        let found = mean(&strata, 0).unwrap();
        assert!(found.anytime(0.05, 1000.0).is_some());
        assert_eq!(found.anytime(0.05, f64::NAN), None);
        assert_eq!(mean(&strata[..1], 0).unwrap().anytime(0.05, 1000.0), None);
        let mut few = strata;
        few[0].cells[0].n_nonzero = 0.0;
        few[1].cells[0].n_nonzero = 49.0;
        assert_eq!(mean(&few, 0).unwrap().anytime(0.05, 1000.0), None);
        assert!(mean(&few, 1).unwrap().anytime(0.05, 1000.0).is_some());
        assert_eq!(lift(&few, 1, 0).unwrap().difference.anytime(0.05, 1000.0), None);
    }
}
